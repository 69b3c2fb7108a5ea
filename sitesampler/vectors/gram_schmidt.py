"""Gram and Schmidt: vectors expanded in a table whose rows are orthonormal over the population.

`expanded` finds the coefficients, and new rows where vectors leave the span; `extended` finds the same new rows from
coefficients that are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows, mean_squares
from sitesampler.vectors.table import Table


def expanded(basis: Table, vectors: Rows, rounding: Averages, tolerance: float) -> tuple[Averages, Rows]:
    """Expand vectors in an orthonormal basis, and extend it where they leave its span by more than a tolerance.

    Each projection is repeated once.  By Pythagoras the norm of the remainder follows from the overlaps, so that the
    remainder itself is computed only for vectors that may leave the span.

    Parameters
    ----------
    basis : Table
        Of rank r; not changed.
    vectors : (k, size) array
    rounding : (k,) array
        Squared norm below which a remainder is rounding, whatever the tolerance.
    tolerance : float
        Norm of a remainder over that of its vector; rounding of the vectors bounds it from below.

    Returns
    -------
    coefficients : (r + new, k) array
        Overlaps ``<q_i x>`` with the basis and the new vectors.
    new : (new, size) array
        Orthonormal vectors to be appended to the basis.
    """
    rank, epsilon = len(basis), float(np.finfo(vectors.dtype).eps)
    coefficients = basis.project(vectors)
    squares = mean_squares(vectors)
    smallest = np.maximum(max(tolerance, 16 * epsilon) ** 2 * squares, rounding)
    left = squares - np.sum(coefficients * coefficients, 0)
    # Below this the difference of two squared norms says nothing about the norm of the remainder.
    resolution = 1e3 * epsilon
    outside = np.flatnonzero((left + resolution * squares > smallest) & (squares > 0))
    rest = arrays.contiguous(vectors[outside], vectors.dtype)
    basis.combine(-coefficients[:, outside], rest)
    leaving = mean_squares(rest) > smallest[outside]
    outside, rest = outside[leaving], rest[leaving]
    if len(outside) == 0:
        return coefficients, arrays.empty(0, basis.size, vectors.dtype)
    # Always twice: one projection would multiply what the basis lacks in orthogonality by |x| over the remainder,
    # for each new vector again, until fields come out with the wrong variance.
    again = basis.project(rest)
    basis.combine(-again, rest)
    coefficients[:, outside] += again
    added, new = _orthonormal(basis, rest, smallest[outside], coefficients, outside)
    stacked = arrays.stacked(new, basis.size, vectors.dtype)
    return np.concatenate([coefficients, added[: len(new)]]) if rank + len(new) else coefficients, stacked


def _orthonormal(
    basis: Table, rest: Rows, smallest: Averages, coefficients: Averages, columns: NDArray[np.intp]
) -> tuple[Averages, list[Rows]]:
    """Orthonormalise remainders, in place, one after the other; return their coefficients and those that are left."""
    added, new = np.zeros((len(columns), coefficients.shape[1])), list[Rows]()
    for row, column, least in zip(rest, columns, smallest, strict=True):
        norm = np.sqrt(arrays.product(row, row))
        while True:
            before = norm
            for i, earlier in enumerate(new):
                overlap = arrays.product(earlier, row)
                row -= row.dtype.type(overlap) * earlier
                added[i, column] += overlap
            norm = np.sqrt(arrays.product(row, row))
            if norm > 0.5 * before or norm**2 <= least:
                break
            # The columns of one call may be nearly parallel: in what is left, rounding along the basis shows too.
            again = basis.project(row[None])
            basis.combine(-again, row[None])
            coefficients[:, column] += again[:, 0]
        if norm**2 > least:
            added[len(new), column] = norm
            new.append(row / row.dtype.type(norm))
    return added, new


def extended(basis: Table, vectors: Rows, coefficients: Averages, made: NDArray[np.intp]) -> Rows:
    """Return the basis vectors that some of the vectors have made, from coefficients that are known.

    Parameters
    ----------
    basis : Table
        Of rank r.
    vectors : (k, size) array
    coefficients : (r + new, k) array
    made : (new,) array
        Which vectors made the new rows.
    """
    rank = len(coefficients) - len(made)
    new = arrays.contiguous(vectors[made], vectors.dtype)
    basis.combine(-coefficients[:rank, made], new)
    for m, column in enumerate(made):
        for earlier in range(m):
            new[m] -= new.dtype.type(coefficients[rank + earlier, column]) * new[earlier]
        new[m] /= new.dtype.type(coefficients[rank + m, column])
    return new
