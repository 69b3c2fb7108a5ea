r"""From the response of a linear system to the spectral density of its matrix, with error bands (eqs. 28-32).

The response may grow exponentially; a Fourier integral (eq. 30) then means nothing, and even where it converges it
loses the density in noise. `density` goes

    R(lag)  ->  modified moments  ->  Jacobi coefficients  ->  continued fraction of the resolvent at x + i broadening
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.moments import Estimate, Jacobi, recursion

__all__ = ["Density", "continued_fraction", "density", "largest_atom"]


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
    point = place + 1j * broadening

    def broadened(a: FloatArray, b_squared: FloatArray) -> FloatArray:
        return np.asarray(-continued_fraction(a, b_squared, point).imag / np.pi)

    value = broadened(coefficients.a, coefficients.b**2)
    n = len(coefficients.a)
    others = [broadened(*recursion(displaced, dt, n, estimate.interval)) for displaced in estimate.displaced]
    return Density(
        x=place,
        density=value,
        error=estimate.spread(value, others),
        broadening=broadening,
        coefficients=coefficients,
    )


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


def continued_fraction(a: FloatArray, b_squared: FloatArray, z: NDArray[Any]) -> NDArray[np.complex128]:
    """Return int rho(x)/(z - x) with the last coefficients repeated for ever."""
    tail, tail_squared = a[-1], b_squared[-1] if len(b_squared) else 0.0
    edge = 2 * np.sqrt(tail_squared)
    shifted = np.asarray(z - tail, dtype=np.complex128)
    value = 2 / (shifted * (1 + np.sqrt(1 - (edge / shifted) ** 2)))  # this root has its cut between the edges only
    for k in range(len(a) - 2, -1, -1):
        value = 1 / (z - a[k] - b_squared[k] * value)
    return np.asarray(value)
