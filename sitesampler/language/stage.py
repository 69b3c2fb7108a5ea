"""The stage: what groups, couplings and records need of the program that is running, and nothing that holds samples.

It knows the script that the program follows, the loops it is in and the place in them, the order parameters that are
asked, and the thinning of the records.  All words stand on it; it knows none of them, so that nothing has to be taken
apart by hand when a run is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from numpy.typing import NDArray

from sitesampler.errors import NotFinite, ProgramError, program_line, shown
from sitesampler.language.loops import Loop
from sitesampler.language.script import STEP, Plan, Said, Script
from sitesampler.physics.order import OrderParameters
from sitesampler.records.variable import Position
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows

Answer = TypeVar("Answer")


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

    def __init__(
        self, script: Script, order: OrderParameters, every: int = 1, on_step: Callable[[], None] | None = None
    ) -> None:
        self.script, self.order, self.every = script, order, every
        self._on_step = on_step
        self._loops: list[Loop] = []
        self._finished: Loop | None = None
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
        self.script.follow(Said(word, groups, detail, columns))

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

    @property
    def time(self) -> float:
        """Time, step or layer of the innermost loop."""
        return self.loop("a source or a force").values[self.index]

    @property
    def index(self) -> int:
        """Number of the step of the innermost loop, from 0."""
        return self.loop("a source or a force").index

    @property
    def step(self) -> float | None:
        """Time step of the innermost loop, if it is a clock."""
        return self.loop("a source or a force").dt

    @property
    def is_recorded(self) -> bool:
        """Whether records of this step are kept."""
        return self.index % self.every == 0

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
