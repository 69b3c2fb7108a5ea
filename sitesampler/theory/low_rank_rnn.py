r"""Random network plus a low-rank structure, at any time step (Mastrogiuseppe & Ostojic 2018, Neuron 99, 609).

    h <- (1-dt) h + dt [ J phi(h) + sum_r m_r kappa_r ],     kappa_r = <n_r phi(h)> = overlap_r a_r <phi'(h)>

a_r = <m_r h>. Given the m_r, h is Gaussian; `recursion` marches its two-time correlation and the a_r. At a fixed
point kappa = a, so that <phi'(h)> = 1/overlap: `fixed_point`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory import _two_time
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._leaky import add_step, leaky_response
from sitesampler.theory._times import times_of
from sitesampler.theory.gaussian import GaussianRows, GaussianStrips, average, slope_at_zero

__all__ = ["LowRank", "fixed_point", "recursion"]


@dataclass(frozen=True)
class LowRank:
    """Order parameters at steps 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
    kappa, projection : ndarray, shape (L + 1, k)
        <n_r phi(h)> and <m_r h> of each structure.
    C_h, C_phi : ndarray, shape (L + 1, L + 1)
    """

    time: FloatArray
    kappa: FloatArray
    projection: FloatArray
    C_h: FloatArray
    C_phi: FloatArray


def recursion(
    g: float,
    overlap: ArrayLike,
    start: ArrayLike,
    phi: str | Activation = "tanh",
    *,
    dt: float | None = None,
    steps: int | None = None,
    times: ArrayLike | None = None,
    accuracy: float = _two_time.AIM,
) -> LowRank:
    """March the latent variables and the two-time correlations, exactly at this dt or in the limit dt -> 0.

    The limit is solved by collocation in panels of time, with errors that fall exponentially with their points and are
    measured: below ``accuracy`` times the largest value of each array, or a warning says what they are.

    Parameters
    ----------
    g : float
        Gain of the random couplings.
    overlap, start : float or (k,) array_like
        Of each structure: overlap of its vectors, and weight of m_r in h(0), to which a normal vector is added.
    phi : str or callable
        Smooth, odd or not.
    dt : float, optional
        Time step; none for the limit dt -> 0.
    steps : int, optional
        Number L of steps, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.
    accuracy : float
        Of the limit: relative error that is asked for, from 1e-9 to 0.01; the cost grows with its digits.

    Examples
    --------
    >>> result = recursion(0.8, 2.0, 0.3, dt=0.1, steps=20)
    >>> f"{result.kappa[20, 0]:.6f} {result.C_h[20, 20]:.6f}"
    '0.970341 0.632144'
    """
    overlaps = np.atleast_1d(np.asarray(overlap, dtype=np.float64))
    function = nonlinearity(phi)
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        first = np.broadcast_to(np.asarray(start, dtype=np.float64), overlaps.shape)
        return _limit(g, overlaps, first, function, asked, accuracy)
    size = steps + 1
    projection, kappa = np.zeros((size, overlaps.size)), np.zeros((size, overlaps.size))
    projection[0] = start
    # What is independent of the m_r: the initial noise, and the fields of J.
    rest, of_h, of_phi = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    rest[0, 0] = 1.0
    response = leaky_response(dt, size)
    rows = GaussianRows(function, size)
    for now in range(size):
        upto = slice(0, now + 1)
        of_h[now, upto] = of_h[upto, now] = rest[now, upto] + projection[upto] @ projection[now]
        variance = float(of_h[now, now])
        of_phi[now, upto] = of_phi[upto, now] = rows.row(0.0, of_h[now, upto])
        kappa[now] = overlaps * projection[now] * _mean_slope(function, variance)
        if now == steps:
            break
        projection[now + 1] = (1 - dt) * projection[now] + dt * kappa[now]
        add_step(rest, g**2 * of_phi[now, upto], response, dt)
    return LowRank(time=asked, kappa=kappa, projection=projection, C_h=of_h, C_phi=of_phi)


def _limit(
    g: float, overlaps: FloatArray, start: FloatArray, phi: Activation, times: FloatArray, accuracy: float
) -> LowRank:
    def equations() -> _two_time.Equations:
        averages = GaussianStrips(phi)
        projections = np.zeros((overlaps.size, 0))

        def close(here: slice, now: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
            nonlocal projections
            projections = np.concatenate([projections[:, : here.start], now], axis=1)
            covariances = rest[0] + now.T @ projections
            slopes = [_mean_slope(phi, max(float(v), 0.0)) for v in np.diagonal(covariances[:, here])]
            return averages.strip(here, None, covariances)[None], overlaps[:, None] * now * slopes

        return _two_time.Equations(close=close, start=np.ones(1), mixing=np.array([[g**2]]), means=start)

    found = _two_time.solve(equations, times, accuracy)
    of_h = found.C[0] + found.means.T @ found.means
    return LowRank(times, kappa=found.drives.T, projection=found.means.T, C_h=of_h, C_phi=found.products[0])


def fixed_point(g: float, overlap: float, phi: str | Activation = "tanh") -> tuple[float, float]:
    """Return kappa >= 0 and the variance of h at the heterogeneous fixed point of a single structure.

    <phi'(h)> = 1/overlap sets the variance of h, and variance = kappa^2 + g^2 <phi(h)^2>. Without such a kappa, when
    the overlap is too small, the fixed point is silent: (0, 0) while g < 1/phi'(0).

    Parameters
    ----------
    g, overlap : float
    phi : str or callable
        Odd and saturating, its slope largest at zero.

    Raises
    ------
    ValueError
        If no fixed point is stable against fluctuations: g^2 <phi'^2> must be below 1.

    Examples
    --------
    >>> kappa, variance = fixed_point(0.8, 2.0)
    >>> f"{kappa:.6f} {variance:.6f}"
    '1.211553 1.787860'
    """
    function = nonlinearity(phi)
    kappa, variance = 0.0, 0.0
    if overlap * slope_at_zero(function) > 1:
        top = 1.0
        while overlap * _mean_slope(function, top) > 1:
            top *= 2
        variance = float(brentq(lambda v: overlap * _mean_slope(function, v) - 1, 0.0, top, xtol=1e-14))
        square = variance - g**2 * float(average(lambda h: function(h) ** 2, variance))
        kappa, variance = (np.sqrt(square), variance) if square > 0 else (0.0, 0.0)
    slopes = _numerical_slope(function)
    if g**2 * float(average(lambda h: slopes(h) ** 2, variance)) >= 1:
        raise ValueError("activity fluctuates: no fixed point is stable here; see recursion.")
    return float(kappa), variance


def _mean_slope(function: Activation, variance: float) -> float:
    """Return <phi'(h)> = <h phi(h)>/<h^2>."""
    if variance == 0:
        return slope_at_zero(function)
    return float(average(lambda h: h * function(h), variance)) / variance


def _numerical_slope(function: Activation) -> Activation:
    derivative = getattr(function, "derivative", None)
    step = 1e-5
    return derivative or (lambda h: (function(h + step) - function(h - step)) / (2 * step))
