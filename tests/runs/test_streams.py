"""Runs that are to be independent draw from streams of their own, with one seed too; where not, compare says so."""

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.results.compare import compare

CALL: dict[str, Any] = {"replicas": 2, "seed": 0, "g": 1.5, "dt": 0.5, "duration": 1.0, "keep": 100}


def simulated(**options: Any) -> xr.Dataset:
    return ss.simulate(ss.models.random_rnn, **{**CALL, "size": 200, **options})


def correlation(left: xr.Dataset, right: xr.Dataset) -> float:
    """Of the initial states, which are the first numbers that are drawn."""
    return abs(float(np.corrcoef(left.trajectory_h[:100, 0], right.trajectory_h[:100, 0])[0, 1]))


@pytest.mark.parametrize("other", [{"matrix": False}, {"size": 201}, {"size": 100}, {"seed": 1}])
def test_finite_networks_that_differ_are_independent(other: dict[str, Any]) -> None:
    """They had the same initial states: correlation 1, taken as independent."""
    left, right = simulated(keep=200), simulated(keep=200, **other)
    assert correlation(left, right) < 0.45
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(left, right)


def test_iterations_that_go_on_draw_anew() -> None:
    options: dict[str, Any] = {**CALL, "population": 200, "chunk": 100, "iterations": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = ss.sample(ss.models.random_rnn, **options)
        second = ss.sample(ss.models.random_rnn, order_parameters=first, **options)
        again = ss.sample(ss.models.random_rnn, order_parameters=first, **options)
        third = ss.sample(ss.models.random_rnn, order_parameters=second, **options)
    assert correlation(first, second) < 0.45 and correlation(second, third) < 0.45
    np.testing.assert_array_equal(second.C_h, again.C_h)
    compare(first, second)
    with pytest.warns(RuntimeWarning, match="both results have the seed 0 and so share random numbers"):
        assert compare(second, again).attrs["shares_noise"] == 1


def test_marches_with_one_seed_share_numbers_and_compare_says_so() -> None:
    """Of common random numbers, which smooth a sweep, the error of a difference is not that in quadrature."""
    options: dict[str, Any] = {**CALL, "replicas": 4}
    march = ss.sample(ss.models.random_rnn, population=200, **options)
    for other in ({"population": 400}, {"tolerance": 1e-2}):
        with pytest.warns(RuntimeWarning, match="share random numbers"):
            compare(march, ss.sample(ss.models.random_rnn, **{"population": 200, **options, **other}))
    compare(march, ss.sample(ss.models.random_rnn, population=200, **{**options, "seed": 1}))
    compare(march, simulated())
