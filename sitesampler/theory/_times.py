"""At which times a solution is asked for: at the steps of a map, or, in the limit dt -> 0, at any times."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory._hermite import FloatArray


def times_of(dt: float | None, steps: int | None, times: ArrayLike | None) -> FloatArray:
    """Return the times of the steps 0..L of a map, or those at which the limit dt -> 0, dt=None, is asked for.

    Raises
    ------
    ValueError
        If not exactly ``dt`` and ``steps``, or ``times`` alone, are given, or a time is negative or not a number.

    Examples
    --------
    >>> print(times_of(0.5, 3, None), times_of(None, None, [0, 2.5]))
    [0.  0.5 1.  1.5] [0.  2.5]
    """
    if dt is not None:
        if steps is None or times is not None:
            raise ValueError("a time step dt takes the number of its steps; dt=None, the limit dt -> 0, takes times.")
        return np.asarray(dt * np.arange(steps + 1), dtype=np.float64)
    if times is None or steps is not None:
        raise ValueError("dt=None, the limit dt -> 0, takes times and no steps; a time step dt takes steps.")
    asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if asked.ndim != 1 or not asked.size or not np.all((asked >= 0) & np.isfinite(asked)):
        raise ValueError("times must be a list of finite numbers that are not negative.")
    return asked
