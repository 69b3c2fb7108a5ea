"""What a site program holds of a random tensor: its force, and the response to that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.groups import Group
from sitesampler.language.no_array import NoArray
from sitesampler.language.sources import Sources, label
from sitesampler.language.stage import Instant, OfState, Stage
from sitesampler.physics.tensor import Tensor
from sitesampler.records.names import FORCE
from sitesampler.records.responses import SteinProbe
from sitesampler.vectors.arrays import Rows


class TensorCoupling(NoArray):
    """A fully connected p-spin coupling, as a site program holds it; made by ``net.tensor_coupling``.

    Parameters
    ----------
    stage : Stage
    group : Group
        The spins.
    tensor : Tensor
        What makes the forces.
    sources : Sources
        Where the response to the forces is found.
    """

    def __init__(self, stage: Stage, group: Group, tensor: Tensor, sources: Sources) -> None:
        self._stage, self.group, self.tensor, self._sources = stage, group, tensor, sources
        self._probe: SteinProbe | None = None
        #: A force on the state of a flow, without a field.
        self._of_state = OfState(stage)

    def _instead(self, symbol: str, others: tuple[Any, ...]) -> str:
        return "a tensor coupling acts on a vector of spins as K.force(s), and in no other way"

    def __matmul__(self, s: Any) -> Any:
        """Refuse ``K @ s``."""
        self._refuse("@", s)

    def force(self, s: Any) -> NDArray[np.floating]:
        """Return -dH/ds on the spins, (sites,).

        A step may take several forces, as the schemes of Heun and of Runge and Kutta do.  The response R_s(t, t') is
        then that to a field which is the same in all forces of the step at t': the sum of the responses to each.

        Raises
        ------
        ProgramError
            If ``s`` is not a site vector of the coupling's group, or has inner columns.
        """
        stage = self._stage
        stage.say("force", self.group.name, columns=1, given=(s,))
        stage.loop("a source or a force")
        rows = self.group.rows_of(s, "the argument of force")
        if len(rows) != 1 or np.ndim(s) != 1:
            raise ProgramError(
                f"{program_line()}: a tensor coupling acts on one vector of spins, without inner columns"
            )
        stage.check_finite(rows, "the argument of force")
        return stage.ask(lambda: self._force(s, rows))

    def _force(self, s: Any, rows: Rows) -> NDArray[np.floating]:
        stage, images, instant = self._stage, self.tensor.images, self._instant
        if images is None:  # the twins respond, as to a source
            out = self._of_state.of(s, lambda: self.tensor.force(rows))
            instant = instant if stage.is_recorded(instant) else None
            return (out + self._sources.perturbation(self.group, None, FORCE, instant))[0]
        known = len(images)
        out = self._of_state.of(s, lambda: self.tensor.force(rows))
        if len(images) > known:
            self._note_response()
        elif self._probe is not None and stage.call is not None:
            # What acts in another stage too is no kick, whatever its time.
            self._probe.drop(math.nan, self.tensor.weights)
        elif self._probe is not None and instant is not None:
            self._probe.drop(instant.time, self.tensor.weights)
        return out[0]

    @property
    def _instant(self) -> Instant | None:
        """When a field acts that is added to a force: in a flow not at the start, which no force comes before."""
        call = self._stage.call
        return None if call is not None and call.begins else self._stage.instant

    def _note_response(self) -> None:
        """Let records be correlated with the normal that the newest force is made of."""
        stage, tensor, instant = self._stage, self.tensor, self._instant
        loop = stage.loop("a force")
        if self._probe is None:
            assert tensor.images is not None
            ending = label(stage.plan, self.group.name, FORCE)
            self._probe = SteinProbe(tensor.images, lambda: tensor.factor, ending, loop.unit, loop.flows)
            self._sources.add(self.group, self._probe)
        if instant is None:
            self._probe.append(loop.time, None)
        else:
            self._probe.append(instant.time, instant.index)
