"""What all files have in common: paths, the name until they are complete, a full disk, the number of the format.

A file or store is written beside its place, under a hidden name that ends with `WRITING` and that nobody else has, and
gets its own name when it is complete: every other name is that of something complete, whenever its writer was killed.
Its writer claims it with a lock that ends with the process, so that whoever comes later knows what nobody writes any
more.  Where there are no locks nothing is known, and nothing is cleared away.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sitesampler.errors import DiskFull, StorageError, shown
from sitesampler.version import __version__

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

#: Number of the format of manifests and seals; a reader refuses what has a higher one.
FORMAT = 1

#: Ending of a name that is still being written.
WRITING = ".sitesampler-writing"
_HIDDEN = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{16}}(?P<replaced>\.replaced)?{re.escape(WRITING)}", re.DOTALL)

GIB = 2.0**30

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


#: Descriptors whose locks say that this process writes what has these names.
_claims: dict[Path, int] = {}
#: Hidden names that this process has given out and still uses.
_given: set[Path] = set()


def absolute(path: Any, what: str = "a path is meant") -> Path:
    """Return a path of the user's as it is used from here on: absolute, ``~`` the home folder, and never a URL.

    Raises
    ------
    StorageError
        If it is no path, or an empty one.

    Examples
    --------
    >>> absolute("a::b/../r.zarr") == Path.cwd() / "r.zarr"
    True
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise StorageError(f"{what}, not {shown(path)}")
    return Path(os.path.abspath(os.path.expanduser(text)))


def beside(path: Path, what: str = "") -> Path:
    """Return a hidden name under which a file or store, or what it replaces, stands until it is complete.

    Unique for every call, in every thread, process and container.

    Examples
    --------
    >>> beside(Path("x.zarr")).name.endswith(WRITING), beside(Path("x.zarr")) == beside(Path("x.zarr"))
    (True, False)
    """
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(8)}{what}{WRITING}")
    _given.add(hidden)
    return hidden


def claim(writing: Path) -> None:
    """Say that this process is at work on a file or folder, until `release`, or until it ends."""
    if fcntl is None:
        return
    try:
        descriptor = os.open(writing, os.O_RDONLY)
    except FileNotFoundError:  # another process took it for left over, before it was claimed
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # no locks here
        os.close(descriptor)
        return
    _claims[writing] = descriptor


def release(writing: Path) -> None:
    """Undo `claim`, whatever it is called by now, and give a hidden name back."""
    _given.discard(writing)
    if (descriptor := _claims.pop(writing, None)) is not None:
        os.close(descriptor)


def left_over(folder: Path, name: str | None = None) -> Iterator[tuple[Path, str]]:
    """Yield what killed writers have left in a folder, and the names that it should have had.

    Of one name, the new one comes before the one that it was to replace.
    """
    hidden = ((path, _HIDDEN.fullmatch(path.name)) for path in folder.iterdir())
    found = [(bool(match["replaced"]), path, match["name"]) for path, match in hidden if match is not None]
    for _, path, own in sorted(each for each in found if name in (None, each[2])):
        if fcntl is None or path in _given or path.is_symlink():
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path, own
        except OSError:  # somebody is writing it, or there are no locks
            continue
        finally:
            os.close(descriptor)


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


def written_by() -> dict[str, str | int]:
    """Return what every seal and manifest begins with: the version that writes it, and the number of the format."""
    return {"sitesampler": __version__, "format": FORMAT}


def refuse_newer(path: Path, form: int, version: str) -> None:
    """Refuse what a later version has written in a format that this one does not know.

    Raises
    ------
    StorageError
        With both versions.
    """
    if form > FORMAT:
        raise StorageError(
            f"{path} is in format {form}, written by sitesampler {version}; this is sitesampler {__version__}, which "
            f"reads up to format {FORMAT}: update sitesampler to open it"
        )
