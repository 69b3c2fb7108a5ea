"""Equations of motion: the drift, the noise and the constraint that a flow is given, as functions of its state.

They are functions of the user's, read by the names of their parameters: one called ``t`` is the time, the others are
the parts of the state.  What they return is checked each time, and taken as a copy, since they may use their arrays
again.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, SiteSamplerError, is_number, line_of, program_line, shown
from sitesampler.language.groups import Group
from sitesampler.language.stage import Call, Instant, Stage
from sitesampler.physics.schemes import State
from sitesampler.vectors import arrays

#: Axes of the numbers in a state: one number, or one for each inner column, or each pair of them.
_AXES = 2


class Function:
    """A function that a flow is given.

    Parameters
    ----------
    stage : Stage
    function : callable
    word : str
        What it is: "the drift".
    count : int
        How many parts the state has.

    Raises
    ------
    ProgramError
        If it cannot be called with them.
    """

    def __init__(self, stage: Stage, function: Any, word: str, count: int) -> None:
        if not callable(function):
            raise ProgramError(f"{program_line()}: {word} of a flow must be a function, not {shown(function)}")
        self._stage, self._function, self._count = stage, function, count
        self.word = word
        self.takes_state, self.takes_time = self._read(word)

    def _read(self, word: str) -> tuple[bool, bool]:
        """Return whether it takes the state, and whether it takes the time."""
        try:
            known = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):  # some that are compiled do not say
            return True, False
        timed = [p for p in known if p.name == "t" and p.kind is not p.VAR_POSITIONAL]
        places = [p for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p not in timed]
        needed = [p for p in places if p.default is p.empty]
        many = any(p.kind is p.VAR_POSITIONAL for p in known)
        begins = bool(timed) and known[0] is timed[0]
        if begins and not needed and not many and word == "the noise":
            return False, True
        if timed and any(known.index(timed[0]) < known.index(p) for p in places[: self._count]):
            raise ProgramError(f"{self.line}: {word} takes the time t after the parts of the state")
        if len(needed) <= self._count and (many or len(places) >= self._count):
            return True, bool(timed)
        parts = "the state" if self._count == 1 else f"the {self._count} parts of the state"
        raise ProgramError(
            f"{self.line}: {word} must take {parts}, and t if it needs the time; it takes "
            f"{', '.join(p.name for p in places) or 'nothing'}"
        )

    @property
    def line(self) -> str:
        """Where it begins in the user's program."""
        return line_of(self._function)

    def __call__(self, y: State, t: float, call: Call) -> Any:
        """Return what it returns, and refuse that it changes what it is given."""
        stage = self._stage
        before = [part.copy() for part in y] if stage.script.rehearsing else []
        with stage.calling(call):
            found = self._function(*(y if self.takes_state else ()), **({"t": t} if self.takes_time else {}))
        if any(not arrays.same(old, new) for old, new in zip(before, y, strict=False)):
            raise ProgramError(
                f"{self.line}: {self.word} changes what it is given in its place; the state of a flow is moved by "
                "what the drift returns, so write h - x instead of h -= x"
            )
        return found


@dataclass
class Part:
    """A part of the state: site vectors have a group, numbers have none; both keep their shape."""

    group: Group | None
    shape: tuple[int, ...]

    @property
    def columns(self) -> int | None:
        """Inner columns of a site vector."""
        return self.shape[1] if len(self.shape) > 1 else None

    @property
    def words(self) -> str:
        """What it is."""
        if self.group is None:
            return "a number" if not self.shape else f"numbers of shape {self.shape}"
        return f"a site vector of {self.group.name!r}" + (f" with {self.columns} inner columns" if self.columns else "")


class Equation:
    """What moves the state of a flow; the `Motion` that a scheme asks.

    Parameters
    ----------
    stage : Stage
    drift, noise, constrain
        What ``net.flow`` is given.
    count : int
        How many parts the state has.
    single : bool
        Whether the state is no tuple.

    Attributes
    ----------
    parts : list of Part
        The parts of the state, once they are known.
    """

    def __init__(self, stage: Stage, drift: Any, noise: Any, constrain: Any, count: int, single: bool) -> None:
        self._stage, self._single, self._count = stage, single, count
        self.parts: list[Part] = []
        self._drift = Function(stage, drift, "the drift", count)
        self._constrain = None if constrain is None else Function(stage, constrain, "the constraint", count)
        self._noise = self._amplitudes(noise)
        #: When a field acts that stands in the last slope of a step.
        self.instant: Instant | None = None

    @property
    def is_noisy(self) -> bool:
        """Whether there is noise."""
        return any(given is not None for given in self._noise)

    @property
    def is_additive(self) -> bool:
        """Whether the amplitude of all noise depends on time at most."""
        return not any(isinstance(given, Function) and given.takes_state for given in self._noise)

    # --------------------------------------------------------------------------------------------- what a scheme asks
    def slope(self, y: State, t: float, last: bool = False) -> State:
        """Return the drift."""
        return self.drift(y, t, Call(self._drift.word, self.instant if last else None, sources=True))

    def drift(self, y: State, t: float, call: Call | None = None) -> State:
        """Return the drift where a field acts as a call says."""
        call = Call(self._drift.word, sources=True) if call is None else call
        return self._parts_of(self._drift(y, t, call), self._drift)

    def shown_drift(self, y: State, t: float, instant: Instant | None) -> State:
        """Return the drift at the start, with a field that acts there, or without."""
        return self.drift(y, t, Call(self._drift.word, instant, sources=True, begins=True))

    def amplitude(self, y: State, t: float) -> State:
        """Return the amplitude of the noise of each part."""
        return tuple(self._amplitude(given, part, y, t) for given, part in zip(self._noise, self.parts, strict=True))

    def normals(self) -> State:
        """Return fresh standard normals for each part that has noise."""
        return tuple(
            None if given is None or part.group is None else part.group.normal(part.columns)
            for given, part in zip(self._noise, self.parts, strict=True)
        )

    def constrained(self, y: State, t: float) -> State:
        """Return the state as the constraint lets it be."""
        if self._constrain is None:
            return y
        return self._parts_of(self._constrain(y, t, Call(self._constrain.word)), self._constrain)

    # ------------------------------------------------------------------------------------------------------- the state
    def begin(self, state: State, groups: list[Group | None]) -> State:
        """Take the state at the start, whose parts live on these groups."""
        self.parts = [Part(group, np.shape(part)) for part, group in zip(state, groups, strict=True)]
        for given, part in zip(self._noise, self.parts, strict=True):
            if given is not None and part.group is None:
                raise ProgramError(
                    f"{program_line()}: a number has no noise, which averages over sites do not see; give None for it"
                )
            if given is not None and np.ndim(given) and np.shape(given) not in (part.shape, part.shape[:1]):
                raise ProgramError(f"{program_line()}: the noise of {part.words} must be a number or like it")
        return tuple(
            part.astype(group.layout.dtype if group is not None else float) if part.dtype.kind in "iub" else part
            for part, group in zip(map(np.asarray, state), groups, strict=True)
        )

    def shown(self, y: State) -> Any:
        """Return the state as the program holds it."""
        return y[0] if self._single else y

    def _parts_of(self, found: Any, by: Function) -> State:
        """Return what a function has returned, part by part, as copies."""
        if self._single:
            found = (found,)
        elif not isinstance(found, tuple) or len(found) != self._count:
            got = f"{len(found)} parts" if isinstance(found, tuple) else shown(found)
            raise ProgramError(
                f"{by.line}: {by.word} must return a tuple of {self._count} parts, as the state has, not {got}"
            )
        return tuple(self._like(value, part, by) for value, part in zip(found, self.parts, strict=True))

    def _like(self, value: Any, part: Part, by: Function) -> Any:
        try:
            array: NDArray[Any] | None = np.array(value)
        except SiteSamplerError:
            raise
        except Exception:  # whatever an object does that is asked to be an array
            array = None
        if array is None or array.dtype.kind not in "fiub" or array.shape != part.shape:
            got = shown(value) if array is None or array.dtype.kind == "O" else self._stage.described(array)
            if part.group is not None and array is not None and part.group.layout.holds(array):
                got = f"one with {array.shape[1]} inner columns" if array.ndim > 1 else "one without inner columns"
            if array is not None and array.dtype.kind == "c":
                got = "complex numbers; write the real and the imaginary part as two parts of the state"
            raise ProgramError(f"{by.line}: {by.word} must return {part.words}, not {got}")
        return array if array.ndim else array[()]

    # ------------------------------------------------------------------------------------------------------- the noise
    def _amplitudes(self, noise: Any) -> list[Any]:
        """Return the noise of each part: None, a number or a site vector, or a function."""
        if self._single or noise is None:
            given = [noise] * (1 if self._single else self._count)
        else:
            given = list(noise) if isinstance(noise, tuple) else []
            if len(given) != self._count:
                raise ProgramError(
                    f"{program_line()}: noise= must be a tuple with one amplitude, or None, for each of the "
                    f"{self._count} parts of the state, not {shown(noise)}"
                )
        return [self._checked(each) for each in given]

    def _checked(self, given: Any) -> Any:
        if callable(given):
            return Function(self._stage, given, "the noise", self._count)
        if given is None or (is_number(given) and given == 0):
            return None
        numbers = isinstance(given, np.ndarray) and given.dtype.kind in "fiub"
        if not (is_number(given) or numbers) or not np.all(np.isfinite(given)):
            raise ProgramError(
                f"{program_line()}: noise= is an amplitude: a finite number, a function of t, or a function of the "
                f"state, not {shown(given)}"
            )
        return given

    def _amplitude(self, given: Any, part: Part, y: State, t: float) -> Any:
        if not isinstance(given, Function):
            return given
        value = given(y, t, Call(given.word))
        if not (is_number(value) or (isinstance(value, np.ndarray) and value.shape == part.shape)):
            got = self._stage.described(value) if isinstance(value, np.ndarray) else shown(value)
            raise ProgramError(f"{given.line}: {given.word} must return a number or {part.words}, not {got}")
        return value
