"""Layouts: how the site vectors of one group lie in memory, with or without their perturbed twins.

A program holds a site vector as an array, (sites,) or (sites, columns).  The engine holds it as rows, (columns, sites),
and where responses are wanted each row has a second half, the twin: the same sites under a perturbation that is small
enough for their difference to be linear in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.table import Table
from sitesampler.vectors.threads import Lanes


@dataclass(frozen=True)
class Layout:
    """The sites of one group, as rows know them.

    Parameters
    ----------
    size : int
        Number of sites or samples.
    dtype : numpy.dtype
        Precision of the vectors.
    lanes : Lanes
        Threads that share the blocks of samples.
    perturbation : float or None
        Size of a perturbation of the twins; None where vectors have no twins.

    Examples
    --------
    >>> pair = Layout(2, perturbation=1e-3)
    >>> rows = pair.rows_of(np.array([1.0, 2.0, 1.001, 2.0]))
    >>> rows.shape, pair.differences(rows).round(6)
    ((1, 4), array([[1., 0.]]))
    """

    size: int
    dtype: np.dtype = field(default=np.dtype(float))
    lanes: Lanes = field(default_factory=Lanes)
    perturbation: float | None = None

    def with_twins_if(self, wanted: bool) -> Layout:
        """Return the layout with perturbed twins, or itself."""
        # Small enough to be linear, large enough that rounding in the difference does not show.
        small = 1e-6 if self.dtype == np.float64 else 1e-3
        return replace(self, perturbation=small) if wanted else self

    @property
    def rows(self) -> int:
        """Length of a row: the sites, and their twins where there are any."""
        return self.size if self.perturbation is None else 2 * self.size

    # -------------------------------------------------------------------------------------------------------- making
    def table(self, capacity: int = 0) -> Table:
        """Return an empty table of vectors over the sites alone."""
        return Table(self.size, self.dtype, self.lanes, capacity=capacity)

    def table_with_twins(self) -> Table:
        """Return an empty table of whole rows, whose averages leave the twins out."""
        return Table(self.rows, self.dtype, self.lanes, averaged=self.size)

    def zeros(self, count: int) -> Rows:
        """Return rows of zeros over sites and twins."""
        return arrays.zeros(count, self.rows, self.dtype)

    # --------------------------------------------------------------------------------------- arrays of a program, rows
    def holds(self, array: NDArray[Any]) -> bool:
        """Say whether an array has the shape and the numbers of a site vector."""
        return array.ndim in (1, 2) and len(array) == self.rows and array.dtype.kind in "fiub"

    def rows_of(self, array: NDArray[Any]) -> Rows:
        """Return a site vector of the program as rows."""
        return arrays.contiguous(np.atleast_2d(array.T), self.dtype)

    def array_of(self, rows: Rows, columns: int | None) -> NDArray[np.floating]:
        """Return rows over the sites as the program holds them, the twins alike: (sites,), or (sites, columns)."""
        full = arrays.contiguous(self.repeated(rows), self.dtype)
        return full[0] if columns is None else full.T

    # ---------------------------------------------------------------------------------------------------------- twins
    def repeated(self, rows: Rows) -> Rows:
        """Give the twins what the sites have: (k, size) -> (k, rows)."""
        return rows if self.perturbation is None else arrays.joined([rows, rows], axis=1)

    def perturbed(self, fields: Rows) -> Rows:
        """Return rows that are zero at the sites and a small field at their twins."""
        full = self.zeros(len(fields))
        if self.perturbation is not None:
            full[:, self.size :] = self.perturbation * fields
        return full

    def sites_and_differences(self, rows: Rows) -> tuple[Rows, Averages]:
        """Split rows into what a matrix is to be multiplied with, and the rounding in it.

        Returns
        -------
        vectors : (k, size) or (2 k, size) array
            The vectors, and the differences to their twins per unit of perturbation.
        rounding : (k,) or (2 k,) array
            Squared norm, per site, of the rounding in each.
        """
        if self.perturbation is None:
            return rows, np.zeros(len(rows))
        base = rows[:, : self.size]
        squares = arrays.mean_squares(base)
        rounding = np.concatenate([0 * squares, self.twin_rounding**2 * squares])
        return arrays.joined([base, self.differences(rows)]), rounding

    def with_twins(self, fields: Rows) -> Rows:
        """Undo `sites_and_differences` for the fields that came of it: (2 k, size) -> (k, rows)."""
        if self.perturbation is None:
            return fields
        count = len(fields) // 2
        base, differences = fields[:count], fields[count:]
        return arrays.joined([base, base + fields.dtype.type(self.perturbation) * differences], axis=1)

    def differences(self, rows: Rows) -> Rows:
        """Return the differences of the twins to the sites per unit of perturbation, (k, size)."""
        return (rows[:, self.size :] - rows[:, : self.size]) / rows.dtype.type(self.perturbation)

    @property
    def twin_rounding(self) -> float:
        """Rounding in a difference to the twins, per unit of perturbation and of the vector's own size; 0 without."""
        return 0.0 if self.perturbation is None else 8 * float(np.finfo(self.dtype).eps) / self.perturbation
