"""Clusters of processes on this machine, and tasks for them.

Schedulers and workers are the processes that `dask scheduler` and `dask worker` start, on ports that the system picks.
What workers run stands here, where they find it under the name that it has in the tests.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import workers_for

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
            "PYTHONPATH": os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")])),
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


def in_the_middle(progress: Heard, action: Callable[[], object]) -> threading.Thread:
    """Start a thread that acts once the first task is done."""

    def act() -> None:
        assert progress.first.wait(PATIENCE)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


# ---------------------------------------------------------------------------------------------------- tasks for workers
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


def piece(shared: np.ndarray, first: int, seconds: float, report: Callable[[int], None]) -> float:
    time.sleep(seconds)
    return float(shared[first::1000].sum())


def fatal(_: None, number: int, report: Callable[[int], None]) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def written_down(folder: str, number: int, seconds: float, report: Callable[[int], None]) -> int:
    """Write down that it ran, once more at each time."""
    time.sleep(seconds)
    with (Path(folder) / str(number)).open("a") as file:
        file.write(".")
    return number**2


def explosive(net: Any) -> None:
    h = net.sites().normal()
    for t in net.clock(2.0, 0.1):
        net.record(t, h=h)
        h = h**3 * 1e30
