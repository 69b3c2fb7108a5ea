"""Trajectories of a whole population: what is stored is what chunks and marches have run, under labels of its own."""

import subprocess
import sys
import textwrap
import warnings
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from iterated import exploding, identical

import sitesampler as ss
from sitesampler.compute.workers import Workers
from sitesampler.errors import DiskFull, InputError, NotFinite, StorageError
from sitesampler.runs.iteration import ChunksLeftOut, NotConverged
from sitesampler.storage.folders import LOCK

RNN: dict[str, Any] = {"scheme": "euler", "g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 1.0}
#: A march of 3 replicas, and iterations of 2 with chunks of 40.
KINDS: dict[str, dict[str, Any]] = {
    "march": {"population": 40, "replicas": 3},
    "iterations": {"population": 120, "chunk": 40, "replicas": 2, "iterations": 1},
}
#: Sites of the first march or chunk that a result keeps: evenly spaced.
KEPT = np.arange(16) * 40 // 16


def exported(path: Path, kind: str, program: Any = ss.models.random_rnn, **changes: Any) -> xr.Dataset:
    """Run, and return the result; the trajectories are in the store."""
    options: dict[str, Any] = {**KINDS[kind], "seed": 1, "progress": False, "keep": "all", "export": path}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return ss.sample(program, **{**options, **(RNN if program is ss.models.random_rnn else {}), **changes})


def kept(kind: str, keep: int = 16, **changes: Any) -> xr.Dataset:
    """Run the same without a store."""
    return exported(Path(), kind, keep=keep, export=None, **changes)


# ------------------------------------------------------------------------------------------------------- the values
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_holds_all_sites_in_the_order_of_replicas(kind: str, tmp_path: Path) -> None:
    ds = exported(tmp_path / "all.zarr", kind)
    store = ss.open_result(tmp_path / "all.zarr")
    sites = KINDS[kind]["replicas"] * KINDS[kind]["population"]
    few = kept(kind)
    for name in ("h", "phi"):
        values = store[f"trajectory_{name}"]
        assert values.dims == ("site", "time") and values.shape == (sites, 6)
        assert np.isfinite(values.values).all()
        np.testing.assert_array_equal(values.values[KEPT], few[f"trajectory_{name}"].values)
        np.testing.assert_array_equal(ds[f"trajectory_{name}"].values, values.values)
    np.testing.assert_allclose(np.tanh(store.trajectory_h.values), store.trajectory_phi.values, rtol=1e-12)
    # Nobody's trajectory is stored twice.
    assert len(np.unique(store.trajectory_h.values[:, 0])) == sites


def test_averages_over_a_march_are_those_of_its_result(tmp_path: Path) -> None:
    """Of a single replica: with several, the bias that the population has is measured and removed."""
    ds = exported(tmp_path / "all.zarr", "march", replicas=1)
    paths = ds.trajectory_h.values
    np.testing.assert_allclose(paths.T @ paths / len(paths), ds.C_h.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(paths.mean(0), ds.h_mean.values, rtol=0, atol=1e-12)
    rest = kept("march", replicas=1).drop_vars(["trajectory_h", "trajectory_phi"])
    for name in rest.data_vars:
        assert rest[name].values.tobytes() == ds[name].values.tobytes()


def test_averages_over_the_last_iteration_are_those_of_its_result_where_it_alone_was_recorded(tmp_path: Path) -> None:
    ds = exported(tmp_path / "all.zarr", "iterations", order_parameters="cold", replicas=1)
    assert ds.attrs["iterations"] == 1 and ds.change.values[0] > 2, "the first iteration must not be recorded"
    paths = ds.trajectory_h.values
    np.testing.assert_allclose(paths.T @ paths / len(paths), ds.C_h.values, rtol=0, atol=1e-12)
    # Chunk after chunk: each with draws of its own, of average square 1.
    np.testing.assert_allclose((paths[:, 0].reshape(3, 40) ** 2).mean(1), 1.0, rtol=0, atol=1e-12)


def test_the_values_do_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for count in (1, 5):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=count: set(range(n)))
        results.append(exported(tmp_path / f"{count}.zarr", "iterations").load())
    assert identical(*results)


# ------------------------------------------------------------------------------------------------------- the labels
@pytest.mark.parametrize("kind", KINDS)
def test_an_analyst_opens_it_with_labels_units_and_no_sign_of_chunks(kind: str, tmp_path: Path) -> None:
    exported(tmp_path / "all.zarr", kind)
    with xr.open_zarr(tmp_path / "all.zarr") as store:
        assert set(store.data_vars) == {"trajectory_h", "trajectory_phi"} and set(store.coords) == {"time"}
        np.testing.assert_allclose(store.time.values, [0, 0.2, 0.4, 0.6, 0.8, 1.0])
        assert store.trajectory_h.attrs == {"long_name": "single-site trajectories of h", "units": "1"}
        assert store.time.attrs["long_name"] == "time" and "units" in store.time.attrs
        assert "chunk" not in store.attrs and "keep" not in store.attrs
        assert store.attrs["program"] == "random_rnn" and store.attrs["seed"] == 1
        # Lazy, in pieces of the chunks it was written in.
        assert store.trajectory_h.chunks is not None and store.trajectory_h.chunks[0][0] == 40


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_inner_columns_have_dimensions_of_their_own(kind: str, tmp_path: Path) -> None:
    network = {"program": ss.models.deep_network, "depth": 2, "steps": 2, "outlier_times": ()}
    exported(tmp_path / "all.zarr", kind, **network)
    store = ss.open_result(tmp_path / "all.zarr")
    few = kept(kind, **network)
    sites = KINDS[kind]["replicas"] * KINDS[kind]["population"]
    for name in ("h", "phi", "g"):
        values, expected = store[f"trajectory_{name}"], few[f"trajectory_{name}"]
        assert dict(values.sizes) == {"layer": 2, values.dims[1]: sites, "time": 3, "input": 2}
        assert values.dims == expected.dims
        first = values.isel({values.dims[1]: KEPT})
        np.testing.assert_array_equal(first.values, expected.values)
    assert store.layer.values.tolist() == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_each_group_has_sites_under_its_own_name(kind: str, tmp_path: Path) -> None:
    data = {"program": ss.models.regression_flow, "alpha": 1.5, "dt": 0.25, "duration": 1.0}
    exported(tmp_path / "all.zarr", kind, every=2, **data)
    store, few = ss.open_result(tmp_path / "all.zarr"), kept(kind, every=2, **data)
    assert store.trajectory_h.dims == ("feature", "time") and store.trajectory_delta.dims == ("datum", "time")
    for name in ("trajectory_h", "trajectory_delta"):
        np.testing.assert_array_equal(store[name].values[KEPT], few[name].values)
    assert store.time.values.tolist() == [0.0, 0.5, 1.0]


def test_single_precision_is_stored_as_such(tmp_path: Path) -> None:
    for kind in KINDS:
        assert exported(tmp_path / f"{kind}.zarr", kind, dtype="float32").trajectory_h.dtype == np.float32


# ----------------------------------------------------------------------------------------------- what is refused
def only_numbers(net: Any) -> None:
    x = net.sites().normal()
    for n in net.steps(2):
        net.record(n, size=net.overlap(x, x))


def at_different_times(net: Any) -> None:
    x = net.sites().normal()
    for n in net.steps(4):
        net.record(n, often=x)
        if n == 2:
            net.record(n, once=x)


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_stored_is_refused_before_any_work(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    for program, sentence in (
        (only_numbers, 'keep="all" stores site vectors, and the program records numbers only'),
        (at_different_times, "needs all vectors recorded at the same times, and 'once' is recorded 1 times where"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            exported(tmp_path / "all.zarr", kind, program)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_population_that_is_not_made_of_whole_chunks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    with pytest.raises(InputError, match=r"use a population that is a multiple of the chunk, such as 120 for chunks"):
        exported(tmp_path / "all.zarr", "iterations", population=101)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_trajectories_that_would_not_fit_on_the_disk_are_refused_with_the_number(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**6, 10**6 - 4800, 4800))
    # Two vectors of 6 times and 8 bytes: 96 bytes a site.
    with pytest.raises(DiskFull, match=r"need up to 0\.00 GiB and .* keep at most 50 sites") as caught:
        exported(tmp_path / "all.zarr", kind)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------- when a run goes wrong
def test_a_chunk_that_diverges_leaves_no_half_store(tmp_path: Path) -> None:
    start = kept("iterations", program=exploding, threshold=99.0)
    with pytest.raises(NotFinite):
        exported(tmp_path / "all.zarr", "iterations", exploding, threshold=2.2, order_parameters=start)
    assert not list(tmp_path.iterdir())


def test_sites_of_chunks_that_were_left_out_are_not_a_number(tmp_path: Path) -> None:
    """The others keep their places."""
    start = kept("iterations", program=exploding, threshold=99.0)
    options: dict[str, Any] = {"threshold": 2.6, "order_parameters": start, "keep_going": True, "seed": 3}
    with pytest.warns(ChunksLeftOut):
        ds = exported(tmp_path / "all.zarr", "iterations", exploding, **options)
    store = ss.open_result(tmp_path / "all.zarr").trajectory_h.values.reshape(6, 40, 5)
    lost = [bool(np.isnan(chunk).all()) for chunk in store]
    assert 0 < sum(lost) < 6 and all(
        np.isfinite(chunk).all() for chunk, out in zip(store, lost, strict=True) if not out
    )
    assert "failed_chunks" in ds.attrs and np.isfinite(ds.C_h.values).all()


KILLED = """
    import os, signal, sys, warnings
    import sitesampler as ss
    from sitesampler.storage.trajectories import TrajectoryStore

    finish = TrajectoryStore.finish
    TrajectoryStore.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    warnings.simplefilter("ignore")
    ss.sample(ss.models.random_rnn, **{options})
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_leaves_nothing_under_the_name_of_the_store(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "all.zarr"
    options = {**RNN, **KINDS[kind], "seed": 1, "keep": "all", "export": str(path)}
    text = textwrap.dedent(KILLED.format(options=options))
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert ended.returncode == -9, ended.stderr
    assert not path.exists() and all(left.name.endswith(("-writing", ".lock")) for left in tmp_path.iterdir())
    exported(path, kind)
    assert [left.name for left in tmp_path.iterdir()] == ["all.zarr"], "what was half written is gone"
    assert ss.open_result(path).sizes["site"] == 40 * (3 if kind == "march" else 6)


# --------------------------------------------------------------------------------------- what is not ours stays
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("thing", ["folder", "file", "stored NetCDF", "link", "Zarr of somebody else"])
def test_what_sitesampler_did_not_write_is_never_replaced(
    thing: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "home"
    if thing == "folder":
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")
    elif thing == "file":
        path.write_text("years of work")
    elif thing == "stored NetCDF":
        ss.save_result(xr.Dataset({"x": ("time", [1.0])}), tmp_path / "home.nc").rename(path)
    elif thing == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        xr.Dataset({"x": ("time", [1.0])}).to_zarr(path, zarr_format=2)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    with pytest.raises(StorageError, match=r"home is there already and is no store that sitesampler wrote: choose"):
        exported(path, kind)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_appears_during_a_run_under_the_name_of_its_store_stays(tmp_path: Path) -> None:
    def slow(net: Any) -> None:
        h = net.sites().normal()
        (tmp_path / "all.zarr").mkdir(exist_ok=True)
        for n in net.steps(2):
            net.record(n, h=h)

    with pytest.raises(StorageError, match="is there already"):
        exported(tmp_path / "all.zarr", "march", slow)
    assert [path.name for path in tmp_path.iterdir()] == ["all.zarr"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_of_an_earlier_run_is_replaced_only_if_that_is_said(kind: str, tmp_path: Path) -> None:
    exported(tmp_path / "all.zarr", kind, seed=1)
    with pytest.raises(StorageError, match=r"all\.zarr is there already, and would be replaced: say overwrite=True"):
        exported(tmp_path / "all.zarr", kind, seed=2)
    assert ss.open_result(tmp_path / "all.zarr").attrs["seed"] == 1
    exported(tmp_path / "all.zarr", kind, seed=2, overwrite=True)
    assert ss.open_result(tmp_path / "all.zarr").attrs["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["all.zarr"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_into_the_same_store_is_refused(kind: str, tmp_path: Path) -> None:
    """A second call, from within the first one: it does not get as far as its own second call."""
    refused: list[str] = []

    def nested(net: Any) -> None:
        h = net.sites().normal()
        if (tmp_path / f".all.zarr{LOCK}").exists() and not refused:
            refused.append("")
            with pytest.raises(StorageError) as caught:
                exported(tmp_path / "all.zarr", kind, nested)
            refused[0] = str(caught.value)
        for n in net.steps(2):
            net.record(n, h=h)

    exported(tmp_path / "all.zarr", kind, nested)
    assert f"the export {tmp_path / 'all.zarr'} is in use by another run (process " in refused[0]
    assert [path.name for path in tmp_path.iterdir()] == ["all.zarr"]
