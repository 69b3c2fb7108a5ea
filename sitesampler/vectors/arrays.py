"""Arrays of site vectors: how they are made, joined and averaged over sites.

With `kernels` and the random numbers of `draws` this is all that another array library would have to replace.  Vectors
are rows, (k, size); what comes out of an average is a plain NumPy array in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.vectors import kernels

Rows = NDArray[np.floating]
Averages = NDArray[np.float64]


# -------------------------------------------------------------------------------------------------------------- making
def zeros(count: int, size: int, dtype: np.dtype) -> Rows:
    """Return rows of zeros, (count, size)."""
    return np.zeros((count, size), dtype)


def empty(count: int, size: int, dtype: np.dtype) -> Rows:
    """Return rows that are still to be filled, (count, size)."""
    return np.empty((count, size), dtype)


def contiguous(rows: ArrayLike, dtype: np.dtype) -> Rows:
    """Return rows of a precision as one piece of memory; themselves if they are."""
    return np.ascontiguousarray(rows, dtype)


def joined(tables: Sequence[Rows], axis: int = 0) -> Rows:
    """Return tables one below the other, or side by side along the sites with ``axis=1``."""
    return np.concatenate(tables, axis)


def array_of(x: Any) -> NDArray[Any]:
    """Return what a program hands over as an array."""
    return np.asarray(x)


def rows_of(array: NDArray[Any]) -> Rows:
    """Return an array of a program, (sites,) or (sites, columns), as rows."""
    return np.atleast_2d(array.T)


def dealt(table: ArrayLike, size: int) -> Rows:
    """Deal the rows of a table, (n,) or (n, k), to the sites in equal shares: one row for each column, (k, size)."""
    values = np.asarray(table)
    shares = values[np.arange(size) * len(values) // size]
    return np.ascontiguousarray(shares.reshape(size, -1).T)


def picked(options: NDArray[Any], edges: NDArray[Any], uniform: Rows) -> Rows:
    """Return for each number of [0, 1) the option between whose edges it lies."""
    return options[np.searchsorted(edges, uniform, side="right")]


def mixed(matrix: NDArray[Any], rows: Rows) -> Rows:
    """Return linear combinations of rows by a small matrix, (l, k) times (k, size)."""
    return matrix @ rows


def stacked(rows: Sequence[Rows], size: int, dtype: np.dtype) -> Rows:
    """Return single rows, (size,), as a table, which may be empty."""
    return np.stack(rows) if rows else empty(0, size, dtype)


def on_host(rows: Rows) -> Rows:
    """Return rows as a plain NumPy array, for what is done once, at the end, or on small tables."""
    return np.asarray(rows)


# ----------------------------------------------------------------------------------------------------------- averaging
# All sums are in double precision: in single precision, the squares of what has decayed to 1e-20 would be zero.
def mean_squares(rows: Rows) -> Averages:
    """Return the average over sites of the square of each row, (k,) from (k, size)."""
    doubled = rows.astype(np.float64, copy=False)
    return np.vecdot(doubled, doubled) / rows.shape[1]


def root_mean_square(row: Rows) -> float:
    """Return the root of the average over sites of the square of one row, (size,)."""
    return float(np.sqrt(np.mean(row.astype(np.float64, copy=False) ** 2)))


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two arrays hold the same values, of which any may be NaN."""
    return np.array_equal(on_host(one), on_host(other), equal_nan=True)


def product(left: Rows, right: Rows) -> float:
    """Return the average over sites of the product of two rows, (size,)."""
    return float(np.dot(left.astype(np.float64, copy=False), right.astype(np.float64, copy=False))) / len(left)


def means(vectors: NDArray[np.floating]) -> Averages:
    """Return averages over sites, the first axis of the arrays of a program."""
    return vectors.mean(0, dtype=np.float64)


def overlaps(left: Rows, right: Rows) -> Averages:
    """Return the averages over sites of the products of all pairs of rows, (k, l), in one product."""
    return left.astype(np.float64, copy=False) @ right.astype(np.float64, copy=False).T / left.shape[1]


def products(left: Rows, right: Rows) -> Averages:
    """Return averages over sites of the products of all pairs of rows of large tables, (k, l), block by block."""
    size = left.shape[1]
    total = np.zeros((len(left), len(right)))
    for block in range(kernels.blocks(size)):  # fixed blocks, as everywhere
        part = slice(block * kernels.BLOCK, (block + 1) * kernels.BLOCK)
        near = left[:, part].astype(np.float64, copy=False)
        # For one and the same table BLAS computes half of the products.
        total += near @ (near if right is left else right[:, part].astype(np.float64, copy=False)).T
    return total / size


def gram(rows: Rows) -> Averages:
    """Return averages over sites of the products of all pairs of rows, in double precision, (k, k)."""
    return products(rows, rows)


def moments(rows: Rows) -> Averages:
    """Return mean, variance, third and fourth central moment of each row, (k, 4)."""
    found = np.empty((len(rows), 4))
    kernels.moments(rows, found)
    return found


# ------------------------------------------------------------------------------------------------------------ checking
def all_finite(rows: Rows) -> bool:
    """Say whether all numbers are finite, and small enough for their squares to be."""
    flat = rows.ravel()
    return bool(np.isfinite(np.dot(flat, flat)))


def first_not_finite(rows: Rows) -> int:
    """Return the first site at which some row is not finite, or the largest where only the sum of squares is not."""
    with np.errstate(invalid="ignore", over="ignore"):
        bad = ~np.isfinite(rows * rows)
    return int(np.argmax(bad.any(0))) if bad.any() else int(np.argmax(np.abs(rows).max(0)))


# ------------------------------------------------------------------------------------------------------- real matrices
def normal_matrix(shape: tuple[int, int], dtype: np.dtype, generator: np.random.Generator) -> NDArray[Any]:
    """Return a matrix of independent standard normal numbers."""
    entries: NDArray[Any] = np.zeros(shape, dtype)
    generator.standard_normal(dtype=dtype, out=entries)
    return entries


def times(matrix: NDArray[Any], rows: Rows) -> Rows:
    """Return the product of a matrix with each row."""
    return np.ascontiguousarray((matrix @ rows.T).T)


def transposed_times(matrix: NDArray[Any], rows: Rows) -> Rows:
    """Return the product of a transposed matrix with each row."""
    return rows @ matrix


def outer(left: Rows, right: Rows) -> NDArray[Any]:
    """Return the sum over rows of left_k right_k^T, a matrix over the sites of both sides."""
    return left.T @ right
