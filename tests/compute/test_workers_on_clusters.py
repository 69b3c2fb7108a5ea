"""Work on a cluster: same bits as in threads, after workers and schedulers came late and died."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from processes import PATIENCE, Heard, Processes, explosive, fatal, in_the_middle, piece, summed, until, written_down

import sitesampler as ss
from sitesampler.compute.workers import WorkerLost, workers_for
from sitesampler.errors import InputError, NotFinite


def rnn(client: Any = None) -> xr.Dataset:
    return ss.sample(
        ss.models.random_rnn, population=300, replicas=6, seed=4, duration=1.0, keep=3, client=client
    ).drop_attrs()


# ------------------------------------------------------------------------------------------------------------ same bits
def test_workers_that_join_late_give_the_bits_of_threads(processes: Processes, client: Any) -> None:
    processes.have(0, client)
    progress = Heard(18)
    late = threading.Timer(1.0, processes.start_worker)
    late.start()
    found = summed(12, client, progress=progress)
    late.join()
    assert progress.sentences == [f"no workers at {processes.address}; waiting for them"]
    assert (progress.steps, progress.done) == (18, 18)
    np.testing.assert_array_equal(found, summed(12))


@pytest.mark.parametrize("count", [2, pytest.param(1, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)])
def test_any_number_of_workers_gives_the_bits_of_threads(processes: Processes, client: Any, count: int) -> None:
    processes.have(count, client)
    np.testing.assert_array_equal(summed(30, client), summed(30))
    xr.testing.assert_identical(rnn(client), rnn())


def test_calls_that_share_a_client_count_their_own_steps(processes: Processes, client: Any) -> None:
    processes.have(1, client)
    bars = [Heard(count + count // 2) for count in (4, 8)]
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda i=i, count=count: found.update({i: summed(count, client, 0.01, bars[i])}))
        for i, count in enumerate((4, 8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [(bar.steps, bar.done) for bar in bars] == [(6, 6), (12, 12)]
    np.testing.assert_array_equal(found[0], summed(4))
    np.testing.assert_array_equal(found[1], summed(8))


# ----------------------------------------------------------------------------------------------------- workers that die
def test_a_worker_killed_in_the_middle_changes_no_bit(processes: Processes, client: Any) -> None:
    processes.have(2, client)
    progress = Heard(18)
    killer = in_the_middle(progress, processes.workers[0].kill)
    found = summed(12, client, seconds=0.05, progress=progress)
    killer.join()
    assert processes.workers[0].wait() == -signal.SIGKILL
    np.testing.assert_array_equal(found, summed(12))
    assert (progress.steps, progress.done) == (18, 18)  # what ran twice is counted once


@pytest.mark.slow
def test_what_tasks_share_outlives_all_workers_that_had_it(processes: Processes, client: Any) -> None:
    """Thirty megabytes, without a warning about large graphs; the workers that were sent them are killed."""
    processes.have(1, client)
    shared = np.random.default_rng(0).normal(size=4_000_000)
    groups = [[(first, 0.1) for first in range(12)]]
    progress = Heard(12)

    def replace() -> None:
        processes.workers[0].kill()
        processes.workers[0].wait()
        processes.start_worker()

    killer = in_the_middle(progress, replace)
    found = workers_for(client).run(piece, groups, sum, shared, progress)
    killer.join()
    assert found == workers_for().run(piece, groups, sum, shared, progress)


def test_a_task_that_kills_its_workers_is_one_sentence(processes: Processes, client: Any) -> None:
    processes.have(2, client)
    with pytest.raises(
        WorkerLost, match=r"^a task ended 2 worker processes, the last at tcp://.* more memory"
    ) as caught:
        workers_for(client).run(fatal, [[(i,) for i in range(6)]], sum, None, Heard(6))
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------------------- errors and interrupts travel


@pytest.mark.slow
def test_a_run_that_diverges_on_a_worker_says_what_it_says_here(processes: Processes, client: Any) -> None:
    processes.have(1, client)
    said = []
    for where in (None, client):
        with pytest.raises(NotFinite) as caught, np.errstate(over="ignore"):
            ss.sample(explosive, population=50, replicas=2, seed=0, client=where)
        said.append(str(caught.value))
        assert caught.value.partial.attrs["incomplete"] == said[-1]
    assert said[0] == said[1]


def test_interrupting_calls_the_tasks_off(processes: Processes, client: Any) -> None:
    processes.have(1, client)
    progress = Heard(60)
    killer = in_the_middle(progress, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        summed(40, client, seconds=0.2, progress=progress)
    killer.join()
    # The one that runs ends, and no other starts.
    until(lambda: not any(client.processing().values()) and not any(client.has_what().values()), "an idle cluster")
    assert progress.done < 10


# -------------------------------------------------------------------------------------------------- schedulers that die
def test_a_scheduler_that_comes_back_is_waited_for_and_the_bits_are_the_same(processes: Processes, client: Any) -> None:
    processes.have(1, client)
    progress = Heard(18)

    def replace() -> None:
        processes.scheduler.kill()
        processes.scheduler.wait()
        processes.start_scheduler()
        processes.start_worker()  # the one that there was has ended with its scheduler

    replacer = in_the_middle(progress, replace)
    found = summed(12, client, seconds=0.05, progress=progress)
    replacer.join()
    np.testing.assert_array_equal(found, summed(12))
    assert progress.sentences[0] == f"lost the scheduler at {processes.address}; what it was computing starts again"
    assert (progress.steps, progress.done) == (18, 18)


# ------------------------------------------------------------------------------ what is finished while the rest goes on
def test_groups_that_are_done_are_handed_over_once_and_do_not_run_again_after_the_scheduler(
    processes: Processes, client: Any, tmp_path: Path
) -> None:
    processes.have(1, client)
    progress, handed = Heard(6), list[tuple[int, int]]()
    before = set[int]()

    def done(index: int, result: int) -> None:
        handed.append((index, result))
        if len(handed) == 2:
            before.update(index for index, _ in handed)
            processes.scheduler.kill()
            processes.scheduler.wait()
            processes.start_scheduler()
            processes.start_worker()

    groups = [[(number, 0.1)] for number in range(6)]
    found = workers_for(client).run(written_down, groups, None, str(tmp_path), progress, done)
    assert found == [0, 1, 4, 9, 16, 25]
    assert sorted(handed) == list(enumerate(found))
    assert progress.sentences[0].startswith("lost the scheduler")
    assert [(tmp_path / str(index)).read_text() for index in before] == [".", "."]


def test_an_error_while_a_result_is_kept_is_no_lost_scheduler_and_calls_the_tasks_off(
    processes: Processes, client: Any, tmp_path: Path
) -> None:
    from distributed.comm import CommClosedError

    processes.have(1, client)
    progress, handed = Heard(40), list[int]()

    def done(index: int, result: int) -> None:
        handed.append(index)
        raise CommClosedError("of something else")

    groups = [[(number, 0.1)] for number in range(40)]
    with pytest.raises(CommClosedError, match="of something else"):
        workers_for(client).run(written_down, groups, None, str(tmp_path), progress, done)
    until(lambda: not any(client.processing().values()), "an idle cluster")
    assert len(handed) == 1 and progress.sentences == [] and len(list(tmp_path.iterdir())) < 20


def test_pieces_are_led_several_at_a_time_and_kept_by_the_caller(processes: Processes, client: Any) -> None:
    processes.have(1, client)
    together, kept = threading.Barrier(3), list[int]()

    def work(count: int) -> Any:
        together.wait(PATIENCE)
        return summed(count, client)

    def done(index: int, result: Any) -> None:
        assert threading.current_thread() is threading.main_thread()
        kept.append(index)

    found = workers_for(client).lead(work, [3, 4, 5], done)
    np.testing.assert_array_equal(found, [summed(count) for count in (3, 4, 5)])
    assert sorted(kept) == [0, 1, 2]


def test_the_first_error_of_a_piece_ends_it_and_pieces_on_their_way_are_dropped(client: Any) -> None:
    begun, kept, go_on, over = list[int](), list[int](), threading.Event(), threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise InputError("the first went wrong")
        go_on.wait(PATIENCE)
        over.set()

    with pytest.raises(InputError, match="the first went wrong"):
        workers_for(client).lead(work, range(1000), lambda index, result: kept.append(index))
    go_on.set()
    assert over.wait(PATIENCE)
    assert kept == [] and len(begun) < 1000
