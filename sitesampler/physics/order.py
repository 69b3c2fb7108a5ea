"""Order parameters: every number that one site learns about all the others, as the answer to a question.

Overlaps with a basis, Stein averages with the fresh normals, means and overlaps of site vectors: an ensemble asks one
object for all of them, and nothing else couples its samples.  A question knows what the population itself would answer.
A kind of order parameters is one method, `OrderParameters.answer`: `LiveOrderParameters` let the population answer at
the moment it is asked, which is a march.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.gram_schmidt import expanded
from sitesampler.vectors.table import Table


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields made in one direction of a matrix: an orthonormal basis of the vectors multiplied, and the image of each.

    Attributes
    ----------
    basis : Table
        Orthonormal vectors q_i on the source's side.
    images : Table
        The fresh normal z_i that each became, on the target's side.
    """

    basis: Table
    images: Table


# ----------------------------------------------------------------------------------------------------------- questions
class Question(ABC):
    """What a run asks its order parameters."""

    @abstractmethod
    def measured(self) -> Any:
        """Return what the population itself answers."""


@dataclass(frozen=True, eq=False)
class Expansion(Question):
    """The coefficients of vectors in the basis of what a matrix was multiplied with, and what they add to it."""

    fields: Fields
    vectors: Rows
    rounding: Averages
    tolerance: float

    def measured(self) -> tuple[Averages, Rows]:
        """Return coefficients, (rank + new, k), and new basis vectors, (new, size)."""
        return expanded(self.fields.basis, self.vectors, self.rounding, self.tolerance)


@dataclass(frozen=True, eq=False)
class Memory(Question):
    """The averages ``<z_i x>`` of the normals behind ``source`` with vectors that go into the fields ``by`` next."""

    source: Fields
    vectors: Rows
    by: Fields

    def measured(self) -> Averages:
        """Return the averages, (rank, k): responses, by Stein's lemma."""
        return self.source.images.project(self.vectors)


@dataclass(frozen=True, eq=False)
class Average(Question):
    """Any other average over the population, or a number that follows from one."""

    measure: Callable[[], Averages]

    def measured(self) -> Averages:
        """Return the average."""
        return self.measure()


@dataclass(frozen=True, eq=False)
class Response(Average):
    """The responses to the fields of a tensor coupling: an average that vanishes where couplings do."""


@dataclass(frozen=True, eq=False)
class Worth(Question):
    """Whether a squared remainder, of a vector of this squared norm, is worth a direction of its own."""

    rest: float
    size: float
    tolerance: float

    def measured(self) -> bool:
        """Return whether it exceeds the tolerance."""
        return self.rest > self.tolerance**2 * self.size


@dataclass(frozen=True, eq=False)
class Representatives(Question):
    """Vectors with the mutual overlaps of these tables, for the outliers of a matrix."""

    tables: Sequence[Rows]

    def measured(self) -> list[Rows]:
        """Return the vectors themselves."""
        return [arrays.on_host(table) for table in self.tables]


# ----------------------------------------------------------------------------------------------------- who answers them
class OrderParameters(ABC):
    """The questions of the single-site world; each answer is an average over the population.

    Parameters
    ----------
    tolerance : float
        A vector extends the basis of what a matrix was multiplied with when the norm of its remainder exceeds this
        part of its own norm; rounding bounds it from below.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    @abstractmethod
    def answer(self, question: Question) -> Any:
        """Return the answer to a question: all of them pass through here, in the order of the program."""

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """Expand vectors that a matrix is multiplied with in its basis, and extend the basis where they leave it."""
        coefficients, new = self.answer(Expansion(fields, vectors, rounding, self.tolerance))
        return coefficients, new

    def stein(self, source: Fields, vectors: Rows, by: Fields) -> Averages:
        """Return ``<z_i x>`` of the normals behind ``source`` with vectors that go into the fields ``by`` next."""
        return self.answer(Memory(source, vectors, by))

    def response(self, images: Table, vectors: Rows, factor: Averages) -> Averages:
        """Return the responses to fields L z, by Stein: ``<x z> L^{-1}``, (count, k)."""
        return self.answer(Response(lambda: solve_triangular(factor, images.project(vectors), lower=True, trans=1)))

    def overlaps(self, table: Table, vectors: Rows) -> Averages:
        """Return the overlaps of kept site vectors with new ones, (count, k)."""
        return self.answer(Average(lambda: table.project(vectors)))

    def average(self, left: Rows, right: Rows) -> Averages:
        """Return the averages over sites of the products of all pairs of rows, (k, l) from (k, size) and (l, size)."""
        return self.answer(Average(lambda: arrays.overlaps(left, right)))

    def mean(self, vectors: NDArray[np.floating]) -> Averages:
        """Return the average over sites, the first axis."""
        return self.answer(Average(lambda: arrays.means(vectors)))

    def keeps(self, rest: float, size: float, tolerance: float) -> bool:
        """Say whether a remainder, of a vector of this squared norm, is worth a direction of its own."""
        return bool(self.answer(Worth(rest, size, tolerance)))

    def representatives(self, tables: Sequence[Rows]) -> list[Rows]:
        """Return vectors with the mutual overlaps of the given ones: one table for each."""
        return self.answer(Representatives(tables))


class LiveOrderParameters(OrderParameters):
    """Order parameters estimated from the population as it runs."""

    def answer(self, question: Question) -> Any:
        """Return what the population says."""
        return question.measured()
