r"""Averages of a nonlinearity over one or two Gaussian variables.

All closed equations of the tutorial for nonlinear systems go through two functions,

    <phi(h)>,  h ~ N(0, c)          and          F(c1, c2, c3) = <phi(h) phi(h')>,

the latter for Gaussian h, h' with covariance matrix [[c1, c3], [c3, c2]] (Problem 3, eq. 23). Here they are
computed to about 1e-13: by closed formulas for relu, erf and linear, by a Hermite series otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, Nonlinearity, nonlinearity
from sitesampler.theory._hermite import RANGE, SMALLEST_DEGREE, FloatArray, coefficients, power_series

__all__ = ["GaussianRows", "GaussianStrips", "average", "product_average", "slope_at_zero"]

# A correlation coefficient may exceed one by accumulated rounding; more than this is a wrong covariance.
CORRELATION_SLACK = 1e-9
# Pairs treated at once, so that (degree x pairs) stays within a processor cache.
CHUNK = 4096


def average(phi: str | Activation, variance: ArrayLike) -> FloatArray:
    """Return <phi(h)> for h ~ N(0, variance).

    Parameters
    ----------
    phi : str or callable
        Nonlinearity (see `sitesampler.nonlinearities.nonlinearity`); smooth, unless it is "relu".
    variance : array_like
        Variances, any shape, not negative.

    Returns
    -------
    ndarray
        Averages, shaped like `variance`.

    Raises
    ------
    ValueError
        If a variance is negative.

    Examples
    --------
    >>> f"{average('relu', 1.0):.10f}"
    '0.3989422804'
    """
    function = nonlinearity(phi)
    spread = np.sqrt(_checked_variance(variance))
    if _name(function) == "relu":
        return np.asarray(spread / np.sqrt(2 * np.pi))
    if _name(function) in ("erf", "linear"):
        return np.zeros_like(spread)
    # Fine enough for the Gaussian and for a pole of phi at distance pi/2 (tanh), error below 1e-20.
    step = 2 * np.pi / (12 + 36 * float(np.max(spread, initial=0.0)))
    half = int(np.ceil(RANGE / step))
    nodes = step * np.arange(-half, half + 1)
    weights = np.exp(-(nodes**2) / 2) * (step / np.sqrt(2 * np.pi))
    return np.asarray(np.asarray(function(spread[..., None] * nodes), dtype=np.float64) @ weights)


def product_average(phi: str | Activation, c1: ArrayLike, c2: ArrayLike, c3: ArrayLike) -> FloatArray:
    r"""Return F(c1, c2, c3) = <phi(h) phi(h')> for Gaussian h, h' of covariance [[c1, c3], [c3, c2]].

    Parameters
    ----------
    phi : str or callable
        Nonlinearity. "relu", "erf" and "linear" use closed formulas; any other must be smooth.
    c1, c2 : array_like
        Variances of h and h', not negative (zero is allowed).
    c3 : array_like
        Covariance, \|c3\| <= sqrt(c1 c2) (equality is allowed). All three are broadcast.

    Returns
    -------
    ndarray
        F, with the broadcast shape; about 13 digits.

    Raises
    ------
    ValueError
        If a variance is negative or the matrix is not positive semi-definite.

    Warns
    -----
    RuntimeWarning
        If the series does not converge because phi is not smooth.

    Examples
    --------
    >>> f"{product_average('erf', 1.0, 1.0, 0.3):.10f}"
    '0.1281884337'
    >>> f"{product_average('tanh', 1.0, 1.0, 0.3):.10f}"
    '0.1106683855'
    """
    function = nonlinearity(phi)
    variance, other, covariance = np.broadcast_arrays(
        _checked_variance(c1), _checked_variance(c2), np.asarray(c3, dtype=np.float64)
    )
    rho = _correlation_coefficient(variance, other, covariance)
    closed = _CLOSED.get(_name(function))
    if closed is not None:
        return np.asarray(closed(variance, other, rho))
    values, index = np.unique(np.stack([variance, other]).ravel(), return_inverse=True)
    # Largest variance first: all series must reach as far as the longest.
    found: list[FloatArray] = []
    degree = SMALLEST_DEGREE
    for value in values[::-1]:
        row, degree = coefficients(function, float(value), degree)
        found.insert(0, row)
    table = np.zeros((max((len(row) for row in found), default=1), len(found)))
    for column, row in enumerate(found):
        table[: len(row), column] = row
    first, second = index.reshape(2, -1)
    flat_rho = rho.ravel()
    result = np.empty(flat_rho.size)
    for start in range(0, flat_rho.size, CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = power_series(table[:, first[part]] * table[:, second[part]], flat_rho[part])
    return result.reshape(rho.shape)


def slope_at_zero(phi: str | Activation) -> float:
    """Return phi'(0), from the derivative of a `Nonlinearity`, otherwise by a fourth-order difference.

    Examples
    --------
    >>> slope_at_zero("tanh")
    1.0
    """
    function = nonlinearity(phi)
    if isinstance(function, Nonlinearity):
        return float(function.derivative(np.zeros(1))[0])
    step = 1e-3
    far_left, left, right, far_right = np.asarray(function(step * np.array([-2.0, -1.0, 1.0, 2.0])))
    return float((far_left - 8 * left + 8 * right - far_right) / (12 * step))


class GaussianRows:
    """Averages <f(h_n) f(h_m)> of a function of a Gaussian process with a mean, one row at a time.

    Parameters
    ----------
    function : callable
        f; smooth.
    size : int
        Number of times.
    """

    def __init__(self, function: Activation, size: int) -> None:
        self.function = function
        self.degree = SMALLEST_DEGREE
        self.table = np.zeros((1, size))
        self.scale = np.zeros(size)
        self.known = 0

    def row(self, mean: float, covariances: FloatArray) -> FloatArray:
        """Add a time with the given mean of h; return the averages of f there with f at all times up to it.

        Parameters
        ----------
        covariances : (now + 1,) array
            Covariances of h now with h at all times up to now.
        """
        now = self.known
        self.scale[now] = np.sqrt(covariances[now])
        latest, self.degree = coefficients(lambda x: self.function(mean + x), float(covariances[now]), self.degree)
        if len(latest) > len(self.table):
            self.table = np.pad(self.table, ((0, len(latest) - len(self.table)), (0, 0)))
        self.table[: len(latest), now] = latest
        self.known += 1
        norm = self.scale[: now + 1] * self.scale[now]
        rho = np.divide(covariances, norm, out=np.zeros_like(norm), where=norm > 0)
        weights = self.table[: len(latest), : now + 1] * latest[:, None]
        return np.asarray(power_series(weights, np.clip(rho, -1.0, 1.0)))

    @property
    def mean(self) -> float:
        """The average <f(h)> at the latest time."""
        return float(self.table[0, self.known - 1])


class GaussianStrips:
    """Averages <f(h_n) f(h_m)> of a function of a Gaussian process with a mean, several times at once, and again.

    Parameters
    ----------
    function : callable
        f; smooth, or a `Nonlinearity` with a closed form if there is no mean.
    """

    def __init__(self, function: Activation) -> None:
        self.function = function
        self.degree = SMALLEST_DEGREE
        self.table = np.zeros((1, 0))
        self.variances = np.zeros(0)

    def strip(self, here: slice, means: FloatArray | None, covariances: FloatArray) -> FloatArray:
        """Return the averages of f at some times with f at all times up to the last of them.

        Parameters
        ----------
        here : slice
            These times; they follow those of earlier calls, or replace them.
        means : (times,) array or None
            Means of h there; None where all are zero.
        covariances : (times, here.stop) array
            Covariances of h there with h at all times.
        """
        # Iterates on the way to a solution may leave the range of covariances.
        latest = np.maximum(np.diagonal(covariances[:, here]), 0.0)
        self.variances = np.concatenate([self.variances[: here.start], latest])
        norm = np.sqrt(latest)[:, None] * np.sqrt(self.variances)
        covariances = np.clip(covariances, -norm, norm)
        if means is None and _name(self.function) in _CLOSED:
            return product_average(self.function, latest[:, None], self.variances, covariances)
        shifts = np.zeros(latest.size) if means is None else means
        found = [self._coefficients(*pair) for pair in zip(shifts, latest, strict=True)]
        depth = max(len(self.table), *map(len, found))
        table = np.zeros((depth, here.stop))
        table[: len(self.table), : here.start] = self.table[:, : here.start]
        for place, row in enumerate(found, here.start):
            table[: len(row), place] = row
        self.table = table
        rho = np.divide(covariances, norm, out=np.zeros_like(norm), where=norm > 0)
        return np.asarray(power_series(table[:, here, None] * table[:, None], rho))

    def _coefficients(self, mean: float, variance: float) -> FloatArray:
        shifted = self.function if mean == 0 else lambda x: self.function(mean + x)
        row, self.degree = coefficients(shifted, float(variance), self.degree)
        return row

    def means(self, here: slice) -> FloatArray:
        """Return <f(h)> at times of the last call."""
        return np.asarray(self.table[0, here])


def _name(function: Activation) -> str:
    return function.name if isinstance(function, Nonlinearity) else ""


def _checked_variance(variance: ArrayLike) -> FloatArray:
    checked = np.asarray(variance, dtype=np.float64)
    if not np.all(checked >= 0):
        raise ValueError("variances must be non-negative numbers.")
    return checked


def _correlation_coefficient(variance: FloatArray, other: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return c3/sqrt(c1 c2), clipped to [-1, 1]; zero where a variance vanishes."""
    # Two roots, not the root of the product, which underflows for decaying solutions.
    norm = np.sqrt(variance) * np.sqrt(other)
    if not np.all(np.abs(covariance) <= norm * (1 + CORRELATION_SLACK) + np.finfo(float).tiny):
        raise ValueError("the covariance c3 must satisfy |c3| <= sqrt(c1 c2).")
    rho = np.divide(covariance, norm, out=np.zeros_like(norm), where=norm > 0)
    return np.asarray(np.clip(rho, -1.0, 1.0))


def _relu_product(variance: FloatArray, other: FloatArray, rho: FloatArray) -> FloatArray:
    angle = np.arccos(rho)
    sine = np.sqrt((1 - rho) * (1 + rho))
    return np.asarray(np.sqrt(variance) * np.sqrt(other) * (sine + (np.pi - angle) * rho) / (2 * np.pi))


def _erf_product(variance: FloatArray, other: FloatArray, rho: FloatArray) -> FloatArray:
    covariance = rho * np.sqrt(variance) * np.sqrt(other)
    norm = np.sqrt((1 + 2 * variance) * (1 + 2 * other))
    return np.asarray(2 / np.pi * np.arcsin(2 * covariance / norm))


def _linear_product(variance: FloatArray, other: FloatArray, rho: FloatArray) -> FloatArray:
    return np.asarray(rho * np.sqrt(variance) * np.sqrt(other))


_CLOSED: dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
    "relu": _relu_product,
    "erf": _erf_product,
    "linear": _linear_product,
}
