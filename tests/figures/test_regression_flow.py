"""Figures of linear regression: losses, batches and the Marchenko-Pastur law lie where theory puts them."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, grid_of, legend

from sitesampler.figures.lines import SAMPLE
from sitesampler.theory import regression_flow, regression_flow_batches


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_both_losses_and_double_descent(scheme: str, tmp_path: Path) -> None:
    (test, train, descent), _ = drawn_by(
        "regression_flow",
        tmp_path,
        "parameters.duration=3.0",
        "sweep.alpha=[0.5, 2.0]",
        f"parameters.scheme='{scheme}'",
    )
    grid = grid_of(scheme, 0.2, 15)
    losses = regression_flow.spectral_losses(0.5, 0.5, **grid)
    for axes, exact in zip((test, train), losses, strict=True):
        np.testing.assert_allclose(dashes(axes)[0][1], exact[1:])
        np.testing.assert_allclose(curves(axes)[0][1], exact[1:], rtol=0.05)
    assert [len(x) for x, _ in dashes(descent)] == [60, 60]
    assert dashes(descent)[1][1][0] == losses[0][-1]


def test_a_study_draws_the_kinds_of_batches(tmp_path: Path) -> None:
    (test, train), _ = drawn_by("regression_flow_batches", tmp_path, "parameters.duration=3.0")
    assert legend(test) == ["all data", "random 25% of the data", "epochs of 4 parts", "fresh data"]
    quarter = regression_flow_batches.multi_pass(2.0, 0.3, 0.25, 12, 0.25)
    np.testing.assert_allclose(dashes(test)[1][1], quarter.test_loss)
    np.testing.assert_allclose(dashes(train)[1][1], quarter.train_loss)
    np.testing.assert_allclose(dashes(test)[3][1], regression_flow_batches.one_pass(2.0, 0.3, 0.25, 12).test_loss)


def test_a_study_draws_the_marchenko_pastur_law_with_its_atom(tmp_path: Path) -> None:
    panels, _ = drawn_by("regression_flow_marchenko_pastur", tmp_path, "parameters.duration=6.0")
    assert [axes.get_title().partition(":")[0] for axes in panels] == [rf"$\alpha$ = {a}" for a in ("0.4", "0.7", "1")]
    assert panels[0].get_title().endswith("theory 0.6") and "atom at 0: 0.60" in panels[0].get_title()
    assert panels[2].get_title().endswith("no atom")
    (x, exact), (_, sampled) = dashes(panels[0])[0], curves(panels[0], SAMPLE)[0]
    np.testing.assert_allclose(exact, regression_flow.marchenko_pastur_resolvent(-x - 0.05j, 0.4).imag / np.pi)
    np.testing.assert_allclose(sampled, exact, rtol=0.01)
