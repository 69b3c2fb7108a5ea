"""Iterations as a user meets them: what is refused, what goes on when chunks diverge, bits that never differ."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from iterated import exploding, identical, start_of, task_of

import sitesampler as ss
from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import Workers
from sitesampler.errors import InputError, NotFinite, PopulationTooSmall
from sitesampler.physics.estimates import Estimates, Structure
from sitesampler.physics.frozen import Tally
from sitesampler.runs.chunks import Chunks, chunks_of, run_chunk
from sitesampler.runs.iteration import ChunksLeftOut, Iteration, NotConverged
from sitesampler.runs.options import Iterated
from sitesampler.runs.pieces import Means
from sitesampler.runs.states import State
from sitesampler.storage.journal import Journal
from sitesampler.storage.stores import publish

RNN: dict[str, Any] = {"scheme": "euler", "g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 1.0}
SMALL: dict[str, Any] = {"population": 400, "chunk": 100, "replicas": 2, "seed": 1, "iterations": 2, "progress": False}


def iterated(program: Any = ss.models.random_rnn, **changes: Any) -> xr.Dataset:
    """Run a small iteration; it may stop before it has converged."""
    options = {**SMALL, **(RNN if program is ss.models.random_rnn else {}), **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return ss.sample(program, **options)


# ------------------------------------------------------------------------------------------------------ what is run
@pytest.mark.parametrize("population", [4, 10, 101, 4096, 1_000_003])
@pytest.mark.parametrize("chunk", [2, 3, 97, 1000])
def test_chunks_cover_the_population_and_differ_by_one_sample_at_most(population: int, chunk: int) -> None:
    chunks = chunks_of(population, chunk)
    assert [number for number, _, _ in chunks] == list(range(len(chunks)))
    assert [first for _, first, _ in chunks] == [0, *itertools.accumulate(size for _, _, size in chunks)][:-1]
    sizes = [size for _, _, size in chunks]
    assert sum(sizes) == population and max(sizes) <= chunk and max(sizes) - min(sizes) <= 1


def test_a_population_one_above_whole_chunks_has_no_tiny_chunk() -> None:
    """A last chunk of one sample could not be matched to anything."""
    assert iterated(population=301, chunk=100).attrs["population"] == 301


def test_the_result_says_how_it_was_iterated() -> None:
    ds = iterated()
    told = {"population": 400, "chunk": 100, "replicas": 2, "iterations": 2, "start": "march", "tolerance": 1e-3}
    assert {name: ds.attrs[name] for name in told} == told
    assert ds.change.sizes == {"iteration": 2} and ds.iteration.values.tolist() == [1, 2]
    assert ds.order_parameters.attrs["long_name"] and ds.change.attrs["units"] == "1"
    assert ds.order_parameters.dims == ("replica", "order_parameter") and ds.order_parameters.sizes["replica"] == 2
    march = ss.sample(ss.models.random_rnn, population=100, replicas=2, seed=1, **RNN)
    assert set(ds.data_vars) - set(march.data_vars) == {"change", "order_parameters"}
    assert set(march.data_vars) <= set(ds.data_vars) and ds.trajectory_h.sizes["site"] == 16


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_number_of_iterations_is_done(iterations: int) -> None:
    assert iterated(iterations=iterations).change.sizes["iteration"] == iterations


def test_one_time_in_every_few_is_recorded_and_the_iteration_is_the_same() -> None:
    all_times, few = iterated(duration=2.0, replicas=1), iterated(duration=2.0, replicas=1, every=5)
    assert few.time.values.tolist() == all_times.time.values[::5].tolist()
    np.testing.assert_array_equal(few.C_h.values, all_times.C_h.values[::5, ::5])
    np.testing.assert_array_equal(few.order_parameters.values, all_times.order_parameters.values)


def test_programs_without_couplings_or_with_worthless_ones_are_iterated_too() -> None:
    """Nothing to iterate: done after one iteration, with a change of zero."""

    def uncoupled(net: Any, *, gain: float | None = None) -> None:
        sites = net.sites()
        h = sites.normal()
        for n in net.steps(3):
            net.record(n, h=h)
            h = np.tanh(h) + (0.0 if gain is None else net.coupling(sites, gain=gain) @ h)

    for gain in (None, 0.0):
        ds = iterated(uncoupled, iterations="auto", gain=gain)
        assert ds.change.values.tolist() == [0.0] and ds.attrs["converged"] == 1
        assert ds.attrs["self_consistency_residual"] == 0.0 and ds.C_h.values[0, 0] == pytest.approx(1.0)
        assert iterated(uncoupled, iterations=1, gain=gain, order_parameters=ds).C_h.values[0, 0] == pytest.approx(1.0)


def test_single_precision_is_iterated_down_to_its_rounding() -> None:
    """A tolerance below the rounding of the vectors must not make a basis of it."""
    double = iterated(ss.models.goe_flow, chunk=200, dt=0.1, duration=1.0, iterations=3)
    for tolerance in (1e-3, 1e-9):
        single = iterated(
            ss.models.goe_flow, chunk=200, dt=0.1, duration=1.0, iterations=3, dtype="float32", tolerance=tolerance
        )
        np.testing.assert_allclose(single.C_h.values, double.C_h.values, rtol=2e-4)
        assert single.trajectory_h.dtype == np.float32


# ------------------------------------------------------------------------------------------------------ convergence
def test_one_iteration_from_a_cold_start_is_not_enough_and_says_so() -> None:
    with pytest.warns(NotConverged, match=r"random_rnn changed by .* times its Monte Carlo error in the last of 1"):
        ds = ss.sample(ss.models.random_rnn, **{**SMALL, **RNN, "population": 4000, "chunk": 500, "iterations": 1},
                       order_parameters="cold")  # fmt: skip
    assert ds.attrs["converged"] == 0 and ds.attrs["self_consistency_residual"] > 5


def test_the_change_falls_from_iteration_to_iteration_until_it_is_chance() -> None:
    ds = iterated(population=4000, chunk=500, iterations="auto", order_parameters="cold")
    first, second, *_ = ds.change.values
    assert first > 50 and second < first / 2 and ds.change.values[-1] <= 1.5
    assert ds.attrs["converged"] == 1 and 0.2 < ds.attrs["self_consistency_residual"] < 2


def test_damping_keeps_the_given_share_of_the_old_order_parameters() -> None:
    options: dict[str, Any] = {"iterations": 1, "order_parameters": "cold", "population": 4000, "chunk": 1000}
    plain, damped, more = (iterated(damping=damping, **options).order_parameters.values for damping in (0, 0.5, 0.75))
    cold = 2 * damped - plain
    np.testing.assert_allclose(more, 0.75 * cold + 0.25 * plain, rtol=0, atol=1e-12)
    # What is left of h(0) ~ N(0, 1) without couplings.
    overlaps = cold[0][:36].reshape(6, 6)
    decayed = np.tanh(0.8 ** np.arange(6) * np.random.default_rng(0).standard_normal((100_000, 1)))
    np.testing.assert_allclose(overlaps, decayed.T @ decayed / 100_000, rtol=0, atol=0.02)


def test_a_damped_iteration_takes_longer_and_arrives() -> None:
    options: dict[str, Any] = {"iterations": "auto", "order_parameters": "cold", "population": 2000, "chunk": 500}
    plain, slow = iterated(**options), iterated(damping=0.5, **options)
    assert slow.attrs["iterations"] > plain.attrs["iterations"] and slow.attrs["converged"] == 1


def test_until_ends_the_iteration_where_a_relative_change_is_small_enough() -> None:
    strict = iterated(population=4000, chunk=500, iterations="auto", order_parameters="cold")
    loose = iterated(population=4000, chunk=500, iterations="auto", order_parameters="cold", until=0.3)
    assert loose.attrs["iterations"] < strict.attrs["iterations"]
    assert loose.change.values[-1] == 0.0 and loose.attrs["converged"] == 1


def test_an_iteration_that_stays_above_its_error_but_falls_no_further_is_averaged() -> None:
    nothing = Estimates(Structure([], {}, [], []), [], [], {}, [])
    moving = State([nothing], [90.0, 40.0, 12.0, 9.0])
    assert not moving.settled
    assert State([nothing], [90.0, 6.0, 6.1, 5.9, 6.0]).settled
    assert State([nothing], [90.0, 1.9]).settled and not State([nothing], [90.0, 2.1]).settled


# -------------------------------------------------------------------------------------- from an earlier result
def test_a_result_is_a_start_whether_in_memory_or_stored(tmp_path: Path) -> None:
    first = iterated(g=1.2, iterations="auto")
    publish(first, tmp_path / "first.nc")
    one = iterated(order_parameters=first)
    two = iterated(order_parameters=tmp_path / "first.nc")
    three = iterated(order_parameters=str(tmp_path / "first.nc"))
    assert one.attrs["start"].startswith("an earlier result, ")
    assert identical(one, two) and identical(one, three)


def test_each_replica_starts_from_one_of_its_own() -> None:
    """Else what is wrong with the start would be the same in all of them, and in no error."""
    task = task_of(ss.models.random_rnn, 100, **RNN)
    task = replace(task, asked=replace(task.asked, replicas=2))
    given: Any = tuple(start_of(task, replica) for replica in range(2))
    means = Means(Workers(), Progress("", tasks=1, steps=1, show=False), Journal({}))
    state = Iteration(task, Iterated(iterations="auto", order_parameters=given), means).begin()
    assert state.estimates == list(given)
    assert state.errors[0] == state.errors[1] > 0


def test_a_result_with_fewer_replicas_is_no_start() -> None:
    first = iterated()
    with pytest.raises(InputError, match="has 2 replicas, and 3 are asked for: each goes on from one of its own"):
        iterated(order_parameters=first, replicas=3)
    assert iterated(order_parameters=first, replicas=1).attrs["replicas"] == 1


def test_a_start_that_does_not_fit_is_refused_with_one_sentence(tmp_path: Path) -> None:
    first = iterated()
    march = ss.sample(ss.models.random_rnn, population=100, replicas=2, seed=1, **RNN)
    for start, changes, sentence in (
        (first, {"duration": 2.0}, "do not fit this program: it multiplies a matrix more often"),
        (first, {"duration": 0.6}, "do not fit this program: it ends earlier"),
        (march, {}, "order_parameters: the result to start from has none; those of sample with iterations do"),
        (first.assign_attrs(program="other"), {}, "is one of other, and the program is random_rnn"),
        ("warm", {}, 'order_parameters must be "march", "cold", or a result .* warm|warm does not exist|no result'),
        (3, {}, 'order_parameters must be "march", "cold", or a result of sample with iterations, not 3'),
        (tmp_path / "none.nc", {}, "none.nc"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            iterated(order_parameters=start, **changes)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda given: given * 1j, "must be finite real numbers"),
        (lambda given: given * np.nan, "must be finite real numbers"),
        (lambda given: given * 0 + 1e300, "must be finite real numbers whose squares are too"),
        (lambda given: -given, "in replica 0, a square of direction 0 is negative"),
        (lambda given: given.astype(int), "must be finite real numbers"),
        (lambda given: given[0], r"\(replica, order_parameter\)"),
    ],
)
def test_order_parameters_that_are_none_are_refused(damage: Any, sentence: str) -> None:
    first = iterated()
    made = damage(first.order_parameters).assign_attrs(first.order_parameters.attrs)
    with pytest.raises(InputError, match=f"^the order parameters to start from are damaged: .*{sentence}"):
        iterated(order_parameters=first.assign(order_parameters=made))


# ---------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"iterations": None}, r'chunk says how order parameters are iterated; add iterations="auto"'),
        (
            {"iterations": None, "chunk": None, "damping": 0.5},
            r'damping says how order parameters are iterated; add iterations="auto"',
        ),
        ({"iterations": None, "chunk": None, "until": 0.1}, r"until says how order parameters are iterated"),
        ({"iterations": None, "chunk": None, "keep_going": True}, r"keep_going says how order parameters are iterated"),
        (
            {"iterations": None, "chunk": None, "order_parameters": "cold"},
            r"order_parameters says how order parameters are iterated",
        ),
        (
            {"iterations": None, "chunk": None, "checkpoint": "folder"},
            r"checkpoint says how order parameters are iterated",
        ),
        ({"iterations": "fast"}, r"iterations must be \"auto\" or a number of iterations, not 'fast'"),
        ({"iterations": 0}, r"iterations must be an integer of at least 1, not 0"),
        ({"iterations": True}, r"iterations must be an integer of at least 1, not True"),
        ({"iterations": 1.5}, r"iterations must be an integer of at least 1, not 1.5"),
        ({"chunk": 201}, r"a population of 400 makes no two chunks of 201.* use a chunk of at most 200"),
        ({"chunk": 0}, r"chunk must be an integer of at least 2, not 0"),
        ({"chunk": 100.5}, r"chunk must be an integer of at least 2, not 100.5"),
        ({"population": 3, "chunk": 2}, r"population must be an integer of at least 4, not 3"),
        ({"damping": 1}, r"damping is the share of the old order parameters, from 0 to below 1, not 1"),
        ({"damping": -0.1}, r"damping is the share .* not -0.1"),
        ({"damping": "half"}, r"damping is the share .* not 'half'"),
        ({"damping": float("nan")}, r"damping is the share .* not nan"),
        ({"until": 2}, r"until is a relative change of the order parameters between 0 and 1, not 2"),
        ({"until": 0}, r"until is a relative change .* not 0"),
        ({"keep": "some"}, r"keep must be a number of trajectories or \"all\", not 'some'"),
        ({"keep": "all"}, r'keep="all" and export="trajectories.zarr", where they go, belong together; give both'),
        ({"export": "x.zarr"}, r'keep="all" and export="trajectories.zarr", where they go, belong together'),
        ({"export": 3, "keep": "all"}, r"export must be a path, not 3"),
        ({"checkpoint": 3}, r"checkpoint must be a path, not 3"),
        ({"resume": True}, r"resume goes on from a checkpoint; say in which folder that is, with checkpoint="),
        ({"resume": "yes"}, r"resume must be True or False, not 'yes'"),
        ({"keep_going": "yes"}, r"keep_going must be True or False, not 'yes'"),
        ({"order_parameters": "lukewarm"}, r"lukewarm"),
        ({"order_parameters": None}, r'order_parameters must be "march", "cold", or a result of sample .*, not None'),
        ({"replicas": 0}, r"replicas must be an integer of at least 1, not 0"),
        ({"client": "tcp://127.0.0.1:8786"}, r"client must be a dask.distributed.Client, not 'tcp://127"),
    ],
)
def test_bad_options_are_refused_with_one_sentence_before_any_work(
    options: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    with pytest.raises(InputError, match=sentence) as caught:
        ss.sample(ss.models.random_rnn, **{**SMALL, **RNN, **options})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_chunk_too_small_for_the_draws_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    with pytest.raises(PopulationTooSmall, match="a chunk of 5 samples is too small: the program draws 11 vectors"):
        iterated(ss.models.spherical_pspin, chunk=5, dt=0.1, duration=1.0)


# ------------------------------------------------------------------------------------------- chunks that diverge
def test_a_chunk_that_diverges_is_named_by_replica_chunk_sample_and_time() -> None:
    """The sample counts from the first of the replica's population."""
    few: dict[str, Any] = {"population": 2000, "chunk": 500, "replicas": 1, "iterations": 1, "seed": 3}
    start = iterated(exploding, threshold=99.0, **few)
    assert "failed_chunks" not in start.attrs
    with pytest.raises(NotFinite) as caught:
        iterated(exploding, threshold=3.0, order_parameters=start, **few)
    said = str(caught.value)
    assert said.startswith("exploding, iteration 1, replica 0, chunk ") and "\n" not in said
    chunk, sample = (int(said.split(word)[1].split(",")[0].split(":")[0]) for word in ("chunk ", "sample "))
    assert 500 * chunk <= sample < 500 * (chunk + 1) and re.search(r": at time 0\.[234], in exploding, line", said)
    assert caught.value.partial is None


def test_the_rest_goes_on_if_the_user_wants_it_to() -> None:
    few: dict[str, Any] = {"population": 4000, "chunk": 500, "replicas": 2, "iterations": 2, "seed": 3}
    whole = iterated(exploding, threshold=99.0, **few)
    with pytest.warns(ChunksLeftOut, match="chunks diverged and are left out .* the first of them: replica"):
        ds = iterated(exploding, threshold=3.3, order_parameters=whole, keep_going=True, **few)
    failed = json.loads(ds.attrs["failed_chunks"])
    assert 0 < len(failed) < 48 and all("chunk " in sentence and "sample " in sentence for sentence in failed)
    # Chunks that have lost none of their samples: what they average is biased by the missing largest ones.
    assert np.all(np.isfinite(ds.C_h.values)) and ds.C_h.values == pytest.approx(whole.C_h.values, rel=0.05)


def test_a_replica_of_which_no_chunk_is_left_ends_the_run() -> None:
    with pytest.raises(NotFinite, match=r"exploding, iteration 1, replica 0, chunk 0, .*\(8 of 8 chunks\)"):
        iterated(exploding, threshold=1.0, order_parameters=iterated(exploding, threshold=99.0), keep_going=True)


def test_what_averaged_iterations_have_recorded_is_kept_when_a_later_chunk_diverges() -> None:
    calls = []

    def late(net: Any) -> None:
        """Diverges in the fourth run of a chunk or more."""
        sites = net.sites()
        calls.append(0)
        J, h = net.coupling(sites, gain=0.5), sites.normal()
        for t in net.clock(0.4, 0.1):
            net.record(t, h=h)
            h = h + 0.1 * (J @ np.tanh(h)) + (np.inf if len(calls) > limit[0] and t > 0.2 else 0)

    limit = [10**6]
    iterated(late, iterations=6)
    # Rehearsals and marches come first; then 8 chunks for each iteration.
    limit[0] = len(calls) - 8
    calls.clear()
    with pytest.raises(NotFinite, match=r"late, last iteration") as caught:
        iterated(late, iterations=6)
    partial = caught.value.partial
    assert partial.attrs["incomplete"] == str(caught.value)
    assert np.all(np.isfinite(partial.C_h.values)) and partial.C_h.sizes == {"time": 5, "time_": 5}


def test_a_march_that_diverges_is_told_from_a_chunk() -> None:
    with pytest.raises(NotFinite, match=r"the march that replica \d starts from: at .*time 0.2"):
        iterated(exploding, threshold=1.0)


# ---------------------------------------------------------------------------------------------------- the same bits
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def cores(count: int) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)))

    runs = []
    for count in (1, 2, 7):
        cores(count)
        runs.append(iterated())
    assert identical(runs[0], runs[1]) and identical(runs[0], runs[2])
    assert not identical(runs[0], iterated(seed=2))


def test_the_order_in_which_chunks_are_completed_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from sitesampler.runs import iteration as iterations

    plain, order = iterated(), threading.Lock()
    delays = iter(np.random.default_rng(0).uniform(0, 0.02, 1000))
    run_chunk, seen = iterations.run_chunk, []

    def late(shared: Any, *arguments: Any, report: Any) -> Any:
        with order:
            delay = next(delays)
        time.sleep(delay)
        outcome = run_chunk(shared, *arguments, report=report)
        seen.append(arguments[0].key)
        return outcome

    monkeypatch.setattr(iterations, "run_chunk", late)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    assert identical(plain, iterated())
    assert seen != sorted(seen)


def test_chunks_draw_numbers_of_their_own_in_each_iteration_and_replica() -> None:
    from sitesampler.physics.estimates import factorised

    task = task_of(exploding, 50, threshold=99.0)
    frozen = [factorised(start_of(task), 1e-3)] * 2
    first = set()
    for number in range(2):
        for replica in range(2):
            for chunk in range(2):
                shared = Chunks(task, frozen, number)
                outcome = run_chunk(shared, shared.piece(replica, chunk, 0, 50), lambda _: None)
                first.add(outcome.variables["h_kurtosis"].values[0, 3])
    assert len(first) == 8


# ------------------------------------------------------------------------------------- scatter is not the error
def test_the_change_is_measured_in_errors_of_the_mean_over_chunks(rng: np.random.Generator) -> None:
    """For averages that do not move, whatever the chunks weigh: about one."""
    from sitesampler.physics.frozen import merged_tallies
    from sitesampler.runs.change import error_of

    ratios = []
    for _ in range(400):
        parts = rng.standard_normal((10, 5, 5)) / 10
        total = merged_tallies([Tally(100.0, 1, [part], np.zeros(1)) for part in parts])
        ratios.append(np.linalg.norm(total.arrays[0]) / error_of(total, total.scatter[0]))
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1.0, abs=0.05)


def test_until_loosens_the_iteration_but_not_its_certificate() -> None:
    ds = iterated(population=4000, chunk=500, iterations="auto", order_parameters="cold", until=0.9)
    assert ds.change.values[-1] == 0 and ds.attrs["self_consistency_residual"] > 0.3


def test_damaged_order_parameters_are_no_start() -> None:
    first = iterated()
    lost = first.assign(order_parameters=first.order_parameters * np.nan)
    bare = first.assign(order_parameters=first.order_parameters.drop_attrs())
    other = first.assign(order_parameters=first.order_parameters.assign_attrs(structure="{"))
    for damaged in (lost, bare, other):
        with pytest.raises(InputError, match=r"order parameters to start from (are|is) damaged"):
            iterated(order_parameters=damaged)


def test_bits_do_not_depend_on_the_threads_of_blas() -> None:
    """What the driver computes between iterations is large enough for BLAS to share it between cores."""
    code = """
import hashlib, warnings
warnings.simplefilter("ignore")
import sitesampler as ss
options = dict(population=400, chunk=200, replicas=2, seed=0, iterations=1, progress=False, symmetry=0.5, dt=0.05)
ds = ss.sample(ss.models.random_rnn, g=1.6, duration=6.0, every=20, **options)
print(hashlib.sha256(b"".join(ds[name].values.tobytes() for name in sorted(ds.data_vars))).hexdigest())
"""
    found = []
    for limits in ({}, dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")):
        environment = {**os.environ, **limits}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        found.append(done.stdout)
    assert found[0] == found[1] != ""
