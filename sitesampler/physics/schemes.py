"""Schemes: one step of dy/dt = f(y, t), or of the Ito equation dy = f dt + g dW, as plain arithmetic.

A state is a tuple of arrays and numbers, and nothing here knows what they are of.  The order of a scheme is that of
averages over the population (the weak order, where there is noise); `SCHEMES` has all of them.

References
----------
E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I (1993), chapter II; P. E. Kloeden,
E. Platen, Numerical Solution of Stochastic Differential Equations (1992), section 15.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

State = tuple[Any, ...]


class Motion(Protocol):
    """What a scheme asks of an equation of motion."""

    def slope(self, y: State, t: float, last: bool = False) -> State:
        """Return f(y, t); ``last`` says that it is the last one that the step needs."""

    def amplitude(self, y: State, t: float) -> State:
        """Return g(y, t) of each component; None where that has no noise."""

    def normals(self) -> State:
        """Return fresh standard normals for each component; None where that has no noise."""


@dataclass(frozen=True)
class Scheme:
    """How one step is made.

    Attributes
    ----------
    order : int
        The error of averages falls as dt to this power.
    weight : float
        With which the last slope of a step enters the step: what is added to it moves the end of the step, and nothing
        before that.
    longest : float
        Largest product of the step and the fastest rate at which a mode that decays does so in the scheme.
    noise : str
        The noise it is for: "any", "none", or "additive".
    step : callable
        (motion, y, t, dt, slope at the start if it is known, noisy) -> the new state and `Stages`.
    """

    order: int
    weight: float
    longest: float
    noise: str
    step: Callable[..., tuple[State, Stages]]


@dataclass(frozen=True)
class Stages:
    """What a step leaves to look at: its first slope, and two points of it with the slopes there."""

    slope: State
    points: tuple[State, State]
    slopes: tuple[State, State]


def plus(y: State, *terms: tuple[float, State]) -> State:
    """Return y + sum c k, component by component.

    Examples
    --------
    >>> plus((1.0, 2.0), (0.5, (2.0, 4.0)))
    (2.0, 4.0)
    """
    out = list(y)
    for c, k in terms:
        out = [value + c * part for value, part in zip(out, k, strict=True)]
    return tuple(out)


def _euler(motion: Motion, y: State, t: float, dt: float, slope: State | None, noisy: bool) -> tuple[State, Stages]:
    """Euler's step, and that of Euler and Maruyama: weak order 1; strong order 1, or 1/2 where g depends on y."""
    k = motion.slope(y, t, True) if slope is None else slope
    end = plus(y, (dt, k))
    if noisy:
        end = _kicked(end, motion.amplitude(y, t), motion.normals(), dt)
    return end, Stages(k, (y, y), (k, k))


def _heun(motion: Motion, y: State, t: float, dt: float, slope: State | None, noisy: bool) -> tuple[State, Stages]:
    """Heun's step: order 2; with additive noise weak order 2, the amplitude being that of the middle of the step."""
    k1 = motion.slope(y, t) if slope is None else slope
    moved, half = plus(y, (dt, k1)), plus(y, (dt / 2, k1))
    if noisy:
        g, xi = motion.amplitude(y, t + dt / 2), motion.normals()
        moved, half = _kicked(moved, g, xi, dt), _kicked(half, g, xi, dt)
    k2 = motion.slope(moved, t + dt, True)
    return plus(half, (dt / 2, k2)), Stages(k1, (y, moved), (k1, k2))


def _rk4(motion: Motion, y: State, t: float, dt: float, slope: State | None, noisy: bool) -> tuple[State, Stages]:
    """Classical step of Runge and Kutta: order 4."""
    k1 = motion.slope(y, t) if slope is None else slope
    y2 = plus(y, (dt / 2, k1))
    k2 = motion.slope(y2, t + dt / 2)
    y3 = plus(y, (dt / 2, k2))
    k3 = motion.slope(y3, t + dt / 2)
    k4 = motion.slope(plus(y, (dt, k3)), t + dt, True)
    return plus(y, (dt / 6, k1), (dt / 3, k2), (dt / 3, k3), (dt / 6, k4)), Stages(k1, (y2, y3), (k2, k3))


def _platen(motion: Motion, y: State, t: float, dt: float, slope: State | None, noisy: bool) -> tuple[State, Stages]:
    """Platen's step without derivatives, for noise whose amplitude at a site depends on that site: weak order 2.

    Strong order 1.  The amplitude is seen at two points on both sides of the step; their side is that of the noise of
    each site, so that averages over sites do not move with them.
    """
    k1 = motion.slope(y, t) if slope is None else slope
    g, xi = motion.amplitude(y, t), motion.normals()
    ahead = plus(y, (dt, k1))
    moved = _kicked(ahead, g, xi, dt)
    k2 = motion.slope(moved, t + dt, True)
    sides = tuple(None if normal is None else (1 - 2 * (normal < 0)).astype(normal.dtype) for normal in xi)
    above = motion.amplitude(_kicked(ahead, g, sides, dt), t + dt)
    below = motion.amplitude(_kicked(ahead, g, sides, dt, -1), t + dt)
    end = []
    for value, here, up, down, normal, side in zip(
        plus(y, (dt / 2, k1), (dt / 2, k2)), g, above, below, xi, sides, strict=True
    ):
        if normal is not None:
            value = value + dt**0.5 / 4 * ((up + down + 2 * here) * normal + (up - down) * side * (normal**2 - 1))
        end.append(value)
    return tuple(end), Stages(k1, (y, moved), (k1, k2))


def _kicked(y: State, g: State, xi: State, dt: float, sign: int = 1) -> State:
    """Return y + g sqrt(dt) xi where there is noise."""
    root = sign * dt**0.5
    return tuple(
        value if normal is None else value + root * amplitude * normal
        for value, amplitude, normal in zip(y, g, xi, strict=True)
    )


SCHEMES = {
    "euler": Scheme(1, 1.0, 2.0, "any", _euler),
    "heun": Scheme(2, 1 / 2, 2.0, "additive", _heun),
    "rk4": Scheme(4, 1 / 6, 2.78, "none", _rk4),
    "platen": Scheme(2, 1 / 2, 2.0, "any", _platen),
}


def between(theta: float, dt: float, ends: tuple[State, State], slopes: tuple[State, State] | None) -> State:
    """Return the state at a part theta of a step: Hermite's cubic, or a straight line where slopes are not given.

    The cubic differs from the solution by a fourth power of dt, the line by a square.

    Examples
    --------
    >>> between(0.5, 2.0, ((0.0,), (8.0,)), ((0.0,), (12.0,)))  # t^3
    (1.0,)
    """
    start, end = ends
    if slopes is None:
        return plus(start, (theta, plus(end, (-1, start))))
    rest, u = 1 - theta, theta**2 * (3 - 2 * theta)
    line = plus(start, (u, plus(end, (-1, start))))
    return plus(line, (dt * theta * rest**2, slopes[0]), (-dt * theta**2 * rest, slopes[1]))
