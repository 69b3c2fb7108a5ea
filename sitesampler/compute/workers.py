"""Where independent tasks run: the threads of this machine, or a cluster that a dask.distributed client leads to.

A call is a list of groups of tasks, and the results of each group are merged in a tree whose shape depends on their
number alone; so its bits are the same for any number of workers, any order of completion, and after workers or the
scheduler were lost on the way.  dask runs the tasks and the merges, and what the tasks share is a task of the same
graph: whatever is lost with a worker can be made again.

The graph is in ``task_graph.py``.  What a task does, and what its result means, is said by the callers.  How clusters
are started is in docs/clusters.md.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from sitesampler.compute.clusters import ANSWER_WITHIN, versions
from sitesampler.compute.progress import Progress
from sitesampler.compute.task_graph import Group, HereReport, Merge, Tally, ThereReport, listening, task_graph
from sitesampler.errors import InputError, SiteSamplerError
from sitesampler.vectors.threads import one_blas_thread

#: Seconds until a scheduler that was lost is given up.
RETURN_WITHIN = 600.0
#: How often one call is started again because the scheduler was lost in it: it may be the call that ends the scheduler.
_ATTEMPTS = 5
#: Seconds between two looks at whether there are workers at all.
_LOOK_EVERY = 10.0
#: Seconds between two attempts to reach a scheduler that was lost.
_RETRY_EVERY = 1.0


class WorkerLost(SiteSamplerError, RuntimeError):
    """A task ended every worker process that tried it: most often it needs more memory than a worker has."""


class SchedulerLost(SiteSamplerError, ConnectionError):
    """The scheduler of a cluster went away and did not come back in time, or was lost again and again."""


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
        groups: Sequence[Group],
        merge: Merge | None,
        shared: Any,
        progress: Progress,
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

        roots = task_graph(function, groups, merge, (lambda: shared,), lambda number: HereReport(progress))
        with one_blas_thread():
            return list(dask.compute(*roots, scheduler="threads", num_workers=self._at_once))


class _Cluster(Workers):
    """Tasks on a cluster, repeated after the scheduler was lost."""

    def __init__(self, client: Any) -> None:
        self.client = _successors.get(client, client)
        if self.client.scheduler is None:
            raise InputError("the client is closed; connect a new dask.distributed.Client to the scheduler")
        self._address, self._security = self.client.scheduler.address, self.client.security
        self._given = client

    def run(
        self,
        function: Callable[..., Any],
        groups: Sequence[Group],
        merge: Merge | None,
        shared: Any,
        progress: Progress,
    ) -> list[Any]:
        """Run all tasks on the workers of the cluster; see `Workers.run`."""
        from distributed.protocol.pickle import dumps, loads

        # As bytes, for the scheduler then needs neither the memory of the objects nor the modules of the user's
        # program.  As a task, for scattered data would be gone for good with the workers that hold them.
        payload = dumps(shared)
        shared_task = (functools.partial(loads, payload),)
        tally = Tally(progress)
        for _ in range(_ATTEMPTS):
            self._reach(progress)
            try:
                with listening(self.client, tally) as call:
                    roots = task_graph(
                        function, groups, merge, shared_task, functools.partial(ThereReport, call, versions())
                    )
                    return self._attempt(roots, len(payload), progress)
            except Exception as error:
                if not self._was_lost(error):
                    raise
                progress.say(f"lost the scheduler at {self._address}; what it was computing starts again")
        raise SchedulerLost(f"the scheduler at {self._address} was lost {_ATTEMPTS} times in the same computation")

    def _attempt(self, roots: list[Any], weight: int, progress: Progress) -> list[Any]:
        import dask
        from distributed import KilledWorker

        threshold = "distributed.admin.large-graph-warning-threshold"
        allowed = dask.utils.parse_bytes(dask.config.get(threshold))
        # The weight of what is shared is meant, and sent once; anything else that is heavy should be warned of.
        with dask.config.set({threshold: allowed + weight}):
            futures = self.client.compute(roots)
        try:
            self._wait(futures, progress)
            return list(self.client.gather(futures))
        except KilledWorker as error:
            raise WorkerLost(
                f"a task ended {error.allowed_failures + 1} worker processes, the last at {error.last_worker.address}; "
                "most often it needs more memory than a worker has: take smaller chunks, fewer threads per worker or "
                "more memory, and see the worker's log"
            ) from None
        finally:
            rest = [future for future in futures if not future.done()]
            if rest and self.client.status == "running":
                with contextlib.suppress(OSError):  # without its scheduler there is nothing to call off
                    self.client.cancel(rest)

    def _wait(self, futures: list[Any], progress: Progress) -> None:
        """Return when all futures are done or one has failed; say so where there are no workers to do them."""
        ended, left, lock = threading.Event(), len(futures), threading.Lock()

        def count(future: Any) -> None:
            nonlocal left
            with lock:
                left -= 1
                if left == 0 or future.status != "finished":
                    ended.set()

        for future in futures:
            future.add_done_callback(count)
        told, patience = False, 0.5
        while not ended.wait(patience):
            patience = _LOOK_EVERY
            with contextlib.suppress(OSError):
                alone = self.client.status == "running" and not self.client.nthreads()
                if alone and not told:
                    progress.say(f"no workers at {self._address}; waiting for them")
                told = alone

    def _was_lost(self, error: Exception) -> bool:
        """Return whether an error means that the scheduler does not know the computation any more."""
        from concurrent.futures import CancelledError

        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError

        if isinstance(error, (CancelledError, CommClosedError, ClosedClientError)):
            return True
        return isinstance(error, OSError) and self.client.status != "running"

    def _reach(self, progress: Progress) -> None:
        """Return once the scheduler answers: a client tries again by itself, but not for long."""
        from distributed import Client

        started, told = time.monotonic(), False
        while self.client.status != "running":
            waited = time.monotonic() - started
            if waited > RETURN_WITHIN:
                raise SchedulerLost(
                    f"the scheduler at {self._address} is lost and did not return within {waited:.0f} s"
                )
            if waited > _RETRY_EVERY and not told:
                progress.say(f"waiting up to {RETURN_WITHIN:.0f} s for a scheduler at {self._address}")
                told = True
            if self.client.status == "closed":
                with contextlib.suppress(OSError), _reconnecting:
                    known = _successors.get(self._given)
                    if known is None or known.status == "closed":
                        known = Client(
                            self._address, security=self._security, timeout=ANSWER_WITHIN, set_as_default=False
                        )
                        _successors[self._given] = known
                    self.client = known
                    continue
            time.sleep(_RETRY_EVERY)


#: Clients that took the place of one that gave its scheduler up.
_successors: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_reconnecting = threading.Lock()


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
    if client is None:
        return Workers(at_once)
    if not hasattr(client, "submit"):
        raise InputError(f"client must be a dask.distributed.Client, not {client!r}")
    return _Cluster(client)
