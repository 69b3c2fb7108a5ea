"""Infinitely wide linear networks of any depth, whose fields stay Gaussian while they learn (eqs. 75-85)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.deep_network import Outputs, checked_gram, checked_targets, loss_of

__all__ = ["LinearNetwork", "linear"]


@dataclass(frozen=True)
class LinearNetwork(Outputs):
    """Outputs, loss and order parameters of a linear network at t = 0..steps.

    Attributes
    ----------
    C_h, C_z : ndarray, shape (L, steps + 1, steps + 1, P, P)
        Correlations of h_l and z_l, l = 1..L first; then time, time_, input, input_.
    R_h, R_z : ndarray, shape (L, steps + 1, steps + 1, P, P)
        Raw responses d h_l/d r_l and d z_l/d u_l, zero unless time > time_.
    """

    C_h: FloatArray
    C_z: FloatArray
    R_h: FloatArray
    R_z: FloatArray


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
    gram = checked_gram(inputs_gram)
    y = checked_targets(targets, len(gram))
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
        loss=loss_of(f, y),
        C_h=unfolded(C_h),
        C_z=unfolded(C_z),
        R_h=unfolded(R_h),
        R_z=unfolded(R_z),
    )


def _fill(matrix: FloatArray, now: slice, upto: slice, rows: FloatArray) -> None:
    """Write rows and, by symmetry, columns."""
    matrix[now, upto] = rows
    matrix[upto, now] = rows.T
