"""Smaller runs: when there are some, what they remove, and what is said where there can be none."""

import warnings
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.runs.smaller import BiasRemains, smaller_than
from sitesampler.theory import random_rnn

SHORT: dict[str, Any] = {
    "scheme": "euler",
    "g": 2.0,
    "dt": 0.2,
    "duration": 2.0,
    "every": 5,
    "keep": 0,
    "progress": False,
}


def test_smaller_runs_exceed_the_vectors_that_their_draws_are_matched_to() -> None:
    for samples in (40, 200, 1_000, 10_000):
        for matched in (1, 20, 90, 700):
            smaller = smaller_than(samples, matched)
            assert 1 <= smaller.times <= 32
            assert smaller.times == 1 or samples / smaller.times >= 1.25 * matched


def test_the_shift_of_a_small_population_is_removed() -> None:
    """128 replicas of 100 samples, against the closed equations: plain averages miss them by six standard errors."""
    _, C_phi = random_rnn.correlation(2.0, dt=0.2, steps=10)
    ds = ss.sample(ss.models.random_rnn, population=100, replicas=128, seed=1, tolerance=1e-4, **SHORT)
    here = {"time": 2, "time_": 2}
    assert float(ds.C_phi.sel(here)) == pytest.approx(C_phi[10, 10], abs=4 * float(ds.C_phi_stderr.sel(here)))
    assert ds.C_phi.attrs["bias_removed"] > 0.8 and "removed" in ds.attrs["bias"]


@pytest.mark.slow
def test_the_shift_of_small_chunks_is_removed() -> None:
    """C_phi(2, 2) is shifted by 0.009 in chunks of 50."""
    _, C_phi = random_rnn.correlation(2.0, dt=0.2, steps=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasRemains)  # of the kurtosis, with so many replicas
        ds = ss.sample(
            ss.models.random_rnn, population=200, chunk=100, iterations=3, replicas=128, seed=1, tolerance=1e-4, **SHORT
        )
    here = {"time": 2, "time_": 2}
    assert float(ds.C_phi.sel(here)) == pytest.approx(C_phi[10, 10], abs=4 * float(ds.C_phi_stderr.sel(here)))


def test_a_population_too_near_to_its_vectors_says_which_would_do() -> None:
    with pytest.warns(BiasRemains, match="use a population of at least"):
        ds = ss.sample(ss.models.random_rnn, population=50, replicas=2, seed=0, **SHORT)
    least = int(ds.attrs["bias"].rsplit(" ", 1)[1])
    ds = ss.sample(ss.models.random_rnn, population=2 * least, replicas=2, seed=0, **SHORT)
    assert "removed" in ds.attrs["bias"]


def test_an_iteration_whose_bias_is_not_known_is_not_certified() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasRemains)
        ds = ss.sample(ss.models.random_rnn, population=160, chunk=40, replicas=4, seed=0, iterations="auto", **SHORT)
    assert ds.attrs["converged"] == 0 and "not known" in ds.attrs["bias"]


def test_where_nothing_scatters_there_is_nothing_to_warn_of() -> None:
    """A Gaussian system is exact with hardly more samples than draws."""
    ds = ss.sample(
        ss.models.goe_flow, population=100, replicas=2, seed=0, scheme="euler", dt=0.1, duration=1, tolerance=1e-9
    )
    assert "not known" in ds.attrs["bias"]


def test_a_single_replica_has_no_smaller_runs() -> None:
    ds = ss.sample(ss.models.random_rnn, population=100, replicas=1, seed=0, **SHORT)
    assert "bias" not in ds.attrs and np.isnan(ds.C_h_stderr).all()


def test_what_replicas_sample_is_what_they_sampled_without_smaller_runs() -> None:
    """The trajectories that are kept are those of a single replica's run."""
    call = {**SHORT, "keep": 5}
    one, two = (ss.sample(ss.models.random_rnn, population=400, replicas=count, seed=0, **call) for count in (1, 2))
    np.testing.assert_array_equal(one.trajectory_h, two.trajectory_h)
