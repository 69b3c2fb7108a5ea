"""Progress of a run: one bar in the driver that counts steps and finished tasks, wherever they run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds between two signs of life of a task.
_INTERVAL = 0.2


class Cancelled(Exception):
    """The driver has stopped; a task that still runs ends at its next step."""


class Progress:
    """A progress bar over the steps of all tasks, with the time that is left.

    Parameters
    ----------
    title : str
    tasks, steps : int
        How many tasks there are, and the steps of each.
    show : bool or None
        None shows the bar on a terminal or in a notebook.
    of : str
        What the tasks are.

    Examples
    --------
    >>> progress = Progress("random_rnn", tasks=2, steps=50, show=False, of="chunks")
    >>> progress.advance(50)
    >>> progress.task_done()
    >>> progress.begin(tasks=2, steps=50, note="iteration 2, residual 1.4")
    >>> progress.close()
    """

    def __init__(self, title: str, tasks: int, steps: int, show: bool | None, of: str = "replicas") -> None:
        from tqdm.auto import tqdm

        visible = (sys.stderr.isatty() or "ipykernel" in sys.modules) if show is None else show
        self._tasks, self._of, self._lock = tasks, of, threading.Lock()
        self._done, self._note, self._stopped = 0, "", False
        self._bar: Any = tqdm(
            total=tasks * steps, desc=title, unit="step", disable=not visible, mininterval=_INTERVAL, leave=True
        )
        self._describe()

    def advance(self, steps: int) -> None:
        """Count steps; raise `Cancelled` once the driver has stopped."""
        if self._stopped:
            raise Cancelled
        with self._lock:
            self._bar.update(steps)

    def task_done(self) -> None:
        """Count a finished task."""
        with self._lock:
            self._done += 1
            self._describe()

    def begin(self, tasks: int, steps: int, note: str = "") -> None:
        """Start again from zero with another total: the next iteration, and what there is to say about it."""
        with self._lock:
            self._tasks, self._done, self._note = tasks, 0, note
            self._describe()
            self._bar.reset(tasks * steps)

    def note(self, text: str) -> None:
        """Show a few words behind the bar; they stay until the next ones."""
        with self._lock:
            self._note = text
            self._describe()
            self._bar.refresh()

    def say(self, sentence: str) -> None:
        """Write a line above the bar, also where no bar is shown: something that a user has to know now."""
        self._bar.write(f"sitesampler: {sentence}", file=sys.stderr)

    def close(self) -> None:
        """End the bar, and let tasks that still run stop at their next step."""
        self._stopped = True
        self._bar.close()

    def _describe(self) -> None:
        counted = f"{self._of} {self._done}/{self._tasks}"
        self._bar.set_postfix_str(f"{counted}, {self._note}" if self._note else counted, refresh=False)


class Ticker:
    """What a task calls at each step: it passes the steps on a few times a second.

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
