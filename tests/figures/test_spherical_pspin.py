"""Figures of the spin glass: aging below, equilibrium above the dynamical temperature."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, grid_of, legend

from sitesampler.figures.lines import ACCURACY, SAMPLE
from sitesampler.theory import spherical_pspin


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_a_study_draws_aging(scheme: str, tmp_path: Path) -> None:
    (decay, fdt, energy), sample = drawn_by(
        "spherical_pspin_aging",
        tmp_path,
        "parameters.duration=3.0",
        f"parameters.scheme='{scheme}'",
        "parameters.dt=0.05",
    )
    grid = grid_of(scheme, 0.05, 60, accuracy=ACCURACY)
    exact = spherical_pspin.solve(3, 0.5, **grid)
    np.testing.assert_allclose(dashes(energy)[0], (sample["time"][1:], exact.energy[1:]))
    np.testing.assert_allclose(curves(energy, SAMPLE)[0][1], exact.energy[1:], atol=0.02)
    assert len(dashes(decay)) == 4
    np.testing.assert_allclose(dashes(decay)[3][1], exact.C[31:, 30])
    if scheme == "euler":
        integral = 0.05 * np.cumsum(exact.R[-1][::-1])[::-1]
    else:
        integral = np.array([np.trapezoid(exact.R[-1, first:], dx=0.05) for first in range(61)])
    np.testing.assert_allclose(dashes(fdt)[0][1], integral)
    np.testing.assert_allclose(curves(fdt, SAMPLE)[0][1][1:], integral[1:], atol=0.06)


def test_a_study_draws_equilibrium(tmp_path: Path) -> None:
    (decay, _, energy), _ = drawn_by("spherical_pspin_equilibrium", tmp_path, "parameters.duration=1.0")
    assert legend(decay) == ["$T$ = 1.4", "$T$ = 2"]
    assert len(dashes(energy)) == 2
    np.testing.assert_allclose(
        dashes(energy)[1][1], spherical_pspin.solve(3, 2.0, times=0.04 * np.arange(26), accuracy=ACCURACY).energy[1:]
    )
