"""Results in files: Zarr stores with a manifest, and NetCDF files, complete as soon as they have their name.

The manifest of a store, with size and SHA-256 of every file, is the attributes of a subgroup that the consolidated
metadata do not mention: plain Zarr throughout, and nobody who opens the store meets it.  It is written last, so that a
store with a manifest is complete, whatever it is called.

Once a store is complete, two renames put it in the place of an older one: the old one gets a hidden name, then the new
one its own; the old one is then removed, its manifest first.  A kill before the first rename leaves the old one in its
place and the new one under a hidden name; between the two, both are there under hidden names; after the second, the
new one is in its place.  The next run in that folder gives a complete store the name that no other has, the new one
before the old one, and removes what is left.  An error leaves the old store in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import DiskFull, StorageError, shown
from sitesampler.storage.sealed import has_seal, open_netcdf, write_netcdf
from sitesampler.storage.writing import beside, full_disk_named, refuse_newer, written_by

if TYPE_CHECKING:
    import xarray as xr

#: Compression of chunks; its own checksum still catches what is damaged after the store was opened and verified.
COMPRESSOR: dict[str, Any] = {"id": "zstd", "level": 3, "checksum": True}

#: Size and SHA-256 of files by their names, relative to their store.
Entries = Mapping[str, tuple[int, str]]

#: Where the manifest of a store is.
_MANIFEST = Path(".sitesampler") / ".zattrs"
_RESTORE = "take it from a copy or run it again"
_STORE = "open it with xarray and pass the dataset itself, or store results with sitesampler.save_result"


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
    except (TypeError, ValueError):  # of whoever writes the format
        raise StorageError(
            f"{path} cannot hold the dataset: the names of its attributes must be strings, and their values strings, "
            "numbers or lists of them"
        ) from None


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
            _verify(path)
            return xr.open_zarr(path)
        if path.suffix == ".nc":
            return open_netcdf(path, _STORE, _RESTORE)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from None
    raise StorageError(f"{path} is not a result: that would be a Zarr store (a folder) or a NetCDF file (.nc)")


def _named(path: Any) -> Path:
    """Return the path of a result."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise StorageError(f"a result is stored under a path, not {shown(path)}")
    return Path(path)


# ------------------------------------------------------------------------------------------------------------- writing
def publish(dataset: xr.Dataset, path: Path) -> Path:
    """Write a dataset to a Zarr store, or to a NetCDF file if the name ends with ``.nc``.

    An older one of that name is replaced when the new one is complete; anything else of that name is refused.

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
        write_netcdf(path, dataset)
        return path
    writing = beside(path)
    discard(writing)  # of a process that was killed and had the number of this one
    try:
        complete(writing, path, dataset)
    finally:
        discard(writing)
    return path


def complete(writing: Path, path: Path, dataset: xr.Dataset, entries: Entries | None = None) -> None:
    """Add a dataset and the manifest to what was written of a store, if anything was, and give it its name.

    Zarr format 2 with consolidated metadata is what plain `xarray.open_zarr` opens without a warning.  In format 3
    consolidated metadata is outside the specification: with it xarray warns when writing, without it when opening.

    Parameters
    ----------
    writing, path
        The name it has, and the one that it gets; an older store of that name is removed, and nothing else.
    dataset
        What is not there yet.
    entries
        Of the files that are there, as far as known; they are not read again.

    Raises
    ------
    StorageError
        If something that sitesampler did not write has that name.
    DiskFull
        If it does not fit on the disk.
    """
    known = entries or {}
    with full_disk_named(path):
        encoding = {name: {"compressors": COMPRESSOR} for name in dataset.variables}
        dataset.to_zarr(writing, mode="a", zarr_format=2, consolidated=True, encoding=encoding)
        others = fingerprints(writing, (name for name in files_of(writing) if name not in known))
        _write_manifest(writing, {**known, **others})
        _put_in_place(writing, path)


def _put_in_place(writing: Path, path: Path) -> None:
    """Give a complete store its name; an older store of that name is removed, and nothing else."""
    refuse_foreign(path)
    replaced = beside(path, ".replaced")
    try:
        if path.exists():
            discard(replaced)
            path.rename(replaced)
        writing.rename(path)
    except BaseException:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        raise
    discard(replaced)


def discard(store: Path) -> None:
    """Remove a store, if it is there, its manifest first: what is half removed is not taken for complete."""
    with suppress(OSError):
        (store / _MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(store, ignore_errors=True)


def is_complete(store: Path) -> bool:
    """Say whether a store, whatever it is called, was written to its end."""
    return (store / _MANIFEST).is_file()


def is_ours(path: Path, file: bool = False) -> bool:
    """Say whether a store, or a single file, was written by sitesampler, complete or damaged since."""
    try:
        if path.is_symlink():
            return False
        return path.is_file() and has_seal(path) if file else is_complete(path)
    except OSError:
        return False


def voucher(path: Path) -> str:
    """Return what tells a store or sealed file from any other: the digest of what vouches for its bytes, or nothing."""
    manifest = path / _MANIFEST if path.is_dir() else path
    try:
        with manifest.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


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


# ----------------------------------------------------------------------------------------------------------- manifests
def files_of(store: Path) -> list[str]:
    """Return the files of a store, without its manifest and without what an operating system hides there."""
    files = (path.relative_to(store) for path in store.rglob("*") if path.is_file())
    seen = (file for file in files if not file.name.startswith(".") or file.name.startswith(".z"))
    return sorted(file.as_posix() for file in seen if file.parent != _MANIFEST.parent)


def fingerprints(store: Path, names: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of files of a store."""
    found = {}
    for name in names:
        with (store / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = (file.tell(), digest)
    return found


def _write_manifest(store: Path, files: Entries) -> None:
    """Add the manifest to a store that is complete otherwise; after this it may get its name."""
    path = store / _MANIFEST
    path.parent.mkdir()
    path.with_name(".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    # Renamed, because a store with a manifest is taken for complete.
    writing = path.with_name("manifest")
    writing.write_text(json.dumps({**written_by(), "files": files}), encoding="utf-8")
    writing.rename(path)


def _verify(store: Path) -> None:
    """Compare a store with its manifest."""
    try:
        text = (store / _MANIFEST).read_bytes()
    except FileNotFoundError:
        what = "has no manifest" if (store / ".zgroup").exists() else "is not a Zarr store"
        raise StorageError(f"{store} {what}: it was not written by sitesampler or is incomplete; {_STORE}") from None
    try:
        manifest = json.loads(text)
        form, version = int(manifest["format"]), str(manifest["sitesampler"])
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StorageError(f"the manifest of {store} is damaged: {_RESTORE}") from None
    refuse_newer(store, form, version)
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
