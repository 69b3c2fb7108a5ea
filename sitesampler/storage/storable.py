"""What a stored dataset may hold: numbers and texts, and attributes of these.

How it gets into a file is told in `sitesampler.storage.stores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sitesampler.errors import StorageError, shown

if TYPE_CHECKING:
    import xarray as xr


def storable(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset without the encoding of where it came from, its texts as arrays of fixed length."""
    dataset = dataset.drop_encoding()
    for name, variable in dataset.variables.items():
        if variable.dtype.kind != "O":
            continue
        values = np.asarray(variable.values)
        if not all(isinstance(value, str) for value in values.ravel()):
            raise StorageError(f"{name} holds objects, and a stored result numbers and texts: convert or drop it")
        attrs = variable.attrs
        dataset = (
            dataset.assign_coords({name: (variable.dims, values.astype(str), attrs)})
            if (name in dataset.coords)
            else dataset.assign({name: (variable.dims, values.astype(str), attrs)})
        )
    return dataset


def odd_attribute(dataset: xr.Dataset) -> str | None:
    """Return what to call an attribute that files cannot hold, if there is one."""
    places = {"the dataset": dataset.attrs, **{f"{name}": each.attrs for name, each in dataset.variables.items()}}
    for place, attrs in places.items():
        for name, value in attrs.items():
            if not isinstance(name, str) or not name or not _is_plain(value):
                return f"the attribute {shown(name)} of {place}, which is {shown(value)}"
    return None


def _is_plain(value: object) -> bool:
    """Say whether a value is a text, a number that 64 bits hold, or an array of such numbers."""
    if isinstance(value, str):
        return "\0" not in value
    try:
        return np.asarray(value).dtype.kind in "iuf" and not isinstance(value, dict)
    except (TypeError, ValueError):
        return False
