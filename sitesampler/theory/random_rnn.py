r"""Random recurrent network, h <- h + dt (-h + J phi(h)) with entries of J of variance g^2/N (eqs. 9-20).

`correlation` marches the two-time equations, which close for independent entries because h is Gaussian.
The stationary state is a particle moving in a potential (Problems 4-6).
For partially symmetric J the equations close for phi(h) = h only: `linear_correlation_and_response`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, Nonlinearity, nonlinearity
from sitesampler.theory import _two_time
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._leaky import add_step, leaky_response
from sitesampler.theory._stationary import potential, stationary_correlation, stationary_variance
from sitesampler.theory._times import times_of
from sitesampler.theory.gaussian import GaussianRows, GaussianStrips, product_average

__all__ = [
    "correlation",
    "linear_correlation_and_response",
    "potential",
    "stationary_correlation",
    "stationary_variance",
]


def correlation(
    g: float,
    phi: str | Activation = "tanh",
    *,
    dt: float | None = None,
    steps: int | None = None,
    times: ArrayLike | None = None,
    initial_variance: float = 1.0,
    accuracy: float = _two_time.AIM,
) -> tuple[FloatArray, FloatArray]:
    """Return the two-time correlations of h and of phi(h) (Problem 3), exactly at this dt or in the limit dt -> 0.

    The limit is solved by collocation in panels of time, with errors that fall exponentially with their points (for
    relu, with its kink, as the fourth power) and are measured: below ``accuracy`` times the largest value, or a
    warning says what they are.

    Parameters
    ----------
    g : float
        Gain of the couplings.
    phi : str or callable
        Nonlinearity; smooth, unless it is "relu".
    dt : float, optional
        Time step; none for the limit dt -> 0.
    steps : int, optional
        Number L of steps, with dt. A thousand take a few seconds with tanh.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps. 20 units of time take three seconds with tanh at g = 1.5, and a minute at
        g = 4, where the panels must be shorter; cost grows as the square at first and as the third power later.
    initial_variance : float
        Variance of the Gaussian initial state.
    accuracy : float
        Of the limit: relative error that is asked for, from 1e-9 to 0.01; the cost grows with its digits.

    Returns
    -------
    C_h, C_phi : ndarray, shape (steps + 1, steps + 1)
        <h_n h_m> and <phi(h_n) phi(h_m)>.

    Examples
    --------
    >>> C_h, C_phi = correlation(1.8, "tanh", dt=0.1, steps=50)
    >>> f"{C_h[50, 50]:.5f} {C_h[50, 25]:.6f}"
    '1.08162 0.495173'
    >>> C_h, C_phi = correlation(1.5, "tanh", times=[5, 10])
    >>> f"{C_h[1, 0]:.5f}"
    '0.22378'
    """
    function = nonlinearity(phi)
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        return _limit(g, function, initial_variance, asked, accuracy)
    closed = isinstance(function, Nonlinearity) and function.name in ("relu", "erf", "linear")
    averages = _ClosedRows(function) if closed else GaussianRows(function, steps + 1)
    of_h = np.zeros((steps + 1, steps + 1))
    of_phi = np.zeros((steps + 1, steps + 1))
    response = leaky_response(dt, steps + 1)
    of_h[0, 0] = initial_variance
    for now in range(steps + 1):
        upto = slice(0, now + 1)
        of_phi[now, upto] = of_phi[upto, now] = averages.row(0.0, of_h[now, upto])
        if now == steps:
            break
        add_step(of_h, g**2 * of_phi[now, upto], response, dt)
    return of_h, of_phi


def _limit(
    g: float, phi: Activation, initial_variance: float, times: FloatArray, accuracy: float
) -> tuple[FloatArray, FloatArray]:
    def equations() -> _two_time.Equations:
        averages = GaussianStrips(phi)
        return _two_time.Equations(
            close=lambda here, means, C: (averages.strip(here, None, C[0])[None], means),
            start=np.array([initial_variance]),
            mixing=np.array([[g**2]]),
        )

    found = _two_time.solve(equations, times, accuracy)
    return found.C[0], found.products[0]


class _ClosedRows:
    """What `GaussianRows` does, where F(C[n, n], C[m, m], C[n, m]) has a closed form and the mean is zero."""

    def __init__(self, phi: Activation) -> None:
        self.phi = phi
        self.variances: list[float] = []

    def row(self, _: float, covariances: FloatArray) -> FloatArray:
        """Add a time; return the averages of phi there with phi at all times up to it."""
        self.variances.append(float(covariances[-1]))
        variances = np.array(self.variances)
        # Rounding may push a covariance past its bound, visibly so when variances decay to nothing.
        bound = np.sqrt(variances) * np.sqrt(variances[-1])
        return product_average(self.phi, variances, variances[-1], np.clip(covariances, -bound, bound))


def linear_correlation_and_response(
    g: float,
    symmetry: float,
    dt: float | None = None,
    steps: int | None = None,
    times: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return C and R for phi(h) = h and couplings with <J_ij J_ji> = symmetry g^2/N, at this dt or for dt -> 0.

    Not in the tutorial, whose random network has symmetry 0 and whose eq. 40 is symmetry 1 without leak:

        h_{n+1} = (1-dt) h_n + dt [ xi_n + symmetry g^2 dt sum_{m<n} R[n,m] h_m ],   <xi_n xi_m> = g^2 C[n,m].

    Parameters
    ----------
    g : float
        Gain of the couplings.
    symmetry : float
        Correlation of J_ij and J_ji, in [-1, 1].
    dt : float, optional
        Time step; none for the limit dt -> 0.
    steps : int, optional
        Number L of steps, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps; accurate as `correlation`.

    Returns
    -------
    C, R : ndarray, shape (L + 1, L + 1)
        <h_n h_m> from C[0, 0] = 1, and the response density d h_n / d(dt j_m), zero for n <= m; in the limit its value
        at equal times is the one just after the kick, 1.

    Raises
    ------
    ValueError
        If the symmetry lies outside [-1, 1].

    Examples
    --------
    >>> C, R = linear_correlation_and_response(1.2, symmetry=0.3, dt=0.1, steps=30)
    >>> f"{C[20, 20]:.5f} {C[30, 10]:.6f} {R[20, 10]:.6f}"
    '1.00341 0.730751 0.464607'
    """
    if not -1 <= symmetry <= 1:
        raise ValueError(f"symmetry must lie in [-1, 1], got {symmetry}.")
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        found = _two_time.solve(
            lambda: _two_time.Equations(
                close=lambda here, means, C: (C, means),
                start=np.ones(1),
                mixing=np.array([[g**2]]),
                memory=lambda C, R: symmetry * g**2 * R,
            ),
            asked,
        )
        return found.C[0], found.R
    keep, strength = 1 - dt, (dt * g) ** 2
    of_h = np.zeros((steps + 1, steps + 1))
    response = np.zeros((steps + 1, steps + 1))
    of_h[0, 0] = 1.0
    for now in range(steps):
        upto, following = slice(0, now + 1), now + 1
        memory = strength * symmetry * response[now, upto]
        response[following, upto] = keep * response[now, upto] + memory @ response[upto, upto]
        response[following, now] += 1.0
        row = keep * of_h[now, upto] + memory @ of_h[upto, upto]
        row += strength * (response[upto, upto] @ of_h[now, upto])
        of_h[following, upto] = of_h[upto, following] = row
        of_h[following, following] = (
            keep * of_h[now, following]
            + memory @ of_h[upto, following]
            + strength * (response[following, upto] @ of_h[now, upto])
        )
    return of_h, response
