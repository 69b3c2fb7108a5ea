"""Flows: loops over a state that moves by an equation of motion.

A flow is a clock whose steps a scheme makes.  The stages of a step are products and averages like any other, so that
all worlds know flows without being told; and the order of a scheme is the order of its population.

A field in the drift acts as a kick of the state.  It stands in the last stage of a step alone, which nothing but the
end of the step depends on; so the state is moved by the field at that time, exactly, and the record of that time has
the kick in it.  For the kick at the start, before any step, the drift with the field is compared with that without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sitesampler.errors import ProgramError, did_you_mean, listing, program_line, shown
from sitesampler.language.equation import Equation
from sitesampler.language.groups import Group
from sitesampler.language.loops import Loop, Times
from sitesampler.language.stage import Instant, Stage
from sitesampler.physics.schemes import SCHEMES, Stages, State, between
from sitesampler.vectors import arrays

#: A step is too long when the slopes say so in so many steps, one after the other, that move the state by this part of
#: its size at least; what moves less may be rounding, or a jump of the drift.
_STEPS, _MOVES = 3, 0.05
#: Fraction of the longest step that is advised.
_SHORTER = 1 / 3


class Flow:
    """A state on its way.

    Parameters
    ----------
    stage : Stage
    groups : sequence of Group
        All groups of the program.
    equation : Equation
        What moves the state.
    state : tuple
        Where it starts.
    scheme : str
        One of `SCHEMES`.
    loop : Loop
        The times that are yielded.
    dt : float
        Step of the scheme.
    """

    def __init__(
        self,
        stage: Stage,
        groups: Sequence[Group],
        equation: Equation,
        state: State,
        scheme: str,
        loop: Loop,
        dt: float,
    ) -> None:
        self._stage, self._groups, self._equation, self._loop, self._dt = stage, groups, equation, loop, dt
        self._name, self._scheme = scheme, SCHEMES[scheme]
        self._times = Times(dt, (len(loop.values) - 1) // loop.records_per_step * loop.steps_per_record + 1)
        loop.unit = self._scheme.weight * float(dt)
        self._state = state
        #: Slope at the start of the next step, where a finer record needed it before.
        self._ahead: State | None = None
        self._sizes = np.zeros(len(state))
        #: Rates of the steps in a row that were too long; the first is the one to go by, where a state runs away.
        self._too_fast: list[float] = []

    def run(self) -> Iterator[tuple[float, Any]]:
        """Yield the times and the states of the loop."""
        loop, equation, few = self._loop, self._equation, self._loop.records_per_step
        passage = _Passage(self._state, self._state, 1, self._dt)
        for t in self._stage.run(loop):
            part = loop.index % few
            if loop.index == 0:
                y = self._begin(t)
            shown = equation.constrained(passage.at(part), t) if part else y
            yield t, self._watched(shown)
            self._check_unchanged(shown)
            if part == 0 and (loop.index + 1 < len(loop.values) or self._is_map):
                passage = self._advance(y, loop.index // few * loop.steps_per_record)
                y = passage.end

    @property
    def _is_map(self) -> bool:
        """Whether the flow is the map h + dt f(h) of a clock, which says its step after the last record too."""
        return self._name == "euler" and self._loop.steps_per_record == self._loop.records_per_step == 1

    # ------------------------------------------------------------------------------------------------------- the start
    def _begin(self, t: float) -> State:
        """Return the state at the start, with a kick if a source acts there."""
        stage, state = self._stage, self._state
        told = stage.script.foretold("flow")
        if told is None:
            owners = [_owner(part, self._groups) for part in state]
            y = self._equation.begin(state, owners)
            at = self._times_of_sources(y, t)
            detail: tuple[Any, ...] = (self._name, self._scheme.order, float(self._dt), *_names(owners), at)
        else:
            detail = told.detail
            groups = {group.name: group for group in self._groups}
            owners = [groups.get(name) for name in detail[3:-1]]
            y = self._equation.begin(state, owners)
            at = detail[-1]
        stage.say("flow", detail=detail, given=(*state,))
        if at is not None and (at == () or 0.0 in at):
            y = self._kicked(y, t)
        return y

    def _times_of_sources(self, y: State, t: float) -> tuple[float, ...] | None:
        """Return the times at which the sources in the drift act, none of them for all times; None without a source.

        What the drift says in this call is no part of the program.
        """
        heard = self._stage.overhear(lambda: self._equation.drift(y, t))
        given = [given[0] for word, _, given in heard if word == "source"]
        if not given:
            return None
        if any(at is None for at in given):
            return ()
        moments = tuple(float(moment) for at in given for moment in np.ravel(at))
        for moment in moments:
            if abs(round(moment / self._dt) * self._dt - moment) > 1e-6 * self._dt:
                raise ProgramError(
                    f"{program_line()}: a source acts between two steps, and at={moment:g} is inside of one; use a "
                    f"whole number of steps of dt={self._dt:g}"
                )
        return moments

    def _kicked(self, y: State, t: float) -> State:
        """Return the state after a field has acted for an instant."""
        instant = Instant(t, 0, 1.0, kick=True)
        moved, still = (self._equation.shown_drift(y, t, each) for each in (instant, None))
        kicked = []
        for part, value, far, near in zip(self._equation.parts, y, moved, still, strict=True):
            if part.group is not None:
                kick = far - near
                if part.group.layout.perturbation is not None:  # the sites themselves are not perturbed
                    kick[: part.group.layout.size] = 0
                value = value + kick
            kicked.append(value)
        return tuple(kicked)

    # ------------------------------------------------------------------------------------------------------- the steps
    def _advance(self, y: State, step: int) -> _Passage:
        """Return the way to the next record, or past all those that are inside of the next step."""
        loop, equation, many = self._loop, self._equation, self._loop.steps_per_record
        for n in range(step, step + many):
            t, start, slope = self._times[n], y, self._ahead
            index = loop.index + loop.records_per_step
            if n + 1 == step + many and index < len(loop.values):
                strength = 1 / loop.unit if loop.unit else 1.0
                equation.instant = Instant(loop.values[index], index, 1.0, strength, kick=True)
            end, stages = self._scheme.step(equation, y, t, self._dt, slope, equation.is_noisy)
            equation.instant = None
            self._check_step(stages)
            y = equation.constrained(end, self._times[n + 1])
        passage = _Passage(start, y, loop.records_per_step, self._dt)
        if loop.records_per_step > 1:
            self._make_continuous(passage, stages.slope, t)
        return passage

    def _make_continuous(self, passage: _Passage, slope: State, t: float) -> None:
        """Give a passage what it needs between its ends: slopes, or noise."""
        if self._equation.is_noisy:
            passage.bridge(self._equation, self._equation.amplitude(passage.start, t))
        elif self._scheme.order > 1:
            self._ahead = self._equation.slope(passage.end, t + self._dt)
            passage.slopes = slope, self._ahead

    # ---------------------------------------------------------------------------------------------------------- checks
    def _watched(self, y: State) -> Any:
        """Return the state for the body of the loop; a rehearsal sees whether that changes it."""
        self._loop.state = y
        self._kept = [part.copy() for part in y] if self._stage.script.rehearsing else []
        return self._equation.shown(y)

    def _check_unchanged(self, y: State) -> None:
        if any(not arrays.same(old, new) for old, new in zip(self._kept, y, strict=False)):
            raise ProgramError(
                f"{program_line()}: the body of this loop changes the state of the flow in its place; the drift moves "
                "it, and constrain= is a function that is applied after each step"
            )

    def _check_step(self, stages: Stages) -> None:
        """Refuse a step in which the fastest mode grows or changes sign in the scheme, where it decays in truth."""
        if self._stage.lenient:
            return
        moves = changes = 0.0
        (y1, y2), (k1, k2) = stages.points, stages.slopes
        for i, part in enumerate(self._equation.parts):
            if part.group is None:
                continue
            size = part.group.size
            self._sizes[i] = max(self._sizes[i], _size(y1[i][:size]), _size(y2[i][:size]))
            if self._sizes[i] > 0:
                moves += (_size(y2[i][:size] - y1[i][:size]) / self._sizes[i]) ** 2
                changes += (_size(k2[i][:size] - k1[i][:size]) / self._sizes[i]) ** 2
        rate = (changes / moves) ** 0.5 if moves > _MOVES**2 else 0.0
        self._too_fast = [*self._too_fast, rate] if rate * self._dt > self._scheme.longest else []
        if len(self._too_fast) == _STEPS:
            rate = self._too_fast[0]
            enough = _SHORTER * self._scheme.longest / rate
            raise ProgramError(
                f"at {self._stage.place}, {program_line()}: the drift changes at a rate of {rate:.2g} per unit time, "
                f"for which a step of dt={self._dt:g} is too long in the scheme {self._name!r}; use dt={enough:.1g} or "
                "less"
            )


class _Passage:
    """The way from one state to the next, through the times of records in between.

    Parameters
    ----------
    start, end : State
    count : int
        Into how many parts the step is cut.
    dt : float
        Its length.
    """

    def __init__(self, start: State, end: State, count: int, dt: float) -> None:
        self.start, self.end = start, end
        self._count, self._dt = count, dt
        self._equation: Equation | None = None
        self._amplitude: State = ()
        self._bridge: State | None = None
        self.slopes: tuple[State, State] | None = None

    def bridge(self, equation: Equation, amplitude: State) -> None:
        """Let the noise between the ends be a Brownian bridge."""
        self._equation, self._amplitude = equation, amplitude

    def at(self, part: int) -> State:
        """Return the state after some of the parts; they are asked for one after the other."""
        y = between(part / self._count, self._dt, (self.start, self.end), self.slopes)
        if self._equation is None:
            return y
        rest = self._count - part
        spread = (self._dt / self._count * rest / (rest + 1)) ** 0.5
        normals, before = self._equation.normals(), self._bridge
        self._bridge = tuple(
            None if xi is None else spread * xi + (rest / (rest + 1) * before[i] if before is not None else 0)
            for i, xi in enumerate(normals)
        )
        return tuple(
            value if way is None else value + amplitude * way
            for value, amplitude, way in zip(y, self._amplitude, self._bridge, strict=True)
        )


def choose(scheme: Any, equation: Equation, words: Sequence[str] = tuple(SCHEMES)) -> str:
    """Return the scheme of a flow: the one asked for, if it has an order with such noise, or the best."""
    best = "platen" if not equation.is_additive else "heun" if equation.is_noisy else "rk4"
    if scheme is None:
        return best
    if not isinstance(scheme, str) or scheme not in words:
        hint = did_you_mean(scheme, words) if isinstance(scheme, str) else ""
        raise ProgramError(f"{program_line()}: scheme= is one of {listing(words)}, not {shown(scheme)}{hint}")
    kind = SCHEMES[scheme].noise
    if kind == "none" and equation.is_noisy:
        raise ProgramError(f"{program_line()}: scheme={scheme!r} has no order with noise; use {best!r}")
    if kind == "additive" and not equation.is_additive:
        raise ProgramError(
            f"{program_line()}: scheme={scheme!r} has another limit than the equation of Ito where the noise depends "
            "on the state; use 'platen', or 'euler'"
        )
    return scheme


def parts_of(state: Any) -> State:
    """Return the parts of a state, after refusing what is none."""
    parts = state if isinstance(state, tuple) else (state,)
    if not parts:
        raise ProgramError(f"{program_line()}: the state of a flow has no parts")
    for part in parts:
        array = np.asarray(part) if isinstance(part, (np.ndarray, np.generic, int, float)) else None
        if array is None or array.dtype.kind not in "fiub" or array.ndim > 2:
            raise ProgramError(
                f"{program_line()}: the state of a flow is a site vector, a number, or a tuple of them, not "
                f"{shown(part)}"
            )
    return parts


def _owner(part: Any, groups: Sequence[Group]) -> Group | None:
    """Return the group that a part of the state lives on, in a rehearsal, where groups differ in size."""
    return next((group for group in groups if np.ndim(part) and group.layout.holds(np.asarray(part))), None)


def _names(owners: Sequence[Group | None]) -> list[str]:
    return ["" if owner is None else owner.name for owner in owners]


def _size(values: Any) -> float:
    return arrays.root_mean_square(values) if len(values) else 0.0
