"""The figure of two populations."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, grid_of, legend

from sitesampler.figures.lines import ACCURACY
from sitesampler.theory.excitatory_inhibitory import recursion


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_the_recursion_of_both_populations(scheme: str, tmp_path: Path) -> None:
    (rate, moment, single), _ = drawn_by(
        "excitatory_inhibitory", tmp_path, "parameters.duration=2.0", f"parameters.scheme='{scheme}'"
    )
    grid = grid_of(scheme, 0.1, 20, accuracy=ACCURACY)
    exact = recursion([[2, 3], [2, 3]], [[10, -10], [10, -2]], [0.4, -4], 0.8, **grid)
    assert legend(rate) == ["excitatory", "inhibitory"]
    for at in (0, 1):
        np.testing.assert_allclose(dashes(rate)[at], (exact.time, exact.rate[at]))
        np.testing.assert_allclose(curves(rate)[at][1], exact.rate[at], atol=0.1)
        np.testing.assert_allclose(dashes(moment)[at][1], np.diag(exact.C_h[at]))
    assert len(curves(single)) == 4
