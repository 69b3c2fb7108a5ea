"""Work in the threads of this process: its bits, errors, interrupts, and what is handed over on the way."""

import os
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError


@pytest.fixture
def progress() -> Progress:
    return Progress("test", tasks=4, steps=10, show=False)


def draw(scale: float, seed: int, report: Callable[[int], None]) -> np.ndarray:
    """Return numbers whose sum depends on the order of the terms."""
    report(1)
    return scale * np.random.default_rng(seed).normal(size=5) * 10.0 ** (seed % 7)


def test_sums_have_the_same_bits_for_any_number_of_threads(progress: Progress) -> None:
    groups = [[(seed,) for seed in range(30)], [(seed,) for seed in range(100, 150)]]
    one, two = (workers_for(at_once=n).run(draw, groups, sum, 0.1, progress) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    # The order does matter to these numbers, or the line above would show nothing.
    naive = sum(draw(0.1, seed, lambda steps: None) for (seed,) in groups[0])
    assert not np.array_equal(one[0], naive)
    np.testing.assert_allclose(one[0], naive, rtol=1e-9)


def test_an_error_of_a_task_is_the_error_of_the_call_and_stops_the_others(progress: Progress) -> None:
    ended = []

    def task(_: None, number: int, report: Callable[[int], None]) -> None:
        if number == 0:
            raise InputError("the first went wrong")
        for _step in range(500):
            time.sleep(0.01)
            report(1)
        ended.append(number)

    with pytest.raises(InputError, match="the first went wrong"):
        workers_for(at_once=2).run(task, [[(i,)] for i in range(2)], None, None, progress)
    progress.close()
    time.sleep(0.1)
    assert ended == []


def test_interrupting_stops_the_tasks(progress: Progress) -> None:
    def task(_: None, number: int, report: Callable[[int], None]) -> None:
        while True:  # until the progress bar says that the driver has stopped
            time.sleep(0.01)
            report(1)

    before = threading.active_count()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        workers_for(at_once=1).run(task, [[(i,)] for i in range(3)], None, None, progress)
    progress.close()
    timer.join()
    time.sleep(0.2)
    assert threading.active_count() <= before + 1  # an idle thread of the pool at most


# ------------------------------------------------------------------------------ what is finished while the rest goes on
@pytest.mark.parametrize("at_once", [1, 3])
def test_each_group_is_handed_over_once_with_its_result(at_once: int, progress: Progress) -> None:
    groups = [[(seed,) for seed in range(count)] for count in (1, 3, 20, 2)]
    handed, inside = [], threading.Lock()

    def done(index: int, result: np.ndarray) -> None:
        assert inside.acquire(blocking=False), "one at a time"
        time.sleep(0.01)
        handed.append((index, result))
        inside.release()

    found = workers_for(at_once=at_once).run(draw, groups, sum, 0.1, progress, done)
    assert sorted(index for index, _ in handed) == [0, 1, 2, 3]
    assert all(found[index] is result for index, result in handed)
    np.testing.assert_array_equal(found[2], workers_for().run(draw, groups, sum, 0.1, progress)[2])


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_group_is_handed_over_before_other_tasks_begin(at_once: int, progress: Progress) -> None:
    events = list[tuple[str, int]]()

    def task(_: None, number: int, report: Callable[[int], None]) -> int:
        events.append(("begins", number))
        time.sleep(0.02)
        return number

    groups = [[(number,)] for number in range(12)]
    done = lambda index, result: events.append(("is kept", result))  # noqa: E731
    workers_for(at_once=at_once).run(task, groups, None, None, progress, done)
    on_the_way = [sum(1 if word == "begins" else -1 for word, _ in events[:n]) for n in range(len(events) + 1)]
    assert max(on_the_way) <= at_once and on_the_way[-1] == 0


def test_an_error_while_a_result_is_kept_ends_the_call_and_nothing_is_handed_over_after_it(progress: Progress) -> None:
    handed, go_on = [], threading.Event()

    def task(_: None, number: int, report: Callable[[int], None]) -> int:
        assert number == 0 or go_on.wait(20)
        return number

    def done(index: int, result: int) -> None:
        handed.append(index)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        workers_for(at_once=2).run(task, [[(0,)], [(1,)]], None, None, progress, done)
    go_on.set()
    time.sleep(0.1)
    assert handed == [0]


def test_pieces_are_led_one_after_the_other_and_the_first_error_ends_it() -> None:
    begun, kept = [], []

    def work(name: str) -> str:
        begun.append(name)
        if name == "c":
            raise InputError("the third went wrong")
        return name.upper()

    def done(index: int, result: str) -> None:
        assert begun[-1] == result.lower(), "kept before the next begins"
        kept.append((index, result))

    assert workers_for().lead(work, "ab", done) == ["A", "B"]
    with pytest.raises(InputError, match="the third went wrong"):
        workers_for().lead(work, "abcd")
    assert (begun, kept) == ([*"ababc"], [(0, "A"), (1, "B")])
    assert workers_for().lead(work, []) == []
