"""Loops of a program: clocks, steps and layers, with the times that they run over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitesampler.errors import ProgramError, is_integer, is_number, program_line, shown

#: Significant digits to which times are rounded, so that ``sel(time=50)`` finds the 50 that 1000 steps of 0.05 reach.
_TIME_DIGITS = 12


@dataclass
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
    """

    kind: str
    values: Sequence[float]
    dt: float | None = None
    index: int = 0

    @property
    def dim(self) -> str:
        """Dimension of what is recorded in the loop."""
        return "layer" if self.kind == "layers" else "time"


def clock(duration: float, dt: float) -> Loop:
    """Return the loop over the times 0, dt, ..., duration."""
    check_number(duration, "the duration of a clock")
    check_number(dt, "the time step of a clock")
    if not (dt > 0 and np.isfinite(dt) and np.isfinite(duration) and duration >= 0):
        raise ProgramError(
            f"{program_line()}: a clock needs a finite duration >= 0 and a finite dt > 0, not {duration} and {dt}"
        )
    steps = round(duration / dt)
    if abs(steps * dt - duration) > 1e-6 * min(dt, duration):
        raise ProgramError(f"{program_line()}: the duration {duration} is not a whole number of steps of {dt}")
    times = [float(f"{n * dt:.{_TIME_DIGITS}g}") for n in range(steps + 1)]
    return Loop("clock", times, float(dt))


def steps(n: int) -> Loop:
    """Return the loop over the steps 0, ..., n - 1."""
    return Loop("steps", range(_count(n, "steps")))


def layers(count: int) -> Loop:
    """Return the loop over the layers 1, ..., L."""
    return Loop("layers", range(1, _count(count, "layers") + 1))


def _count(n: float, word: str) -> int:
    check_number(n, f"the number of {word}")
    if not np.isfinite(n) or int(n) != n or n < 0:
        raise ProgramError(f"{program_line()}: the number of {word} must be an integer of at least 0, not {n}")
    return int(n)


def check_number(value: object, word: str) -> None:
    """Refuse what is not a single real number."""
    if not is_number(value):
        raise ProgramError(f"{program_line()}: {word} must be a number, not {shown(value)}")


def check_columns(k: object) -> None:
    """Refuse what is not a number of inner columns."""
    if k is not None and not is_integer(k, least=1):
        raise ProgramError(
            f"{program_line()}: the number k of inner columns must be an integer above 0, not {shown(k)}"
        )
