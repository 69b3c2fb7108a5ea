"""The physics of the fully connected p-spin coupling: its force as coloured noise and memory.

A random tensor is not linear in what it is contracted with, so its fields live in the space of times: the covariance
of the force is the Gram matrix of tensor powers, which is factored as the run goes on, dropping times that add nothing
new.  The real tensor of a finite network is in ``finite.py``.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sitesampler.errors import ProgramError, program_line
from sitesampler.records.responses import SteinProbe
from sitesampler.records.variable import FORCE
from sitesampler.vectors.table import Rows

if TYPE_CHECKING:
    from sitesampler.language.groups import Group
from sitesampler.language.network import Network

#: Remainders below this, relative to the vector, are lost to rounding in the incremental Cholesky factor.
_SMALLEST_TOLERANCE = 1e-4
_ROUNDING = 1e-14


class TensorCoupling:
    r"""The p-spin coupling of N = infinity, as a site program holds it.

    The force ``K.force(s)`` is -dH/ds of eq. (1), whose single-site form is, eqs. (5)-(7) of the tutorial,

    .. math::
        F(t) = \xi(t) + p(p-1) \sum_{t'} R(t, t') C(t, t')^{p-2} s(t'),
        \qquad \langle \xi(t) \xi(t') \rangle = p\, C(t, t')^{p-1}.

    With the factor L of that covariance, xi = L z, Stein's lemma gives the response, R = <s z> L^{-1}.

    Parameters
    ----------
    net : Network
        The world it lives in.
    group : Group
        The spins.
    order : int
        Number p of spins that interact, at least 2.
    tolerance : float
        A time is dropped from the factor when its tensor power leaves the span of earlier ones by less.
    """

    def __init__(self, net: Network, group: Group, order: int, tolerance: float) -> None:
        self.net, self.group, self.order = net, group, order
        self.tolerance = max(tolerance, _SMALLEST_TOLERANCE)
        self.states = group.history()
        self.images = group.draws.history()
        self.none = group.draws.history()  # no vector of the group is known to the tensor beforehand
        self.kept: list[int] = []
        self._factor = np.zeros((0, 0))
        self._probe: SteinProbe | None = None

    @property
    def factor(self) -> NDArray[np.float64]:
        """Lower triangular factor L of the covariance of the force at the kept times, (kept, kept)."""
        kept = len(self.kept)
        return self._factor[:kept, :kept]

    def force(self, s: Any) -> NDArray[np.floating]:
        """Return -dH/ds on the spins, (sites,).

        A step may take several forces, as the schemes of Heun and of Runge and Kutta do.  The response R_s(t, t') is
        then that to a field which is the same in all forces of the step at t': the sum of the responses to each.

        Raises
        ------
        ProgramError
            If ``s`` is not a site vector of the coupling's group, or has inner columns.
        """
        self.net.note("force", self.group.name)
        everything = spins(self.net, self.group, s)
        p, state = self.order, everything[:, : self.group.size]
        self.states.append(everything)
        overlaps = self.net.order.overlaps(self.states, everything)[:, 0]
        covariance = p * overlaps ** (p - 1)
        memory = np.zeros(len(overlaps))
        if self.kept:
            response = self.net.order.response(self.images, state, self.factor)[:, 0]
            memory[self.kept] = p * (p - 1) * response * overlaps[self.kept] ** (p - 2)
        field = np.zeros((1, self.group.size), everything.dtype)
        self.images.combine(self._extend(covariance)[:, None], field)
        out = self.group.repeated(field)
        self.states.combine(memory[:, None], out)
        return out[0]

    def _extend(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the row of the factor that belongs to the newest time; draw a fresh normal if it needs one."""
        kept = len(self.kept)
        row = solve_triangular(self.factor, covariance[self.kept], lower=True) if kept else np.zeros(0)
        rest = covariance[-1] - row @ row
        if not self.net.order.keeps(rest, covariance[-1], self.tolerance):
            return row
        # A time that an earlier iteration kept may by now be in the span of the others, up to rounding.
        rest = max(rest, _ROUNDING * covariance[-1])
        if kept == len(self._factor):
            larger = np.zeros((kept + 64, kept + 64))
            larger[:kept, :kept] = self.factor
            self._factor = larger
        self._factor[kept, :kept], self._factor[kept, kept] = row, np.sqrt(rest)
        self.kept.append(len(covariance) - 1)
        if self._probe is None:
            probe = SteinProbe(self, self.net.label(self.group, FORCE), self.net.step)
            self.net.recorder.add_probe(self.group.name, probe)
            self._probe = weakref.proxy(probe)  # it knows this coupling, and the recorder keeps it
        self._probe.append(self.net.time, self.net.index)
        self.group.draws.images(1, into=self.images, off=self.none)
        return np.append(row, np.sqrt(rest))


def spins(net: Network, group: Group, s: Any) -> Rows:
    """Return the argument of a force as one row, checked."""
    rows = net.as_rows(s, group, "the argument of force")
    if len(rows) != 1 or np.ndim(s) != 1:
        raise ProgramError(f"{program_line()}: a tensor coupling acts on one vector of spins, without inner columns")
    net.check_finite(rows, "the argument of force")
    return rows
