"""What errors and differences of results mean: intervals and comparisons."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from recorded import variable
from scipy import stats

from sitesampler.errors import InputError
from sitesampler.results.combine import combine
from sitesampler.results.compare import compare, interval


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
    made = dataset([1, 2, 3], [1, 1, 1])
    for pair, which in (((3, made), "dataset"), ((made, 3), "reference")):
        with pytest.raises(InputError, match=rf"^{which} must be a result of sample or simulate .*, not 3$"):
            compare(*pair)


def test_compare_minds_no_dimension_of_what_has_no_error() -> None:
    """Results of iterations have order parameters by replica, changes by iteration, and trajectories by site."""

    def swept(replicas: int, iterations: int, kept: int) -> xr.Dataset:
        more = {
            "order_parameters": (("replica", "order_parameter"), np.zeros((replicas, 7 * kept))),
            "change": ("iteration", np.ones(iterations)),
            "trajectory_x": (("site", "time"), np.zeros((kept, 3))),
        }
        return dataset([1, 2, 3], [1, 1, 1], **more)

    found = compare(swept(2, 5, 3), swept(8, 4, 16))
    assert sorted(map(str, found.variables)) == ["time", "x", "x_deviation", "x_stderr"]


def outliers(*values: float) -> xr.Dataset:
    table = np.broadcast_to(values, (3, len(values)))
    more = {"outliers": (("time", "outlier"), table), "outliers_stderr": (("time", "outlier"), np.ones_like(table))}
    return dataset([1, 2, 3], [1, 1, 1], **more)


def test_compare_takes_the_outliers_that_both_have() -> None:
    found = compare(outliers(4, 3, 2), outliers(5, 3))
    np.testing.assert_array_equal(found.outliers.isel(time=0), [-1, 0])


def test_compare_leaves_out_what_is_empty_unless_nothing_is_left() -> None:
    found = compare(outliers(), outliers(5))
    assert sorted(map(str, found.data_vars)) == ["x", "x_deviation", "x_stderr"]
    later = outliers().assign_coords(time=[7.0, 8.0, 9.0])
    with pytest.raises(InputError, match="no coordinates of 'x' in common"):
        compare(outliers(), later)


def test_compare_takes_sweeps_and_networks_of_any_number_of_replicas() -> None:
    import sitesampler as ss

    call: dict[str, Any] = {"population": 200, "chunk": 100, "iterations": 2, "dt": 0.25, "duration": 1}
    few, many = (ss.sample(ss.models.goe_flow, replicas=n, seed=n, keep=n, **call) for n in (2, 3))
    assert float(abs(compare(few, many).C_h).max()) < 2e-3


def titled(name: str, parameters: str, **attrs: Any) -> xr.Dataset:
    return dataset([1, 2, 3], [1, 1, 1]).assign_attrs(title=name, parameters=parameters, **attrs)


def test_compare_says_which_parameters_differ_and_names_both() -> None:
    one, other = titled("a", '{"g": 1.5, "dt": 0.1}'), titled("b", '{"g": 1.6, "dt": 0.1}')
    found = compare(one, other)
    assert (found.attrs["compared"], found.attrs["reference"]) == ("a", "b")
    assert found.attrs["parameters_differ"] == '{"g": [1.5, 1.6]}'
    assert sorted(compare(one, one).attrs) == ["compared", "reference"]


def test_compare_says_what_had_no_partner() -> None:
    y = ("time", [1.0, 2.0, 3.0])
    found = compare(dataset([1, 2, 3], [1, 1, 1], y=y, y_stderr=y), dataset([5, 6], [1, 1], times=[1, 3]))
    assert found.attrs["without_partner"] == "y of the first; 3 of 4 values of time"


def test_swept_values_meet_whatever_they_were_computed_by() -> None:
    """np.arange gives 0.30000000000000004, and g = 0.3 was left out without a word."""
    import sitesampler as ss

    call: dict[str, Any] = {"population": 100, "replicas": 2, "dt": 0.5, "duration": 1}
    values = np.arange(0.1, 0.5, 0.1)
    one = ss.sweep(ss.models.random_rnn, {"g": values}, seed=0, **call)
    other = ss.sweep(ss.models.random_rnn, {"g": [0.1, 0.2, 0.3, 0.4]}, seed=1, **call)
    np.testing.assert_array_equal(compare(one, other).g, [0.1, 0.2, 0.3, 0.4])
    assert float(one.C_h.sel(g=0.3)[0, 0]) > 0
    with pytest.warns(RuntimeWarning, match="the values 0.3, 0.4 of g are in one of the two results only"):
        assert compare(one, other.isel(g=[0, 1])).sizes["g"] == 2


# ---------------------------------------------------------------------------------------------------------- intervals
def test_an_interval_is_the_value_and_students_quantile_of_its_error() -> None:
    ds = combine([{"x": variable([1, 10])}, {"x": variable([2, 12])}, {"x": variable([6, 14])}], {"replicas": 3})
    for level in (0.95, 0.5):
        low, high = interval(ds, "x", level)
        expected = stats.t.interval(level, 2, ds.x, ds.x_stderr)
        np.testing.assert_allclose([low, high], expected, rtol=1e-12)
    assert low.attrs["long_name"] == "lower end of the 50 % interval of x"


def test_an_interval_of_a_part_of_a_dataset_knows_its_replicas() -> None:
    ds = combine([{"x": variable([1, 10])}, {"x": variable([2, 12])}], {"replicas": 2})
    low, high = interval(ds.sel(time=0.5), "x")
    assert float(high - low) == pytest.approx(2 * 12.706 * 1.0, rel=1e-4)


def test_results_of_other_steps_are_said_to_be() -> None:
    import sitesampler as ss

    call: dict[str, Any] = {"population": 100, "replicas": 2, "duration": 1, "progress": False}
    runs = [
        ss.sample(ss.models.random_rnn, scheme=scheme, dt=dt, seed=seed, **call)
        for seed, (scheme, dt) in enumerate((("euler", 0.25), ("euler", 0.5), ("rk4", 0.5), ("rk4", 0.5)))
    ]
    with pytest.warns(RuntimeWarning, match=r"other time steps: euler with dt = 0\.25 and euler with dt = 0\.5"):
        ss.compare(runs[0], runs[1])
    with pytest.warns(RuntimeWarning, match=r"other time steps: euler with dt = 0\.5 and rk4 with dt = 0\.5"):
        ss.compare(runs[1], runs[2])
    ss.compare(runs[2], runs[3])


def test_intervals_that_nothing_is_known_of_are_refused() -> None:
    replicas = [{"loss": variable([1, 2]), "path": variable([4, 5], kind="paths")}, {"loss": variable([3, 4])}]
    ds = combine(replicas, {"replicas": 2})
    with pytest.raises(InputError, match=r"no 'los' \(did you mean 'loss'\?\); with errors the dataset has loss$"):
        interval(ds, "los")
    with pytest.raises(
        InputError, match=r"'path' has no standard error, and so no interval; with errors there are loss$"
    ):
        interval(ds, "path")
    with pytest.raises(InputError, match="a single replica tells nothing of its error; run at least 2 replicas"):
        interval(combine(replicas[:1], {"replicas": 1}), "loss")
    with pytest.raises(InputError, match="does not say how many replicas its errors come from"):
        interval(combine(replicas, {}), "loss")
    with pytest.raises(InputError, match=r"^dataset must be a result of sample or simulate .*, not 3$"):
        interval(3, "loss")  # type: ignore[arg-type]
    for level in (0, 1, 95, -0.5, np.nan, "high", True):
        with pytest.raises(
            InputError, match=f"level must be a probability between 0 and 1, such as 0.95, not {level!r}"
        ):
            interval(ds, "loss", level)  # type: ignore[arg-type]
