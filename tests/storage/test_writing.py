"""What all files have in common: the number of the format, and a full disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from files import run

from sitesampler.errors import DiskFull, SiteSamplerError, StorageError
from sitesampler.storage import writing
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import open_result, publish


@pytest.mark.parametrize("name", ["sample.zarr", "sample.nc", "state.npz"])
def test_a_newer_format_is_refused_with_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: xr.Dataset, name: str
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(writing, "FORMAT", 2)
        newer.setattr(writing, "__version__", "7.0")
        if name == "state.npz":
            write_state(tmp_path / name, {}, {})
        else:
            publish(result, tmp_path / name)
    read: Callable[[Path], Any] = read_state if name == "state.npz" else open_result
    ours = writing.__version__.replace(".", r"\.")
    with pytest.raises(
        StorageError,
        match=rf"is in format 2, written by sitesampler 7\.0; this is sitesampler {ours}, .* up to format 1",
    ):
        read(tmp_path / name)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    # The kernel refuses to let a file grow beyond a limit, as it refuses on a full disk, at whatever write that is.
    pytest.importorskip("resource")
    code = """
import resource, signal, sys
from pathlib import Path
import numpy as np, xarray as xr
from sitesampler.errors import DiskFull
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import publish, open_result

folder = Path(sys.argv[1])
noise = np.random.default_rng(1).normal(size=5000)
dataset = xr.Dataset({"x": ("time", noise)})
writers = {
    "x.zarr": lambda path, n: publish(dataset[{"time": slice(n)}], path),
    "x.nc": lambda path, n: publish(dataset[{"time": slice(n)}], path),
    "x.npz": lambda path, n: write_state(path, {"x": noise[:n]}, {}),
}
for name, write in writers.items():
    write(folder / name, 10)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for name, write in writers.items():
    try:
        write(folder / name, 5000)
    except DiskFull as error:
        print(error)
print(open_result(folder / "x.zarr").sizes["time"], open_result(folder / "x.nc").sizes["time"])
print(read_state(folder / "x.npz")[0]["x"].shape, *sorted(path.name for path in folder.iterdir()))
"""
    *errors, sizes, rest = run(code, tmp_path).splitlines()
    for name, error in zip(["x.zarr", "x.nc", "x.npz"], errors, strict=True):
        assert error.startswith(f"{tmp_path / name} could not be written (File too large, ")
        assert error.endswith(
            " GiB free): make room or choose another folder; what had that name before is still there"
        )
    assert (sizes, rest) == ("10 10", "(10,) x.nc x.npz x.zarr")


def test_a_full_disk_is_ours_and_an_oserror() -> None:
    assert issubclass(DiskFull, SiteSamplerError)
    assert issubclass(DiskFull, OSError)
    assert str(DiskFull("x is full")) == "x is full"
