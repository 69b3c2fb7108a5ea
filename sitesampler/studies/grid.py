"""Grids of swept values: their coordinates, and the datasets of all points as one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, is_number, shown
from sitesampler.records.names import ORDER_PARAMETERS, rounded
from sitesampler.storage.settings import plain

if TYPE_CHECKING:
    import xarray as xr

#: Variables whose entries mean something else at each point: what a single run holds for another to start from.
_OF_ONE_RUN = [ORDER_PARAMETERS.name("")]

#: Integers beyond are not all numbers of double precision: seeds of 128 bits are kept as text.
_LARGEST_EXACT = 2**53

#: The values of what is swept, by name.
Axes = Mapping[str, tuple[Any, ...]]


def checked_values(label: str, values: Any) -> tuple[Any, ...]:
    """Return the values of one swept name, after seeing that they are a list of different ones.

    Raises
    ------
    InputError
    """
    no_list = isinstance(values, (str, bytes, memoryview, Mapping, set, frozenset)) or not isinstance(values, Iterable)
    try:
        listed = () if no_list else tuple(values)
    except Exception:  # what only looks as if one could go through it, such as an array without axes
        listed = ()
    if not listed:
        raise InputError(f"{label} must be a list of values, got {shown(values)}")
    # Numbers of numpy would turn site vectors of float32 into float64.
    listed = tuple(value.item() if getattr(value, "shape", None) == () else value for value in listed)
    try:
        names = coordinate(listed)
    except (TypeError, ValueError):
        raise InputError(
            f"{label} must hold numbers, strings, lists of them or functions, not {shown(values)}"
        ) from None
    if len(set(names)) < len(listed):
        raise InputError(f"{label} names a value twice: {shown(values)}")
    return listed


def coordinate(values: Iterable[Any]) -> list[Any]:
    """Return the coordinate of swept values: themselves, rounded as times are, where a file holds them, else texts.

    Examples
    --------
    >>> coordinate([0.5, 3 * 0.1, 1]), coordinate(["tanh", 0.5, [1, 2]])
    ([0.5, 0.3, 1], ['tanh', '0.5', '[1, 2]'])
    """
    values = [plain(value) for value in values]
    if all(is_number(value) and (isinstance(value, float) or abs(value) <= _LARGEST_EXACT) for value in values):
        return [rounded(value) if isinstance(value, float) else value for value in values]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


@dataclass(frozen=True)
class Point:
    """One combination of the swept values."""

    index: int
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """How its files are called."""
        return f"point-{self.index:03}"

    @property
    def label(self) -> str:
        """The point in a sentence."""
        return ", ".join(f"{name} = {plain(value)}" for name, value in self.values.items())

    @property
    def key(self) -> str:
        """The point in an attribute, as JSON."""
        return json.dumps(plain(self.values))


def points_of(axes: Axes) -> list[Point]:
    """Return all combinations of the swept values, the last name's values in the inner loop."""
    combinations = product(*axes.values())
    return [Point(i, dict(zip(axes, values, strict=True))) for i, values in enumerate(combinations)]


def gathered(points: Sequence[Point], found: Mapping[int, xr.Dataset], axes: Axes) -> xr.Dataset:
    """Return the datasets of all points as one, with a dimension for each axis."""
    import xarray as xr

    names = list(axes)
    numbered: set[Any] = set()

    def gather(depth: int, first: int) -> xr.Dataset | None:
        if depth == len(names):
            if first not in found:
                return None
            one = found[first].drop_vars(_OF_ONE_RUN, errors="ignore")
            # Dimensions without coordinates (outliers) may differ in length: numbered, they are filled up with NaN.
            bare = {dim: range(size) for dim, size in one.sizes.items() if dim not in one.coords}
            numbered.update(bare)
            return one.assign_coords(bare)
        name, labels = names[depth], coordinate(axes[names[depth]])
        stride = math.prod(len(axes[inner]) for inner in names[depth + 1 :])
        parts = [gather(depth + 1, first + stride * step) for step in range(len(labels))]
        kept = [
            part.expand_dims({name: [label]}) for part, label in zip(parts, labels, strict=True) if part is not None
        ]
        if not kept:
            return None
        whole = xr.concat(kept, dim=name, join="outer", data_vars="all", coords="minimal", combine_attrs="override")
        return whole.reindex({name: labels})

    whole = gather(0, 0)
    assert whole is not None
    whole = whole.drop_vars(numbered)
    whole.attrs, varying = _attributes(points, found, axes)
    for name, values in varying.items():
        if name in whole.variables or name in whole.dims:  # a program may record what an attribute is called
            whole.attrs[name] = json.dumps({points[index].key: value for index, value in values.items()})
            continue
        attrs = {"long_name": name.replace("_", " "), "units": "1"}
        whole[name] = names, _on_grid(values, [len(listed) for listed in axes.values()]), attrs
    return whole


def _on_grid(values: Mapping[int, float], shape: Sequence[int]) -> Any:
    import numpy as np

    grid = np.full(math.prod(shape), np.nan)
    grid[list(values)] = list(values.values())
    return grid.reshape(shape)


def _attributes(
    points: Sequence[Point], found: Mapping[int, xr.Dataset], axes: Axes
) -> tuple[dict[str, Any], dict[str, dict[int, float]]]:
    """Return the attributes of all points together, and the numbers among them that differ from point to point.

    Texts that differ stay together in one attribute, as JSON by point.
    """
    order = sorted(found)
    names = dict.fromkeys(name for index in order for name in found[index].attrs if name not in axes)
    common: dict[str, Any] = {}
    varying: dict[str, dict[int, float]] = {}
    for name in names:
        values = {index: found[index].attrs[name] for index in order if name in found[index].attrs}
        if name == "parameters":
            fixed = json.loads(next(iter(values.values())))
            common[name] = json.dumps({key: value for key, value in fixed.items() if key not in axes})
        elif len(values) == len(order) and len({json.dumps(plain(value)) for value in values.values()}) == 1:
            common[name] = next(iter(values.values()))
        elif all(isinstance(value, (int, float)) for value in values.values()):
            varying[name] = values
        else:
            common[name] = json.dumps({points[index].key: plain(value) for index, value in values.items()})
    return common, varying
