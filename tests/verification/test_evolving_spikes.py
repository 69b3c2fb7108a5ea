"""Rows of a system that is exact, beside a formula that is not."""

from itertools import islice

import pytest

from sitesampler.verification import judge, rows_of


def test_exact_rows_are_exact_and_the_naive_formula_differs() -> None:
    rows = list(islice(rows_of("evolving_spikes", seed=3), 4))
    assert judge(rows).passed, judge(rows).sentences
    assert [found.differs for found in rows] == [False, False, False, True]
    assert rows[1].value == pytest.approx(3.905879, abs=1e-6) and rows[3].kind == "naive formula, eq. 102"
