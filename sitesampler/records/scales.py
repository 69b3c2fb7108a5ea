"""How exact a recorded number is: the sizes of what was averaged for it.

The average of a product is exact to within the tolerance relative to the sizes of its factors, sqrt(<x^2> <y^2>), not
to its value: what is zero by cancellation is zero within that only.  A number comes out of a program as a plain one; so
its dependence on the averages of its step is looked up in the series of both.  Nearly all are linear in them (a loss,
an energy, a payoff), and least squares then show the factors, exactly.  Of others they show the slope; where nothing
does, a number is as exact, relative to its value, as the least exact of the averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitesampler.records.variable import Array, Position

#: Averages of a step that are looked at, the last ones before the record.
_MOST = 12
#: Rows of the least squares, for each unknown at least and in all at most.
_ROWS_EACH, _ROWS = 2, 4_000
#: Rounding of a number, relative to the largest of its series, up to which it is what averages add up to.
_ROUNDING = 1e-9
#: Part of the range of a number up to which it is nearly linear in averages, and what its slope may vary by then.
_NEARLY, _CURVED = 0.1, 2.0


@dataclass(frozen=True)
class Averaged:
    """An average over sites that a program was told, and the size of what was averaged, of the same shape."""

    value: Array
    size: Array


class RecentAverages:
    """The averages that a program was told in this step."""

    def __init__(self) -> None:
        self._position: Position | None = None
        self._now: list[Averaged] = []
        self._before: list[Averaged] = []

    def add(self, value: Array, size: Array) -> None:
        """Keep an average."""
        self._now.append(Averaged(np.array(value), np.array(size)))

    def at(self, position: Position) -> list[Averaged]:
        """Return the averages since the first record of the step before this one, the latest first."""
        if position != self._position:
            self._position, self._before, self._now = position, self._now, []
        return [*reversed(self._before), *self._now][:_MOST]


def sizes(values: Sequence[Array], recent: Sequence[Sequence[Averaged]]) -> list[Array]:
    """Return how large the averages are that a series of numbers is made of: its error over that of an average.

    Parameters
    ----------
    values : sequence of arrays
        The numbers of each time.
    recent : sequence of lists of Averaged
        The averages of each time.

    Examples
    --------
    >>> series = [(0.3, 0.4), (0.2, 0.1), (0.7, 0.4), (0.6, 0.9), (0.1, 0.8), (0.5, 0.5)]
    >>> averages = [[Averaged(np.array(a), np.array(1.0)) for a in pair] for pair in series]
    >>> [float(size.round(9)) for size in sizes([np.array(3 * (a - b)) for a, b in series], averages)][:2]
    [6.0, 6.0]
    >>> [float(size.round(9)) for size in sizes([np.array(a * b) for a, b in series], averages)][:2]
    [0.4, 0.2]
    """
    largest = [_unknown(value, now) for value, now in zip(values, recent, strict=True)]
    shape = values[0].shape
    fitting = [[each for each in now if each.value.shape == shape] for now in recent]
    count = min(map(len, fitting), default=0)
    if not count or any(value.shape != shape for value in values):
        return largest
    # From the latest on: before the first step a program may have averaged more.
    terms = np.array([[each.value for each in now[:count]] for now in fitting])
    scales = np.array([[each.size for each in now[:count]] for now in fitting])
    factors, exact = _factors(np.array(values), terms)
    if factors is None:
        return largest
    found = list(np.max(np.tensordot(np.abs(factors), scales, (1, 1)), axis=0))
    return found if exact else [np.minimum(_CURVED * size, top) for size, top in zip(found, largest, strict=True)]


def _factors(values: Array, terms: Array) -> tuple[Array | None, bool]:
    """Return factors with which averages, (times, averages, ...), add up to values, (times, ...): each way a row.

    Also whether they do so exactly, or by and large; None where they do not.
    """
    count = terms.shape[1]
    right = values.ravel()
    left = np.column_stack([np.moveaxis(terms, 1, -1).reshape(-1, count), np.ones(right.size)])
    known = np.isfinite(right) & np.isfinite(left).all(1)
    left, right = left[known], right[known]
    scale = np.max(np.abs(right), initial=0.0)
    if scale == 0:
        return None, False
    # Each column in units of its own: one that vanishes but for rounding may be the one that counts.
    norms = np.linalg.norm(left, axis=0)
    norms[norms == 0] = 1.0
    left = left / norms
    # One average alone, before any sum of several: in exact systems many decay alike.
    single = right @ left
    fits = np.max(np.abs(left * single - right[:, None]), axis=0) <= _ROUNDING * scale
    if len(right) == 1:  # anything is proportional to anything
        fits &= np.abs(np.abs(single) - norms) <= _ROUNDING * norms
    if fits.any():
        return np.diag(single / norms)[fits, :count], True
    if len(right) < _ROWS_EACH * (count + 1):
        return None, False
    parts = np.linalg.lstsq(left[:: -(-len(left) // _ROWS)], right[:: -(-len(right) // _ROWS)], rcond=1e-13)[0]
    parts[np.abs(parts) <= _ROUNDING * np.max(np.abs(parts))] = 0.0
    rest = np.max(np.abs(left @ parts - right))
    factors = (parts / norms)[None, :count] if rest <= _NEARLY * np.ptp(right) else None
    return factors, bool(rest <= _ROUNDING * scale)


def _unknown(value: Array, now: Sequence[Averaged]) -> Array:
    """Return how large a number is as if it were a product of powers of averages, and at most the largest of them."""
    with np.errstate(all="ignore"):
        worst = max(
            (
                float(np.max(np.nan_to_num(each.size / np.abs(each.value), nan=0.0, posinf=np.inf), initial=0.0))
                for each in now
            ),
            default=0.0,
        )
    largest = max((float(np.max(each.size, initial=0.0)) for each in now), default=0.0)
    return np.fmin(np.abs(value) * worst, largest) if np.isfinite(worst) else np.full(value.shape, largest)
