"""Files of strangers: their seals are right, for anybody can make one, and what they declare is not what we write."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from sitesampler.errors import StorageError
from sitesampler.storage.manifest import fingerprints
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import open_result, publish

OTHER = "declares what sitesampler does not write"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return publish(
        xr.Dataset(
            {"q": (("time", "k"), np.ones((4, 2)))},
            coords={"time": np.arange(4.0), "k": ["a", "b"]},
            attrs={"title": "a test"},
        ),
        tmp_path / "r.zarr",
    )


def sealed_again(store: Path) -> Path:
    """Let the manifest say what is there."""
    path = store / ".sitesampler" / ".zattrs"
    files = [file.relative_to(store).as_posix() for file in store.rglob("*") if file.is_file()]
    manifest = json.loads(path.read_text())
    manifest["files"] = fingerprints(store, [file for file in files if not file.startswith(".sitesampler")])
    path.write_text(json.dumps(manifest))
    return store


def redeclared(store: Path, name: str, **changes: Any) -> Path:
    """Change what an array declares, in all places."""
    consolidated = json.loads((store / ".zmetadata").read_text())
    for key, value in changes.items():
        consolidated["metadata"][f"{name}/.zarray"][key] = value
    (store / ".zmetadata").write_text(json.dumps(consolidated))
    (store / name / ".zarray").write_text(json.dumps(consolidated["metadata"][f"{name}/.zarray"]))
    return sealed_again(store)


def test_what_was_not_changed_is_opened(store: Path) -> None:
    assert open_result(sealed_again(store)).q.sum() == 8


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("q", {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}], "dtype": "|O"}),
        ("q", {"filters": [{"id": "pickle"}]}),
        ("q", {"filters": []}),
        ("q", {"dtype": "|O"}),
        ("q", {"dtype": "|V8"}),
        ("q", {"dtype": [["a", "<f8"]]}),
        ("q", {"dtype": "<M8[ns]"}),
        ("k", {"dtype": "<U999999999"}),
        ("q", {"compressor": {"id": "pickle"}}),
        ("q", {"compressor": {"id": "blosc", "cname": "lz4"}}),
        ("q", {"compressor": {"id": "zstd", "level": 3, "checksum": True, "more": 1}}),
        ("q", {"order": "X"}),
        ("q", {"fill_value": {"a": 1}}),
        ("q", {"fill_value": "x" * 100}),
        ("q", {"dimension_separator": "/"}),
        ("q", {"zarr_format": 3}),
        ("q", {"storage_transformers": []}),
        ("time", {"shape": [500_000_000], "chunks": [500_000_000]}),
        ("time", {"shape": [500_000_000]}),
        ("time", {"shape": [-4]}),
        ("time", {"shape": [4.0]}),
        ("time", {"shape": [True]}),
        ("time", {"shape": None}),
        ("time", {"shape": [2**70], "chunks": [2**70]}),
        ("time", {"chunks": [0]}),
        ("time", {"chunks": [100_000_000]}),
        ("time", {"shape": [4] * 40, "chunks": [4] * 40}),
    ],
    ids=str,
)
def test_an_array_that_declares_what_we_do_not_write_is_refused(
    store: Path, name: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(StorageError, match=OTHER):
        open_result(redeclared(store, name, **changes))


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "", "null", "{}", "[]", '{"zarr_format": 2', "\x00", '{"zarr_format": 3}']
)
@pytest.mark.parametrize("file", [".zgroup", ".zattrs", ".zmetadata", "q/.zarray", "q/.zattrs"])
def test_any_text_for_metadata_is_refused_with_a_sentence(store: Path, file: str, text: str) -> None:
    (store / file).write_text(text)
    with pytest.raises(StorageError):
        open_result(sealed_again(store))


@pytest.mark.parametrize("text", ["[" * 200_000, "null", "Infinity", '{"format": 1e999}', '{"format": 1, "files": []}'])
def test_any_text_for_a_manifest_is_refused_with_a_sentence(store: Path, text: str) -> None:
    (store / ".sitesampler" / ".zattrs").write_text(text)
    with pytest.raises(StorageError):
        open_result(store)


@pytest.mark.parametrize(
    "name", ["zarr.json", "q/zarr.json", "inner/.zgroup", "q/9.9", "q/0.00", "deep/er/.zarray", ".x"]
)
def test_a_file_that_we_do_not_write_is_refused(store: Path, name: str) -> None:
    (store / name).parent.mkdir(parents=True, exist_ok=True)
    (store / name).write_text('{"zarr_format": 3, "node_type": "group"}')
    with pytest.raises(StorageError, match=OTHER):
        open_result(sealed_again(store))


def linked(store: Path) -> None:
    (store.parent / "mine").write_bytes((store / "q" / "0.0").read_bytes())
    (store / "q" / "0.0").unlink()
    (store / "q" / "0.0").symlink_to(store.parent / "mine")


def linked_folder(store: Path) -> None:
    (store / "q").rename(store.parent / "mine")
    (store / "q").symlink_to(store.parent / "mine")


def piped(store: Path) -> None:
    (store / "q" / "0.0").unlink()
    os.mkfifo(store / "q" / "0.0")


@pytest.mark.parametrize("change", [linked, linked_folder, piped])
def test_a_store_that_leads_elsewhere_is_refused(store: Path, change: Callable[[Path], None]) -> None:
    change(store)
    with pytest.raises(StorageError, match=r"holds q.*, a link or no file at all"):
        open_result(store)


def test_a_pipe_is_no_result(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.nc")
    with pytest.raises(StorageError, match=r"is no file|is not a result"):
        open_result(tmp_path / "r.nc")


# -------------------------------------------------------------------------------------------------------- sealed files
def sealed(path: Path, content: bytes) -> Path:
    seal = {"sitesampler": "0.1.0", "format": 1, "sha256": hashlib.sha256(content).hexdigest()}
    path.write_bytes(content + b"\n" + json.dumps(seal).encode())
    return path


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def array(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


FACTS = ("facts.json", b"{}")
HUGE = array(np.zeros(2)).replace(b"(2,), }", b"(2000000000000,), }")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        zipped(),
        zipped(("facts.json", b"{")),
        zipped(("facts.json", b"[" * 200_000)),
        zipped(("facts.json", b"null")),
        zipped(FACTS, ("arrays/x.npy", array(np.array([print], object)))),
        zipped(FACTS, ("arrays/x.npy", b"junk")),
        zipped(FACTS, ("arrays/x.npy", array(np.zeros(2))[:-8])),
        zipped(FACTS, ("arrays/x.npy", HUGE)),
        zipped(FACTS, ("arrays/x.npy", bytes(10_000_000)), kind=zipfile.ZIP_DEFLATED),
    ],
    ids=["empty", "no zip", "empty zip", "no JSON", "brackets", "null", "pickle", "junk", "short", "huge", "bomb"],
)
def test_a_sealed_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(StorageError, match=r"x\.npz is (no checkpoint of sitesampler|not readable)"):
        read_state(sealed(tmp_path / "x.npz", content))


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Ten names for one array: what is declared is ten times what is there."""
    write_state(tmp_path / "x.npz", {"x": np.zeros(1000)}, {})
    content = (tmp_path / "x.npz").read_bytes()
    content = content[: content.rindex(b'\n{"sitesampler')]
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    directory, rest = content[start:end], bytearray(content[end:])
    last = directory[directory.index(b"PK\x01\x02", 4) :]
    rest[8:10] = rest[10:12] = (12).to_bytes(2, "little")
    rest[12:16] = (len(directory) + 10 * len(last)).to_bytes(4, "little")
    with pytest.raises(StorageError, match="is no checkpoint"):
        read_state(sealed(tmp_path / "x.npz", content[:start] + directory + 10 * last + bytes(rest)))


# -------------------------------------------------------------------------------------------------------------- NetCDF
def external(file: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(800))
    file.create_dataset("stolen", (100,), "f8", external=[(str(folder / "secret"), 0, 800)])


def external_link(file: h5py.File, folder: Path) -> None:
    file["stolen"] = h5py.ExternalLink(str(folder / "other.nc"), "/q")


def soft_link(file: h5py.File, _: Path) -> None:
    file["stolen"] = h5py.SoftLink("/q")


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.nc"), "q", (4,))
    file.create_virtual_dataset("stolen", layout)


def references(file: h5py.File, _: Path) -> None:
    file.create_dataset("stolen", data=np.array([file["q"].ref], h5py.ref_dtype))


def reference_in_attribute(file: h5py.File, _: Path) -> None:
    file["q"].attrs["stolen"] = file["q"].ref


def filtered(file: h5py.File, _: Path) -> None:
    file.create_dataset("stolen", data=np.zeros(1000), compression="gzip")


def never_written(file: h5py.File, _: Path) -> None:
    file.create_dataset("stolen", (500_000_000,), "f8")


def texts(file: h5py.File, _: Path) -> None:
    file.create_dataset("stolen", data=["a" * 100] * 3, dtype=h5py.string_dtype())


def group(file: h5py.File, _: Path) -> None:
    file.create_group("stolen")


@pytest.mark.parametrize(
    "change",
    [
        external, external_link, soft_link, virtual, references, reference_in_attribute, filtered, never_written, texts,
        group,
    ],
)  # fmt: skip
def test_a_netcdf_file_that_refers_to_anything_or_declares_more_than_it_holds_is_refused(
    tmp_path: Path, change: Callable[[h5py.File, Path], None]
) -> None:
    ours = publish(xr.Dataset({"q": ("time", np.ones(4))}), tmp_path / "r.nc")
    content = ours.read_bytes()
    file = io.BytesIO(content[: content.rindex(b'\n{"sitesampler')])
    with h5py.File(file, "r+") as opened:
        change(opened, tmp_path)
    with pytest.raises(StorageError, match=OTHER):
        open_result(sealed(ours, file.getvalue()))


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_sealed_file_that_is_no_netcdf_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(StorageError, match=r"r\.nc is no NetCDF file that sitesampler wrote"):
        open_result(sealed(tmp_path / "r.nc", content))
