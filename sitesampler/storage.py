"""Storage: folders for results, and datasets that appear under their name only when they are complete.

What a dataset holds is the business of ``results.py``; when one is written, of ``study.py``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sitesampler.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

#: Ending of a name that is still being written; every other name is complete.
_WRITING = ".writing"


def make_folder(folder: Path) -> Path:
    """Make a folder for results, see that it can be written, and sweep what killed runs left half written.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f".*{_WRITING}"):
            shutil.rmtree(stale)
        probe = folder / f".probe{_WRITING}"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}") from None
    return folder


def publish(dataset: xr.Dataset, path: Path) -> Path:
    """Write a dataset to a Zarr store; an older store of that name is replaced when the new one is complete.

    Format 2 with consolidated metadata is what plain `xarray.open_zarr` opens without a warning.  In format 3
    consolidated metadata is outside the specification: with it xarray warns when writing, without it when opening.

    Examples
    --------
    >>> import tempfile, xarray
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = publish(xarray.Dataset({"q": ("layer", [1.0, 0.5])}), Path(folder) / "sample.zarr")
    ...     print(xarray.open_zarr(path).q.values)
    [1.  0.5]
    """
    writing = path.parent / f".{path.name}.{os.getpid()}{_WRITING}"
    replaced = path.parent / f".{path.name}.{os.getpid()}.replaced{_WRITING}"
    try:
        dataset.to_zarr(writing, mode="w", zarr_format=2, consolidated=True)
        if path.exists():
            path.rename(replaced)
        writing.rename(path)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
    return path
