"""Grids: the datasets of all points as one."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sitesampler.studies.grid import gathered, points_of


def point(attrs: dict[str, Any], **variables: Any) -> xr.Dataset:
    return xr.Dataset(variables, attrs={"parameters": json.dumps({"g": 1.0, "phi": "tanh"}), **attrs})


def test_the_last_name_runs_fastest_and_points_that_are_missing_hold_nan() -> None:
    axes = {"g": (0.5, 1.0), "phi": ("tanh", "relu")}
    points = points_of(axes)
    assert [tuple(one.values.values()) for one in points] == [
        (0.5, "tanh"), (0.5, "relu"), (1.0, "tanh"), (1.0, "relu"),
    ]  # fmt: skip
    assert (points[2].name, points[2].label) == ("point-002", "g = 1.0, phi = tanh")
    whole = gathered(points, {index: point({}, q=("layer", [index, 2.0])) for index in (0, 1, 3)}, axes)
    assert whole.q.dims == ("g", "phi", "layer")
    np.testing.assert_array_equal(whole.q.isel(layer=0), [[0, 1], [np.nan, 3]])


def test_numbers_among_the_attributes_that_differ_become_variables() -> None:
    axes = {"g": (0.5, 1.0)}
    whole = gathered(points_of(axes), {i: point({"residual": 2.0 * i, "note": f"at {i}"}) for i in range(2)}, axes)
    assert whole.residual.dims == ("g",) and whole.residual.values.tolist() == [0, 2]
    assert json.loads(whole.attrs["note"]) == {'{"g": 0.5}': "at 0", '{"g": 1.0}': "at 1"}
    assert json.loads(whole.attrs["parameters"]) == {"phi": "tanh"}


@pytest.mark.parametrize("where", ["variable", "coordinate", "dimension"])
def test_an_attribute_does_not_take_the_place_of_what_was_recorded_under_its_name(where: str) -> None:
    """A program that records its ``size`` keeps it in a sweep of which every point has another size."""

    def made(i: int) -> xr.Dataset:
        recorded = {
            "variable": {"size": ("time", [3.0, 4.0])},
            "coordinate": {"q": ("size", [3.0, 4.0]), "size": ("size", [1, 2])},
            "dimension": {"q": ("size", [3.0, 4.0])},
        }[where]
        return point({"size": 10 * i}, **recorded)

    axes = {"g": (1, 2)}
    whole = gathered(points_of(axes), {i: made(i) for i in range(2)}, axes)
    recorded = whole["size" if where == "variable" else "q"]
    np.testing.assert_array_equal(recorded, [[3, 4], [3, 4]])
    assert json.loads(whole.attrs["size"]) == {'{"g": 1}': 0, '{"g": 2}': 10}
