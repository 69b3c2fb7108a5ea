"""Threads: one BLAS thread while a run lasts, and the lanes that share the blocks of one large population.

Results must not depend on how many threads there are.  So BLAS is held to one thread (its sums change with the
number), blocks of samples are fixed, and whoever adds up does it in block order.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_holders = 0
_limits: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; nested and simultaneous holders share one limit, lifted by the last of them."""
    global _holders, _limits
    with _lock:
        if _holders == 0:
            _limits = _controller().limit(limits=1, user_api="blas")
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None


@functools.cache
def _controller() -> ThreadpoolController:
    """Return what knows the BLAS libraries: to look for them takes a millisecond, which each task would pay."""
    import scipy.linalg  # noqa: F401  # has a BLAS of its own

    return ThreadpoolController()


class Lanes:
    """Threads that share the blocks of one population; a single lane works in the caller's thread.

    Parameters
    ----------
    count : int
        Number of threads.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def run(self, work: Callable[[int, int], object], blocks: int) -> None:
        """Call ``work(first, last)`` so that all blocks are covered once."""
        if self._pool is None or blocks < 2:
            work(0, blocks)
            return
        lanes = min(self.count, blocks)
        edges = [lane * blocks // lanes for lane in range(lanes + 1)]
        for done in [self._pool.submit(work, edges[i], edges[i + 1]) for i in range(lanes)]:
            done.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
