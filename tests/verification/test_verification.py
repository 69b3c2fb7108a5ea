"""`sitesampler verify`: the statistics of its verdict on made-up rows, its command line, and one system to the end."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sitesampler import models, verification
from sitesampler.cli import main
from sitesampler.verification import Row, Runs, chosen, derived, judge, of, rows_of, table


def row(deviation: float, **fields: Any) -> Row:
    """Return a row that deviates by so many standard errors of 0.01 from a reference of 1."""
    known = {"system": "made_up", "quantity": "C(5, 5)", "kind": "theory", "stderr": 0.01, "freedom": 15.0}
    return Row(
        **{**known, "value": 1 + 0.01 * deviation, "reference": 1.0, "reference_stderr": 0.0, "deviation": deviation}
        | fields
    )


def result(values: Any, stderr: Any, replicas: int = 16, **coords: Any) -> xr.Dataset:
    """Return a made-up result with one variable ``C``."""
    dims = tuple(coords)
    return xr.Dataset(
        {"C": (dims, np.asarray(values, float)), "C_stderr": (dims, np.broadcast_to(stderr, np.shape(values)))},
        coords=coords,
        attrs={"system": "made_up", "label": "g = 2", "replicas": replicas, "seconds": 1.0, "kind": "simulation"},
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the verdict
def test_a_correct_sampler_fails_as_often_as_stated() -> None:
    """Normal replicas, ten per row: the table of 20 rows fails at the stated rate, not at that of a normal law."""
    rng, tables, rate = np.random.default_rng(0), 2_000, 0.1
    replicas = rng.normal(size=(tables, 20, 10))
    deviations = replicas.mean(2) / (replicas.std(2, ddof=1) / np.sqrt(10))
    failed = [not judge([row(d, freedom=9.0) for d in of_table], rate).passed for of_table in deviations[:500]]
    assert np.mean(failed) == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / 500))


def test_the_threshold_is_bonferroni_over_all_values_of_the_table() -> None:
    rows = [row(0.0, points=60), *[row(0.0)] * 39]
    assert judge(rows).share == pytest.approx(1e-3 / 99)
    limit = float(stats.t.isf(1e-3 / 100 / 2, 15))
    assert judge([*rows, row(limit - 0.01)]).passed
    verdict = judge([*rows, row(-limit - 0.01)])
    assert not verdict.passed and len(verdict.failed) == 1
    assert verdict.sentences[-1] == "DISAGREEMENT in 1 of 41 rows: made_up, C(5, 5)."
    assert f"at {-limit:+.1f} standard errors, where {limit:.1f} is the threshold" in verdict.sentences[0]


def test_exact_rows_are_judged_by_their_tolerance_and_do_not_widen_the_threshold_of_others() -> None:
    exact = row(1e-9, tolerance=1e-8)
    assert judge([exact, row(1.0)]).share == pytest.approx(1e-3)
    assert judge([exact]).passed
    assert not judge([row(1.1e-8, tolerance=1e-8)]).passed


@pytest.mark.parametrize("fields", [{}, {"tolerance": 1e-8}])
def test_what_is_not_a_number_fails(fields: dict[str, Any]) -> None:
    assert not judge([row(float("nan"), **fields)]).passed


def test_a_formula_known_to_be_wrong_must_differ() -> None:
    assert judge([row(0.12, tolerance=1e-8, differs=True)]).passed
    assert not judge([row(1e-12, tolerance=1e-8, differs=True)]).passed


def test_no_rows_no_disagreement() -> None:
    assert judge([]).passed
    assert table([]).count("\n") == 1


# ------------------------------------------------------------------------------------------------------------- the rows
def test_both_errors_count_with_welchs_degrees_of_freedom() -> None:
    network = result(1.0, 0.04, replicas=101)
    found = of(result(1.1, 0.03, replicas=16), "C").simulation(network)
    assert found.deviation == pytest.approx(0.1 / 0.05)
    assert found.freedom == pytest.approx(0.05**4 / (0.03**4 / 15 + 0.04**4 / 100))
    assert (found.kind, found.quantity) == ("simulation", "g = 2: C")
    assert of(result(1.1, 0.03, replicas=16), "C").theory(1.0).freedom == pytest.approx(15)


def test_of_many_values_the_least_likely_is_shown() -> None:
    ds = result([[1.0, 2.0], [3.0, 4.0]], [[0.1, 0.1], [0.01, 0.1]], time=[0.0, 0.5], time_=[0.0, 0.5])
    found = of(ds, "C").theory([[1.1, 2.0], [3.05, 4.1]])
    assert (found.quantity, found.points) == ("g = 2: C(0.5, 0), worst of 4", 4)
    assert found.deviation == pytest.approx(-5)
    assert of(ds, "C", time=0.5, time_=0.5).theory(4.0).quantity == "g = 2: C(0.5, 0.5)"


def test_an_unknown_error_is_no_agreement() -> None:
    ds = result([1.0, 2.0], [0.1, np.nan], time=[0.0, 1.0])
    assert not judge([of(ds, "C").theory([1.0, 2.1])]).passed


def test_a_value_that_is_known_exactly_may_be_equal_to_its_reference() -> None:
    assert of(result(0.0, 0.0), "C").theory(0.0).deviation == 0
    assert not judge([of(result(1e-3, 0.0), "C").theory(0.0)]).passed


def test_exact_values_are_compared_relative_to_the_largest() -> None:
    ds = result([1.0, 100.0], 0.0, time=[0.0, 1.0])
    found = of(ds, "C").exactly([1.0 + 1e-7, 100.0])
    assert found.deviation == pytest.approx(1e-9)
    assert found.quantity == "g = 2: C(1), all 2 values"
    assert judge([found]).passed and not judge([of(ds, "C").exactly([1.0, 100.001])]).passed


def test_a_derived_quantity_has_a_name_of_its_own() -> None:
    assert derived(result(1.0, 0.1), "N Var C", 2.0, 0.5, replicas=8).theory(1.0).quantity == "g = 2: N Var C"


# ------------------------------------------------------------------------------------------------------------ the table
def test_table_as_text_and_as_markdown() -> None:
    rows = [row(1.0), row(9.0, quantity="C(9, 9)"), row(2e-10, tolerance=1e-8, value=1.0)]
    share = judge(rows).share
    text = table(rows, share).splitlines()
    assert len({len(line) for line in text[1:2]}) == 1 and text[0].split()[:3] == ["system", "quantity", "sampler"]
    assert "1.010 ± 0.010" in text[2] and "+1.0 s.e." in text[2]
    assert "FAILS +9.0 s.e." in text[3] and "FAILS" not in text[2]
    assert "2.0e-10 rel." in text[4]
    lines = table(rows, share, markdown=True).splitlines()
    assert all(line.count("|") == 8 and line.startswith("|") for line in lines)
    assert re.fullmatch(r"\|( -+:? \|)+", lines[1])


# -------------------------------------------------------------------------------------------------------------- systems
def test_every_model_has_rows() -> None:
    assert set(verification.SYSTEMS) == set(models.NAMES)
    assert chosen([]) == list(verification.SYSTEMS)
    assert chosen(["goe_flow", "deep_propagation"]) == ["deep_propagation", "goe_flow"]


def test_every_run_has_a_seed_of_its_own_and_the_full_table_larger_sizes() -> None:
    quick, full = Runs("goe_flow", seed=1), Runs("goe_flow", seed=1, quick=False)
    seeds = [quick._seed() for _ in range(3)]
    assert len(set(seeds)) == 3 and seeds == [full._seed() for _ in range(3)]
    assert Runs("random_rnn", seed=1)._seed() != seeds[0] != Runs("goe_flow", seed=2)._seed()
    ds = quick.networks(models.goe_flow, 10, 4, dt=0.5, duration=1.0)
    assert (ds.attrs["kind"], ds.attrs["replicas"]) == ("simulation, N = 10 and 20", 4)
    ds = full.networks(models.goe_flow, 10, 4, dt=0.5, duration=1.0)
    assert (ds.attrs["kind"], ds.attrs["replicas"]) == ("simulation, N = 20 and 40", 12)


def test_exact_rows_are_exact_and_the_naive_formula_differs() -> None:
    rows = list(islice(rows_of("evolving_spikes", seed=3), 4))
    assert judge(rows).passed, judge(rows).sentences
    assert [found.differs for found in rows] == [False, False, False, True]
    assert rows[1].value == pytest.approx(3.905879, abs=1e-6) and rows[3].kind == "naive formula, eq. 102"


def test_one_system_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "hopfield", "--quick", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert {"quadrature", "fixed point", "simulation, N = 300 and 600"} <= set(re.findall(r"  ([a-z][^+]*?)  ", out))
    assert re.search(r"^All \d+ rows agree\.$", out, re.MULTILINE)


# -------------------------------------------------------------------------------------------------- the command line
@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the systems by made-up ones: two that agree, one that does not, one that breaks."""

    def agrees(run: Runs) -> Iterator[Row]:
        yield row(0.5 if run.quick else 0.7, system="agrees")

    def exact(_: Runs) -> Iterator[Row]:
        yield row(1e-12, system="exact", tolerance=1e-8)

    def differs(_: Runs) -> Iterator[Row]:
        yield row(20.0, system="differs")

    def breaks(_: Runs) -> Iterator[Row]:
        yield row(0.1, system="breaks")
        raise ZeroDivisionError("division by zero")

    def stops(_: Runs) -> Iterator[Row]:
        yield row(0.2, system="stops")
        raise KeyboardInterrupt

    made_up = {rows.__name__: rows for rows in (agrees, exact, differs, breaks, stops)}
    monkeypatch.setattr(verification, "SYSTEMS", made_up)
    return made_up


@pytest.mark.usefixtures("systems")
def test_agreement_ends_with_zero_and_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["verify", "exact", "agrees", "--quick", "--output", str(tmp_path / "table.md")]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("All 2 rows agree.\n") and "+0.5 s.e." in printed.out
    assert re.fullmatch(r"agrees \.\.\. 1 rows in \d\.\d s\nexact \.\.\. 1 rows in \d\.\d s\n", printed.err)
    written = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert written.startswith("| system") and written.endswith("All 2 rows agree.\n")
    assert main(["verify", "agrees", "--output", str(tmp_path / "table.txt")]) == 0
    assert (tmp_path / "table.txt").read_text(encoding="utf-8") == capsys.readouterr().out


@pytest.mark.usefixtures("systems")
def test_disagreement_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "agrees", "differs"]) == 1
    out = capsys.readouterr().out
    assert "FAILS +20.0 s.e." in out and out.endswith("DISAGREEMENT in 1 of 2 rows: differs, C(5, 5).\n")


@pytest.mark.usefixtures("systems")
def test_a_system_that_breaks_leaves_its_rows_and_those_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "breaks", "differs", "agrees"]) == 1
    printed = capsys.readouterr()
    assert {"breaks", "differs", "agrees"} <= set(printed.out.split())
    assert printed.out.endswith("breaks did not finish: ZeroDivisionError: division by zero\n")
    assert "breaks ... 1 rows in 0.0 s, failed" in printed.err


@pytest.mark.usefixtures("systems")
def test_an_interrupt_leaves_the_rows_done_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "agrees", "stops"]) == 130
    printed = capsys.readouterr()
    assert "agrees" in printed.out and "+0.2 s.e." in printed.out
    assert printed.err.endswith("sitesampler: interrupted; the table has the rows that were done by then\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["random_rn"], "there is no system 'random_rn' (did you mean 'random_rnn'?); they are spherical_pspin, "),
        (["goe_flow", "--seed", "-1"], "the seed must be a natural number, not -1"),
        (
            ["goe_flow", "--output", "no_such_folder/table.md"],
            "no_such_folder/table.md cannot be written: No such",
        ),
    ],
)
def test_a_mistake_ends_with_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *words]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"sitesampler: {sentence}") and printed.count("\n") == 1
