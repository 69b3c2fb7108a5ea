"""Results in files: a name that exists is complete, whatever happened, and what is read was written."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from files import names

from sitesampler.errors import DiskFull, StorageError
from sitesampler.storage import stores
from sitesampler.storage.stores import open_result, publish, save_result


# ------------------------------------------------------------------------------------------------------------- results
@pytest.mark.parametrize("name", ["sample.zarr", "sample.nc"])
def test_a_stored_result_is_the_result(tmp_path: Path, result: xr.Dataset, name: str) -> None:
    publish(result, tmp_path / name)
    assert names(tmp_path) == [name]
    with open_result(tmp_path / name) as stored:
        assert stored.C_h.chunks is None, "in memory"
        xr.testing.assert_identical(stored, result)


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every store for one that is too large to be read at once."""
    monkeypatch.setattr(stores, "_SMALL", -1)


@pytest.mark.usefixtures("lazy")
def test_a_stored_result_in_other_chunks_is_stored_again(tmp_path: Path, result: xr.Dataset) -> None:
    stored = open_result(publish(result, tmp_path / "first.zarr"))
    again = open_result(publish(stored.chunk(time=3), tmp_path / "second.zarr"))
    assert again.C_h.chunks == ((3, 1), (3,))
    xr.testing.assert_identical(again.compute(), result)


def test_the_manifest_disturbs_nobody(tmp_path: Path, result: xr.Dataset) -> None:
    path = publish(result, tmp_path / "sample.zarr")
    variables = sorted(map(str, result.variables))
    for consolidated in (True, False):
        xr.testing.assert_identical(xr.open_zarr(path, consolidated=consolidated).load(), result)
    group = zarr.open_group(path)
    assert sorted(group.keys()) == variables
    assert sorted(zarr.open_group(path, use_consolidated=False).array_keys()) == variables
    result[["C_h"]].to_zarr(path, append_dim="time")
    assert xr.open_zarr(path).sizes["time"] == 8


def test_a_netcdf_file_with_a_seal_is_a_netcdf_file(tmp_path: Path, result: xr.Dataset) -> None:
    path = publish(result, tmp_path / "sample.nc")
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        xr.testing.assert_identical(stored.load(), result)


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize("change", ["another result", "a byte", "no chunk", "no store"])
def test_a_large_result_holds_what_it_was_opened_with_or_an_error(
    tmp_path: Path, result: xr.Dataset, change: str
) -> None:
    path = publish(result, tmp_path / "sample.zarr")
    stored = open_result(path)
    xr.testing.assert_identical(stored.compute(), result)
    chunk = path / "C_h" / "0.0"
    if change == "another result":
        save_result(result + 1, path, overwrite=True)
    elif change == "a byte":
        chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    elif change == "no chunk":
        chunk.unlink()
    else:
        path.rename(tmp_path / "other.zarr")
    with pytest.raises(StorageError, match=r"sample\.zarr was changed after it was opened, the file C_h/0\.0 .*: open"):
        stored.C_h.load()


@pytest.mark.parametrize("name", ["sample.zarr", "sample.nc"])
def test_a_small_result_in_memory_knows_no_file_any_more(tmp_path: Path, result: xr.Dataset, name: str) -> None:
    path = publish(result, tmp_path / name)
    stored = open_result(path)
    save_result(result + 1, path, overwrite=True)
    xr.testing.assert_identical(stored, result)


def test_every_file_of_a_store_is_verified(tmp_path: Path, result: xr.Dataset) -> None:
    path = publish(result, tmp_path / "sample.zarr")
    files = [file for file in path.rglob("*") if file.is_file() and file.parent.name != ".sitesampler"]
    assert len(files) > 15
    for file in files:
        name = file.relative_to(path).as_posix().replace(".", r"\.")
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(
            StorageError, match=rf"sample\.zarr is damaged .* the file {name} differs: take it from a copy"
        ):
            open_result(path)
        file.write_bytes(data[:-1])
        with pytest.raises(StorageError, match=rf"the file {name} differs"):
            open_result(path)
        file.unlink()
        with pytest.raises(StorageError, match=rf"is incomplete, the file {name} is missing|is not a Zarr store"):
            open_result(path)
        file.write_bytes(data)
    open_result(path)


def test_a_file_that_was_added_is_refused_unless_hidden(tmp_path: Path, result: xr.Dataset) -> None:
    path = publish(result, tmp_path / "sample.zarr")
    (path / ".DS_Store").touch()
    open_result(path)
    (path / "C_h" / "9.9").touch()
    with pytest.raises(StorageError, match=r"the file C_h/9\.9 was added"):
        open_result(path)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "sitesampler": "1", "files": 3}']
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, result: xr.Dataset, damage: bytes) -> None:
    path = publish(result, tmp_path / "sample.zarr")
    (path / ".sitesampler" / ".zattrs").write_bytes(damage)
    with pytest.raises(StorageError, match=r"manifest of .* is damaged"):
        open_result(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path, _: None, "there is no result at"),
        (lambda path, _: path.mkdir(), "is not a Zarr store: it was not written by sitesampler or is incomplete"),
        (lambda path, ds: ds.to_zarr(path, zarr_format=2), "has no manifest: it was not written by sitesampler"),
        (lambda path, _: path.touch(), r"is not a result: that would be a Zarr store \(a folder\) or a NetCDF file"),
    ],
    ids=["nothing", "empty folder", "by somebody else", "a file"],
)
def test_what_is_no_result_is_refused(
    tmp_path: Path, result: xr.Dataset, make: Callable[[Path, xr.Dataset], object], message: str
) -> None:
    make(tmp_path / "sample", result)
    with pytest.raises(StorageError, match=message):
        open_result(tmp_path / "sample")


def test_a_netcdf_file_by_somebody_else_is_refused(tmp_path: Path, result: xr.Dataset) -> None:
    result.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(
        StorageError, match="does not end with a seal: it was not written by sitesampler or is incomplete"
    ):
        open_result(tmp_path / "other.nc")


def test_a_netcdf_file_is_verified(tmp_path: Path, result: xr.Dataset) -> None:
    path = publish(result, tmp_path / "sample.nc")
    data = path.read_bytes()
    for place in range(0, len(data), 101):
        path.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
        with pytest.raises(StorageError):
            open_result(path)
        path.write_bytes(data[:place])
        with pytest.raises(StorageError, match=r"does not end with a seal|its seal is not readable"):
            open_result(path)


def test_other_errors_pass_and_leave_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: xr.Dataset
) -> None:
    publish(result, tmp_path / "x.zarr")

    def broken(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(xr.Dataset, "to_zarr", broken)
    with pytest.raises(PermissionError):
        publish(result + 1, tmp_path / "x.zarr")
    assert names(tmp_path) == ["x.zarr"]
    xr.testing.assert_identical(open_result(tmp_path / "x.zarr").load(), result)


def test_an_error_between_the_two_renames_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: xr.Dataset
) -> None:
    path = publish(result, tmp_path / "x.zarr")
    rename = Path.rename

    def full(source: Path, target: Path) -> Path:
        if target == path and "replaced" not in source.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(DiskFull, match="what had that name before is still there"):
        publish(result + 1, path)
    assert names(tmp_path) == ["x.zarr"]
    xr.testing.assert_identical(open_result(path).load(), result)


@pytest.mark.parametrize("name", ["home.zarr", "home.nc"])
@pytest.mark.parametrize("thing", ["folder", "file", "link", "by somebody else"])
def test_what_is_not_ours_is_not_replaced(tmp_path: Path, result: xr.Dataset, thing: str, name: str) -> None:
    path = tmp_path / name
    if thing == "folder":
        path.mkdir()
    elif thing == "file":
        path.write_text("years of work")
    elif thing == "link":
        path.symlink_to(publish(result, tmp_path / "elsewhere.zarr"))
    elif name.endswith(".nc"):
        result.drop_vars("lambda").to_netcdf(path, engine="h5netcdf")
    else:
        result.to_zarr(path, zarr_format=2)
    before = names(tmp_path)
    with pytest.raises(StorageError, match=rf"{name} is there already and is no .* that sitesampler wrote: choose"):
        publish(result, path)
    assert names(tmp_path) == before


@pytest.mark.parametrize("name", ["new/folder/sample.zarr", "new/folder/sample.nc"])
def test_what_was_written_with_xarray_is_stored_again_for_sitesampler(
    tmp_path: Path, result: xr.Dataset, name: str
) -> None:
    plain = result.drop_vars("lambda")
    plain.to_netcdf(tmp_path / "r.nc", engine="h5netcdf", encoding={"C_h": {"zlib": True, "chunksizes": (2, 3)}})
    with pytest.raises(
        StorageError, match=r"r\.nc does not end .*; open it with xarray and pass the dataset itself, or"
    ):
        open_result(tmp_path / "r.nc")
    with xr.open_dataset(tmp_path / "r.nc", engine="h5netcdf") as opened:
        path = save_result(opened, str(tmp_path / name))
    for _ in range(2):  # also onto itself
        with open_result(path) as stored:
            xr.testing.assert_identical(stored.compute(), plain)
            save_result(stored, path, overwrite=True)
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("dataset", "path", "says"),
    [
        (xr.Dataset(), "r.h5", r"the name of a stored result ends with \.zarr or \.nc, and r\.h5 does not"),
        (xr.Dataset(), "/dev/null/r.nc", r"/dev/null/r\.nc cannot be written: "),
        (xr.Dataset(), "", "a result is stored under a path, not ''"),
        *(
            (
                xr.Dataset(attrs={"x": value}),
                f"r.{kind}",
                rf"r\.{kind} cannot hold the attribute 'x' of the dataset, which",
            )
            for kind, values in {
                "nc": ({"y": 1}, None, True, 2**70, "a\0b", [1, "a"], np.datetime64("2020")),
                "zarr": (object(), b"q", 1j),
            }.items()
            for value in values
        ),
        (xr.Dataset({"C": ((), 1.0, {3: "q"})}), "r.nc", r"cannot hold the attribute 3 of C, which is 'q'"),
        ([1.0], "r.nc", r"save_result stores a dataset, such as sample returns, not \[1\.0\]"),
    ],
)
def test_what_cannot_be_saved_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Any, path: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=says):
        save_result(dataset, path)
