"""Spectral density of the matrix behind the response of a linear system, with its error band (eqs. 28-32)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.moments import Estimate, Jacobi, recursion
from sitesampler.theory.resolvent import continued_fraction

__all__ = ["Density", "broadened", "density", "largest_atom"]


@dataclass(frozen=True)
class Density:
    """A spectral density, convolved with a Lorentzian.

    Attributes
    ----------
    x : ndarray
        Places.
    density, error : ndarray
        Broadened density and its standard error, shaped like x.
    broadening : float
        Half width of the Lorentzian at half maximum.
    coefficients : Jacobi
        The coefficients used, all trustworthy.
    """

    x: FloatArray
    density: FloatArray
    error: FloatArray
    broadening: float
    coefficients: Jacobi


def density(
    response: ArrayLike,
    dt: float,
    x: ArrayLike,
    broadening: float,
    error: ArrayLike | None = None,
    tolerance: float = 0.02,
    count: int | None = None,
) -> Density:
    """Return the density of the matrix behind a response, convolved with a Lorentzian, with its error.

    The density is that of a continued fraction with the trustworthy Jacobi coefficients, the last of which are
    repeated for ever: exact for a semicircle and for the Marchenko-Pastur law, including its atom, and smooth where
    the data say nothing. What is repeated is an assumption the error does not contain: it matters less the larger
    the broadening.

    Parameters
    ----------
    response, dt, error, tolerance, count
        As for `jacobi`.
    x : array_like
        Places.
    broadening : float
        Half width of the Lorentzian, positive.

    Raises
    ------
    ValueError
        As `jacobi`, and if the broadening is not positive.

    Examples
    --------
    >>> from sitesampler.theory import goe_flow
    >>> x = np.array([0.0, 1.0])
    >>> found = density(goe_flow.response(0.1, 40)[1:, 0], 0.1, x, broadening=0.1)
    >>> print(found.density.round(3), (goe_flow.resolvent(-x - 0.1j).imag / np.pi).round(3))
    [0.303 0.26 ] [0.303 0.26 ]
    """
    if not broadening > 0:
        raise ValueError(f"the broadening must be positive, got {broadening}.")
    place = np.asarray(x, dtype=np.float64)
    estimate = Estimate.of(response, dt, error)
    coefficients = estimate.jacobi(tolerance, count)
    value = broadened(place, coefficients.a, coefficients.b**2, broadening)
    n = len(coefficients.a)
    others = [
        broadened(place, *recursion(displaced, dt, n, estimate.interval), broadening)
        for displaced in estimate.displaced
    ]
    return Density(
        x=place,
        density=value,
        error=estimate.spread(value, others),
        broadening=broadening,
        coefficients=coefficients,
    )


def broadened(x: ArrayLike, a: FloatArray, b_squared: FloatArray, broadening: float) -> FloatArray:
    """Return the density at x + i broadening of a Jacobi matrix that goes on with its last coefficients.

    Parameters
    ----------
    x : array_like
        Places.
    a, b_squared : ndarray
        Diagonal a_0, a_1, ... and squares of the elements b_1, b_2, ... beside it, one fewer.
    broadening : float
        Half width of the Lorentzian.

    Examples
    --------
    >>> broadened([0.0], np.zeros(2), np.ones(1), 1e-9).round(6)  # the semicircle, 1/pi at its middle
    array([0.31831])
    """
    point = np.asarray(x, dtype=np.float64) + 1j * broadening
    return np.asarray(-continued_fraction(a, b_squared, point).imag / np.pi)


def largest_atom(coefficients: Jacobi, place: float = 0.0) -> float:
    """Return the largest weight that a delta function at a place can have, given the Jacobi coefficients.

    This is the Christoffel function 1/sum_k p_k(place)^2. With more coefficients it falls to the true weight, at a
    place outside the continuous spectrum exponentially fast.

    Parameters
    ----------
    coefficients : Jacobi
        From `jacobi`.
    place : float
        Where the delta function sits.

    Examples
    --------
    >>> from sitesampler.theory import regression_flow
    >>> from sitesampler.theory.moments import jacobi
    >>> flow = regression_flow.solve(alpha=0.4, noise=0.0, dt=0.2, steps=30)
    >>> f"{largest_atom(jacobi(flow.R_h[1:, 0], dt=0.2)):.4f}"  # 1 - alpha
    '0.6000'
    """
    before, now, total = 0.0, 1.0, 1.0
    b_before = 0.0
    for a, b in zip(coefficients.a, coefficients.b, strict=False):
        before, now = now, float(((place - a) * now - b_before * before) / b)
        b_before = b
        total += now**2
    return 1 / total
