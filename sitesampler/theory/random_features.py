r"""Gradient descent in the random feature model (eqs. 70-74), width N = nu D, P = alpha D data, D modes.

    h1 = Psi h0/sqrt(D) + eps,   h2 = (sqrt(D)/P) Psi^T h1,   h3 = A h2/sqrt(D),   h4 = (sqrt(D)/N) A^T h3,
    h0 <- h0 - dt h4,            h0(0) = w_*,                 <Psi_{mu k}^2> = lam_k

h0 = w_* - A^T w/sqrt(N) is the error, L_test = (1/D) sum_k lam_k h0_k^2 + noise^2 and L_train = |h1|^2/P.

* `solve` marches the closed single-site equations, for any spectrum, exactly at this dt.
* `generating_function` is a second route for lam = 1, and `flow_losses` its gradient flow, dt -> 0, up to any time.
* `late_growth` is how the error ends: at N = P < D it grows as t^(1/2) (eq. 73), although every eigenvalue of the
  matrix (A^T A/N)(Psi^T Psi/P) is positive or zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray

__all__ = ["RandomFeatures", "flow_losses", "generating_function", "late_growth", "solve"]

ComplexArray = NDArray[np.complex128]

# Nodes of the contour of Laplace inversion: its error falls as exp(-1.36 nodes).
NODES = 24
# Steps of the angle in which a root is followed from the positive axis into the complex plane.
ANGLES = 48


@dataclass(frozen=True)
class RandomFeatures:
    """Order parameters at steps 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
        Times k dt.
    C0, C1, C2, C3 : ndarray, shape (L + 1, L + 1)
        (1/D) sum lam h0 h0, <h1 h1>, (1/D) sum h2 h2, <h3 h3>.
    R11, R33 : ndarray, shape (L + 1,)
        Raw responses of h1 and h3 to their own fields, by lag; 1 at lag zero.
    R02, R24 : ndarray, shape (L + 1,)
        Raw responses (1/D) sum lam dh0/du2 and (1/D) sum dh2/du4, by lag; zero at lag zero, negative at small dt.
    R00 : ndarray, shape (L + 1,)
        Response density of h0, (1/D) Tr (1 - dt M)^(lag - 1).
    test_loss, train_loss : ndarray, shape (L + 1,)
        C0[k, k] + noise^2 and C1[k, k], before update k.
    """

    time: FloatArray
    C0: FloatArray
    C1: FloatArray
    C2: FloatArray
    C3: FloatArray
    R11: FloatArray
    R33: FloatArray
    R02: FloatArray
    R24: FloatArray
    R00: FloatArray
    test_loss: FloatArray
    train_loss: FloatArray


def solve(
    width_ratio: float,
    data_ratio: float,
    noise: float,
    dt: float,
    steps: int,
    spectrum: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
    teacher: ArrayLike = 1.0,
) -> RandomFeatures:
    """Solve the closed single-site equations of the chain h0..h4 (Problem 15), exactly at this dt.

    Responses depend on the lag only, and every mode enters through one-time functions of its lam; what couples
    two times is one convolution per step, whatever the number of modes.

    Parameters
    ----------
    width_ratio, data_ratio : float
        nu = N/D and alpha = P/D.
    noise : float
        Standard deviation of the label noise.
    dt : float
        Learning rate.
    steps : int
        Number L of updates.
    spectrum : array_like, shape (modes,)
        Eigenvalues lam_k.
    weights : array_like, shape (modes,), optional
        Fraction of the D modes that has each lam_k; equal by default. For a trace-class spectrum give weights of
        one, with N and P themselves in place of the ratios: all sums over modes are then plain sums, the loss
        sum_k lam_k h_k^2 included (a deterministic equivalent, good to O(1/N, 1/P)).
    teacher : array_like, shape (modes,)
        w_*^2 of each mode.

    Raises
    ------
    ValueError
        If a ratio is not positive or the arrays do not match.

    Examples
    --------
    >>> result = solve(0.6, 0.6, noise=0.2, dt=0.05, steps=20)
    >>> f"{result.test_loss[20]:.6f} {result.train_loss[20]:.6f}"
    '0.901409 0.228039'
    >>> two = solve(0.7, 1.3, noise=0.3, dt=0.05, steps=40, spectrum=[1.5, 0.5])
    >>> f"{two.test_loss[40]:.6f} {two.train_loss[40]:.6f}"
    '0.641381 0.275914'
    """
    _check(width_ratio, data_ratio)
    lam = np.atleast_1d(np.asarray(spectrum, dtype=np.float64))
    part = np.full(lam.size, 1 / lam.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if lam.ndim != 1 or part.shape != lam.shape:
        raise ValueError(f"spectrum and weights must be equally long lists, got {lam.shape} and {part.shape}.")
    signal = np.broadcast_to(np.asarray(teacher, dtype=np.float64), lam.shape)

    R11, R33, R02, R24, Q = _responses(width_ratio, data_ratio, dt, steps, lam, part)
    start = np.cumsum(Q, axis=1)  # h0 without fields: Q applied to the constant w_*
    G = np.concatenate([np.zeros((lam.size, 1)), start[:, :-1]], axis=1)  # h0 kicked by h4: Q Theta
    lower11, lower33 = _lower(R11), _lower(R33)
    A = G @ lower11.T
    B = -dt * lam[:, None] * (A @ lower33.T)
    B[:, 0] += 1.0
    passed = G @ lower33.T

    def mean(rows: FloatArray, factor: FloatArray) -> FloatArray:
        return np.asarray((part * factor * rows.T) @ rows)

    learnt = start @ lower11.T
    drift0, drift2 = mean(start, lam * signal), mean(learnt, lam**2 * signal)
    # What a covariance of h3, h1 contributes to that of h0 and h2.
    from3, from1 = mean(G, lam) * dt**2 / width_ratio, mean(passed, lam**2) * dt**2 / data_ratio
    into3, into1 = mean(A, lam**2) * dt**2 / width_ratio, mean(B, lam) / data_ratio

    count = steps + 1
    C0, C1, C2, C3 = np.zeros((4, count, count))
    kernels = [_transform(kernel) for kernel in (from3, from1, into3, into1)]
    seen1, seen3 = np.zeros((2, count, kernels[0].shape[1]), dtype=np.complex128)
    for now in range(count):
        upto, back = slice(0, now + 1), slice(now, None, -1)
        C0[now] = drift0[now] + _row(kernels[0], seen3, now, count) + _row(kernels[1], seen1, now, count)
        C1[now] = lower11 @ (R11[back] @ (C0[upto] + noise**2))
        seen1[now] = _transform(C1[now])
        C2[now] = drift2[now] + _row(kernels[2], seen3, now, count) + _row(kernels[3], seen1, now, count)
        C3[now] = lower33 @ (R33[back] @ C2[upto])
        seen3[now] = _transform(C3[now])
    return RandomFeatures(
        time=np.asarray(dt * np.arange(count), dtype=np.float64),
        C0=C0,
        C1=C1,
        C2=C2,
        C3=C3,
        R11=R11,
        R33=R33,
        R02=R02,
        R24=R24,
        R00=np.asarray(part @ G / part.sum()),
        test_loss=np.diag(C0) + noise**2,
        train_loss=np.diag(C1).copy(),
    )


def generating_function(
    width_ratio: float, data_ratio: float, noise: float, dt: float, x: ArrayLike, other: ArrayLike
) -> tuple[ComplexArray, ComplexArray]:
    """Return sum_kl x^k x'^l C[k, l] for C0 and C1, for lam = 1 and <w_*^2> = 1.

    Parameters
    ----------
    width_ratio, data_ratio, noise, dt
        As for `solve`.
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
    _check(width_ratio, data_ratio)
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
        As for `solve`.
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
    _check(width_ratio, data_ratio)
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
        As for `solve`.

    Examples
    --------
    >>> exponent, factor = late_growth(0.4, 0.8, noise=0.0)
    >>> f"{exponent} {factor:.3f}"
    '0.0 1.200'
    >>> late_growth(0.6, 0.6, noise=0.0)[0]
    0.5
    """
    _check(width_ratio, data_ratio)
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


def _responses(
    nu: float, alpha: float, dt: float, steps: int, lam: FloatArray, part: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return R11, R33, R02, R24 by lag and Q by mode and lag; lag n of each needs only smaller lags of the others."""
    count = steps + 1
    R11, R33, R02, R24, loop = np.zeros((5, count))
    Q, G, A = np.zeros((3, lam.size, count))
    R11[0] = R33[0] = 1.0
    Q[:, 0] = 1.0
    for n in range(1, count):
        loop[n] = loop[n - 1] + R11[:n] @ R33[n - 1 :: -1]  # Theta R33 R11
        Q[:, n] = -dt * lam * (Q[:, :n] @ loop[n:0:-1])
        G[:, n] = G[:, n - 1] + Q[:, n - 1]
        A[:, n] = G[:, 1 : n + 1] @ R11[n - 1 :: -1]
        R02[n] = -dt * (part * lam) @ (G[:, 1 : n + 1] @ R33[n - 1 :: -1])
        R24[n] = -dt * (part * lam) @ A[:, n]
        R11[n] = R02[1 : n + 1] @ R11[n - 1 :: -1] / alpha
        R33[n] = R24[1 : n + 1] @ R33[n - 1 :: -1] / nu
    return R11, R33, R02, R24, Q


def _lower(by_lag: FloatArray) -> FloatArray:
    """Return the lower triangular matrix of a function of the lag."""
    times = np.arange(by_lag.size)
    lags = times[:, None] - times
    return np.asarray(np.where(lags >= 0, by_lag[np.maximum(lags, 0)], 0.0))


def _transform(rows: FloatArray) -> ComplexArray:
    """Return the Fourier transform of the last axis, padded so that convolutions do not wrap around."""
    return np.asarray(np.fft.rfft(rows, 2 * rows.shape[-1]))


def _row(kernel: ComplexArray, seen: ComplexArray, now: int, count: int) -> FloatArray:
    """Return row `now` of the causal convolution, in both times, of a kernel with a covariance.

    Rows of `seen` that are not known yet are zero, and so is the kernel row that they would meet.
    """
    product = np.einsum("if,if->f", kernel[: now + 1], seen[now::-1] if now else seen[:1])
    return np.asarray(np.fft.irfft(product, 2 * count)[:count])


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


def _check(width_ratio: float, data_ratio: float) -> None:
    if not (width_ratio > 0 and data_ratio > 0):
        raise ValueError(f"the ratios N/D and P/D must be positive, got {width_ratio} and {data_ratio}.")
