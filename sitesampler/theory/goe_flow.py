r"""Linear flow with a symmetric Gaussian matrix, h <- h - dt J h (eqs. 34-44).

J is GOE with off-diagonal variance 1/N: its spectrum is the semicircle on [-2, 2]. Every quantity is an
integral over it, exact at any time step; the density of a different symmetric matrix would do the same.

The correlation has an offset in discrete time, C[n, m] = response at lag n + m + 1, which becomes the
tutorial's C(t, t') = R(t + t') (eq. 33) when dt -> 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._times import times_of

__all__ = ["correlation", "resolvent", "response", "response_continuous", "semicircle"]


def semicircle(x: ArrayLike) -> FloatArray:
    """Return the semicircle density sqrt([4 - x^2]_+) / (2 pi) (eq. 44), shaped like x.

    Examples
    --------
    >>> f"{semicircle(0.0):.6f}"
    '0.318310'
    """
    place = np.asarray(x, dtype=np.float64)
    return np.asarray(np.sqrt(np.maximum(4 - place**2, 0.0)) / (2 * np.pi))


def correlation(dt: float | None = None, steps: int | None = None, times: ArrayLike | None = None) -> FloatArray:
    """Return C[n, m] = int rho(x) (1 - dt x)^(n+m) dx for <h_0^2> = 1; C(t, t') = I_1(2(t + t'))/(t + t') for dt -> 0.

    Parameters
    ----------
    dt : float, optional
        Time step; none for the limit dt -> 0, a closed form without error.
    steps : int, optional
        Last step number L, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.

    Returns
    -------
    ndarray, shape (L + 1, L + 1)
        C[n, m] = <h_n h_m>.

    Examples
    --------
    >>> f"{correlation(0.1, 20)[20, 10]:.4f}"
    '14.7575'
    """
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        return response_continuous(asked[:, None] + asked)
    moments = _moments(dt, 2 * steps + 1)
    numbers = np.arange(steps + 1)
    return np.asarray(moments[numbers[:, None] + numbers])


def response(dt: float | None = None, steps: int | None = None, times: ArrayLike | None = None) -> FloatArray:
    """Return the response density R[n, m] = int rho(x) (1 - dt x)^(n-m-1) dx, zero for n <= m (eq. 29).

    Parameters
    ----------
    dt : float, optional
        Time step; none for the limit dt -> 0, a closed form without error.
    steps : int, optional
        Last step number L, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.

    Returns
    -------
    ndarray, shape (L + 1, L + 1)
        R[n, m] = <d h_n / d(dt j_m)>; R[m+1, m] = 1. In the limit R(t, t) = 1, the value just after the kick.

    Examples
    --------
    >>> f"{response(0.1, 20)[20, 10]:.5f}"
    '1.38562'
    """
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        return response_continuous(asked[:, None] - asked)
    by_lag = np.concatenate([np.zeros(1), _moments(dt, steps)])
    numbers = np.arange(steps + 1)
    return np.asarray(by_lag[np.maximum(numbers[:, None] - numbers, 0)])


def response_continuous(tau: ArrayLike) -> FloatArray:
    """Return the response of the continuous flow, I_1(2 tau)/tau, for lags tau.

    It solves the transform of eq. 42; R(0+) = 1 is returned at tau = 0, and 0 for tau < 0. The correlation
    is C(t, t') = R(t + t') (eq. 33).

    Examples
    --------
    >>> f"{response_continuous(1.0):.5f}"
    '1.59064'
    """
    from scipy.special import iv

    lag = np.asarray(tau, dtype=np.float64)
    positive = np.where(lag > 0, lag, 1.0)
    return np.asarray(np.where(lag > 0, iv(1, 2 * positive) / positive, np.where(lag == 0, 1.0, 0.0)))


def resolvent(s: ArrayLike) -> NDArray[Any]:
    """Return (1/N) Tr (s + J)^-1, the solution of s R = 1 + R^2 that decays as 1/s (eqs. 42, 43).

    The same function is the transform of the discrete response: with s = (1 - x)/(x dt) it equals
    sum over lags k >= 1 of dt x^k R(k).

    Parameters
    ----------
    s : array_like
        Complex numbers off the interval [-2, 2], or real numbers outside it.

    Returns
    -------
    ndarray
        Shaped like s, real for real s.

    Raises
    ------
    ValueError
        If a real s lies inside (-2, 2), on the cut: add a small imaginary part to choose the side.

    Examples
    --------
    >>> f"{resolvent(2.5):.3f}"
    '0.500'
    """
    point = np.asarray(s)
    if not np.iscomplexobj(point):
        point = point.astype(np.float64)
        if np.any(np.abs(point) < 2):
            raise ValueError("real s inside (-2, 2) lies on the spectrum: add an imaginary part to s.")
        return np.asarray(2 / (point + np.copysign(np.sqrt(point**2 - 4), point)))
    # The product of two roots has its cut on [-2, 2] only, unlike the root of the product.
    return np.asarray(2 / (point + np.sqrt(point - 2) * np.sqrt(point + 2)))


def _moments(dt: float, count: int) -> FloatArray:
    """Return int rho(x) (1 - dt x)^k dx for k < count.

    Gauss-Chebyshev quadrature of the second kind, whose weight is the semicircle: exact for these
    polynomials with about count/2 nodes.
    """
    nodes = count // 2 + 2
    angles = np.pi * np.arange(1, nodes + 1) / (nodes + 1)
    weights = 2 / (nodes + 1) * np.sin(angles) ** 2
    factors = 1 - dt * 2 * np.cos(angles)
    moments = np.empty(count)
    powers = weights
    for k in range(count):
        moments[k] = powers.sum()
        powers = powers * factors
    return moments
