r"""Largest Lyapunov exponent of the random recurrent network.

Two copies started close together separate at the rate set by the even ground state of a Schroedinger
equation, whose potential well is the curvature of V along the stationary orbit. The known odd state, dc/dtau
with energy zero, lies above it, hence chaos for every g phi'(0) > 1.
"""

from __future__ import annotations

import numpy as np

from sitesampler.nonlinearities import Activation
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._stationary import Potential, discrete_orbit, odd_nonlinearity, orbit, stationary_variance
from sitesampler.theory.gaussian import slope_at_zero

__all__ = ["lyapunov_exponent"]

# The ground state decays at least as fast as exp(-kappa tau): at the end of the grid it is 1e-16.
DECAY_LENGTHS = 37.0
FIRST_POINTS, MOST_POINTS = 150, 2400
TOLERANCE = 1e-11


def lyapunov_exponent(g: float, phi: str | Activation = "tanh", dt: float | None = None) -> float:
    r"""Return the largest Lyapunov exponent lambda, per unit time, in the limit of many neurons.

    Continuous time: lambda = -1 + sqrt(1 - E_0), with E_0 the lowest energy of

        -psi'' + [1 - g^2 <phi' phi'>(c(tau))] psi = E psi.

    With a time step: lambda = log(mu)/dt for the largest mu that has a decaying solution of

        mu^2 psi_k - (1-dt) mu (psi_{k+1} + psi_{k-1}) + (1-dt)^2 psi_k = dt^2 g^2 <phi' phi'>(c_k) psi_k.

    Parameters
    ----------
    g : float
        Gain of the couplings.
    phi : str or callable
        Odd, smooth and bounded nonlinearity.
    dt : float, optional
        Time step of the Euler scheme, below 1. By default continuous time.

    Returns
    -------
    float
        lambda; g phi'(0) - 1 (or its discrete form) where all activity dies out.

    Raises
    ------
    ValueError
        As `stationary_correlation`.

    Examples
    --------
    >>> f"{lyapunov_exponent(1.8):.7f} {lyapunov_exponent(1.8, dt=0.1):.7f} {lyapunov_exponent(0.8):.1f}"
    '0.0860808 0.0855174 -0.2'
    """
    variance = stationary_variance(g, phi)
    function = odd_nonlinearity(phi)
    if variance == 0:
        gain = g * abs(slope_at_zero(function))
        return gain - 1 if dt is None else float(np.log(1 - dt + dt * gain)) / dt
    model = Potential.of(g, variance, function)
    if dt is None:
        return float(np.sqrt(1 - _ground_state_energy(model))) - 1
    trial, chain, _ = discrete_orbit(model, function, dt)
    return _discrete_exponent(g**2 * np.asarray(trial.slope_average(chain)), dt)


def _ground_state_energy(model: Potential) -> float:
    """Return E_0 by sinc collocation, refined until it stands still.

    Even analytic functions that decay exponentially are sampled on an equidistant half line; the error falls
    exponentially with the number of points.
    """
    length = DECAY_LENGTHS / model.decay_rate
    points, energy = FIRST_POINTS, np.inf
    while True:
        step = length / points
        lags = np.asarray(step * np.arange(points), dtype=np.float64)
        well = 1 - model.g**2 * np.asarray(model.slope_average(orbit(model, lags)))
        previous, energy = energy, _lowest_even_level(well, step)
        if abs(energy - previous) <= TOLERANCE * max(abs(energy), 1e-3) or points >= MOST_POINTS:
            return energy
        points *= 2


def _lowest_even_level(well: FloatArray, step: float) -> float:
    from scipy.linalg import eigh

    distance = np.arange(1, 2 * well.size)
    # -d^2/dtau^2 of sinc functions by their distance in steps.
    kinetic = np.concatenate([[np.pi**2 / 3], 2 * (-1.0) ** distance / distance**2]) / step**2
    index = np.arange(well.size)
    # Basis of even functions: (e_k + e_{-k})/sqrt(2), and e_0 alone.
    matrix = kinetic[np.abs(index[:, None] - index)] + kinetic[index[:, None] + index]
    matrix[0, :] /= np.sqrt(2)
    matrix[:, 0] /= np.sqrt(2)
    matrix[index, index] += well
    return float(eigh(matrix, eigvals_only=True, subset_by_index=[0, 0])[0])


def _discrete_exponent(gains: FloatArray, dt: float) -> float:
    """Return log(mu)/dt, where mu makes the lowest level of a three-term operator vanish.

    `gains` are g^2 <phi' phi'>(c_k). Divided by mu (1-dt) the equation reads
    -(psi_{k+1} - 2 psi_k + psi_{k-1}) + [(mu - (1-dt))^2 - dt^2 gains_k] / (mu (1-dt)) psi_k = 0.
    """
    from scipy.linalg import eigh_tridiagonal
    from scipy.optimize import brentq

    keep = 1 - dt
    neighbours = np.full(gains.size - 1, -1.0)
    neighbours[0] = -np.sqrt(2)  # even: psi_{-1} = psi_1, made symmetric

    def lowest(mu: float) -> float:
        well = ((mu - keep) ** 2 - dt**2 * gains) / (mu * keep)
        return float(eigh_tridiagonal(2 + well, neighbours, eigvals_only=True, select="i", select_range=(0, 0))[0])

    # Below: a well everywhere. Above: a barrier everywhere.
    upper = keep + dt * float(np.sqrt(np.max(gains))) * (1 + 1e-9)
    return float(np.log(brentq(lowest, keep, upper, xtol=1e-15, rtol=1e-14))) / dt
