"""Recorders: what becomes of the values that a program hands to ``net.record`` in one run.

A `Recorder` collects them and turns them into variables, labelled arrays of one replica; a `SilentRecorder` keeps
nothing, for runs that are made for their order parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sitesampler.errors import ProgramError, program_line
from sitesampler.records.contents import Contents, Recorded, RecordedGroup, check_name, number_shape
from sitesampler.records.numbers import NumberRecord
from sitesampler.records.responses import Probe
from sitesampler.records.scales import RecentAverages
from sitesampler.records.variable import Array, Position, Variable
from sitesampler.records.vectors import VectorRecord


class SilentRecorder:
    """Looks at the records of a run, and keeps nothing of them.

    Parameters
    ----------
    contents : Contents
        What the program records.
    every : int
        Keep one in so many steps of a loop.
    """

    def __init__(self, contents: Contents, every: int = 1) -> None:
        self.contents, self.every = contents, every

    def add_probe(self, group: str, probe: Probe) -> None:
        """Ignore probes: nothing is correlated with them."""

    def averaged(self, value: Array, size: Array) -> None:
        """Ignore averages: nothing is kept whose error they would say."""

    def record(self, position: Position, values: dict[str, Any], groups: Sequence[RecordedGroup]) -> None:
        """Take the values of one call of ``net.record``, if its step is one that is kept."""
        for name, value in values.items():
            check_name(name)
            kind = self.contents.records[name]
            if (shape := _shape(value, kind)) != kind.shape:
                raise ProgramError(
                    f"{program_line()}: {name!r} is recorded with the inner shape {shape}, where another run recorded "
                    f"{kind.shape}; it must have the same shape each time, whatever the number of sites"
                )
            if position.index % self.every == 0:
                self._take(name, position, value, [groups[index] for index in kind.groups])
            elif not kind.groups:
                self._pass_over(name, position, value)

    def variables(self) -> dict[str, Variable]:
        """Return everything recorded so far, by the names of the result: here nothing."""
        return {}

    def _pass_over(self, name: str, position: Position, value: Any) -> None:
        """Take no number of a step that is not kept."""

    def _take(self, name: str, position: Position, value: Any, groups: list[RecordedGroup]) -> None:
        """Refuse site vectors that went wrong, where they are not kept: what saturates would hide it from products."""
        for layer, group in zip(value if isinstance(value, list) else [value], groups, strict=False):
            group.check_finite(group.rows_of(layer, f"the record {name!r}"), f"the recorded vector {name!r}")


class Recorder(SilentRecorder):
    """Collects the records of one run.

    Parameters
    ----------
    contents : Contents
        What the program records.
    every : int
        Keep one in so many steps of a loop.
    keep : int
        Trajectories to keep of each site vector.
    floor : float
        Relative error of tolerance and rounding.
    """

    def __init__(self, contents: Contents, every: int = 1, keep: int = 0, floor: float = 0.0) -> None:
        super().__init__(contents, every)
        self.keep, self.floor = keep, floor
        self._probes: list[tuple[str, Probe]] = []
        self._averages = RecentAverages()
        self._numbers: dict[str, NumberRecord] = {}
        self._vectors: dict[str, VectorRecord] = {}

    def add_probe(self, group: str, probe: Probe) -> None:
        """Let the later records of a group be correlated with a probe."""
        self._probes.append((group, probe))

    def averaged(self, value: Array, size: Array) -> None:
        """Keep an average that the program was told, and the size of what was averaged."""
        self._averages.add(value, size)

    def variables(self) -> dict[str, Variable]:
        """Return everything recorded so far, by the names of the result."""
        out: dict[str, Variable] = {}
        for name in self.contents.records:
            record = self._numbers.get(name) or self._vectors.get(name)
            if record is not None and record.positions:
                out.update(record.variables(name, self.floor))
        return out

    def _pass_over(self, name: str, position: Position, value: Any) -> None:
        if name in self._numbers:
            self._numbers[name].pass_over(value, self._averages.at(position))

    def _take(self, name: str, position: Position, value: Any, groups: list[RecordedGroup]) -> None:
        if not groups:
            averages = self._averages.at(position)
            self._numbers.setdefault(name, NumberRecord()).append(name, position, value, averages)
            return
        kind = self.contents.records[name]
        layered = kind.kind == "layers"
        layers = value if layered else [value]
        if name not in self._vectors:
            if layered and position.dim == "layer":
                raise ProgramError(
                    f"{program_line()}: the list {name!r} has layers of its own; record it in a loop over net.clock or "
                    "net.steps"
                )
            columns = None if np.ndim(layers[0]) == 1 else kind.columns
            capacity = self.contents.times[name] * (columns or 1)
            self._vectors[name] = VectorRecord(groups, columns, layered, capacity, self.keep, self.every)
        probes = [[probe for owner, probe in self._probes if owner == group.name] for group in groups]
        self._vectors[name].append(name, position, layers, probes)


def _shape(value: Any, kind: Recorded) -> tuple[int, ...]:
    """Return the inner shape of a value, as its kind of record has it."""
    if not kind.groups:
        return number_shape(value)
    return np.shape(value[0] if kind.kind == "layers" and isinstance(value, list) and value else value)[1:]
