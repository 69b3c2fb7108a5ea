"""Where tasks run, without a cluster: the tree of merges, threads, errors, progress, and what `connect` refuses."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sitesampler.compute.clusters import connect
from sitesampler.compute.progress import Progress
from sitesampler.compute.task_graph import FAN_IN
from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError


@pytest.fixture
def progress() -> Progress:
    return Progress("test", tasks=4, steps=10, show=False)


def draw(scale: float, seed: int, report: Callable[[int], None]) -> np.ndarray:
    """Return numbers whose sum depends on the order of the terms."""
    report(1)
    return scale * np.random.default_rng(seed).normal(size=5) * 10.0 ** (seed % 7)


def written(_: None, number: int, report: Callable[[int], None]) -> str:
    """Later tasks end first, so that a merge in the order of completion would show."""
    time.sleep(0.002 * (7 - number % 7))
    return str(number)


def bracket(parts: list[str]) -> str:
    return f"({' '.join(parts)})"


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_tree_of_merges_follows_from_the_number_of_tasks_alone(at_once: int, progress: Progress) -> None:
    groups = [[(number,) for number in range(count)] for count in (1, 3, FAN_IN, 2 * FAN_IN + 1)]
    found = workers_for(at_once=at_once).run(written, groups, bracket, None, progress)
    first, second = "(0 1 2 3 4 5 6 7)", "(8 9 10 11 12 13 14 15)"
    assert found == ["0", "(0 1 2)", first, f"({first} {second} 16)"]


def test_sums_have_the_same_bits_for_any_number_of_threads(progress: Progress) -> None:
    groups = [[(seed,) for seed in range(30)], [(seed,) for seed in range(100, 150)]]
    one, two = (workers_for(at_once=n).run(draw, groups, sum, 0.1, progress) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    # The order does matter to these numbers, or the line above would show nothing.
    naive = sum(draw(0.1, seed, lambda steps: None) for (seed,) in groups[0])
    assert not np.array_equal(one[0], naive)
    np.testing.assert_allclose(one[0], naive, rtol=1e-9)


def nothing(shared: Any, number: int, report: Callable[[int], None]) -> int:
    return number


@pytest.mark.slow
def test_twenty_thousand_tasks_take_seconds(progress: Progress) -> None:
    """A graph of 20,000 delayed calls would take longer to write down than these take to run."""
    started = time.process_time()
    assert workers_for(at_once=2).run(nothing, [[(i,) for i in range(20_000)]], sum, None, progress) == [199_990_000]
    assert time.process_time() - started < 20


def test_what_is_shared_and_arguments_are_handed_over_as_they_are(progress: Progress) -> None:
    """Neither looks like a task or a graph to dask, whatever it contains."""
    shared = {"a": (len, [1, 2])}

    def compare(given: Any, *arguments: Any, report: Callable[[int], None]) -> bool:
        return given is shared and arguments == ((len, "b"), {"x": []})

    assert workers_for().run(compare, [[((len, "b"), {"x": []})]], None, shared, progress) == [True]


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


def test_several_tasks_without_a_merge_are_refused(progress: Progress) -> None:
    with pytest.raises(TypeError, match="needs a function that merges"):
        workers_for().run(nothing, [[(1,), (2,)]], None, None, progress)


# ------------------------------------------------------------------------------------------------------------ progress
def test_the_bar_counts_steps_tasks_and_says_what_the_iteration_has_found(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("random_rnn", tasks=2, steps=10, show=True, of="chunks")
    progress.begin(tasks=4, steps=5, note="iteration 3, residual 1.4")
    for _ in range(3):
        progress.advance(5)
        progress.task_done()
    progress.note("iteration 3, residual 1.2")
    progress.say("lost the scheduler")
    progress.close()
    shown = capsys.readouterr().err
    assert "15/20" in shown
    assert "chunks 0/4, iteration 3, residual 1.4" in shown
    assert "chunks 3/4, iteration 3, residual 1.2" in shown
    assert "sitesampler: lost the scheduler\n" in shown
    assert "0/20 [00:00<?" in shown  # time spent and time left


def test_what_a_user_must_know_is_written_without_a_bar_too(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("random_rnn", tasks=1, steps=1, show=False)
    progress.note("not shown")
    progress.say("no workers yet")
    assert capsys.readouterr().err == "sitesampler: no workers yet\n"


# ------------------------------------------------------------------------------------------------- what connect refuses
def test_a_client_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"client must be a dask.distributed.Client, not 'tcp://"):
        workers_for("tcp://127.0.0.1:8786")


def test_addresses_and_tls_files_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
    pem = tmp_path / "a.pem"
    pem.write_text("not a certificate")
    for address, files, sentence in (
        ("127.0.0.1:8786", {}, r"address is tcp://HOST:PORT or tls://HOST:PORT, not '127.0.0.1:8786'"),
        ("tls://127.0.0.1:8786", {}, r"needs TLS files, and none is given for: CA, certificate, key"),
        ("tls://127.0.0.1:8786", {"ca": "a", "key": "b"}, r"none is given for: certificate$"),
        ("tcp://127.0.0.1:8786", {"ca": "a"}, r"is not encrypted; its address would be tls://"),
        (
            "tls://127.0.0.1:8786",
            {"ca": str(pem), "cert": str(tmp_path / "b.pem"), "key": str(pem)},
            r"the TLS certificate file .*b\.pem does not exist or cannot be read",
        ),
        ("tls://127.0.0.1:8786", dict.fromkeys(("ca", "cert", "key"), str(pem)), r"no scheduler answers .*SSLError"),
        ("tcp://127.0.0.1:99999", {}, r"no scheduler answers at tcp://127.0.0.1:99999"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            connect(address, **files)
        assert "\n" not in str(caught.value)


def test_a_scheduler_that_does_not_answer_is_refused_with_the_seconds_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
    with pytest.raises(InputError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9 within 1 s .*is it running"):
        connect("tcp://127.0.0.1:9")
