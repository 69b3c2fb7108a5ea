"""Random vectors over the sites of one group: plain draws, and moment-matched ones.

Two rules for the same requests.  `PlainDraws` are independent random numbers, for finite networks (with the exact law
of a Gaussian matrix behind ``images``).  `MatchedDraws` belong to N = infinity: every new normal vector is orthonormal,
over the population, to all that the group has seen before, so that averages which vanish in the limit vanish in the
sample too.  What the draws are used for is not known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import PopulationTooSmall
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows, mean_squares
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.table import Table

#: Normal vectors that are drawn and matched together, so that the past is read once for all of them.
_BATCH = 16
#: A projection that leaves less than this part of a vector's norm is repeated: rounding would spoil orthogonality.
_REPEAT_BELOW = 0.1


class Draws(ABC):
    """Source of random vectors over the sites of one group.

    Parameters
    ----------
    layout : Layout
        How many sites there are, and in which precision.
    seed : numpy.random.SeedSequence
        Stream of this group.
    """

    def __init__(self, layout: Layout, seed: np.random.SeedSequence) -> None:
        self.layout, self.size, self.dtype = layout, layout.size, layout.dtype
        self.generator = np.random.Generator(np.random.SFC64(seed))

    def table(self, capacity: int = 0) -> Table:
        """Return an empty table of vectors over this group's sites."""
        return self.layout.table(capacity)

    @property
    def seen(self) -> int:
        """Number of orthonormal vectors that the next draw must be orthogonal to."""
        return 0

    def raw(self, count: int) -> Rows:
        """Return independent standard normal vectors, (count, size)."""
        return self.generator.standard_normal((count, self.size), self.dtype)

    @abstractmethod
    def normal(self, count: int) -> Rows:
        """Return standard normal vectors, (count, size)."""

    @abstractmethod
    def uniform(self, count: int) -> Rows:
        """Return uniform numbers in [0, 1), (count, size)."""

    @abstractmethod
    def images(self, count: int, into: Table, off: Table) -> None:
        """Append the fresh normal vectors behind ``count`` new products with a matrix to ``into``.

        ``off`` holds the orthonormal vectors of this group that the transposed matrix was multiplied with: what the
        matrix does along them is known already.
        """

    @abstractmethod
    def see(self, rows: Rows) -> None:
        """Take note of vectors, (k, size), that later draws should be orthogonal to."""


class PlainDraws(Draws):
    """Independent random numbers, as in a finite network."""

    def normal(self, count: int) -> Rows:
        """Return independent standard normal vectors, (count, size)."""
        return self.raw(count)

    def uniform(self, count: int) -> Rows:
        """Return independent uniform numbers in [0, 1), (count, size)."""
        return self.generator.random((count, self.size), self.dtype)

    def images(self, count: int, into: Table, off: Table) -> None:
        """Append normals projected off ``off``: the exact conditional law of the rest of a Gaussian matrix."""
        rows = self.raw(count)
        off.combine(-off.project(rows), rows)
        into.append(rows)

    def see(self, rows: Rows) -> None:
        """Do nothing: plain draws are independent of everything."""


class MatchedDraws(Draws):
    """Moment-matched draws: orthonormal over the population to the constant, all draws and all vectors seen.

    Examples
    --------
    >>> import numpy as np
    >>> draws = MatchedDraws(Layout(50), np.random.SeedSequence(1))
    >>> z = draws.normal(2)
    >>> bool(np.allclose(z @ z.T / 50, np.eye(2))), bool(np.allclose(z.mean(1), 0))
    (True, True)
    """

    def __init__(self, layout: Layout, seed: np.random.SeedSequence) -> None:
        super().__init__(layout, seed)
        # `_directions`: the constant, and what seen vectors add to the span; `_own`: draws that no one else keeps.
        # The images of matrices are kept by their couplings and only registered here, so nothing is stored twice.
        self._directions, self._own = self.table(), self.table()
        self._directions.append(np.ones((1, self.size), self.dtype))
        self._seen: list[Table] = [self._directions, self._own]
        self._pool: Rows = arrays.empty(0, self.size, self.dtype)
        self._marks: list[int] = []
        # A direction smaller than this, relative to its vector, is rounding.
        self._negligible = max(1e-10, 30 * float(np.finfo(self.dtype).eps))

    @property
    def seen(self) -> int:
        """Number of orthonormal vectors that the next draw must be orthogonal to."""
        return sum(len(part) for part in self._seen)

    def normal(self, count: int) -> Rows:
        """Return matched standard normal vectors, (count, size)."""
        return self._draw(count, self._own)

    def uniform(self, count: int) -> Rows:
        """Return stratified uniform numbers, (count, size): one in each of ``size`` intervals, in random order."""
        strata = np.stack([self.generator.permutation(self.size) for _ in range(count)])
        rows = ((strata + self.generator.random((count, self.size))) / self.size).astype(self.dtype)
        self.see(rows)
        return rows

    def images(self, count: int, into: Table, off: Table) -> None:
        """Append matched normals to ``into``, which is then part of what later draws are orthogonal to."""
        if not any(part is into for part in self._seen):
            self._seen.append(into)
            self._marks.append(0)
        self._draw(count, into)

    def see(self, rows: Rows) -> None:
        """Add what the vectors, (k, size), do not share with earlier ones to the directions."""
        for row in rows:
            size = arrays.root_mean_square(row)
            rest, norm = self._project_off(row[None].copy(), [0] * len(self._seen))
            if size > 0 and norm[0] > self._negligible * size:
                self._directions.append(rest / float(norm[0]))

    def _draw(self, count: int, into: Table) -> Rows:
        if self.seen + count > self.size:
            raise PopulationTooSmall(
                f"a population of {self.size} samples is too small: its draws must be orthogonal to each other and to "
                f"the basis vectors, {self.seen + count} of them by now; use a population above {self.seen + count}"
            )
        start = len(into)
        for _ in range(count):
            if len(self._pool) == 0:
                self._refill(max(count, min(_BATCH, self.size - self.seen)))
            rest, norm = self._project_off(self._pool[:1].copy(), self._marks)
            if norm[0] < _REPEAT_BELOW:
                rest, norm = self._project_off(rest / float(norm[0]), [0] * len(self._seen))
            into.append(rest / float(norm[0]))
            self._pool = self._pool[1:]
        return into.rows[start:].copy()

    def _refill(self, count: int) -> None:
        """Draw a batch, orthogonal to all seen so far; each is later projected off what came after, and normalised."""
        rows = self.raw(count)
        self._marks = [len(part) for part in self._seen]
        # Random vectors are nearly orthogonal to the past, so one projection does, unless little room is left.
        for _ in range(1 if self.seen < self.size / 2 else 2):
            rows, norm = self._project_off(rows, [0] * len(self._seen), repeat=False)
            rows /= norm[:, None].astype(self.dtype)
        self._pool = rows

    def _project_off(self, rows: Rows, starts: list[int], repeat: bool = True) -> tuple[Rows, NDArray[np.float64]]:
        """Project rows, in place, off the seen vectors from ``starts`` on; return them and their norms."""
        before = np.sqrt(mean_squares(rows))
        for part, start in zip(self._seen, starts, strict=True):
            part.combine(-part.project(rows, start), rows, start)
        norm = np.sqrt(mean_squares(rows))
        if repeat and np.any(norm < _REPEAT_BELOW * before):
            return self._project_off(rows, starts, repeat=False)
        return rows, np.maximum(norm, np.finfo(np.float64).tiny)
