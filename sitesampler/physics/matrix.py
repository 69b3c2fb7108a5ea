"""The physics of ``J @ x``: coloured noise and memory of one Gaussian random matrix.

`GaussianMatrix` is the cavity form of a random matrix, written once: the orthonormal vectors that it was multiplied
with, the fresh normal vector that each became, and the memory that makes ``J.T`` the transpose of ``J``.  With matched
draws it is the limit N -> infinity; with plain ones it is the exact law of a finite matrix that nobody stores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from sitesampler.errors import ProgramError, program_line
from sitesampler.physics.order import Fields, OrderParameters
from sitesampler.physics.spectrum import LowRank, Outliers, rectangular_outliers, square_outliers
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.draws import Draws


class Matrix(ABC):
    """What a coupling needs of its matrix: both products, on (k, size) rows."""

    @abstractmethod
    def times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return the product of the matrix with each row."""

    @abstractmethod
    def transposed_times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return the product of the transposed matrix with each row."""

    @abstractmethod
    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""

    @abstractmethod
    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues of the (square) matrix with its updates, and overlaps with vectors."""

    @abstractmethod
    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values of the matrix with its updates, and overlaps with vectors."""

    def absorb(self, left: Rows, right: Rows, strength: float) -> bool:
        """Take in the updates strength/N left right^T; say whether the matrix can, for only a stored one does."""
        return False

    def absorb_matrix(self, other: Any, strength: float) -> bool:
        """Take in another matrix of the same kind, times a number; say whether the matrix can."""
        return False


def _refuse_singular_values() -> NoReturn:
    raise ProgramError(f"{program_line()}: the singular values of a coupling with a symmetry are not known")


def _fields_between(source: Draws, target: Draws) -> Fields:
    return Fields(source.table(), target.table())


class GaussianMatrix(Matrix):
    r"""A Gaussian random matrix, known only by what it was multiplied with.

    With a basis q_i of the vectors multiplied by J, a fresh standard normal z_i for each, and p_j, w_j the same for
    the transposed direction, over groups of relative sizes a (rows) and b (columns),

    .. math::
        J x = g \sqrt b \sum_i \langle q_i x \rangle z_i
              + s\, g \sqrt b \sum_i \langle z_i x \rangle q_i
              + c\, \frac{g b}{\sqrt a} \sum_j \langle w_j x \rangle p_j .

    The first sum is coloured noise with the covariance of the x.  The others are memory: Stein's lemma turns the
    averages with the fresh normals into responses, and the bases undo the covariance that comes with it.  s is the
    correlation of J_ij and J_ji, and c^2 = 1 - s^2: the transposed direction is ``J.T = s J + c K``, where K has the
    symmetry -s, is independent of J, and responds to it through c alone.  For rectangular and independent matrices
    (s = 0) K is J.T.

    Parameters
    ----------
    rows, cols : Draws
        Random vectors of the two groups.
    ratios : (float, float)
        Sizes of rows and columns over N.
    gain : float
        Entries have variance gain^2 / N.
    symmetry : float
        Correlation of J_ij and J_ji; needs one group for rows and columns unless it is 0.
    order : OrderParameters
        Where the averages come from.
    """

    def __init__(
        self,
        rows: Draws,
        cols: Draws,
        ratios: tuple[float, float],
        gain: float,
        symmetry: float,
        order: OrderParameters,
    ) -> None:
        self.rows, self.cols = rows, cols
        self.ratios = ratios
        self.gain, self.symmetry = gain, symmetry
        self.cross = np.sqrt(1 - symmetry**2)
        self.order = order
        self.forward, self.backward = _fields_between(cols, rows), _fields_between(rows, cols)

    def times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return J x for each row x, (k, rows)."""
        sides, symmetry = (self.cols, self.rows), self.symmetry
        return self._fields(self.forward, self.backward, sides, self.ratios, symmetry, vectors, rounding)

    def transposed_times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return J.T y for each row y, (k, columns)."""
        out = arrays.zeros(len(vectors), self.cols.size, vectors.dtype)
        if self.symmetry:
            out += self.symmetry * self.times(vectors, rounding)
        if self.cross:
            sides, ratios, symmetry = (self.rows, self.cols), self.ratios[::-1], -self.symmetry
            fields = self._fields(self.backward, self.forward, sides, ratios, symmetry, vectors, rounding)
            out += out.dtype.type(self.cross) * fields
        return out

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""
        self.gain *= factor

    def known_parts(self, sides: Sequence[Rows] | None = None) -> list[LowRank]:
        """Return what products have fixed of the matrix, as an operator on site vectors of average square 1.

        Parameters
        ----------
        sides : four arrays, optional
            Vectors to take the places of the bases and images of both directions.
        """
        a, b = self.ratios
        q, z, p, w = [arrays.on_host(rows) for rows in self._sides()] if sides is None else sides
        parts = [LowRank(z, q, np.full(len(q), self.gain * np.sqrt(b)))]
        if self.symmetry:
            parts.append(LowRank(q, z, np.full(len(q), self.symmetry * self.gain * np.sqrt(b))))
        if len(p):
            parts.append(LowRank(p, w, np.full(len(p), self.cross * self.gain * b / np.sqrt(a))))
        return parts

    def _sides(self) -> list[Rows]:
        """Return bases and images of both directions."""
        return [rows for fields in (self.forward, self.backward) for rows in (fields.basis.rows, fields.images.rows)]

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues, given the products so far; see `square_outliers`."""
        if 0 < abs(self.symmetry) < 1 and len(self.backward.basis):
            raise ProgramError(
                f"{program_line()}: the outliers of a partially symmetric coupling that was multiplied both ways are "
                "not known; use symmetry 0, 1 or -1, or products with J alone"
            )
        given = [vectors, *(side for part in updates for side in (part.left, part.right))]
        q, z, p, w, vectors, *sides = self.order.representatives([*self._sides(), *given])
        parts = self.known_parts((q, z, p, w))
        pairs = zip(sides[::2], sides[1::2], updates, strict=True)
        parts += [LowRank(left, right, part.weights) for left, right, part in pairs]
        return square_outliers(q, parts, self.gain * np.sqrt(self.ratios[0]), self.symmetry, vectors)

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values, given the products so far; see `rectangular_outliers`."""
        if self.symmetry:
            _refuse_singular_values()
        (a, b), (q, z, p, w), represent = self.ratios, self._sides(), self.order.representatives
        z, p, left, *lefts = represent([z, p, left, *(x.left for x in updates)])
        q, w, right, *rights = represent([q, w, right, *(x.right for x in updates)])
        parts = self.known_parts((q, z, p, w))
        parts += [LowRank(x, y, part.weights) for x, y, part in zip(lefts, rights, updates, strict=True)]
        parts = [LowRank(part.left, part.right, np.sqrt(a / b) * part.weights) for part in parts]
        return rectangular_outliers(p, q, parts, self.gain, self.ratios, left, right)

    def _fields(
        self,
        own: Fields,
        other: Fields,
        sides: tuple[Draws, Draws],
        ratios: tuple[float, float],
        symmetry: float,
        vectors: Rows,
        rounding: Averages,
    ) -> Rows:
        """Products in the direction ``own``, from the group of relative size ratios[1] to that of ratios[0]."""
        (source, target), (a, b) = sides, ratios
        out = arrays.zeros(len(vectors), target.size, vectors.dtype)
        if self.gain == 0:
            return out
        # Memory first: the images that this very product adds are independent of the vectors that made them.
        if symmetry:
            memory = self.order.stein(own, vectors, by=own)
            own.basis.combine(symmetry * self.gain * np.sqrt(b) * memory, out)
        if self.cross:
            memory = self.order.stein(other, vectors, by=own)
            other.basis.combine(self.cross * self.gain * b / np.sqrt(a) * memory, out)
        coefficients, new = self.order.expand(own, vectors, rounding)
        if len(new):
            own.basis.append(new)
            source.see(new)
            target.images(len(new), into=own.images, off=other.basis)
        own.images.combine(self.gain * np.sqrt(b) * coefficients, out)
        return out


class SymmetrisedMatrix(Matrix):
    """J = a X + b X.T with X independent: the exact law of a finite, partially symmetric matrix.

    a, b = (sqrt(1 + s) +- sqrt(1 - s)) / 2 give entries of the variance of X and the correlation s of J_ij and J_ji.
    """

    def __init__(self, independent: GaussianMatrix, symmetry: float) -> None:
        self.independent, self.symmetry = independent, symmetry
        self.straight = (np.sqrt(1 + symmetry) + np.sqrt(1 - symmetry)) / 2
        self.transposed = (np.sqrt(1 + symmetry) - np.sqrt(1 - symmetry)) / 2

    def _mixed(self, straight: float, transposed: float, vectors: Rows, rounding: Averages) -> Rows:
        out = straight * self.independent.times(vectors, rounding)
        out += transposed * self.independent.transposed_times(vectors, rounding)
        return out.astype(vectors.dtype, copy=False)

    def times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return J x for each row x."""
        return self._mixed(self.straight, self.transposed, vectors, rounding)

    def transposed_times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return J.T y for each row y."""
        return self._mixed(self.transposed, self.straight, vectors, rounding)

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""
        self.independent.scale(factor)

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues, given the products so far; every product went through X both ways."""
        parts = []
        for part in self.independent.known_parts():
            parts.append(LowRank(part.left, part.right, self.straight * part.weights))
            parts.append(LowRank(part.right, part.left, self.transposed * part.weights))
        known = arrays.on_host(self.independent.forward.basis.rows)
        gain = self.independent.gain * np.sqrt(self.independent.ratios[0])
        return square_outliers(known, [*parts, *updates], gain, self.symmetry, vectors)

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Refuse: the singular values of a matrix with a symmetry are not known."""
        _refuse_singular_values()
