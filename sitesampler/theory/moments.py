r"""From the response of a linear system to the moments and the Jacobi coefficients of its matrix, with errors.

For h_{n+1} = h_n - dt M h_n + dt j_n the response density depends on the lag only,

    R(lag) = (1/N) Tr (1 - dt M)^(lag - 1) = int rho(x) (1 - dt x)^(lag - 1) dx,       lag = 1, 2, ...

so it *is* the sequence of moments of the density rho in the variable 1 - dt x. It may grow exponentially; a Fourier
integral (eq. 30) then means nothing, and even where it converges it loses the density in noise. So we go

    R(lag)  ->  modified moments  ->  Jacobi coefficients  ->  continued fraction of the resolvent at x + i broadening

and stop at the last Jacobi coefficient that the error of R leaves trustworthy. Every stage is repeated for each
replica left out (jackknife), so the error band needs no assumption on how the errors at different lags are related:
that matters, because they nearly cancel in the moments.

A flow with the other sign, h <- h + dt M h, is described by a negative dt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory._hermite import FloatArray

__all__ = ["Jacobi", "by_lag", "jacobi", "moments"]

# Relative error of a response without replicas and without stated errors: rounding.
ROUNDING = 2e-16
# More coefficients than anyone will ever trust; later lags are not looked at.
MOST = 32


@dataclass(frozen=True)
class Jacobi:
    """Coefficients of the polynomials orthogonal under a density, x p_k = b_{k+1} p_{k+1} + a_k p_k + b_k p_{k-1}.

    Attributes
    ----------
    a : ndarray, shape (n,)
        a_0, ..., a_{n-1}.
    b : ndarray, shape (n - 1,)
        b_1, ..., b_{n-1}.
    a_error, b_error : ndarray
        Standard errors, shaped like a and b.
    """

    a: FloatArray
    b: FloatArray
    a_error: FloatArray
    b_error: FloatArray


def by_lag(response: ArrayLike) -> FloatArray:
    """Return R(1), ..., R(L) from two-time responses, averaged over all pairs of times with that lag.

    Parameters
    ----------
    response : array_like, shape (..., L + 1, L + 1)
        R[n, m], later time first; leading axes (replicas) are kept.

    Returns
    -------
    ndarray, shape (..., L)

    Examples
    --------
    >>> from sitesampler.theory import goe_flow
    >>> print(by_lag(goe_flow.response(0.1, 3)))
    [1.   1.   1.01]
    """
    matrix = np.asarray(response, dtype=np.float64)
    steps = matrix.shape[-1] - 1
    lags = [np.diagonal(matrix, -lag, -2, -1).mean(axis=-1) for lag in range(1, steps + 1)]
    return np.stack(lags, axis=-1)


def moments(response: ArrayLike, dt: float, count: int, centre: float = 0.0, scale: float = 1.0) -> FloatArray:
    """Return int rho(x) [(x - centre)/scale]^k dx, k < count, as differences of the response.

    Independent errors of R are multiplied by about (2/(dt scale))^k; the errors of one sampled or finite system are
    not independent, and replicas tell what is left of them.

    Parameters
    ----------
    response : array_like, shape (..., lags)
        R(1), R(2), ....
    dt : float
        Time step.
    count : int
        Number of moments, at most the number of lags.
    centre, scale : float
        Origin and unit of x.

    Returns
    -------
    ndarray, shape (..., count)

    Raises
    ------
    ValueError
        If there are fewer lags than moments.

    Examples
    --------
    >>> from sitesampler.theory import goe_flow
    >>> print(moments(goe_flow.response(0.1, 20)[1:, 0], 0.1, count=5).round(6) + 0.0)
    [1. 0. 1. 0. 2.]
    """
    return _expanded(np.asarray(response, dtype=np.float64), dt, count, centre, scale, 0.0)


def jacobi(
    response: ArrayLike,
    dt: float,
    error: ArrayLike | None = None,
    tolerance: float = 0.02,
    count: int | None = None,
) -> Jacobi:
    """Return the trustworthy Jacobi coefficients of the density behind a response.

    The modified Chebyshev algorithm turns moments with the polynomials of a semicircle of the right mean and
    variance into Jacobi coefficients. A coefficient is trustworthy if it and all before it have a standard error
    below `tolerance` standard deviations of the density.

    Parameters
    ----------
    response : array_like, shape (lags,) or (replicas, lags)
        R(1), R(2), .... Replicas are independent estimates; their mean is used, and their scatter for the errors.
    dt : float
        Time step.
    error : array_like, shape (lags,), optional
        For a single response: standard errors, independent from lag to lag. By default rounding errors.
    tolerance : float
        Largest standard error of a coefficient that counts.
    count : int, optional
        Give so many a_k, trustworthy or not.

    Raises
    ------
    ValueError
        If not even the mean and the variance of the density can be trusted, or `count` needs more lags.

    Examples
    --------
    >>> from sitesampler.theory import regression_flow
    >>> flow = regression_flow.solve(alpha=0.5, noise=0.0, dt=0.2, steps=30)
    >>> found = jacobi(flow.R_h[1:, 0], dt=0.2)  # a_0 = 1, then 1 + 1/alpha; b^2 = 1/alpha
    >>> len(found.a) > 4, found.a[:3].round(4), (found.b[:2] ** 2).round(4)
    (True, array([1., 3., 3.]), array([2., 2.]))
    """
    return Estimate.of(response, dt, error).jacobi(tolerance, count)


@dataclass(frozen=True)
class Estimate:
    """A response, displaced copies of it, and what the square of their displacements counts in a variance."""

    response: FloatArray
    displaced: list[FloatArray]
    factor: float
    dt: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, response: ArrayLike, dt: float, error: ArrayLike | None) -> Estimate:
        values = np.asarray(response, dtype=np.float64)
        if values.ndim not in (1, 2) or values.shape[-1] < 4:
            raise ValueError(
                f"the response must have shape (lags,) or (replicas, lags) with at least four lags, got {values.shape}."
            )
        stated = np.zeros(values.shape[-1]) if error is None else np.asarray(error, dtype=np.float64)
        if stated.shape != values.shape[-1:]:
            raise ValueError(f"error must have one value per lag, {values.shape[-1]} in all, got shape {stated.shape}.")
        values, stated = values[..., : 2 * MOST], stated[: 2 * MOST]
        if values.ndim == 2 and error is None and len(values) > 1:
            mean, count = values.mean(axis=0), len(values)
            displaced = list((count * mean - values) / (count - 1))
            factor = (count - 1) / count
        else:
            mean = values.mean(axis=0) if values.ndim == 2 else values
            size = ROUNDING * np.abs(mean) if error is None else stated
            displaced = [mean + sign * row for row in np.diag(size) for sign in (1, -1) if np.any(row)]
            factor = 0.5
        first, second = moments(mean / mean[0], dt, 3)[1:]
        variance = second - first**2
        if not variance > 0:
            raise ValueError(
                "the first responses give the density no positive variance: their errors are too large, or the matrix "
                "is a multiple of the identity."
            )
        return cls(mean, displaced, factor, dt, (float(first), float(2 * np.sqrt(variance))))

    def spread(self, value: FloatArray, others: list[FloatArray]) -> FloatArray:
        """Return the standard error of a value, infinite where a displaced response gave none."""
        if not others:
            return np.zeros_like(value)
        square = np.sum((np.array(others) - value) ** 2, axis=0)
        return np.asarray(np.where(np.isfinite(square), np.sqrt(self.factor * square), np.inf))

    def jacobi(self, tolerance: float, count: int | None) -> Jacobi:
        most = len(self.response) // 2
        n = most if count is None else count
        if not 1 <= n <= most:
            raise ValueError(f"{len(self.response)} lags give at most {most} coefficients, asked for {count}.")
        a, b_squared = recursion(self.response, self.dt, n, self.interval)
        others = [recursion(displaced, self.dt, n, self.interval) for displaced in self.displaced]
        a_error = self.spread(a, [other for other, _ in others])
        b = np.sqrt(b_squared)
        b_error = self.spread(b, [np.sqrt(other) for _, other in others])
        if count is None:
            largest = tolerance * self.interval[1] / 2
            good = np.isfinite(a) & (a_error <= largest)
            good[1:] &= np.isfinite(b) & (b_error <= largest)
            n = n if np.all(good) else int(np.argmin(good))
            if n < 2:
                raise ValueError(
                    "mean and variance of the density are not determined to the tolerance: more replicas or larger "
                    "systems are needed."
                )
        return Jacobi(a=a[:n], b=b[: n - 1], a_error=a_error[:n], b_error=b_error[: n - 1])


def recursion(response: FloatArray, dt: float, n: int, interval: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Return a_0..a_{n-1} and b_1^2..b_{n-1}^2 by the modified Chebyshev algorithm; NaN from where it breaks down.

    Reference polynomials are those of the semicircle on centre +- half width, p_{k+1} = y p_k - p_{k-1}/4 with
    y = (x - centre)/(half width).
    """
    centre, half = interval
    beta = 0.25
    row = _expanded(response, dt, 2 * n, centre, half, beta)  # row[l] = int rho pi_k p_l, pi_k the wanted polynomials
    before = np.zeros_like(row)
    a, b_squared = np.full(n, np.nan), np.full(n - 1, np.nan)
    ratio, factor = 0.0, 0.0
    for k in range(n):
        new_ratio = row[k + 1] / row[k]
        a[k] = new_ratio - ratio
        if k == n - 1:
            break
        # Elements that would need moments beyond the last are wrong, and never used.
        below, above = np.append(0.0, row[:-1]), np.append(row[1:], 0.0)
        following = above - a[k] * row - factor * before + beta * below
        factor = following[k + 1] / row[k]
        if not factor > 0:
            break
        b_squared[k] = factor
        before, row, ratio = row, following, new_ratio
    return centre + half * a, half**2 * b_squared


def _expanded(values: FloatArray, dt: float, count: int, centre: float, scale: float, beta: float) -> FloatArray:
    """Return int rho p_k(y), y = (x - centre)/scale, for p_{k+1} = y p_k - beta p_{k-1}.

    R(lag) are the moments in u = 1 - dt x: multiplying by u is a shift of the lag.
    """
    if not 1 <= count <= values.shape[-1]:
        raise ValueError(f"{values.shape[-1]} lags determine at most so many moments, asked for {count}.")
    constant, slope = (1 / dt - centre) / scale, -1 / (dt * scale)
    previous, current = np.zeros_like(values), values
    found = np.empty((*values.shape[:-1], count))
    for k in range(count):
        found[..., k] = current[..., 0]
        following = (
            constant * current[..., :-1] + slope * current[..., 1:] - beta * previous[..., : current.shape[-1] - 1]
        )
        previous, current = current, following
    return found
