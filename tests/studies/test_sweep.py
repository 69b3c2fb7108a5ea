"""Parameter sweeps: one dataset of all points, points that fail, and sweeps that go on where they stopped."""

import json
import re
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.errors import DiskFull, InputError, NotFinite, ProgramError, StorageError
from sitesampler.runs.iteration import Iteration, NotConverged

LAYERS = {"population": 200, "replicas": 2, "depth": 3}


def layers(over: dict[str, Any], **options: Any) -> xr.Dataset:
    """Sweep the cheapest of the models."""
    return ss.sweep(ss.models.deep_propagation, over, **{**LAYERS, "seed": 1, **options})


def program(net: Any, *, g: float = 1.0, phi: Any = "tanh") -> None:
    """Stand for a program in sweeps of made-up calls."""


class Made:
    """A call whose results are made up: q = g at a cost of nothing, and an account of how often it was made.

    Points with g in ``fails`` raise that error; those in ``stops`` an interrupt, once.
    """

    __name__ = "made"

    def __init__(self, fails: dict[float, Exception] | None = None, stops: set[float] | None = None) -> None:
        self.fails, self.stops, self.points = fails or {}, stops or set(), list[Any]()

    def __call__(self, program: Any, *, g: float = 1.0, seed: int, population: int = 10, **rest: Any) -> xr.Dataset:
        self.points.append(g)
        if g in self.stops:
            self.stops.remove(g)
            raise KeyboardInterrupt
        if g in self.fails:
            raise self.fails[g]
        noise = np.random.default_rng(seed).normal()
        values = {"q": ("layer", [g + noise, population]), "outliers": ("outlier", [g] * round(4 * g))}
        attrs = {"parameters": json.dumps({"g": g, "phi": "tanh"}), "seed": str(seed), "population": population}
        return xr.Dataset(values, {"layer": [1, 2]}, {**attrs, "residual": 2 * g, "note": f"at {g}"})


# -------------------------------------------------------------------------------------------------------- one dataset
def test_each_point_is_the_result_of_a_call_with_the_same_seed() -> None:
    swept = layers({"sigma_w": np.array([0.8, 2.0]), "phi": ["tanh", "relu"]})
    assert swept["q"].dims == ("sigma_w", "phi", "layer")
    alone = ss.sample(ss.models.deep_propagation, seed=1, sigma_w=2.0, phi="tanh", **LAYERS)
    np.testing.assert_array_equal(swept["q"].sel(sigma_w=2.0, phi="tanh"), alone["q"])
    np.testing.assert_array_equal(swept["q_stderr"].sel(sigma_w=2.0, phi="tanh"), alone["q_stderr"])


def test_what_is_swept_is_a_labelled_coordinate_and_no_longer_a_fixed_parameter() -> None:
    swept = ss.sweep(
        ss.models.deep_propagation, {"sigma_w": [0.8, 2], "population": [100, 200]}, seed=1, replicas=1, depth=3
    )
    assert swept["sigma_w"].values.tolist() == [0.8, 2.0]
    assert swept["sigma_w"].attrs == {"units": "1", "long_name": "parameter sigma_w of deep_propagation"}
    assert swept["population"].attrs == {"units": "1", "long_name": "option population of sample"}
    assert json.loads(swept.attrs["sweep"]) == {"sigma_w": [0.8, 2], "population": [100, 200]}
    assert "sigma_w" not in json.loads(swept.attrs["parameters"]) and "population" not in swept.attrs
    assert json.loads(swept.attrs["parameters"])["depth"] == 3


def test_values_that_are_no_numbers_are_coordinates_by_their_text() -> None:
    swept = ss.sweep(program, {"phi": [np.tanh, "relu", [1, 2]]}, call=Made(), seed=0)
    assert swept["phi"].values.tolist() == ["tanh", "relu", "[1, 2]"]


def test_attributes_that_differ_between_points_become_variables_or_stay_by_point() -> None:
    swept = ss.sweep(program, {"g": [0.25, 0.5]}, call=Made(), seed=7)
    assert swept["residual"].dims == ("g",) and swept["residual"].values.tolist() == [0.5, 1.0]
    assert json.loads(swept.attrs["note"]) == {'{"g": 0.25}': "at 0.25", '{"g": 0.5}': "at 0.5"}
    assert (swept.attrs["seed"], swept.attrs["population"]) == ("7", 10)


def test_dimensions_of_different_lengths_are_filled_up() -> None:
    swept = ss.sweep(program, {"g": [0.25, 0.5]}, call=Made(), seed=0)
    assert swept["outliers"].shape == (2, 2) and "outlier" not in swept.coords
    np.testing.assert_array_equal(swept["outliers"], [[0.25, np.nan], [0.5, 0.5]])


def test_a_seed_that_was_drawn_is_the_same_everywhere_and_recorded() -> None:
    swept = ss.sweep(program, {"g": [0.25, 0.5]}, call=Made())
    again = ss.sweep(program, {"g": [0.5, 0.25]}, call=Made(), seed=int(swept.attrs["seed"]))
    np.testing.assert_array_equal(swept["q"], again["q"].sel(g=[0.25, 0.5]))
    assert ss.sweep(program, {"g": [0.25]}, call=Made()).attrs["seed"] != swept.attrs["seed"]


def test_the_seed_can_be_swept() -> None:
    swept = ss.sweep(program, {"seed": [1, 2]}, call=Made())
    assert float(swept["q"].sel(layer=1).std()) > 0


def test_finite_networks_are_swept_as_well() -> None:
    options = {"replicas": 2, "depth": 2, "seed": 0}
    swept = ss.sweep(ss.models.deep_propagation, {"size": [20, 40]}, call=ss.simulate, **options)
    alone = ss.simulate(ss.models.deep_propagation, size=40, **options)
    np.testing.assert_array_equal(swept["q"].sel(size=40), alone["q"])


# ------------------------------------------------------------------------------------------------- refused at once
@pytest.mark.parametrize(
    ("over", "fixed", "sentence"),
    [
        ({}, {}, "over must name what is swept"),
        ({"g": 3}, {}, r"over\['g'\] must be a list of values, got 3"),
        ({"g": "tanh"}, {}, r"over\['g'\] must be a list of values, got 'tanh'"),
        ({"g": []}, {}, r"over\['g'\] must be a list of values, got \[\]"),
        ({"g": [1, 1.0]}, {}, r"over\['g'\] names a value twice: \[1, 1.0\]"),
        ({"gg": [1, 2]}, {}, r"program has no parameter 'gg' \(did you mean 'g'\?\); it takes g, phi"),
        ({"g": [1, 2]}, {"phii": 2}, r"program has no parameter 'phii' \(did you mean 'phi'\?\)"),
        ({"g": [1, 2]}, {"g": 2}, "g is swept and cannot be fixed as well"),
        ({"seed": [1, 2]}, {"seed": 2}, "seed is swept and cannot be fixed as well"),
        ({"progress": [True]}, {}, "progress belongs to the sweep as a whole"),
        ({"g": [1, 2]}, {"export": "all.zarr"}, "export holds one run"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_any_call(
    over: dict[str, Any], fixed: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    made = Made()
    with pytest.raises(InputError, match=sentence):
        ss.sweep(program, over, call=made, checkpoint=tmp_path / "kept", **fixed)
    assert made.points == [] and not (tmp_path / "kept").exists()


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(InputError, match="a program is a function that takes net, not 'random_rnn'"):
        ss.sweep("random_rnn", {"g": [1, 2]})  # type: ignore[arg-type]


def test_a_name_that_the_program_records_is_refused() -> None:
    def doubled(net: Any, *, q: float = 1.0) -> None: ...

    def call(program: Any, *, q: float, **_: Any) -> xr.Dataset:
        return xr.Dataset({"q": ("layer", [q])})

    with pytest.raises(InputError, match="doubled records 'q' itself; rename the parameter to sweep it"):
        ss.sweep(doubled, {"q": [1, 2]}, call=call)


def test_a_name_that_a_program_of_ours_records_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(net: Any, *, q: float = 1.0) -> None:
        h = net.sites().normal()
        for n in net.steps(2):
            net.record(n, q=q * net.overlap(h, h))

    monkeypatch.setattr("sitesampler.runs.run.march", lambda *_: pytest.fail("work was started"))
    with pytest.raises(InputError, match="doubled records 'q' itself; rename the parameter to sweep it"):
        ss.sweep(doubled, {"q": [1.0, 2.0]}, population=100)


def test_an_attribute_that_differs_does_not_replace_what_a_program_records() -> None:
    def call(program: Any, *, g: float, **_: Any) -> xr.Dataset:
        return xr.Dataset({"size": ("layer", [g, 1.0])}, attrs={"size": round(10 * g), "seed": 1})

    swept = ss.sweep(program, {"g": [1.0, 2.0]}, call=call)
    assert swept["size"].dims == ("g", "layer") and swept["size"].values[:, 0].tolist() == [1.0, 2.0]
    assert json.loads(swept.attrs["size"]) == {'{"g": 1.0}': 10, '{"g": 2.0}': 20}


# --------------------------------------------------------------------------------------------------- points that fail
def test_a_failed_point_is_nan_and_says_why_and_the_others_are_there() -> None:
    made = Made(fails={2.0: NotFinite("h is not finite at time 3"), 3.0: ZeroDivisionError("division by zero")})
    with pytest.warns(RuntimeWarning, match=r"^2 of 4 points failed .* the first of them at g = 2.0: h is not finite"):
        swept = ss.sweep(program, {"g": [0.25, 2.0, 0.5, 3.0]}, call=made, seed=0)
    assert json.loads(swept.attrs["failed"]) == {
        '{"g": 2.0}': "h is not finite at time 3",
        '{"g": 3.0}': "ZeroDivisionError: division by zero",
    }
    assert swept["q"].sel(g=[2.0, 3.0]).isnull().all() and swept["residual"].sel(g=[2.0, 3.0]).isnull().all()
    assert swept["q"].sel(g=[0.25, 0.5]).notnull().all()


def test_a_point_that_is_refused_does_not_lose_the_others() -> None:
    with pytest.warns(
        RuntimeWarning, match=r"1 of 2 points failed .* population = 1: population must be .* at least 2"
    ):
        swept = ss.sweep(ss.models.deep_propagation, {"population": [1, 100]}, seed=0, replicas=1, depth=2)
    assert swept["q"].sel(population=1).isnull().all() and swept["q"].sel(population=100).notnull().all()


def test_if_all_points_fail_the_last_error_is_raised() -> None:
    made = Made(fails={1.0: ProgramError("first"), 2.0: NotFinite("last")})
    with pytest.raises(NotFinite, match="last"):
        ss.sweep(program, {"g": [1.0, 2.0]}, call=made)


@pytest.mark.parametrize("error", [DiskFull("no room"), ConnectionError("lost"), StorageError("damaged")])
def test_a_full_disk_or_a_lost_cluster_ends_the_sweep(error: Exception) -> None:
    made = Made(fails={2.0: error})
    with pytest.raises(type(error), match=str(error)):
        ss.sweep(program, {"g": [1.0, 2.0, 3.0]}, call=made)
    assert made.points == [1.0, 2.0]


# ------------------------------------------------------------------------------------------------------------ resuming
@pytest.fixture
def whole() -> xr.Dataset:
    """Return a sweep of made-up calls that nothing interrupted."""
    return ss.sweep(program, {"g": [0.25, 0.5, 0.75, 1.0]}, call=Made(), seed=5)


def resumed(folder: Path, made: Made, **options: Any) -> xr.Dataset:
    given = {"seed": 5, "resume": True, **options}
    return ss.sweep(program, {"g": [0.25, 0.5, 0.75, 1.0]}, call=made, checkpoint=folder, **given)


def test_an_interrupted_sweep_goes_on_with_the_same_bits(tmp_path: Path, whole: xr.Dataset) -> None:
    made = Made(stops={0.75})
    with pytest.raises(KeyboardInterrupt):
        resumed(tmp_path, made)
    again = resumed(tmp_path, made)
    assert made.points == [0.25, 0.5, 0.75, 0.75, 1.0]
    xr.testing.assert_identical(again, whole)


def test_real_points_come_back_from_the_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    over = {"sigma_w": [0.8, 2.0], "phi": ["tanh", "relu"]}
    whole = layers(over)
    kept = layers(over, checkpoint=tmp_path)
    shutil.rmtree(tmp_path / "point-002.zarr")
    again = layers(over, checkpoint=tmp_path, resume=True)
    xr.testing.assert_identical(kept, whole)
    xr.testing.assert_identical(again, whole)
    for name, values in again.variables.items():
        assert values.dtype == whole[name].dtype


def test_a_seed_that_was_drawn_is_kept_for_the_rest(tmp_path: Path) -> None:
    made = Made(stops={0.5})
    with pytest.raises(KeyboardInterrupt):
        resumed(tmp_path, made, seed=None)
    again = resumed(tmp_path, made, seed=None)
    drawn = int(again.attrs["seed"])
    xr.testing.assert_identical(again, resumed(tmp_path / "other", Made(), seed=drawn))


def test_failed_points_are_tried_again(tmp_path: Path, whole: xr.Dataset) -> None:
    with pytest.warns(RuntimeWarning, match="1 of 4 points failed"):
        resumed(tmp_path, Made(fails={0.5: NotFinite("no")}))
    made = Made()
    xr.testing.assert_identical(resumed(tmp_path, made), whole)
    assert made.points == [0.5]


def test_a_damaged_point_is_computed_again_and_named(tmp_path: Path, whole: xr.Dataset) -> None:
    resumed(tmp_path, Made())
    chunk = next(path for path in (tmp_path / "point-001.zarr" / "q").iterdir() if path.name[0].isdigit())
    chunk.write_bytes(bytes(reversed(chunk.read_bytes())))
    made = Made()
    with pytest.warns(RuntimeWarning, match=r"the point g = 0.5 is computed again: .*point-001\.zarr is damaged"):
        again = resumed(tmp_path, made)
    assert made.points == [0.5]
    xr.testing.assert_identical(again, whole)


def test_a_point_of_another_sweep_is_not_taken(tmp_path: Path, whole: xr.Dataset) -> None:
    resumed(tmp_path / "other", Made(), seed=6)
    resumed(tmp_path / "this", Made())
    shutil.rmtree(tmp_path / "this" / "point-000.zarr")
    shutil.copytree(tmp_path / "other" / "point-000.zarr", tmp_path / "this" / "point-000.zarr")
    with pytest.warns(RuntimeWarning, match=r"g = 0.25 is computed again: .* is not the one that this run has kept"):
        again = resumed(tmp_path / "this", Made())
    xr.testing.assert_identical(again, whole)


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(tmp_path: Path) -> None:
    resumed(tmp_path, Made())
    with pytest.raises(InputError, match="another sweep: seed was 5 and is 6; population was not set and is 7"):
        resumed(tmp_path, Made(), seed=6, population=7)

    def program(net: Any, *, g: float = 1.0, phi: Any = "relu") -> None:
        """Stand for the program after it was edited."""

    with pytest.raises(InputError, match="another sweep: the function program has changed; overwrite=True"):
        ss.sweep(program, {"g": [0.25, 0.5, 0.75, 1.0]}, call=Made(), checkpoint=tmp_path, seed=5, resume=True)


def test_what_an_earlier_sweep_has_kept_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    resumed(tmp_path, Made())
    made = Made()
    with pytest.raises(InputError, match=r"holds what an earlier run has kept \(point-000\.zarr, .*; overwrite=True"):
        ss.sweep(program, {"g": [0.5]}, call=made, checkpoint=tmp_path)
    assert made.points == []
    ss.sweep(program, {"g": [0.5]}, call=made, checkpoint=tmp_path, overwrite=True)
    assert made.points == [0.5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.npz", "point-000.zarr"]


def test_two_sweeps_into_one_folder_are_refused(tmp_path: Path) -> None:
    def call(program: Any, *, g: float = 1.0, **_: Any) -> xr.Dataset:
        with pytest.raises(StorageError, match="is in use by another run"):
            resumed(tmp_path, Made())
        return xr.Dataset({"q": ("layer", [g])})

    ss.sweep(program, {"g": [1.0]}, call=call, checkpoint=tmp_path)


@pytest.mark.filterwarnings("ignore::sitesampler.runs.iteration.NotConverged")  # of two short iterations
def test_a_point_in_progress_goes_on_from_its_own_iterations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over, options = (
        {"g": [0.5, 1.0, 1.5]},
        {"population": 80, "replicas": 2, "dt": 0.1, "duration": 0.2, "iterations": 2, "seed": 0},
    )
    whole = ss.sweep(ss.models.random_rnn, over, **options)
    done = []

    def advance(self: Iteration, state: Any) -> Any:
        done.append((self.task.parameters["g"], len(state.changes)))
        if len(done) == 4:  # the start of the second point and its first iteration are kept
            raise KeyboardInterrupt
        return actual(self, state)

    actual = Iteration.advance
    monkeypatch.setattr(Iteration, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        ss.sweep(ss.models.random_rnn, over, checkpoint=tmp_path, **options)
    assert (tmp_path / "point-001" / "journal.npz").exists()
    again = ss.sweep(ss.models.random_rnn, over, checkpoint=tmp_path, resume=True, **options)
    assert done[3:] == [(1.0, 1), (1.0, 1), (1.5, 0), (1.5, 1)]
    xr.testing.assert_identical(again, whole)
    assert not list(tmp_path.glob("point-00?"))  # what a point kept goes when it is complete


def test_order_parameters_belong_to_single_runs() -> None:
    options = {"population": 80, "replicas": 2, "dt": 0.1, "duration": 0.2, "iterations": 1, "seed": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # a single iteration is too short to know
        swept = ss.sweep(ss.models.random_rnn, {"g": [0.5, 1.0]}, **options)
    assert "order_parameters" not in swept and "order_parameter" not in swept.dims
    assert swept["self_consistency_residual"].dims == ("g",) and swept["change"].dims == ("g", "iteration")


# ------------------------------------------------------------------------------------------------ progress and cluster
def test_progress_says_which_point_of_how_many(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = Made(stops={0.75})
    with pytest.raises(KeyboardInterrupt):
        resumed(tmp_path, made)
    resumed(tmp_path, made, progress=True)
    shown = re.split(r"[\r\n]", capsys.readouterr().err)
    assert any("points 2/4" in line and "g = 0.75" in line for line in shown)
    assert "points 4/4" in shown[-2] + shown[-1]


@pytest.fixture
def client() -> Iterator[Any]:
    """Return a client of a cluster of threads."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_points_run_on_a_cluster_several_at_a_time_with_the_same_bits(client: Any, tmp_path: Path) -> None:
    over = {"sigma_w": [0.8, 1.2, 1.6, 2.0]}
    there = layers(over, client=client, checkpoint=tmp_path)
    xr.testing.assert_identical(there, layers(over))

    running, most = 0, 0

    def call(program: Any, *, g: float, client: Any, **_: Any) -> xr.Dataset:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return xr.Dataset({"q": ("layer", [g])})

    ss.sweep(program, {"g": [1.0, 2.0, 3.0]}, call=call, client=client)
    assert most > 1


@pytest.mark.filterwarnings("ignore:the run in .* cannot be resumed")  # its call holds an event
def test_an_interrupt_does_not_wait_for_points_on_the_cluster_and_does_not_keep_them(
    client: Any, tmp_path: Path
) -> None:
    held, threads = threading.Event(), []

    def call(program: Any, *, g: float, client: Any, **_: Any) -> xr.Dataset:
        threads.append(threading.current_thread())
        if g == 1.0:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        held.wait(60)
        return xr.Dataset({"q": ("layer", [g])})

    with pytest.raises(KeyboardInterrupt):
        ss.sweep(program, {"g": [1.0, 2.0]}, call=call, client=client, checkpoint=tmp_path)
    assert all(thread.daemon for thread in threads)  # nor does the end of the interpreter wait
    held.set()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.npz"]


def test_an_error_that_all_points_share_ends_a_sweep_on_a_cluster(client: Any, tmp_path: Path) -> None:
    made = Made(fails={0.5: DiskFull("no room")})
    with pytest.raises(DiskFull, match="no room"):
        resumed(tmp_path, made, client=client)
