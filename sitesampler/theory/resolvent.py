"""Resolvent of the matrix behind the response of a linear system: from Jacobi coefficients, or as a sum over lags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.moments import Jacobi

__all__ = ["resolvent", "transform"]


def resolvent(coefficients: Jacobi, s: ArrayLike) -> NDArray[np.complex128]:
    """Return (1/N) Tr (s + M)^-1 for complex s off the spectrum of -M, from Jacobi coefficients of M.

    Parameters
    ----------
    coefficients : Jacobi
        From `jacobi`; the last ones are repeated for ever.
    s : array_like
        Complex numbers.

    Examples
    --------
    >>> from sitesampler.theory import goe_flow
    >>> from sitesampler.theory.moments import jacobi
    >>> found = jacobi(goe_flow.response(0.1, 40)[1:, 0], 0.1)
    >>> f"{complex(resolvent(found, 2.5)).real:.4f} {float(goe_flow.resolvent(2.5)):.4f}"
    '0.5000 0.5000'
    """
    point = -np.asarray(s, dtype=np.complex128)
    return -continued_fraction(coefficients.a, coefficients.b**2, point)


def transform(response: ArrayLike, dt: float, s: ArrayLike) -> NDArray[Any]:
    """Return the resolvent (1/N) Tr (s + M)^-1 as the sum over lags of dt x^lag R(lag), x = 1/(1 + s dt) (eq. 30).

    The dictionary of continuous time, the Laplace transform, holds exactly at any dt in this form.

    Parameters
    ----------
    response : array_like, shape (..., lags)
        R(1), R(2), ..., so many that x^lag R(lag) has become negligible: s must lie well right of all -x.
    dt : float
        Time step.
    s : array_like
        Real or complex.

    Returns
    -------
    ndarray, shape (...) + shape of s

    Examples
    --------
    >>> from sitesampler.theory import goe_flow
    >>> f"{float(transform(goe_flow.response(0.1, 400)[1:, 0], 0.1, 2.5)):.6f}"
    '0.500000'
    """
    values = np.asarray(response, dtype=np.float64)
    x = 1 / (1 + np.asarray(s) * dt)
    powers = x ** np.arange(1, values.shape[-1] + 1).reshape(-1, *[1] * x.ndim)
    return np.asarray(dt * np.tensordot(values, powers, axes=1))


def continued_fraction(a: FloatArray, b_squared: FloatArray, z: NDArray[Any]) -> NDArray[np.complex128]:
    """Return int rho(x)/(z - x) with the last coefficients repeated for ever."""
    tail, tail_squared = a[-1], b_squared[-1] if len(b_squared) else 0.0
    edge = 2 * np.sqrt(tail_squared)
    shifted = np.asarray(z - tail, dtype=np.complex128)
    value = 2 / (shifted * (1 + np.sqrt(1 - (edge / shifted) ** 2)))  # this root has its cut between the edges only
    for k in range(len(a) - 2, -1, -1):
        value = 1 / (z - a[k] - b_squared[k] * value)
    return np.asarray(value)
