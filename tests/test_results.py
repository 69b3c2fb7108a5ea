"""Results: replicas to datasets with errors, and comparisons."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sitesampler.errors import InputError
from sitesampler.labels import Variable
from sitesampler.results import combine, compare, provenance


def variable(values: Any, floor: Any = 0.0, sampled: bool = True, times: int | None = None) -> Variable:
    array = np.asarray(values, float)
    time = np.arange(len(array) if times is None else times) / 2
    return Variable(
        ("time",), array, {"time": time}, np.asarray(floor, float), {"long_name": "x", "units": "1"}, sampled
    )


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


def test_trajectories_are_those_of_the_first_replica() -> None:
    replicas = [{"x": variable([1, 2]), "path": variable([4, 5], sampled=False)}, {"x": variable([3, 2])}]
    ds = combine(replicas, {})
    np.testing.assert_array_equal(ds.path, [4, 5])
    assert "path_stderr" not in ds


def test_attributes_are_numbers_strings_or_json() -> None:
    def phi(x: float) -> float:
        return x

    facts = {
        "seed": 3,
        "tolerance": 1e-3,
        "program": "rnn",
        "parameters": {"g": np.float64(2), "phi": phi},
        "flag": True,
    }
    attrs = provenance(**facts)
    assert attrs["seed"] == 3 and attrs["program"] == "rnn"
    assert json.loads(attrs["parameters"]) == {"g": 2.0, "phi": "phi"}
    assert json.loads(attrs["flag"]) is True
    assert {"python", "sitesampler", "numpy", "numba"} <= set(json.loads(attrs["versions"]))
    assert all(isinstance(value, (int, float, str)) for value in attrs.values())


def dataset(values: Any, error: Any, times: Any = (0, 1, 2), **more: Any) -> xr.Dataset:
    return xr.Dataset(
        {"x": ("time", np.asarray(values, float)), "x_stderr": ("time", np.asarray(error, float)), **more},
        coords={"time": np.asarray(times, float)},
    )


def test_compare_gives_difference_error_and_deviation() -> None:
    found = compare(dataset([1, 2, 3], [0.3, 0.1, 0.3]), dataset([1.5, 2, 0], [0.4, 0.1, 0.4]))
    np.testing.assert_allclose(found.x, [-0.5, 0, 3])
    np.testing.assert_allclose(found.x_stderr, [0.5, np.hypot(0.1, 0.1), 0.5])
    np.testing.assert_allclose(found.x_deviation, [-1, 0, 6])
    assert sorted(found.data_vars) == ["x", "x_deviation", "x_stderr"]


def test_compare_meets_where_the_coordinates_do() -> None:
    found = compare(dataset([1, 2, 3], [1, 1, 1]), dataset([5, 6], [1, 1], times=[1, 2]))
    np.testing.assert_array_equal(found.time, [1, 2])
    np.testing.assert_array_equal(found.x, [-3, -3])


def test_compare_leaves_out_what_only_one_has_and_what_has_no_error() -> None:
    path = ("time", [1.0, 2.0, 3.0])
    left = dataset([1, 2, 3], [1, 1, 1], path=path, y=path, y_stderr=path)
    assert sorted(compare(left, dataset([1, 2, 3], [1, 1, 1], path=path)).data_vars) == ["x", "x_deviation", "x_stderr"]


def test_compare_says_zero_for_equal_values_and_unknown_without_an_error() -> None:
    found = compare(dataset([1, 1, 1], [0, 0, np.nan]), dataset([1, 2, 2], [0, 0, 1]))
    np.testing.assert_array_equal(found.x_deviation, [0, np.nan, np.nan])


def test_compare_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="share no variable with an error"):
        compare(dataset([1, 2, 3], [1, 1, 1]), xr.Dataset({"z": 1.0}))
    with pytest.raises(InputError, match=r"no coordinates of 'x' in common; run both with the same dt"):
        compare(dataset([1, 2, 3], [1, 1, 1]), dataset([1, 2], [1, 1], times=[0.5, 1.5]))
