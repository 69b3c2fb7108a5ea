"""The couplings of finite networks: real random matrices, and real random tensors."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from sitesampler.physics.matrix import Matrix
from sitesampler.physics.spectrum import LowRank, Outliers, matrix_eigenvalues, matrix_singular_values
from sitesampler.physics.tensor import Tensor
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.layout import Layout


class DenseMatrix(Matrix):
    """A real Gaussian matrix, (rows, cols), with entries of variance gain^2/N.

    Parameters
    ----------
    size : int
        N.
    gain : float
        The entries have variance gain^2/N.
    ratios : (float, float)
        Sizes of rows and columns over N.
    symmetry : float
        Correlation of the entries ij and ji; with symmetry 1 the diagonal has twice the variance (GOE).
    generator : numpy.random.Generator
    dtype : numpy.dtype
    absorbs : bool
        Whether updates are added to the entries.  Not with a source in the program: in the single-site process the
        overlap of an update is not perturbed, so that updates stay a list, of which the twins see their own side only.
    """

    def __init__(
        self,
        size: int,
        gain: float,
        ratios: tuple[float, float],
        symmetry: float,
        generator: np.random.Generator,
        dtype: np.dtype,
        absorbs: bool = True,
    ) -> None:
        self.size, self.gain, self.ratios, self.symmetry = size, gain, ratios, symmetry
        self._absorbs, self._absorbed = absorbs, 0
        shape = (round(ratios[0] * size), round(ratios[1] * size))
        if gain:
            entries = arrays.normal_matrix(shape, dtype, generator)
            entries *= gain / np.sqrt(size)
        else:
            entries = arrays.zeros(*shape, dtype)
        if symmetry and gain:
            plus, minus = np.sqrt(1 + symmetry) / 2, np.sqrt(1 - symmetry) / 2
            entries = (plus + minus) * entries + (plus - minus) * entries.T
        self.entries = entries

    def times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return the product of the matrix with each row, (k, rows)."""
        return arrays.times(self.entries, vectors)

    def transposed_times(self, vectors: Rows, rounding: Averages) -> Rows:
        """Return the product of the transposed matrix with each row, (k, cols)."""
        return arrays.transposed_times(self.entries, vectors)

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""
        self.entries *= factor
        self.gain *= factor

    def absorb(self, left: Rows, right: Rows, strength: float) -> bool:
        """Add strength/N left right^T to the entries, unless updates stay a list."""
        if self._absorbs:
            self.entries += (strength / self.size) * arrays.outer(left, right)
            self._absorbed += len(left)
        return self._absorbs

    def absorb_matrix(self, other: DenseMatrix, strength: float) -> bool:
        """Add another matrix, times a number, to the entries, unless updates stay a list."""
        if self._absorbs:
            self.entries += strength * other.entries
            self._absorbed += other._absorbed
        return self._absorbs

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues; see `matrix_eigenvalues`."""
        gain = abs(self.gain) * np.sqrt(self.ratios[0])
        return matrix_eigenvalues(self._with(updates), gain, self.symmetry, vectors, self._rank(updates))

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values; see `matrix_singular_values`."""
        matrix = self._with(updates)
        return matrix_singular_values(matrix, abs(self.gain), self.ratios, left, right, self._rank(updates))

    def _rank(self, updates: list[LowRank]) -> int:
        return self._absorbed + sum(len(part.weights) for part in updates)

    def _with(self, updates: list[LowRank]) -> NDArray[np.floating]:
        """Return the entries with updates that are kept as a list."""
        total = arrays.on_host(self.entries)
        for part in updates:
            total = total + (part.left.T * part.weights) @ part.right / part.right.shape[1]
        return total


class DenseTensor(Tensor):
    """The p-spin coupling of a finite network: a symmetrised tensor of independent normals, eq. (1).

    Parameters
    ----------
    layout : Layout
        Of the spins.
    p : int
        Number of spins that interact.
    generator : numpy.random.Generator
    """

    def __init__(self, layout: Layout, p: int, generator: np.random.Generator) -> None:
        self.layout, self.p = layout, p
        tensor = generator.standard_normal((layout.size,) * p)
        self.entries = np.zeros_like(tensor)
        for axes in permutations(range(p)):
            self.entries += tensor.transpose(axes)
        self.entries *= p / factorial(p) / layout.size ** ((p - 1) / 2)

    def force(self, state: Rows) -> Rows:
        """Return -dH/ds on the spins and on their twins, (1, rows).

        The twins feel the linear response of the force to their difference from the spins, less the part of it along
        the spins: in the single-site process the overlaps C(t, t') are not perturbed, and in a finite network that part
        would grow where the multiplier, which the program takes from the unperturbed spins, does not hold it.
        """
        layout = self.layout
        spins = arrays.on_host(state[0, : layout.size])
        hessian = self.entries
        for _ in range(self.p - 2):
            hessian = hessian @ spins
        force = hessian @ spins
        if layout.perturbation is None:
            return force[None].astype(layout.dtype, copy=False)
        difference = arrays.on_host(layout.differences(state)[0])
        square = np.dot(spins, spins)
        if square > 0:
            difference = difference - spins * (np.dot(spins, difference) / square)
        change = (self.p - 1) * (hessian @ difference)
        return np.concatenate([force, force + layout.perturbation * change])[None].astype(layout.dtype, copy=False)
