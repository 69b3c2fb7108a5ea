r"""Linear regression by full-batch gradient descent, P = alpha N data in N dimensions (eqs. 52-69).

    Delta_k = Psi h_k / sqrt(N) + eps,      h_{k+1} = h_k - dt (sqrt(N)/P) Psi^T Delta_k

h is the error of the weights (|h_0|^2 = N), Delta the residuals, eps label noise of variance `noise`^2.
`solve` marches the two single-site equations; `spectral_losses` integrates over the Marchenko-Pastur law
instead, and shares nothing with the first route.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._linear_flow import poisson, steps_until
from sitesampler.theory._times import times_of

__all__ = [
    "Descent",
    "Regression",
    "marchenko_pastur",
    "marchenko_pastur_density",
    "marchenko_pastur_resolvent",
    "solve",
    "spectral_losses",
]


@dataclass(frozen=True)
class Descent:
    """What every descent has, whichever data it uses, at steps 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
        Times k dt.
    C_h : ndarray, shape (L + 1, L + 1)
        Correlation <h_k h_l> of the error of the weights (eq. 64).
    test_loss : ndarray, shape (L + 1,)
        C_h[k, k] + noise^2 (eq. 66), before update k.
    """

    time: FloatArray
    C_h: FloatArray
    test_loss: FloatArray


@dataclass(frozen=True)
class Regression(Descent):
    """A descent with full batches; all matrices have shape (L + 1, L + 1).

    Attributes
    ----------
    C_delta : ndarray
        Correlation <Delta_k Delta_l> (eq. 64).
    R_h : ndarray
        Response density d h_k / d(dt u_h(l)), zero for k <= l (eq. 65).
    R_delta : ndarray
        Raw response d Delta_k / d u_Delta(l), with unit diagonal (eq. 65).
        In the limit dt -> 0, R_h at equal times is the value just after the kick, 1, and R_delta is a density, without
        the delta function of equal times.
    train_loss : ndarray, shape (L + 1,)
        C_delta[k, k] (eq. 66), before update k.
    """

    C_delta: FloatArray
    R_h: FloatArray
    R_delta: FloatArray
    train_loss: FloatArray


def solve(
    alpha: float, noise: float, dt: float | None = None, steps: int | None = None, times: ArrayLike | None = None
) -> Regression:
    """Solve the closed two-time equations (eqs. 61-65) step by step, exactly at this dt or in the limit dt -> 0.

    The limit is a Poisson average over the steps of a map, exact for linear dynamics: no error but rounding, 1e-12 of
    the largest value.

    Parameters
    ----------
    alpha : float
        Data per dimension, P/N.
    noise : float
        Standard deviation of the label noise.
    dt : float, optional
        Learning rate (time step of the gradient flow, eq. 56); none for the limit dt -> 0.
    steps : int, optional
        Number L of updates, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.

    Raises
    ------
    ValueError
        If alpha is not positive.

    Examples
    --------
    >>> result = solve(alpha=1.5, noise=0.3, dt=0.25, steps=20)
    >>> f"{result.test_loss[20]:.6f} {result.train_loss[20]:.6f}"
    '0.230125 0.041996'
    """
    _check_alpha(alpha)
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        return _limit(alpha, noise, asked)
    lag_h, lag_delta = _responses_by_lag(alpha, dt, steps)
    numbers = np.arange(steps + 1)
    lags = numbers[:, None] - numbers
    response_h = np.where(lags >= 1, lag_h[np.maximum(lags, 0)], 0.0)
    response_delta = np.where(lags >= 0, lag_delta[np.maximum(lags, 0)], 0.0)
    # Without the field u_h, h starts at 1 instead of receiving a unit source at step -1: the same decay.
    drift = lag_h[1 : steps + 2]

    correlation_h = np.zeros((steps + 1, steps + 1))
    correlation_delta = np.zeros((steps + 1, steps + 1))
    seen = np.zeros((steps + 1, steps + 1))  # C_h + noise^2, what Delta sees of h and of its label
    for now in range(steps + 1):
        upto, before = slice(0, now + 1), slice(0, now)
        kicked = response_h[now, before] @ correlation_delta[before, before]
        row = drift[now] * drift[upto] + dt**2 / alpha * (response_h[upto, before] @ kicked)
        correlation_h[now, upto] = correlation_h[upto, now] = row
        seen[now, upto] = seen[upto, now] = row + noise**2
        row = response_delta[upto, upto] @ (response_delta[now, upto] @ seen[upto, upto])
        correlation_delta[now, upto] = correlation_delta[upto, now] = row
    return Regression(
        time=asked,
        C_h=correlation_h,
        C_delta=correlation_delta,
        R_h=response_h,
        R_delta=response_delta,
        test_loss=np.diag(seen).copy(),
        train_loss=np.diag(correlation_delta).copy(),
    )


def _limit(alpha: float, noise: float, times: FloatArray) -> Regression:
    dt = 1 / (1 + alpha**-0.5) ** 2  # one over the upper edge of the spectrum
    steps = steps_until(times, dt)
    at_step = solve(alpha, noise, dt, steps)
    weights = poisson(times, dt, steps)
    C_h, C_delta = weights @ at_step.C_h @ weights.T, weights @ at_step.C_delta @ weights.T
    lags = times[:, None] - times
    by_lag = poisson(np.maximum(lags, 0.0).ravel(), dt, steps - 1)

    def response(table: FloatArray) -> FloatArray:
        return np.where(lags >= 0, (by_lag @ table[1:, 0]).reshape(lags.shape), 0.0)

    return Regression(
        time=times,
        C_h=C_h,
        C_delta=C_delta,
        R_h=response(at_step.R_h),
        R_delta=response(at_step.R_delta) / dt,
        test_loss=np.diag(C_h) + noise**2,
        train_loss=np.diag(C_delta).copy(),
    )


def marchenko_pastur_density(x: ArrayLike, alpha: float) -> FloatArray:
    """Return the continuous part of eq. 68 for x > 0; the delta at zero has weight [1 - alpha]_+.

    Examples
    --------
    >>> f"{marchenko_pastur_density(1.0, alpha=1.5):.6f}"
    '0.355881'
    """
    _check_alpha(alpha)
    place = np.asarray(x, dtype=np.float64)
    inside = 4 * place / alpha - (1 / alpha - 1 + place) ** 2
    return np.asarray(alpha / (2 * np.pi * place) * np.sqrt(np.maximum(inside, 0.0)))


def marchenko_pastur(alpha: float, nodes: int = 200) -> tuple[FloatArray, FloatArray]:
    """Return quadrature nodes and weights for the spectrum of Psi^T Psi / P (eq. 68).

    Gauss-Chebyshev nodes in the bulk and one node at zero, first. The latter carries the delta of weight
    [1 - alpha]_+ and whatever makes the rule exact for polynomials of degree up to 2 * nodes even when the
    bulk touches zero. It is no rule for functions that diverge at zero.

    Parameters
    ----------
    alpha : float
        Data per dimension, P/N.
    nodes : int
        Number of nodes in the bulk.

    Returns
    -------
    eigenvalues, weights : ndarray, shape (nodes + 1,)
        Weights sum to one.

    Raises
    ------
    ValueError
        If alpha is not positive.

    Examples
    --------
    >>> eigenvalues, weights = marchenko_pastur(alpha=0.5)
    >>> f"{weights[0]:.6f} {weights @ eigenvalues:.6f} {weights @ eigenvalues**2:.6f}"
    '0.500000 1.000000 3.000000'
    """
    _check_alpha(alpha)
    angles = np.pi * np.arange(1, nodes + 1) / (nodes + 1)
    bulk = 1 + 1 / alpha + 2 / np.sqrt(alpha) * np.cos(angles)
    weights = 2 / (nodes + 1) * np.sin(angles) ** 2 / bulk
    # f(x) = f(0) + x (f(x) - f(0))/x: the bulk rule is exact for the second term, the first needs the rest.
    return np.concatenate([[0.0], bulk]), np.concatenate([[1 - weights.sum()], weights])


def marchenko_pastur_resolvent(s: ArrayLike, alpha: float) -> NDArray[np.complex128]:
    """Return (1/N) Tr (s + Psi^T Psi/P)^-1 at P = alpha N (eq. 67), a root of s R^2 + (s alpha + alpha - 1) R = alpha.

    It contains the delta of weight [1 - alpha]_+ at zero: with s = -x - i eps, Im R/pi is the density at x convolved
    with a Lorentzian of half width eps (eq. 32).

    Examples
    --------
    >>> f"{complex(marchenko_pastur_resolvent(1e-9, alpha=0.4)).real * 1e-9:.6f}"
    '0.600000'
    """
    _check_alpha(alpha)
    point = np.asarray(s, dtype=np.complex128)
    low, high = (1 - alpha**-0.5) ** 2, (1 + alpha**-0.5) ** 2
    linear = point * alpha + alpha - 1
    # The product of two roots has its cut on the spectrum only, unlike the root of the product.
    root = alpha * np.sqrt(point + low) * np.sqrt(point + high)
    same_side = (linear * root.conj()).real >= 0
    # Two forms of the same solution: take the one in which nothing cancels.
    return np.where(
        same_side,
        2 * alpha / np.where(same_side, linear + root, 1.0),
        (root - linear) / np.where(same_side, 1.0, 2 * point),
    )


def spectral_losses(
    alpha: float, noise: float, dt: float | None = None, steps: int | None = None, times: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return test and train loss from the Marchenko-Pastur law alone, exactly at this dt or in the limit dt -> 0.

    Every mode of eigenvalue x decays as (1 - dt x)^k, or exp(-t x), and collects label noise meanwhile. The quadrature
    of the limit converges exponentially: no error but rounding.

    Parameters
    ----------
    alpha, noise, dt, steps, times
        As for `solve`.

    Returns
    -------
    test_loss, train_loss : ndarray, shape (L + 1,)

    Examples
    --------
    >>> test_loss, train_loss = spectral_losses(alpha=1.5, noise=0.3, dt=0.25, steps=20)
    >>> f"{test_loss[20]:.6f} {train_loss[20]:.6f}"
    '0.230125 0.041996'
    """
    asked = times_of(dt, steps, times)
    # exp(-t x) is a polynomial of a degree that grows with the number of decays.
    nodes = steps + 2 if steps is not None else 60 + int(4 * asked.max() / np.sqrt(alpha))
    eigenvalues, weights = marchenko_pastur(alpha, nodes)
    inverse = np.divide(1.0, eigenvalues, out=np.zeros_like(eigenvalues), where=eigenvalues > 0)
    if dt is None:
        decay = np.exp(-asked[:, None] * eigenvalues)
    else:
        decay = (1 - dt * eigenvalues) ** np.arange(asked.size)[:, None]
    left = decay**2 @ weights
    fitted_noise = noise**2 / alpha * ((1 - decay) ** 2 @ (weights * inverse))
    test_loss = left + fitted_noise + noise**2
    train_loss = decay**2 @ (weights * eigenvalues) + noise**2 * (1 - (1 - left) / alpha)
    return test_loss, train_loss


def _responses_by_lag(alpha: float, dt: float, steps: int) -> tuple[FloatArray, FloatArray]:
    """Return R_h and R_delta at lags 0..steps+1 and 0..steps; both depend on the lag only."""
    lag_h = np.zeros(steps + 2)
    lag_delta = np.zeros(steps + 1)
    lag_h[1] = 1.0
    lag_delta[0] = 1.0
    for lag in range(1, steps + 1):
        # lag_delta[lag] needs lag_h up to lag, which in turn needs lag_delta up to lag - 1.
        lag_delta[lag] = -dt / alpha * (lag_h[1 : lag + 1] @ lag_delta[lag - 1 :: -1])
        lag_h[lag + 1] = lag_h[lag] - dt * (lag_delta[:lag] @ lag_h[lag:0:-1])
    return lag_h, lag_delta


def _check_alpha(alpha: float) -> None:
    if not alpha > 0:
        raise ValueError(f"alpha = P/N must be positive, got {alpha}.")
