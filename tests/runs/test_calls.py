"""The two calls: same seed same bits, options, attributes, storage, and what is kept of a run that goes wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import xarray as xr

import sitesampler as ss
from sitesampler.errors import NotFinite, PopulationTooSmall
from sitesampler.runs.march import replica_of, run_replica
from sitesampler.runs.options import DEFAULT_TOLERANCE, Placed, Simulated
from sitesampler.runs.task import prepare
from sitesampler.storage.stores import publish
from sitesampler.vectors.kernels import BLOCK


def mixed(net: Any, *, duration: float = 1.0, gain: float = 1.2) -> None:
    """Say a bit of everything: two groups, both directions, partial symmetry, updates, inner columns, numbers."""
    neurons, data = net.sites(), net.sites(0.5, name="datum")
    J, W = net.coupling(neurons, gain=gain, symmetry=0.4), net.coupling(data, neurons)
    h = neurons.normal(2)
    for t in net.clock(duration, 0.1):
        y = np.tanh(W @ h + 0.1 * data.uniform(2))
        net.record(t, h=h, y=y, q=net.overlap(h, h))
        h = h + 0.1 * (np.maximum(J @ h, 0) + J.T @ np.tanh(h) - W.T @ y - h)
        W.add(y, h, strength=0.05)


def assert_same_bits(one: xr.Dataset, two: xr.Dataset) -> None:
    xr.testing.assert_identical(one.drop_attrs(), two.drop_attrs())


WORLD_CALLS = {
    "ensemble": lambda **p: ss.sample(mixed, population=2 * BLOCK + 100, **p),
    "matrix": lambda **p: ss.simulate(mixed, size=150, **p),
    "exact law": lambda **p: ss.simulate(mixed, size=2 * BLOCK + 100, matrix=False, **p),
}


@pytest.mark.parametrize("world", WORLD_CALLS)
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(
    world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More samples than a block: threads within a replica, and replicas side by side."""
    found = []
    for at_once, lanes in ((1, 1), (1, 2), (2, 1), (2, 3)):
        monkeypatch.setattr(Placed, "share", lambda self, pieces, shared=(at_once, lanes): shared)
        found.append(WORLD_CALLS[world](replicas=2, seed=7, keep=5, duration=0.5))
    for other in found[1:]:
        assert_same_bits(found[0], other)
    different = WORLD_CALLS[world](replicas=2, seed=8, keep=5, duration=0.5)
    assert not np.array_equal(different.C_h, found[0].C_h)


def test_replica_r_does_not_depend_on_how_many_there_are() -> None:
    one, two, three = (ss.simulate(mixed, size=300, matrix=False, replicas=count, seed=1) for count in (1, 2, 3))
    np.testing.assert_array_equal(one.trajectory_h, three.trajectory_h)
    # The mean over r replicas, times r, minus that of the earlier ones, is replica r.
    second = 2 * two.C_h - one.C_h
    third = 3 * three.C_h - 2 * two.C_h
    task = prepare(mixed, {}, Simulated(size=300, matrix=False, seed=1, tolerance=DEFAULT_TOLERANCE))
    for replica, found in ((1, second), (2, third)):  # in any order, in any thread
        alone = run_replica(task, replica_of(task, replica), lambda steps: None).variables["C_h"].values
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits() -> None:
    """Two worker processes; what they sample is what this process samples."""
    from distributed import Client, LocalCluster

    here = ss.sample(mixed, population=BLOCK + 10, replicas=3, seed=3, duration=0.5)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        there = ss.sample(mixed, population=BLOCK + 10, replicas=3, seed=3, duration=0.5, client=client)
        networks = ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, duration=1, client=client)
    assert_same_bits(here, there)
    assert_same_bits(networks, ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, duration=1))


def test_a_seed_of_its_own_is_recorded_and_repeats_the_run() -> None:
    first = ss.sample(mixed, population=100, replicas=1, duration=0.2)
    again = ss.sample(mixed, population=100, replicas=1, duration=0.2, seed=int(first.attrs["seed"]))
    assert_same_bits(first, again)


@pytest.mark.parametrize("world", WORLD_CALLS)
def test_single_precision_agrees_with_double(world: str) -> None:
    """Not the same draws: the mean square at the last time, within five standard errors of replicas (and a floor)."""
    call = {"population": 2000} if world == "ensemble" else {"size": 200, "matrix": world == "matrix"}
    run = ss.sample if world == "ensemble" else ss.simulate
    single = run(mixed, dtype="float32", replicas=8, seed=0, **call)
    double = run(mixed, replicas=8, seed=1, **call)
    assert single.trajectory_h.dtype == np.float32 and single.attrs["dtype"] == "float32"
    assert single.C_h.dtype == np.float64
    found = ss.compare(single, double)
    assert abs(found.q_deviation.isel(time=-1, input=0, input_=0)) < 5
    assert float(found.q_stderr.isel(time=-1, input=0, input_=0)) < 0.2 * float(
        double.q.isel(time=-1, input=0, input_=0)
    )


@pytest.mark.parametrize(("keep", "expected"), [(0, None), (1, 1), (7, 7), (1000, 100)])
def test_keep_says_how_many_trajectories(keep: int, expected: int | None) -> None:
    ds = ss.sample(mixed, population=100, replicas=2, seed=0, keep=keep, duration=0.2)
    if expected is None:
        assert not [name for name in ds if str(name).startswith("trajectory")]
    else:
        assert ds.trajectory_h.sizes["site"] == expected
        assert "trajectory_h_stderr" not in ds


def test_attributes_say_how_a_dataset_was_made() -> None:
    ds = ss.sample(mixed, population=400, replicas=2, seed=5, tolerance=1e-4, every=2, keep=3, gain=0.9)
    assert ds.attrs["program"] == "mixed" and json.loads(ds.attrs["parameters"]) == {"duration": 1.0, "gain": 0.9}
    facts = {"seed": 5, "population": 400, "replicas": 2, "tolerance": 1e-4, "every": 2, "keep": 3, "dtype": "float64"}
    assert facts.items() <= ds.attrs.items()
    assert {"sitesampler", "numpy", "python", "xarray"} <= set(json.loads(ds.attrs["versions"]))
    network = ss.simulate(mixed, size=50, replicas=2, seed=5, matrix=False)
    assert network.attrs["size"] == 50 and network.attrs["matrix"] == 0 and "population" not in network.attrs
    assert network.attrs["world"] != ds.attrs["world"]


@pytest.mark.parametrize("program", ["mixed", "goe_flow"])
def test_round_trip_through_netcdf_and_zarr(program: str, tmp_path: Path) -> None:
    site_program = mixed if program == "mixed" else getattr(ss.models, program)
    ds = ss.sample(site_program, population=200, replicas=2, seed=0, duration=0.5)
    ds.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), ds)
    publish(ds, tmp_path / "result.zarr")
    with xr.open_zarr(tmp_path / "result.zarr") as back:
        xr.testing.assert_identical(back.load(), ds)


def test_worlds_return_the_same_variables_dimensions_and_coordinates() -> None:
    datasets = [call(replicas=1, seed=0, duration=0.3) for call in WORLD_CALLS.values()]
    for ds in datasets[1:]:
        assert set(ds) == set(datasets[0]) and set(ds.coords) == set(datasets[0].coords)
        for name in ds:
            assert ds[name].dims == datasets[0][name].dims and ds[name].attrs == datasets[0][name].attrs
        xr.testing.assert_equal(ds.coords.to_dataset(), datasets[0].coords.to_dataset())


def test_the_error_of_a_single_replica_is_unknown() -> None:
    ds = ss.sample(mixed, population=100, replicas=1, seed=0, duration=0.2)
    assert ds.C_h.notnull().all() and ds.C_h_stderr.isnull().all()


def test_exact_results_are_not_reported_as_infinitely_precise() -> None:
    """A Gaussian system has no scatter between replicas; its error is then the floor of tolerance and rounding."""
    ds = ss.sample(ss.models.goe_flow, population=120, replicas=4, seed=0, dt=0.1, duration=1, tolerance=1e-6)
    assert 1e-9 < float(ds.C_h_stderr.max() / ds.C_h.max()) < 1e-6
    assert np.all(ds.C_h_stderr > 0)


def test_standard_errors_are_those_of_the_replicas() -> None:
    task = prepare(mixed, {"duration": 0.3}, Simulated(size=60, seed=1, keep=0))
    alone = np.array(
        [run_replica(task, replica_of(task, r), lambda steps: None).variables["q"].values for r in range(5)]
    )
    ds = ss.simulate(mixed, size=60, replicas=5, seed=1, duration=0.3)
    np.testing.assert_allclose(ds.q, alone.mean(0), rtol=1e-13)
    np.testing.assert_allclose(ds.q_stderr, alone.std(0, ddof=1) / np.sqrt(5), rtol=1e-6)


@pytest.mark.parametrize("world", ["ensemble", "matrix", "exact law"])
def test_a_run_that_diverges_keeps_what_it_recorded(world: str) -> None:
    def explosive(net: Any, *, growth: float = 1e30) -> None:
        group = net.sites()
        J, h = net.coupling(group), group.normal()
        for t in net.clock(2, 0.1):
            net.record(t, h=h, q=float(t))
            h = growth * h + J @ h

    call = {"ensemble": ss.sample, "matrix": ss.simulate, "exact law": ss.simulate}[world]
    size = {"population": 100} if world == "ensemble" else {"size": 50, "matrix": world == "matrix"}
    with pytest.raises(
        NotFinite, match=r"explosive, replica 0: at time 0\.6, in explosive.*\(2 of 2 replicas"
    ) as caught:
        call(explosive, replicas=2, seed=0, **size)
    partial = caught.value.partial
    np.testing.assert_allclose(partial.time, np.arange(partial.sizes["time"]) / 10)
    assert 4 <= partial.sizes["time"] <= 7 and partial.C_h.notnull().all()
    assert partial.attrs["incomplete"] == str(caught.value)


def test_what_is_about_to_diverge_is_said() -> None:
    call = {"population": 400, "replicas": 2, "seed": 0, "progress": False}
    with pytest.warns(RuntimeWarning, match=r"C_h \(1e\+\d\d\), .*test_loss .* a time step too long"):
        ss.sample(ss.models.regression_flow, scheme="euler", dt=5.0, duration=200.0, **call)
    # A linear flow of unit rate that is meant to grow, and a number that starts as rounding, do so without a word.
    ss.sample(ss.models.goe_flow, scheme="euler", dt=0.5, duration=10.0, **call)


def test_a_population_that_is_used_up_says_so() -> None:
    with pytest.raises(PopulationTooSmall, match=r"at time .*a population of 40 samples is too small.*above 4[12]"):
        ss.sample(ss.models.random_rnn, population=40, replicas=1, seed=0, duration=20, tolerance=1e-8)


def test_a_response_in_all_three_worlds() -> None:
    """goe_flow: correlation and response of networks, extrapolated in 1/N, against N = infinity without scatter.

    Probability of a false alarm 1e-3 each for real matrices and their exact law.
    """
    call = {"scheme": "euler", "duration": 1.0, "dt": 0.25, "keep": 0}
    limit = ss.sample(ss.models.goe_flow, population=100, replicas=2, seed=0, tolerance=1e-10, **call)
    for matrix in (True, False):
        small = ss.simulate(ss.models.goe_flow, size=60, replicas=200, seed=1, matrix=matrix, **call)
        large = ss.simulate(ss.models.goe_flow, size=120, replicas=200, seed=2, matrix=matrix, **call)
        differences, errors = [], []
        for name in ("C_h", "R_h"):
            chosen = np.tril_indices(5, -1)
            value = [ds[name].values[chosen] for ds in (limit, large, small)]
            error = [ds[name + "_stderr"].values[chosen] for ds in (large, small)]
            differences.append(value[0] - (2 * value[1] - value[2]))
            errors.append((2 * error[0], error[1]))
        joined = tuple(np.concatenate(parts) for parts in zip(*errors, strict=True))
        assert np.max(np.hypot(*joined)) < 0.05 * float(limit.C_h.max())
        assert reference.worst_p_value(np.concatenate(differences), joined, (199, 199)) > 1e-3
