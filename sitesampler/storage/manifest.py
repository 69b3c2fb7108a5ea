"""What tells a store of ours from anything else: its manifest, and the names of its files.

The manifest, with size and SHA-256 of every file, is the attributes of a subgroup that the consolidated metadata do not
mention: plain Zarr throughout, and nobody who opens the store meets it.  It is written last, so that a store with a
manifest is complete, whatever it is called.

How stores are written, opened, replaced and removed is told in `sitesampler.storage.stores`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from sitesampler.errors import StorageError
from sitesampler.storage.declared import LITTER, listed, parsed
from sitesampler.storage.sealed import has_seal
from sitesampler.storage.writing import refuse_newer, written_by

#: Size and SHA-256 of files by their names, relative to their store.
Entries = Mapping[str, tuple[int, str]]

#: Where the manifest of a store is.
MANIFEST = Path(".sitesampler") / ".zattrs"
#: What sitesampler writes into a store; Zarr gives each file its name when it is complete, and until then another one.
_OURS = re.compile(
    r"(\.sitesampler/)?\.z(group|attrs)|\.sitesampler/manifest"
    r"|(\.zmetadata|\.zgroup|\.zattrs|[^/]+/(\.zarray|\.zattrs|[\d.]+))(\.[0-9a-f]{32}\.partial)?"
)
#: How often one looks before something is taken for somebody else's.
_LOOKS = 5
RESTORE = "take it from a copy or run it again"
STORE = "open it with xarray and pass the dataset itself, or store results with sitesampler.save_result"


def strange(store: Path) -> list[str]:
    """Return the files in a store that sitesampler has not written."""
    files = (path for path in store.rglob("*") if path.is_symlink() or not path.is_dir())
    others = (path for path in files if not is_own_file(store, path) and not LITTER.fullmatch(path.name))
    return sorted(path.relative_to(store).as_posix() for path in others)


def is_own_file(store: Path, path: Path) -> bool:
    """Say whether a file in a store has the name of one that sitesampler writes there."""
    return _OURS.fullmatch(path.relative_to(store).as_posix()) is not None


def is_complete(store: Path) -> bool:
    """Say whether a store, whatever it is called, was written to its end."""
    return (store / MANIFEST).is_file()


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
    manifest = path / MANIFEST if path.is_dir() else path
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
    others = []
    with suppress(FileNotFoundError):  # replaced meanwhile
        others = [] if file or not os.path.lexists(path) else strange(path)
    if others:
        raise StorageError(f"{path / others[0]} was not written by sitesampler and would be lost: move it away")


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


def files_of(store: Path) -> list[str]:
    """Return the files of a store, without its manifest and without what an operating system hides there."""
    return sorted(name for name in listed(store) if Path(name).parent != MANIFEST.parent)


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
    path = store / MANIFEST
    path.parent.mkdir()
    path.with_name(".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    # Renamed, because a store with a manifest is taken for complete.
    writing = path.with_name("manifest")
    writing.write_text(json.dumps({**written_by(), "files": files}), encoding="utf-8")
    writing.rename(path)


def verified_entries(store: Path) -> dict[str, tuple[int, str]]:
    """Return the manifest of a store, after comparing the store with it."""
    try:
        text = (store / MANIFEST).read_bytes()
    except FileNotFoundError:
        what = "has no manifest" if (store / ".zgroup").exists() else "is not a Zarr store"
        raise StorageError(f"{store} {what}: it was not written by sitesampler or is incomplete; {STORE}") from None
    try:
        manifest = parsed(text, store / MANIFEST)
        form, version = int(manifest["format"]), str(manifest["sitesampler"])
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise StorageError(f"the manifest of {store} is damaged: {RESTORE}") from None
    refuse_newer(store, form, version)
    sizes = {name: state.st_size for name, state in listed(store).items() if Path(name).parent != MANIFEST.parent}
    there = set(sizes)
    for name in sorted(files.keys() - there):
        raise StorageError(f"{store} is incomplete, the file {name} is missing: {RESTORE}")
    for name in sorted(there - files.keys()):
        raise StorageError(f"{store} was changed after it was written, the file {name} was added: {RESTORE}")
    for name, written in files.items():
        if sizes[name] != written[0] or fingerprints(store, [name])[name] != written:
            raise StorageError(
                f"{store} is damaged or was changed after it was written, the file {name} differs: {RESTORE}"
            )
    return files
