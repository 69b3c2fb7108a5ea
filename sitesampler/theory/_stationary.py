r"""Stationary state of the random recurrent network: a particle in a potential (Problems 4-6, eqs. 12-20).

With A_k = a_k(c_0)^2 from the Hermite series of phi and rho = c/c_0, everything is a power series,

    F = sum A_k rho^k,        <phi' phi'> = sum k A_k rho^{k-1} / c_0,
    V(c) = -c^2/2 + g^2 c_0 sum A_k rho^{k+1} / (k+1),

because the coefficients of the antiderivative psi are sqrt(c_0/k) a_{k-1} and those of phi' are
sqrt(k/c_0) a_k. All terms are positive, so nothing cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory._hermite import DROPPED_TERM, FloatArray, coefficients, power_series, without_tail
from sitesampler.theory.gaussian import slope_at_zero

# Search range of c_0, in units of the variance of h.
SMALLEST_VARIANCE, LARGEST_VARIANCE = 1e-13, 1e3
ODD_TOLERANCE = 1e-9
# exp(-42) = 6e-19: there the decaying solution is negligible.
DECAY_LENGTHS = 42.0
NEWTON_STEPS, NEWTON_TOLERANCE = 50, 1e-14


@dataclass(frozen=True)
class Potential:
    """V_{c_0}(c) of eq. 14 for one phi, one g and one c_0 (`variance`)."""

    g: float
    variance: float
    squares: FloatArray

    @classmethod
    def of(cls, g: float, variance: float, phi: Activation) -> Potential:
        squares = coefficients(phi, variance)[0] ** 2
        weighted = squares * np.arange(len(squares))  # V'' weighs high orders most
        return cls(g, variance, without_tail(squares, weighted, DROPPED_TERM * float(weighted.sum())))

    def force_average(self, c: Any) -> Any:
        """Return F(c_0, c_0, c)."""
        return power_series(self.squares, c / self.variance)

    def value(self, c: Any) -> Any:
        """Return V(c); the term k = 0 of psi is the constant that eq. 14 subtracts."""
        rho = c / self.variance
        powers = self.squares / np.arange(1, len(self.squares) + 1)
        return -(c**2) / 2 + self.g**2 * self.variance * rho * power_series(powers, rho)

    def slope_average(self, c: Any) -> Any:
        """Return <phi'(h) phi'(h')>, so that V''(c) = -1 + g^2 times it."""
        degrees = np.arange(1, len(self.squares))
        return power_series(degrees * self.squares[1:], c / self.variance) / self.variance

    @property
    def decay_rate(self) -> float:
        """kappa, with c(tau) ~ exp(-kappa tau) at long lags (from V''(0) = -kappa^2)."""
        return float(np.sqrt(1 - self.g**2 * self.squares[1] / self.variance))

    def speed(self, theta: float) -> float:
        """Return d theta/d tau for c = c_0/cosh(theta) on the zero-energy orbit c' = -sqrt(-2V).

        In theta the turning point at tau = 0 and the separatrix at tau = infinity are both regular: the speed
        stays between positive numbers. Two forms of V avoid cancellation near either end.
        """
        orders = np.arange(1, len(self.squares) + 1)
        if theta < 1.3:  # cosh(1.3) is about 2
            cosh = np.cosh(theta)
            gap = 2 * np.sinh(theta / 2) ** 2 / cosh  # 1 - c/c_0
            if gap < 1e-12:
                # Linear V at the turning point; the ratio below would be 0/0.
                drop = 2 * (self.g**2 * self.squares.sum() / self.variance - 1)
            else:
                lost = np.expm1(orders * np.log1p(-gap)) @ (self.squares / orders)
                drop = -(gap * (2 - gap) + 2 * self.g**2 / self.variance * lost) / gap
            return float(np.sqrt(drop * cosh**3 / (1 + cosh)))
        rho = 1 / np.cosh(theta) if theta < 300 else 0.0
        # For odd phi, A_0 = 0 and the series starts with the quadratic term of V.
        higher = power_series(self.squares[1:] / orders[1:], rho)
        return float(np.sqrt(1 - 2 * self.g**2 / self.variance * higher) / np.tanh(theta))


def stationary_variance(g: float, phi: str | Activation = "tanh") -> float:
    """Return c_0 of the decaying solution, the root of V(c_0) = 0 (eq. 19), to ten digits or more.

    Parameters
    ----------
    g : float
        Gain of the couplings.
    phi : str or callable
        Odd, smooth and bounded nonlinearity.

    Returns
    -------
    float
        c_0, or 0.0 if g phi'(0) <= 1, where all activity dies out.

    Raises
    ------
    ValueError
        If phi is not odd, or if no stationary state exists (phi grows too fast).

    Examples
    --------
    >>> f"{stationary_variance(1.8):.6f}", stationary_variance(0.9)
    ('1.405601', 0.0)
    """
    function = odd_nonlinearity(phi)
    if g * abs(slope_at_zero(function)) <= 1:
        return 0.0
    from scipy.optimize import brentq

    def scaled(variance: float) -> float:
        model = Potential.of(g, variance, function)
        return float(model.value(variance)) / variance**2

    upper = max(g * abs(slope_at_zero(function)) - 1, 1e-12)
    lower = upper / 1e3
    while scaled(upper) > 0:
        lower, upper = upper, 2 * upper
        if upper > LARGEST_VARIANCE:
            raise ValueError(f"no stationary variance below {LARGEST_VARIANCE:g}: phi does not saturate, or g is huge.")
    return float(brentq(scaled, lower, upper, xtol=SMALLEST_VARIANCE * upper, rtol=1e-14))


def potential(g: float, c0: float, c: ArrayLike, phi: str | Activation = "tanh") -> FloatArray:
    r"""Return the potential V_{c_0}(c) of eq. 14.

    Parameters
    ----------
    g : float
        Gain of the couplings.
    c0 : float
        Variance that parameterises the potential, positive.
    c : array_like
        Positions, \|c\| <= c0.
    phi : str or callable
        Smooth nonlinearity.

    Returns
    -------
    ndarray
        V, shaped like c; V(0) = 0.

    Raises
    ------
    ValueError
        If c0 is not positive or some \|c\| exceeds it.

    Examples
    --------
    >>> f"{potential(1.8, c0=1.2, c=0.6):.6f}"
    '0.012788'
    """
    place = np.asarray(c, dtype=np.float64)
    if not c0 > 0 or not np.all(np.abs(place) <= c0 * (1 + 1e-12)):
        raise ValueError("the potential is defined for c0 > 0 and |c| <= c0.")
    return np.asarray(Potential.of(g, c0, nonlinearity(phi)).value(place))


def stationary_correlation(
    g: float, lags: ArrayLike, phi: str | Activation = "tanh", dt: float | None = None
) -> FloatArray:
    """Return the stationary correlation c(tau) of h at the given lags (decaying solution, eq. 20).

    Parameters
    ----------
    g : float
        Gain of the couplings.
    lags : array_like
        Non-negative lags; multiples of dt if dt is given.
    phi : str or callable
        Odd, smooth and bounded nonlinearity.
    dt : float, optional
        Time step of the Euler scheme, below 1. By default continuous time.

    Returns
    -------
    ndarray
        c(tau), shaped like lags; zero if g phi'(0) <= 1.

    Raises
    ------
    ValueError
        If a lag is negative or not a multiple of dt, if dt is not in (0, 1), or as `stationary_variance`.

    Examples
    --------
    >>> print(stationary_correlation(1.8, [1.0, 5.0]).round(6))
    [1.369878 0.837873]
    >>> print(stationary_correlation(1.8, [1.0, 5.0], dt=0.1).round(6))
    [1.366002 0.799505]
    """
    lag = np.asarray(lags, dtype=np.float64)
    if not np.all(lag >= 0):
        raise ValueError("lags must be non-negative.")
    variance = stationary_variance(g, phi)
    if variance == 0:
        return np.zeros_like(lag)
    model = Potential.of(g, variance, odd_nonlinearity(phi))
    if dt is None:
        return orbit(model, lag)
    steps = np.rint(lag / dt).astype(int)
    if not np.allclose(steps * dt, lag, rtol=1e-6, atol=1e-9):
        raise ValueError(f"lags must be multiples of dt = {dt}.")
    _, chain, ratio = discrete_orbit(model, odd_nonlinearity(phi), dt)
    last = len(chain) - 1
    return np.asarray(chain[np.minimum(steps, last)] * ratio ** np.maximum(steps - last, 0))


def orbit(model: Potential, lags: FloatArray) -> FloatArray:
    """Return c(tau) for V(c_0) = 0, from the conservation law (eq. 15) with energy zero."""
    from scipy.integrate import solve_ivp

    places, index = np.unique(lags, return_inverse=True)
    if places.size == 0:
        return np.zeros_like(lags)
    theta = np.zeros_like(places)
    if places[-1] > 0:
        solution = solve_ivp(
            lambda tau, angle: [model.speed(float(angle[0]))],
            (0.0, float(places[-1])),
            [0.0],
            method="DOP853",
            t_eval=places,
            rtol=3e-13,
            atol=1e-13,
        )
        theta = solution.y[0]
    decay = np.exp(-theta)
    return np.asarray((model.variance * 2 * decay / (1 + decay**2))[index].reshape(lags.shape))


def discrete_orbit(model: Potential, phi: Activation, dt: float) -> tuple[Potential, FloatArray, float]:
    """Return the potential, c_0..c_L and the final ratio c_{k+1}/c_k of the stationary Euler scheme.

    c_{k+1} - 2 c_k + c_{k-1} = dt^2/(1-dt) [c_k - g^2 F(c_0, c_0, c_k)] with c_{-1} = c_1 and decay. Stepping
    forward would leave the separatrix, so the chain is one boundary-value problem: Newton's method for fixed
    parameter c_0 of F, and the secant method for that parameter to equal the start of the chain.
    """
    if not 0 < dt < 1:
        raise ValueError(f"the discrete stationary state needs 0 < dt < 1, got {dt}.")
    # Euler stretches the lag by 1/sqrt(1-dt), up to O(dt^2): a close first guess.
    stretched = dt / np.sqrt(1 - dt)
    length = int(np.ceil(DECAY_LENGTHS / (model.decay_rate * stretched))) + 2
    guess = orbit(model, stretched * np.arange(length))

    def mismatch(parameter: float, start: FloatArray) -> tuple[float, Potential, FloatArray, float]:
        trial = Potential.of(model.g, parameter, phi)
        chain, ratio = _chain(trial, start, stretched**2)
        return float(chain[0]) - parameter, trial, chain, ratio

    older, newer = model.variance, model.variance * (1 + 1e-6)
    error_older, trial, chain, ratio = mismatch(older, guess)
    for _ in range(NEWTON_STEPS):
        error, trial, chain, ratio = mismatch(newer, chain)
        if abs(error) <= 10 * NEWTON_TOLERANCE * newer or error == error_older:
            break
        older, newer, error_older = newer, newer - error * (newer - older) / (error - error_older), error
    return trial, chain, ratio


def _chain(trial: Potential, start: FloatArray, stiffness: float) -> tuple[FloatArray, float]:
    """Solve for the chain at fixed parameter, even at its start and decaying by `ratio` at its end."""
    from scipy.linalg import solve_banded

    bend = stiffness * trial.decay_rate**2
    ratio = 1 + bend / 2 - float(np.sqrt(bend + bend**2 / 4))
    chain = start.copy()
    bands = np.ones((3, chain.size))
    bands[0, 1] = 2.0  # c_{-1} = c_1
    for _ in range(NEWTON_STEPS):
        left = np.concatenate([chain[1:2], chain[:-1]])
        right = np.concatenate([chain[1:], ratio * chain[-1:]])
        pull = stiffness * (chain - trial.g**2 * trial.force_average(chain))
        bands[1] = -2 - stiffness * (1 - trial.g**2 * trial.slope_average(chain))
        bands[1, -1] += ratio
        change = solve_banded((1, 1), bands, right - 2 * chain + left - pull)
        chain = chain - change
        if np.max(np.abs(change)) <= NEWTON_TOLERANCE * chain[0]:
            break
    return chain, ratio


def odd_nonlinearity(phi: str | Activation) -> Activation:
    """Return the callable, refusing functions for which c = 0 is no stationary point of the potential."""
    function = nonlinearity(phi)
    points = np.array([0.1, 0.7, 1.9])
    right, left = np.asarray(function(points)), np.asarray(function(-points))
    if np.max(np.abs(right + left)) > ODD_TOLERANCE * (1 + np.max(np.abs(right))):
        raise ValueError("the decaying stationary state needs an odd phi, such as tanh or erf.")
    return function
