"""The single-site world: groups are populations of independent single-site trajectories, N is infinite."""

from __future__ import annotations

import numpy as np

from sitesampler.language.groups import Group
from sitesampler.language.network import Network, Records
from sitesampler.language.script import Plan
from sitesampler.language.stage import Stage
from sitesampler.physics.matrix import GaussianMatrix, Matrix
from sitesampler.physics.tensor import GaussianTensor, Tensor
from sitesampler.vectors.draws import Draws, MatchedDraws
from sitesampler.vectors.layout import Layout


class SiteEnsemble(Network):
    """A population of single-site trajectories for every group of a program.

    Parameters
    ----------
    stage, records, seed
        See `Network`.
    population : Layout
        Trajectories per group, and how their vectors lie in memory.
    tolerance : float
        Remainder below which a tensor's force makes no direction of its own.
    """

    def __init__(
        self, stage: Stage, records: Records, seed: np.random.SeedSequence, population: Layout, tolerance: float
    ) -> None:
        super().__init__(stage, records, seed, population)
        self._tolerance = tolerance

    def _needs_twins(self, plan: Plan) -> bool:
        return plan.sources > 0

    def _draws(self, ratio: float) -> tuple[Draws, float]:
        return MatchedDraws(self._layout, self._stream()), ratio

    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        return GaussianMatrix(rows.draws, cols.draws, (rows.ratio, cols.ratio), gain, symmetry, self._stage.order)

    def _tensor(self, group: Group, p: int) -> Tensor:
        return GaussianTensor(group.draws, p, self._stage.order, self._tolerance)
