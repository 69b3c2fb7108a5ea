r"""Langevin dynamics of the spherical p-spin model (eqs. 1-8), Euler scheme in discrete time.

    s_{n+1} = (1 - dt lam_n) s_n + dt F_n + sqrt(2 T dt) eps_n,     s_0 ~ N(0, 1) on every site,

with F = -dH/ds. The single-site force is Gaussian noise of covariance p C^{p-1} plus a memory with kernel
p (p-1) R C^{p-2}; C and R close (Problem 2). Three ways to keep the spins on the sphere share the limit
dt -> 0 and differ at finite dt, so a comparison must use the same one on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory import _two_time
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._times import times_of

__all__ = [
    "Aging",
    "Convention",
    "SphericalPSpin",
    "aging",
    "dynamical_temperature",
    "solve",
    "threshold_energy",
]

Convention = Literal["project", "lagrange", "formula"]


@dataclass(frozen=True)
class SphericalPSpin:
    """Order parameters of the p-spin model at steps 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
        Times n dt.
    C : ndarray, shape (L + 1, L + 1)
        Correlation <s_n s_m> (eq. 6).
    R : ndarray, shape (L + 1, L + 1)
        Response density d s_n / d(dt xi_m), zero for n <= m (eq. 6); in the limit dt -> 0 its value at equal times is
        the one just after the kick, 1.
    multiplier : ndarray, shape (L + 1,)
        lam_n; for "project" the equivalent (1 - alpha_n)/dt. The last entry belongs to the step L -> L + 1.
    energy : ndarray, shape (L + 1,)
        Energy per spin of the state at step n; E_0 = 0.
    error : float
        Of the limit dt -> 0: the largest error of C and R, over their largest values. Zero at a time step: rounding.
    """

    time: FloatArray
    C: FloatArray
    R: FloatArray
    multiplier: FloatArray
    energy: FloatArray
    error: float = 0.0


def solve(
    p: int,
    temperature: float,
    dt: float | None = None,
    steps: int | None = None,
    convention: Convention = "project",
    *,
    times: ArrayLike | None = None,
    accuracy: float = _two_time.AIM,
) -> SphericalPSpin:
    """Solve the closed equations for C and R (Problem 2), exactly at this dt or in the limit dt -> 0.

    The limit is solved by collocation in panels of time, with errors that fall exponentially with their points and are
    measured: ``error`` of the result is below ``accuracy``, or a warning says so.

    Parameters
    ----------
    p : int
        Number of spins in an interaction, at least 2.
    temperature : float
        T = 1/beta, may be zero.
    dt : float, optional
        Time step; none for the limit dt -> 0.
    steps : int, optional
        Number L of steps, with dt; cost grows as steps^3.
    convention : {"project", "lagrange", "formula"}
        "project": after a step without multiplier the spins are divided by their norm.
        "lagrange": lam_n is the number that keeps the norm exactly after the step.
        "formula": lam_n = T + <s_n F_n>, the multiplier of continuous time; C[n, n] = 1 + O(dt), but energies
        have by far the smallest error of the three. They are one in the limit.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps. For p = 3 at T = 0.5, 20 units of time take three seconds, 100 two minutes
        and 0.6 GB; cost grows as the third power of the last time.
    accuracy : float
        Of the limit: relative error that is asked for, from 1e-9 to 0.01; the cost grows with its digits.

    Raises
    ------
    ValueError
        If p < 2, the convention is unknown, or dt is so large that no multiplier keeps the norm.

    Examples
    --------
    >>> result = solve(p=3, temperature=1.0, dt=0.05, steps=200)
    >>> f"C(5, 0) = {result.C[100, 0]:.6f}, E(10) = {result.energy[200]:.5f}"
    'C(5, 0) = 0.173746, E(10) = -1.02548'
    >>> limit = solve(p=3, temperature=1.0, times=[0, 5])
    >>> f"C(5, 0) = {limit.C[1, 0]:.6f}, E(5) = {limit.energy[1]:.5f}"
    'C(5, 0) = 0.128355, E(5) = -0.94106'
    """
    _check_p(p)
    if convention not in get_args(Convention):
        raise ValueError(f"unknown convention {convention!r}: choose from {', '.join(get_args(Convention))}.")
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        return _limit(p, temperature, asked, accuracy)
    correlation = np.zeros((steps + 2, steps + 2))
    response = np.zeros((steps + 2, steps + 2))
    multiplier = np.empty(steps + 1)
    energy = np.empty(steps + 1)
    correlation[0, 0] = 1.0
    for now in range(steps + 1):
        upto, before = slice(0, now + 1), slice(0, now)
        c_now, norm = correlation[now, upto], correlation[now, now]
        kernel = p * (p - 1) * response[now, before] * c_now[before] ** (p - 2)
        noise = p * c_now ** (p - 1)
        from_noise = dt * (response[upto, before] @ noise[before])  # <xi_n s_m>, Novikov
        from_memory = dt * (kernel @ correlation[before, upto])  # <memory_n s_m>
        force = from_noise + from_memory  # <F_n s_m>
        force_square = noise[now] + dt * (kernel @ (2 * from_noise[before] + from_memory[before]))
        # H is homogeneous of degree p, so <s F> = -p E; this form is exact at any dt.
        energy[now] = -force[now] / p

        kick = dt**2 * force_square + 2 * temperature * dt
        if convention == "project":
            keep = scale = (norm + 2 * dt * force[now] + kick) ** -0.5
        else:
            keep, scale = _keep(convention, dt, temperature, float(force[now]), float(kick)), 1.0
        multiplier[now] = (1 - keep) / dt

        correlation[now + 1, upto] = keep * c_now + scale * dt * force
        correlation[upto, now + 1] = correlation[now + 1, upto]
        correlation[now + 1, now + 1] = keep**2 * norm + 2 * keep * scale * dt * force[now] + scale**2 * kick
        response[now + 1, upto] = keep * response[now, upto]
        response[now + 1, before] += scale * dt**2 * (kernel @ response[before, before])
        response[now + 1, now] += scale
    last = slice(0, steps + 1)
    return SphericalPSpin(
        time=asked,
        C=correlation[last, last].copy(),
        R=response[last, last].copy(),
        multiplier=multiplier,
        energy=energy,
    )


def _limit(p: int, temperature: float, times: FloatArray, accuracy: float) -> SphericalPSpin:
    found = _two_time.solve(
        lambda: _two_time.Equations(
            close=lambda here, means, C: (p * C ** (p - 1), means),
            start=np.ones(1),
            mixing=np.ones((1, 1)),
            memory=lambda C, R: p * (p - 1) * R * C ** (p - 2),
            temperature=temperature,
            panel=0.4,
        ),
        times,
        accuracy,
    )
    power = found.power[0]
    return SphericalPSpin(times, found.C[0], found.R, temperature + power, -power / p, found.error)


def _keep(convention: Convention, dt: float, temperature: float, force: float, kick: float) -> float:
    """Return 1 - dt lam_n, the factor of s_n in the next step."""
    if convention == "formula":
        return 1 - dt * (temperature + force)
    # Root of keep^2 + 2 keep dt <s F> + kick = 1 (the norm after the step) that tends to 1 with dt.
    discriminant = (dt * force) ** 2 - kick + 1
    if discriminant < 0:
        raise ValueError(f"dt = {dt} is too large: the step is longer than the radius, no multiplier exists.")
    return float(np.sqrt(discriminant)) - dt * force


def dynamical_temperature(p: int) -> float:
    """Return T_d, below which the dynamics ages: T_d^2 = p (p-2)^(p-2) / (p-1)^(p-1).

    In the normalisation of eq. 1. The plateau starts at q = (p-2)/(p-1). For p = 2 this is T_c.

    Examples
    --------
    >>> f"{dynamical_temperature(3):.6f}"
    '0.866025'
    """
    _check_p(p)
    return float(np.sqrt(p * (p - 2) ** (p - 2) / (p - 1) ** (p - 1)))


def threshold_energy(p: int) -> float:
    """Return the energy per spin that dynamics at T = 0 reaches after infinite time, -2 sqrt((p-1)/p).

    Examples
    --------
    >>> f"{threshold_energy(3):.6f}"
    '-1.632993'
    """
    _check_p(p)
    return float(-2 * np.sqrt((p - 1) / p))


@dataclass(frozen=True)
class Aging:
    """Constants of the aging state: plateau q, violation X of the FDT, energy per spin at infinite time."""

    q: float
    X: float
    E_inf: float


def aging(p: int, temperature: float) -> Aging:
    """Return the constants of the aging state at T <= T_d.

    q is the largest root of p (p-1) q^(p-2) (1-q)^2 = T^2; X = (p-2)(1-q)/q is the factor of the
    fluctuation-dissipation relation at infinite times.

    Raises
    ------
    ValueError
        If the temperature is negative or above `dynamical_temperature`, where the system equilibrates.

    Examples
    --------
    >>> state = aging(3, 0.6)
    >>> f"{state.q:.6f} {state.X:.6f} {state.E_inf:.6f}"
    '0.709118 0.410202 -1.316150'
    """
    highest = dynamical_temperature(p)
    if not 0 <= temperature <= highest:
        raise ValueError(f"aging needs 0 <= T <= T_d = {highest:.6f}, got T = {temperature}.")
    if temperature == 0:
        return Aging(q=1.0, X=0.0, E_inf=threshold_energy(p))
    from scipy.optimize import brentq

    # The left side decreases from q = (p-2)/(p-1), where T = T_d, to q = 1; only that branch is stable.
    lowest = (p - 2) / (p - 1)
    excess = p * (p - 1) * lowest ** (p - 2) * (1 - lowest) ** 2 - temperature**2
    q = lowest
    if excess > 0:
        q = brentq(lambda q: p * (p - 1) * q ** (p - 2) * (1 - q) ** 2 - temperature**2, lowest, 1.0, xtol=1e-15)
    ratio = (p - 2) * (1 - q) / q if p > 2 else 0.0
    return Aging(q=float(q), X=float(ratio), E_inf=float(-(1 - (1 - ratio) * q**p) / temperature))


def _check_p(p: int) -> None:
    if p < 2 or p != int(p):
        raise ValueError(f"p must be an integer of at least 2, got {p}.")
