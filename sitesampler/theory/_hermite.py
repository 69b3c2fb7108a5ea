r"""Hermite expansion of phi(sqrt(c) z): what averages over one and over two Gaussian variables are made of.

With He_k the probabilists' Hermite polynomials and z ~ N(0, 1),

    phi(sqrt(c) z) = sum_k a_k(c) He_k(z) / sqrt(k!),     a_k(c) = <phi(sqrt(c) z) He_k(z)> / sqrt(k!),

so that two Gaussian variables of variances c, c' and correlation coefficient rho have

    <phi(h) phi(h')> = sum_k a_k(c) a_k(c') rho^k.

Parseval's identity, sum_k a_k^2 = <phi^2>, tells for every rho at once what a truncated series misses.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.nonlinearities import Activation

FloatArray = NDArray[np.float64]

# exp(-z^2/4) is 1e-17 here: the integrand phi(z) He_k(z) exp(-z^2/2) never exceeds that beyond.
RANGE = 12.6
SMALLEST_DEGREE, LARGEST_DEGREE = 64, 4096
# A pole of phi at distance pi/2 (tanh) makes a_k(c) ~ exp(-sqrt(k/c) pi/2): a_k^2 < 1e-14 at k = 105 c.
DEGREES_PER_VARIANCE = 105.0
# Coefficients (relative to the root of <phi^2>) and terms of a power series (relative to the largest) left out.
DROPPED_COEFFICIENT, DROPPED_TERM = 1e-15, 1e-17
# Missing weight 1 - sum_k a_k^2 / <phi^2>: what rounding may hide, and what deserves a warning.
ROUNDING_WEIGHT, WORRYING_WEIGHT = 1e-14, 1e-9


@lru_cache(maxsize=7)
def _weighted_polynomials(degree: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return nodes z, square roots w of their weights, and w He_k(z)/sqrt(k!) for k < degree.

    The step of the trapezoid rule resolves He_k (wave number sqrt(k)), the Gaussian, and a function phi as
    sharp as the degree announces; the rule then converges faster than any power of the step.
    """
    step = 2 * np.pi / (12 + 3.5 * np.sqrt(degree))
    half = int(np.ceil(RANGE / step))
    nodes = step * np.arange(-half, half + 1)
    root_weights = np.exp(-(nodes**2) / 4) * np.sqrt(step / np.sqrt(2 * np.pi))
    table = np.empty((degree, nodes.size))
    table[0] = root_weights
    table[1] = nodes * root_weights
    for k in range(1, degree - 1):
        table[k + 1] = (nodes * table[k] - np.sqrt(k) * table[k - 1]) / np.sqrt(k + 1)
    return nodes, root_weights, table


def coefficients(phi: Activation, variance: float, least_degree: int = SMALLEST_DEGREE) -> tuple[FloatArray, int]:
    """Return a_k(variance), k = 0, 1, ..., without a negligible tail, and the degree that was searched.

    The degree is doubled, from `least_degree`, until no weight is missing. That makes the square of the series
    accurate; for a product with a partner of larger variance, whose coefficients reach further, pass on the
    degree of the partner.

    Warns
    -----
    RuntimeWarning
        If phi is not smooth enough at this variance for the series to converge (a kink, or a step much
        narrower than the spread of h); the message states the weight that is missing.
    """
    scale = np.sqrt(variance)
    if scale == 0.0:
        return np.asarray(phi(np.zeros(1)), dtype=np.float64), least_degree
    degree = least_degree
    while degree < min(DEGREES_PER_VARIANCE * variance + SMALLEST_DEGREE / 2, LARGEST_DEGREE):
        degree *= 2
    while True:
        nodes, root_weights, table = _weighted_polynomials(degree)
        weighted = np.asarray(phi(scale * nodes), dtype=np.float64) * root_weights
        found = np.asarray(table @ weighted)
        total = float(weighted @ weighted)
        missing = total - float(found @ found)
        if missing <= ROUNDING_WEIGHT * total or degree >= LARGEST_DEGREE:
            break
        degree *= 2
    if missing > WORRYING_WEIGHT * total:
        warnings.warn(
            f"the Hermite series of phi at variance {variance:.3g} misses a fraction {missing / total:.1e} of "
            "<phi^2>: phi has a kink or a very narrow step, and averages are only that accurate.",
            RuntimeWarning,
            stacklevel=3,
        )
    return without_tail(found, np.abs(found), DROPPED_COEFFICIENT * np.sqrt(total)), degree


def without_tail(rows: FloatArray, size: FloatArray, threshold: float) -> FloatArray:
    """Return the rows up to the last whose size exceeds the threshold, at least one."""
    large = np.flatnonzero(size > threshold)
    return rows[: large[-1] + 1 if large.size else 1]


def power_series(weights: FloatArray, x: Any) -> Any:
    """Return sum_k weights[k] x^k, |x| <= 1, by Horner's rule; weights[k] are numbers or arrays shaped like x.

    Negligible high powers are left out. Odd (even) functions have only odd (even) powers: the empty half is
    skipped.
    """
    size = np.max(np.abs(weights.reshape(len(weights), -1)), axis=1, initial=0.0)
    threshold = DROPPED_TERM * np.max(size)
    weights = without_tail(weights, size, threshold)
    if len(weights) > 2:
        if np.all(size[: len(weights) : 2] <= threshold):
            return x * power_series(weights[1::2], x * x)
        if np.all(size[1 : len(weights) : 2] <= threshold):
            return power_series(weights[0::2], x * x)
    result = np.zeros(np.shape(x)) + weights[-1]
    for weight in weights[-2::-1]:
        result = result * x + weight
    return result
