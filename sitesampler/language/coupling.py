"""What a site program holds of a random matrix: products, updates, outliers.

`Coupling` checks its arguments, splits off the perturbed twins, and adds the rank-one updates to what the matrix
itself gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, is_number, program_line
from sitesampler.language.checks import check_number, check_vectors
from sitesampler.language.groups import Group
from sitesampler.language.no_array import NoArray
from sitesampler.language.stage import OfState, Stage
from sitesampler.physics.matrix import Matrix
from sitesampler.physics.spectrum import LowRank, Outliers
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows


class _Updates:
    """Left and right vectors of rank-one updates, kept once however many couplings they were added to."""

    def __init__(self, rows: Group, cols: Group) -> None:
        self.left, self.right = rows.layout.table_with_twins(), cols.layout.table_with_twins()


class _Linear(NoArray):
    """What has products with site vectors, and no entries that a program could see.

    Parameters
    ----------
    word : str
        How a program writes it, and how its transpose.
    """

    def __init__(self, word: str, transposed: str) -> None:
        self._word, self._transposed = word, transposed

    def _instead(self, symbol: str, others: tuple[Any, ...]) -> str:
        J = self._word
        by, x = "c" if others and is_number(others[0]) else "x", "x" if J == "J" else "y"
        forms = {
            "+": f"a sum of couplings is taken of their products; write {J} @ x + K @ x instead of ({J} + K) @ x",
            "-": f"a difference of couplings is taken of their products; write {J} @ x - K @ x",
            "/": f"a coupling is not divided by a number, its product is; write ({J} @ x) / c",
            "neg": f"a coupling has no sign of its own; write -({J} @ x) instead of -{J} @ x",
            "call": f"the product with a vector is written {J} @ x",
            "left of @": f"a vector stands left of a coupling; write {self._transposed} @ {x} instead of {x} @ {J}",
            "+=": "a coupling is changed by J.add(left, right, strength), which adds strength/N left right^T",
            "*=": "a coupling is changed by J.scale(factor), which multiplies all of it",
            "*c": f"a coupling is not multiplied by a number, its product is; write c * ({J} @ x), or give it a gain",
            "*x": f"the product of a coupling with a vector is written {J} @ x, not {J} * x",
        }
        key = symbol + by if symbol == "*" else symbol
        return forms.get(
            key, f"a coupling has no entries to be seen, only products: {J} @ x and {self._transposed} @ y"
        )


class Coupling(_Linear):
    """A Gaussian random matrix between two groups, as a site program holds it.

    Made by ``net.coupling``; the program says ``J @ x``, ``J.T @ y``, ``J.add(...)`` and ``J.scale(...)``.

    Parameters
    ----------
    stage : Stage
        Where the program is.
    rows, cols : Group
        Groups of its left and right sides.
    matrix : Matrix
        Its Gaussian part.
    gain : float
        Entries have variance gain^2/N.
    """

    def __init__(self, stage: Stage, rows: Group, cols: Group, matrix: Matrix, gain: float) -> None:
        super().__init__("J", "J.T")
        self._stage, self.rows, self.cols = stage, rows, cols
        self.matrix = matrix
        self.gain = gain
        self._own: _Updates | None = None
        self._strengths: dict[_Updates, NDArray[np.float64]] = {}
        self._of_state = {transposed: OfState(stage) for transposed in (False, True)}

    def __matmul__(self, x: Any) -> NDArray[np.floating]:
        """Return the field J x on the rows' sites, (rows,) or (rows, k) like x."""
        return self._product(x, self.cols, self.rows, transposed=False)

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
        self._check_number(strength, "the strength of J.add")
        if isinstance(left, Coupling):
            self._add_coupling(left, float(strength), right)
            return
        lefts = self.rows.rows_of(left, "the left vector of J.add")
        rights = self.cols.rows_of(right, "the right vector of J.add")
        given = (left, right, strength)
        self._stage.say("add", self.rows.name, self.cols.name, detail=(False,), columns=len(lefts), given=given)
        self._stage.check_finite(lefts, "the left vector of J.add")
        self._stage.check_finite(rights, "the right vector of J.add")
        if len(lefts) != len(rights):
            raise ProgramError(
                f"{program_line()}: J.add was given {len(lefts)} left and {len(rights)} right inner columns; "
                "they must be as many"
            )
        self._stage.ask(lambda: self._update(lefts, rights, float(strength)))

    def _changes(self) -> None:
        for product in self._of_state.values():
            product.forget()

    def _update(self, lefts: Rows, rights: Rows, strength: float) -> None:
        self._changes()
        if self.matrix.absorb(lefts, rights, strength):
            return
        if self._own is None:
            self._own = _Updates(self.rows, self.cols)
        self._own.left.append(lefts)
        self._own.right.append(rights)
        self._accumulate(self._own, np.full(len(lefts), strength), len(self._own.left) - len(lefts))

    def scale(self, factor: float) -> None:
        """Multiply the whole matrix, updates included, by a number (weight decay)."""
        self._stage.say("scale", self.rows.name, self.cols.name, given=(factor,))
        self._check_number(factor, "the factor of J.scale")
        self._stage.ask(lambda: self._scale(float(factor)))

    def _scale(self, factor: float) -> None:
        self._changes()
        self.matrix.scale(factor)
        for strengths in self._strengths.values():
            strengths *= factor

    def _check_number(self, value: Any, word: str) -> None:
        check_number(value, word)
        self._stage.check_finite(np.full((1, 1), value, float), word)

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
        self._stage.say("outlier_eigenvalues", self.rows.name, detail=(len(vectors),), given=vectors)
        sites = self._sites(vectors, self.rows)
        return self._stage.ask(lambda: self.matrix.eigenvalues(self._low_rank(), sites))

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
        left, right = check_vectors(left, "left"), check_vectors(right, "right")
        detail, given = (len(left), len(right)), (*left, *right)
        self._stage.say("outlier_singular_values", self.rows.name, self.cols.name, detail=detail, given=given)
        sites = self._sites(left, self.rows), self._sites(right, self.cols)
        return self._stage.ask(lambda: self.matrix.singular_values(self._low_rank(), *sites))

    def _low_rank(self) -> list[LowRank]:
        """Return the updates as an operator on site vectors of average square 1, without the twins."""
        parts = []
        for updates, strengths in self._strengths.items():
            left = arrays.on_host(updates.left.rows[: len(strengths), : self.rows.size])
            right = arrays.on_host(updates.right.rows[: len(strengths), : self.cols.size])
            parts.append(LowRank(left, right, self.cols.ratio * strengths))
        return parts

    def _sites(self, vectors: Any, group: Group) -> Rows:
        rows = [arrays.on_host(group.rows_of(vector, "a vector to overlap with outliers")) for vector in vectors]
        return np.concatenate([np.empty((0, group.layout.rows)), *rows])[:, : group.size]

    def _add_coupling(self, other: Coupling, strength: float, right: Any) -> None:
        if right is not None or other.gain != 0 or (other.rows, other.cols) != (self.rows, self.cols):
            raise ProgramError(
                f"{program_line()}: only a coupling of gain 0 between the same groups can be added to another, "
                "as J.add(V, strength=...)"
            )
        self._stage.say("add", self.rows.name, self.cols.name, detail=(True,), given=(strength,))
        self._stage.ask(lambda: self._update_by(other, strength))

    def _update_by(self, other: Coupling, strength: float) -> None:
        self._changes()
        if self.matrix.absorb_matrix(other.matrix, strength):
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
        word = "J.T" if transposed else "J"
        if isinstance(x, _Linear):
            raise ProgramError(f"{program_line()}: a product of couplings acts on a vector; write {word} @ (K @ x)")
        everything = source.rows_of(x, f"the vector multiplied by {word}")
        self._stage.say(f"{word} @", source.name, target.name, columns=len(everything), given=(x,))
        self._stage.check_finite(everything, f"the vector multiplied by {word}")

        def field() -> NDArray[np.floating]:
            out = self._of_state[transposed].of(x, lambda: self._fields(everything, source, target, transposed))
            return out[0] if np.ndim(x) == 1 else out.T

        return self._stage.ask(field)

    def _fields(self, everything: Rows, source: Group, target: Group, transposed: bool) -> Rows:
        vectors, rounding = source.layout.sites_and_differences(everything)
        multiply = self.matrix.transposed_times if transposed else self.matrix.times
        fields = multiply(vectors, rounding)
        out = target.layout.with_twins(fields)
        for updates, strengths in self._strengths.items():
            near, far = (updates.right, updates.left) if transposed else (updates.left, updates.right)
            overlaps = self._stage.order.overlaps(far, everything)[: len(strengths)]
            near.combine(source.ratio * strengths[:, None] * overlaps, out)
        return out


class TransposedCoupling(_Linear):
    """The transpose of a coupling; it knows ``J.T @ y`` and ``J.T.T``."""

    def __init__(self, coupling: Coupling) -> None:
        super().__init__("J.T", "J")
        self._coupling = coupling

    def __matmul__(self, y: Any) -> NDArray[np.floating]:
        """Return the field J^T y on the columns' sites, (cols,) or (cols, k) like y."""
        J = self._coupling
        return J._product(y, J.rows, J.cols, transposed=True)

    @property
    def T(self) -> Coupling:
        """The coupling itself."""
        return self._coupling
