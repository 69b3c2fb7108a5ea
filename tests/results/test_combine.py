"""Chunks to populations, and replicas to datasets with errors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from recorded import variable
from scipy import stats

from sitesampler.records.variable import Variable
from sitesampler.results.combine import combine, merged


def moments(samples: Any, floor: Any = 0.0) -> Variable:
    """Return the moments of samples at each time, shape (time, samples)."""
    mean = np.mean(samples, -1)
    powers = [np.mean((samples - mean[:, None]) ** k, -1) for k in (2, 3, 4)]
    return variable(np.stack([mean, *powers], -1), floor, "moments")


def test_mean_and_standard_error_of_replicas() -> None:
    ds = combine([{"x": variable([1, 10])}, {"x": variable([2, 10])}, {"x": variable([6, 10])}], {"note": "here"})
    np.testing.assert_allclose(ds.x, [3, 10])
    np.testing.assert_allclose(ds.x_stderr, [np.std([1, 2, 6], ddof=1) / np.sqrt(3), 0])
    np.testing.assert_array_equal(ds.time, [0, 0.5])
    assert ds.attrs == {"note": "here"}
    assert ds.x_stderr.attrs["long_name"] == "standard error of x"


def test_the_floor_adds_in_quadrature_so_that_nothing_is_infinitely_precise() -> None:
    ds = combine([{"x": variable([1, 4], floor=[3e-3, 1e-3])}, {"x": variable([3, 4], floor=[3e-3, 1e-3])}], {})
    np.testing.assert_allclose(ds.x_stderr, [np.hypot(1, 3e-3), 1e-3])
    ds = combine([{"x": variable([4, 4], floor=2e-3)}, {"x": variable([4, 4], floor=1e-3)}], {})
    np.testing.assert_allclose(ds.x_stderr, 2e-3)  # one floor for all: the largest of the replicas


def test_the_error_of_a_single_replica_is_unknown() -> None:
    ds = combine([{"x": variable([1, 2], floor=1e-3)}], {})
    np.testing.assert_array_equal(ds.x, [1, 2])
    assert np.isnan(ds.x_stderr).all()


def test_replicas_that_know_nothing_do_not_count() -> None:
    ds = combine([{"x": variable([1, np.nan])}, {"x": variable([3, np.nan])}, {"x": variable([np.nan, np.nan])}], {})
    np.testing.assert_array_equal(ds.x, [2, np.nan])
    np.testing.assert_array_equal(ds.x_stderr, [1, np.nan])


def test_a_replica_that_ended_early_leaves_later_times_to_the_others() -> None:
    ds = combine([{"x": variable([1])}, {"x": variable([3, 5, 7])}, {"x": variable([5, 7])}], {})
    np.testing.assert_array_equal(ds.x, [3, 6, 7])
    np.testing.assert_allclose(ds.x_stderr, [np.std([1, 3, 5], ddof=1) / np.sqrt(3), 1, np.nan])


def test_replicas_that_know_different_times_are_put_together_time_by_time() -> None:
    """A tensor coupling makes no field at times that add nothing new, which may be others in each replica."""
    other = replace(variable([3, 5]), coords={"time": np.array([0.5, 1.0])})
    ds = combine([{"x": variable([1, 2])}, {"x": other}], {})  # at times 0 and 0.5
    np.testing.assert_array_equal(ds.time, [0, 0.5, 1])
    np.testing.assert_array_equal(ds.x, [1, 2.5, 5])
    np.testing.assert_array_equal(ds.x_stderr, [np.nan, 0.5, np.nan])


def test_trajectories_are_those_of_the_first_replica() -> None:
    replicas = [{"x": variable([1, 2]), "path": variable([4, 5], kind="paths")}, {"x": variable([3, 2])}]
    ds = combine(replicas, {})
    np.testing.assert_array_equal(ds.path, [4, 5])
    assert "path_stderr" not in ds


# --------------------------------------------------------------------------------------------------- excess kurtosis
def test_the_kurtosis_of_replicas_is_that_of_all_samples_with_the_jackknife(rng: np.random.Generator) -> None:
    tables = [rng.exponential(size=(2, 50)) for _ in range(5)]
    ds = combine([{"x": moments(table)} for table in tables], {})
    pooled = stats.kurtosis(np.concatenate(tables, axis=1), axis=1)
    without = np.array([stats.kurtosis(np.concatenate(tables[:i] + tables[i + 1 :], axis=1), axis=1) for i in range(5)])
    assert ds.x.dims == ("time",)
    np.testing.assert_allclose(ds.x, 5 * pooled - 4 * without.mean(0), rtol=1e-10)
    np.testing.assert_allclose(ds.x_stderr, np.sqrt(4 / 5 * np.sum((without - without.mean(0)) ** 2, 0)), rtol=1e-10)


def test_the_jackknife_takes_the_bias_out_of_the_kurtosis(rng: np.random.Generator) -> None:
    """A single set of 20 normal numbers has an excess kurtosis of -6/21 in the mean, where the truth is 0."""
    samples = rng.standard_normal((6, 20_000, 20))  # 20,000 results, side by side in time
    ds = combine([{"x": moments(table)} for table in samples], {})
    single = stats.kurtosis(samples[0], axis=-1)
    assert single.mean() == pytest.approx(-6 / 21, abs=0.03)
    assert abs(float(ds.x.mean())) < 0.03
    # and its error is the scatter of the results, but for the few replicas
    assert float(np.sqrt((ds.x_stderr**2).mean())) == pytest.approx(float(ds.x.std()), rel=0.1)


def test_the_kurtosis_of_a_single_replica_is_its_own_and_has_no_error(rng: np.random.Generator) -> None:
    table = rng.exponential(size=(2, 50))
    ds = combine([{"x": moments(table)}], {})
    np.testing.assert_allclose(ds.x, stats.kurtosis(table, axis=1), rtol=1e-12)
    assert ds.x_stderr.isnull().all()


def test_replicas_without_variance_or_that_ended_early_say_nothing_of_the_kurtosis(rng: np.random.Generator) -> None:
    tables = rng.exponential(size=(3, 3, 40))
    tables[:, 0] = np.array([[0.3], [0.4], [0.5]])  # constant over sites: no kurtosis, whatever the scatter of replicas
    short = [tables[0], tables[1], tables[2][:2]]
    ds = combine([{"x": moments(table, 1e-3)} for table in short], {})
    assert np.isnan(ds.x[0]) and np.isnan(ds.x_stderr[0])
    pair = combine([{"x": moments(table, 1e-3)} for table in tables[:2]], {})
    np.testing.assert_array_equal(ds.x[2], pair.x[2])
    np.testing.assert_array_equal(ds.x_stderr[2], pair.x_stderr[2])
    assert float(ds.x_stderr[1]) != float(pair.x_stderr[1])


def test_the_kurtosis_of_replicas_that_are_not_alike_is_averaged(rng: np.random.Generator) -> None:
    """Two finite networks of different variance: each is normal, but samples of both together are not."""
    tables = [size * rng.standard_normal((1, 20_000)) for size in (1, 3)]
    replicas = [{"x": moments(table)} for table in tables]
    apart, together = (combine(replicas, {}, alike=alike) for alike in (False, True))
    each = [stats.kurtosis(table, axis=1) for table in tables]
    np.testing.assert_allclose(apart.x, np.mean(each, 0), rtol=1e-10)
    np.testing.assert_allclose(apart.x_stderr, np.std(each, axis=0, ddof=1) / np.sqrt(2), rtol=1e-10)
    assert abs(apart.x.item()) < 0.1 and together.x.item() > 1  # a mixture of variances 1 and 9 has 3 * 41/25 - 3 = 1.9


# ------------------------------------------------------------------------------------------------------------- chunks
def chunk(samples: np.ndarray) -> tuple[float, dict[str, Variable]]:
    """Return what a chunk makes of its samples, shape (time, samples)."""
    average = variable(samples.mean(1), floor=1e-3 * np.abs(samples.mean(1)))
    return float(samples.shape[1]), {"mean": average, "kurtosis": moments(samples, 1e-2)}


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_chunks_merge_into_the_population_in_whatever_order(rng: np.random.Generator, mean: float) -> None:
    whole = mean + rng.exponential(size=(4, 1_000))
    parts = [chunk(part) for part in np.split(whole, [10, 300, 301, 700], axis=1)]
    samples, variables = merged([merged(parts[:2]), parts[2], merged(parts[3:])])
    other, reordered = merged([parts[4], merged([parts[1], merged([parts[0], parts[3]])]), parts[2]])
    assert samples == other == 1_000
    expected = chunk(whole)[1]
    for found in (variables, reordered):
        np.testing.assert_allclose(found["mean"].values, expected["mean"].values, rtol=1e-14)
        np.testing.assert_allclose(found["kurtosis"].values, expected["kurtosis"].values, rtol=1e-8)
        np.testing.assert_allclose(found["mean"].floor, expected["mean"].floor, rtol=1e-12)
        np.testing.assert_allclose(combine([found], {}).kurtosis, stats.kurtosis(whole, axis=1), rtol=1e-8)
    assert expected["mean"].dims == variables["mean"].dims and variables["kurtosis"].kind == "moments"


def test_one_chunk_is_the_population_bit_by_bit(rng: np.random.Generator) -> None:
    part = chunk(rng.exponential(size=(3, 100)))
    samples, variables = merged([part])
    assert samples == part[0]
    for name, found in variables.items():
        np.testing.assert_array_equal(found.values, part[1][name].values)


def test_numbers_and_paths_are_those_of_the_first_chunk() -> None:
    """Numbers follow from order parameters that all chunks share; only the first one keeps trajectories."""
    first = {"loss": variable([1, 2], kind="number"), "path": variable([4, 5], kind="paths")}
    _, variables = merged([(10.0, first), (30.0, {"loss": variable([1, 2], kind="number")})])
    assert variables == first


def test_a_population_in_chunks_gives_the_dataset_of_one_in_one_piece(rng: np.random.Generator) -> None:
    wholes = [rng.exponential(size=(3, 90)) for _ in range(3)]
    together = combine([chunk(whole)[1] for whole in wholes], {})
    apart = combine([merged([chunk(part) for part in np.split(whole, 3, axis=1)])[1] for whole in wholes], {})
    xr.testing.assert_allclose(apart, together, rtol=1e-10)
