"""What is known of a program before it runs: the order of its words, its sources, and what it records.

A rehearsal (``rehearsal.py``) fills a `Plan`; every run follows it and stops where the program departs from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sitesampler.errors import ProgramError, program_line


@dataclass(frozen=True)
class Recorded:
    """What a program records under one name: its kind ("vector", "layers" or "number") and the groups it lives on.

    One group for a vector, one per layer for layers, none for a number; the shape leaves out sites and layers.
    """

    kind: str
    groups: tuple[int, ...] = ()
    columns: int = 1
    shape: tuple[int, ...] = ()


@dataclass
class Plan:
    """What a rehearsal has shown of a program.

    Attributes
    ----------
    events : list of tuples
        Every word that the program said, in order, without sizes of groups.
    sources, tensors : int
        How many different sources and tensor couplings there are.
    fields : dict
        How many of them act on each group, by its name.
    ratios : list of floats
        Sizes of its groups over N, in the order in which they were made.
    draws : list of ints
        Vectors drawn from each group.
    products : list of ints
        Vectors of each group that a matrix was multiplied with.
    updates : list of ints
        Vectors of each group that are kept in rank-one updates.
    steps : int
        Steps of all loops.
    records : dict
        What is recorded, by name.
    times : dict
        How many times each name is recorded.
    loops : dict
        Whether each name is recorded along "time" or "layer".
    dimensions : dict
        Lengths of the dimensions that have no coordinates.
    """

    events: list[tuple[Any, ...]] = field(default_factory=list)
    sources: int = 0
    tensors: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    ratios: list[float] = field(default_factory=list)
    draws: list[int] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    steps: int = 0
    records: dict[str, Recorded] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    loops: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)


class Script:
    """The words of one run of a program, written down in the rehearsal and compared with it afterwards.

    Parameters
    ----------
    plan : Plan
    rehearsing : bool
        Write events down instead of comparing them.
    """

    def __init__(self, plan: Plan, rehearsing: bool = False) -> None:
        self.plan, self.rehearsing = plan, rehearsing
        self._next = 0

    def follow(self, event: tuple[Any, ...]) -> None:
        """Write down the event, or compare it with the next one of the rehearsal.

        Raises
        ------
        ProgramError
            If the program says something else than in its rehearsal.
        """
        if self.rehearsing:
            self.plan.events.append(event)
            return
        expected = self.plan.events[self._next] if self._next < len(self.plan.events) else ("end",)
        self._next += 1
        if event != expected:
            raise ProgramError(
                f"{program_line()}: the program comes to {_words(event)}, where another run of it came to "
                f"{_words(expected)}; it must draw, multiply, average and record in the same order each time it runs"
            )

    def finish(self) -> None:
        """Check that the program said all that it said in its rehearsal."""
        if not self.rehearsing and self._next < len(self.plan.events):
            raise ProgramError(
                f"the program ends where another run of it came to {_words(self.plan.events[self._next])}; it must "
                "draw, multiply, average and record in the same order each time it runs"
            )


def _words(event: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in event if part is not None)
