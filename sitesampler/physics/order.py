"""Order parameters: every number that one site learns about all the others.

Overlaps with a basis, Stein averages with the fresh normals, means and overlaps of site vectors: an ensemble takes all
of them from one object, and nothing else couples its samples.  `LiveOrderParameters` estimates them from the
population at the moment they are needed: a march.  The objects of ``frozen.py`` answer the same questions from what an
earlier iteration has found, which makes samples independent: a sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sitesampler.vectors.table import History, Rows, mean_squares

Averages = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields made in one direction of a matrix: an orthonormal basis of the vectors multiplied, and the image of each.

    Attributes
    ----------
    basis : History
        Orthonormal vectors q_i on the source's side.
    images : History
        The fresh normal z_i that each became, on the target's side.
    """

    basis: History
    images: History


class OrderParameters(Protocol):
    """The questions that the single-site world asks; each answer is an average over the population."""

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """Expand vectors that a matrix is multiplied with in its basis, and extend the basis where they leave it."""

    def stein(self, source: Fields, vectors: Rows, by: Fields) -> Averages:
        """Return ``<z_i x>`` of the normals behind ``source`` with vectors that go into the fields ``by`` next."""

    def response(self, images: History, vectors: Rows, factor: Averages) -> Averages:
        """Return the responses ``<x z> L^{-1}`` to fields L z, (count, k)."""

    def overlaps(self, history: History, vectors: Rows) -> Averages:
        """Return the overlaps of kept site vectors with new ones, (count, k)."""

    def average(self, left: Rows, right: Rows) -> Averages:
        """Return the averages over sites of the products of all pairs of rows, (k, l) from (k, size) and (l, size)."""

    def mean(self, vectors: NDArray[np.floating]) -> Averages:
        """Return the average over sites, the first axis."""

    def keeps(self, rest: float, size: float, tolerance: float) -> bool:
        """Say whether a remainder, of a vector of this squared norm, is worth a direction of its own."""

    def representatives(self, bases: Sequence[tuple[Fields, str]], others: Sequence[Rows]) -> list[Rows]:
        """Return vectors with the mutual overlaps of bases or images of fields, and of others: one table for each."""


class PopulationAverages:
    """The averages that a population has itself; live order parameters are these, frozen ones measure them."""

    def response(self, images: History, vectors: Rows, factor: Averages) -> Averages:
        """Return the responses to fields L z, by Stein: ``<x z> L^{-1}``, (count, k)."""
        return solve_triangular(factor, images.project(vectors), lower=True, trans=1)

    def overlaps(self, history: History, vectors: Rows) -> Averages:
        """Return the overlaps of kept site vectors with new ones, (count, k)."""
        return history.project(vectors)

    def average(self, left: Rows, right: Rows) -> Averages:
        """Return the averages over sites of the products of all pairs of rows, (k, l) from (k, size) and (l, size)."""
        return (left @ right.T).astype(np.float64) / left.shape[1]

    def mean(self, vectors: NDArray[np.floating]) -> Averages:
        """Return the average over sites, the first axis."""
        return vectors.mean(0, dtype=np.float64)


class LiveOrderParameters(PopulationAverages):
    """Order parameters estimated from the population as it runs.

    Parameters
    ----------
    tolerance : float
        A vector extends the basis of what a matrix was multiplied with when the norm of its remainder exceeds this
        part of its own norm.
    dtype : numpy.dtype
        Precision of the site vectors; rounding bounds the tolerance from below.
    """

    def __init__(self, tolerance: float, dtype: np.dtype) -> None:
        epsilon = float(np.finfo(dtype).eps)
        self.tolerance = max(tolerance, 16 * epsilon)
        # Below this the difference of two squared norms says nothing about the norm of the remainder.
        self._resolution = 1e3 * epsilon

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """Expand vectors in a basis that is orthonormal over the population, and extend it where they leave its span.

        Gram-Schmidt, repeated once.  By Pythagoras the norm of the remainder follows from the overlaps, so that the
        remainder itself is computed only for vectors that may leave the span.

        Parameters
        ----------
        fields : Fields
            Those with the basis, of rank r; not changed.
        vectors : (k, size) array
        rounding : (k,) array
            Squared norm below which a remainder is rounding, whatever the tolerance.

        Returns
        -------
        coefficients : (r + new, k) array
            Overlaps ``<q_i x>`` with the basis and the new vectors.
        new : (new, size) array
            Orthonormal vectors to be appended to the basis.
        """
        basis = fields.basis
        rank = len(basis)
        coefficients = basis.project(vectors)
        squares = mean_squares(vectors)
        smallest = np.maximum(self.tolerance**2 * squares, rounding)
        left = squares - np.sum(coefficients * coefficients, 0)
        outside = np.flatnonzero((left + self._resolution * squares > smallest) & (squares > 0))
        rest = np.ascontiguousarray(vectors[outside])
        basis.combine(-coefficients[:, outside], rest)
        leaving = mean_squares(rest) > smallest[outside]
        outside, rest = outside[leaving], rest[leaving]
        if len(outside) == 0:
            return coefficients, np.empty((0, basis.size), vectors.dtype)
        added = np.zeros((len(outside), len(vectors)))
        # Always twice: one projection would multiply what the basis lacks in orthogonality by |x| over the remainder,
        # for each new vector again, until fields come out with the wrong variance.
        again = basis.project(rest)
        basis.combine(-again, rest)
        coefficients[:, outside] += again
        new: list[Rows] = []
        for row, column in zip(rest, outside, strict=True):
            norm = np.sqrt(float(np.dot(row, row)) / basis.size)
            while True:
                before = norm
                for i, earlier in enumerate(new):
                    overlap = float(np.dot(earlier, row)) / basis.size
                    row -= row.dtype.type(overlap) * earlier
                    added[i, column] += overlap
                norm = np.sqrt(float(np.dot(row, row)) / basis.size)
                if norm > 0.5 * before or norm**2 <= smallest[column]:
                    break
                # The columns of one call may be nearly parallel: in what is left, rounding along the basis shows too.
                again = basis.project(row[None])
                basis.combine(-again, row[None])
                coefficients[:, column] += again[:, 0]
            if norm**2 > smallest[column]:
                added[len(new), column] = norm
                new.append(row / row.dtype.type(norm))
        stacked = np.stack(new) if new else np.empty((0, basis.size), vectors.dtype)
        return np.concatenate([coefficients, added[: len(new)]]) if rank + len(new) else coefficients, stacked

    def stein(self, source: Fields, vectors: Rows, by: Fields) -> Averages:
        """Return the averages ``<z_i x>`` with the fresh normals behind a matrix, (rank, k): responses, by Stein."""
        return source.images.project(vectors)

    def keeps(self, rest: float, size: float, tolerance: float) -> bool:
        """Say whether a squared remainder exceeds the tolerance."""
        return rest > tolerance**2 * size

    def representatives(self, bases: Sequence[tuple[Fields, str]], others: Sequence[Rows]) -> list[Rows]:
        """Return the vectors themselves."""
        return [*(getattr(fields, side).rows for fields, side in bases), *others]
