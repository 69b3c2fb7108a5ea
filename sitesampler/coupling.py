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
from sitesampler.errors import ProgramError, program_line
from sitesampler.history import History, Rows
from sitesampler.order import LiveOrderParameters

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

    def __init__(self, independent: Matrix, symmetry: float) -> None:
        self.independent = independent
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
    def T(self) -> TransposedCoupling:  # noqa: N802 (the name that arrays have)
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
        if isinstance(left, Coupling):
            self._add_coupling(left, float(strength), right)
            return
        lefts = self.net.as_rows(left, self.rows, "the left vector of J.add")
        rights = self.net.as_rows(right, self.cols, "the right vector of J.add")
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
        self.matrix.scale(float(factor))
        for strengths in self._strengths.values():
            strengths *= float(factor)

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
    def T(self) -> Coupling:  # noqa: N802 (the name that arrays have)
        """The coupling itself."""
        return self._coupling
