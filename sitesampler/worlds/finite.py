"""Finite networks: N sites with real random matrices, or with the exact law of a matrix that nobody stores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.groups import Group
from sitesampler.language.network import Network, Records
from sitesampler.language.script import Plan
from sitesampler.language.stage import Stage
from sitesampler.physics.dense import DenseMatrix, DenseTensor
from sitesampler.physics.matrix import GaussianMatrix, Matrix, SymmetrisedMatrix
from sitesampler.physics.tensor import Tensor
from sitesampler.vectors.draws import Draws, PlainDraws
from sitesampler.vectors.layout import Layout


def sites_of(ratio: float, size: int) -> int:
    """Return the sites of a group in a network of a size: the nearest whole number, and at least one."""
    return max(1, round(ratio * size))


class FiniteNetwork(Network):
    """A network of N sites.

    Parameters
    ----------
    stage, records, seed
        See `Network`; averages are those of the network itself, so that its order parameters are live.
    sites : Layout
        N, and how vectors lie in memory; a group has ``round(ratio * N)`` sites.
    matrix : bool
        Store real matrices; else use their exact law, with memory for the vectors they were multiplied with only.
    """

    def __init__(
        self, stage: Stage, records: Records, seed: np.random.SeedSequence, sites: Layout, matrix: bool
    ) -> None:
        super().__init__(stage, records, seed, sites)
        self._size, self._stores = sites.size, matrix

    def _needs_twins(self, plan: Plan) -> bool:
        # The force of a real tensor is not linear in the spins: its response needs twins too.
        return plan.sources + plan.tensors > 0

    def _draws(self, ratio: float) -> tuple[Draws, float]:
        sites = sites_of(ratio, self._size)
        return PlainDraws(replace(self._layout, size=sites), self._stream()), sites / self._size

    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(self._stream()))

    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        ratios = (rows.ratio, cols.ratio)
        if self._stores:
            layout, absorbs = self._layout, self._layout.perturbation is None
            return DenseMatrix(self._size, gain, ratios, symmetry, self._generator(), layout.dtype, absorbs)
        independent = GaussianMatrix(rows.draws, cols.draws, ratios, gain, 0.0, self._stage.order)
        return SymmetrisedMatrix(independent, symmetry) if symmetry else independent

    def _tensor(self, group: Group, p: int) -> Tensor:
        if not self._stores:
            raise ProgramError(
                f"{program_line()}: a tensor coupling has no exact law without its tensor; use matrix=True"
            )
        return DenseTensor(group.layout, p, self._generator())
