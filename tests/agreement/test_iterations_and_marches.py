"""Iterations find what a march finds, and know how well: every model, closed equations, errors that cover."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from short_runs import SMALL, assert_same, small
from threshold import assert_agreement

import sitesampler as ss
from sitesampler.errors import InputError
from sitesampler.physics.estimates import factorised
from sitesampler.runs.chunks import Chunks, merged_outcomes, run_chunk, run_start, start_of
from sitesampler.runs.iteration import NotConverged
from sitesampler.runs.options import Sampled
from sitesampler.runs.task import prepare
from sitesampler.theory import random_rnn

#: Variables that a march does not have.
OF_ITERATIONS = ["change", "order_parameters"]
#: Chaotic, and symmetric enough for its memory to matter.
SYMMETRIC: dict[str, Any] = {"g": 1.6, "symmetry": 0.6, "scheme": "euler", "dt": 0.1, "duration": 10.0, "every": 50}


def iterated(program: Any, **options: Any) -> xr.Dataset:
    return ss.sample(program, **{"iterations": "auto", "seed": 7, "progress": False, "keep": 0, **options})


# ----------------------------------------------------------------------------------------------- iterations and marches
#: Those whose iterations take more than a few seconds.
_LONG = ("excitatory_inhibitory", "random_rnn_lyapunov", "random_features", "gaussian_mixture_sgd")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in _LONG)) for name in ss.models.NAMES]
)
def test_iterations_agree_with_a_march_on_every_model(name: str) -> None:
    program, (parameters, _) = getattr(ss.models, name), small(name)
    options = {**parameters, "every": 5 if "duration" in parameters else 1}
    march = ss.sample(program, population=2_000, replicas=16, seed=3, keep=0, **options)
    iterations = iterated(program, population=4_000, chunk=1_000, **options)
    assert iterations.attrs["converged"] == 1 and iterations.attrs["self_consistency_residual"] < 2
    assert_same(iterations.drop_vars(OF_ITERATIONS), march, replicas=8)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        pytest.param(
            "deep_network",
            {"depth": 2, "steps": 3, "momentum": 0.5, "responses": True, "outlier_times": ()},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "deep_network",
            {"depth": 3, "steps": 2, "widths": (1.0, 0.5, 1.5), "weight_decay": 0.1, "outlier_times": ()},
            marks=pytest.mark.slow,
        ),
        ("random_rnn", {"g": 1.5, "symmetry": -0.5, "phi": "relu", "scheme": "euler", "dt": 0.2, "duration": 2.0}),
        pytest.param("excitatory_inhibitory", SMALL["excitatory_inhibitory"][0], marks=pytest.mark.slow),
    ],
)
def test_a_cold_start_finds_the_same(name: str, parameters: dict[str, Any]) -> None:
    """Momentum, responses, decay, groups of several sizes: from sites without any coupling, as the literature does."""
    program = getattr(ss.models, name)
    march = ss.sample(program, population=2_000, replicas=16, seed=3, keep=0, **parameters)
    cold = iterated(program, population=4_000, chunk=1_000, order_parameters="cold", **parameters)
    assert cold.attrs["converged"] == 1 and cold.change.values[0] > 5 > cold.attrs["self_consistency_residual"]
    assert_same(cold.drop_vars(OF_ITERATIONS), march, replicas=8)


@pytest.mark.slow
def test_single_precision_finds_the_same() -> None:
    parameters = {"g": 1.5, "symmetry": 0.5, "scheme": "euler", "dt": 0.2, "duration": 3.0, "every": 5}
    double = iterated(ss.models.random_rnn, population=4_000, chunk=1_000, **parameters)
    single = iterated(ss.models.random_rnn, population=4_000, chunk=1_000, seed=8, dtype="float32", **parameters)
    assert single.attrs["converged"] == 1
    assert_same(single.drop_vars(OF_ITERATIONS), double.drop_vars(OF_ITERATIONS), replicas=8)


# ------------------------------------------------------------------------------------------------- closed equations
@pytest.mark.parametrize("start", ["march", pytest.param("cold", marks=pytest.mark.slow)])
def test_the_chaotic_network_obeys_its_closed_equations(start: str) -> None:
    parameters = {"g": 2.0, "scheme": "euler", "dt": 0.1, "duration": 5.0}
    ds = iterated(ss.models.random_rnn, population=8_000, chunk=4_000, order_parameters=start, every=5, **parameters)
    for name, full in zip(("C_h", "C_phi"), random_rnn.correlation(2.0, "tanh", dt=0.1, steps=50), strict=True):
        exact = full[::5, ::5]
        size = np.sqrt(np.diag(exact))
        assert_agreement(
            ds[name], ds[name + "_stderr"], exact, replicas=8, error_below=0.005, scale=np.outer(size, size), points=66
        )


@pytest.mark.parametrize("start", ["march", pytest.param("cold", marks=pytest.mark.slow)])
def test_the_partially_symmetric_network_finds_its_memory(start: str) -> None:
    """Against 16 marches of 12,000 samples, whose bias of order 1/population is below their error."""
    marches = np.array([2.8853, 2.7721, 3.5668])  # C_h(5, 5), C_h(10, 5), C_h(10, 10)
    errors = np.array([0.0031, 0.0036, 0.0043])
    ds = iterated(ss.models.random_rnn, population=4_000, chunk=2_000, replicas=6, order_parameters=start, **SYMMETRIC)
    C, stderr = (ds[name].values[[1, 2, 2], [1, 1, 2]] for name in ("C_h", "C_h_stderr"))
    assert_agreement(C, stderr, marches, replicas=6, error_below=0.01, reference_stderr=errors)


# ----------------------------------------------------------------------------------------------------------- errors
@pytest.mark.slow
def test_intervals_from_independent_replicas_cover() -> None:
    """Forty runs, whose mean stands for the truth: biases of order 1/chunk are common to all."""
    parameters: dict[str, Any] = {"g": 2.0, "scheme": "euler", "dt": 0.25, "duration": 4.0, "every": 4}
    options: dict[str, Any] = {"population": 500, "chunk": 250, "replicas": 4, "iterations": 3}
    runs = [iterated(ss.models.random_rnn, seed=seed, **options, **parameters) for seed in range(40)]
    times = [(1, 1), (3, 2), (4, 4), (4, 1)]
    values = np.array([[run.C_h.values[at] for at in times] for run in runs])
    errors = np.array([[run.C_h_stderr.values[at] for at in times] for run in runs])
    deviations = (values - values.mean(0)) / errors
    half = stats.t.isf(0.025, 3)
    covered = np.mean(np.abs(deviations) < half)
    assert 0.88 < covered <= 1.0, f"95 % intervals cover in {100 * covered:.0f} %"
    # Averages over replicas are what the error is of, and the spread of runs is as large as it says.
    assert np.sqrt(np.mean(errors**2, 0)) == pytest.approx(values.std(0, ddof=1), rel=0.4)


@pytest.mark.parametrize(("symmetry", "least"), [(0.0, 1e6), (0.6, 2.0)])
def test_scatter_between_chunks_of_one_iteration_is_too_small_an_error(symmetry: float, least: float) -> None:
    """Replicas, each after three iterations with order parameters of its own, spread more than their chunks do.

    Without memory, fields are linear in matched draws: all chunks agree to rounding, on what is not exact at all.
    """
    parameters = {"g": 1.8, "symmetry": symmetry, "scheme": "euler", "dt": 0.25, "duration": 3.0}
    task = prepare(ss.models.random_rnn, parameters, Sampled(population=1_000, seed=3, keep=0, tolerance=1e-3), 250)
    means, scatter = [], []
    for replica in range(12):
        estimates = run_start((task, True), start_of(replica), lambda _: None)
        for number in range(3):
            frozen = [factorised(estimates, 1e-2)] * (replica + 1)
            shared = Chunks(task, frozen, number, number == 2)
            outcomes = [run_chunk(shared, shared.piece(replica, chunk, 0, 250), lambda _: None) for chunk in range(4)]
            tally = merged_outcomes(outcomes).tally
            assert tally is not None
            estimates = frozen[0].measured(tally.arrays)
        last = np.array([outcome.variables["C_h"].values.diagonal()[4:] for outcome in outcomes])
        means.append(last.mean(0))
        scatter.append(last.std(0, ddof=1) / 2)
    spread = np.sqrt(np.mean(np.var(means, axis=0, ddof=1)))
    assert spread > least * np.sqrt(np.mean(np.square(scatter)))
    assert spread < 0.1 * np.mean(means)


@pytest.mark.slow
def test_errors_cover_what_is_wrong_with_the_result_that_iterations_started_from() -> None:
    """A small result starts runs of four times its size: its own errors are far from forgotten, and are in theirs."""
    parameters: dict[str, Any] = {"g": 2.0, "scheme": "euler", "dt": 0.25, "duration": 7.5, "every": 3}
    values, errors = [], []
    for seed in range(16):
        small = iterated(
            ss.models.random_rnn, population=1_000, chunk=500, seed=1_000 + seed, iterations=2, **parameters
        )
        run = iterated(
            ss.models.random_rnn, population=2_000, chunk=1_000, seed=seed, order_parameters=small, **parameters
        )
        values.append(run.C_h.values[[5, 10, 10], [5, 10, 7]])
        errors.append(run.C_h_stderr.values[[5, 10, 10], [5, 10, 7]])
    ratio = np.std(values, axis=0, ddof=1) / np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.all(ratio < 1.6) and np.all(ratio > 0.5), f"runs spread by {ratio.round(2)} of their errors"


# ------------------------------------------------------------------------------------------------------ certificate
def test_the_residual_is_near_one_when_nothing_but_chance_is_left_and_large_when_not() -> None:
    parameters = {"g": 2.0, "scheme": "euler", "dt": 0.25, "duration": 4.0}
    options = {"population": 2_000, "chunk": 500, "replicas": 3, **parameters}
    residuals = [iterated(ss.models.random_rnn, seed=s, **options).attrs["self_consistency_residual"] for s in range(2)]
    assert all(0.5 < residual < 1.6 for residual in residuals)
    # Order parameters of another gain: not those of this program, and one iteration does not make them so.
    other = iterated(ss.models.random_rnn, **{**options, "g": 1.0})
    with pytest.warns(NotConverged, match="changed by"):
        wrong = iterated(ss.models.random_rnn, order_parameters=other, iterations=1, **options)
    assert wrong.attrs["self_consistency_residual"] > 5 and wrong.change.values[0] > 20


@pytest.mark.slow
def test_a_result_of_another_gain_is_a_start_for_this_one() -> None:
    parameters = {"symmetry": 0.4, "scheme": "euler", "dt": 0.2, "duration": 3.0, "every": 5}
    options = {"population": 2_000, "chunk": 1_000, **parameters}
    other = iterated(ss.models.random_rnn, g=1.0, **options)
    from_other = iterated(ss.models.random_rnn, g=1.5, order_parameters=other, seed=8, **options)
    from_march = iterated(ss.models.random_rnn, g=1.5, seed=9, **options)
    assert from_other.change.values[0] > 10 and from_other.attrs["converged"] == 1
    assert_same(from_other.drop_vars(OF_ITERATIONS), from_march.drop_vars(OF_ITERATIONS), replicas=8)


def test_outliers_of_iterations_are_those_of_marches() -> None:
    """A basis, its images and the fields they make must be of one sample: noise in small directions counts in full."""
    low_rank: dict[str, Any] = {"population": 2000, "replicas": 4, "seed": 0, "progress": False}
    low_rank |= {"g": 0.5, "overlap": 4.0, "scheme": "euler", "dt": 0.2, "duration": 3.0}
    march = ss.sample(ss.models.low_rank_rnn, **low_rank)
    iterations_too = ss.sample(ss.models.low_rank_rnn, **low_rank, chunk=500, iterations="auto")
    found, expected = (ds.outliers.isel(time=-1).dropna("outlier").values for ds in (iterations_too, march))
    assert found.shape == expected.shape == (1,)
    error = np.hypot(iterations_too.outliers_stderr.isel(time=-1)[0], march.outliers_stderr.isel(time=-1)[0])
    assert abs(found[0] - expected[0]) < 5 * float(error) < 0.02
    with pytest.raises(InputError, match="asks for outliers, which iterations take from the march"):
        ss.sample(ss.models.low_rank_rnn, **low_rank, chunk=500, iterations="auto", order_parameters="cold")


def test_a_tensor_with_two_large_chunks_converges() -> None:
    """The error of a number that two chunks have measured may be next to nothing by chance."""

    def soft_spins(net: Any, *, dt: float = 0.1, duration: float = 1.5) -> None:
        spins = net.sites()
        K, s = net.tensor_coupling(spins, order=3), spins.normal()
        for t in net.clock(duration, dt):
            force = K.force(np.tanh(s))
            net.record(t, s=s, energy=net.overlap(s, force))
            s = s + dt * (force - s - 0.3 * s**3) + np.sqrt(dt) * spins.normal()

    options: dict[str, Any] = {"replicas": 4, "progress": False}
    march = ss.sample(soft_spins, population=8000, seed=1, **options)
    iterations_too = ss.sample(soft_spins, population=6000, chunk=3000, seed=2, iterations="auto", **options)
    assert iterations_too.attrs["converged"] == 1 and iterations_too.attrs["iterations"] < 12
    assert iterations_too.attrs["self_consistency_residual"] < 3
    deviation = ss.compare(iterations_too, march)
    assert abs(deviation.energy_deviation).max() < 8 and abs(deviation.C_s_deviation).max() < 8
