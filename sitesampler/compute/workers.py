"""Where independent work runs: the threads of this machine, or a cluster that a dask.distributed client leads to.

A call of `Workers.run` is a list of groups of tasks, and the results of each group are merged in a tree whose shape
depends on their number alone; so its bits are the same for any number of workers, any order of completion, and after
workers or the scheduler were lost on the way.  dask runs the tasks and the merges, and what the tasks share is a task
of the same graph: whatever is lost with a worker can be made again.

A call of `Workers.lead` is a list of pieces of work that give tasks to the workers themselves.

Both hand over what is finished while the rest goes on: ``done(index, result)`` is called in the process of the caller,
once for each index, one at a time, in whatever order they end, and not any more after the call has returned or raised.
So a caller may keep each result as it comes, and what it has kept when the call ends in whatever way is whole.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sitesampler.compute.clusters import Connection, SchedulerLost, versions
from sitesampler.compute.progress import Progress
from sitesampler.compute.task_graph import Done, HereReport, Merge, StepCount, Tasks, ThereReport, listening, task_graph
from sitesampler.errors import SiteSamplerError
from sitesampler.vectors.threads import one_blas_thread

#: How often one call is started again because the scheduler was lost in it: it may be the call that ends the scheduler.
_ATTEMPTS = 5
#: Seconds between two looks at whether there are workers at all.
_LOOK_EVERY = 10.0
#: Pieces that a cluster is led by at a time, however many workers there are at the moment: more may join.
_LEADERS = 8

Piece = TypeVar("Piece")


class WorkerLost(SiteSamplerError, RuntimeError):
    """A task ended every worker process that tried it: most often it needs more memory than a worker has."""


def workers_for(client: Any = None, at_once: int = 1) -> Workers:
    """Return the workers that a call should use.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        Leads to a cluster; without one, tasks run in threads of this process.
    at_once : int
        How many tasks run at a time in this process; a cluster knows by itself.

    Examples
    --------
    >>> from sitesampler.compute.progress import Progress
    >>> def square(shared, number, report):
    ...     return shared * number**2
    >>> workers = workers_for(at_once=2)
    >>> progress = Progress("squares", tasks=4, steps=1, show=False)
    >>> workers.run(square, [[(1,), (2,)], [(3,), (4,)]], sum, 10, progress)
    [50, 250]
    """
    return Workers(at_once) if client is None else _Cluster(client)


class Workers:
    """Where independent tasks run.  `workers_for` makes them; this kind is the threads of this process.

    Parameters
    ----------
    at_once : int
        How many tasks run at a time.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once

    def run(
        self,
        function: Callable[..., Any],
        groups: Sequence[Tasks],
        merge: Merge | None,
        shared: Any,
        progress: Progress,
        done: Done | None = None,
    ) -> list[Any]:
        """Run all tasks and return the merged result of each group.

        Parameters
        ----------
        function : callable
            ``function(shared, *arguments, report=report)`` is one task; ``report(steps)`` feeds the progress bar.
        groups : sequence of sequences of tuples
            The arguments of each task, group by group; no group is empty.
        merge : callable or None
            Makes one result of a list of two to eight, in the order of the tasks, of the same kind and without
            changing them.  None where every group has a single task, whose result then is the group's.
        shared : object
            What all tasks are given; brought to each worker once.
        progress : Progress
        done : callable, optional
            ``done(index, result)`` takes the result of a group as soon as it is there; an error in it is one of the
            call.

        Returns
        -------
        list
            One result per group.

        Raises
        ------
        WorkerLost, SchedulerLost
            On a cluster only.
        Exception
            What a task raised; the others are then called off.
        """
        import dask

        # Threads of this call alone: those that dask keeps are dead in a process that was forked.
        pool = ThreadPoolExecutor(self._at_once)
        try:
            with _one_at_a_time(done) as hand_over, one_blas_thread():
                roots = task_graph(
                    function, groups, merge, (lambda: shared,), lambda _: HereReport(progress), hand_over
                )
                return list(dask.compute(*roots, scheduler="threads", pool=pool, num_workers=self._at_once))
        finally:
            # Not to be waited for: when one went wrong, the others end at their next step, once the bar is closed.
            pool.shutdown(wait=False, cancel_futures=True)

    def lead(self, work: Callable[[Piece], Any], pieces: Sequence[Piece], done: Done | None = None) -> list[Any]:
        """Do pieces of work that give tasks to these workers themselves, and return what each returned.

        In this process one piece comes after the other, for each takes all cores.  On a cluster several are on their
        way at a time, each in a thread that waits for the cluster.

        Parameters
        ----------
        work : callable
            Does one piece.
        pieces : sequence
        done : callable, optional
            ``done(index, result)`` takes what the work returned for a piece, in the thread of the caller.

        Returns
        -------
        list
            One result per piece.

        Raises
        ------
        Exception
            The first that ``work`` or ``done`` raised.  No piece begins any more; the results of those that are on
            their way are dropped, so that what a piece has to keep is kept in ``done``.

        Examples
        --------
        >>> workers_for().lead(lambda piece: piece**2, [2, 3], done=print)
        0 4
        1 9
        [4, 9]
        """
        found = []
        for index, piece in enumerate(pieces):
            found.append(work(piece))
            if done is not None:
                done(index, found[-1])
        return found


@contextlib.contextmanager
def _one_at_a_time(done: Done | None) -> Iterator[Done | None]:
    """Give a function that threads may call, and that does nothing any more when the block has ended."""
    if done is None:
        yield None
        return
    lock, ended = threading.Lock(), False

    def hand_over(index: int, result: Any) -> None:
        with lock:
            if not ended:
                done(index, result)

    try:
        yield hand_over
    finally:
        with lock:  # what is being kept by another thread now is kept to its end
            ended = True


class _Cluster(Workers):
    """Tasks on a cluster, repeated after the scheduler was lost."""

    def __init__(self, client: Any) -> None:
        self._connection = Connection(client)

    def run(
        self,
        function: Callable[..., Any],
        groups: Sequence[Tasks],
        merge: Merge | None,
        shared: Any,
        progress: Progress,
        done: Done | None = None,
    ) -> list[Any]:
        """Run all tasks on the workers of the cluster; see `Workers.run`."""
        from distributed.protocol.pickle import dumps, loads

        # As bytes, for the scheduler then needs neither the memory of the objects nor the modules of the user's
        # program.  As a task, for scattered data would be gone for good with the workers that hold them.
        payload = dumps(shared)
        shared_task = (functools.partial(loads, payload),)

        def graph(call: str, left: Sequence[int]) -> dict[int, Any]:
            report_on = functools.partial(ThereReport, call, versions())
            roots = task_graph(function, groups, merge, shared_task, report_on)
            return {index: roots[index] for index in left}

        found: dict[int, Any] = {}
        # Closed at once when `done` raises, so that the other tasks are called off.
        with contextlib.closing(self._results(graph, len(groups), len(payload), progress)) as results:
            for index, result in results:
                found[index] = result
                if done is not None:
                    done(index, result)
        return [found[index] for index in range(len(groups))]

    def lead(self, work: Callable[[Piece], Any], pieces: Sequence[Piece], done: Done | None = None) -> list[Any]:
        """Do several pieces of work at a time; see `Workers.lead`."""
        waiting: SimpleQueue[tuple[int, Piece]] = SimpleQueue()
        ended: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        for numbered in enumerate(pieces):
            waiting.put(numbered)
        stopped, found = threading.Event(), dict[int, Any]()

        def take() -> None:
            while not stopped.is_set():
                try:
                    index, piece = waiting.get_nowait()
                except Empty:
                    return
                try:
                    ended.put((index, work(piece), None))
                except BaseException as error:
                    ended.put((index, None, error))

        try:
            for _ in range(min(len(pieces), _LEADERS)):
                # An interrupted interpreter does not wait for daemons, as it would for the threads of an executor.
                threading.Thread(target=take, daemon=True).start()
            for _ in pieces:
                index, result, error = ended.get()
                if error is not None:
                    raise error
                found[index] = result
                if done is not None:
                    done(index, result)
        finally:
            stopped.set()
        return [found[index] for index in range(len(pieces))]

    def _results(
        self,
        graph: Callable[[str, Sequence[int]], dict[int, Any]],
        count: int,
        weight: int,
        progress: Progress,
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield index and result of each group once, as they come, from as many attempts as it takes.

        What the caller does with a result is outside of the attempts: an error of a full disk is no lost scheduler.
        """
        left, steps = set(range(count)), StepCount(progress)
        for _ in range(_ATTEMPTS):
            self._connection.restore(progress.say)
            try:
                with (
                    listening(self._connection.client, steps) as call,
                    contextlib.closing(self._attempt(graph(call, sorted(left)), weight, progress)) as attempt,
                ):
                    for index, result in attempt:
                        left.remove(index)
                        yield index, result
                return
            except Exception as error:
                if not self._connection.was_lost(error):
                    raise
                progress.say(f"lost the scheduler at {self._connection.address}; what it was computing starts again")
        raise SchedulerLost(
            f"the scheduler at {self._connection.address} was lost {_ATTEMPTS} times in the same computation"
        )

    def _attempt(
        self, roots: dict[int, Any], weight: int, progress: Progress
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield index and result of each group as they come, until all are there or one has failed."""
        import dask
        from distributed import KilledWorker

        client, threshold = self._connection.client, "distributed.admin.large-graph-warning-threshold"
        allowed = dask.utils.parse_bytes(dask.config.get(threshold))
        # The weight of what is shared is meant, and sent once; anything else that is heavy should be warned of.
        with dask.config.set({threshold: allowed + weight}):
            futures = dict(zip(roots, client.compute(list(roots.values())), strict=True))
        try:
            for indices in self._as_they_end(futures, progress):
                some = {index: futures.pop(index) for index in indices}
                whole = [index for index, future in some.items() if future.status not in ("error", "cancelled")]
                yield from zip(whole, client.gather([some[index] for index in whole]), strict=True)
                client.gather([some[index] for index in indices if index not in whole])  # raises what they raised
        except KilledWorker as error:
            raise WorkerLost(
                f"a task ended {error.allowed_failures + 1} worker processes, the last at {error.last_worker.address}; "
                "most often it needs more memory than a worker has: take smaller chunks, fewer threads per worker or "
                "more memory, and see the worker's log"
            ) from None
        finally:
            rest = [future for future in futures.values() if not future.done()]
            if rest and client.status == "running":
                with contextlib.suppress(OSError):  # without its scheduler there is nothing to call off
                    client.cancel(rest)

    def _as_they_end(self, futures: dict[int, Any], progress: Progress) -> Iterator[list[int]]:
        """Yield the numbers of futures that have ended; say so where there are no workers to do them."""
        ended: SimpleQueue[int] = SimpleQueue()
        for index, future in futures.items():
            future.add_done_callback(lambda _, index=index: ended.put(index))
        left, told, patience = len(futures), False, 0.5
        while left:
            try:
                indices = [ended.get(timeout=patience)]
            except Empty:
                patience = _LOOK_EVERY
                with contextlib.suppress(OSError):
                    client = self._connection.client
                    alone = client.status == "running" and not client.nthreads()
                    if alone and not told:
                        progress.say(f"no workers at {self._connection.address}; waiting for them")
                    told = alone
                continue
            while not ended.empty():
                indices.append(ended.get())
            left -= len(indices)
            yield sorted(indices)
