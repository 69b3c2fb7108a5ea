"""The verdict over a whole table of rows: how often it is wrong by chance, and the table itself."""

import re
from typing import Any

import numpy as np
import pytest
from rows import row
from scipy import stats

from sitesampler.verification import judge, table


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
