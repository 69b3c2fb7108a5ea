"""One call as a dask graph: tasks, the tree that merges their results, and how their progress comes back."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sitesampler.compute.clusters import refuse_other_versions, versions
from sitesampler.compute.progress import Cancelled, Progress
from sitesampler.vectors.threads import one_blas_thread

#: How many results are merged at a time.  The shape of the tree, and with it the last bits, follows from this number.
FAN_IN = 8
#: Seconds between two signs of life of a distant task.
_REPORT_EVERY = 1.0

#: The arguments of tasks whose results are merged into one.
Tasks = Sequence[tuple[Any, ...]]
Merge = Callable[[list[Any]], Any]
#: Takes the number of a group and its result.
Done = Callable[[int, Any], object]


class Report(Protocol):
    """What tells the progress bar about one task, from wherever that runs."""

    def __call__(self, steps: int) -> None:
        """Count steps."""

    def finished(self) -> None:
        """Count the task."""


class _Call:
    """One task; an object, for dask does not look for tasks among its arguments then."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], report_on: Callable[[], Report]):
        self._function, self._arguments, self._report_on = function, arguments, report_on

    def __call__(self, shared: Any) -> Any:
        report = self._report_on()
        with one_blas_thread():
            result = self._function(shared, *self._arguments, report=report)
        report.finished()
        return result


class _MergeCall:
    """One merge, with a single BLAS thread as everywhere."""

    def __init__(self, merge: Merge | None) -> None:
        self._merge = merge

    def __call__(self, results: list[Any]) -> Any:
        if self._merge is None:
            raise TypeError("a group of several tasks needs a function that merges their results")
        with one_blas_thread():
            return self._merge(results)


class _DoneCall:
    """The end of a group: its result is handed over, and passed on."""

    def __init__(self, done: Done, index: int) -> None:
        self._done, self._index = done, index

    def __call__(self, result: Any) -> Any:
        self._done(self._index, result)
        return result


def task_graph(
    function: Callable[..., Any],
    groups: Sequence[Tasks],
    merge: Merge | None,
    shared_task: Any,
    report_on: Callable[[int], Report],
    done: Done | None = None,
) -> list[Any]:
    """Return one dask object per group, each with ``done``, where there is one, as its last task.

    A graph of tuples is written down in no time, where 20,000 calls of `dask.delayed` take seconds.
    """
    from dask.delayed import Delayed

    token = uuid.uuid4().hex  # of this attempt, so that nothing left of an earlier one can be taken for it
    name, shared_key = getattr(function, "__name__", "task").strip("_"), f"shared-{token}"
    roots, number, joined = [], 0, _MergeCall(merge)
    for index, group in enumerate(groups):
        graph: dict[Any, Any] = {shared_key: shared_task}
        keys: list[Any] = []
        for arguments in group:
            keys.append((f"{name}-{token}", number))
            graph[keys[-1]] = (_Call(function, tuple(arguments), functools.partial(report_on, number)), shared_key)
            number += 1
        level = 0
        while len(keys) > 1:
            above = []
            for first in range(0, len(keys), FAN_IN):
                some = keys[first : first + FAN_IN]
                if len(some) > 1:
                    key = (f"merge-{token}", index, level, first)
                    graph[key] = (joined, some)
                    above.append(key)
                else:
                    above += some
            keys, level = above, level + 1
        if done is not None:
            root = (f"done-{token}", index)
            graph[root] = (_DoneCall(done, index), keys[0])
            keys = [root]
        roots.append(Delayed(keys[0], graph))
    return roots


# ------------------------------------------------------------------------------------------------------------ progress
class HereReport:
    """Progress of a task in this process."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        progress.advance(0)  # raises where the driver has stopped

    def __call__(self, steps: int) -> None:
        """Count steps."""
        self._progress.advance(steps)

    def finished(self) -> None:
        """Count the task."""
        self._progress.task_done()


class ThereReport:
    """Progress of a task on a worker, sent to the driver as (call, number of the task, steps so far, finished?)."""

    def __init__(self, call: str, driver: dict[str, str], number: int) -> None:
        from distributed import get_worker

        self._worker, self._call, self._number = get_worker(), call, number
        self._steps, self._last = 0, time.monotonic()
        # Here too, for workers may have joined since the driver connected.
        refuse_other_versions(f"the worker at {self._worker.address}", versions(), driver)

    def __call__(self, steps: int) -> None:
        """Count steps, and send what they add up to now and then."""
        self._steps += steps
        if time.monotonic() - self._last > _REPORT_EVERY:
            self._last = time.monotonic()
            self._send(False)

    def finished(self) -> None:
        """Count the task, and send the rest of its steps."""
        self._send(True)

    def _send(self, finished: bool) -> None:
        self._worker.log_event(_TOPIC, (self._call, self._number, self._steps, finished))


class StepCount:
    """Adds up the steps of distant tasks, each step once also where a lost worker's tasks run again."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._steps: dict[int, int] = {}
        self._finished: set[int] = set()

    def reached(self, number: int, steps: int, finished: bool) -> None:
        """Take in what one task has reached."""
        before = self._steps.get(number, 0)
        with contextlib.suppress(Cancelled):
            if steps > before:
                self._steps[number] = steps
                self._progress.advance(steps - before)
            if finished and number not in self._finished:
                self._finished.add(number)
                self._progress.task_done()


#: One topic for all calls: a scheduler keeps the last events of each topic for as long as it lives.
_TOPIC = "sitesampler-steps"


class _Ear:
    """What a client hears of the topic, passed on to the call that it is about."""

    def __init__(self) -> None:
        self.counts: dict[str, StepCount] = {}

    def __call__(self, event: tuple[float, tuple[str, int, int, bool]]) -> None:
        call, number, steps, finished = event[1]
        if (count := self.counts.get(call)) is not None:
            count.reached(number, steps, finished)


_ears: weakref.WeakKeyDictionary[Any, _Ear] = weakref.WeakKeyDictionary()
_listening_lock = threading.Lock()


@contextlib.contextmanager
def listening(client: Any, count: StepCount) -> Iterator[str]:
    """Pass the events of one call to its count, and give the name by which they know it."""
    call = uuid.uuid4().hex
    with _listening_lock:
        ear = _ears.setdefault(client, _Ear())
        ear.counts[call] = count
        client.subscribe_topic(_TOPIC, ear)  # again at each call: a scheduler that came back does not know
    try:
        yield call
    finally:
        with _listening_lock:
            del ear.counts[call]
            if not ear.counts and client.status == "running":
                client.unsubscribe_topic(_TOPIC)
