"""Resolvents of the matrix of a linear system: from its Jacobi coefficients, and from its response."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory.density import continued_fraction
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
