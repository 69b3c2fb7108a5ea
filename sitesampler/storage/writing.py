"""What all files have in common: the name until they are complete, the words for a full disk, the number of the format.

A file or store is written beside its place, under a hidden name that ends with `WRITING`, and gets its own name when it
is complete: every other name is that of something complete, whenever its writer was killed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitesampler.errors import DiskFull, StorageError
from sitesampler.version import __version__

#: Number of the format of manifests and seals; a reader refuses what has a higher one.
FORMAT = 1

#: Ending of a name that is still being written.
WRITING = ".writing"

GIB = 2.0**30

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def beside(path: Path, what: str = "") -> Path:
    """Return the hidden name under which a file or store, or what it replaces, stands until it is complete.

    Examples
    --------
    >>> beside(Path("x.zarr")).name == f".x.zarr.{os.getpid()}.writing"
    True
    """
    return path.with_name(f".{path.name}.{os.getpid()}{what}{WRITING}")


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
