"""Single files with a seal: checkpoints (npz) and results in NetCDF.

A file ends with its seal: one line of JSON with the version that wrote it, the number of the format, and the SHA-256 of
all bytes before it.  NetCDF and npz readers do not look behind their own end, so that any tool opens such a file.

A kill at any moment leaves the old file or the new one, complete.  Until the last byte is on the disk the new one has
a hidden name, which the next run in that folder removes; one rename, which the file system does whole or not at all,
then puts it in the place of the old one.  An error leaves the old file and removes the hidden one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sitesampler.errors import StorageError
from sitesampler.storage.declared import parsed
from sitesampler.storage.hdf5 import check_netcdf
from sitesampler.storage.writing import beside, claim, full_disk_named, refuse_newer, release, written_by

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
        content = _verified(path, _ANEW, _ANEW)
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            infos = members.infolist()
            # Not compressed, so that what is declared is what is there; members may not share their bytes either.
            if sum(each.file_size for each in infos) > len(content) or any(each.compress_type for each in infos):
                raise ValueError
            facts = parsed(members.read("facts.json"), path)
            if not isinstance(facts, dict):
                raise ValueError
            arrays = {
                each.filename.removeprefix("arrays/").removesuffix(".npy"): _array(members.read(each))
                for each in infos
                if each.filename != "facts.json"
            }
            return arrays, facts
    except (
        ValueError,
        KeyError,
        EOFError,
        SyntaxError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path} is no checkpoint of sitesampler: {_ANEW}") from None
    except FileNotFoundError:
        raise StorageError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise StorageError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None


def _array(content: bytes) -> NDArray[Any]:
    """Return an array of numbers as NumPy has written it, if it declares what is there."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in "biufc" or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


# -------------------------------------------------------------------------------------------------------------- NetCDF
def write_netcdf(path: Path, dataset: xr.Dataset, overwrite: bool = True) -> None:
    """Write a dataset to a NetCDF file, in the place of what has that name if that may be.

    Raises
    ------
    FileExistsError
        If something has that name, and may not be replaced.
    DiskFull
        If it does not fit on the disk; an older file of that name stays.
    """
    # Composed in memory: the HDF5 library does not survive a full disk (it crashes when the interpreter ends).
    # Texts as characters: of variable length, a file may declare any number of them.
    texts = {name: {"dtype": "S1"} for name, each in dataset.variables.items() if each.dtype.kind == "U"}
    with _sealed_file(path, overwrite) as file:
        file.write(dataset.to_netcdf(engine="h5netcdf", encoding=texts))


def open_netcdf(path: Path, unsealed: str, restore: str) -> xr.Dataset:
    """Return what a NetCDF file holds, after it was compared with its seal; errors say what to do if it has another.

    It is read whole: what is in memory does not change with the file.

    Raises
    ------
    StorageError
        If it has no seal, was written by a newer version, or is not what was written.
    """
    import xarray as xr

    content = _verified(path, unsealed, restore)
    check_netcdf(content, path)
    with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as stored:
        return stored.load().drop_encoding()


# --------------------------------------------------------------------------------------------------------------- seals
def has_seal(path: Path) -> bool:
    """Say whether a file ends with a seal, be it intact or damaged since."""
    return path.is_file() and _SEAL in _tail(path)[1]


@contextmanager
def _sealed_file(path: Path, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a file to be written; it gets its seal and its name when the block ends, and vanishes if the block fails."""
    writing = beside(path)
    with full_disk_named(path):
        try:
            with writing.open("x+b") as file:
                claim(writing)
                yield file
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.write(b"\n" + json.dumps({**written_by(), "sha256": digest}).encode())
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                writing.replace(path)
            else:
                os.link(writing, path)  # fails where something has that name
        finally:
            writing.unlink(missing_ok=True)
            release(writing)
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


def _verified(path: Path, unsealed: str, restore: str) -> bytes:
    """Return what is in a file before its seal; errors say what to do if it has none, and if it is another."""
    if path.exists() and not path.is_file():
        raise StorageError(f"{path} is no file: {restore}")
    tail_start, tail = _tail(path)
    start = tail.rfind(_SEAL)
    if start < 0:
        raise StorageError(
            f"{path} does not end with a seal: it was not written by sitesampler or is incomplete; {unsealed}"
        )
    try:
        seal = parsed(tail[start:], path)
        form, version, digest = int(seal["format"]), str(seal["sitesampler"]), str(seal["sha256"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise StorageError(f"{path} is damaged, its seal is not readable: {restore}") from None
    refuse_newer(path, form, version)
    with path.open("rb") as file:
        content = file.read(tail_start + start)
    if hashlib.sha256(content).hexdigest() != digest:
        raise StorageError(f"{path} is damaged or was changed after it was written: {restore}")
    return content
