"""The figure of the transition to chaos."""

from pathlib import Path

import numpy as np
import pytest
from drawn import dashes, drawn_by, grid_of, legend

from sitesampler.figures.lines import ACCURACY
from sitesampler.theory.random_rnn import correlation, stationary_variance


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_the_transition(scheme: str, tmp_path: Path) -> None:
    (well, orbit, variance, exponent), _ = drawn_by(
        "random_rnn_lyapunov",
        tmp_path,
        "parameters.duration=3.0",
        "parameters.transient=1.0",
        "sweep.g=[0.8, 2.0]",
        f"parameters.scheme='{scheme}'",
        "sample.population=800",
    )
    assert legend(well) == legend(orbit) == ["$g$ = 2"]
    grid = grid_of(scheme, 0.25, 12, accuracy=ACCURACY)
    exact = correlation(2.0, "tanh", **grid)[0][-1, ::-1]
    lags, decay = dashes(orbit)[0]
    np.testing.assert_allclose(decay, exact[np.rint(lags / 0.25).astype(int)] / stationary_variance(2.0))
    gains, values = dashes(variance)[0]
    assert (gains[0], gains[-1], values[-1]) == (0.8, 2.0, pytest.approx(exact[0], rel=1e-5))
    assert values[0] == pytest.approx(correlation(0.8, "tanh", **grid)[0][-1, -1], rel=1e-5)
    gains, values = dashes(exponent)[0]
    assert values[0] < 0 < values[-1] and values[gains == 1.0] == pytest.approx(0, abs=1e-6)
