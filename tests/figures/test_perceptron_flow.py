"""The figure of student and teacher: first steps, and the minimum that weight decay leads to."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, legend

from sitesampler.theory.perceptron_flow import first_steps, minimum

DESCENT, FLOW = "parameters.scheme='euler'", "parameters.scheme='rk4'"


def test_a_study_draws_the_first_steps(tmp_path: Path) -> None:
    (loss, error, overlap), _ = drawn_by("perceptron_flow", tmp_path, "parameters.duration=3.0", DESCENT)
    first = first_steps(2.0, 0.5)
    np.testing.assert_allclose(dashes(loss), [([0, 0.5, 1.0], first.train_loss)])
    np.testing.assert_allclose(dashes(error), [([0, 0.5, 1.0], first.train_error)])
    np.testing.assert_allclose(dashes(overlap), [([0, 0.5, 1.0, 1.5], first.overlap)])
    np.testing.assert_allclose(curves(loss)[0][1][:3], first.train_loss, rtol=0.05)


def test_with_decay_the_minimum_is_drawn(tmp_path: Path) -> None:
    (loss, error, overlap), _ = drawn_by(
        "perceptron_flow", tmp_path, "parameters.duration=3.0", "parameters.decay=0.3", DESCENT
    )
    end = minimum(2.0, 0.3)
    assert [y[0] for _, y in (dashes(loss)[1], dashes(overlap)[1])] == pytest.approx([end.train_loss, end.overlap])
    assert {end.train_error, end.test_error} <= {y[0] for _, y in dashes(error)}
    assert "first steps and minimum" in legend(loss)


@pytest.mark.parametrize(
    "setting", ["parameters.noise=0.5", "parameters.labels='linear'", "parameters.start=1.0", FLOW]
)
def test_what_has_no_closed_form_is_drawn_without(setting: str, tmp_path: Path) -> None:
    panels, _ = drawn_by(
        "perceptron_flow", tmp_path, "parameters.duration=1.0", "parameters.loss='square'", DESCENT, setting
    )
    assert not any(dashes(axes) for axes in panels)
