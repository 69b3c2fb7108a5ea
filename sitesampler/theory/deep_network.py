r"""Infinitely wide networks that learn features: their kernels at initialisation (eqs. 75-86, 108-111).

    h1 = W0 x/sqrt(D),   h_{l+1} = W_l phi(h_l)/sqrt(N),   f = w.phi(h_L)/(gamma N),   g_l = phi'(h_l) z_l,
    z_l = W_l^T g_{l+1}/sqrt(N),   z_L = w,                loss = 1/2 sum (f - y)^2,   Delta = y - f

Every layer is trained with step rate gamma^2 N from N(0, 1) weights; t = 0 is initialisation, and f has its initial
value subtracted. Only the inputs' Gram matrix K = X X^T/D matters. The process of a site closes in the lazy limit
gamma -> 0, for linear networks, whose fields stay Gaussian, and for one hidden layer, where a site is a function of
its initial (h, w).

What these three have in common stands here: the kernels, the loss and the checks of what is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.gaussian import product_average

__all__ = ["InitialKernels", "Outputs", "initial_kernels"]


@dataclass(frozen=True)
class InitialKernels:
    """Correlations at t = 0, where L is the number of hidden layers.

    Attributes
    ----------
    C_phi : ndarray, shape (L + 1, P, P)
        Layers 0..L; layer 0 is the Gram matrix of the inputs.
    C_g : ndarray, shape (L + 1, P, P)
        Layers 1..L + 1; the last is all ones.
    tangent : ndarray, shape (P, P)
        The neural tangent kernel, sum_l C_phi[l] C_g[l + 1] element by element.
    """

    C_phi: FloatArray
    C_g: FloatArray
    tangent: FloatArray


@dataclass(frozen=True)
class Outputs:
    """What a network has learned at t = 0..steps.

    Attributes
    ----------
    f : ndarray, shape (steps + 1, P)
        Outputs.
    loss : ndarray, shape (steps + 1,)
        1/2 sum over inputs of (f - y)^2.
    """

    f: FloatArray
    loss: FloatArray


def initial_kernels(inputs_gram: ArrayLike, depth: int, phi: str | Activation = "tanh") -> InitialKernels:
    """Return the kernels of every layer at initialisation.

    C_phi[l] = <phi phi> over N(0, C_phi[l-1]) and C_g[l] = <phi' phi'> over the same, times C_g[l+1].

    Parameters
    ----------
    inputs_gram : array_like, shape (P, P)
        X X^T/D.
    depth : int
        Number L of hidden layers.
    phi : str or object with .derivative
        Nonlinearity; smooth with a smooth derivative, unless it is "relu".

    Raises
    ------
    ValueError
        If `inputs_gram` is not symmetric or depth < 1.
    TypeError
        If phi has no derivative.

    Examples
    --------
    >>> print(initial_kernels([[1, 0.3], [0.3, 1]], depth=2, phi="relu").tangent.round(6))
    [[0.75    0.25865]
     [0.25865 0.75   ]]
    """
    gram = checked_gram(inputs_gram)
    if depth < 1:
        raise ValueError(f"depth, the number of hidden layers, must be at least 1, got {depth}.")
    C_phi = np.empty((depth + 1, *gram.shape))
    C_g = np.ones((depth + 1, *gram.shape))
    C_phi[0] = gram
    for layer in range(depth):
        variance = np.diag(C_phi[layer])
        C_phi[layer + 1] = product_average(phi, variance[:, None], variance, C_phi[layer])
    for layer in range(depth - 1, -1, -1):
        C_g[layer] = _slope_product(phi, C_phi[layer]) * C_g[layer + 1]
    return InitialKernels(C_phi=C_phi, C_g=C_g, tangent=np.sum(C_phi * C_g, axis=0))


def checked_gram(inputs_gram: ArrayLike) -> FloatArray:
    gram = np.atleast_2d(np.asarray(inputs_gram, dtype=np.float64))
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not np.allclose(gram, gram.T, rtol=1e-10, atol=0):
        raise ValueError(f"inputs_gram = X X^T/D must be a symmetric matrix, got shape {gram.shape}.")
    return gram


def checked_targets(targets: ArrayLike, inputs: int) -> FloatArray:
    y = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if y.shape != (inputs,):
        raise ValueError(f"targets must have one value for each of the {inputs} inputs, got shape {y.shape}.")
    return y


def loss_of(f: FloatArray, targets: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.sum((f - targets) ** 2, axis=1))


def derivative_of(phi: str | Activation) -> Activation:
    function = nonlinearity(phi)
    derivative: Activation | None = getattr(function, "derivative", None)
    if derivative is None:
        raise TypeError("phi needs its derivative: give a name or a sitesampler.nonlinearities.Nonlinearity.")
    return derivative


def _slope_product(phi: str | Activation, covariance: FloatArray) -> FloatArray:
    """Return <phi'(h) phi'(h')> for all pairs."""
    variance = np.diag(covariance)
    name = getattr(nonlinearity(phi), "name", "")
    if name == "relu":
        rho = covariance / np.sqrt(variance[:, None] * variance)
        return np.asarray((np.pi - np.arccos(np.clip(rho, -1, 1))) / (2 * np.pi))
    if name == "erf":
        norm = (1 + 2 * variance[:, None]) * (1 + 2 * variance) - 4 * covariance**2
        return np.asarray(4 / np.pi / np.sqrt(norm))
    if name == "linear":
        return np.ones_like(covariance)
    return product_average(derivative_of(phi), variance[:, None], variance, covariance)
