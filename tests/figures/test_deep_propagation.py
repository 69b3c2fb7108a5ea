"""Figures of signal propagation: the recursion over layers, and the line between order and chaos."""

from pathlib import Path

import numpy as np
import pytest
from drawn import dashes, drawn_by, legend

from sitesampler.figures.deep_propagation import critical_line
from sitesampler.theory.deep_propagation import recursion


def test_a_study_draws_variance_and_correlation_over_the_layers(tmp_path: Path) -> None:
    (variance, correlation), sample = drawn_by("deep_propagation", tmp_path, "parameters.depth=4")
    q, c = recursion(0.3, 1.27, 0.2, depth=4)
    np.testing.assert_allclose(dashes(variance)[1], (sample["layer"], q))
    np.testing.assert_allclose(dashes(correlation)[1][1], c / q)
    assert legend(variance)[1] == r"$\sigma_w$ = 1.27"


def test_a_study_draws_the_plane_of_order_and_chaos(tmp_path: Path) -> None:
    (_, cuts, _), _ = drawn_by(
        "deep_propagation_order_to_chaos", tmp_path, "parameters.depth=4", "sweep.sigma_w=[0.8, 2.0]",
        "sweep.sigma_b=[0.1, 0.3]",
    )  # fmt: skip
    q, c = recursion(0.6, 2.0, 0.3, depth=4)
    assert dashes(cuts)[1][1][-1] == pytest.approx(c[-1] / q[-1])
    lines = [line.get_xdata()[0] for line in cuts.lines if line.get_linestyle() == ":"]
    assert lines == [
        pytest.approx(np.interp(b, *critical_line("tanh", np.geomspace(1e-4, 6, 200))[::-1])) for b in (0.1, 0.3)
    ]


def test_the_critical_line_starts_at_weights_of_one() -> None:
    sigma_w, sigma_b = critical_line("tanh", np.array([1e-8, 0.5]))
    assert (sigma_w[0], sigma_b[0]) == (pytest.approx(1.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    assert sigma_w[1] > 1 and sigma_b[1] > 0
