"""Groups of sites: what a program draws from, and how its vectors are laid out.

A site vector is a NumPy array, (sites,) or (sites, columns).  Inside, vectors are rows, (columns, rows of the group),
and where a program has a source each carries a second copy of its sites, the perturbed twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.errors import ProgramError, program_line, shown
from sitesampler.vectors.draws import Draws
from sitesampler.vectors.table import History, Rows, mean_squares

if TYPE_CHECKING:
    from sitesampler.language.network import Network


class Group:
    """Sites of one kind: neurons, features, data points.

    Made by ``net.sites``; the program draws one random number per site from it.  A site vector is a NumPy array whose
    first axis runs over the sites; further columns are inner ones, one per input for example.

    Parameters
    ----------
    net : Network
        The world it lives in.
    name : str
        Dimension of its trajectories in the result.
    ratio : float
        Its size over N.
    draws : Draws
        Its random vectors.
    """

    def __init__(self, net: Network, name: str, ratio: float, draws: Draws) -> None:
        self.net, self.name, self.ratio, self.draws = net, name, ratio, draws
        self.size = draws.size
        # With a source in the program every site vector has a second copy of its rows, the perturbed twin.
        self.rows = 2 * self.size if net.has_twins else self.size

    def normal(self, k: int | None = None, *, covariance: ArrayLike | None = None) -> NDArray[np.floating]:
        """Draw standard normal numbers, (sites,) or (sites, k).

        Parameters
        ----------
        k : int, optional
            Number of inner columns.
        covariance : (k, k) array, optional
            Covariance of the inner columns, symmetric and positive semidefinite.

        Raises
        ------
        ProgramError
            If ``covariance`` is not a covariance matrix.
        """
        check_columns(k)
        if covariance is None:
            self.net.note("normal", self.name, k)
            return self._columns(self.draws.normal(k or 1), k)
        matrix = np.asarray(covariance, float)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T):
            raise ProgramError(
                f"{program_line()}: covariance must be a symmetric matrix of numbers, not {matrix.tolist()}"
            )
        if k not in (None, len(matrix)):
            raise ProgramError(f"{program_line()}: {k} inner columns do not fit a covariance of shape {matrix.shape}")
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -1e-10 * max(values[-1], 1e-300):
            raise ProgramError(f"{program_line()}: covariance has the negative eigenvalue {values[0]:.3g}")
        self.net.note("normal", self.name, len(matrix))
        root = (vectors * np.sqrt(np.maximum(values, 0))).astype(self.draws.dtype)
        return self._columns(root @ self.draws.normal(len(matrix)), len(matrix))

    def uniform(self, k: int | None = None, *, low: float = 0.0, high: float = 1.0) -> NDArray[np.floating]:
        """Draw numbers uniform between ``low`` and ``high``, (sites,) or (sites, k)."""
        check_columns(k)
        self.net.note("uniform", self.name, k)
        return self._columns(low + (high - low) * self.draws.uniform(k or 1), k)

    def bernoulli(self, probability: float, k: int | None = None) -> NDArray[np.floating]:
        """Draw ones with the given probability, else zeros, (sites,) or (sites, k).

        Raises
        ------
        ProgramError
            If ``probability`` is not between 0 and 1.
        """
        check_columns(k)
        if not 0 <= probability <= 1:
            raise ProgramError(f"{program_line()}: a probability lies between 0 and 1, not at {probability}")
        self.net.note("bernoulli", self.name, k)
        return self._columns((self.draws.uniform(k or 1) < probability).astype(self.draws.dtype), k)

    def choice(
        self, options: ArrayLike, k: int | None = None, *, probabilities: ArrayLike | None = None
    ) -> NDArray[np.floating]:
        """Draw one of the options for each site, equally likely unless ``probabilities`` says otherwise.

        Raises
        ------
        ProgramError
            If there is not one probability per option, or they do not add up to 1.
        """
        check_columns(k)
        values = np.asarray(options, self.draws.dtype).ravel()
        if len(values) == 0:
            raise ProgramError(f"{program_line()}: choice needs at least one option")
        weights = np.full(len(values), 1 / len(values)) if probabilities is None else np.asarray(probabilities, float)
        if weights.shape != values.shape or np.any(weights < 0) or not np.isclose(weights.sum(), 1):
            raise ProgramError(f"{program_line()}: choice needs one probability per option, adding up to 1")
        self.net.note("choice", self.name, k)
        edges = np.cumsum(weights)[:-1]
        return self._columns(values[np.searchsorted(edges, self.draws.uniform(k or 1), side="right")], k)

    def values(self, table: ArrayLike) -> NDArray[np.floating]:
        """Deal given values to the sites, in equal shares: a spectrum of modes, labels, a constant.

        Parameters
        ----------
        table : float, (n,) array or (n, k) array
            Site i of S gets row ``floor(i n / S)``, so that tables of the same length stay paired.
        """
        rows = np.atleast_1d(np.asarray(table, self.draws.dtype))
        if rows.ndim > 2 or len(rows) == 0:
            raise ProgramError(
                f"{program_line()}: values takes a number, a list or a table, not an array of shape {rows.shape}"
            )
        self.net.note("values", self.name, rows.shape[1:])
        dealt = rows[np.arange(self.size) * len(rows) // self.size]
        columns = np.ascontiguousarray(dealt.reshape(self.size, -1).T)
        if len(rows) > 1:
            self.draws.see(columns)
        return self._columns(columns, None if rows.ndim == 1 else rows.shape[1])

    def history(self) -> History:
        """Return an empty table of site vectors of this group, whose averages leave the twins out."""
        return History(self.rows, self.draws.dtype, self.draws.lanes, averaged=self.size)

    def repeated(self, rows: Rows) -> Rows:
        """Give the twins what the sites have: (k, size) -> (k, rows)."""
        return np.concatenate([rows, rows], axis=1) if self.rows > self.size else rows

    def with_differences(self, rows: Rows) -> tuple[Rows, NDArray[np.float64]]:
        """Split site vectors, (k, rows), into what a matrix is to be multiplied with, and the rounding in it.

        Returns
        -------
        vectors : (k, size) or (2 k, size) array
            The vectors, and the differences to their twins per unit of perturbation.
        rounding : (k,) or (2 k,) array
            Squared norm, per site, of the rounding in each.
        """
        if self.rows == self.size:
            return rows, np.zeros(len(rows))
        base = rows[:, : self.size]
        squares = mean_squares(base)
        rounding = np.concatenate([0 * squares, self.twin_rounding**2 * squares])
        return np.concatenate([base, self.differences(rows)]), rounding

    @property
    def twin_rounding(self) -> float:
        """Rounding in a difference to the twins, per unit of perturbation and of the vector's own size."""
        return 8 * float(np.finfo(self.draws.dtype).eps) / self.net.perturbation

    def differences(self, rows: Rows) -> Rows:
        """Return the differences of the twins to the sites per unit of perturbation, (k, size)."""
        return (rows[:, self.size :] - rows[:, : self.size]) / rows.dtype.type(self.net.perturbation)

    def with_twins(self, fields: Rows) -> Rows:
        """Undo `with_differences` for the fields that came of it: (2 k, size) -> (k, rows)."""
        if self.rows == self.size:
            return fields
        base, differences = np.split(fields, 2)
        return np.concatenate([base, base + fields.dtype.type(self.net.perturbation) * differences], axis=1)

    def _columns(self, rows: Rows, k: int | None) -> NDArray[np.floating]:
        full = np.ascontiguousarray(self.repeated(rows), self.draws.dtype)
        return full[0] if k is None else full.T


def check_columns(k: Any) -> None:
    """Refuse what is not a number of inner columns."""
    if k is not None and (isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1):
        raise ProgramError(
            f"{program_line()}: the number k of inner columns must be an integer above 0, not {shown(k)}"
        )


def check_number(value: Any, word: str) -> None:
    """Refuse what is not a single real number."""
    if isinstance(value, bool) or np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "fiu":
        raise ProgramError(f"{program_line()}: {word} must be a number, not {shown(value)}")
