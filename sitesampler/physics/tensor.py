"""The physics of the fully connected p-spin coupling: its force as coloured noise and memory.

A random tensor is not linear in what it is contracted with, so its fields live in the space of times: the covariance
of the force is the Gram matrix of tensor powers, which is factored as the run goes on, dropping times that add nothing
new.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.linalg import solve_triangular

from sitesampler.physics.order import OrderParameters
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.draws import Draws
from sitesampler.vectors.table import Table

#: Remainders below this, relative to the vector, are lost to rounding in the incremental Cholesky factor.
_SMALLEST_TOLERANCE = 1e-4
_ROUNDING = 1e-14


class Tensor(ABC):
    """What a tensor coupling needs of its tensor.

    Attributes
    ----------
    images : Table or None
        The normals behind the forces so far, by which responses are found; None where perturbed twins show them.
    weights : array
        With which the newest force is the sum of those that have a normal of their own, (kept,).
    """

    images: Table | None = None
    weights: Averages = np.zeros(0)

    @abstractmethod
    def force(self, state: Rows) -> Rows:
        """Return the force on sites and twins, (1, rows), from their state."""

    @property
    def factor(self) -> Averages:
        """Lower triangular factor L of the covariance of the force at the times that have images, (kept, kept)."""
        return np.zeros((0, 0))


class GaussianTensor(Tensor):
    r"""A fully connected random tensor, known only by its forces so far.

    The force is -dH/ds of eq. (1), whose single-site form is, eqs. (5)-(7) of the tutorial,

    .. math::
        F(t) = \xi(t) + p(p-1) \sum_{t'} R(t, t') C(t, t')^{p-2} s(t'),
        \qquad \langle \xi(t) \xi(t') \rangle = p\, C(t, t')^{p-1}.

    With the factor L of that covariance, xi = L z, Stein's lemma gives the response, R = <s z> L^{-1}.

    Parameters
    ----------
    draws : Draws
        Random vectors of the spins.
    p : int
        Number of spins that interact, at least 2.
    order : OrderParameters
        Where the averages come from.
    tolerance : float
        A time is dropped from the factor when its tensor power leaves the span of earlier ones by less.
    """

    def __init__(self, draws: Draws, p: int, order: OrderParameters, tolerance: float) -> None:
        self.draws, self.p, self.order = draws, p, order
        self.tolerance = max(tolerance, _SMALLEST_TOLERANCE)
        self.states = draws.layout.table_with_twins()
        self.images: Table = draws.table()
        self._none = draws.table()  # no vector of the group is known to the tensor beforehand
        self._kept: list[int] = []
        self._factor = np.zeros((0, 0))

    @property
    def factor(self) -> Averages:
        """Lower triangular factor L of the covariance of the force at the kept times, (kept, kept)."""
        kept = len(self._kept)
        return self._factor[:kept, :kept]

    def force(self, state: Rows) -> Rows:
        """Return the force on sites and twins, (1, rows)."""
        p, layout = self.p, self.draws.layout
        self.states.append(state)
        overlaps = self.order.overlaps(self.states, state)[:, 0]
        covariance = p * overlaps ** (p - 1)
        memory = np.zeros(len(overlaps))
        if self._kept:
            response = self.order.response(self.images, state[:, : layout.size], self.factor)[:, 0]
            memory[self._kept] = p * (p - 1) * response * overlaps[self._kept] ** (p - 2)
        field = arrays.zeros(1, layout.size, layout.dtype)
        self.images.combine(self._extend(covariance)[:, None], field)
        out = layout.repeated(field)
        self.states.combine(memory[:, None], out)
        return out

    def _extend(self, covariance: Averages) -> Averages:
        """Return the row of the factor that belongs to the newest time; draw a fresh normal if it needs one."""
        kept = len(self._kept)
        row = solve_triangular(self.factor, covariance[self._kept], lower=True) if kept else np.zeros(0)
        rest = covariance[-1] - row @ row
        if not self.order.keeps(rest, covariance[-1], self.tolerance):
            self.weights = solve_triangular(self.factor, row, lower=True, trans=1) if kept else row
            return row
        # A time that an earlier iteration kept may by now be in the span of the others, up to rounding.
        rest = max(rest, _ROUNDING * covariance[-1])
        if kept == len(self._factor):
            larger = np.zeros((kept + 64, kept + 64))
            larger[:kept, :kept] = self.factor
            self._factor = larger
        self._factor[kept, :kept], self._factor[kept, kept] = row, np.sqrt(rest)
        self._kept.append(len(covariance) - 1)
        self.draws.images(1, into=self.images, off=self._none)
        self.weights = np.append(np.zeros(kept), 1.0)
        return np.append(row, np.sqrt(rest))
