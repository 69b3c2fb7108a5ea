"""Nodes and weights of averages over a standard normal variable that is cut off where its density is negligible."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import roots_legendre

from sitesampler.theory._hermite import FloatArray


def trapezoid(cut: float, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return the trapezoid rule between -cut and cut, for smooth functions.

    It converges faster than any power of its step.

    Examples
    --------
    >>> z, weights = trapezoid(7.5, 40)
    >>> f"{weights @ z**4:.6f}"
    '3.000000'
    """
    z = cut * np.linspace(-1, 1, nodes)
    density = np.exp(-(z**2) / 2)
    return np.asarray(z), np.asarray(density / density.sum())


def panels(edges: ArrayLike, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre rules between increasing edges, for functions that are smooth between them only.

    Weights sum to one: what is averaged over is the variable given that it lies between the first and the last edge.

    Examples
    --------
    >>> z, weights = panels([-9, 0, 9], 60)
    >>> f"{weights @ np.abs(z) * np.sqrt(np.pi / 2):.6f}"
    '1.000000'
    """
    border = np.asarray(edges, dtype=np.float64)
    x, w = roots_legendre(nodes)
    half = np.diff(border)[:, None] / 2
    z = ((border[1:] + border[:-1])[:, None] / 2 + half * x).ravel()
    density = (half * w).ravel() * np.exp(-(z**2) / 2)
    return np.asarray(z), np.asarray(density / density.sum())
