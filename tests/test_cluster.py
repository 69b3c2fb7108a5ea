"""Clusters of processes on this machine: same bits as in threads, after workers and schedulers came late and died.

Schedulers and workers are the processes that `dask scheduler` and `dask worker` start, on ports that the system picks.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.compute.clusters import connect, versions
from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import SchedulerLost, WorkerLost, workers_for
from sitesampler.errors import InputError, NotFinite

HERE = Path(__file__).parent
PATIENCE = 60.0  # seconds; a busy machine starts processes slowly


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


class Processes:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, *tls: str) -> None:
        self.folder, self.workers = folder, list[subprocess.Popen[bytes]]()
        self._tls, self._protocol = tls, "tls" if tls else "tcp"
        self.start_scheduler("0")

    def _start(self, *words: str, path: Path = HERE) -> subprocess.Popen[bytes]:
        # Two workers may die of a task: the third would be too slow to wait for.
        environment = os.environ | {
            "PYTHONPATH": str(path),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        }
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, *self._tls],
                env=environment, cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip

    def start_scheduler(self, port: str | None = None) -> None:
        """Start one, by default where the last one was."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", port or self.address.rpartition(":")[2],
            "--protocol", self._protocol, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file),
        )  # fmt: skip

        def written() -> Any:
            with_text = file.exists() and file.read_text()
            return with_text and with_text.endswith("}")

        until(written, "a scheduler")
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, path: Path = HERE) -> None:
        self.workers.append(
            self._start(
                "worker", self.address, "--protocol", self._protocol, "--nthreads", "1", "--no-nanny",
                "--no-dashboard", "--local-directory", str(self.folder), path=path,
            )
        )  # fmt: skip

    def have(self, count: int, client: Any) -> None:
        """Start or stop workers until there are so many."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for worker in self.workers[count:]:
            worker.kill()
            worker.wait()
        del self.workers[count:]
        while len(self.workers) < count:
            self.start_worker()
        until(lambda: len(client.nthreads()) == count, f"{count} workers")

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    cluster = Processes(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.end()


@pytest.fixture
def client(processes: Processes) -> Iterator[Any]:
    if processes.scheduler.poll() is not None:
        processes.start_scheduler()
    with connect(processes.address) as connected:
        yield connected


class Heard(Progress):
    """A bar that remembers what was said, and sets an event when the first task is done."""

    def __init__(self, tasks: int) -> None:
        super().__init__("test", tasks, 1, show=False)
        self.sentences, self.steps, self.done, self.first = list[str](), 0, 0, threading.Event()

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def advance(self, steps: int) -> None:
        super().advance(steps)
        self.steps += steps

    def task_done(self) -> None:
        super().task_done()
        self.done += 1
        self.first.set()


def chunk(scale: np.ndarray, seed: int, seconds: float, report: Callable[[int], None]) -> np.ndarray:
    """Return numbers whose sum depends on the order of the terms."""
    time.sleep(seconds)
    report(1)
    return scale * np.random.default_rng(seed).normal(size=4) * 10.0 ** (seed % 7)


SCALE = np.array([0.1, 0.7, 1.3, 3.3])


def chunks(count: int, seconds: float = 0.0) -> list[list[tuple[int, float]]]:
    return [[(seed, seconds) for seed in range(count)], [(seed, seconds) for seed in range(50, 50 + count // 2)]]


def summed(count: int, client: Any = None, seconds: float = 0.0, progress: Progress | None = None) -> Any:
    """Return the sums over two groups of chunks, as this process or a cluster finds them."""
    bar = progress or Progress("test", count, 1, show=False)
    return workers_for(client).run(chunk, chunks(count, seconds), sum, SCALE, bar)


def rnn(client: Any = None) -> xr.Dataset:
    return ss.sample(
        ss.models.random_rnn, population=300, replicas=6, seed=4, duration=1.0, keep=3, client=client
    ).drop_attrs()


def in_the_middle(progress: Heard, action: Callable[[], object]) -> threading.Thread:
    """Start a thread that acts once the first task is done."""

    def act() -> None:
        assert progress.first.wait(PATIENCE)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


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


def piece(shared: np.ndarray, first: int, seconds: float, report: Callable[[int], None]) -> float:
    time.sleep(seconds)
    return float(shared[first::1000].sum())


def fatal(_: None, number: int, report: Callable[[int], None]) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_task_that_kills_its_workers_is_one_sentence(processes: Processes, client: Any) -> None:
    processes.have(2, client)
    with pytest.raises(
        WorkerLost, match=r"^a task ended 2 worker processes, the last at tcp://.* more memory"
    ) as caught:
        workers_for(client).run(fatal, [[(i,) for i in range(6)]], sum, None, Heard(6))
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------------------- errors and interrupts travel
def explosive(net: Any) -> None:
    h = net.sites().normal()
    for t in net.clock(2.0, 0.1):
        net.record(t, h=h)
        h = h**3 * 1e30


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


@pytest.mark.slow
def test_a_client_that_gave_up_has_a_successor_for_this_call_and_later_ones(processes: Processes, client: Any) -> None:
    """The scheduler stays away for longer than the patience of a client, which then closes itself."""
    from distributed import Client

    processes.have(1, client)
    progress = Heard(18)
    with Client(processes.address, timeout=1, set_as_default=False) as impatient:

        def replace() -> None:
            processes.scheduler.kill()
            processes.scheduler.wait()
            until(lambda: impatient.status == "closed", "a client that gives up")
            processes.start_scheduler()
            processes.start_worker()

        replacer = in_the_middle(progress, replace)
        found = summed(12, impatient, seconds=0.05, progress=progress)
        replacer.join()
        np.testing.assert_array_equal(found, summed(12))
        assert progress.sentences[1].startswith("waiting up to 600 s for a scheduler at tcp://127.0.0.1:")
        np.testing.assert_array_equal(summed(4, impatient), summed(4))
        workers_for(impatient).client.close()
        with pytest.raises(InputError, match=r"the client is closed; connect a new"):
            workers_for(impatient)


def test_a_scheduler_that_does_not_come_back_is_one_sentence(
    processes: Processes, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitesampler.compute.workers.RETURN_WITHIN", 1.0)
    processes.have(1, client)
    progress = Heard(18)
    killer = in_the_middle(progress, processes.scheduler.kill)
    with pytest.raises(SchedulerLost, match=rf"^the scheduler at {processes.address} is lost and did not return wi"):
        summed(12, client, seconds=0.05, progress=progress)
    killer.join()
    processes.scheduler.wait()


# ----------------------------------------------------------------------------------------------------- TLS and versions
@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return files of a test authority and a certificate that it signed, made by the commands of docs/clusters.md."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificates, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    recipe = (HERE.parent / "docs" / "clusters.md").read_text(encoding="utf-8")
    for command in re.findall(r"^openssl (.*)$", recipe, flags=re.MULTILINE):
        subprocess.run([openssl, *command.split()], cwd=folder, check=True, capture_output=True)
    return {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}


def test_tls_gives_the_same_bits_and_keeps_strangers_out(
    certificates: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [
        f"--tls-{option}={certificates[name]}" for option, name in (("ca-file", "ca"), ("cert", "cert"), ("key", "key"))
    ]
    cluster = Processes(tmp_path, *flags)
    try:
        cluster.start_worker()
        with connect(cluster.address, **certificates) as client:
            assert cluster.address.startswith("tls://")
            np.testing.assert_array_equal(summed(6, client), summed(6))
        monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
        with pytest.raises(InputError, match="does it use the same encryption"):
            connect(cluster.address.replace("tls://", "tcp://"))
    finally:
        cluster.end()


def test_workers_with_other_versions_are_refused_at_once_and_when_they_join_later(
    processes: Processes, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.have(1, client)
    there = ss.__version__
    monkeypatch.setattr("sitesampler.compute.clusters.__version__", "9.9")
    versions.cache_clear()
    sentence = rf"the {{}} at tcp://\S+ has sitesampler {there} and this process 9\.9; install the same versions"
    try:
        with pytest.raises(InputError, match=sentence.format("scheduler")):
            connect(processes.address)
        with pytest.raises(InputError, match=sentence.format("worker")):
            summed(4, client)
    finally:
        versions.cache_clear()


@pytest.mark.slow
def test_workers_without_this_sitesampler_are_refused(processes: Processes, client: Any, tmp_path: Path) -> None:
    processes.have(0, client)
    (tmp_path / "sitesampler").mkdir()
    (tmp_path / "sitesampler" / "__init__.py").write_text("__version__ = '0.0.1'")
    processes.start_worker(path=tmp_path)
    until(client.nthreads, "a worker")
    with pytest.raises(
        InputError, match=rf"worker at tcp://\S+ cannot import sitesampler {ss.__version__} \(.*No module"
    ):
        connect(processes.address)
    processes.have(0, client)
