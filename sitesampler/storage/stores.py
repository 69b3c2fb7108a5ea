"""Results in files: Zarr stores with a manifest, and NetCDF files, complete as soon as they have their name.

The manifest of a store, with size and SHA-256 of every file, is the attributes of a subgroup that the consolidated
metadata do not mention: plain Zarr throughout, and nobody who opens the store meets it.  It is written last, so that a
store with a manifest is complete, whatever it is called.

Once a store is complete, two renames put it in the place of an older one: the old one gets a hidden name, then the new
one its own; the old one is then removed, its manifest first.  A kill before the first rename leaves the old one in its
place and the new one under a hidden name; between the two, both are there under hidden names; after the second, the
new one is in its place.  Who opens that name next, writes it, or runs in that folder gives a complete store the name
that no other has, the new one before the old one, and removes what is left (`recover`).  An error leaves the old store
in its place.

Who opens a store reads it through `VerifiedStore`: small ones at once, large ones chunk by chunk, each compared with
its digest.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sitesampler.errors import DiskFull, StorageError, shown
from sitesampler.storage.declared import COMPRESSOR, LITTER, check_store, listed, parsed
from sitesampler.storage.sealed import has_seal, open_netcdf, write_netcdf
from sitesampler.storage.writing import (
    absolute,
    beside,
    claim,
    full_disk_named,
    left_over,
    refuse_newer,
    release,
    written_by,
)

if TYPE_CHECKING:
    import xarray as xr

#: Size and SHA-256 of files by their names, relative to their store.
Entries = Mapping[str, tuple[int, str]]

#: Where the manifest of a store is.
_MANIFEST = Path(".sitesampler") / ".zattrs"
#: Bytes of a result that is read into memory when it is opened.
_SMALL = 64 << 20
#: What sitesampler writes into a store.
_OURS = re.compile(
    r"(\.sitesampler/)?\.z(group|attrs)|\.zmetadata|\.sitesampler/manifest|[^/]+/(\.zarray|\.zattrs|[\d.]+)"
)
_DECLARES = re.compile(r"(.*/)?\.z(group|attrs|array|metadata)")
#: How often a store is put in its place where others do so too.
_ATTEMPTS = 100
#: How often one looks before something is taken for somebody else's.
_LOOKS = 5
_RESTORE = "take it from a copy or run it again"
_STORE = "open it with xarray and pass the dataset itself, or store results with sitesampler.save_result"


def save_result(dataset: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Store a result so that it can be verified: `open_result` and ``order_parameters=`` read it.

    Parameters
    ----------
    dataset
        What `sample`, `simulate` or `sweep` returned.
    path
        A Zarr store (``.zarr``) or a NetCDF file (``.nc``).
    overwrite
        Replace an older one that sitesampler wrote, once the new one is complete; anything else is never replaced.

    Returns
    -------
    Path

    Raises
    ------
    StorageError
        If the name ends otherwise, its folder cannot be made, or something has that name.
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
    given, path = path, absolute(path, "a result is stored under a path")
    if path.suffix not in (".nc", ".zarr"):
        raise StorageError(f"the name of a stored result ends with .zarr or .nc, and {given} does not")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return publish(dataset, path, bool(overwrite))
    except (DiskFull, StorageError):  # the second is a ValueError too
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
        In memory, if that takes less than 64 MiB, or if it is a NetCDF file.  Else lazy: values are read where they
        are used, and compared again with what was written, so that they are never those of another file.

    Raises
    ------
    StorageError
        If there is nothing of that name, it was not written by sitesampler, it was written by a newer version, or it
        is not what was written: truncated, with other bytes, or with other files.  Also if it declares what
        sitesampler does not write, such as filters, or more values than its files can hold.

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
    path = absolute(path, "a result is stored under a path")
    try:
        if not path.exists() and path.parent.is_dir():
            recover(path.parent, path.name)
        if not path.exists():
            raise StorageError(f"there is no result at {path}")
        if path.is_dir():
            return opened(path, _verified(path), _SMALL)
        if path.suffix == ".nc":
            return open_netcdf(path, _STORE, _RESTORE)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from None
    raise StorageError(f"{path} is not a result: that would be a Zarr store (a folder) or a NetCDF file (.nc)")


def opened(path: Path, entries: Entries, in_memory: int = 0) -> xr.Dataset:
    """Open a store whose files are those of a manifest; what takes so many bytes at most is read at once."""
    import xarray as xr

    from sitesampler.storage.verified import VerifiedStore

    declares = {name: entry for name, entry in entries.items() if _DECLARES.fullmatch(name)}
    chunks = {name: entry for name, entry in entries.items() if name not in declares}
    reading = VerifiedStore(path, {}, declares)
    metadata = {name: reading.content(name) or b"" for name in declares}
    size = check_store(path, metadata, {name: size for name, (size, _) in chunks.items()})
    try:
        small = size <= in_memory  # and then without dask, whose threads are dead in a process that was forked
        verified = VerifiedStore(path, metadata, chunks)
        whole = xr.open_zarr(verified, zarr_format=2, consolidated=True, chunks=None if small else {})
        return whole.load().drop_encoding() if small else whole
    except (StorageError, OSError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise StorageError(f"{path} holds no result that sitesampler wrote ({reason}): {_RESTORE}") from None


# ------------------------------------------------------------------------------------------------------------- writing
def publish(dataset: xr.Dataset, path: Path, overwrite: bool = True) -> Path:
    """Write a dataset to a Zarr store, or to a NetCDF file if the name ends with ``.nc``.

    An older one of that name is replaced when the new one is complete, if that is wanted; anything else of that name
    is refused.

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
    file = path.suffix == ".nc"
    recover(path.parent, path.name)
    refuse_taken(path, overwrite, file)
    dataset = _storable(dataset)
    if file:
        try:
            write_netcdf(path, dataset, overwrite)
        except FileExistsError:  # since a moment ago
            refuse_taken(path, overwrite, file)
            raise
        return path
    writing = begun(path)
    try:
        complete(writing, path, dataset, overwrite=overwrite)
    finally:
        discard(writing)
        release(writing)
    return path


def begun(path: Path) -> Path:
    """Return a new empty folder in which a store is written until it gets its name; to be released afterwards."""
    while True:
        writing = beside(path)
        with full_disk_named(path):
            writing.mkdir()
        claim(writing)
        if writing.exists():  # nobody took it for left over before it was claimed
            return writing
        release(writing)


def _storable(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset without the encoding of where it came from, its texts as arrays of fixed length."""
    import numpy as np

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


def complete(
    writing: Path, path: Path, dataset: xr.Dataset, entries: Entries | None = None, overwrite: bool = True
) -> Entries:
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
    overwrite
        Whether an older store may be replaced.

    Returns
    -------
    dict
        Size and SHA-256 of all files.

    Raises
    ------
    StorageError
        If something that sitesampler did not write has that name.
    DiskFull
        If it does not fit on the disk.
    """
    from zarr.storage import LocalStore

    known = entries or {}
    with full_disk_named(path):
        # A piece of fill values is written too: it could not be told from a missing one.  Not by Zarr's own setting,
        # which is one for all threads.
        encoding = {name: {"compressors": COMPRESSOR, "write_empty_chunks": True} for name in dataset.variables}
        dataset.to_zarr(LocalStore(writing), mode="a", zarr_format=2, consolidated=True, encoding=encoding)
        found = {**known, **fingerprints(writing, (name for name in files_of(writing) if name not in known))}
        _write_manifest(writing, found)
        _put_in_place(writing, path, overwrite)
    return found


def _put_in_place(writing: Path, path: Path, overwrite: bool) -> None:
    """Give a complete store its name; an older store of that name is removed, if that may be, and nothing else."""
    for _ in range(_ATTEMPTS):
        refuse_taken(path, overwrite)
        replaced = beside(path, ".replaced")
        try:
            if path.exists():
                claim(path)
                path.rename(replaced)
            writing.rename(path)
        except OSError as error:
            if replaced.exists() and not path.exists():
                replaced.rename(path)
            # Another thread or process has replaced it in the same moment.
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST) or not writing.exists():
                raise
        except BaseException:
            if replaced.exists() and not path.exists():
                replaced.rename(path)
            raise
        else:
            return
        finally:
            if path.exists():
                discard(replaced)
            release(replaced)
            release(path)
    raise StorageError(f"{path} is being replaced by others all the time: choose another name")


def discard(store: Path) -> None:
    """Remove a store, if it is there, its manifest first: what is half removed is not taken for complete.

    What somebody else has put into it stays.
    """
    if store.is_symlink() or not store.is_dir():
        return
    with suppress(OSError):
        (store / _MANIFEST).unlink(missing_ok=True)
    if not _strange(store):
        shutil.rmtree(store, ignore_errors=True)
        return
    for path in sorted(store.rglob("*"), reverse=True):  # what is inside of a folder before it
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif _OURS.fullmatch(path.relative_to(store).as_posix()):
                path.unlink()


def recover(folder: Path, name: str | None = None) -> None:
    """Give stores that killed writers had completed their names, and remove what they had not completed.

    Of one name, or of all in a folder.
    """
    for left, own in left_over(folder, name):
        if is_complete(left) and not os.path.lexists(folder / own):
            left.rename(folder / own)
        elif left.is_dir():
            discard(left)
        else:
            left.unlink(missing_ok=True)


def _strange(store: Path) -> list[str]:
    """Return the files in a store that sitesampler has not written."""
    files = (path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for name in files if not _OURS.fullmatch(name) and not LITTER.fullmatch(Path(name).name))


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
    for _ in range(_LOOKS):  # another thread may be replacing it at this moment
        if not os.path.lexists(path) or is_ours(path, file):
            break
        time.sleep(0.01)
    else:
        what = "file" if file else "store"
        raise StorageError(
            f"{path} is there already and is no {what} that sitesampler wrote: choose another name or move it away"
        )
    strange = []
    with suppress(FileNotFoundError):  # replaced meanwhile
        strange = [] if file or not os.path.lexists(path) else _strange(path)
    if strange:
        raise StorageError(f"{path / strange[0]} was not written by sitesampler and would be lost: move it away")


def refuse_taken(path: Path, overwrite: bool, file: bool = False) -> None:
    """Refuse a name under which there is something that may not be replaced.

    Raises
    ------
    StorageError
    """
    refuse_foreign(path, file)
    if not overwrite and os.path.lexists(path):
        raise StorageError(
            f"{path} is there already, and would be replaced: say overwrite=True, or choose another name"
        )


# ----------------------------------------------------------------------------------------------------------- manifests
def files_of(store: Path) -> list[str]:
    """Return the files of a store, without its manifest and without what an operating system hides there."""
    return sorted(name for name in listed(store) if Path(name).parent != _MANIFEST.parent)


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


def _verified(store: Path) -> dict[str, tuple[int, str]]:
    """Return the manifest of a store, after comparing the store with it."""
    try:
        text = (store / _MANIFEST).read_bytes()
    except FileNotFoundError:
        what = "has no manifest" if (store / ".zgroup").exists() else "is not a Zarr store"
        raise StorageError(f"{store} {what}: it was not written by sitesampler or is incomplete; {_STORE}") from None
    try:
        manifest = parsed(text, store / _MANIFEST)
        form, version = int(manifest["format"]), str(manifest["sitesampler"])
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise StorageError(f"the manifest of {store} is damaged: {_RESTORE}") from None
    refuse_newer(store, form, version)
    sizes = {name: state.st_size for name, state in listed(store).items() if Path(name).parent != _MANIFEST.parent}
    there = set(sizes)
    for name in sorted(files.keys() - there):
        raise StorageError(f"{store} is incomplete, the file {name} is missing: {_RESTORE}")
    for name in sorted(there - files.keys()):
        raise StorageError(f"{store} was changed after it was written, the file {name} was added: {_RESTORE}")
    for name, written in files.items():
        if sizes[name] != written[0] or fingerprints(store, [name])[name] != written:
            raise StorageError(
                f"{store} is damaged or was changed after it was written, the file {name} differs: {_RESTORE}"
            )
    return files
