"""Rehearsals: a program run once with a handful of sites, to learn what it says before any work starts.

Every group has another, odd number of sites, so that a vector of one group in the place of another's shows by its
shape; in the single-site world all groups have the same population, and it would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sitesampler.errors import NotFinite, ProgramError
from sitesampler.language.groups import Group
from sitesampler.language.script import Plan, Script
from sitesampler.language.sources import Sources, label
from sitesampler.language.stage import Answer, Instant, Stage
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.physics.tensor import Tensor
from sitesampler.records.contents import Inspector
from sitesampler.records.names import FORCE, Kind
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows
from sitesampler.vectors.draws import Draws, PlainDraws
from sitesampler.vectors.layout import Layout
from sitesampler.worlds.execute import Program, run_program
from sitesampler.worlds.finite import FiniteNetwork
from sitesampler.worlds.tape import Tape

#: Sizes of the groups of a rehearsal: primes, too odd for a number of inputs, and large enough for the overlap matrix
#: of many inputs to be invertible.
_SIZES = (211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317)
#: What N is in a rehearsal.
_N = 200
#: Strength of a source in a rehearsal.
_FIELD = 1e-6


def rehearse(
    program: Program,
    parameters: dict[str, Any],
    every: int = 1,
    beside: Sequence[Kind] = (),
    tape: Tape | None = None,
) -> Plan:
    """Run a program with a handful of sites and return what it said.

    Parameters
    ----------
    program : callable
        The site program.
    parameters : dict
        Its keyword parameters.
    every : int
        Thinning of the records.
    beside : sequence of Kind
        Variables that the result will have beside those of the program.
    tape : Tape, optional
        Keeps what the words are given and what they answer, for a replay.

    Raises
    ------
    ProgramError
        If the program says something that cannot be meant.
    """
    plan, tape = Plan(), Tape() if tape is None else tape
    inspector, script = Inspector(plan, every, beside), Script(plan, rehearsing=True)
    net = _Rehearsal(_RehearsalStage(script, tape, every), inspector, tape)
    run_program(program, net, script, parameters)
    acting = [*plan.named_sources, *((event.groups[0], FORCE) for event in plan.said("tensor_coupling"))]
    inspector.settle(net._groups, [(group, label(plan, group, name)) for group, name in acting])
    return plan


class LenientStage(Stage):
    """A stage on which a vector may diverge: a tiny network may where the real one does not."""

    lenient = True

    def check_finite(self, rows: Rows, word: str) -> None:
        """Refuse only what no run can mend, before any loop."""
        if not self.in_loop:
            try:
                super().check_finite(rows, word)
            except NotFinite as error:
                raise ProgramError(str(error)) from None


class _RehearsalStage(LenientStage):
    """A stage where all that is said, and all that is answered, goes on a tape."""

    def __init__(self, script: Script, tape: Tape, every: int) -> None:
        super().__init__(script, LiveOrderParameters(1e-3), every)
        self._tape = tape

    def say(self, word: str, *groups: str, detail: tuple[Any, ...] = (), columns: int = 0, given: Any = ()) -> None:
        """Write the word down, with what it is given."""
        super().say(word, *groups, detail=detail, columns=columns, given=given)
        if not self.is_overhearing:
            self._tape.hear(given)
            if word == "clock":
                self.script.plan.time_steps += given

    def ask(self, answer: Callable[[], Answer]) -> Answer:
        """Return what the network answers, and write it down."""
        found = super().ask(answer)
        if not self.is_overhearing:
            self._tape.keep(found, over_sites=bool(self.plan.events[-1].groups))
        return found


class _Fields(Sources):
    """Sources that act on the sites themselves, a little: in zeros a program could mix sites unseen."""

    def perturbation(self, group: Group, k: int | None, name: str | None, instant: Instant | None) -> Rows:
        """Return a small field."""
        return _FIELD * group.draws.normal(k or 1)


class _Rehearsal(FiniteNetwork):
    """A finite network whose groups all differ in size."""

    def __init__(self, stage: Stage, inspector: Inspector, tape: Tape) -> None:
        super().__init__(stage, inspector, np.random.SeedSequence(0), Layout(_N), matrix=True)
        self._sources, self._tape = _Fields(stage, inspector), tape

    def _needs_twins(self, plan: Plan) -> bool:
        return False  # which sources there are is still to be learnt

    def _draws(self, ratio: float) -> tuple[Draws, float]:
        used = len(self._groups)
        sites = _SIZES[used] if used < len(_SIZES) else _SIZES[-1] + 2 * (used - len(_SIZES) + 1)
        self._tape.meet(sites, sites / _N)
        return PlainDraws(replace(self._layout, size=sites), self._stream()), sites / _N

    def _tensor(self, group: Group, p: int) -> Tensor:
        return SurrogateTensor(group.draws, p)


class SurrogateTensor(Tensor):
    """Noise with the variance of a p-spin force: a rehearsal needs its size, not its correlations."""

    def __init__(self, draws: Draws, p: int) -> None:
        self._draws, self._p = draws, p

    def force(self, state: Rows) -> Rows:
        """Return the noise."""
        strength = np.sqrt(self._p * arrays.mean_squares(state)[0] ** (self._p - 1))
        return strength * self._draws.raw(1)
