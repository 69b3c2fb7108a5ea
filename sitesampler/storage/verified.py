"""A Zarr store to be read: what it declares is in memory, and each chunk is compared with its digest when it is read.

So the values of a dataset that was opened are those that were there when it was opened, or an error, whatever has
happened to the files since.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from sitesampler.errors import StorageError


class VerifiedStore(Store):
    """A store whose files are what a manifest says, or an error.

    Parameters
    ----------
    folder : Path
    metadata : dict
        Contents of the files that declare something, by name.
    entries : dict
        Size and SHA-256 of all others.
    """

    supports_writes = supports_deletes = supports_partial_writes = False
    supports_listing = True

    def __init__(self, folder: Path, metadata: Mapping[str, bytes], entries: Mapping[str, tuple[int, str]]) -> None:
        super().__init__(read_only=True)
        self.folder, self.metadata, self.entries = folder, dict(metadata), dict(entries)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, VerifiedStore) and self.folder == other.folder
        return same and (self.metadata, self.entries) == (other.metadata, other.entries)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.folder)

    def content(self, key: str) -> bytes | None:
        """Return the content of a file; None if the store has none of that name.

        Raises
        ------
        StorageError
            If it is not what it was when the store was opened.
        """
        if key in self.metadata or key not in self.entries:
            return self.metadata.get(key)
        size, digest = self.entries[key]
        try:
            with (self.folder / key).open("rb") as file:
                content = file.read(size + 1)
        except OSError as error:
            raise StorageError(
                f"{self.folder} was changed after it was opened, the file {key} cannot be read ({error.strerror}): "
                "open it again"
            ) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise StorageError(f"{self.folder} was changed after it was opened, the file {key} differs: open it again")
        return content

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a file, or a part of it, of which all was verified."""
        content = self.content(key)
        if content is None:
            return None
        match byte_range:
            case RangeByteRequest(start, end):
                content = content[start:end]
            case OffsetByteRequest(offset):
                content = content[offset:]
            case SuffixByteRequest(suffix):
                content = content[-suffix:]
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several files."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Say whether there is a file of that name."""
        return key in self.metadata or key in self.entries

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse to write."""
        self._check_writable()

    async def set_partial_values(self, key_start_values: Iterable[Any]) -> None:
        """Refuse to write (asked for by older versions of Zarr)."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """Yield the names of all files."""
        for key in (*self.metadata, *self.entries):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names of all files that begin so."""
        for key in (*self.metadata, *self.entries):
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what is in a folder."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        inside = (key.removeprefix(start) for key in (*self.metadata, *self.entries) if key.startswith(start))
        for name in dict.fromkeys(key.partition("/")[0] for key in inside):
            yield name
