"""The bias of order 1/population: removed where smaller runs show it, and never at the price of the interval."""

import numpy as np
import pytest
from scipy import stats

from sitesampler.results.bias import estimate, mean_and_error

RESULTS = 2_000


def made_up(
    rng: np.random.Generator, replicas: int, times: int, runs: int, bias: np.ndarray, law: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return replicas with a bias in units of their standard error, and smaller ones in which it is larger."""
    shift = bias / np.sqrt(replicas)
    values = rng.normal(size=(RESULTS, replicas, len(bias))) + shift
    smaller = np.sqrt(times / runs) * rng.normal(size=values.shape) + times**law * shift
    return values, smaller


def covered(values: np.ndarray, smaller: np.ndarray, times: int) -> tuple[np.ndarray, float]:
    """Return how often 95 % intervals cover the truth, which is 0, and the error over the plain one."""
    replicas = values.shape[1]
    found = [estimate(one, two, times, np.zeros(one.shape[1])) for one, two in zip(values, smaller, strict=True)]
    quantile = stats.t.isf(0.025, replicas - 1)
    inside = np.mean([np.abs(each.value) <= quantile * each.error for each in found], 0)
    return inside, float(np.sqrt(np.mean([each.error**2 for each in found]) * replicas))


@pytest.mark.parametrize(("times", "runs"), [(2, 2), (4, 4), (8, 1), (32, 1)])
@pytest.mark.parametrize("bias", [[0.0] * 5, [0.5] * 5, [2.0] * 5, [0.0, 0.0, 0.0, 0.5, 1.5]])
def test_intervals_cover_the_truth_whatever_the_bias(
    rng: np.random.Generator, bias: list[float], times: int, runs: int
) -> None:
    """Without smaller runs a bias of 2 standard errors leaves 58 % of the intervals of 8 replicas."""
    values, smaller = made_up(rng, 8, times, runs, np.array(bias))
    inside, _ = covered(values, smaller, times)
    # The false alarm of one in ten thousand for 2,000 results is 1.8 %.
    assert inside.min() > 0.92 - 0.018 and inside.max() < 0.98 + 0.012, inside


def test_what_it_costs(rng: np.random.Generator) -> None:
    """At most sqrt(64 + 8)/7 = 1.21 of the plain error, and a fifth of the bias; 12 % where there is none."""
    for bias, most in ((0.0, 1.15), (2.0, 1.02 * np.hypot(1.21, 0.4))):
        _, error = covered(*made_up(rng, 8, 8, 1, np.full(5, bias)), 8)
        assert 1.0 < error < most


def test_a_bias_that_falls_less_exactly_is_in_the_error(rng: np.random.Generator) -> None:
    """One of order M^-1.2 is removed one and a half times, and the error knows it."""
    values, smaller = made_up(rng, 8, 8, 1, np.full(5, 3.0), law=1.2)
    inside, _ = covered(values, smaller, 8)
    assert inside.min() > 0.87, inside


def test_nothing_is_removed_where_nothing_is_known(rng: np.random.Generator) -> None:
    values = rng.normal(size=(4, 3))
    smaller = rng.normal(size=(4, 3)) + 100
    smaller[2, 1] = np.nan
    found = estimate(values, smaller, 8, np.zeros(3))
    plain, error = mean_and_error(values)
    assert found.value[1] == plain[1] and found.error[1] == error[1] and abs(found.value[0] - plain[0]) > 5
    single = estimate(values[:1], smaller[:1], 8, np.zeros(3))
    np.testing.assert_array_equal(single.value, values[0])
    assert np.isnan(single.error).all() and single.removed == 0


def test_replicas_have_the_mean_and_the_scatter_of_the_result(rng: np.random.Generator) -> None:
    values, smaller = 1 + rng.normal(size=(6, 4)), 8 + rng.normal(size=(6, 4))
    found = estimate(values, smaller, 8, np.zeros(4))
    mean, scatter = mean_and_error(found.replicas)
    np.testing.assert_allclose(found.value, mean, rtol=1e-14)
    assert np.all(found.error >= scatter)


def test_exact_values_stay_as_they_are(rng: np.random.Generator) -> None:
    found = estimate(np.full((4, 2), 3.0), np.full((4, 2), 3.0), 8, np.full(2, 1e-3))
    np.testing.assert_array_equal(found.value, 3.0)
    np.testing.assert_allclose(found.error, 1e-3)
