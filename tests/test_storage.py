"""Storage: a name that exists is complete, whatever happened while it was written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sitesampler.errors import InputError
from sitesampler.storage import make_folder, publish


def test_a_dataset_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    old = xr.Dataset({"x": ("time", rng.normal(size=3))})
    publish(old, tmp_path / "x.zarr")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", full)
    with pytest.raises(OSError, match="No space"):
        publish(old + 1, tmp_path / "x.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    with xr.open_zarr(tmp_path / "x.zarr") as stored:
        xr.testing.assert_identical(stored.load(), old)


def test_a_folder_is_made_and_left_overs_are_swept(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "new" / "folder")
    (folder / ".sample.zarr.1.writing" / "C_h").mkdir(parents=True)
    (folder / "kept.zarr").mkdir()
    make_folder(folder)
    assert [path.name for path in folder.iterdir()] == ["kept.zarr"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match=r"output folder .* cannot be written: Not a directory"):
        make_folder(file / "inside")
