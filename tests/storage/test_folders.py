"""Folders for results: one run in each at a time, and what killed runs left half written is cleared away."""

import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from files import names, run

from sitesampler.errors import InputError, StorageError
from sitesampler.storage import folders, writing
from sitesampler.storage.folders import LOCK, hold, lock_folder, make_folder
from sitesampler.storage.stores import open_result, publish
from sitesampler.storage.writing import claim, release


@pytest.fixture
def result() -> xr.Dataset:
    return xr.Dataset({"C_h": (("time", "lag"), np.arange(12.0).reshape(4, 3))})


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from sitesampler.errors import StorageError
from sitesampler.storage.folders import lock_folder
try:
    with lock_folder(Path(sys.argv[1])):
        print("in")
except StorageError as error:
    print(error)
"""
    with lock_folder(tmp_path) as folder:
        (folder / ".sample.zarr.00000000000000aa.sitesampler-writing").mkdir()
        assert run(code, folder) == (
            f"the output folder {folder} is in use by another run (process {os.getpid()} on {socket.gethostname()}): "
            f"wait for it to end or choose another folder\n"
        )
        assert ".sample.zarr.00000000000000aa.sitesampler-writing" in names(folder), (
            "the second run touches nothing of the first"
        )
    assert run(code, tmp_path) == "in\n"


def test_a_folder_is_made_and_left_overs_are_cleared_away(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "new" / "folder")
    (folder / ".sample.zarr.00000000000000aa.sitesampler-writing" / "C_h").mkdir(parents=True)
    (folder / ".state.npz.00000000000000aa.sitesampler-writing").touch()
    (folder / "kept.zarr").mkdir()
    make_folder(folder)
    assert len(names(folder)) == 3, "only who holds the lock may clear it"
    with lock_folder(folder):
        assert names(folder) == [LOCK, "kept.zarr"]
    assert names(folder) == ["kept.zarr"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writer that is killed is a fork")
def test_a_writer_that_is_killed_at_any_file_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: xr.Dataset
) -> None:
    """Zarr writes each file under another name, and a kill may come before any of them gets the right one."""
    publish(result, tmp_path / "x.zarr")
    given = 0

    def killed_before(number: int) -> bool:
        if (process := os.fork()) == 0:
            replace = Path.replace

            def counted(path: Path, target: Path) -> Path:
                nonlocal given
                given += 1
                return replace(path, target) if given <= number else os._exit(9)

            monkeypatch.setattr(Path, "replace", counted)
            publish(result + 1, tmp_path / "x.zarr")
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9

    number = 0
    while killed_before(number):
        assert len(names(tmp_path)) == 2, "what is half written"
        with lock_folder(tmp_path):
            xr.testing.assert_identical(open_result(tmp_path / "x.zarr"), result)
        assert names(tmp_path) == ["x.zarr"]
        number += 1
    assert number >= 5, "files of a store"
    xr.testing.assert_identical(open_result(tmp_path / "x.zarr"), result + 1)


def test_a_run_killed_between_two_renames_loses_nothing(tmp_path: Path, result: xr.Dataset) -> None:
    publish(result, tmp_path / "new").rename(tmp_path / ".x.zarr.00000000000000ab.sitesampler-writing")
    publish(result + 1, tmp_path / "old").rename(tmp_path / ".x.zarr.00000000000000ab.replaced.sitesampler-writing")
    with lock_folder(tmp_path):
        xr.testing.assert_identical(open_result(tmp_path / "x.zarr").load(), result)
    assert names(tmp_path) == ["x.zarr"]


def test_a_store_that_was_being_removed_is_not_taken_for_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: xr.Dataset
) -> None:
    """A removal is killed when it has begun, and nothing of that name is there any more when the next run comes."""
    path = publish(result, tmp_path / "x.zarr")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    publish(result + 1, path)
    monkeypatch.undo()
    assert len(names(tmp_path)) == 2, "the replaced one is still there"
    shutil.rmtree(path)
    with lock_folder(tmp_path):
        assert names(tmp_path) == [LOCK]


def test_where_there_are_no_locks_a_run_goes_on_and_nothing_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".sample.zarr.00000000000000aa.sitesampler-writing").mkdir()
    monkeypatch.setattr(folders, "fcntl", None)
    monkeypatch.setattr(writing, "fcntl", None)
    with lock_folder(tmp_path), lock_folder(tmp_path):
        assert names(tmp_path) == [".sample.zarr.00000000000000aa.sitesampler-writing"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match=r"output folder .* cannot be written: Not a directory"):
        make_folder(file / "inside")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the output folder .*file is a file: name a folder, which may be a new one"):
        make_folder(tmp_path / "file")


def test_what_is_not_ours_or_is_being_written_is_not_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".thesis.12.writing").touch()
    for name in (".paths.zarr.00000000000000aa.sitesampler-writing", ".dead.zarr.00000000000000ab.sitesampler-writing"):
        (tmp_path / name).mkdir()
    claim(tmp_path / ".paths.zarr.00000000000000aa.sitesampler-writing")
    with lock_folder(tmp_path):
        assert names(tmp_path) == [
            ".paths.zarr.00000000000000aa.sitesampler-writing", LOCK, ".thesis.12.writing",
        ]  # fmt: skip
    release(tmp_path / ".paths.zarr.00000000000000aa.sitesampler-writing")
    with lock_folder(tmp_path):
        assert names(tmp_path) == [LOCK, ".thesis.12.writing"]


def test_a_lock_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("my key")
    with (
        pytest.raises(StorageError, match=r"is not the lock that sitesampler keeps there: move it away"),
        lock_folder(tmp_path),
    ):
        pass
    assert (tmp_path / LOCK).read_text() == "my key"


def test_a_run_may_be_nested_in_the_folder_of_another_that_holds_it(tmp_path: Path) -> None:
    """As the calls of a study and of a sweep are."""
    with lock_folder(tmp_path), hold(tmp_path / "checkpoint", tmp_path / "paths.zarr"):
        for again, sentence in (
            (
                hold(tmp_path / "checkpoint", None),
                r"the checkpoint folder .* is in use by another run .* another folder",
            ),
            (hold(None, tmp_path / "paths.zarr"), r"the export .*paths\.zarr is in use by another run .* another name"),
        ):
            with pytest.raises(StorageError, match=sentence), again:
                pass
    assert names(tmp_path) == ["checkpoint"] and names(tmp_path / "checkpoint") == []
