"""Figures of deep networks: training, lazy and rich, and the outliers of hidden weights."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, legend

from sitesampler.figures.deep_network import alignment
from sitesampler.figures.lines import SAMPLE


def test_a_study_draws_the_training(tmp_path: Path) -> None:
    panels, sample = drawn_by("deep_network", tmp_path, "parameters.steps=3")
    output, loss, aligned, gradient, kurtosis, density = panels
    np.testing.assert_allclose(curves(loss, SAMPLE)[0][1], sample["loss"])
    np.testing.assert_allclose(curves(output)[1][1], sample["f"].isel(input=1))
    targets = np.asarray([1.0, -0.5])
    last = sample["C_phi"].isel(layer=1, time=3, time_=3).transpose("input", "input_").values
    assert curves(aligned)[1][1][3] == pytest.approx(alignment(last, targets))
    first = sample["C_g"].isel(layer=0, time=2, time_=2, input=0, input_=0)
    assert curves(gradient)[0][1][2] == pytest.approx(float(first))
    assert legend(kurtosis) == ["layer 1", "layer 2"] and len(density.patches) == 2 * 45


def test_a_study_draws_lazy_and_rich_networks(tmp_path: Path) -> None:
    (loss, aligned, kurtosis), _ = drawn_by(
        "deep_network_lazy_rich", tmp_path, "parameters.steps=3", "sweep.gamma=[0.1, 1.5]"
    )
    assert legend(loss) == ["tangent kernel", r"$\gamma$ = 0.1", r"$\gamma$ = 1.5"]
    assert len(dashes(loss)) == 2 and len(dashes(aligned)) == len(dashes(kurtosis)) == 1


def test_a_study_draws_the_outliers(tmp_path: Path) -> None:
    (value, loss), sample = drawn_by(
        "deep_network_outliers",
        tmp_path,
        "parameters.steps=3",
        "parameters.outlier_times=[1, 2, 3]",
        "parameters.rate=0.2",
    )
    np.testing.assert_allclose(curves(loss, SAMPLE)[0][1], sample["loss"])
    formula, sampled = dashes(value)[0], sample["outliers"].isel(matrix=0, outlier=0).values
    np.testing.assert_allclose(formula[1], sampled[1:], rtol=0.1)


def test_alignment_is_one_for_the_kernel_of_the_targets() -> None:
    y = np.array([1.0, -0.5])
    assert alignment(np.outer(y, y), y) == pytest.approx(1.0)
    assert alignment(np.eye(2), y) == pytest.approx(1 / np.sqrt(2))
