"""Progress of a run: one bar in the driver that counts steps and finished replicas, wherever they run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds between two signs of life of a replica.
_INTERVAL = 0.2


class Cancelled(Exception):
    """The driver has stopped; a replica that still runs ends at its next step."""


class Progress:
    """A progress bar over the steps of all replicas.

    Parameters
    ----------
    title : str
    replicas, steps : int
        How many replicas there are, and the steps of each.
    show : bool or None
        None shows the bar on a terminal or in a notebook.
    """

    def __init__(self, title: str, replicas: int, steps: int, show: bool | None) -> None:
        from tqdm.auto import tqdm

        visible = (sys.stderr.isatty() or "ipykernel" in sys.modules) if show is None else show
        self._replicas, self._done, self._lock = replicas, 0, threading.Lock()
        self._stopped = False
        self._bar: Any = tqdm(
            total=replicas * steps, desc=title, unit="step", disable=not visible, mininterval=_INTERVAL, leave=True
        )
        self._show_replicas()

    def advance(self, steps: int) -> None:
        """Count steps; raise `Cancelled` once the driver has stopped."""
        if self._stopped:
            raise Cancelled
        with self._lock:
            self._bar.update(steps)

    def replica_done(self) -> None:
        """Count a finished replica."""
        with self._lock:
            self._done += 1
            self._show_replicas()

    def close(self) -> None:
        """End the bar, and let replicas that still run stop at their next step."""
        self._stopped = True
        self._bar.close()

    def _show_replicas(self) -> None:
        self._bar.set_postfix_str(f"replicas {self._done}/{self._replicas}", refresh=False)


class Ticker:
    """What a replica calls at each step: it passes the steps on a few times a second.

    Parameters
    ----------
    report : callable
        Takes a number of steps.
    """

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report, self._steps, self._last = report, 0, time.monotonic()

    def __call__(self) -> None:
        """Count one step."""
        self._steps += 1
        now = time.monotonic()
        if now - self._last > _INTERVAL:
            self.flush()
            self._last = now

    def flush(self) -> None:
        """Pass on the steps counted so far."""
        steps, self._steps = self._steps, 0
        if steps:
            self._report(steps)
