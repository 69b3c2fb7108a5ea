"""Gradient descent in the random feature model with equal modes, lam = 1, through its generating function (eq. 73).

The transforms of the two covariances are known in closed form, up to the root of a cubic equation: a second route to
the order parameters at any dt (`generating_function`), and the gradient flow dt -> 0 up to any time (`flow_losses`).
`late_growth` is how the error ends: at N = P < D it grows as t^(1/2) (eq. 73), although every eigenvalue of the
matrix (A^T A/N)(Psi^T Psi/P) is positive or zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.random_features import ComplexArray, check_ratios

__all__ = ["flow_losses", "generating_function", "late_growth"]

# Nodes of the contour of Laplace inversion: its error falls as exp(-1.36 nodes).
NODES = 24
# Steps of the angle in which a root is followed from the positive axis into the complex plane.
ANGLES = 48


def generating_function(
    width_ratio: float, data_ratio: float, noise: float, dt: float, x: ArrayLike, other: ArrayLike
) -> tuple[ComplexArray, ComplexArray]:
    """Return sum_kl x^k x'^l C[k, l] for C0 and C1, for lam = 1 and <w_*^2> = 1.

    Parameters
    ----------
    width_ratio, data_ratio, noise, dt
        nu = N/D, alpha = P/D, standard deviation of the label noise, learning rate.
    x, other : array_like
        Complex numbers inside the circle of convergence (the unit circle, or less at N = P, if dt is stable); they
        are broadcast.

    Returns
    -------
    C0, C1 : ndarray

    Examples
    --------
    >>> C0, C1 = generating_function(0.6, 0.6, noise=0.2, dt=0.05, x=1e-9, other=0)
    >>> print(C0.real.round(6), C1.real.round(6))
    1.0 1.04
    """
    check_ratios(width_ratio, data_ratio)
    first, second = (np.asarray(value, dtype=np.complex128) for value in (x, other))
    # z = (1 - x)/(x dt) at x = 0 is infinite: a tiny x has the same root.
    roots = []
    for value in (first, second):
        safe = np.where(np.abs(value) < 1e-15, 1e-15, value)
        roots.append(_root((1 - safe) / (safe * dt), width_ratio, data_ratio))
    return _transformed(roots[0], roots[1], (1 - first) * (1 - second), width_ratio, data_ratio, noise)


def flow_losses(width_ratio: float, data_ratio: float, noise: float, times: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return test and train loss of gradient flow (dt -> 0) for lam = 1, by inverting two Laplace transforms.

    Parameters
    ----------
    width_ratio, data_ratio, noise
        As for `generating_function`.
    times : array_like
        Positive times, as late as you like.

    Returns
    -------
    test_loss, train_loss : ndarray
        Shaped like `times`; about 10 digits of the test loss.

    Examples
    --------
    >>> test_loss, _ = flow_losses(0.6, 0.6, noise=0.0, times=[1e6, 4e6])
    >>> f"{test_loss[1] / test_loss[0]:.2f}"  # t^(1/2)
    '2.00'
    """
    check_ratios(width_ratio, data_ratio)
    when = np.asarray(times, dtype=np.float64)
    if not np.all(when > 0):
        raise ValueError("times must be positive.")
    # Weideman's cotangent contour around the negative axis.
    angle = np.pi * (2 * np.arange(NODES) + 1 - NODES) / NODES
    cotangent = 0.5017 * angle / np.tan(0.6407 * angle) - 0.6122 + 0.2645j * angle
    slope = 0.5017 / np.tan(0.6407 * angle) - 0.5017 * 0.6407 * angle / np.sin(0.6407 * angle) ** 2 + 0.2645j
    weight = np.exp(NODES * cotangent) * slope / 1j
    losses = np.empty((2, when.size))
    for place, t in enumerate(when.ravel()):
        z = NODES / t * cotangent
        root = _root(z, width_ratio, data_ratio)
        C0, C1 = _transformed(root[:, None], root, z[:, None] * z, width_ratio, data_ratio, noise)
        scaled = weight / t
        losses[:, place] = (scaled @ C0 @ scaled).real + noise**2, (scaled @ C1 @ scaled).real
    return losses[0].reshape(when.shape), losses[1].reshape(when.shape)


def late_growth(width_ratio: float, data_ratio: float, noise: float) -> tuple[float, float]:
    """Return the exponent a and the factor K of the late test loss - noise^2 ~ K t^a of gradient flow (lam = 1).

    The exponent is 1/2 at N = P < D and, with label noise, at P = D < N; 1/3 at N = P = D with label noise; zero
    elsewhere, K being the final value. At zero K the error decays (as t^(-1/2) at P = D < N or N = D < P, else
    exponentially).

    Parameters
    ----------
    width_ratio, data_ratio, noise
        As for `generating_function`.

    Examples
    --------
    >>> exponent, factor = late_growth(0.4, 0.8, noise=0.0)
    >>> f"{exponent} {factor:.3f}"
    '0.0 1.200'
    >>> late_growth(0.6, 0.6, noise=0.0)[0]
    0.5
    """
    check_ratios(width_ratio, data_ratio)
    nu, alpha, square = width_ratio, data_ratio, noise**2
    half = 2 * (2 - np.sqrt(2)) / np.sqrt(np.pi)
    smallest = min(1.0, nu, alpha)
    if nu == alpha < 1:
        return 0.5, float(half * np.sqrt((1 - nu) / nu) * (1 - nu + square))
    if nu == alpha == 1:
        from scipy.special import gamma

        third = 3 * (2 - 2 ** (1 / 3)) / float(gamma(1 / 3))
        return (1 / 3, third * square) if noise else (0.0, float(np.sqrt(3) * np.log(2) / np.pi))
    if alpha == 1 < nu:
        return (0.5, float(half * square * np.sqrt(1 - 1 / nu))) if noise else (0.0, 0.0)
    if smallest == 1:
        return 0.0, square / (alpha - 1)
    # The transform at z = z' = 0, where y = min(nu, alpha).
    Y, W = smallest**2, (1 - smallest) ** 2
    numerator = nu * alpha * W + square * Y * (nu - Y + W)
    return 0.0, numerator / ((alpha - Y) * (nu - Y) - Y * W)


def _root(z: NDArray[Any], nu: float, alpha: float) -> ComplexArray:
    """Return e = min(1, nu, alpha) - y, y the root ~ 1/z at large z of (1-y/alpha)(1-y/nu)(1-y) = z y.

    e, not y, because late times need its small values. The root is real on the positive axis, and is followed
    from there on a circle; lower half-plane by conjugation.
    """
    smallest = min(1.0, nu, alpha)
    sizes = np.array([alpha, nu, 1.0])
    gaps = sizes - smallest
    # prod_a (gap_a + e) - z nu alpha (smallest - e)
    cubic = np.array([1.0, gaps.sum(), gaps[0] * gaps[1] + gaps[0] * gaps[2] + gaps[1] * gaps[2], gaps.prod()])
    flat = np.ravel(z)
    modulus, angle = np.abs(flat), np.abs(np.angle(flat))
    found = np.empty(flat.size, dtype=np.complex128)
    for step in range(ANGLES + 1):
        here = modulus * np.exp(1j * angle * step / ANGLES) * nu * alpha
        companion = np.zeros((flat.size, 3, 3), dtype=np.complex128)
        companion[:, 1, 0] = companion[:, 2, 1] = 1.0
        companion[:, 0, 2] = smallest * here - cubic[3]
        companion[:, 1, 2] = -here - cubic[2]
        companion[:, 2, 2] = -cubic[1]
        roots = np.linalg.eigvals(companion)
        if step == 0:  # the only root between 0 and `smallest`
            distance = np.abs(roots.imag) + np.maximum(-roots.real, 0) + np.maximum(roots.real - smallest, 0)
        else:
            distance = np.abs(roots - found[:, None])
        found = roots[np.arange(flat.size), np.argmin(distance, axis=1)]
        for _ in range(2):  # Newton: small roots to full relative accuracy
            factors = gaps[:, None] + found
            value = factors.prod(axis=0) - here * (smallest - found)
            slope = factors[0] * factors[1] + factors[0] * factors[2] + factors[1] * factors[2] + here
            found = found - value / slope
    return np.where(np.angle(flat) < 0, found.conj(), found).reshape(np.shape(z))


def _transformed(
    e: ComplexArray, other: ComplexArray, scale: NDArray[Any], nu: float, alpha: float, noise: float
) -> tuple[Any, Any]:
    """Return the transforms of C0 and C1 for the roots of `_root`; scale is z z', or (1 - x)(1 - x') for sums.

    The denominator (alpha - Y)(nu - Y) - Y W is written such that nothing large cancels when both roots are small.
    """
    smallest = min(1.0, nu, alpha)
    rest = 1 - smallest
    total, product = e + other, e * other
    lost = smallest * total - product
    Y = smallest**2 - lost
    W = rest**2 + rest * total + product
    X = smallest * rest + lost
    a, b = alpha - smallest, nu - smallest
    denominator = a * b + (a + b) * X + lost * (2 * smallest * rest + lost + W) - smallest**2 * (rest * total + product)
    C0 = (nu * alpha * W + noise**2 * Y * (nu - Y + W)) / (denominator * scale)
    C1 = (a + e) * (a + other) / alpha**2 * (C0 + noise**2 / scale)
    return C0, C1
