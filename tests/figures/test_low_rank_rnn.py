"""The figure of activity that condenses on a structure."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, grid_of, legend

import sitesampler as ss
from sitesampler.figures import draw
from sitesampler.figures.lines import ACCURACY
from sitesampler.theory.low_rank_rnn import recursion


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_the_recursion(scheme: str, tmp_path: Path) -> None:
    (kappa, projection, variance), _ = drawn_by(
        "low_rank_rnn", tmp_path, "parameters.duration=3.0", f"parameters.scheme='{scheme}'"
    )
    grid = grid_of(scheme, 0.25, 12, accuracy=ACCURACY)
    exact = recursion(0.8, 2.0, 0.3, **grid)
    for axes, values in (
        (kappa, exact.kappa[:, 0]),
        (projection, exact.projection[:, 0]),
        (variance, np.diag(exact.C_h)),
    ):
        np.testing.assert_allclose(dashes(axes)[0], (exact.time, values))
        assert curves(axes)[0][1][-1] == pytest.approx(values[-1], rel=0.3)
    assert "recursion" in legend(projection)


def test_several_structures_have_a_curve_each() -> None:
    parameters = {"overlap": [2.5, 1.5], "start": [0.3, 0.4], "dt": 0.1, "duration": 1.0, "scheme": "euler"}
    sample = ss.sample(ss.models.low_rank_rnn, population=300, replicas=2, seed=0, every=2, **parameters)
    kappa = draw(sample, kind="condensation").axes[0]
    assert legend(kappa) == ["structure 1", "structure 2"]
    assert [len(x) for x, _ in dashes(kappa)] == [11, 11]
