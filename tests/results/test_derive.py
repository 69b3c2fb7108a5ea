"""Errors of what follows from a result: the jackknife over the replicas that it has kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from recorded import variable

import sitesampler as ss
from sitesampler.errors import InputError, OutOfMemory, ProgramError
from sitesampler.results.combine import combine

PARAMETERS: dict[str, Any] = {"scheme": "euler", "g": 1.5, "dt": 0.25, "duration": 1.0}


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return ss.sample(ss.models.random_rnn, population=200, replicas=5, seed=0, keep=2, keep_replicas=True, **PARAMETERS)


def of_numbers(values: Any, floor: float = 0.0) -> xr.Dataset:
    """Return a result whose number ``x`` had these values, (replicas, times), in its replicas."""
    return combine([{"x": variable(row, floor=floor)} for row in np.asarray(values, float)], {}, keep=True)


# ----------------------------------------------------------------------------------------------- replicas that are kept
def test_replicas_that_are_kept_stand_beside_what_is_made_of_them(result: xr.Dataset) -> None:
    bare = ss.sample(ss.models.random_rnn, population=200, replicas=5, seed=0, keep=2, **PARAMETERS)
    kept = [str(name) for name in result if str(name).endswith("_replicas")]
    assert sorted(kept) == sorted(f"{name[:-7]}_replicas" for name in map(str, bare) if name.endswith("_stderr"))
    xr.testing.assert_equal(result.drop_vars(kept), bare)
    for name in kept:
        assert result[name].dims == ("replica", *result[name.removesuffix("_replicas")].dims)
        np.testing.assert_allclose(result[name].mean("replica"), result[name.removesuffix("_replicas")], atol=1e-15)


def test_every_variable_is_derived_from_itself_with_its_own_error(result: xr.Dataset) -> None:
    """The kurtosis too, which is not linear in what is averaged, and the floor for tolerance and rounding."""
    found = ss.derive(result, lambda d: d)
    for name in found:
        np.testing.assert_allclose(found[name], result[name], rtol=1e-9, atol=1e-12, err_msg=str(name))


@pytest.mark.parametrize("more", [{"iterations": 1, "chunk": 100}, {}])
@pytest.mark.parametrize("name", ["r.zarr", "r.nc"])
def test_replicas_survive_storage(tmp_path: Path, more: dict[str, Any], name: str) -> None:
    ds = ss.sample(
        ss.models.goe_flow, population=200, replicas=3, seed=0, scheme="euler", dt=0.5, keep_replicas=True, **more
    )
    ss.save_result(ds, tmp_path / name)
    stored = ss.open_result(tmp_path / name)
    final = {"time": 2.0, "time_": 0.0}
    xr.testing.assert_equal(ss.derive(stored, lambda d: d.C_h.sel(final)), ss.derive(ds, lambda d: d.C_h.sel(final)))


def test_a_sweep_is_derived_from_point_by_point() -> None:
    options: dict[str, Any] = {
        "population": 100,
        "replicas": 3,
        "seed": 0,
        "scheme": "euler",
        "dt": 0.25,
        "keep_replicas": True,
    }
    with pytest.warns(RuntimeWarning, match="1 of 3 points failed"):
        swept = ss.sweep(ss.models.random_rnn, {"duration": [1.0, 0.6, 2.0]}, g=1.5, **options)

    def last(d: xr.Dataset) -> float:
        assert d.sizes["time"] == 1 + 4 * d.duration
        return float(d.C_h[-1, -1])

    found = ss.derive(swept, last)
    alone = [ss.derive(ss.sample(ss.models.random_rnn, g=1.5, duration=t, **options), lambda d: d.C_h[-1, -1])
             for t in (1.0, 2.0)]  # fmt: skip
    np.testing.assert_array_equal(found.last, [alone[0].value, np.nan, alone[1].value])
    np.testing.assert_array_equal(found.last_stderr, [alone[0].value_stderr, np.nan, alone[1].value_stderr])
    low, high = ss.interval(found, "last")
    assert found.last.dims == ("duration",) and bool((low < found.last)[0]) and bool((high > found.last)[2])


def test_the_dimension_of_replicas_cannot_be_the_programs_own() -> None:
    def program(net: Any) -> None:
        for t in net.clock(1, 1):
            net.record(t, w=(("replica",), np.ones(3)))

    assert ss.sample(program, population=100, replicas=1).w.dims == ("time", "replica")
    with pytest.raises(ProgramError, match="'replica', which is the name of a dimension of kept replicas"):
        ss.sample(program, population=100, replicas=1, keep_replicas=True)


def test_a_diagnosis_keeps_no_replicas() -> None:
    with pytest.raises(InputError, match="keep_replicas is an option of a single run"):
        ss.diagnose(ss.models.random_rnn, population=100, replicas=2, keep_replicas=True)


# ------------------------------------------------------------------------------------------------------- the jackknife
def test_the_jackknife_is_that_of_the_books(rng: np.random.Generator) -> None:
    """Value and error of a ratio, replica by replica (Efron 1982)."""
    values = rng.normal(5, 1, (6, 2))
    found = ss.derive(of_numbers(values), lambda d: d.x[1] / d.x[0])
    of_all = values[:, 1].mean() / values[:, 0].mean()
    without = [np.delete(values, i, 0)[:, 1].mean() / np.delete(values, i, 0)[:, 0].mean() for i in range(6)]
    assert float(found.value) == pytest.approx(6 * of_all - 5 * np.mean(without), rel=1e-12)
    assert float(found.value_stderr) == pytest.approx(np.sqrt(5 / 6 * np.sum((without - np.mean(without)) ** 2)))


def test_the_square_of_a_mean_is_unbiased(rng: np.random.Generator) -> None:
    """<x>^2 of 4 replicas is 1/4 too large on average; without its bias it is zero."""
    found = ss.derive(of_numbers(rng.normal(0, 1, (4, 1_000))), lambda d: d.x**2).value.values
    assert abs(np.mean(found)) < 4 * np.std(found) / 1_000**0.5 < 0.06


def test_what_all_replicas_have_in_common_is_in_the_error() -> None:
    """Exact systems do not scatter: their error is the floor, and that of a difference or a ratio is not less."""
    ds = of_numbers(np.ones((4, 3)), floor=0.01)
    found = ss.derive(ds, lambda d: {"same": d.x[0], "ratio": d.x[0] / d.x[1], "sum": d.x.sum()})
    assert found.same_stderr == pytest.approx(0.01)
    assert 0.01 < found.ratio_stderr < 0.03 and found.sum_stderr == pytest.approx(0.03)


def test_entries_that_are_unknown() -> None:
    """A value that depends on a single replica has no error; what no replica knows has no value."""
    ds = of_numbers([[1, 2, np.nan, 5], [2, 3, 1, np.nan], [4, 5, np.nan, 6]])
    found = ss.derive(ds.assign(x=ds.x.copy(data=[7 / 3, 10 / 3, 1, 5.5])), lambda d: d.x)
    np.testing.assert_allclose(found.value[:3], [7 / 3, 10 / 3, 1])
    np.testing.assert_array_equal(np.isnan(found.value_stderr), [False, False, True, False])
    assert np.isnan(ss.derive(ds, lambda d: np.nan).value_stderr)


def test_functions_may_return_numbers_arrays_datasets_and_dicts(result: xr.Dataset) -> None:
    def radius(d: xr.Dataset) -> float:
        return float(d.C_h[-1, -1]) ** 0.5

    assert sorted(ss.derive(result, radius)) == ["radius", "radius_stderr"]
    assert sorted(ss.derive(result, lambda d: d.C_h[0])) == ["value", "value_stderr"]
    assert sorted(ss.derive(result, lambda d: {"a": radius(d), "b": d.h_mean})) == ["a", "a_stderr", "b", "b_stderr"]
    assert sorted(ss.derive(result, lambda d: d[["h_mean"]] * 2)) == ["h_mean", "h_mean_stderr"]
    assert ss.derive(result, lambda d: np.int64(3)).value == 3.0
    assert ss.derive(result, lambda d: 1j * d.C_h[-1, -1]).value_stderr.dtype == float


def test_a_function_that_changes_what_it_is_given_changes_nothing_else(result: xr.Dataset) -> None:
    def spoil(d: xr.Dataset) -> float:
        d.C_h.values[:] *= 2
        return float(d.C_h[-1, -1])

    before = result.copy(deep=True)
    assert ss.derive(result, spoil).spoil == pytest.approx(2 * float(result.C_h[-1, -1]))
    xr.testing.assert_identical(result, before)


def _shrinking(d: xr.Dataset) -> xr.DataArray:
    return d.x[: 1 if "but" in d.attrs["average_of"] else 2]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (3, "derive takes a function of the dataset, not 3"),
        (lambda d: d.y, "the function fails on the average of all replicas: AttributeError: .*'y'"),
        (lambda d: d.trajectory_x, "fails on the average of all replicas: AttributeError: .*'trajectory_x'"),
        (lambda d: None, "gives None for 'value' on the average of all replicas; it must give a number, a DataArray"),
        (lambda d: "a", "gives 'a' for 'value'"),
        (lambda d: d.x.values, r"gives an array of shape \(3,\) for 'value'"),
        (lambda d: {}, "gives nothing"),
        (lambda d: {"a": 1.0, "a_stderr": 2.0}, "gives 'a' and 'a_stderr', which is the error of the first"),
        (lambda d: {"time": d.x}, "gives 'time', which is the name of one of its dimensions too"),
        (_shrinking, r"the function _shrinking gives '_shrinking' on time \(2 from .*\) of all replicas and on "
                     r"time \(1 from .*\) of all replicas but 0; it must give the same entries each time"),
        (lambda d: {d.attrs["average_of"]: 1.0}, "gives all replicas of all replicas and all replicas but 0 of all"),
    ],
)  # fmt: skip
def test_functions_that_cannot_be_meant_are_refused(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ss.derive(of_numbers(np.arange(12.0).reshape(4, 3)), function)


def test_results_without_replicas_are_refused() -> None:
    ds = of_numbers(np.arange(12.0).reshape(4, 3))
    for given, message in [
        (3, "derive takes a result of sample, simulate or sweep, not 3"),
        (ds.drop_vars("x_replicas"), "has not kept its replicas.*; run it with keep_replicas=True"),
        (ds.drop_vars("x_stderr"), "the result has no 'x_stderr'"),
        (of_numbers(np.ones((1, 3))), "a single replica tells nothing of an error; run at least 2 replicas"),
        (ds.where(ds.x > 100), "every entry of the result is NaN"),
    ]:
        with pytest.raises(InputError, match=message):
            ss.derive(given, lambda d: 1.0)


def test_the_example_of_the_documentation_runs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    example = text.split("## How do I get the error of something of my own?")[1].split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {"ss": ss, "np": np}
    exec(example.replace("population=2_000", "population=300"), names)
    assert 0 < names["found"].exponent_stderr < 0.2 * abs(names["found"].exponent)
    assert names["low"] < names["found"].exponent < names["high"]


def test_memory_for_replicas_is_asked_for_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,001 times make tables of 256 MB for each of two vectors and each of 40 replicas that are kept."""
    free = type("Memory", (), {"available": 24 * 2**30})
    monkeypatch.setattr("sitesampler.runs.footprint.psutil.virtual_memory", lambda: free)
    with pytest.raises(OutOfMemory, match=r"free; thin the records with every="):
        ss.sample(
            ss.models.random_rnn,
            population=100,
            replicas=40,
            scheme="euler",
            dt=0.01,
            duration=40.0,
            keep_replicas=True,
        )
