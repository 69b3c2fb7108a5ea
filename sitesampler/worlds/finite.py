"""Finite networks: N sites with real random matrices, or with the exact law of a matrix that nobody stores."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.groups import Group
from sitesampler.language.network import Network
from sitesampler.language.script import Script
from sitesampler.physics.matrix import GaussianMatrix, Matrix, SymmetrisedMatrix
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.physics.spectrum import LowRank, Outliers, matrix_eigenvalues, matrix_singular_values
from sitesampler.physics.tensor import spins
from sitesampler.records.recorder import Recorder
from sitesampler.records.variable import FORCE
from sitesampler.vectors.draws import PlainDraws
from sitesampler.vectors.table import Rows
from sitesampler.vectors.threads import Lanes


class DenseMatrix:
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
    """

    def __init__(
        self,
        size: int,
        gain: float,
        ratios: tuple[float, float],
        symmetry: float,
        generator: np.random.Generator,
        dtype: np.dtype,
    ) -> None:
        self.gain, self.ratios, self.symmetry = gain, ratios, symmetry
        #: Rank-one updates that the entries have taken in.
        self.absorbed = 0
        entries = np.zeros((round(ratios[0] * size), round(ratios[1] * size)), dtype)
        if gain:
            generator.standard_normal(dtype=dtype, out=entries)
            entries *= gain / np.sqrt(size)
        if symmetry and gain:
            plus, minus = np.sqrt(1 + symmetry) / 2, np.sqrt(1 - symmetry) / 2
            entries = (plus + minus) * entries + (plus - minus) * entries.T
        self.entries = entries

    def times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return the product of the matrix with each row, (k, rows)."""
        return np.ascontiguousarray((self.entries @ vectors.T).T)

    def transposed_times(self, vectors: Rows, rounding: NDArray[np.float64]) -> Rows:
        """Return the product of the transposed matrix with each row, (k, cols)."""
        return vectors @ self.entries

    def scale(self, factor: float) -> None:
        """Multiply the matrix by a number."""
        self.entries *= factor
        self.gain *= factor

    def eigenvalues(self, updates: list[LowRank], vectors: Rows) -> Outliers:
        """Return the outlier eigenvalues; see `matrix_eigenvalues`."""
        gain = abs(self.gain) * np.sqrt(self.ratios[0])
        return matrix_eigenvalues(self._with(updates), gain, self.symmetry, vectors, self._rank(updates))

    def singular_values(self, updates: list[LowRank], left: Rows, right: Rows) -> Outliers:
        """Return the outlier singular values; see `matrix_singular_values`."""
        matrix = self._with(updates)
        return matrix_singular_values(matrix, abs(self.gain), self.ratios, left, right, self._rank(updates))

    def _rank(self, updates: list[LowRank]) -> int:
        return self.absorbed + sum(len(part.weights) for part in updates)

    def _with(self, updates: list[LowRank]) -> NDArray[np.floating]:
        """Return the entries with updates that are kept as a list."""
        total = self.entries
        for part in updates:
            total = total + (part.left.T * part.weights) @ part.right / part.right.shape[1]
        return total


class DenseTensor:
    """The p-spin coupling of a finite network: a symmetrised tensor of independent normals, eq. (1)."""

    def __init__(self, net: FiniteNetwork, group: Group, order: int, generator: np.random.Generator) -> None:
        self.net, self.group, self.order = net, group, order
        tensor = generator.standard_normal((group.size,) * order)
        self.entries = np.zeros_like(tensor)
        for axes in permutations(range(order)):
            self.entries += tensor.transpose(axes)
        self.entries *= order / factorial(order) / group.size ** ((order - 1) / 2)

    def force(self, s: Any) -> NDArray[np.floating]:
        """Return -dH/ds on the spins, (sites,).

        The twins feel the linear response of the force to their difference from the spins, less the part of it along
        the spins: in the single-site process the overlaps C(t, t') are not perturbed, and in a finite network that part
        would grow where the multiplier, which the program takes from the unperturbed spins, does not hold it.
        """
        self.net.note("force", self.group.name)
        everything, group = spins(self.net, self.group, s), self.group
        state = everything[0, : group.size]
        hessian = self.entries
        for _ in range(self.order - 2):
            hessian = hessian @ state
        force = hessian @ state
        if group.rows == group.size:
            return force.astype(self.net.dtype, copy=False)
        difference = group.differences(everything)[0]
        square = np.dot(state, state)
        if square > 0:
            difference = difference - state * (np.dot(state, difference) / square)
        change = (self.order - 1) * (hessian @ difference)
        field = np.concatenate([force, force + self.net.perturbation * change]).astype(self.net.dtype, copy=False)
        wanted = self.net.index % self.net.recorder.every == 0
        return field + self.net.perturbed(group, None, FORCE, wanted)[0]


class FiniteNetwork(Network):
    """A network of N sites.

    Parameters
    ----------
    script, recorder, on_step
        See `Network`.
    size : int
        N; a group has ``round(ratio * N)`` sites.
    seed : numpy.random.SeedSequence
    matrix : bool
        Store real matrices; else use their exact law, with memory for the vectors they were multiplied with only.
    tolerance : float
        For the exact law, see `LiveOrderParameters`.
    dtype : numpy.dtype
    lanes : Lanes
        Threads that share the sites.
    """

    def __init__(
        self,
        script: Script,
        recorder: Recorder,
        size: int,
        seed: np.random.SeedSequence,
        matrix: bool,
        tolerance: float,
        dtype: np.dtype,
        lanes: Lanes,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(script, recorder, dtype, LiveOrderParameters(tolerance, dtype), on_step)
        self.size, self.seed, self.matrix, self.lanes = size, seed, matrix, lanes
        # The force of a real tensor is not linear in the spins: its response needs twins too.
        self.has_twins = self.plan.sources + self.plan.tensors > 0

    def sites_of(self, ratio: float) -> int:
        """Return how many sites a group has."""
        return max(1, round(ratio * self.size))

    def _group(self, ratio: float, name: str) -> Group:
        sites = self.sites_of(ratio)
        draws = PlainDraws(sites, self.seed.spawn(1)[0], self.dtype, self.lanes)
        return Group(self, name, sites / self.size, draws)

    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(self.seed.spawn(1)[0]))

    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        ratios = (rows.ratio, cols.ratio)
        if self.matrix:
            return DenseMatrix(self.size, gain, ratios, symmetry, self._generator(), self.dtype)
        independent = GaussianMatrix(rows.draws, cols.draws, ratios, gain, 0.0, self.order)
        return SymmetrisedMatrix(independent, symmetry) if symmetry else independent

    def _tensor(self, group: Group, order: int) -> Any:
        if not self.matrix:
            raise ProgramError(
                f"{program_line()}: a tensor coupling has no exact law without its tensor; use matrix=True"
            )
        return DenseTensor(self, group, order, self._generator())

    def absorb(self, matrix: Matrix, left: Rows, right: Rows, strength: float) -> bool:
        """Add strength/N left right^T to a stored matrix.

        Not with a source in the program: in the single-site process the overlap of an update is not perturbed, so
        that updates stay a list, of which the twins see their own side only.
        """
        if self.has_twins or not isinstance(matrix, DenseMatrix):
            return False
        matrix.entries += (strength / self.size) * (left.T @ right)
        matrix.absorbed += len(left)
        return True

    def absorb_matrix(self, matrix: Matrix, other: Matrix, strength: float) -> bool:
        """Add a stored matrix to another, under the same condition as `absorb`."""
        if self.has_twins or not isinstance(matrix, DenseMatrix) or not isinstance(other, DenseMatrix):
            return False
        matrix.entries += strength * other.entries
        matrix.absorbed += other.absorbed
        return True
