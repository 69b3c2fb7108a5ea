"""`sitesampler verify`: which systems it has, and its command line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rows import row

from sitesampler import models, verification
from sitesampler.cli import main
from sitesampler.verification import Row, Runs, chosen


def test_every_model_has_rows() -> None:
    assert tuple(verification.SYSTEMS) == models.NAMES
    assert chosen([]) == list(verification.SYSTEMS)
    assert chosen(["goe_flow", "deep_propagation"]) == ["deep_propagation", "goe_flow"]


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
        (["random_rn"], "there is no system 'random_rn' (did you mean 'random_rnn'?); they are deep_network, "),
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
