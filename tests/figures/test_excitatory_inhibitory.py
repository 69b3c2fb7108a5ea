"""The figure of two populations."""

from pathlib import Path

import numpy as np
from drawn import curves, dashes, drawn_by, legend

from sitesampler.theory.excitatory_inhibitory import recursion


def test_a_study_draws_the_recursion_of_both_populations(tmp_path: Path) -> None:
    (rate, moment, single), _ = drawn_by("excitatory_inhibitory", tmp_path, "parameters.duration=2.0")
    exact = recursion([[2, 3], [2, 3]], [[10, -10], [10, -2]], [0.4, -4], 0.8, dt=0.1, steps=20)
    assert legend(rate) == ["excitatory", "inhibitory"]
    for at in (0, 1):
        np.testing.assert_allclose(dashes(rate)[at], (exact.time, exact.rate[at]))
        np.testing.assert_allclose(curves(rate)[at][1], exact.rate[at], atol=0.1)
        np.testing.assert_allclose(dashes(moment)[at][1], np.diag(exact.C_h[at]))
    assert len(curves(single)) == 4
