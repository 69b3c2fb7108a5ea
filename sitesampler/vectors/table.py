"""Tables: rows that are kept, and the two passes that the engine makes over them.

A table stores vectors as contiguous rows and answers two questions, for one vector by the kernels and for several by
BLAS, in fixed blocks of samples: the population averages ``<row_i x>``, and linear combinations of its rows.
"""

from __future__ import annotations

import numpy as np
import psutil
from numpy.typing import NDArray

from sitesampler.errors import OutOfMemory
from sitesampler.vectors import kernels
from sitesampler.vectors.arrays import Rows
from sitesampler.vectors.threads import Lanes


class Table:
    """A growing table of vectors over the sites of one group.

    Parameters
    ----------
    size : int
        Number of sites (samples) of every vector.
    dtype : numpy.dtype
        Precision in which rows are kept.
    lanes : Lanes
        Threads that share the blocks of samples.
    averaged : int, optional
        Population averages run over the first ``averaged`` sites only (the rest are perturbed twins).
    capacity : int
        Vectors to make room for at once, where their number is known.

    Examples
    --------
    >>> import numpy as np
    >>> from sitesampler.vectors.threads import Lanes
    >>> table = Table(4, np.dtype(float), Lanes())
    >>> table.append(np.array([[1.0, 1, 1, 1], [1, -1, 1, -1]]))
    >>> table.project(np.array([[1.0, 2, 3, 4]]))
    array([[ 2.5],
           [-0.5]])
    """

    def __init__(
        self, size: int, dtype: np.dtype, lanes: Lanes, averaged: int | None = None, capacity: int = 0
    ) -> None:
        self.size = size
        self.averaged = size if averaged is None else averaged
        self.lanes = lanes
        self._table: Rows = np.empty((0, size), dtype)
        self._count = 0
        if capacity:
            self._grow(capacity)

    def __len__(self) -> int:
        return self._count

    def alike(self, capacity: int = 0) -> Table:
        """Return an empty table over the same sites."""
        return Table(self.size, self._table.dtype, self.lanes, self.averaged, capacity)

    @property
    def rows(self) -> Rows:
        """The vectors kept so far, (count, size); a view."""
        return self._table[: self._count]

    def append(self, rows: Rows) -> None:
        """Keep copies of the rows, (k, size).

        Raises
        ------
        OutOfMemory
            If the table must grow and the machine has not enough memory left.
        """
        needed = self._count + len(rows)
        if needed > len(self._table):
            self._grow(max(needed, 16, len(self._table) + len(self._table) // 2))
        self._table[self._count : needed] = rows
        self._count = needed

    def _grow(self, capacity: int) -> None:
        wanted = capacity * self.size * self._table.itemsize
        if wanted > 2**26 and wanted > psutil.virtual_memory().available:
            raise OutOfMemory(
                f"{capacity} vectors over {self.size} sites need {wanted / 2**30:.1f} GiB more memory than there is "
                "left; use a smaller population, a larger tolerance, or thin the records with every="
            )
        table = np.empty((capacity, self.size), self._table.dtype)
        table[: self._count] = self.rows
        self._table = table

    def project(self, vectors: Rows, start: int = 0) -> NDArray[np.float64]:
        """Return the averages ``<row_i x>`` for i >= start.

        Parameters
        ----------
        vectors : (k, size) array
        start : int
            First row that counts.

        Returns
        -------
        (count - start, k) array in double precision
        """
        size, count = self.averaged, self._count - start
        vectors = np.ascontiguousarray(vectors, self._table.dtype)
        if count == 0:
            return np.zeros((0, len(vectors)))
        table, blocks = self._table[start:, :size], kernels.blocks(size)
        if len(vectors) == 1:
            partial = np.empty((blocks, count))
            vector = vectors[0, :size]
            self.lanes.run(lambda a, b: kernels.project_blocks(table, count, vector, a, b, partial), blocks)
            return partial.sum(0)[:, None] / size
        sums = np.empty((blocks, count, len(vectors)))

        def work(first: int, last: int) -> None:
            for block in range(first, last):
                part = slice(block * kernels.BLOCK, min((block + 1) * kernels.BLOCK, size))
                near, far = table[:count, part], vectors[:, part]
                sums[block] = near.astype(np.float64, copy=False) @ far.astype(np.float64, copy=False).T

        self.lanes.run(work, blocks)
        return sums.sum(0) / size

    def combine(self, weights: NDArray[np.float64], out: Rows, start: int = 0) -> None:
        """Add ``sum_i weights[i, k] row_(start + i)`` to ``out[k]``.

        Parameters
        ----------
        weights : (count, k) array
            May have fewer rows than the table: the later vectors are then left out.
        out : (k, size) array, C-contiguous
        start : int
            Row that the first weight belongs to.
        """
        count, blocks = len(weights), kernels.blocks(self.size)
        if count == 0:
            return
        table, weights = self._table[start:], np.ascontiguousarray(weights, self._table.dtype)
        if len(out) == 1:
            weight, target = weights[:, 0].copy(), out[0]
            self.lanes.run(lambda a, b: kernels.combine_blocks(table, count, weight, a, b, target), blocks)
            return

        def work(first: int, last: int) -> None:
            for block in range(first, last):
                part = slice(block * kernels.BLOCK, min((block + 1) * kernels.BLOCK, self.size))
                out[:, part] += weights.T @ table[:count, part]

        self.lanes.run(work, blocks)
