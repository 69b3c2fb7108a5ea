"""Trajectories: one store, filled by many workers in any order, that shows nothing of how it was filled."""

import itertools
import pickle
import resource
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from sitesampler.errors import DiskFull, StorageError
from sitesampler.storage import trajectories
from sitesampler.storage.stores import open_result, publish
from sitesampler.storage.trajectories import Trajectory, TrajectoryStore

SITES, CHUNK = 10, 4  # the last chunk is shorter
H = Trajectory("h", ("site", "time"), (SITES, 5), "float64", {"long_name": "input", "units": "1"})
PHI = Trajectory(
    "phi", ("layer", "neuron", "time"), (2, SITES, 5), "complex128", {"long_name": "rate", "units": "1"}, "neuron"
)
COORDS: dict[str, Any] = {
    "time": ("time", np.linspace(0, 1, 5), {"long_name": "time", "units": "1"}),
    "layer": ("layer", [1, 2], {"long_name": "layer", "units": "1"}),
    "step": ((), 0.25, {"long_name": "time step", "units": "1"}),
}
STARTS = range(0, SITES, CHUNK)


def values_of(each: Trajectory) -> NDArray[Any]:
    count = np.arange(np.prod(each.shape)).reshape(each.shape)
    values = (count * (1 + 2j if each.dtype == "complex128" else 1)).astype(each.dtype)
    values[count % 7 == 3] = np.nan
    return values


def write_chunk(store: TrajectoryStore, each: Trajectory, start: int) -> dict[str, tuple[int, str]]:
    part = [slice(None)] * len(each.shape)
    part[each.axis] = slice(start, start + store.chunk)
    return store.write(each.name, values_of(each)[tuple(part)], start)


@pytest.fixture
def store(tmp_path: Path) -> TrajectoryStore:
    return TrajectoryStore.create(tmp_path / "trajectories.zarr", [H, PHI], CHUNK)


def filled(store: TrajectoryStore) -> dict[str, tuple[int, str]]:
    entries: dict[str, tuple[int, str]] = {}
    for each, start in itertools.product(store.trajectories, STARTS):
        entries |= write_chunk(store, each, start)
    return entries


def expected() -> xr.Dataset:
    trajectories = {each.name: (each.dims, values_of(each), each.attrs) for each in (H, PHI)}
    return xr.Dataset(trajectories, COORDS, {"Conventions": "CF-1.11", "title": "a test"})


# --------------------------------------------------------------------------------------------------------- many workers
@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_workers_write_in_any_order(store: TrajectoryStore, workers: str, rng: np.random.Generator) -> None:
    tasks = list(itertools.product(store.trajectories, STARTS))
    rng.shuffle(tasks)
    pool = ProcessPoolExecutor(2, get_context("spawn")) if workers == "processes" else ThreadPoolExecutor(4)
    with pool:
        parts = pool.map(write_chunk, [store] * len(tasks), *zip(*tasks, strict=True))
        entries = {name: entry for part in parts for name, entry in part.items()}
    dataset = store.finish(COORDS, {"title": "a test"}, entries)
    xr.testing.assert_identical(dataset.compute(), expected())
    assert entries == filled(TrajectoryStore.create(store.path.with_name("alone.zarr"), [H, PHI], CHUNK))


def test_what_the_analyst_opens_is_lazy_labelled_and_shows_no_chunks(store: TrajectoryStore) -> None:
    dataset = store.finish(COORDS, {"title": "a test"}, filled(store))
    xr.testing.assert_identical(open_result(store.path), expected())
    for opened in (dataset, xr.open_zarr(store.path)):
        assert opened.phi.chunks == ((2,), (4, 4, 2), (5,))
        xr.testing.assert_identical(opened.compute(), expected())
        assert opened.h.attrs == {"long_name": "input", "units": "1"}
    assert [path.name for path in store.path.parent.iterdir()] == ["trajectories.zarr"]
    np.testing.assert_allclose(dataset.h.mean("site").compute(), np.nanmean(values_of(H), axis=0))


def test_a_chunk_written_twice_is_the_same(store: TrajectoryStore) -> None:
    entries = filled(store)
    assert filled(store) == entries
    xr.testing.assert_identical(store.finish(COORDS, {"title": "a test"}, entries).compute(), expected())
    xr.testing.assert_identical(open_result(store.path).compute(), expected())


def test_sites_that_are_all_nan_are_not_missing(store: TrajectoryStore) -> None:
    entries = filled(store) | store.write("h", np.full((CHUNK, 5), np.nan), 0)
    dataset = store.finish(COORDS, {}, entries)
    assert np.isnan(dataset.h[:CHUNK]).all()
    xr.testing.assert_equal(open_result(store.path).h[CHUNK:].compute(), expected().h[CHUNK:])


def test_what_a_killed_worker_left_is_removed(store: TrajectoryStore) -> None:
    entries = filled(store)
    half = store.writing / "h" / "0.0.1f2e3d.partial"
    half.write_bytes(b"half a piece")
    store.finish(COORDS, {"title": "a test"}, entries)
    xr.testing.assert_identical(open_result(store.path).compute(), expected())
    assert not (store.path / "h" / half.name).exists()


def test_missing_sites_are_refused_with_their_number(store: TrajectoryStore) -> None:
    entries = filled(store)
    for lost in ("phi/0.1.0", "phi/0.2.0"):
        (store.writing / lost).unlink()
    with pytest.raises(StorageError, match=r"6 of 10 sites of phi are missing, the first of them site 4"):
        store.finish(COORDS, {}, entries)
    assert not store.path.exists()
    for start in STARTS:
        entries |= write_chunk(store, PHI, start)
    store.finish(COORDS, {}, entries)
    open_result(store.path)


def test_an_older_store_is_replaced_only_by_a_complete_one(tmp_path: Path) -> None:
    old = publish(xr.Dataset({"x": ("time", [1.0])}), tmp_path / "trajectories.zarr")
    store = TrajectoryStore.create(old, [H], CHUNK)
    entries = write_chunk(store, H, 0)
    assert open_result(old).x == 1
    store.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["trajectories.zarr"]
    store = TrajectoryStore.create(old, [H], CHUNK)
    for start in STARTS:
        entries |= write_chunk(store, H, start)
    store.finish({}, {}, entries)
    assert list(open_result(old)) == ["h"]
    assert [path.name for path in tmp_path.iterdir()] == ["trajectories.zarr"]


def test_a_chunk_that_does_not_fit_its_place_is_refused(store: TrajectoryStore) -> None:
    for shape, start in (((4, 5), 2), ((4, 5), 8), ((3, 5), 0), ((4, 5), 12), ((4, 4), 0)):
        with pytest.raises(ValueError, match=r"must have the shape .* and begin at a multiple of 4"):
            store.write("h", np.zeros(shape), start)


def test_a_store_travels_to_workers_by_pickle(store: TrajectoryStore) -> None:
    assert pickle.loads(pickle.dumps(store)) == store
    assert len(pickle.dumps(store)) < 2000


# ---------------------------------------------------------------------------------------------------------------- sizes
def test_what_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 30))
    large = Trajectory("h", ("site", "time"), (1 << 20, 512), "float64", {})  # 4 GiB
    with pytest.raises(
        DiskFull, match=r"1,048,576 sites need up to 4\.00 GiB .* has 3\.00 GiB free: keep at most 786,432 sites"
    ):
        TrajectoryStore.create(tmp_path / "not" / "there" / "trajectories.zarr", [large], 1000)
    assert list(tmp_path.iterdir()) == []


def test_pieces_are_whole_chunks_of_sites_and_of_moderate_size() -> None:
    assert H.pieces(CHUNK) == (4, 5)
    assert H.pieces(100) == (10, 5)
    long = Trajectory("J", ("layer", "site", "time", "input"), (3, 10**6, 401, 2), "float64", {})
    assert long.pieces(10_000) == (3, 10_000, 26, 2)  # 12 MB


def test_values_cut_along_time_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "_LARGEST", 100)
    assert H.pieces(CHUNK) == (4, 3)
    store = TrajectoryStore.create(tmp_path / "trajectories.zarr", [H, PHI], CHUNK)
    entries = filled(store)
    assert len(entries) == 3 * 2 + 3 * 2 * 5
    xr.testing.assert_identical(store.finish(COORDS, {"title": "a test"}, entries).compute(), expected())


def test_memory_is_that_of_a_chunk(tmp_path: Path) -> None:
    """A store of 240 MB is written and read by a process that never grows by half of that."""
    each = Trajectory("h", ("site", "time"), (30_000, 1000), "float64", {})
    values = np.random.default_rng(1).normal(size=(1000, 1000))

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    store = TrajectoryStore.create(tmp_path / "trajectories.zarr", [each], 1000)
    entries = store.write("h", values, 0)
    before = peak()
    for start in range(1000, each.sites, 1000):
        entries |= store.write("h", values, start)
    dataset = store.finish({}, {}, entries)
    assert dataset.nbytes == 240e6
    assert open_result(store.path).h[:, 0].std().compute() == pytest.approx(values[:, 0].std())
    assert peak() - before < 120e6


# ---------------------------------------------------------------------------------------------------------- other tools
def test_an_export_that_is_small_goes_to_netcdf(store: TrajectoryStore, tmp_path: Path) -> None:
    dataset = store.finish(COORDS, {"title": "a test"}, filled(store))
    publish(dataset, tmp_path / "trajectories.nc")
    with open_result(tmp_path / "trajectories.nc") as opened:
        xr.testing.assert_identical(opened.compute(), expected())


def test_a_full_disk_while_a_worker_writes_is_one_sentence(
    store: TrajectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        with pytest.raises(DiskFull, match=r"trajectories\.zarr could not be written \(File too large"):
            write_chunk(store, H, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    store.abandon()
    assert list(store.path.parent.iterdir()) == []
