"""Figures of random features: double descent for both spectra, and growing losses."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, grid_of, legend

from sitesampler.theory import random_features


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_double_descent(scheme: str, tmp_path: Path) -> None:
    (test, train, descent), _ = drawn_by(
        "random_features",
        tmp_path,
        "parameters.duration=3.0",
        "sweep.width_ratio=[0.3, 0.6, 2.5]",
        f"parameters.scheme='{scheme}'",
    )
    grid = grid_of(scheme, 0.05, 60)
    exact = random_features.solve(0.3, 0.6, 0.3, **grid)
    np.testing.assert_allclose(dashes(test)[0][1], exact.test_loss[::2][1:])
    np.testing.assert_allclose(dashes(train)[0][1], exact.train_loss[::2][1:])
    np.testing.assert_allclose(curves(train)[0][1], dashes(train)[0][1], rtol=0.05)
    assert [y[0] for _, y in dashes(descent)] == pytest.approx([exact.test_loss[40], exact.test_loss[60]])
    assert legend(descent) == ["$t$ = 2", "$t$ = 3", r"$t = \infty$"]


def test_unequal_modes_have_no_late_limit(tmp_path: Path) -> None:
    (_, _, descent), _ = drawn_by(
        "random_features_power_law", tmp_path, "parameters.duration=3.0", "sweep.width_ratio=[0.3, 0.6]"
    )
    assert legend(descent) == ["$t$ = 2", "$t$ = 3"]


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_which_losses_grow(scheme: str, tmp_path: Path) -> None:
    few = "sweep.width_ratio=[0.6, 2.0]", "sweep.data_ratio=[0.6]", f"parameters.scheme='{scheme}'"
    (grows, settles, normal), _ = drawn_by("random_features_growth", tmp_path, "parameters.duration=1.5", *few)
    assert r"0.6, 0.6: $\propto t^{1/2}$" in legend(grows) and len(dashes(grows)) == 1
    assert "2, 0.6: → 0.75" in legend(settles) and len(dashes(settles)) == 1
    grid = grid_of(scheme, 0.06, 25)
    exact = random_features.solve(0.6, 0.6, 0.3, **grid)
    np.testing.assert_allclose(dashes(grows)[0][1], exact.test_loss[::5][1:] - 0.09)
    np.testing.assert_allclose(dashes(normal)[0][1], np.diagonal(exact.C0)[::5][1:])
