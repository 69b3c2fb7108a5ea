"""Storage: files that are complete as soon as they have their name, and that are verified before they are read.

Results (`publish`, `open_result`) and checkpoints (`write_state`, `read_state`).  What a dataset holds is the business
of ``results.py``; when one is written, of ``running.py``; the folder it stands in, of ``folders.py``; how trajectories
are streamed into a store by many workers, of ``export.py``.

A single file ends with a seal: one line of JSON with the version that wrote it, the number of the format, and the
SHA-256 of all bytes before it.  NetCDF and npz readers do not look behind their own end, so that any tool opens such a
file.  In a Zarr store the manifest, with size and SHA-256 of every file, is the attributes of a subgroup that the
consolidated metadata do not mention: plain Zarr throughout, and nobody who opens the store meets it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sitesampler import __version__
from sitesampler.errors import DiskFull, StorageError, shown

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

#: Number of the format of manifests and seals; a reader refuses what has a higher one.
FORMAT = 1

#: Compression of chunks; its own checksum still catches what is damaged after the store was opened and verified.
COMPRESSOR: dict[str, Any] = {"id": "zstd", "level": 3, "checksum": True}

#: Size and SHA-256 of files by their names, relative to their store.
Entries = Mapping[str, tuple[int, str]]

GIB = 2.0**30

WRITING = ".writing"  # ending of a name that is still being written; every other name is complete
MANIFEST = Path(".sitesampler") / ".zattrs"
_SEAL = b'\n{"sitesampler": '
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_RESTORE = "take it from a copy or run it again"
_STORE = "open it with xarray and pass the dataset itself, or store results with sitesampler.save_result"
_ANEW = "take it from a copy, or leave out resume=True (--resume on the command line) to start anew"


# ------------------------------------------------------------------------------------------------------------- writing
def beside(path: Path) -> Path:
    """Return the name under which a file or store is written until it is complete."""
    return path.with_name(f".{path.name}.{os.getpid()}{WRITING}")


def is_ours(path: Path, file: bool = False) -> bool:
    """Say whether a store, or a single file, was written by sitesampler, complete or damaged since."""
    try:
        if path.is_symlink():
            return False
        return path.is_file() and _SEAL in _tail(path)[1] if file else (path / MANIFEST).is_file()
    except OSError:
        return False


def refuse_foreign(path: Path, file: bool = False) -> None:
    """Refuse a name for a store, or for a single file, under which there is something else than an older one of ours.

    Raises
    ------
    StorageError
        If what is there would be lost.
    """
    if os.path.lexists(path) and not is_ours(path, file):
        what = "file" if file else "store"
        raise StorageError(
            f"{path} is there already and is no {what} that sitesampler wrote: choose another name or move it away"
        )


def put_in_place(writing: Path, path: Path) -> None:
    """Give a complete store its name; an older store of that name is removed, and nothing else."""
    refuse_foreign(path)
    replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced{WRITING}")
    if path.exists():
        path.rename(replaced)
    writing.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn the errors of a full disk, an exhausted quota and a file size limit into one that says where and how full.

    Raises
    ------
    DiskFull
        In place of those; every other error passes.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(path.parent).free / GIB
        raise DiskFull(
            f"{path} could not be written ({os.strerror(error.errno)}, {free:.2f} GiB free): make room or choose "
            f"another folder; what had that name before is still there"
        ) from None


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
                file.write(_SEAL + json.dumps(__version__).encode())
                file.write(f', "format": {FORMAT}, "sha256": "{digest}"}}'.encode())
                file.flush()
                os.fsync(file.fileno())
            writing.replace(path)
        finally:
            writing.unlink(missing_ok=True)
    with suppress(OSError):  # the new name itself is on the disk when its folder is; not every system can flush one
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def publish(dataset: xr.Dataset, path: Path) -> Path:
    """Write a dataset to a Zarr store, or to a NetCDF file if the name ends with ``.nc``.

    An older one of that name is replaced when the new one is complete; anything else of that name is refused.  Zarr
    format 2 with consolidated metadata is what plain `xarray.open_zarr` opens without a warning.  In format 3
    consolidated metadata is outside the specification: with it xarray warns when writing, without it when opening.

    Raises
    ------
    StorageError
        If something that sitesampler did not write has that name.
    DiskFull
        If it does not fit on the disk.

    Examples
    --------
    >>> import tempfile, xarray
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = publish(xarray.Dataset({"q": ("layer", [1.0, 0.5])}), Path(folder) / "sample.zarr")
    ...     print(xarray.open_zarr(path).q.values)
    [1.  0.5]
    """
    refuse_foreign(path, file=path.suffix == ".nc")
    if path.suffix == ".nc":
        # Composed in memory: the HDF5 library does not survive a full disk (it crashes when the interpreter ends).
        with _sealed_file(path) as file:
            file.write(dataset.to_netcdf(engine="h5netcdf"))
        return path
    writing = beside(path)
    with full_disk_named(path):
        try:
            encoding = {name: {"compressors": COMPRESSOR} for name in dataset.variables}
            dataset.to_zarr(writing, mode="w", zarr_format=2, consolidated=True, encoding=encoding)
            write_manifest(writing, fingerprints(writing, files_of(writing)))
            put_in_place(writing, path)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
    return path


def save_result(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Store a result so that it can be verified: `open_result` and ``order_parameters=`` read it.

    Parameters
    ----------
    dataset
        What `sample`, `simulate` or `sweep` returned.
    path
        A Zarr store (``.zarr``) or a NetCDF file (``.nc``).  An older one that sitesampler wrote is replaced when the
        new one is complete.

    Returns
    -------
    Path

    Raises
    ------
    StorageError
        If the name ends otherwise, its folder cannot be made, or it is that of something else.
    DiskFull
        If it does not fit on the disk.

    Examples
    --------
    >>> import tempfile, xarray
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_result(xarray.Dataset({"q": ("layer", [1.0, 0.5])}), f"{folder}/result.nc")
    ...     print(open_result(path).q.values)
    [1.  0.5]
    """
    if not hasattr(dataset, "data_vars"):
        raise StorageError(f"save_result stores a dataset, such as sample returns, not {shown(dataset)}")
    path = _named(path)
    if path.suffix not in (".nc", ".zarr"):
        raise StorageError(f"the name of a stored result ends with .zarr or .nc, and {path} does not")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return publish(dataset.drop_encoding(), path)
    except DiskFull:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from None


def _named(path: Any) -> Path:
    """Return the path of a result."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise StorageError(f"a result is stored under a path, not {shown(path)}")
    return Path(path)


# ----------------------------------------------------------------------------------------------------------- manifests
def files_of(store: Path) -> list[str]:
    """Return the files of a store, without its manifest and without what an operating system hides there."""
    files = (path.relative_to(store) for path in store.rglob("*") if path.is_file())
    seen = (file for file in files if not file.name.startswith(".") or file.name.startswith(".z"))
    return sorted(file.as_posix() for file in seen if file.parent != MANIFEST.parent)


def fingerprints(store: Path, names: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of files of a store."""
    found = {}
    for name in names:
        with (store / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = (file.tell(), digest)
    return found


def write_manifest(store: Path, files: Entries) -> None:
    """Add the manifest to a store that is complete otherwise; after this it may get its name."""
    manifest = {"sitesampler": __version__, "format": FORMAT, "files": files}
    path = store / MANIFEST
    path.parent.mkdir()
    path.with_name(".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    # Renamed, because `_sweep` takes a store with a manifest for complete.
    writing = path.with_name("manifest")
    writing.write_text(json.dumps(manifest), encoding="utf-8")
    writing.rename(path)


def _refuse_newer(path: Path, form: int, version: str) -> None:
    if form > FORMAT:
        raise StorageError(
            f"{path} is in format {form}, written by sitesampler {version}; this is sitesampler {__version__}, which "
            f"reads up to format {FORMAT}: update sitesampler to open it"
        )


def _verify_store(store: Path) -> None:
    try:
        text = (store / MANIFEST).read_bytes()
    except FileNotFoundError:
        what = "has no manifest" if (store / ".zgroup").exists() else "is not a Zarr store"
        raise StorageError(f"{store} {what}: it was not written by sitesampler or is incomplete; {_STORE}") from None
    try:
        manifest = json.loads(text)
        form, version = int(manifest["format"]), str(manifest["sitesampler"])
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StorageError(f"the manifest of {store} is damaged: {_RESTORE}") from None
    _refuse_newer(store, form, version)
    there = set(files_of(store))
    for name in sorted(files.keys() - there):
        raise StorageError(f"{store} is incomplete, the file {name} is missing: {_RESTORE}")
    for name in sorted(there - files.keys()):
        raise StorageError(f"{store} was changed after it was written, the file {name} was added: {_RESTORE}")
    for name, written in files.items():
        if fingerprints(store, [name])[name] != written:
            raise StorageError(
                f"{store} is damaged or was changed after it was written, the file {name} differs: {_RESTORE}"
            )


def _tail(path: Path) -> tuple[int, bytes]:
    """Return the end of a file, in which its seal is, and where that begins."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - 1024)
        file.seek(start)
        return start, file.read()


def _verify_file(path: Path, unsealed: str, restore: str) -> None:
    """Compare a file with its seal; errors say what to do if it has none, and if it is another."""
    tail_start, tail = _tail(path)
    with path.open("rb") as file:
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
        _refuse_newer(path, form, version)
        found, left = hashlib.sha256(), tail_start + start
        file.seek(0)
        while left and (block := file.read(min(left, 1 << 20))):
            found.update(block)
            left -= len(block)
    if found.hexdigest() != digest:
        raise StorageError(f"{path} is damaged or was changed after it was written: {restore}")


def open_result(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a stored result, after every byte of it was compared with what was written.

    Parameters
    ----------
    path
        A Zarr store or a NetCDF file (``.nc``) that sitesampler wrote.

    Returns
    -------
    xarray.Dataset
        Lazy: values are read where they are used.

    Raises
    ------
    StorageError
        If there is nothing of that name, it was not written by sitesampler, it was written by a newer version, or it
        is not what was written: truncated, with other bytes, or with other files.

    Examples
    --------
    >>> import tempfile, xarray
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = publish(xarray.Dataset({"q": ("layer", [1.0, 0.5])}), Path(folder.name) / "sample.zarr")
    >>> open_result(path).q.values
    array([1. , 0.5])
    >>> _ = (path / "q" / "0").write_bytes(b"")
    >>> open_result(path)
    Traceback (most recent call last):
    sitesampler.errors.StorageError: ...sample.zarr is damaged or was changed after it was written, the file q/0
    differs: take it from a copy or run it again
    >>> folder.cleanup()
    """
    import xarray as xr

    path = _named(path)
    try:
        if not path.exists():
            raise StorageError(f"there is no result at {path}")
        if path.is_dir():
            _verify_store(path)
            return xr.open_zarr(path)
        if path.suffix == ".nc":
            _verify_file(path, _STORE, _RESTORE)
            return xr.open_dataset(path, engine="h5netcdf", chunks={})
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from None
    raise StorageError(f"{path} is not a result: that would be a Zarr store (a folder) or a NetCDF file (.nc)")


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
        _verify_file(path, _ANEW, _ANEW)
        with np.load(path, allow_pickle=False) as members:
            arrays = {name.removeprefix("arrays/"): members[name] for name in members.files if name != "facts.json"}
            return arrays, json.loads(members["facts.json"])
    except FileNotFoundError:
        raise StorageError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise StorageError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None
