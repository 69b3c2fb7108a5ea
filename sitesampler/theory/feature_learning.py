r"""Infinitely wide networks that learn features, where their equations close (eqs. 75-86, 108-111).

    h1 = W0 x/sqrt(D),   h_{l+1} = W_l phi(h_l)/sqrt(N),   f = w.phi(h_L)/(gamma N),   g_l = phi'(h_l) z_l,
    z_l = W_l^T g_{l+1}/sqrt(N),   z_L = w,                loss = 1/2 sum (f - y)^2,   Delta = y - f

Every layer is trained with step rate gamma^2 N from N(0, 1) weights; t = 0 is initialisation, and f has its initial
value subtracted. Only the inputs' Gram matrix K = X X^T/D matters. The process of a site closes

* in the lazy limit gamma -> 0: `lazy`, the recursion of the initial tangent kernel (eq. 86);
* for linear networks, whose fields stay Gaussian, at any depth: `linear`;
* for one hidden layer, where a site is a function of its initial (h, w): `one_hidden_layer`, by quadrature.

`outliers` turns correlations and responses, however they were found, into the outlying singular values of a trained
hidden matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..nonlinearities import Activation, nonlinearity
from ._hermite import FloatArray
from .gaussian import product_average

__all__ = [
    "InitialKernels",
    "Lazy",
    "LinearNetwork",
    "OneHiddenLayer",
    "initial_kernels",
    "lazy",
    "linear",
    "one_hidden_layer",
    "outliers",
]

# Sites of the quadrature of `one_hidden_layer` lie within this many standard deviations.
RANGE = 7.0
LARGEST_GRID = 4_000_000
# Directions of the inputs with less than this part of the largest variance do not count.
RANK = 1e-12
# An eigenvalue of a non-symmetric matrix counts as real if its imaginary part is rounding.
REAL = 1e-9


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
class Lazy:
    """Outputs of the lazy limit at t = 0..steps.

    Attributes
    ----------
    f : ndarray, shape (steps + 1, P)
        Outputs.
    loss : ndarray, shape (steps + 1,)
        1/2 sum over inputs of (f - y)^2.
    """

    f: FloatArray
    loss: FloatArray


@dataclass(frozen=True)
class LinearNetwork:
    """Order parameters of a linear network at t = 0..steps.

    Attributes
    ----------
    f : ndarray, shape (steps + 1, P)
        Outputs.
    loss : ndarray, shape (steps + 1,)
        1/2 sum over inputs of (f - y)^2.
    C_h, C_z : ndarray, shape (L, steps + 1, steps + 1, P, P)
        Correlations of h_l and z_l, l = 1..L first; then time, time_, input, input_.
    R_h, R_z : ndarray, shape (L, steps + 1, steps + 1, P, P)
        Raw responses d h_l/d r_l and d z_l/d u_l, zero unless time > time_.
    """

    f: FloatArray
    loss: FloatArray
    C_h: FloatArray
    C_z: FloatArray
    R_h: FloatArray
    R_z: FloatArray


@dataclass(frozen=True)
class OneHiddenLayer:
    """Order parameters of a network with one hidden layer at t = 0..steps.

    Attributes
    ----------
    f : ndarray, shape (steps + 1, P)
        Outputs.
    loss : ndarray, shape (steps + 1,)
        1/2 sum over inputs of (f - y)^2.
    C_phi, C_g : ndarray, shape (steps + 1, steps + 1, P, P)
        Correlations of phi(h) and g; time, time_, input, input_.
    excess_kurtosis : ndarray, shape (steps + 1, P)
        <h^4>/<h^2>^2 - 3, zero for Gaussian preactivations.
    """

    f: FloatArray
    loss: FloatArray
    C_phi: FloatArray
    C_g: FloatArray
    excess_kurtosis: FloatArray


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
    gram = _checked_gram(inputs_gram)
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
    y = _checked_targets(targets, len(kernel))
    f = np.zeros((steps + 1, len(y)))
    for t in range(steps):
        f[t + 1] = f[t] + rate * (kernel @ (y - f[t]))
    return Lazy(f=f, loss=_loss(f, y))


def linear(
    inputs_gram: ArrayLike, targets: ArrayLike, depth: int, gamma: float, rate: float, steps: int
) -> LinearNetwork:
    """Solve the closed equations of a linear network, which are causal in the pair (time, input).

    With K_l = c Delta C_h[l-1] + R_h[l-1] and H_l = c Delta C_z[l+1] + R_z[l+1], both for earlier times only and
    c = rate gamma,

        h_l = u_l + K_l z_l,     z_l = r_l + H_l h_l.

    Parameters
    ----------
    inputs_gram : array_like, shape (P, P)
        X X^T/D.
    targets : array_like, shape (P,)
        y.
    depth : int
        Number L of hidden layers.
    gamma : float
        Feature learning strength.
    rate : float
        eta_0.
    steps : int
        Number of updates.

    Examples
    --------
    >>> result = linear([[1, 0.3], [0.3, 1]], [1, -0.5], depth=2, gamma=1.5, rate=0.1, steps=4)
    >>> print(result.f[4].round(6), f"{result.loss[4]:.6f}")
    [ 0.818974 -0.316956] 0.033138
    """
    gram = _checked_gram(inputs_gram)
    y = _checked_targets(targets, len(gram))
    if depth < 1:
        raise ValueError(f"depth, the number of hidden layers, must be at least 1, got {depth}.")
    P, count = len(y), steps + 1
    size = P * count
    c = rate * gamma
    # Index l of these: layers 0..L + 1 of the text.  a = (t, mu) is the flat index.
    C_h, C_z, R_h, R_z = np.zeros((4, depth + 2, size, size))
    C_h[0], C_z[depth + 1] = np.tile(gram, (count, count)), 1.0
    K, H, A, B = np.zeros((4, depth + 2, size, size))
    covariance_h, covariance_z = np.zeros((2, depth + 2, size, size))  # of h_l without H, of z_l without K
    f = np.zeros((count, P))
    delta = np.zeros(size)
    unit = np.eye(size)
    for t in range(count):
        now, before, upto = slice(P * t, P * (t + 1)), slice(0, P * t), slice(0, P * (t + 1))
        for layer in range(1, depth + 1):
            K[layer][now, before] = c * delta[before] * C_h[layer - 1][now, before] + R_h[layer - 1][now, before]
            loop = K[layer][now, before] @ H[layer][before, before]
            A[layer][now, upto] = unit[now, upto]
            A[layer][now, before] += loop @ A[layer][before, before]
            R_h[layer][now, upto] = A[layer][now, upto] @ K[layer][upto, upto]
            driven = K[layer][now, before] @ C_z[layer + 1][before, before] @ K[layer][upto, before].T
            _fill(covariance_h[layer], now, upto, C_h[layer - 1][now, upto] + driven)
            row = A[layer][now, upto] @ covariance_h[layer][upto, upto] @ A[layer][upto, upto].T
            _fill(C_h[layer], now, upto, row)
        drive = R_h[depth][now, before] / gamma + rate * C_h[depth][now, before] * delta[before]
        f[t] = drive.sum(axis=1)
        delta[now] = y - f[t]
        for layer in range(depth, 0, -1):
            H[layer][now, before] = c * delta[before] * C_z[layer + 1][now, before] + R_z[layer + 1][now, before]
            loop = H[layer][now, before] @ K[layer][before, before]
            B[layer][now, upto] = unit[now, upto]
            B[layer][now, before] += loop @ B[layer][before, before]
            R_z[layer][now, upto] = B[layer][now, upto] @ H[layer][upto, upto]
            driven = H[layer][now, before] @ C_h[layer - 1][before, before] @ H[layer][upto, before].T
            _fill(covariance_z[layer], now, upto, C_z[layer + 1][now, upto] + driven)
            row = B[layer][now, upto] @ covariance_z[layer][upto, upto] @ B[layer][upto, upto].T
            _fill(C_z[layer], now, upto, row)

    def unfolded(flat: FloatArray) -> FloatArray:
        return np.asarray(flat[1 : depth + 1].reshape(depth, count, P, count, P).transpose(0, 1, 3, 2, 4))

    return LinearNetwork(
        f=f,
        loss=_loss(f, y),
        C_h=unfolded(C_h),
        C_z=unfolded(C_z),
        R_h=unfolded(R_h),
        R_z=unfolded(R_z),
    )


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
    gram = _checked_gram(inputs_gram)
    y = _checked_targets(targets, len(gram))
    function = nonlinearity(phi)
    slope = _derivative(phi)
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
        loss=_loss(f, y),
        C_phi=correlation(features),
        C_g=correlation(signals),
        excess_kurtosis=kurtosis,
    )


def outliers(
    C_phi: ArrayLike, R_phi: ArrayLike, C_g: ArrayLike, R_g: ArrayLike, d: ArrayLike, alpha: float = 1.0
) -> FloatArray:
    r"""Return the outliers of M = W^T W/N_0 of a hidden matrix after all updates a (eqs. 108-111, any aspect ratio).

    Every real eigenvalue lambda > sqrt(alpha) of a product of two 2S x 2S matrices, S updates, gives
    z = (1 + lambda)(lambda + alpha)/lambda, above the edge (1 + sqrt(alpha))^2 of the bulk.

    Parameters
    ----------
    C_phi, R_phi : array_like, shape (S, S) or (T, T, P, P)
        Correlation and response of phi(h) in the layer below, a = (t, mu), for t = 0..T-1; four axes are time,
        time_, input, input_.
    C_g, R_g : array_like, shape (S, S) or (T, T, P, P)
        Those of g in the layer above; the response includes its equal-time part.
    d : array_like, shape (S,) or (T, P)
        rate gamma Delta_a.
    alpha : float
        Rows over columns, N_1/N_0.

    Returns
    -------
    ndarray
        Squared singular values of W/sqrt(N_0), in decreasing order.

    Examples
    --------
    >>> z = outliers([[1.0]], [[0.0]], [[1.0]], [[0.0]], [2.0])  # one independent spike: lambda = d^2 C_phi C_g
    >>> print(z)
    [6.25]
    """
    C, R = _flat(C_phi), _flat(R_phi)
    C_up, R_up = _flat(C_g), _flat(R_g)
    strength = np.asarray(d, dtype=np.float64).ravel()
    if not C.shape == R.shape == C_up.shape == R_up.shape == (strength.size, strength.size):
        raise ValueError("C_phi, R_phi, C_g and R_g must have one row and one column for each element of d.")
    if not alpha > 0:
        raise ValueError(f"alpha = N_1/N_0 must be positive, got {alpha}.")
    below = np.block([[R + C * strength, C], [R.T * strength, R.T]])
    above = alpha * np.block([[R_up + C_up * strength, C_up], [R_up.T * strength, R_up.T]])
    values = np.linalg.eigvals(above @ below)
    real = values.real[np.abs(values.imag) <= REAL * np.abs(values)]
    lam = np.sort(real[real > np.sqrt(alpha)])[::-1]
    # Above sqrt(alpha) z increases with lambda.
    return np.asarray((1 + lam) * (lam + alpha) / lam)


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
    return product_average(_derivative(phi), variance[:, None], variance, covariance)


def _derivative(phi: str | Activation) -> Activation:
    function = nonlinearity(phi)
    derivative: Activation | None = getattr(function, "derivative", None)
    if derivative is None:
        raise TypeError("phi needs its derivative: give a name or a sitesampler.nonlinearities.Nonlinearity.")
    return derivative


def _fill(matrix: FloatArray, now: slice, upto: slice, rows: FloatArray) -> None:
    """Write rows and, by symmetry, columns."""
    matrix[now, upto] = rows
    matrix[upto, now] = rows.T


def _flat(matrix: ArrayLike) -> FloatArray:
    """Return a matrix over (time, input) from one, or from an array over time, time_, input, input_."""
    found = np.asarray(matrix, dtype=np.float64)
    if found.ndim == 4:
        times, _, inputs, _ = found.shape
        found = found.transpose(0, 2, 1, 3).reshape(times * inputs, times * inputs)
    return found


def _loss(f: FloatArray, targets: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.sum((f - targets) ** 2, axis=1))


def _checked_gram(inputs_gram: ArrayLike) -> FloatArray:
    gram = np.atleast_2d(np.asarray(inputs_gram, dtype=np.float64))
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not np.allclose(gram, gram.T, rtol=1e-10, atol=0):
        raise ValueError(f"inputs_gram = X X^T/D must be a symmetric matrix, got shape {gram.shape}.")
    return gram


def _checked_targets(targets: ArrayLike, inputs: int) -> FloatArray:
    y = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if y.shape != (inputs,):
        raise ValueError(f"targets must have one value for each of the {inputs} inputs, got shape {y.shape}.")
    return y
