"""Figures of the spin glass: aging below, equilibrium above the dynamical temperature."""

from pathlib import Path

import numpy as np
from drawn import curves, dashes, drawn_by, legend

from sitesampler.figures.lines import SAMPLE
from sitesampler.theory import spherical_pspin


def test_a_study_draws_aging(tmp_path: Path) -> None:
    (decay, fdt, energy), sample = drawn_by("spherical_pspin_aging", tmp_path, "parameters.duration=3.0")
    exact = spherical_pspin.solve(3, 0.5, 0.05, 60)
    np.testing.assert_allclose(dashes(energy)[0], (sample["time"][1:], exact.energy[1:]))
    np.testing.assert_allclose(curves(energy, SAMPLE)[0][1], exact.energy[1:], atol=0.02)
    assert len(dashes(decay)) == 4
    np.testing.assert_allclose(dashes(decay)[3][1], exact.C[31:, 30])
    np.testing.assert_allclose(dashes(fdt)[0][1], 0.05 * np.cumsum(exact.R[-1][::-1])[::-1])


def test_a_study_draws_equilibrium(tmp_path: Path) -> None:
    (decay, _, energy), _ = drawn_by("spherical_pspin_equilibrium", tmp_path, "parameters.duration=1.0")
    assert legend(decay) == ["$T$ = 1.4", "$T$ = 2"]
    assert len(dashes(energy)) == 2
    np.testing.assert_allclose(dashes(energy)[1][1], spherical_pspin.solve(3, 2.0, 0.02, 50).energy[1:])
