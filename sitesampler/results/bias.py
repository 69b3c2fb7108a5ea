"""Bias of order 1/population: seen in smaller runs, and removed as far as they can tell it.

Order parameters that are estimated from M samples shift a result by b/M, whatever the number of replicas, and no
scatter between these shows it.  Runs of M/k samples are shifted by kb/M, so that the difference, divided by k - 1, is
the shift.  It is noisy, and to remove it makes the error larger, by a factor k/(k - 1) and by the noise of the smaller
runs; so it is removed in the proportion in which it is seen to be there, and what may be left enters the standard
error.

What a replica is, and how it was run, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Part of the shift that may be left when it does not fall exactly as 1/population: a judgement.  Down to the smallest
#: populations that run, eight systems showed no other law within their errors.
_LEFT_BY_THE_LAW = 0.2

Array = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A quantity, on all its coordinates, with its error.

    Attributes
    ----------
    value, error : array
        The standard error has everything in it: scatter, floor, and what is left of the bias.
    replicas : array
        The value of each, of which these are mean and scatter.
    removed : float
        Which part of the measured bias is removed; 0 where there are no smaller runs.
    size : float
        Median of the measured bias over the standard error.
    left : float
        Median of what may be left of it, over the standard error.
    """

    value: Array
    error: Array
    replicas: Array
    removed: float = 0.0
    size: float = 0.0
    left: float = 0.0


def mean_and_error(values: Array) -> tuple[Array, Array]:
    """Return the mean over replicas, the first axis, and its standard error; NaN is left out.

    Examples
    --------
    >>> mean, error = mean_and_error(np.array([[1.0, np.nan], [3.0, 2.0]]))
    >>> mean.tolist(), error.tolist()
    ([2.0, 2.0], [1.0, nan])
    """
    known = ~np.isnan(values)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(known, values, 0).sum(0) / count
        # In units of the largest, so that the squares of what grew large do not overflow.
        size = np.max(np.abs(values), axis=0, where=known, initial=np.finfo(float).tiny)
        spread = np.where(known, np.abs((values - mean) / size) ** 2, 0).sum(0)
        return mean, size * np.sqrt(spread / (count - 1) / count)


def estimate(values: Array, smaller: Array | None, times_smaller: int, floor: Array) -> Estimate:
    """Return the mean over replicas with its standard error, without the bias that the smaller runs show.

    Parameters
    ----------
    values : (replicas, ...) array
    smaller : (replicas, ...) array or None
        The same from a smaller run for each replica, with random numbers of its own.
    times_smaller : int
        How many times fewer samples that had.
    floor : array
        Error below which tolerance and rounding say nothing.

    Returns
    -------
    Estimate

    Examples
    --------
    Eight replicas that are shifted by 1, with runs of an eighth of the size:

    >>> rng = np.random.default_rng(1)
    >>> values, smaller = 1 + 0.1 * rng.normal(size=(8, 5)), 8 + 0.3 * rng.normal(size=(8, 5))
    >>> found = estimate(values, smaller, 8, np.zeros(5))
    >>> bool(np.all(np.abs(found.value) < 3 * found.error)), round(found.removed, 2)
    (True, 1.0)
    """
    mean, scatter = mean_and_error(values)
    error = np.hypot(scatter, floor)
    if smaller is None:
        return Estimate(mean, error, values)
    differences = (smaller - values) / (times_smaller - 1)
    bias, uncertain = mean_and_error(differences)
    # Where a smaller run is missing, or a single replica has no error to measure the bias by, nothing is removed.
    told = (np.isnan(values) | ~np.isnan(differences)).all(0) & np.isfinite(uncertain) & (error > 0)
    if not told.any():
        return Estimate(mean, error, values)
    bias, uncertain = np.where(told, np.abs(bias), 0.0), np.where(told, uncertain, 0.0)
    share, there = _share(bias[told] / error[told], uncertain[told] / error[told])
    values = values + np.where(told, -share * differences, 0.0)
    mean, scatter = mean_and_error(values)
    shrunk = (1 - share) * np.maximum(bias, np.sqrt(there) * np.where(told, error, 0.0))
    left = np.hypot(shrunk, _LEFT_BY_THE_LAW * share * bias)
    error = np.sqrt(scatter**2 + floor**2 + left**2)
    sizes = [float(np.median(part[told] / error[told])) for part in (bias, left)]
    return Estimate(mean, error, values, share, *sizes)


def _share(bias: Array, uncertain: Array) -> tuple[float, float]:
    """Return which part of the bias to remove, and its mean square, both in units of the standard error.

    The mean square of what was measured is that of the bias and that of its noise.  Were both known, bias/(bias +
    noise) of the measured one would leave the smallest error.  Where the noise is not small against the error itself,
    the measurement cannot tell that there is no bias, and what it cannot exclude is removed too: the error grows, and
    stays true.
    """
    noise = float(np.mean(uncertain**2))
    there = max(0.0, float(np.mean(bias**2)) - noise)
    if there + noise == 0:
        return 0.0, 0.0
    return (there + noise * min(1.0, 2 * noise)) / (there + noise), there
