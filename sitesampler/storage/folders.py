"""Folders and stores for results: one run in each at a time, and nothing left half written by runs that were killed.

A lock is a hidden file that a process holds; it ends with the process, however that ends.  Who holds the lock of a
folder gives what a killed run had completed its name, and removes what it had not.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from sitesampler.errors import InputError, StorageError
from sitesampler.storage.stores import recover

try:
    import fcntl
except ImportError:  # not on Windows: there no run is kept out of another's folder
    fcntl = None  # type: ignore[assignment]

#: Name of the hidden file in a folder that carries its lock, and what it says.
LOCK = ".sitesampler.lock"
_HOLDER = re.compile(r"(process \d+ on .*)?")
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}


def make_folder(folder: Path, what: str = "output folder") -> Path:
    """Make a folder for results and see that it can be written; errors call it what it is for.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"the {what} {folder} is a file: name a folder, which may be a new one")
        folder.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=".probe-", dir=folder)).rmdir()
    except OSError as error:
        raise InputError(f"the {what} {folder} cannot be written: {error.strerror}") from None
    return folder


@contextmanager
def lock_folder(folder: Path, what: str = "output folder") -> Iterator[Path]:
    """Make a folder, keep every other run out of it, and clear away what killed runs left half written.

    The lock belongs to the process and ends with it, however it ends; the hidden file that carries it says who to ask.
    Where the file system knows no locks, nobody is kept out and nothing is cleared away.

    Raises
    ------
    StorageError
        If another run holds the folder.
    InputError
        If the folder cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place, lock_folder(Path(place) / "results") as folder:
    ...     print(folder.name)
    results
    """
    make_folder(folder, what)
    with _lock(folder / LOCK, f"the {what} {folder}", "folder") as locked:
        if locked:
            recover(folder)
        yield folder


@contextmanager
def hold(checkpoint: Path | None, export: Path | None) -> Iterator[None]:
    """Keep every other run out of the folder of a checkpoint, and out of the name of a store for trajectories.

    Raises
    ------
    StorageError
        If another run holds one of them.
    InputError
        If a folder cannot be made or written.
    """
    with ExitStack() as held:
        if checkpoint is not None:
            held.enter_context(lock_folder(checkpoint, "checkpoint folder"))
        if export is not None:
            make_folder(export.parent, "folder of the export,")
            held.enter_context(_lock(_lock_of(export), f"the export {export}", "name"))
        yield


def _lock_of(path: Path) -> Path:
    """Return the hidden file beside a store that carries its lock."""
    return path.with_name(f".{path.name}{LOCK}")


@contextmanager
def _lock(path: Path, what: str, other: str) -> Iterator[bool]:
    """Hold a lock; yield whether there are locks."""
    file = _locked(path, what, other)
    if file is None:
        yield False
        return
    try:
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield True
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _locked(path: Path, what: str, other: str) -> IO[str] | None:
    """Return the file, open, empty and locked; None where there are no locks."""
    if os.path.lexists(path) and not _is_lock(path):
        raise StorageError(f"{path} is not the lock that sitesampler keeps there: move it away")
    while fcntl is not None:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read() or "another process"
            raise StorageError(
                f"{what} is in use by another run ({holder}): wait for it to end or choose another {other}"
            ) from None
        except OSError as error:
            file.close()
            path.unlink(missing_ok=True)
            if error.errno not in _NO_LOCKS:
                raise
            return None
        # Between opening and locking, another run may have ended and removed the file: then the lock is on nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                return file
        file.close()
    return None


def _is_lock(path: Path) -> bool:
    """Say whether a file is one of ours that carries a lock."""
    try:
        return not path.is_symlink() and path.is_file() and _HOLDER.fullmatch(path.read_text("utf-8")) is not None
    except FileNotFoundError:  # its run has just ended
        return True
    except (OSError, UnicodeDecodeError):
        return False
