"""Outlying singular values of a trained hidden matrix, from correlations and responses however found (eqs. 108-111)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory._hermite import FloatArray

__all__ = ["outliers"]

# An eigenvalue of a non-symmetric matrix counts as real if its imaginary part is rounding.
REAL = 1e-9


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


def _flat(matrix: ArrayLike) -> FloatArray:
    """Return a matrix over (time, input) from one, or from an array over time, time_, input, input_."""
    found = np.asarray(matrix, dtype=np.float64)
    if found.ndim == 4:
        times, _, inputs, _ = found.shape
        found = found.transpose(0, 2, 1, 3).reshape(times * inputs, times * inputs)
    return found
