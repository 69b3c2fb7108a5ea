r"""Spikes that the matrix makes itself: M_{n+1} = M_n + (gamma/N) v_n v_n^T, v_{n+1} = v_n - eta M_n v_n (eqs. 98-107).

M_0 is GOE and v_0 ~ N(0, 1) is independent of it; the later spikes are not. Level 1 (`level_one`) describes the
spikes on a single site: their overlaps Sigma_nm = <v_n v_m> and their responses R_nm = <d v_n/d chi_m> to the noise
chi_m of M_0 v_m. Level 2 (`probe`) is the flow of a probe under the final matrix M_S; its poles are the outliers:
z = g + 1/g for each real eigenvalue g, |g| > 1, of

    [[ R + gamma Sigma,  Sigma ],  [ gamma R^T,  R^T ]].

Forgetting that M_0 made the spikes, `naive_outliers`, sets R = 0 here and is wrong by some ten percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.theory import spiked_wigner
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._linear_flow import poisson, steps_until
from sitesampler.theory._times import times_of

__all__ = ["Probe", "Spikes", "level_one", "naive_outliers", "outliers", "probe", "spike_overlap"]

# An eigenvalue of the non-symmetric matrix counts as real if its imaginary part is rounding.
REAL = 1e-9
# Of the map that the flow of the probe averages over: 1 + dt M has no negative eigenvalue in the bulk.
MAP_STEP = 0.5


@dataclass(frozen=True)
class Spikes:
    """Order parameters of v_0..v_{S-1}, both of shape (S, S).

    Attributes
    ----------
    overlaps : ndarray
        Sigma_nm = <v_n v_m>.
    responses : ndarray
        R_nm = <d v_n/d chi_m>, raw, strictly lower triangular; the factor -eta is inside.
    """

    overlaps: FloatArray
    responses: FloatArray


@dataclass(frozen=True)
class Probe:
    """Order parameters of the probe h_{k+1} = h_k + dt M_S h_k at steps k = 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
        Times k dt.
    overlaps : ndarray, shape (L + 1, S)
        C_n(k) = <h_k v_n>.
    responses : ndarray, shape (L + 1, S)
        <d h_k/d chi_n>, raw and total through all spikes.
    correlation : ndarray, shape (L + 1, L + 1)
        <h_k h_l>.
    """

    time: FloatArray
    overlaps: FloatArray
    responses: FloatArray
    correlation: FloatArray


def level_one(rate: float, strength: float, spikes: int, square: float = 1.0) -> Spikes:
    """Solve the single-site process of the spikes (eq. 103), which closes.

    Parameters
    ----------
    rate : float
        eta.
    strength : float
        gamma.
    spikes : int
        Number S of spikes.
    square : float
        <v_0^2>.

    Raises
    ------
    ValueError
        If there is no spike.

    Examples
    --------
    >>> found = level_one(rate=0.25, strength=1.6, spikes=3)
    >>> print(found.overlaps)
    [[1.        1.        0.6625   ]
     [1.        1.0625    0.7875   ]
     [0.6625    0.7875    0.6928125]]
    """
    if spikes < 1:
        raise ValueError(f"at least one spike is needed, got {spikes}.")
    overlaps = np.zeros((spikes, spikes))
    responses = np.zeros((spikes, spikes))
    overlaps[0, 0] = square
    for n in range(spikes - 1):
        memory = responses[n, :n] + strength * overlaps[n, :n]
        responses[n + 1] = responses[n] - rate * (memory @ responses[:n])
        responses[n + 1, n] -= rate
        for j in range(n + 2):  # <v_{n+1} v_j>; the last one needs the others
            noise = responses[j, :j] @ overlaps[:j, n]  # <chi_n v_j>
            value = overlaps[n, j] - rate * (noise + memory @ overlaps[:n, j])
            overlaps[n + 1, j] = overlaps[j, n + 1] = value
    return Spikes(overlaps=overlaps, responses=responses)


def naive_outliers(rate: float, strength: float, spikes: int) -> FloatArray:
    """Return the outliers of M_S as if the spikes were independent of M_0 (eq. 102), by decreasing modulus.

    Examples
    --------
    >>> print(naive_outliers(rate=0.25, strength=1.6, spikes=3).round(6))
    [4.382757]
    """
    return spiked_wigner.outliers(level_one(rate, strength, spikes).overlaps, strength)


def outliers(rate: float, strength: float, spikes: int) -> FloatArray:
    """Return the outliers of M_S (eq. 107), by decreasing modulus.

    Parameters
    ----------
    rate, strength, spikes
        As for `level_one`.

    Examples
    --------
    >>> print(outliers(rate=0.25, strength=1.6, spikes=3).round(6))
    [3.905879]
    """
    g, _, _ = _visible(level_one(rate, strength, spikes), strength)
    return np.asarray(g + 1 / g)


def spike_overlap(rate: float, strength: float, spikes: int) -> FloatArray:
    r"""Return the squared cosines between the outlier eigenvectors of M_S and the spikes.

    A probe that starts as v_n has C_n(z) = <u v_n>^2/(z - z_a) + ... near the outlier z_a: the residue of
    eqs. 105, 106, with dz/dg = 1 - 1/g^2.

    Parameters
    ----------
    rate, strength, spikes
        As for `level_one`.

    Returns
    -------
    ndarray, shape (outliers, spikes)
        <u v_n>^2/<v_n^2>, in the order of `outliers`.

    Examples
    --------
    >>> f"{spike_overlap(rate=0.25, strength=1.6, spikes=3)[0, 0]:.6f}"
    '0.998531'
    """
    found = level_one(rate, strength, spikes)
    g, right, left = _visible(found, strength)
    # A probe v_n is not independent of M_0: its own responses R_nm are the initial <dh/dchi_m>.
    start = np.concatenate([found.overlaps, found.responses], axis=1)
    squared = (1 - 1 / g**2)[:, None] * right[:, :spikes] * (left @ start.T)
    return np.asarray(squared / np.diag(found.overlaps))


def probe(
    rate: float,
    strength: float,
    spikes: int,
    dt: float | None = None,
    steps: int | None = None,
    start: ArrayLike | None = None,
    square: float = 1.0,
    *,
    times: ArrayLike | None = None,
) -> Probe:
    """Solve the probe's process (eq. 104) under M_S, exactly at this dt or in the limit dt -> 0.

    The limit is a Poisson average over the steps of a map, exact for linear dynamics: no error but rounding, 1e-12 of
    the largest value.

    Parameters
    ----------
    rate, strength, spikes
        As for `level_one`.
    dt : float, optional
        Time step of the probe; none for the limit dt -> 0.
    steps : int, optional
        Number of steps, with dt.
    start : array_like, shape (S,), optional
        Overlaps <h_0 v_n>; h_0 must be independent of M_0. By default h_0 = v_0.
    square : float
        <h_0^2>.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.

    Examples
    --------
    >>> found = probe(rate=0.25, strength=1.6, spikes=3, dt=0.1, steps=10)
    >>> print(found.overlaps[1].round(6), f"{found.correlation[10, 10]:.4f}")
    [1.390225 1.388475 0.917938] 730.0392
    """
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        growth = np.max(np.abs(outliers(rate, strength, spikes)), initial=2.0)
        at_step = probe(rate, strength, spikes, MAP_STEP, steps_until(asked, MAP_STEP, float(growth)), start, square)
        weights = poisson(asked, MAP_STEP, at_step.time.size - 1)
        correlation = weights @ at_step.correlation @ weights.T
        return Probe(asked, weights @ at_step.overlaps, weights @ at_step.responses, correlation)
    found = level_one(rate, strength, spikes)
    initial = found.overlaps[0] if start is None else np.asarray(start, dtype=np.float64)
    C, R = spiked_wigner.march_probe(found.overlaps, found.responses, strength, initial, dt, steps)
    return Probe(
        time=asked,
        overlaps=C,
        responses=R,
        correlation=spiked_wigner.march_correlation(C, R, strength, dt, square),
    )


def _visible(found: Spikes, strength: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the real eigenvalues g, |g| > 1, by decreasing modulus; right and left eigenvectors as rows.

    Left eigenvectors are scaled to unit product with the right ones.
    """
    sigma, R = found.overlaps, found.responses
    matrix = np.block([[R + strength * sigma, sigma], [strength * R.T, R.T]])
    values, right = np.linalg.eig(matrix)
    left = np.linalg.pinv(right)
    outside = (np.abs(values.imag) <= REAL * np.abs(values)) & (np.abs(values) > 1)
    order = np.flatnonzero(outside)
    order = order[np.argsort(-np.abs(values[order].real), kind="stable")]
    return values[order].real, right.T[order].real, left[order].real
