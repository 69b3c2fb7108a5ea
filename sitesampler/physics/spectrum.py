r"""Spectra of random matrices: bulk edges, and the outliers beyond them.

What a program has multiplied a Gaussian matrix with, and added to it, is a matrix of low rank; the rest of the matrix
is fresh, between the complements of what was multiplied.  So, after conditioning, every spike is an exogenous one, and
one routine for square matrices and one for rectangular ones give the outliers after any mixture of products and
updates: eqs. (92), (107) and (111) of the tutorial are special cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.optimize import brentq
from scipy.sparse.linalg import ArpackNoConvergence, eigs, eigsh

Array = NDArray[Any]

#: A vector adds a direction when it leaves the span of the others by more than this part of its norm.
_SPAN = 1e-7
#: Beyond the bulk means beyond it by more than this, relatively; at N = infinity this only guards against rounding.
_BEYOND = 1e-6


@dataclass(frozen=True)
class Outliers:
    """Eigenvalues or singular values beyond the bulk, by decreasing modulus.

    Attributes
    ----------
    values : (outlier,) array
        Real for symmetric matrices and singular values, complex otherwise.
    overlaps : (outlier, vector) array
        Squared overlaps (u.v)^2 / (|u|^2 |v|^2) of their vectors u with the site vectors v that were given.
    """

    values: Array
    overlaps: Array
    #: What a record of the values is labelled with.
    dims = ("outlier",)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Return the values, so that NumPy takes the object for them."""
        return np.asarray(self.values, dtype)


@dataclass(frozen=True)
class LowRank:
    """The sum of weight_i left_i right_i^T over unit vectors of sites: (n, sites) rows on each side."""

    left: Array
    right: Array
    weights: Array


def bulk_radius(gain: float, symmetry: float) -> tuple[float, float]:
    """Return the half axes of the ellipse that holds the bulk eigenvalues, along the real and the imaginary axis.

    Examples
    --------
    >>> bulk_radius(1.0, 1.0)
    (2.0, 0.0)
    """
    return gain * (1 + symmetry), gain * (1 - symmetry)


def bulk_edges(gain: float, rows: float, cols: float) -> tuple[float, float]:
    """Return the smallest and the largest singular value of the bulk, for groups of relative sizes rows and cols.

    Examples
    --------
    >>> bulk_edges(1.0, 1.0, 4.0)
    (1.0, 3.0)
    """
    a, b = float(np.sqrt(rows)), float(np.sqrt(cols))
    return gain * abs(a - b), gain * (a + b)


def basis_of(first: Array, others: Array) -> Array:
    """Extend orthonormal rows by the span of others; rows are vectors of sites, of average square 1."""
    sites = first.shape[1]
    norms = np.sqrt(np.mean(others * others, 1))
    rest = others[norms > 0] / norms[norms > 0, None]
    for _ in range(2):
        rest = rest - (rest @ first.T / sites) @ first
    if len(rest) == 0:
        return first
    orthogonal, triangle, _ = qr(rest.T, mode="economic", pivoting=True, check_finite=False)
    rank = int(np.sum(np.abs(np.diag(triangle)) > _SPAN * np.sqrt(sites)))
    return np.concatenate([first, np.sqrt(sites) * orthogonal[:, :rank].T])


def _inside(basis: Array, parts: list[LowRank], cobasis: Array | None = None) -> Array:
    """Matrix of a sum of low-rank parts between two bases."""
    cobasis = basis if cobasis is None else cobasis
    total = np.zeros((len(basis), len(cobasis)))
    for part in parts:
        left, right = basis @ part.left.T / basis.shape[1], cobasis @ part.right.T / cobasis.shape[1]
        total += (left * part.weights) @ right.T
    return total


def square_outliers(known: Array, parts: list[LowRank], gain: float, symmetry: float, vectors: Array) -> Outliers:
    r"""Outlier eigenvalues of a square matrix: low-rank parts plus a fresh matrix off the known directions.

    With H the low-rank parts and P the projector on the known directions, inside the span of all vectors involved,
    every root of :math:`\lambda^2 - \lambda H + s g^2 P` with :math:`|\lambda| > g` is an outlier
    :math:`z = \lambda + s g^2/\lambda`.

    Parameters
    ----------
    known : (n, sites) array
        Orthonormal vectors that the matrix was multiplied with.
    parts : list of LowRank
        What is known of the matrix, updates included.
    gain : float
        The fresh entries have variance gain^2 over the number of sites.
    symmetry : float
        Correlation of the entries ij and ji.
    vectors : (k, sites) array
        Vectors whose overlaps with the outliers' (right) eigenvectors are wanted.

    Returns
    -------
    Outliers
    """
    sides = [side for part in parts for side in (part.left, part.right)]
    basis = basis_of(known, np.concatenate([np.empty((0, known.shape[1])), *sides]))
    n = len(basis)
    H = _inside(basis, parts)
    is_known = np.arange(n) < len(known)
    P = np.diag(is_known * 1.0)
    companion = np.block([[H, -symmetry * gain**2 * P], [np.eye(n), np.zeros((n, n))]])
    roots, columns = np.linalg.eig(companion)
    beyond = np.abs(roots) > gain * (1 + _BEYOND)
    hermitian = _is_normal(H, symmetry)
    if hermitian:  # a real or imaginary spectrum: other roots are pairs that rounding or noise has split
        beyond &= np.abs(roots.imag if symmetry > 0 else roots.real) < 1e-6 * np.abs(roots)
    roots, columns = roots[beyond], columns[n:, beyond]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = roots + symmetry * gain**2 / roots
    overlaps = np.zeros((len(roots), len(vectors)))
    inside = basis @ vectors.T / basis.shape[1]
    for i, (root, value) in enumerate(zip(roots, values, strict=True)):
        image = H @ columns[:, i]
        vector = np.where(is_known, image / value, image / root)
        # The part of the eigenvector outside the span of all vectors involved counts in its norm.
        squares = np.abs(image) ** 2
        norm = squares[is_known].sum() / np.abs(value) ** 2
        norm += squares[~is_known].sum() / (np.abs(root) ** 2 - gain**2)
        overlaps[i] = np.abs(vector @ inside) ** 2 / norm / np.mean(vectors * vectors, 1)
    return _sorted(values.real if hermitian and symmetry > 0 else values, overlaps)


def _is_normal(matrix: Array, symmetry: float) -> bool:
    """Say whether a matrix is symmetric or antisymmetric, as its random part is, with all its updates."""
    size = np.max(np.abs(matrix), initial=0.0)
    return abs(symmetry) == 1 and bool(np.all(np.abs(matrix - symmetry * matrix.T) <= 1e-8 * size))


def rectangular_outliers(
    known_rows: Array,
    known_cols: Array,
    parts: list[LowRank],
    gain: float,
    ratios: tuple[float, float],
    left: Array,
    right: Array,
) -> Outliers:
    r"""Outlier singular values of a rectangular matrix: low-rank parts plus a fresh matrix off the known directions.

    The Hermitian dilation of the low-rank parts, with the self-energies :math:`g^2 b\, G_c(w)` on the fresh part of
    the rows and :math:`g^2 a\, G_r(w)` on that of the columns, has eigenvalues that fall with w: each branch has at
    most one root mu_i(w) = w above the bulk.

    Parameters
    ----------
    known_rows, known_cols : arrays
        Orthonormal vectors that the transposed matrix and the matrix were multiplied with, (n, sites).
    parts : list of LowRank
        Over unit vectors: weights are singular values of the parts.
    gain : float
        Entries have variance gain^2/N.
    ratios : (float, float)
        Sizes a of the rows and b of the columns over N.
    left, right : (k, sites) arrays
        Vectors whose overlaps with the left and right singular vectors are wanted.

    Returns
    -------
    Outliers
        The overlaps with the left vectors come first.
    """
    a, b = ratios
    rows = basis_of(known_rows, np.concatenate([np.empty((0, known_rows.shape[1])), *[part.left for part in parts]]))
    cols = basis_of(known_cols, np.concatenate([np.empty((0, known_cols.shape[1])), *[part.right for part in parts]]))
    n, m = len(rows), len(cols)
    H = _inside(rows, parts, cols)
    dilation = np.block([[np.zeros((n, n)), H], [H.T, np.zeros((m, m))]])
    fresh_rows = np.r_[np.arange(n) >= len(known_rows), np.zeros(m, bool)]
    fresh_cols = np.r_[np.zeros(n, bool), np.arange(m) >= len(known_cols)]
    edge = bulk_edges(gain, a, b)[1]

    def self_energy(w: float) -> Array:
        linear, constant = w * gain**2 * a, w * w + gain**2 * (a - b)
        G_rows = (constant - np.sqrt(max(constant**2 - 4 * linear * w, 0.0))) / (2 * linear) if gain else 1 / w
        G_cols = 1 / (w - gain**2 * a * G_rows)
        return gain**2 * (b * G_cols * fresh_rows + a * G_rows * fresh_cols)

    def branches(w: float) -> Array:
        return np.linalg.eigvalsh(dilation + np.diag(self_energy(w)))[::-1]

    lowest = max(edge * (1 + 1e-9), 1e-12)
    top = np.linalg.norm(dilation, 2) + 3 * edge + 1e-9
    count = int(np.sum(branches(lowest) > lowest * (1 + _BEYOND)))
    values = np.array([brentq(lambda w, i=i: branches(w)[i] - w, lowest, top, xtol=1e-13) for i in range(count)])
    overlaps = np.zeros((count, len(left) + len(right)))
    inside = [rows @ left.T / rows.shape[1], cols @ right.T / cols.shape[1]]
    for i, w in enumerate(values):
        energies, vectors = np.linalg.eigh(dilation + np.diag(self_energy(w)))
        vector = vectors[:, np.argmin(np.abs(energies - w))]
        step = 1e-6 * w
        slope = (self_energy(w + step) - self_energy(w - step)) / (2 * step)
        half = (1 - np.sum(slope * vector**2)) / 2  # squared norm of either singular vector
        for k, (part, given) in enumerate(((vector[:n], left), (vector[n:], right))):
            where = slice(k * len(left), k * len(left) + len(given))
            overlaps[i, where] = (part @ inside[k]) ** 2 / half / np.mean(given * given, 1)
    return _sorted(values, overlaps)


def matrix_eigenvalues(matrix: Array, gain: float, symmetry: float, vectors: Array, updates: int) -> Outliers:
    """Outlier eigenvalues of a real matrix, of a finite network.

    Beyond the bulk means beyond its edge by more than the edge fluctuates: N^(-2/3) for a symmetric matrix, N^(-1/2)
    for others.

    Parameters
    ----------
    matrix : (sites, sites) array
    gain, symmetry : float
        Of its Gaussian part.
    vectors : (k, sites) array
        Vectors whose overlaps with the eigenvectors are wanted.
    updates : int
        Rank-one updates that were added to it; a large matrix with few of them goes to an iterative solver.
    """
    size = len(matrix)
    few = _few(size, updates)
    if _is_normal(matrix, symmetry):
        hermitian = matrix if symmetry > 0 else 1j * matrix
        values, columns = _leading(eigsh, hermitian, few) if few else np.linalg.eigh(hermitian)
        beyond = np.abs(values) > 2 * gain * (1 + 2 * size ** (-2 / 3))
        values = values[beyond] if symmetry > 0 else -1j * values[beyond]
    else:
        values, columns = _leading(eigs, matrix, few) if few else np.linalg.eig(matrix)
        # z = root + s g^2/root maps the outside of a disc to the outside of the ellipse that holds the bulk.
        split = np.sqrt(values.astype(complex) ** 2 - 4 * symmetry * gain**2)
        roots = np.maximum(np.abs(values + split), np.abs(values - split)) / 2
        beyond = roots > max(gain * (1 + 2 / np.sqrt(size)), 1e-12)
        values = values[beyond]
    columns = columns[:, beyond]
    overlaps = np.abs(columns.conj().T @ vectors.T) ** 2 / np.sum(vectors * vectors, 1)
    return _sorted(values, overlaps)


def matrix_singular_values(
    matrix: Array, gain: float, ratios: tuple[float, float], left: Array, right: Array, updates: int
) -> Outliers:
    """Outlier singular values of a real matrix, of a finite network; see `matrix_eigenvalues`."""
    few = _few(min(matrix.shape), updates)
    if few:
        squares, u = _leading(eigsh, matrix @ matrix.T, few)
        values = np.sqrt(np.abs(squares))
        v = (matrix.T @ u / values).T
    else:
        u, values, v = np.linalg.svd(matrix, full_matrices=False)
    edge = bulk_edges(gain, *ratios)[1]
    beyond = values > edge * (1 + 2 * min(matrix.shape) ** (-2 / 3))
    overlaps = np.concatenate(
        [
            (u[:, beyond].T @ left.T) ** 2 / np.sum(left * left, 1),
            (v[beyond] @ right.T) ** 2 / np.sum(right * right, 1),
        ],
        axis=1,
    )
    return _sorted(values[beyond], overlaps)


def _few(size: int, updates: int) -> int:
    """Return how many eigenvalues an iterative solver is to find, or 0 where a dense one is the better choice."""
    wanted = updates + 2
    return wanted if size > 400 and wanted < size // 20 else 0


def _leading(solver: Any, matrix: Array, count: int) -> tuple[Array, Array]:
    """Return leading eigenvalues and eigenvectors; those at the edge of the bulk converge late and may be missing."""
    start = np.cos(np.arange(len(matrix)) ** 2.0)  # any fixed vector without symmetries
    try:
        return solver(matrix, k=count, which="LM", v0=start, ncv=max(4 * count, 40), tol=1e-10, maxiter=200)
    except ArpackNoConvergence as stopped:
        return stopped.eigenvalues, stopped.eigenvectors


def _sorted(values: Array, overlaps: Array) -> Outliers:
    # Conjugate pairs have one modulus up to rounding; the one in the upper half plane comes first.
    sizes = np.abs(values)
    order = np.lexsort((-np.imag(values), -np.round(sizes / np.max(sizes, initial=1e-300), 9)))
    return Outliers(values[order], overlaps[order])
