"""Results in files: Zarr stores with a manifest, and NetCDF files, complete as soon as they have their name.

A store with a manifest (`sitesampler.storage.manifest`) is complete, whatever it is called.  Two renames put it in the
place of an older one: the old one gets a hidden name, then the new one its own; the old one is then removed, its
manifest first.  A kill before the first rename leaves the old one in its place and the new one under a hidden name;
between the two, both are there under hidden names; after the second, the new one is in its place.  Who opens that name
next, writes it, or runs in that folder gives a complete store the name that no other has, the new one before the old
one, and removes what is left (`recover`).  An error leaves the old store in its place.

Who opens a store reads it through `VerifiedStore`: small ones at once, large ones chunk by chunk, each compared with
its digest.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sitesampler.errors import DiskFull, StorageError, shown
from sitesampler.storage.declared import COMPRESSOR, check_store
from sitesampler.storage.manifest import (
    MANIFEST,
    RESTORE,
    STORE,
    Entries,
    files_of,
    fingerprints,
    is_complete,
    is_own_file,
    refuse_taken,
    strange,
    verified_entries,
    write_manifest,
)
from sitesampler.storage.sealed import open_netcdf, write_netcdf
from sitesampler.storage.storable import odd_attribute, storable
from sitesampler.storage.writing import absolute, beside, claim, full_disk_named, left_over, release

if TYPE_CHECKING:
    import xarray as xr

#: Bytes of a result that is read into memory when it is opened.
_SMALL = 64 << 20
_DECLARES = re.compile(r"(.*/)?\.z(group|attrs|array|metadata)")
#: How often a store is put in its place where others do so too.
_ATTEMPTS = 100


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
    except Exception as error:  # of whoever writes the format
        if (odd := odd_attribute(dataset)) is None:
            raise
        raise StorageError(
            f"{path} cannot hold {odd}: the names of attributes must be strings, and their values strings, numbers or "
            "lists of numbers"
        ) from error


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
            return opened(path, verified_entries(path), _SMALL)
        if path.suffix == ".nc":
            return open_netcdf(path, STORE, RESTORE)
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
        raise StorageError(f"{path} holds no result that sitesampler wrote ({reason}): {RESTORE}") from None


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
    dataset = storable(dataset)
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
        write_manifest(writing, found)
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
        (store / MANIFEST).unlink(missing_ok=True)
    if not strange(store):
        shutil.rmtree(store, ignore_errors=True)
        return
    for path in sorted(store.rglob("*"), reverse=True):  # what is inside of a folder before it
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif is_own_file(store, path):
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
