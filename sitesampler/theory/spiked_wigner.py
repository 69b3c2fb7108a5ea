r"""Spiked Wigner matrix M_0 + (gamma/N) sum_a v_a v_a^T, spikes v_a independent of the GOE matrix M_0 (eqs. 87-94).

Everything follows from the overlaps Sigma_ab = <v_a v_b> of the spikes. An eigenvalue lambda of Sigma is seen in
the spectrum of the sum M if |gamma lambda| > 1, the transition of Baik, Ben Arous and Peche: with g = gamma lambda
it puts an outlier at z = g + 1/g, above the bulk [-2, 2] for gamma > 0 and below it for gamma < 0.

The flow h <- h + dt M h of a probe shows the same numbers in time (eqs. 88-91): its overlaps with the spikes grow as
(1 + dt z)^k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory import goe_flow
from sitesampler.theory._hermite import FloatArray

__all__ = ["outliers", "overlaps_in_time", "probe_correlation", "spike_overlap"]

# Asymmetry, and eigenvalues below zero, that rounding may leave in a matrix of overlaps.
ROUNDING = 1e-10


def outliers(overlaps: ArrayLike, strength: float) -> FloatArray:
    """Return the outliers z = g + 1/g of M, g = gamma lambda_a(Sigma), for every abs(g) > 1 (eqs. 93, 94).

    Parameters
    ----------
    overlaps : array_like, shape (S, S)
        Sigma_ab = <v_a v_b>; a number stands for a single spike.
    strength : float
        gamma, of either sign.

    Returns
    -------
    ndarray
        Outliers by decreasing modulus, at most S.

    Raises
    ------
    ValueError
        If `overlaps` is not symmetric and positive semi-definite.

    Examples
    --------
    >>> print(outliers([[1, 0.3], [0.3, 1.5]], strength=1.8).round(6))
    [3.29157  2.193458]
    >>> print(outliers(1.0, strength=-1.6).round(6))
    [-2.225]
    """
    g, _ = _visible(_checked(overlaps), strength)
    return np.asarray(g + 1 / g)


def spike_overlap(overlaps: ArrayLike, strength: float) -> FloatArray:
    r"""Return the squared cosines between the outlier eigenvectors and the spikes.

    With e the unit eigenvector of Sigma for lambda = g/gamma, the eigenvector u (normalised to <u^2> = 1) has
    <u v_a>^2 = lambda (1 - 1/g^2) e_a^2: the eigenvalue equation gives <u v> along e, and the norm
    gamma^2 <u v>^T Sigma <u v> int rho(x)/(z - x)^2 = 1 its length. For one spike the cosine squared is
    1 - 1/g^2.

    Parameters
    ----------
    overlaps, strength
        As for `outliers`.

    Returns
    -------
    ndarray, shape (outliers, S)
        <u v_a>^2/<v_a^2>, in the order of `outliers`. If two outliers coincide only the sum of their rows means
        something.

    Examples
    --------
    >>> print(spike_overlap(1.0, strength=1.6).round(6))
    [[0.609375]]
    """
    sigma = _checked(overlaps)
    g, directions = _visible(sigma, strength)
    norms = np.diag(sigma)
    squared = (g / strength * (1 - 1 / g**2))[:, None] * directions**2
    return np.asarray(np.divide(squared, norms, out=np.zeros_like(squared), where=norms > 0))


def overlaps_in_time(overlaps: ArrayLike, strength: float, start: ArrayLike, dt: float, steps: int) -> FloatArray:
    """Return C_a(k) = <h_k v_a> of the flow h_{k+1} = h_k + dt M h_k (eq. 90), exactly at this dt.

    C(k+1) = C(k) + dt [dt sum_{l<k} R[k, l] C(l) + gamma Sigma C(k)], R the response of the flow without spikes.

    Parameters
    ----------
    overlaps, strength
        As for `outliers`.
    start : array_like, shape (S,)
        C_a(0), the overlaps of h_0; h_0 must be independent of M_0.
    dt : float
        Time step.
    steps : int
        Last step number L.

    Returns
    -------
    ndarray, shape (steps + 1, S)

    Examples
    --------
    >>> print(overlaps_in_time(1.0, 1.6, 1.0, dt=0.1, steps=2).ravel())
    [1.     1.16   1.3556]
    """
    sigma = _checked(overlaps)
    none = np.zeros_like(sigma)
    found, _ = march_probe(sigma, none, strength, np.atleast_1d(start), dt, steps)
    return found


def probe_correlation(
    overlaps: ArrayLike, strength: float, start: ArrayLike, dt: float, steps: int, square: float = 1.0
) -> FloatArray:
    """Return <h_k h_l> of the flow h_{k+1} = h_k + dt M h_k, exactly at this dt.

    Parameters
    ----------
    overlaps, strength, start, dt, steps
        As for `overlaps_in_time`.
    square : float
        <h_0^2>.

    Returns
    -------
    ndarray, shape (steps + 1, steps + 1)

    Examples
    --------
    >>> f"{probe_correlation(1.0, 1.6, 1.0, dt=0.1, steps=1)[1, 1]:.4f}"  # (1 + 0.16)^2 + 0.1^2
    '1.3556'
    """
    sigma = _checked(overlaps)
    none = np.zeros_like(sigma)
    overlap, response = march_probe(sigma, none, strength, np.atleast_1d(start), dt, steps)
    return march_correlation(overlap, response, strength, dt, square)


def march_probe(
    sigma: FloatArray, responses: FloatArray, strength: float, start: FloatArray, dt: float, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Return C_n(k) = <h_k v_n> and R_n(k) = <d h_k/d chi_n> of a probe of M_0 + (gamma/N) sum_n v_n v_n^T.

    `responses` is R_nm = <d v_n/d chi_m> of spikes that M_0 itself has made (eqs. 104-106, in discrete time), zero
    for independent spikes.
    """
    by_lag = goe_flow.response(dt, steps)[:, 0]  # sign of M_0 does not matter: the semicircle is even
    C = np.zeros((steps + 1, len(sigma)))
    R = np.zeros((steps + 1, len(sigma)))
    C[0] = start
    for k in range(steps):
        memory = dt * by_lag[k:0:-1]
        weight = R[k] + strength * C[k]  # of v_n in h
        C[k + 1] = C[k] + dt * (responses @ C[k] + memory @ C[:k] + sigma @ weight)
        R[k + 1] = R[k] + dt * (memory @ R[:k] + weight @ responses)
    return C, R


def march_correlation(C: FloatArray, R: FloatArray, strength: float, dt: float, square: float) -> FloatArray:
    """Return <h_k h_l> for the C_n(k) and R_n(k) of `march_probe`."""
    steps = len(C) - 1
    by_lag = goe_flow.response(dt, steps)[:, 0]
    found = np.zeros((steps + 1, steps + 1))
    found[0, 0] = square
    for k in range(steps):
        upto = slice(0, k + 1)
        # <h_k xi_l>, l = 0..k + 1 but for l = k + 1 unknown and unused.
        noise = np.array([dt * by_lag[lag:0:-1] @ found[k, :lag] for lag in range(k + 1)]) + R[upto] @ C[k]
        memory = dt * by_lag[k:0:-1] @ found[:k, upto]
        spikes = C[upto] @ (R[k] + strength * C[k])
        row = found[k, upto] + dt * (noise + memory + spikes)
        found[k + 1, upto] = found[upto, k + 1] = row
        # l = k + 1: the same formula once more, with <h_k h_{k+1}> known.
        noise_now = dt * by_lag[k + 1 : 0 : -1] @ found[k, upto] + R[k + 1] @ C[k]
        memory_now = dt * by_lag[k:0:-1] @ found[:k, k + 1]
        found[k + 1, k + 1] = found[k, k + 1] + dt * (noise_now + memory_now + C[k + 1] @ (R[k] + strength * C[k]))
    return found


def _visible(sigma: FloatArray, strength: float) -> tuple[FloatArray, FloatArray]:
    """Return g = gamma lambda with |g| > 1 by decreasing modulus, and the unit eigenvectors of Sigma as rows."""
    eigenvalues, vectors = np.linalg.eigh(sigma)
    g = strength * eigenvalues
    order = np.argsort(-np.abs(g), kind="stable")
    order = order[np.abs(g[order]) > 1]
    return np.asarray(g[order]), np.asarray(vectors.T[order])


def _checked(overlaps: ArrayLike) -> FloatArray:
    sigma = np.atleast_2d(np.asarray(overlaps, dtype=np.float64))
    size = float(np.max(np.abs(sigma), initial=0.0))
    if sigma.ndim != 2 or sigma.shape[0] != sigma.shape[1] or np.any(np.abs(sigma - sigma.T) > ROUNDING * size):
        raise ValueError(f"overlaps must form a symmetric matrix, got shape {sigma.shape}.")
    if np.linalg.eigvalsh(sigma)[0] < -ROUNDING * size:
        raise ValueError("overlaps must be positive semi-definite.")
    return sigma
