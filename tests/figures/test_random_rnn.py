"""Figures of the random network: the stationary theory where it holds, and the scatter of finite networks."""

import json
from pathlib import Path

import numpy as np
from drawn import dashes, drawn_by, legend
from made_up import made_up_result

from sitesampler.figures import figure, stationary_theory
from sitesampler.theory.random_rnn import stationary_correlation

SAMPLE = made_up_result(replicas=8, population=1_000)


def test_the_stationary_theory_is_shown_where_it_holds() -> None:
    theory = stationary_theory(SAMPLE, "h")
    assert theory is not None
    lags, correlation = theory
    np.testing.assert_allclose(lags, SAMPLE["time"])
    np.testing.assert_allclose(correlation, stationary_correlation(2.0, lags, "tanh", dt=0.5))
    assert stationary_theory(SAMPLE, "phi") is None
    for change in ({"symmetry": 0.5}, {"phi": "relu"}, {"phi": "my_own"}):
        parameters = json.dumps(json.loads(SAMPLE.attrs["parameters"]) | change)
        assert stationary_theory(SAMPLE.assign_attrs(parameters=parameters), "h") is None
    for program in ("own", "lines", "hopfield", "os.path", "<lambda>"):
        assert stationary_theory(SAMPLE.assign_attrs(program=program), "h") is None


def test_the_figure_of_any_program_shows_the_theory_of_this_one() -> None:
    drawn = figure(SAMPLE)
    assert drawn is not None
    np.testing.assert_allclose(dashes(drawn.axes[1])[0][1], stationary_correlation(2.0, SAMPLE["time"], dt=0.5))


def test_a_study_draws_both_worlds_and_the_theory(tmp_path: Path) -> None:
    (equal, decay, *_), sample = drawn_by("random_rnn", tmp_path, "parameters.duration=3.0")
    assert legend(equal) == ["simulation, $N$ = 50", r"sampler, $N = \infty$", "stationary theory"]
    lags = sample["time"].values
    np.testing.assert_allclose(dashes(decay)[0], (lags, stationary_correlation(2.0, lags, dt=0.05)), atol=1e-12)


def test_a_study_draws_the_scatter_of_networks_without_a_closed_form(tmp_path: Path) -> None:
    (mean, _, scaling), _ = drawn_by(
        "random_rnn_fluctuations", tmp_path, "parameters.duration=2.0", "sweep.simulate.size=[20, 40]"
    )
    assert legend(mean) == [r"sampler, $N = \infty$", "$N$ = 20: mean ± s.d.", "$N$ = 40: mean ± s.d."]
    assert legend(scaling) == [r"$\propto N^{-1/2}$"] and not dashes(scaling)
