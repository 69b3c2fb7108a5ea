"""Infinitely wide networks with one hidden layer: a site is a function of its initial (h, w), by quadrature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.deep_network import Outputs, checked_gram, checked_targets, derivative_of, loss_of

__all__ = ["OneHiddenLayer", "one_hidden_layer"]

# Sites of the quadrature lie within this many standard deviations.
RANGE = 7.0
LARGEST_GRID = 4_000_000
# Directions of the inputs with less than this part of the largest variance do not count.
RANK = 1e-12


@dataclass(frozen=True)
class OneHiddenLayer(Outputs):
    """Outputs, loss and order parameters of a network with one hidden layer at t = 0..steps.

    Attributes
    ----------
    C_phi, C_g : ndarray, shape (steps + 1, steps + 1, P, P)
        Correlations of phi(h) and g; time, time_, input, input_.
    excess_kurtosis : ndarray, shape (steps + 1, P)
        <h^4>/<h^2>^2 - 3, zero for Gaussian preactivations.
    """

    C_phi: FloatArray
    C_g: FloatArray
    excess_kurtosis: FloatArray


def one_hidden_layer(
    inputs_gram: ArrayLike,
    targets: ArrayLike,
    gamma: float,
    rate: float,
    steps: int,
    phi: str | Activation = "tanh",
    step: float = 0.2,
) -> OneHiddenLayer:
    """Solve a network with one hidden layer by quadrature over the initial h ~ N(0, K) and w ~ N(0, 1) of a site.

    The trapezoid rule converges faster than any power of its step for smooth phi, and quadratically for relu.
    The grid has one dimension per independent input and one for w: this is a reference for one to three inputs.

    Parameters
    ----------
    inputs_gram, targets, gamma, rate, steps
        As for `linear`.
    phi : str or object with .derivative
        Nonlinearity.
    step : float
        Step of the trapezoid rule in standard deviations.

    Raises
    ------
    ValueError
        If the grid would be too large.

    Examples
    --------
    >>> result = one_hidden_layer([[1, 0.3], [0.3, 1]], [1, -0.5], gamma=1.5, rate=0.25, steps=2)
    >>> print(result.f[2].round(6), f"{result.loss[2]:.6f}")
    [ 0.316293 -0.110129] 0.309727
    """
    gram = checked_gram(inputs_gram)
    y = checked_targets(targets, len(gram))
    function = nonlinearity(phi)
    slope = derivative_of(phi)
    h, w, weights = _sites(gram, step)
    count, P = steps + 1, len(y)
    c = rate * gamma
    f = np.zeros((count, P))
    kurtosis = np.empty((count, P))
    features, signals = np.empty((2, count, P, w.size))
    h, w = h.copy(), w.copy()
    for t in range(count):
        features[t] = function(h)
        signals[t] = slope(h) * w
        f[t] = (features[t] @ (weights * w)) / gamma
        square = h**2
        kurtosis[t] = (square**2 @ weights) / (square @ weights) ** 2 - 3
        force = c * (y - (f[t] - f[0]))
        h += (gram * force) @ signals[t]
        w += force @ features[t]

    def correlation(fields: FloatArray) -> FloatArray:
        rows = fields.reshape(count * P, -1)
        return np.asarray(((rows * weights) @ rows.T).reshape(count, P, count, P).transpose(0, 2, 1, 3))

    f = f - f[0]
    return OneHiddenLayer(
        f=f,
        loss=loss_of(f, y),
        C_phi=correlation(features),
        C_g=correlation(signals),
        excess_kurtosis=kurtosis,
    )


def _sites(gram: FloatArray, step: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return initial h, w and weights of a grid of sites within `RANGE` standard deviations."""
    variances, vectors = np.linalg.eigh(gram)
    kept = variances > RANK * variances[-1]
    root = vectors[:, kept] * np.sqrt(variances[kept])
    dimensions = int(kept.sum()) + 1
    half = int(RANGE / step)
    if (2 * half + 1) ** dimensions > LARGEST_GRID:
        raise ValueError(
            f"the grid would need {(2 * half + 1) ** dimensions:.1e} sites for {dimensions - 1} independent inputs: "
            "give a larger step, or sample the single-site process."
        )
    axis = step * np.arange(-half, half + 1)
    grid = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij")).reshape(dimensions, -1)
    square = np.sum(grid**2, axis=0)
    grid, square = grid[:, square <= RANGE**2], square[square <= RANGE**2]
    weights = np.exp(-square / 2)
    return np.asarray(root @ grid[:-1]), grid[-1], weights / weights.sum()
