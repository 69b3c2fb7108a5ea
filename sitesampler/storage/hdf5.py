"""What a NetCDF file declares, read with the low-level calls of HDF5 before any other library opens it.

HDF5 can name files of the reader's as a source of its own values: external storage, external links, virtual datasets.
So nothing is opened but what sitesampler writes: datasets of numbers and fixed strings in the root group, stored whole.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from sitesampler.errors import StorageError

#: Attributes in which NetCDF keeps references to the dimensions of a variable; nothing else may refer to anything.
_OF_DIMENSIONS = {"DIMENSION_LIST", "REFERENCE_LIST"}
#: How NetCDF marks a dimension without coordinates, which has no values.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
#: Elements of an attribute.
_MOST_TEXTS, _MOST_NUMBERS = 10_000, 1_000_000


def check_netcdf(content: bytes, path: Path) -> None:
    """Check all that a NetCDF file declares.

    Raises
    ------
    StorageError
        If it declares what sitesampler does not write, or more than it holds.
    """
    import h5py

    def refuse(what: str) -> StorageError:
        return StorageError(
            f"{path} declares what sitesampler does not write, {what}: open it with the tool that wrote it, and store "
            "what you need with sitesampler.save_result"
        )

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            root = file.id
            names = [root.links.get_info(name).type for name in root]
            if any(kind != h5py.h5l.TYPE_HARD for kind in names):
                raise refuse("links")
            _check_attributes(root, refuse)
            for name in root:
                item = h5py.h5o.open(root, name)
                label = name.decode(errors="replace")
                if isinstance(item, h5py.h5d.DatasetID):
                    _check_dataset(item, label, len(content), refuse)
                    _check_attributes(item, refuse)
                elif not isinstance(item, h5py.h5t.TypeCompoundID) or item.dtype.kind != "c":
                    raise refuse(f"the group or type {label}")
    except StorageError:
        raise
    except Exception as error:
        raise StorageError(f"{path} is no NetCDF file that sitesampler wrote: {error}".replace("\n", " ")) from None


def _check_dataset(dataset: Any, name: str, available: int, refuse: Any) -> None:
    import h5py

    created = dataset.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise refuse(f"values of {name} that are in other files")
    if created.get_nfilters():
        raise refuse(f"filters of {name}")
    if dataset.dtype.kind not in "biufcS":
        raise refuse(f"the type {dataset.dtype} of {name}")
    if h5py.h5a.exists(dataset, b"NAME"):
        mark = h5py.h5a.open(dataset, b"NAME")
        if mark.dtype.kind == "S" and mark.shape == ():
            import numpy as np

            text = np.empty((), mark.dtype)
            mark.read(text)
            if text.item().startswith(_NO_VARIABLE):
                return
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    if declared > available or dataset.get_storage_size() < declared:
        raise refuse(f"{declared:,} bytes of {name}, of which {dataset.get_storage_size():,} are there")


def _check_attributes(item: Any, refuse: Any) -> None:
    import h5py

    for index in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=index)
        name = attribute.name.decode(errors="replace")
        if name in _OF_DIMENSIONS:
            continue
        text = attribute.get_type().get_class() == h5py.h5t.STRING
        few = math.prod(attribute.shape) <= (_MOST_TEXTS if text else _MOST_NUMBERS)
        if not (text or attribute.dtype.kind in "biufc") or not few:
            raise refuse(f"the attribute {name}")
