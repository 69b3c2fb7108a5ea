"""The figure of retrieval: first steps, and the stationary state of graded neurons."""

from pathlib import Path

import numpy as np
import pytest
from drawn import curves, dashes, drawn_by, legend

from sitesampler.theory.hopfield import first_steps, retrieval


def test_a_study_draws_the_first_steps(tmp_path: Path) -> None:
    (overlap, power), _ = drawn_by("hopfield", tmp_path, "parameters.duration=4.0")
    m, fields = first_steps(0.1, 0.5)
    np.testing.assert_allclose(dashes(overlap), [([0, 1, 2], m)])
    np.testing.assert_allclose(dashes(power), [([0, 1, 2], fields)])
    np.testing.assert_allclose(curves(overlap)[0][1][:3], m, atol=0.15)


def test_graded_neurons_have_a_stationary_state(tmp_path: Path) -> None:
    (overlap, power), _ = drawn_by(
        "hopfield", tmp_path, "parameters.duration=4.0", "parameters.beta=3.0", "parameters.alpha=0.06"
    )
    state = retrieval(0.06, 3.0)
    assert [dashes(axes)[1][1][0] for axes in (overlap, power)] == pytest.approx([state.m, state.power])
    assert "first steps and stationary state" in legend(power)


def test_where_retrieval_fails_only_the_first_steps_are_drawn(tmp_path: Path) -> None:
    (overlap, power), _ = drawn_by(
        "hopfield", tmp_path, "parameters.duration=4.0", "parameters.beta=3.0", "parameters.alpha=0.6"
    )
    assert len(dashes(overlap)) == 1 and legend(power)[-1] == "first steps"
