r"""Fluctuations and shifts at large but finite N of the linear flow h <- h - dt M h with a GOE matrix (Problem 10).

    C(t, t') = h(t).h(t')/N with h_0 ~ N(0, I),      R(t, 0) = (1/N) Tr exp(-M t).

C fluctuates as 1/sqrt(N), through h_0 alone; the trace R, and C averaged over h_0, only as 1/N, and their means are
off by as much. Everything is the large-N limit of a scaled variance or shift: divide by N or N^2.

In continuous time (`dt=None`) a mode of eigenvalue x decays as exp(-x t), in a flow with step dt as (1 - dt x)^n with
t = n dt. Diagonal elements have variance `diagonal`/N: 2 for the GOE, 1 for the literal "A_ij ~ N(0, 1), symmetric".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sitesampler.theory import goe_flow
from sitesampler.theory._hermite import FloatArray

__all__ = [
    "correlation_covariance",
    "correlation_shift",
    "probe_variance",
    "response_shift",
    "response_variance",
    "trace_shift",
    "trace_variance",
]

# Chebyshev coefficients below this part of the largest are rounding.
NEGLIGIBLE = 1e-15
LARGEST_DEGREE = 4096
# How far t/dt may be from a whole number.
WHOLE = 1e-6


def correlation_covariance(
    t: float, other: float, s: float | None = None, other_s: float | None = None, dt: float | None = None
) -> float:
    """Return the limit of N Cov[C(t, t'), C(s, s')], 2 R(t + t' + s + s').

    Parameters
    ----------
    t, other : float
        t and t'.
    s, other_s : float, optional
        s and s'; by default those of the variance, t and t'.
    dt : float, optional
        Time step; by default continuous time.

    Examples
    --------
    >>> f"{correlation_covariance(0.7, 0.7):.4f} {correlation_covariance(0.7, 0.7, dt=0.1):.4f}"
    '30.2345 22.5063'
    >>> f"{correlation_covariance(0.7, 0.0):.5f}"
    '4.71579'
    """
    total = t + other + (t if s is None else s) + (other if other_s is None else other_s)
    return 2 * _mean_decay(total, dt)


def correlation_shift(t: float, other: float, diagonal: float = 2.0, dt: float | None = None) -> float:
    """Return the limit of N (E C(t, t') - its value at N = infinity).

    Parameters
    ----------
    t, other : float
        t and t'.
    diagonal : float
        N times the variance of the diagonal elements.
    dt : float, optional
        Time step; by default continuous time.

    Examples
    --------
    >>> correlation_shift(0.35, 0.35) == response_shift(0.7)
    True
    """
    return trace_shift(_decay(t + other, dt), diagonal)


def response_variance(t: float, diagonal: float = 2.0, dt: float | None = None) -> float:
    """Return the limit of N^2 Var R(t, 0), 2 sum_k k I_k(2t)^2 + (diagonal - 2) I_1(2t)^2 in continuous time.

    Parameters
    ----------
    t : float
        Lag; with a time step the response density at that lag, one step less of decay.
    diagonal : float
        N times the variance of the diagonal elements.
    dt : float, optional
        Time step; by default continuous time.

    Examples
    --------
    >>> f"{response_variance(0.7):.5f} {response_variance(0.7, diagonal=1.0):.5f}"
    '1.92703 1.14187'
    """
    return trace_variance(_decay(t if dt is None else t - dt, dt), diagonal)


def response_shift(t: float, diagonal: float = 2.0, dt: float | None = None) -> float:
    """Return the limit of N (E R(t, 0) - I_1(2t)/t), (cosh 2t - I_0(2t))/2 + (diagonal - 2) I_2(2t).

    Parameters
    ----------
    t, diagonal, dt
        As for `response_variance`.

    Examples
    --------
    >>> f"{response_shift(0.7):.6f} {response_shift(0.7, diagonal=1.0):.7f}"
    '0.298752 0.0112023'
    """
    return trace_shift(_decay(t if dt is None else t - dt, dt), diagonal)


def probe_variance(t: float, signs: bool = False, dt: float | None = None) -> float:
    """Return the limit of N Var of a response estimated with one random vector, v.exp(-M t) v/N.

    Unlike the trace it fluctuates as 1/sqrt(N): 2 R(2t) for Gaussian v, 2 (R(2t) - R(t)^2) for signs v = +-1.

    Parameters
    ----------
    t : float
        Lag; with a time step the response density at that lag, one step less of decay.
    signs : bool
        Whether v has entries +-1.
    dt : float, optional
        Time step; by default continuous time.

    Examples
    --------
    >>> f"{probe_variance(0.7, signs=True):.5f}"
    '1.51106'
    """
    lag = t if dt is None else t - dt
    return 2 * (_mean_decay(2 * lag, dt) - (_mean_decay(lag, dt) ** 2 if signs else 0.0))


def trace_variance(f: Callable[[FloatArray], FloatArray], diagonal: float = 2.0) -> float:
    """Return the limit of N^2 Var (1/N) Tr f(M), (1/2) sum_k k a_k^2 + (diagonal - 2) (a_1/2)^2.

    a_k are the Chebyshev coefficients of f, f(2 cos th) = a_0/2 + sum_k a_k cos(k th).

    Parameters
    ----------
    f : callable
        Smooth on [-2, 2]; takes and returns an array.
    diagonal : float
        N times the variance of the diagonal elements.

    Examples
    --------
    >>> trace_variance(lambda x: x)  # Var Tr M = N times 2/N
    2.0
    """
    a = _chebyshev(f)
    return float(np.arange(len(a)) @ a**2 / 2 + (diagonal - 2) * (a[1] / 2) ** 2)


def trace_shift(f: Callable[[FloatArray], FloatArray], diagonal: float = 2.0) -> float:
    """Return the limit of N (E (1/N) Tr f(M) - int rho_sc f), [f(2) + f(-2)]/4 - a_0/4 + (diagonal - 2) a_2/2.

    Parameters
    ----------
    f, diagonal
        As for `trace_variance`.

    Examples
    --------
    >>> f"{trace_shift(np.square):.12f}"  # E Tr M^2 = N - 1 + 2
    '1.000000000000'
    """
    a = _chebyshev(f)
    edges = np.asarray(f(np.array([-2.0, 2.0])), dtype=np.float64)
    return float(edges.sum() / 4 - a[0] / 4 + (diagonal - 2) * a[2] / 2)


def _chebyshev(f: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Return a_0, a_1, ..., at least three of them."""
    count = 32
    while True:
        angles = np.pi * (np.arange(count) + 0.5) / count
        values = np.asarray(f(2 * np.cos(angles)), dtype=np.float64)
        a = np.asarray(2 / count * np.cos(np.outer(np.arange(count), angles)) @ values)
        size = np.abs(a)
        if np.all(size[count // 2 :] <= 100 * NEGLIGIBLE * size.max()) or count >= LARGEST_DEGREE:
            break
        count *= 2
    large = np.flatnonzero(size > NEGLIGIBLE * size.max())
    return a[: max(int(large[-1]) + 1 if large.size else 0, 3)]


def _decay(duration: float, dt: float | None) -> Callable[[FloatArray], FloatArray]:
    """Return what is left of a mode of eigenvalue x after the duration."""
    if dt is None:
        return lambda x: np.exp(-duration * x)
    step, steps = dt, _steps(duration, dt)
    return lambda x: (1 - step * x) ** steps


def _mean_decay(duration: float, dt: float | None) -> float:
    """Return the average of `_decay` over the semicircle."""
    if dt is None:
        return float(goe_flow.response_continuous(duration))
    steps = _steps(duration, dt)
    return float(goe_flow.response(dt, steps + 1)[steps + 1, 0])


def _steps(duration: float, dt: float) -> int:
    steps = round(duration / dt)
    if steps < 0 or abs(steps * dt - duration) > WHOLE * dt:
        raise ValueError(f"times must be non-negative whole multiples of dt = {dt}, got a total of {duration}.")
    return steps
