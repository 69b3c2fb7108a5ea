r"""Teacher-student perceptron trained on alpha N fixed data: its first steps, and the minimum that it ends in.

    w <- (1 - dt decay) w - (dt/alpha) Psi^T delta,    delta = loss'(h, y),   h = Psi w,   y = sign(u),   u = Psi w_*

(Psi with entries of variance 1/N.) `first_steps` carries out the single-site equations by quadrature: after k steps
the data see k + 1 normal variables, and the weights are a linear combination of as many. `minimum` is the
replica-symmetric solution, exact for a convex loss with decay > 0 (Aubin, Krzakala, Lu & Zdeborova 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._quadrature import panels, trapezoid

__all__ = ["FirstSteps", "Minimum", "first_steps", "minimum"]

# Loss, slope and curvature as functions of the margin y h.
_LOSSES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "logistic": (lambda x: np.logaddexp(0, -x), lambda x: -expit(-x), lambda x: expit(x) * expit(-x)),
    "hinge": (
        lambda x: np.maximum(1 - x, 0) ** 2 / 2,
        lambda x: -np.maximum(1 - x, 0),
        lambda x: np.where(x < 1, 1.0, 0.0),
    ),
    "square": (lambda x: (1 - x) ** 2 / 2, lambda x: x - 1, lambda x: np.ones_like(x)),
}
RANGE, HALF_NODES = 7.5, 60


@dataclass(frozen=True)
class FirstSteps:
    """Order parameters before each of the first steps.

    Attributes
    ----------
    overlap, norm : ndarray, shape (steps + 1,)
        <w_* w> and <w^2>.
    train_loss, train_error : ndarray, shape (steps,)
        The error counts outputs of zero, as those of the first step, as wrong.
    """

    overlap: FloatArray
    norm: FloatArray
    train_loss: FloatArray
    train_error: FloatArray


def first_steps(alpha: float, dt: float, loss: str = "logistic", decay: float = 0.0, *, steps: int = 3) -> FirstSteps:
    """Return what the first steps from w = 0 do to labels of a noiseless teacher.

    Parameters
    ----------
    alpha : float
        Data per dimension.
    dt : float
        Time step.
    loss : "logistic", "hinge" or "square"
        The hinge has a kink: four digits only.
    decay : float
        Weight decay.
    steps : int
        At most 3: the averages of step k are (k + 1)-dimensional.

    Raises
    ------
    ValueError
        If ``steps`` is not 1, 2 or 3.

    Examples
    --------
    >>> result = first_steps(2.0, 0.5)
    >>> print(result.overlap.round(6), result.train_loss.round(6))
    [0.       0.199471 0.362405 0.499743] [0.693147 0.566689 0.486914]
    """
    if not 1 <= steps <= 3:
        raise ValueError(f"the quadrature reaches steps 1 to 3, not {steps}.")
    value, slope, _ = _LOSSES[loss]
    # All is even under a change of sign of the data: u > 0, y = 1 is half of it. Axes: u, then the fresh normals.
    u, half = panels([0.0, RANGE], HALF_NODES)
    v, density = trapezoid(RANGE, HALF_NODES + 20)
    axes = np.ix_(u, *[v] * (steps - 1))
    weights = np.array(1.0)
    for factor in np.ix_(half, *[density] * (steps - 1)):
        weights = weights * factor

    def average(x: FloatArray) -> float:
        """Average an array that may lack the last axes."""
        return float(np.sum(x * weights))

    # Coordinates of w: along w_*, then along the fresh normal that each new delta leaves on the features.
    w = np.zeros(steps + 1)
    overlap, norm = np.zeros(steps + 1), np.zeros(steps + 1)
    losses, errors = np.zeros(steps), np.ones(steps)
    basis: list[FloatArray] = []
    for step in range(steps):
        h = w[0] * axes[0]
        for j in range(step):
            h = h + w[1 + j] * basis[j] / np.sqrt(alpha)
            if j < step - 1:
                h = h + w[1 + j] * axes[1 + j]
        if step:
            # The newest normal enters linearly: the chance of a wrong sign is known without its quadrature.
            errors[step] = average(ndtr(-h / abs(w[step])))
            h = h + w[step] * axes[step]
        losses[step] = average(value(h))
        delta = slope(h)
        moved = (1 - dt * decay) * w
        moved[0] -= dt * average(axes[0] * delta)
        rest = delta
        for j in range(step):
            moved[1 + j] -= dt * average(axes[1 + j] * delta)
            along = average(basis[j] * delta)
            moved[1 + j] -= dt / np.sqrt(alpha) * along
            rest = rest - along * basis[j]
        size = np.sqrt(average(rest**2))
        basis.append(rest / size)
        moved[1 + step] -= dt / np.sqrt(alpha) * size
        w = moved
        overlap[step + 1], norm[step + 1] = w[0], float(w @ w)
    return FirstSteps(overlap=overlap, norm=norm, train_loss=losses, train_error=errors)


@dataclass(frozen=True)
class Minimum:
    """The minimum of the regularised loss.

    Attributes
    ----------
    overlap, norm : float
        <w_* w> and <w^2>.
    train_loss, train_error, test_error : float
        The train loss does not include the decay term.
    """

    overlap: float
    norm: float
    train_loss: float
    train_error: float
    test_error: float


def minimum(alpha: float, decay: float, loss: str = "logistic") -> Minimum:
    """Return where the flow ends, from the replica-symmetric equations.

    Each datum moves its own output from the cavity value omega = m u + s v to the minimum over h of
    loss(h, y) + (h - omega)^2/(2 V); m, s and V = chi/alpha follow from the delta that this leaves.

    Parameters
    ----------
    alpha : float
    decay : float
        Positive.
    loss : "logistic", "hinge" or "square"

    Raises
    ------
    ValueError
        If ``decay`` is not positive.

    Examples
    --------
    >>> end = minimum(2.0, 0.1)
    >>> f"{end.overlap:.6f} {end.norm:.6f} {end.train_loss:.6f} {end.test_error:.6f}"
    '1.248179 2.233221 0.249139 0.185329'
    """
    if not decay > 0:
        raise ValueError(f"decay must be positive, got {decay}.")
    value, slope, curvature = _LOSSES[loss]
    u, half = panels([0.0, RANGE], HALF_NODES)
    v, density = trapezoid(RANGE, 4 * HALF_NODES)
    weights = half[:, None] * density
    m, s, V = 0.5, 0.5, 1 / (alpha * (decay + 0.2))
    h = m * u[:, None] + s * v
    for _ in range(5000):
        omega = m * u[:, None] + s * v
        for _ in range(50):
            step = (h - omega + V * slope(h)) / (1 + V * curvature(h))
            h = h - step
            if np.max(np.abs(step)) < 1e-13:
                break
        delta = slope(h)
        along_u, along_v = float(np.sum(weights * u[:, None] * delta)), float(np.sum(weights * v * delta))
        chi = 1 / (decay + along_v / s)
        power = float(np.sum(weights * delta**2))
        new = np.array([chi * (m * along_v / s - along_u), chi * np.sqrt(power / alpha), chi / alpha])
        change = np.max(np.abs(new - [m, s, V]))
        m, s, V = (float(x) for x in (new + np.array([m, s, V])) / 2)
        if change < 1e-12:
            break
    # The output has the sign of the label where omega + V |slope(0)| is positive.
    wrong = half @ ndtr(-(m * u - V * slope(np.zeros(1))[0]) / s)
    q = m**2 + s**2
    return Minimum(
        overlap=m,
        norm=q,
        train_loss=float(np.sum(weights * value(h))),
        train_error=float(wrong),
        test_error=float(np.arccos(m / np.sqrt(q)) / np.pi),
    )
