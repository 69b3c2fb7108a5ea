"""The single-site world: groups are populations of independent single-site trajectories, N is infinite.

Nothing but the choice of rules stands here: matched draws, and couplings in their cavity form (``matrix.py``,
``tensor.py``) with the order parameters that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sitesampler.language.groups import Group
from sitesampler.language.network import Network
from sitesampler.language.script import Script
from sitesampler.physics.matrix import GaussianMatrix, Matrix
from sitesampler.physics.order import OrderParameters
from sitesampler.physics.tensor import TensorCoupling
from sitesampler.records.recorder import Recorder
from sitesampler.vectors.draws import MatchedDraws
from sitesampler.vectors.threads import Lanes


class SiteEnsemble(Network):
    """A population of single-site trajectories for every group of a program.

    Parameters
    ----------
    script, recorder, on_step
        See `Network`.
    order : OrderParameters
        Estimated as the population runs, or frozen.
    population : int
        Trajectories per group.
    seed : numpy.random.SeedSequence
    tolerance : float
        See `LiveOrderParameters`.
    dtype : numpy.dtype
    lanes : Lanes
        Threads that share the population.
    """

    def __init__(
        self,
        script: Script,
        recorder: Recorder,
        order: OrderParameters,
        population: int,
        seed: np.random.SeedSequence,
        tolerance: float,
        dtype: np.dtype,
        lanes: Lanes,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(script, recorder, dtype, order, on_step)
        self.population, self.seed, self.lanes, self.tolerance = population, seed, lanes, tolerance

    def _group(self, ratio: float, name: str) -> Group:
        return Group(self, name, ratio, MatchedDraws(self.population, self.seed.spawn(1)[0], self.dtype, self.lanes))

    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        return GaussianMatrix(rows.draws, cols.draws, (rows.ratio, cols.ratio), gain, symmetry, self.order)

    def _tensor(self, group: Group, order: int) -> Any:
        return TensorCoupling(self, group, order, self.tolerance)
