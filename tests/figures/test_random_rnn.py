"""Figures of the random network: theory at the times of the run, and the scatter of finite networks."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import dashes, drawn_by, grid_of, legend
from made_up import made_up_result

from sitesampler.figures import correlation_theory, figure
from sitesampler.figures.lines import ACCURACY
from sitesampler.figures.random_rnn import solved
from sitesampler.theory.random_rnn import correlation, stationary_correlation

SAMPLE = made_up_result(replicas=8, population=1_000)


@pytest.mark.parametrize(("vector", "which"), [("h", 0), ("phi", 1)])
def test_the_theory_is_that_of_the_times_of_the_run(vector: str, which: int) -> None:
    theory = correlation_theory(SAMPLE, vector)
    assert theory is not None
    times, values, name = theory
    np.testing.assert_array_equal(times, SAMPLE["time"])
    steps = len(times) - 1
    np.testing.assert_array_equal(values, correlation(2.0, "tanh", dt=0.5, steps=steps)[which])
    assert name == "theory"
    thinned = correlation_theory(SAMPLE.isel(time=slice(None, None, 2), time_=slice(None, None, 2)), vector)
    assert thinned is not None
    np.testing.assert_array_equal(thinned[1], values[::2, ::2])


def test_the_theory_of_other_schemes_is_that_of_continuous_time() -> None:
    theory = correlation_theory(SAMPLE.assign_attrs(scheme="rk4"), "h")
    assert theory is not None
    np.testing.assert_allclose(theory[1], correlation(2.0, "tanh", times=SAMPLE["time"], accuracy=ACCURACY)[0])


def test_there_is_no_theory_where_none_is_known() -> None:
    for change in ({"symmetry": 0.5}, {"phi": "my_own"}):
        parameters = json.dumps(json.loads(SAMPLE.attrs["parameters"]) | change)
        assert correlation_theory(SAMPLE.assign_attrs(parameters=parameters), "h") is None
    for program in ("own", "lines", "hopfield", "os.path", "<lambda>"):
        assert correlation_theory(SAMPLE.assign_attrs(program=program), "h") is None
    assert correlation_theory(SAMPLE, "other") is None


def test_after_very_many_steps_the_theory_is_the_stationary_one_and_called_so() -> None:
    times = np.array([1480.0, 1490.0, 1500.0])
    values, name = solved(2.0, "tanh", 0.5, times)
    expected = stationary_correlation(2.0, np.array([0.0, 10.0, 20.0]), dt=0.5)
    np.testing.assert_allclose(values[2], expected[::-1])
    np.testing.assert_allclose(np.diagonal(values), expected[0])
    assert name == "stationary theory"
    exact = solved(2.0, "tanh", 0.5, times - 1000.0)
    assert exact[1] == "theory"
    np.testing.assert_allclose(exact[0], values, atol=1e-6 * expected[0])


def test_the_figure_of_any_program_shows_the_theory_of_this_one() -> None:
    drawn = figure(SAMPLE)
    assert drawn is not None
    exact = correlation(2.0, "tanh", dt=0.5, steps=SAMPLE.sizes["time"] - 1)[0]
    np.testing.assert_allclose(dashes(drawn.axes[0])[0][1], np.diagonal(exact))
    np.testing.assert_allclose(dashes(drawn.axes[1])[0][1], exact[-1, ::-1])


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_both_worlds_and_the_theory(scheme: str, tmp_path: Path) -> None:
    (equal, decay, *_), sample = drawn_by(
        "random_rnn", tmp_path, "parameters.duration=3.0", f"parameters.scheme='{scheme}'"
    )
    assert legend(equal) == ["simulation, $N$ = 50", r"sampler, $N = \infty$", "theory"]
    grid = grid_of(scheme, 0.25, 12, accuracy=ACCURACY)
    exact = correlation(2.0, "tanh", **grid)[0]
    np.testing.assert_allclose(dashes(decay)[0], (sample["time"].values, exact[-1, ::-1]), atol=1e-12)


def test_a_study_draws_the_scatter_of_networks_without_a_closed_form(tmp_path: Path) -> None:
    (mean, _, scaling), _ = drawn_by(
        "random_rnn_fluctuations", tmp_path, "parameters.duration=2.0", "sweep.simulate.size=[20, 40]"
    )
    assert legend(mean) == [r"sampler, $N = \infty$", "$N$ = 20: mean ± s.d.", "$N$ = 40: mean ± s.d."]
    assert legend(scaling) == [r"$\propto N^{-1/2}$"] and not dashes(scaling)
