r"""Retrieval of a pattern from a Hopfield network of alpha N patterns: first steps, and graded fixed point.

    h <- (1-dt) h + dt [ xi m + X^T X s - alpha s ],     s = tanh(beta h) or sign(h),   m = <xi s>

X holds the other patterns, entries of variance 1/N. They see the states through X s, which is Gaussian; what they
send back is noise and memory of all former states. `first_steps` carries this out by quadrature over the noise of
each step (the first is that of a signal-to-noise analysis, m_1 = erf(m_0/sqrt(2 alpha)) for parallel dynamics of
signs; the second that of Gardner, Derrida & Mottishaw 1987). `retrieval` is the stationary state of graded neurons
(Kuehn, Boes & van Hemmen 1991), where memory has become a reaction of each neuron on itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._quadrature import panels, trapezoid

__all__ = ["Retrieval", "first_steps", "retrieval"]

RANGE, NODES, LARGEST_STEPS = 7.5, 90, 3


def first_steps(
    alpha: float, overlap: float, beta: float = np.inf, dt: float = 1.0, *, steps: int = 2
) -> tuple[FloatArray, FloatArray]:
    """Return m and <h^2> at the start and after each of the first steps.

    Parameters
    ----------
    alpha : float
        Patterns per neuron.
    overlap : float
        Of the state h(0) = +-1 with the pattern.
    beta : float
        Gain of the neurons; infinite for signs.
    dt : float
        1 for parallel dynamics.
    steps : int
        At most 3, or 2 for signs, whose jumps a quadrature in more dimensions does not follow.

    Returns
    -------
    m, power : ndarray, shape (steps + 1,)

    Raises
    ------
    ValueError
        If there are too many steps.

    Examples
    --------
    >>> m, power = first_steps(0.1, 0.5)
    >>> print(m.round(6), power.round(6))
    [0.5      0.886154 0.950469] [1.       0.35     1.070869]
    """
    signs = np.isinf(beta)
    if not 1 <= steps <= LARGEST_STEPS - signs:
        raise ValueError(f"the quadrature reaches steps 1 to {LARGEST_STEPS - int(signs)}, not {steps}.")
    start = np.array([1.0, -1.0])
    # Axes: h(0), in the gauge where the pattern is 1, then the noise of each step but the last where it is known.
    if signs:
        jumps = -((1 - dt) / dt * start + overlap) / np.sqrt(alpha)
        noise, density = panels(np.unique(np.clip([-RANGE, *jumps, RANGE], -RANGE, RANGE)), NODES)
    else:
        noise, density = trapezoid(RANGE, NODES)
    count = steps - 1 if signs else steps
    axes = np.ix_(start, *[noise] * count)
    weights = np.array(1.0)
    for factor in np.ix_((1 + overlap * start) / 2, *[density] * count):
        weights = weights * factor

    def average(x: FloatArray) -> float:
        """Average an array that may lack the last axes."""
        return float(np.sum(x * weights))

    h = axes[0] + 0 * weights
    m, power = np.zeros(steps + 1), np.ones(steps + 1)
    basis: list[FloatArray] = []
    for step in range(steps + 1):
        s = np.sign(h) if signs else np.tanh(beta * h)
        m[step], power[step] = average(s), average(h**2)
        if step == steps:
            break
        # Coordinates of X s along the Gaussian images of the states so far, with the memory of what was sent back.
        rest, coordinates = s, np.zeros(step + 1)
        for i in range(step):
            along = average(basis[i] * s)
            rest = rest - along * basis[i]
            coordinates[i] = along + average(axes[1 + i] * s) / np.sqrt(alpha)
        coordinates[step] = np.sqrt(average(rest**2))
        basis.append(rest / coordinates[step])
        field = m[step] - alpha * s + sum(alpha * y * q for y, q in zip(coordinates, basis, strict=True))
        field = field + np.sqrt(alpha) * sum(y * z for y, z in zip(coordinates, axes[1:], strict=False))
        h = (1 - dt) * h + dt * field
        if signs and step == steps - 1:
            spread = dt * np.sqrt(alpha) * coordinates[step]
            m[steps] = average(2 * ndtr(h / spread) - 1)
            power[steps] = average(h**2) + spread**2
            break
    return m, power


@dataclass(frozen=True)
class Retrieval:
    """Stationary state near a pattern.

    Attributes
    ----------
    m, q : float
        <xi s> and <s^2>.
    susceptibility : float
        chi = <ds/dh>, of a field from outside.
    power : float
        <h^2>.
    """

    m: float
    q: float
    susceptibility: float
    power: float


def retrieval(alpha: float, beta: float) -> Retrieval:
    """Return the fixed point near a pattern, of graded neurons s = tanh(beta h).

    h = xi m + Gaussian of variance alpha q/(1 - chi)^2 + Gamma s, Gamma = alpha chi/(1 - chi).

    Parameters
    ----------
    alpha, beta : float

    Raises
    ------
    ValueError
        If retrieval fails, or a neuron alone has several states (beta Gamma > 1).

    Examples
    --------
    >>> state = retrieval(0.05, 3.0)
    >>> f"{state.m:.6f} {state.q:.6f} {state.power:.6f}"
    '0.985823 0.972820 1.038232'
    """
    h = np.linspace(-12.0, 12.0, 6001)
    s, slope = np.tanh(beta * h), beta / np.cosh(beta * h) ** 2
    m, q, chi = 1.0, 1.0, 0.0
    for _ in range(20000):
        reaction, spread = alpha * chi / (1 - chi), np.sqrt(alpha * q) / (1 - chi)
        # Integrals over the Gaussian part g = h - Gamma s of the field, written as integrals over h.
        density = np.exp(-(((h - reaction * s - m) / spread) ** 2) / 2) / (np.sqrt(2 * np.pi) * spread) * (h[1] - h[0])
        jacobian = density * (1 - reaction * slope)
        new = np.array([jacobian @ s, jacobian @ s**2, density @ slope])
        change = np.max(np.abs(new - [m, q, chi]))
        m, q, chi = (float(x) for x in (new + np.array([m, q, chi])) / 2)
        if change < 1e-13:
            break
        if not (0 <= chi < 1 and beta * reaction < 1 and m > 0.05):
            raise ValueError("no retrieval here: too many patterns, or a gain too small or too large.")
    return Retrieval(m=m, q=q, susceptibility=chi, power=float(jacobian @ h**2))
