"""Single files with a seal: checkpoints (npz) and results in NetCDF.

A file ends with its seal: one line of JSON with the version that wrote it, the number of the format, and the SHA-256 of
all bytes before it.  NetCDF and npz readers do not look behind their own end, so that any tool opens such a file.

A kill at any moment leaves the old file or the new one, complete.  Until the last byte is on the disk the new one has
a hidden name, which the next run in that folder removes; one rename, which the file system does whole or not at all,
then puts it in the place of the old one.  An error leaves the old file and removes the hidden one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sitesampler.errors import StorageError
from sitesampler.storage.writing import beside, full_disk_named, refuse_newer, written_by

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

#: How a seal begins, by which it is found.
_SEAL = b'\n{"sitesampler": '
#: The seal is in the last so many bytes.
_TAIL = 1024
_ANEW = "take it from a copy, or leave out resume=True (--resume on the command line) to start anew"


# --------------------------------------------------------------------------------------------------------- checkpoints
def write_state(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint: a kill at any moment leaves the old one or the new one, complete.

    Parameters
    ----------
    path
        Name of the file, ending with ``.npz``; `numpy.load` opens it too.
    arrays
        Arrays of numbers by name; they come back bit for bit.
    facts
        What JSON can say; tuples come back as lists.

    Raises
    ------
    DiskFull
        If it does not fit on the disk; an older checkpoint of that name stays.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state(Path(folder) / "state.npz", {"C_h": np.eye(2)}, {"iteration": 3})
    ...     print(read_state(Path(folder) / "state.npz"))
    ({'C_h': array([[1., 0.], [0., 1.]])}, {'iteration': 3})
    """
    with _sealed_file(path) as file, zipfile.ZipFile(file, "w") as members:
        # ZipInfo dates every member 1980: the same state is the same file.
        members.writestr(zipfile.ZipInfo("facts.json"), json.dumps(dict(facts)))
        for name, array in arrays.items():
            with members.open(zipfile.ZipInfo(f"arrays/{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_state(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and facts of a checkpoint, after every byte of it was compared with what was written.

    Raises
    ------
    StorageError
        If there is none, it was written by a newer version, or it is not what was written.
    """
    try:
        _verify(path, _ANEW, _ANEW)
        with np.load(path, allow_pickle=False) as members:
            arrays = {name.removeprefix("arrays/"): members[name] for name in members.files if name != "facts.json"}
            return arrays, json.loads(members["facts.json"])
    except FileNotFoundError:
        raise StorageError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise StorageError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None


# -------------------------------------------------------------------------------------------------------------- NetCDF
def write_netcdf(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset to a NetCDF file, in the place of what has that name.

    Raises
    ------
    DiskFull
        If it does not fit on the disk; an older file of that name stays.
    """
    # Composed in memory: the HDF5 library does not survive a full disk (it crashes when the interpreter ends).
    with _sealed_file(path) as file:
        file.write(dataset.to_netcdf(engine="h5netcdf"))


def open_netcdf(path: Path, unsealed: str, restore: str) -> xr.Dataset:
    """Open a NetCDF file after it was compared with its seal; errors say what to do if it has none, or another.

    Raises
    ------
    StorageError
        If it has no seal, was written by a newer version, or is not what was written.
    """
    import xarray as xr

    _verify(path, unsealed, restore)
    return xr.open_dataset(path, engine="h5netcdf", chunks={})


# --------------------------------------------------------------------------------------------------------------- seals
def has_seal(path: Path) -> bool:
    """Say whether a file ends with a seal, be it intact or damaged since."""
    return _SEAL in _tail(path)[1]


@contextmanager
def _sealed_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written; it gets its seal and its name when the block ends, and vanishes if the block fails."""
    writing = beside(path)
    with full_disk_named(path):
        try:
            with writing.open("w+b") as file:
                yield file
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.write(b"\n" + json.dumps({**written_by(), "sha256": digest}).encode())
                file.flush()
                os.fsync(file.fileno())
            writing.replace(path)
        finally:
            writing.unlink(missing_ok=True)
    with suppress(OSError):  # the new name itself is on the disk when its folder is; not every system can flush one
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _tail(path: Path) -> tuple[int, bytes]:
    """Return the end of a file, in which its seal is, and where that begins."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - _TAIL)
        file.seek(start)
        return start, file.read()


def _verify(path: Path, unsealed: str, restore: str) -> None:
    """Compare a file with its seal; errors say what to do if it has none, and if it is another."""
    tail_start, tail = _tail(path)
    start = tail.rfind(_SEAL)
    if start < 0:
        raise StorageError(
            f"{path} does not end with a seal: it was not written by sitesampler or is incomplete; {unsealed}"
        )
    try:
        seal = json.loads(tail[start:])
        form, version, digest = int(seal["format"]), str(seal["sitesampler"]), str(seal["sha256"])
    except (ValueError, KeyError):
        raise StorageError(f"{path} is damaged, its seal is not readable: {restore}") from None
    refuse_newer(path, form, version)
    found, left = hashlib.sha256(), tail_start + start
    with path.open("rb") as file:
        while left and (block := file.read(min(left, 1 << 20))):
            found.update(block)
            left -= len(block)
    if found.hexdigest() != digest:
        raise StorageError(f"{path} is damaged or was changed after it was written: {restore}")
