"""The figure of one-pass training."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, legend

from sitesampler.theory.gaussian_mixture_sgd import recursion


def test_a_study_draws_the_recursion(tmp_path: Path) -> None:
    (error, loss, overlap), _ = drawn_by("gaussian_mixture_sgd", tmp_path, "parameters.steps=5", "sample.every=2")
    exact = recursion(0.5, 1.5, rate=0.5, steps=5)
    for axes, values in ((error, exact.error), (loss, exact.loss), (overlap, exact.overlap[:, 0])):
        np.testing.assert_allclose(dashes(axes)[0], (np.arange(5), values))
    np.testing.assert_allclose(curves(overlap)[0][1], exact.overlap[::2, 0], atol=0.3)
    assert legend(overlap) == ["unit 1", "unit 2"]


@pytest.mark.parametrize("setting", ["parameters.hidden=3", "parameters.phi='relu'"])
def test_what_the_recursion_does_not_reach_is_drawn_without_it(setting: str, tmp_path: Path) -> None:
    panels, _ = drawn_by("gaussian_mixture_sgd", tmp_path, "parameters.steps=3", setting)
    assert bool(dashes(panels[1])) == ("relu" in setting)
