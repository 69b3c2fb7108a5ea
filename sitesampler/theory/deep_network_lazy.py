"""Infinitely wide networks in the lazy limit gamma -> 0: the recursion of the initial tangent kernel (eq. 86)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation
from sitesampler.theory.deep_network import Outputs, checked_targets, initial_kernels, loss_of

__all__ = ["Lazy", "lazy"]


@dataclass(frozen=True)
class Lazy(Outputs):
    """Outputs and loss of the lazy limit at t = 0..steps."""


def lazy(
    inputs_gram: ArrayLike,
    targets: ArrayLike,
    depth: int,
    rate: float,
    steps: int,
    phi: str | Activation = "tanh",
) -> Lazy:
    """Return the outputs in the lazy limit, f(t + 1) = f(t) + rate K (y - f(t)) with the tangent kernel K (eq. 86).

    A network at small gamma differs by O(gamma^2).

    Parameters
    ----------
    inputs_gram, depth, phi
        As for `initial_kernels`.
    targets : array_like, shape (P,)
        y.
    rate : float
        eta_0.
    steps : int
        Number of updates.

    Examples
    --------
    >>> print(lazy([[1, 0.3], [0.3, 1]], [1, -0.5], depth=1, rate=0.2, steps=4).f[4].round(6))
    [ 0.470492 -0.15915 ]
    """
    kernel = initial_kernels(inputs_gram, depth, phi).tangent
    y = checked_targets(targets, len(kernel))
    f = np.zeros((steps + 1, len(y)))
    for t in range(steps):
        f[t + 1] = f[t] + rate * (kernel @ (y - f[t]))
    return Lazy(f=f, loss=loss_of(f, y))
