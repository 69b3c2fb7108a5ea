"""Loops of a program: clocks, steps and layers, with the times that they run over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.checks import check_number
from sitesampler.records.names import rounded

#: Steps of the longest loop: ten times what a very long run takes, and its rehearsal writes down some 10 bytes of each.
_MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Times(Sequence[float]):
    """The times 0, dt, ..., of a clock; each is made when it is asked for."""

    dt: float
    steps: int

    def __len__(self) -> int:
        return self.steps + 1

    @overload
    def __getitem__(self, n: int) -> float: ...
    @overload
    def __getitem__(self, n: slice) -> list[float]: ...
    def __getitem__(self, n: int | slice) -> float | list[float]:
        if isinstance(n, slice):
            return [self[i] for i in range(*n.indices(len(self)))]
        if not -len(self) <= n < len(self):
            raise IndexError(n)
        return rounded((n % len(self)) * self.dt)


@dataclass(eq=False)  # two loops of one kind and length are two
class Loop:
    """A loop on its way.

    Attributes
    ----------
    kind : "clock", "steps" or "layers"
    values : sequence of numbers
        The times, steps or layers.
    dt : float or None
        Time step of a clock.
    index : int
        Number of the step, from 0; after the last one, their number.
    steps_per_record, records_per_step : int
        Of a flow, which makes steps of its own between the times of its loop, or comes to several of them in one; one
        of the two is 1.  Both are 0 in any other loop.
    unit : float or None
        What the response to a field that acts in one force is divided by to be one per unit time: the time step, or in
        a flow the time for which the last stage counts.
    state : tuple
        Of a flow, the parts of its state that the body was given last.
    """

    kind: str
    values: Sequence[float]
    dt: float | None = None
    index: int = 0
    steps_per_record: int = 0
    records_per_step: int = 0
    unit: float | None = None
    state: tuple[Any, ...] = ()

    @property
    def flows(self) -> bool:
        """Whether it is the loop of a flow, whose drift alone moves the state."""
        return self.steps_per_record > 0

    @property
    def dim(self) -> str:
        """Dimension of what is recorded in the loop."""
        return "layer" if self.kind == "layers" else "time"

    @property
    def time(self) -> float:
        """Time, step or layer where the loop is."""
        return self.values[self.index]

    def holds(self, moment: float) -> bool:
        """Say whether a time is one of the loop's, up to rounding."""
        if not (math.isfinite(moment) and self.values):
            return False
        nearest = round((moment - self.values[0]) / (self.dt or 1.0))
        return bool(np.isclose(self.values[min(max(nearest, 0), len(self.values) - 1)], moment))


def clock(duration: float, dt: float, kind: str = "clock") -> Loop:
    """Return the loop over the times 0, dt, ..., duration; errors call it by its kind."""
    check_number(duration, f"the duration of a {kind}")
    check_number(dt, f"the time step of a {kind}")
    if not (dt > 0 and math.isfinite(dt) and math.isfinite(duration) and duration >= 0):
        raise ProgramError(
            f"{program_line()}: a {kind} needs a finite duration >= 0 and a finite dt > 0, not {duration} and {dt}"
        )
    ratio = duration / dt
    if ratio >= _MOST_STEPS + 1:
        raise ProgramError(
            f"{program_line()}: a duration of {duration} in steps of {dt} makes more than the {_MOST_STEPS:,} steps of "
            "the longest loop; use a shorter duration or a larger dt"
        )
    steps = round(ratio)
    if abs(steps * dt - duration) > 1e-6 * min(dt, duration):
        raise ProgramError(f"{program_line()}: the duration {duration} is not a whole number of steps of {dt}")
    return Loop("clock", Times(dt, steps), float(dt), unit=float(dt))


def flow(duration: float, dt: float, record_dt: float | None) -> Loop:
    """Return the loop over the times 0, record_dt, ..., duration of a flow that makes steps of dt."""
    steps = len(clock(duration, dt, "flow").values) - 1
    if record_dt is None:
        record_dt = dt
    check_number(record_dt, "record_dt of a flow")
    if not (record_dt > dt / _MOST_STEPS and math.isfinite(record_dt)):
        raise ProgramError(f"{program_line()}: record_dt of a flow must be positive and finite, not {record_dt}")
    coarser, finer = round(record_dt / dt), round(dt / record_dt)
    many, few = (coarser, 1) if coarser > 1 else (1, max(finer, 1))
    if abs(record_dt * few - dt * many) > 1e-9 * max(dt, record_dt):
        raise ProgramError(
            f"{program_line()}: record_dt={record_dt} is neither a whole number of steps of dt={dt} nor a whole part "
            f"of one; use a multiple such as {2 * dt:g}, or dt/2, dt/3, ..."
        )
    if steps % many:
        raise ProgramError(
            f"{program_line()}: the duration {duration} is not a whole number of steps of record_dt={record_dt}"
        )
    times = Times(float(record_dt if many > 1 or few > 1 else dt), steps // many * few)
    if len(times) > _MOST_STEPS:
        raise ProgramError(
            f"{program_line()}: a duration of {duration} with record_dt={record_dt} makes more than the "
            f"{_MOST_STEPS:,} times of the longest loop"
        )
    return Loop("clock", times, times.dt, steps_per_record=many, records_per_step=few)


def steps(n: int) -> Loop:
    """Return the loop over the steps 0, ..., n - 1."""
    return Loop("steps", range(_count(n, "steps")))


def layers(count: int) -> Loop:
    """Return the loop over the layers 1, ..., L."""
    return Loop("layers", range(1, _count(count, "layers") + 1))


def _count(n: float, word: str) -> int:
    check_number(n, f"the number of {word}")
    if not math.isfinite(n) or int(n) != n or n < 0:
        raise ProgramError(f"{program_line()}: the number of {word} must be an integer of at least 0, not {n}")
    if n > _MOST_STEPS:
        raise ProgramError(f"{program_line()}: the number of {word} must be at most {_MOST_STEPS:,}, not {n}")
    return int(n)
