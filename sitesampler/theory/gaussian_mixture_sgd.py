r"""Two-layer classification of a Gaussian mixture by online gradient descent (in the manner of Saad & Solla 1995).

With fresh data in each step the order parameters M_k = <m w_k> and Q_kl = <w_k w_l> close at any batch size alpha N:

    w <- (1 - eta decay) w - eta [ D w + s b m + sqrt(V/alpha) noise ],    h = s M y + Gaussian of covariance Q
    delta_k = (f - y) phi'(h_k),   b = <y delta>,   V = <delta delta^T>,   D_kl = <d delta_k / d h_l>

where s is the separation. D w is the memory of the fresh matrix: its transpose answers to what was just multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sitesampler.nonlinearities import Nonlinearity, nonlinearity
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._quadrature import trapezoid

__all__ = ["Training", "recursion"]

# Normal variables are cut off here.
RANGE = 7.5


@dataclass(frozen=True)
class Training:
    """Order parameters before each step.

    Attributes
    ----------
    overlap : ndarray, shape (steps, K)
        M_k = <m w_k>.
    Q : ndarray, shape (steps, K, K)
        <w_k w_l>.
    loss : ndarray, shape (steps,)
        Average of (f - y)^2/2 over new data.
    error : ndarray, shape (steps,)
        Fraction misclassified, for up to two hidden units with an odd, increasing phi: f then has the sign of
        the sum of the h_k. NaN for more.
    """

    overlap: FloatArray
    Q: FloatArray
    loss: FloatArray
    error: FloatArray


def recursion(
    alpha: float,
    separation: float,
    hidden: int = 2,
    phi: str | Nonlinearity = "tanh",
    *,
    rate: float,
    decay: float = 0.0,
    steps: int,
    nodes: int = 80,
) -> Training:
    """March the order parameters, exactly at this rate and batch size.

    Parameters
    ----------
    alpha : float
        New data per feature in each step.
    separation : float
        Distance of the centres of the two clouds from the origin, in standard deviations of the noise.
    hidden : int
        Number K of hidden units; averages are K-dimensional sums over normal variables.
    phi : str or Nonlinearity
        Smooth.
    rate, decay : float
        Learning rate and weight decay.
    steps : int
    nodes : int
        Nodes per dimension.

    Examples
    --------
    >>> result = recursion(0.5, 1.5, rate=0.5, steps=21)
    >>> f"{result.overlap[20, 0]:.6f} {result.loss[20]:.6f} {result.error[20]:.6f}"
    '1.454303 0.125057 0.083609'
    """
    function = nonlinearity(phi)
    if not isinstance(function, Nonlinearity):
        raise TypeError("phi must be a named nonlinearity: its derivative is needed.")
    z, weights = trapezoid(RANGE, nodes)
    grid = np.stack(np.meshgrid(*[z] * hidden, indexing="ij"), axis=-1).reshape(-1, hidden)
    weight = np.prod(np.stack(np.meshgrid(*[weights] * hidden, indexing="ij")), axis=0).ravel()
    y = np.repeat([1.0, -1.0], len(grid))
    grid, weight = np.tile(grid, (2, 1)), np.tile(weight / 2, 2)
    M, Q = np.zeros(hidden), np.eye(hidden)
    overlaps, norms = np.zeros((steps, hidden)), np.zeros((steps, hidden, hidden))
    losses, errors = np.zeros(steps), np.full(steps, np.nan)
    for step in range(steps):
        overlaps[step], norms[step] = M, Q
        factor = np.linalg.cholesky(Q)
        noise = grid @ factor.T
        h = separation * y[:, None] * M + noise
        residual = function(h).mean(axis=1) - y
        delta = residual[:, None] * function.derivative(h)
        losses[step] = weight @ residual**2 / 2
        if hidden <= 2:
            errors[step] = ndtr(-separation * M.sum() / np.sqrt(Q.sum()))
        b, V = (weight * y) @ delta, (delta * weight[:, None]).T @ delta
        # Stein: <delta noise^T> = D Q.
        D = np.linalg.solve(Q, ((noise * weight[:, None]).T @ delta)).T
        drift = (1 - rate * decay) * np.eye(hidden) - rate * D
        push = rate * separation * b
        carried = drift @ M
        mixed = np.outer(carried, push)
        Q = drift @ Q @ drift.T - mixed - mixed.T + np.outer(push, push) + rate**2 / alpha * V
        M = carried - push
    return Training(overlap=overlaps, Q=norms, loss=losses, error=errors)
