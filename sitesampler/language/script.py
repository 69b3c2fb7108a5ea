"""Scripts: what a program says, written down in its rehearsal and followed in every run.

What a program says is an event, `Said`.  A `Plan` is all of them in order, with what follows: how many vectors are
drawn, multiplied and kept, and what is recorded.  A `Script` compares the events of a run with those of the plan and
stops the program where it departs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sitesampler.errors import ProgramError, program_line
from sitesampler.records.contents import Contents

#: Words that draw numbers for every site of a group.
DRAWS = ("normal", "uniform", "bernoulli", "choice")
_PRODUCTS = ("J @", "J.T @", "force")
#: Said at the end of each step of a loop.
STEP = "step"


@dataclass(frozen=True)
class Said:
    """One word that a program says.

    Attributes
    ----------
    word : str
        Such as ``normal``, ``J @`` or ``record``.
    groups : tuple of str
        Names of the groups that it concerns; of a product the source first.
    detail : tuple
        What else has to be the same each time the program runs.
    columns : int
        Vectors that are drawn, multiplied or kept, of each of the groups; not compared.
    """

    word: str
    groups: tuple[str, ...] = ()
    detail: tuple[Any, ...] = ()
    columns: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.word, *self.groups, *self.detail) if part is not None)


@dataclass
class Plan(Contents):
    """What a rehearsal has shown of a program, with the contents of its result.

    Attributes
    ----------
    events : list of Said
        Every word that the program said, in order, without sizes of groups.
    time_steps : list of float
        Those of the loops over clocks and flows, in order; they may follow from averages, and then are no words.
    """

    events: list[Said] = field(default_factory=list)
    time_steps: list[float] = field(default_factory=list)

    def said(self, *words: str) -> Iterable[Said]:
        """Yield the events of these words."""
        return (event for event in self.events if event.word in words)

    @cached_property
    def groups(self) -> list[str]:
        """Names of the groups, in the order in which they were made."""
        return [event.groups[0] for event in self.said("sites")]

    @cached_property
    def ratios(self) -> list[float]:
        """Sizes of the groups over N."""
        return [float(event.detail[0]) for event in self.said("sites")]

    @cached_property
    def draws(self) -> list[int]:
        """Vectors drawn from each group."""
        return self._columns((event.groups, event.columns) for event in self.said(*DRAWS, "source"))

    @cached_property
    def products(self) -> list[int]:
        """Vectors of each group that a matrix or a tensor was multiplied with."""
        return self._columns((event.groups[:1], event.columns) for event in self.said(*_PRODUCTS))

    @cached_property
    def updates(self) -> list[int]:
        """Vectors of each group that are kept in rank-one updates."""
        return self._columns((event.groups, event.columns) for event in self.said("add"))

    @cached_property
    def steps(self) -> int:
        """Steps of all loops."""
        return sum(1 for _ in self.said(STEP))

    @cached_property
    def named_sources(self) -> list[tuple[str, str | None]]:
        """Group and name of each different source."""
        return list(dict.fromkeys((event.groups[0], event.detail[1]) for event in self.said("source")))

    @property
    def sources(self) -> int:
        """How many different sources there are."""
        return len(self.named_sources)

    @cached_property
    def tensors(self) -> int:
        """How many tensor couplings there are."""
        return sum(1 for _ in self.said("tensor_coupling"))

    @cached_property
    def fields(self) -> dict[str, int]:
        """How many sources and tensor couplings act on each group, by its name."""
        acting = [group for group, _ in self.named_sources]
        acting += [event.groups[0] for event in self.said("tensor_coupling")]
        return {group: acting.count(group) for group in acting}

    def _columns(self, counted: Iterable[tuple[tuple[str, ...], int]]) -> list[int]:
        total = dict.fromkeys(self.groups, 0)
        for groups, columns in counted:
            for group in groups:
                total[group] += columns
        return list(total.values())


class Script:
    """The words of one run of a program, compared with those of its rehearsal.

    Parameters
    ----------
    plan : Plan
    rehearsing : bool
        Write events down instead of comparing them.
    """

    def __init__(self, plan: Plan, rehearsing: bool = False) -> None:
        self.plan, self.rehearsing = plan, rehearsing
        self._next = 0
        #: Each event of the rehearsal once: a long loop says the same ones again and again.
        self._known: dict[tuple[Said, int], Said] = {}

    def follow(self, event: Said) -> None:
        """Write down the event, or compare it with the next one of the rehearsal.

        Raises
        ------
        ProgramError
            If the program says something else than in its rehearsal.
        """
        if self.rehearsing:
            self.plan.events.append(self._known.setdefault((event, event.columns), event))
            return
        expected = self.plan.events[self._next] if self._next < len(self.plan.events) else Said("end")
        self._next += 1
        if event != expected:
            raise ProgramError(
                f"{program_line()}: the program comes to {event}, where another run of it came to {expected}; it must "
                "draw, multiply, average and record in the same order each time it runs"
            )

    def foretold(self, word: str) -> Said | None:
        """Return what the rehearsal said next, if it is this word."""
        if self.rehearsing or self._next >= len(self.plan.events) or self.plan.events[self._next].word != word:
            return None
        return self.plan.events[self._next]

    def finish(self) -> None:
        """Check that the program said all that it said in its rehearsal."""
        if not self.rehearsing and self._next < len(self.plan.events):
            raise ProgramError(
                f"the program ends where another run of it came to {self.plan.events[self._next]}; it must "
                "draw, multiply, average and record in the same order each time it runs"
            )
