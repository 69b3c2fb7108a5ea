"""One row of the table: errors, degrees of freedom, what is shown of many values."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from sitesampler.verification import derived, judge, of


def result(values: Any, stderr: Any, replicas: int = 16, **coords: Any) -> xr.Dataset:
    """Return a made-up result with one variable ``C``."""
    dims = tuple(coords)
    return xr.Dataset(
        {"C": (dims, np.asarray(values, float)), "C_stderr": (dims, np.broadcast_to(stderr, np.shape(values)))},
        coords=coords,
        attrs={"system": "made_up", "label": "g = 2", "replicas": replicas, "seconds": 1.0, "kind": "simulation"},
    )  # fmt: skip


def test_both_errors_count_with_welchs_degrees_of_freedom() -> None:
    network = result(1.0, 0.04, replicas=101)
    found = of(result(1.1, 0.03, replicas=16), "C").simulation(network)
    assert found.deviation == pytest.approx(0.1 / 0.05)
    assert found.freedom == pytest.approx(0.05**4 / (0.03**4 / 15 + 0.04**4 / 100))
    assert (found.kind, found.quantity) == ("simulation", "g = 2: C")
    assert of(result(1.1, 0.03, replicas=16), "C").theory(1.0).freedom == pytest.approx(15)


def test_of_many_values_the_least_likely_is_shown() -> None:
    ds = result([[1.0, 2.0], [3.0, 4.0]], [[0.1, 0.1], [0.01, 0.1]], time=[0.0, 0.5], time_=[0.0, 0.5])
    found = of(ds, "C").theory([[1.1, 2.0], [3.05, 4.1]])
    assert (found.quantity, found.points) == ("g = 2: C(0.5, 0), worst of 4", 4)
    assert found.deviation == pytest.approx(-5)
    assert of(ds, "C", time=0.5, time_=0.5).theory(4.0).quantity == "g = 2: C(0.5, 0.5)"


def test_an_unknown_error_is_no_agreement() -> None:
    ds = result([1.0, 2.0], [0.1, np.nan], time=[0.0, 1.0])
    assert not judge([of(ds, "C").theory([1.0, 2.1])]).passed


def test_a_value_that_is_known_exactly_may_be_equal_to_its_reference() -> None:
    assert of(result(0.0, 0.0), "C").theory(0.0).deviation == 0
    assert not judge([of(result(1e-3, 0.0), "C").theory(0.0)]).passed


def test_exact_values_are_compared_relative_to_the_largest() -> None:
    ds = result([1.0, 100.0], 0.0, time=[0.0, 1.0])
    found = of(ds, "C").exactly([1.0 + 1e-7, 100.0])
    assert found.deviation == pytest.approx(1e-9)
    assert found.quantity == "g = 2: C(1), all 2 values"
    assert judge([found]).passed and not judge([of(ds, "C").exactly([1.0, 100.001])]).passed


def test_a_derived_quantity_has_a_name_of_its_own() -> None:
    assert derived(result(1.0, 0.1), "N Var C", 2.0, 0.5, replicas=8).theory(1.0).quantity == "g = 2: N Var C"
