"""The stage: what groups, couplings and records need of the program that is running, and nothing that holds samples.

It knows the script that the program follows, the loops it is in and the place in them, the order parameters that are
asked, and the thinning of the records.  All words stand on it; it knows none of them, so that nothing has to be taken
apart by hand when a run is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from sitesampler.errors import NotFinite, ProgramError, program_line, shown
from sitesampler.language.loops import Loop
from sitesampler.language.script import DRAWS, STEP, Plan, Said, Script
from sitesampler.physics.order import OrderParameters
from sitesampler.records.variable import Position
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows

Answer = TypeVar("Answer")

#: What is wrong with a word in a function that a flow calls, and what is right; any word that is not here, nor among
#: those that a function may say.
_IN_STAGES = {
    "record": "records, at times that are stages of a step and no solution; record in the body of the loop",
    "add": "changes a coupling, once for each stage of a step; J.add stands in the body of the loop, between steps",
    "scale": "changes a coupling, once for each stage of a step; J.scale stands in the body of the loop, between steps",
}
_DRAWN = (
    "draws random numbers, other ones for each stage of a step; draw what stays before the flow, and give the noise of "
    "each step as noise="
)
_NO_PART = "says {word}, and is called for each stage of a step; say it before the flow, or in the body of the loop"
_MAY_SAY = ("J @", "J.T @", "force", "mean", "overlap", "outlier_eigenvalues", "outlier_singular_values")


@dataclass(frozen=True)
class Instant:
    """When a field acts that stands where the program is.

    Attributes
    ----------
    time : float
        The t' of its response.
    index : int
        The step of the loop that this is.
    unit : float or None
        What the response is divided by to be one per unit time.
    strength : float
        Of the field, in units of the one that the response is to.
    kick : bool
        Whether it is a kick of the state of a flow, which the records at its own time have in them.
    """

    time: float
    index: int
    unit: float | None
    strength: float = 1.0
    kick: bool = False


@dataclass(frozen=True)
class Call:
    """A call of a function that a flow was given.

    Attributes
    ----------
    what : str
        The function: "the drift".
    instant : Instant or None
        When a field in it acts, if it does.
    sources : bool
        Whether sources may stand in it.
    begins : bool
        Whether it is not part of a step, but shows what a field does at the start.
    """

    what: str
    instant: Instant | None = None
    sources: bool = False
    begins: bool = False


class Stage:
    """Where a program is.

    Parameters
    ----------
    script : Script
        The words of the program, as its rehearsal has shown them.
    order : OrderParameters
        Where averages over sites come from.
    every : int
        Steps of a loop of which one is recorded.
    on_step : callable, optional
        Called at every step of a loop.
    """

    #: Whether a vector may diverge, and a step be too long for what moves: on a few sites that stand for many.
    lenient = False

    def __init__(
        self, script: Script, order: OrderParameters, every: int = 1, on_step: Callable[[], None] | None = None
    ) -> None:
        self.script, self.order, self.every = script, order, every
        self._on_step = on_step
        self._loops: list[Loop] = []
        self._finished: Loop | None = None
        #: The function of a flow that is being called.
        self.call: Call | None = None
        self._overheard: list[tuple[str, tuple[str, ...], Any]] | None = None
        #: Where the run is, for messages.
        self.place = "the start"
        #: Lengths of the vectors of each group, by which they are told apart.
        self.lengths: dict[str, int] = {}

    @property
    def plan(self) -> Plan:
        """What is known of the program."""
        return self.script.plan

    def say(self, word: str, *groups: str, detail: tuple[Any, ...] = (), columns: int = 0, given: Any = ()) -> None:
        """Compare what the program says with what it said in the rehearsal.

        Parameters
        ----------
        word, groups, detail, columns
            See `Said`; what the world answers to a word lives on the sites of its last group.
        given : tuple or dict
            What the program hands to the word: nothing here looks at it, but a rehearsal and its replay do.

        Raises
        ------
        ProgramError
            If they differ: a program must draw, multiply and average in the same order each time it runs.
        """
        self._refuse_in_flows(word)
        if self._overheard is not None:
            self._overheard.append((word, groups, given))
            return
        self.script.follow(Said(word, groups, detail, columns))

    def _refuse_in_flows(self, word: str) -> None:
        """Refuse a word that has no one meaning where a flow is."""
        call = self.call
        if call is None:
            if word in ("add", "scale") and self._loops and self._loops[-1].records_per_step > 1:
                raise ProgramError(
                    f"{program_line()}: a coupling changes between the steps of a flow, and record_dt is shorter than "
                    "a step, which has been made when its first record is; leave record_dt out, or use a smaller dt"
                )
            if word == "source" and self._loops and self._loops[-1].flows:
                raise ProgramError(
                    f"{program_line()}: the source of a flow stands in its drift, as in the equation of motion"
                )
        elif word not in _MAY_SAY and not (word == "source" and call.sources):
            said = f"group.{word}" if word == "values" else f"net.{word}"
            reason = _DRAWN if word in DRAWS else _IN_STAGES.get(word, _NO_PART.format(word=said))
            raise ProgramError(f"{program_line()}: {call.what} {reason}")

    @property
    def is_overhearing(self) -> bool:
        """Whether what is said now does not count."""
        return self._overheard is not None

    def overhear(self, call: Callable[[], Any]) -> list[tuple[str, tuple[str, ...], Any]]:
        """Return what is said in a call, with the groups and what is given, without it being part of the program."""
        heard: list[tuple[str, tuple[str, ...], Any]] = []
        self._overheard = heard
        try:
            call()
        finally:
            self._overheard = None
        return heard

    @contextmanager
    def calling(self, call: Call) -> Iterator[None]:
        """Be in a function of a flow."""
        self.call = call
        try:
            yield
        finally:
            self.call = None

    def ask(self, answer: Callable[[], Answer]) -> Answer:
        """Return what the world answers to the word that was said last."""
        return answer()

    # ----------------------------------------------------------------------------------------------------------- loops
    def run(self, loop: Loop) -> Iterator[Any]:
        """Yield the values of a loop, and keep the place in it."""
        self.say(loop.kind, detail=(len(loop.values),), given=(loop.dt,))
        self._loops.append(loop)
        try:
            for index, value in enumerate(loop.values):
                loop.index = index
                self.place = f"{loop.dim} {value}"
                yield value
                self.say(STEP)
                if self._on_step is not None:
                    self._on_step()
            loop.index = len(loop.values)
        finally:  # the program may leave its loop early
            self._loops.remove(loop)
            self._finished = loop

    def loop(self, word: str) -> Loop:
        """Return the innermost running loop; refuse a word that stands outside of all."""
        if not self._loops:
            raise ProgramError(f"{program_line()}: {word} belongs inside a loop over net.clock or net.steps")
        return self._loops[-1]

    @property
    def in_loop(self) -> bool:
        """Whether any loop runs."""
        return bool(self._loops)

    def is_state(self, vector: Any) -> bool:
        """Return whether a vector is a part of the state of a flow, as the body of its loop has been given it."""
        return self.in_loop and any(vector is part for part in self._loops[-1].state)

    @property
    def instant(self) -> Instant | None:
        """When a field acts that stands here: in this step of the innermost loop, or as the call of a flow says."""
        loop = self.loop("a source or a force")
        if self.call is not None:
            return self.call.instant
        if loop.flows:
            return None
        return Instant(loop.values[loop.index], loop.index, loop.dt)

    def is_recorded(self, instant: Instant | None) -> bool:
        """Whether records of the step are kept in which a field acts."""
        return instant is not None and instant.index % self.every == 0

    def position(self, t: float) -> Position:
        """Return the place of a record: in the innermost loop whose time it is, or after the last one."""
        for loop in reversed(self._loops):
            if loop.values[loop.index] == t:
                return Position(loop.dim, loop.index, t, self.place)
        last = self._finished
        if last is not None and not self._loops:
            return Position(last.dim, len(last.values), t, self.place)
        raise ProgramError(
            f"{program_line()}: net.record was given {shown(t)}, which is not the time of a running loop"
        )

    # ---------------------------------------------------------------------------------------------------------- checks
    def described(self, array: NDArray[Any]) -> str:
        """Return what an array is that is no site vector where one is wanted."""
        if array.ndim == 0:
            return f"{array.item()!r}" if array.dtype.kind in "fiubcUS" else f"a {type(array.item()).__name__}"
        if array.dtype.kind not in "fiub":
            return f"an array of type {array.dtype}"
        owners = [repr(name) for name, length in self.lengths.items() if array.ndim < 3 and len(array) == length]
        if owners:
            return f"a vector over {' or '.join(owners)}"
        sites = next((repr(name) for name, length in self.lengths.items() if len(array) == length), str(len(array)))
        return f"an array of shape ({', '.join([sites, *map(str, array.shape[1:])])}{',' if array.ndim == 1 else ''})"

    def check_finite(self, rows: Rows, word: str) -> None:
        """Raise `NotFinite` if a vector is not, with the time and the line of the program."""
        if not arrays.all_finite(rows):
            # Not made here: a frame with a name for its own error is a circle, which would keep all tables.
            raise not_finite(f"at {self.place}, {program_line()}: {word} is not finite any more", rows)


def not_finite(sentence: str, rows: Rows) -> NotFinite:
    """Return the error of rows that are not finite, with the first site at which they are not."""
    error = NotFinite(sentence)
    error.site = arrays.first_not_finite(rows)
    return error


class OfState:
    """What is made of the state of a flow: once for the body of its loop and the step that begins there.

    The first slope of the step is given the same state as the body, and nothing may change it in its place.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._newest: tuple[Any, Rows] | None = None

    def of(self, vector: Any, make: Callable[[], Rows]) -> Rows:
        """Return what is made of a vector, or has been if it is the state."""
        if not self._stage.is_state(vector):
            return make()
        if self._newest is None or self._newest[0] is not vector:
            self._newest = vector, make()
        return self._newest[1].copy()

    def forget(self) -> None:
        """Let it be made anew, by something that has changed."""
        self._newest = None
