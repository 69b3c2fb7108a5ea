"""The physics of ``J @ x``: coloured noise and memory of one Gaussian random matrix.

`GaussianMatrix` is the cavity form of a random matrix, written once: the orthonormal vectors that it was multiplied
with, the fresh normal vector that each became, and the memory that makes ``J.T`` the transpose of ``J``.  With matched
draws it is the limit N -> infinity; with plain ones it is the exact law of a finite matrix that nobody stores.
`Coupling` is the object that a site program holds: it checks, splits off the perturbed twins, and adds the rank-one
updates.  Real matrices are in ``finite.py``, tensors in ``tensor.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sitesampler.draws import Draws
from sitesampler.errors import ProgramError, program_line, shown
from sitesampler.history import History, Rows
from sitesampler.order import LiveOrderParameters
from sitesampler.spectrum import LowRank, Outliers, rectangular_outliers, square_outliers

if TYPE_CHECKING:
    from sitesampler.network import Group, Network


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
                f"{program_line()}: the outliers of a coupling that is partially symmetric and was multiplied both ways "
                "are not known; use symmetry 0, 1 or -1, or products with J alone"
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


class _Updates:
    """Left and right vectors of rank-one updates, kept once however many couplings they were added to."""

    def __init__(self, rows: Group, cols: Group) -> None:
        self.left, self.right = rows.history(), cols.history()


class Coupling:
    """A Gaussian random matrix between two groups, as a site program holds it.

    Made by ``net.coupling``; the program says ``J @ x``, ``J.T @ y``, ``J.add(...)`` and ``J.scale(...)``.

    Parameters
    ----------
    net : Network
        The world it lives in.
    rows, cols : Group
        Groups of its left and right sides.
    matrix : Matrix
        Its Gaussian part.
    gain : float
        Entries have variance gain^2/N.
    """

    __array_ufunc__ = None  # so that `x @ J` comes to __rmatmul__ instead of looping over the entries of x

    def __init__(self, net: Network, rows: Group, cols: Group, matrix: Matrix, gain: float) -> None:
        self.net, self.rows, self.cols = net, rows, cols
        self.matrix = matrix
        self.gain = gain
        self._own: _Updates | None = None
        self._strengths: dict[_Updates, NDArray[np.float64]] = {}

    def __matmul__(self, x: Any) -> NDArray[np.floating]:
        """Return the field J x on the rows' sites, (rows,) or (rows, k) like x."""
        return self._product(x, self.cols, self.rows, transposed=False)

    def __rmatmul__(self, x: Any) -> NDArray[np.floating]:
        """Refuse ``x @ J``: the program says ``J.T @ x``."""
        raise ProgramError(f"{program_line()}: a vector stands left of a coupling; write J.T @ x instead of x @ J")

    @property
    def T(self) -> TransposedCoupling:
        """The transposed coupling."""
        return TransposedCoupling(self)

    def add(self, left: Any, right: Any = None, strength: float = 1.0) -> None:
        """Update J += strength/N left right^T, summed over inner columns; or J += strength V for a coupling V.

        Parameters
        ----------
        left : (rows,) or (rows, k) array, or Coupling
            Site vector of the rows' group.  A coupling must have gain 0 (it then is a sum of updates, such as the
            velocity of momentum) and the same groups.
        right : (cols,) or (cols, k) array
            Site vector of the columns' group, with as many inner columns as ``left``.
        strength : float

        Raises
        ------
        ProgramError
            If the shapes or groups do not fit.
        """
        self.net.note("add", self.rows.name, self.cols.name, isinstance(left, Coupling))
        self._check_number(strength, "the strength of J.add")
        if isinstance(left, Coupling):
            self._add_coupling(left, float(strength), right)
            return
        lefts = self.net.as_rows(left, self.rows, "the left vector of J.add")
        rights = self.net.as_rows(right, self.cols, "the right vector of J.add")
        self.net.check_finite(lefts, "the left vector of J.add")
        self.net.check_finite(rights, "the right vector of J.add")
        if len(lefts) != len(rights):
            raise ProgramError(
                f"{program_line()}: J.add was given {len(lefts)} left and {len(rights)} right inner columns; "
                "they must be as many"
            )
        if self.net.absorb(self.matrix, lefts, rights, float(strength)):
            return
        if self._own is None:
            self._own = _Updates(self.rows, self.cols)
        self._own.left.append(lefts)
        self._own.right.append(rights)
        self._accumulate(self._own, np.full(len(lefts), float(strength)), len(self._own.left) - len(lefts))

    def scale(self, factor: float) -> None:
        """Multiply the whole matrix, updates included, by a number (weight decay)."""
        self.net.note("scale", self.rows.name, self.cols.name)
        self._check_number(factor, "the factor of J.scale")
        self.matrix.scale(float(factor))
        for strengths in self._strengths.values():
            strengths *= float(factor)

    def _check_number(self, value: Any, word: str) -> None:
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "fiu":
            raise ProgramError(f"{program_line()}: {word} must be a number, not {shown(value)}")
        self.net.check_finite(np.full((1, 1), value, float), word)

    def outlier_eigenvalues(self, *vectors: Any) -> Outliers:
        """Return the eigenvalues of a square coupling beyond its bulk, by decreasing modulus.

        Parameters
        ----------
        *vectors : (sites,) arrays
            Site vectors v whose squared overlaps (u.v)^2 / (|u|^2 |v|^2) with the eigenvectors u are wanted.

        Returns
        -------
        Outliers
            ``values`` and ``overlaps``; ``net.record(t, outliers=J.outlier_eigenvalues())`` records the values with
            the dimension ``outlier``, NaN where a replica has fewer.

        Raises
        ------
        ProgramError
            If the coupling joins two groups.
        """
        if self.rows is not self.cols:
            raise ProgramError(f"{program_line()}: a coupling between two groups has singular values, not eigenvalues")
        self.net.note("outlier_eigenvalues", self.rows.name, len(vectors))
        return self.matrix.eigenvalues(self._low_rank(), self._sites(vectors, self.rows))

    def outlier_singular_values(self, left: Any = (), right: Any = ()) -> Outliers:
        """Return the singular values of the coupling beyond its bulk, in decreasing order.

        They are those of the coupling itself (entries of variance gain^2/N); the z of eqs. (108)-(111) are their
        squares over the ratio of the columns.

        Parameters
        ----------
        left, right : sequences of (sites,) arrays
            Site vectors of the rows' and the columns' group whose squared overlaps with the singular vectors are
            wanted; those with the left ones come first.

        Returns
        -------
        Outliers
            See `outlier_eigenvalues`.
        """
        self.net.note("outlier_singular_values", self.rows.name, self.cols.name, len(left), len(right))
        given = self._sites(left, self.rows), self._sites(right, self.cols)
        return self.matrix.singular_values(self._low_rank(), *given)

    def _low_rank(self) -> list[LowRank]:
        """Updates as an operator on site vectors of average square 1, without the twins."""
        parts = []
        for updates, strengths in self._strengths.items():
            left = updates.left.rows[: len(strengths), : self.rows.size]
            right = updates.right.rows[: len(strengths), : self.cols.size]
            parts.append(LowRank(left, right, self.cols.ratio * strengths))
        return parts

    def _sites(self, vectors: Any, group: Group) -> Rows:
        rows = [self.net.as_rows(vector, group, "a vector to overlap with outliers") for vector in vectors]
        return np.concatenate([np.empty((0, group.rows)), *rows])[:, : group.size]

    def _add_coupling(self, other: Coupling, strength: float, right: Any) -> None:
        if right is not None or other.gain != 0 or (other.rows, other.cols) != (self.rows, self.cols):
            raise ProgramError(
                f"{program_line()}: only a coupling of gain 0 between the same groups can be added to another, "
                "as J.add(V, strength=...)"
            )
        if self.net.absorb_matrix(self.matrix, other.matrix, strength):
            return
        for updates, strengths in other._strengths.items():
            self._accumulate(updates, strength * strengths, 0)

    def _accumulate(self, updates: _Updates, strengths: NDArray[np.float64], start: int) -> None:
        total = np.zeros(max(start + len(strengths), len(self._strengths.get(updates, ()))))
        if updates in self._strengths:
            total[: len(self._strengths[updates])] = self._strengths[updates]
        total[start : start + len(strengths)] += strengths
        self._strengths[updates] = total

    def _product(self, x: Any, source: Group, target: Group, transposed: bool) -> NDArray[np.floating]:
        self.net.note("J.T @" if transposed else "J @", source.name, target.name)
        word = "the vector multiplied by " + ("J.T" if transposed else "J")
        everything = self.net.as_rows(x, source, word)
        self.net.check_finite(everything, word)
        vectors, rounding = source.with_differences(everything)
        multiply = self.matrix.transposed_times if transposed else self.matrix.times
        fields = multiply(vectors, rounding)
        out = target.with_twins(fields)
        for updates, strengths in self._strengths.items():
            near, far = (updates.right, updates.left) if transposed else (updates.left, updates.right)
            overlaps = self.net.order.overlaps(far, everything)[: len(strengths)]
            near.combine(source.ratio * strengths[:, None] * overlaps, out)
        return out[0] if np.ndim(x) == 1 else out.T


class TransposedCoupling:
    """The transpose of a coupling; it knows ``J.T @ y`` and ``J.T.T``."""

    __array_ufunc__ = None

    def __init__(self, coupling: Coupling) -> None:
        self._coupling = coupling

    def __matmul__(self, y: Any) -> NDArray[np.floating]:
        """Return the field J^T y on the columns' sites, (cols,) or (cols, k) like y."""
        J = self._coupling
        return J._product(y, J.rows, J.cols, transposed=True)

    def __rmatmul__(self, y: Any) -> NDArray[np.floating]:
        """Refuse ``y @ J.T``: the program says ``J @ y``."""
        raise ProgramError(f"{program_line()}: a vector stands left of a coupling; write J @ y instead of y @ J.T")

    @property
    def T(self) -> Coupling:
        """The coupling itself."""
        return self._coupling
