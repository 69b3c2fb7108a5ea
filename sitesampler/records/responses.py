"""Response estimators that a record is read with: perturbed twins, and Stein's lemma for tensor couplings.

Both are averages of a site vector (or of its difference to its twin) with the normal vectors that drove it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sitesampler.errors import ProgramError, program_line
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.table import Table

#: Share of a force below which it is rounding.
_NEGLIGIBLE = 1e-9


class Probe(ABC):
    """Normal vectors that a field was made of, one or more per time.

    Parameters
    ----------
    label : str
        Added to the name of the response: "" or "_name".
    dt : float or None
        Time step that the response is per unit time of; None for raw responses.
    columns : int or None
        Inner columns of the field.
    kicks : bool
        Whether the fields are kicks of the state of a flow at their times.
    """

    def __init__(self, label: str, dt: float | None, columns: int | None, kicks: bool = False) -> None:
        self.label, self.dt, self.columns, self.kicks = label, dt, columns, kicks
        #: Of the fields, in their order; several of one step have the same.
        self.times: list[float] = []

    def _note(self, time: float) -> None:
        if self.times and time < self.times[-1]:
            raise ProgramError(
                f"{program_line()}: a source or a force acts at {time} after it has acted at {self.times[-1]}, so that "
                "t' of its response has no one meaning; let it act in one loop"
            )
        self.times.append(time)

    @abstractmethod
    def correlate(self, sites: Rows, differences: Rows | None) -> Averages:
        """Return averages with the normals so far, (times, field columns, k), for a vector and its difference."""

    @abstractmethod
    def finish(self, averages: Averages) -> Averages:
        """Turn the averages of one record into derivatives."""

    def come(self, averages: Averages, time: float) -> Averages:
        """Return averages of what is recorded at a time, without those with kicks that come later.

        A state between two steps of a flow is made of both of them.
        """
        if self.kicks:
            averages[np.array(self.times) > time] = 0
        return averages

    def chosen(self, every: int) -> NDArray[np.intp]:
        """Return which of the times a thinned result keeps."""
        return np.arange(len(self.times))

    @property
    def unresolved(self) -> str:
        """What to say where some responses are not known, and stand as NaN; nothing where all are."""
        return ""


class SourceProbe(Probe):
    """The perturbations of ``net.source``: R(t, t') = <delta h(t) w(t')>."""

    def __init__(self, normals: Table, label: str, dt: float | None, columns: int | None, kicks: bool = False) -> None:
        super().__init__(label, dt, columns, kicks)
        self.normals = normals

    def append(self, time: float, field: Rows) -> None:
        """Keep the normals, (columns, size), that perturb this time."""
        self._note(time)
        self.normals.append(field)

    def correlate(self, sites: Rows, differences: Rows | None) -> Averages:
        """Return averages of the difference to the twin with the perturbations so far."""
        assert differences is not None
        averages = self.normals.project(differences)
        return averages.reshape(len(self.times), self.columns or 1, len(sites))

    def finish(self, averages: Averages) -> Averages:
        """Return the averages: perturbations of matched, unit variance need no further factor."""
        return averages


class SteinProbe(Probe):
    """The normals behind a tensor's force, xi = L z: R = <s z> L^{-1}.

    Parameters
    ----------
    images : Table
        The normals z, one for each time that the factor has.
    factor : callable
        Returns the lower triangular factor L at those times, (kept, kept), as far as it is known by then.
    label, dt, kicks
        See `Probe`.
    """

    def __init__(
        self, images: Table, factor: Callable[[], Averages], label: str, dt: float | None, kicks: bool = False
    ) -> None:
        super().__init__(label, dt, None, kicks)
        self._images, self._factor = images, factor
        self._indices: list[int | None] = []
        #: Forces that carry what a later one without a normal of its own does to the spins, too.
        self._spoilt: set[int] = set()

    def append(self, time: float, index: int | None) -> None:
        """Note that the tensor has made a force of its own at this time; in a stage of a flow that is no kick, None."""
        self._note(time)
        self._indices.append(index)

    def drop(self, time: float, weights: Averages) -> None:
        """Note that the tensor has made a force at this time that is, within the tolerance, this sum of earlier ones.

        In a step with several forces, those of its own do no harm: their responses add up.
        """
        here = range(len(self.times))
        shown = (n for n in here if self._indices[n] is not None)
        self._spoilt.update(n for n in shown if abs(weights[n]) > _NEGLIGIBLE and self.times[n] != time)

    @property
    def unresolved(self) -> str:
        """What to say where forces were not told apart."""
        if not self._spoilt:
            return ""
        return (
            "some of the forces of a tensor coupling follow from earlier ones within the tolerance, so that what each "
            "of them does to the spins cannot be told apart; use a smaller tolerance, a larger time step, or net.source"
        )

    def chosen(self, every: int) -> NDArray[np.intp]:
        """Return the kept times whose steps a thinned result keeps."""
        return np.array([n for n, i in enumerate(self._indices) if i is not None and i % every == 0], np.intp)

    def correlate(self, sites: Rows, differences: Rows | None) -> Averages:
        """Return averages of the vector itself with the normals so far."""
        return self._images.project(sites)[:, None, :]

    def finish(self, averages: Averages) -> Averages:
        """Undo the factor of the covariance."""
        count = len(averages)
        if count == 0:
            return averages
        flat = averages.reshape(count, -1)
        found = solve_triangular(self._factor()[:count, :count], flat, lower=True, trans=1).reshape(averages.shape)
        found[list(self._spoilt)] = np.nan
        return found
