"""What files of strangers declare, held against short lists and against the disk before any other library sees it.

A seal tells whether a file is as it was written, not who has written it: anybody can make one.  So nothing is opened
but what sitesampler writes.  Of a Zarr store that is format 2, flat, with arrays of numbers, truth values and fixed
strings, compressed with Zstandard and without filters, every chunk a file of its own whose size can hold what is
declared.  `opened` of ``stores`` reads these declarations from here on, and not from the disk again.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sitesampler.errors import StorageError, shown

#: Compression of chunks; its own checksum still catches what is damaged after the store was opened and verified.
COMPRESSOR: dict[str, Any] = {"id": "zstd", "level": 3, "checksum": True}
#: Bytes of a file of JSON, and of one chunk when it is unpacked.
_LARGEST_TEXT, _LARGEST_CHUNK = 64 << 20, 256 << 20
#: Bytes of all coordinates together: indexes are read when a store is opened.
_LARGEST_INDEXES = 256 << 20
#: What Zstandard unpacks of one byte at most: a block of 128 KiB of one value takes four.
_MOST_UNPACKED = 1 << 15
#: What an operating system leaves in folders: no reader looks at it.
LITTER = re.compile(r"\.DS_Store|\._.*|\.directory|\.nfs.*|Thumbs\.db|desktop\.ini")
_DTYPE = re.compile(r"\|b1|[<>|][iu][1248]|[<>][fc](2|4|8|16)|[<>]U\d{1,5}|\|S\d{1,6}")
_ARRAY = {
    "shape", "chunks", "dtype", "fill_value", "order", "filters", "dimension_separator", "compressor", "zarr_format",
}  # fmt: skip
_OTHER = "open it with the tool that wrote it, and store what you need with sitesampler.save_result"


def parsed(text: bytes | str, path: Path | str) -> Any:
    """Return what a text of JSON says; errors name its file.

    Raises
    ------
    StorageError
        If it is too long, nested too deeply, or no JSON.

    Examples
    --------
    >>> parsed('{"g": [0.5, NaN]}', "facts.json")
    {'g': [0.5, nan]}
    """
    try:
        if len(text) > _LARGEST_TEXT:
            raise ValueError
        return json.loads(text)
    except (ValueError, RecursionError):
        raise StorageError(f"{path} is not readable: it holds no JSON of sitesampler") from None


def listed(store: Path) -> dict[str, os.stat_result]:
    """Return the files of a store by their names, but for the litter of operating systems.

    Raises
    ------
    StorageError
        If there is a link, or anything else than files and folders: reading it may lead anywhere.
    """
    found, folders = {}, [""]
    while folders:
        inside = folders.pop()
        with os.scandir(store / inside) as entries:
            for entry in entries:
                name = f"{inside}{entry.name}"
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    folders.append(f"{name}/")
                elif not stat.S_ISREG(state.st_mode):
                    raise StorageError(f"{store} holds {name}, a link or no file at all: {_OTHER}")
                elif not LITTER.fullmatch(entry.name):
                    found[name] = state
    return found


def check_store(store: Path, metadata: Mapping[str, bytes], sizes: Mapping[str, int]) -> int:
    """Check all that a store declares; return the bytes that its arrays take in memory.

    Parameters
    ----------
    store : Path
        For messages.
    metadata : dict
        The texts of its files of metadata, by name.
    sizes : dict
        The sizes of all its other files.

    Raises
    ------
    StorageError
        If it declares what sitesampler does not write, or more than its files can hold.
    """

    def refuse(what: str) -> StorageError:
        return StorageError(f"{store} declares what sitesampler does not write, {what}: {_OTHER}")

    texts = {name: parsed(text, store / name) for name, text in metadata.items()}
    consolidated = texts.pop(".zmetadata", None)
    if not isinstance(consolidated, dict) or consolidated.get("zarr_consolidated_format") != 1:
        raise refuse("no consolidated metadata")
    # Compared as texts, in which NaN is NaN.
    if json.dumps(consolidated.get("metadata"), sort_keys=True) != json.dumps(texts, sort_keys=True):
        raise refuse("consolidated metadata that differ from those of its arrays")
    if texts.get(".zgroup") != {"zarr_format": 2} or not all(isinstance(text, dict) for text in texts.values()):
        raise refuse("another format than Zarr 2")
    left, total, indexes = dict(sizes), 0, 0
    for name in texts:
        array, slash, kind = name.rpartition("/")
        if kind not in (".zgroup", ".zattrs", ".zarray") or (kind == ".zgroup" and slash) or "/" in array:
            raise refuse(f"the file {name}")
        if kind != ".zarray":
            continue
        dims = texts.get(f"{array}/.zattrs", {}).get("_ARRAY_DIMENSIONS")
        needed = _check_array(array, texts[name], dims, left, refuse)
        total, indexes = total + needed, indexes + (needed if dims == [array] else 0)
    if left:
        raise refuse(f"the file {min(left)}")
    if indexes > _LARGEST_INDEXES:
        raise refuse(f"coordinates of {indexes:,} bytes")
    return total


def _check_array(name: str, declared: Any, dims: Any, sizes: dict[str, int], refuse: Any) -> int:
    """Check one array and take its chunks off the list of files; return the bytes that it takes in memory."""
    if declared.keys() - _ARRAY or not declared.keys() >= _ARRAY - {"dimension_separator"}:
        raise refuse(f"other keys in {name}/.zarray")
    if declared["filters"] is not None or declared["zarr_format"] != 2 or declared["order"] not in ("C", "F"):
        raise refuse(f"filters or an order of {name}")
    if declared["compressor"] not in (COMPRESSOR, None) or declared.get("dimension_separator", ".") != ".":
        raise refuse(f"the compressor {shown(declared['compressor'])} of {name}")
    dtype = declared["dtype"]
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise refuse(f"the type {shown(dtype)} of {name}")
    fill = declared["fill_value"]
    parts = fill if isinstance(fill, list) and len(fill) == 2 and dtype[1] == "c" else [fill]
    if not all(
        part in (None, "NaN", "Infinity", "-Infinity", "") or type(part) in (bool, int, float) for part in parts
    ):
        raise refuse(f"the fill value {shown(fill)} of {name}")
    shape, chunks = declared["shape"], declared["chunks"]
    for lengths, least in ((shape, 0), (chunks, 1)):
        if not isinstance(lengths, list) or not all(type(n) is int and least <= n < 2**48 for n in lengths):
            raise refuse(f"the shape {shown(lengths)} of {name}")
    if len(chunks) != len(shape) or not isinstance(dims, list) or len(dims) != len(shape) or len(shape) > 32:
        raise refuse(f"dimensions of {name} that do not go together")
    item = int(dtype[2:]) * (4 if dtype[1] == "U" else 1)
    piece, counts = math.prod(chunks) * item, [-(-n // chunk) for n, chunk in zip(shape, chunks, strict=True)]
    files = [file for file in sizes if file.startswith(f"{name}/")]
    if len(files) != math.prod(counts):
        raise refuse(f"{math.prod(counts):,} chunks of {name}, of which {len(files):,} are there")
    for file in files:
        place = file.removeprefix(f"{name}/").split(".")
        if not all(re.fullmatch(r"0|[1-9]\d{0,15}", part) for part in place):
            raise refuse(f"the file {file}")
        inside = [int(part) < count for part, count in zip(place, counts or [1], strict=False)]
        if len(place) != max(len(counts), 1) or not all(inside):
            raise refuse(f"the file {file}")
        size = sizes.pop(file)
        if piece > max(_MOST_UNPACKED * size if declared["compressor"] else size, 4096) or piece > _LARGEST_CHUNK:
            raise refuse(f"chunks of {name} of {piece:,} bytes, of which {file} holds {size:,}")
    return math.prod(shape) * item
