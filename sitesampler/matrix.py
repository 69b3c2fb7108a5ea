"""The physics of ``J @ x``: coloured noise and memory of one Gaussian random matrix.

`GaussianMatrix` is the cavity form of a random matrix, written once: the orthonormal vectors that it was multiplied
with, the fresh normal vector that each became, and the memory that makes ``J.T`` the transpose of ``J``.  With matched
draws it is the limit N -> infinity; with plain ones it is the exact law of a finite matrix that nobody stores.  What a
program holds is a `Coupling` (``coupling.py``); real matrices are in ``finite.py``, tensors in ``tensor.py``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sitesampler.draws import Draws
from sitesampler.errors import ProgramError, program_line
from sitesampler.history import History, Rows
from sitesampler.order import LiveOrderParameters
from sitesampler.spectrum import LowRank, Outliers, rectangular_outliers, square_outliers


class Matrix(Protocol):
    """What a coupling needs of its matrix: both products, on (k, size) rows."""

    def times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return the product of the matrix with each row."""

    def transposed_times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return the product of the transposed matrix with each row."""

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues of the (square) matrix with its updates, and overlaps with vectors."""

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values of the matrix with its updates, and overlaps with vectors."""


class _Fields:
    """Fields made in one direction: an orthonormal basis of the vectors multiplied, and the image of each."""

    def __init__(self, source: Draws, target: Draws) -> None:
        self.source, self.target = source, target
        self.basis: History = source.history()
        self.images: History = target.history()


class GaussianMatrix:
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
    order : LiveOrderParameters
        Where the averages come from.
    """

    def __init__(
        self,
        rows: Draws,
        cols: Draws,
        ratios: tuple[float, float],
        gain: float,
        symmetry: float,
        order: LiveOrderParameters,
    ) -> None:
        self.rows, self.cols = rows, cols
        self.ratios = ratios
        self.gain, self.symmetry = gain, symmetry
        self.cross = np.sqrt(1 - symmetry**2)
        self.order = order
        self.forward, self.backward = _Fields(cols, rows), _Fields(rows, cols)

    def times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return J x for each row x, (k, rows)."""
        return self._fields(self.forward, self.backward, self.ratios, self.symmetry, vectors, rounding)

    def transposed_times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return J.T y for each row y, (k, columns)."""
        out = np.zeros((len(vectors), self.cols.size), vectors.dtype)
        if self.symmetry:
            out += self.symmetry * self.times(vectors, rounding)
        if self.cross:
            ratios = self.ratios[::-1]
            fields = self._fields(self.backward, self.forward, ratios, -self.symmetry, vectors, rounding)
            out += out.dtype.type(self.cross) * fields
        return out

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""
        self.gain *= factor

    def known_parts(self) -> list[LowRank]:
        """Return what products have fixed of the matrix, as an operator on site vectors of average square 1."""
        a, b = self.ratios
        forward, backward = self.forward, self.backward
        q, z = forward.basis.rows, forward.images.rows
        parts = [LowRank(z, q, np.full(len(q), self.gain * np.sqrt(b)))]
        if self.symmetry:
            parts.append(LowRank(q, z, np.full(len(q), self.symmetry * self.gain * np.sqrt(b))))
        if len(backward.basis):
            p, w = backward.basis.rows, backward.images.rows
            parts.append(LowRank(p, w, np.full(len(p), self.cross * self.gain * b / np.sqrt(a))))
        return parts

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues, given the products so far; see `square_outliers`."""
        if 0 < abs(self.symmetry) < 1 and len(self.backward.basis):
            raise ProgramError(
                f"{program_line()}: the outliers of a partially symmetric coupling that was multiplied both ways are "
                "not known; use symmetry 0, 1 or -1, or products with J alone"
            )
        parts = [*self.known_parts(), *updates]
        known, gain = self.forward.basis.rows, self.gain * np.sqrt(self.ratios[0])
        return square_outliers(known, parts, gain, self.symmetry, vectors)

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values, given the products so far; see `rectangular_outliers`."""
        if self.symmetry:
            raise ProgramError(f"{program_line()}: the singular values of a coupling with a symmetry are not known")
        a, b = self.ratios
        parts = [LowRank(x.left, x.right, np.sqrt(a / b) * x.weights) for x in (*self.known_parts(), *updates)]
        known = (self.backward.basis.rows, self.forward.basis.rows)
        return rectangular_outliers(*known, parts, self.gain, self.ratios, left, right)

    def _fields(
        self,
        own: _Fields,
        other: _Fields,
        ratios: tuple[float, float],
        symmetry: float,
        vectors: Rows,
        rounding: NDArray[np.float64],
    ) -> Rows:
        """Products in the direction ``own``, from the group of relative size ratios[1] to that of ratios[0]."""
        a, b = ratios
        out = np.zeros((len(vectors), own.target.size), vectors.dtype)
        if self.gain == 0:
            return out
        # Memory first: the images that this very product adds are independent of the vectors that made them.
        if symmetry:
            memory = self.order.stein(own.images, vectors)
            own.basis.combine(symmetry * self.gain * np.sqrt(b) * memory, out)
        if self.cross and len(other.basis):
            memory = self.order.stein(other.images, vectors)
            other.basis.combine(self.cross * self.gain * b / np.sqrt(a) * memory, out)
        coefficients, new = self.order.expand(own.basis, vectors, rounding)
        if len(new):
            own.basis.append(new)
            own.source.see(new)
            own.target.images(len(new), into=own.images, off=other.basis)
        own.images.combine(self.gain * np.sqrt(b) * coefficients, out)
        return out


class SymmetrisedMatrix:
    """J = a X + b X.T with X independent: the exact law of a finite, partially symmetric matrix.

    a, b = (sqrt(1 + s) +- sqrt(1 - s)) / 2 give entries of the variance of X and the correlation s of J_ij and J_ji.
    """

    def __init__(self, independent: GaussianMatrix, symmetry: float) -> None:
        self.independent, self.symmetry = independent, symmetry
        self.straight = (np.sqrt(1 + symmetry) + np.sqrt(1 - symmetry)) / 2
        self.transposed = (np.sqrt(1 + symmetry) - np.sqrt(1 - symmetry)) / 2

    def _mixed(self, straight: float, transposed: float, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        out = straight * self.independent.times(vectors, rounding)
        out += transposed * self.independent.transposed_times(vectors, rounding)
        return out.astype(vectors.dtype, copy=False)

    def times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return J x for each row x."""
        return self._mixed(self.straight, self.transposed, vectors, rounding)

    def transposed_times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
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
        known = self.independent.forward.basis.rows
        gain = self.independent.gain * np.sqrt(self.independent.ratios[0])
        return square_outliers(known, [*parts, *updates], gain, self.symmetry, vectors)

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Refuse: the singular values of a matrix with a symmetry are not known."""
        raise ProgramError(f"{program_line()}: the singular values of a coupling with a symmetry are not known")
