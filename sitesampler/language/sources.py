"""Sources: the small perturbations of twins, and the probes with which records are read as responses."""

from __future__ import annotations

from typing import Protocol

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.groups import Group
from sitesampler.language.script import Plan
from sitesampler.language.stage import Instant, Stage
from sitesampler.records.names import FORCE
from sitesampler.records.responses import Probe, SourceProbe
from sitesampler.vectors.arrays import Rows


class Records(Protocol):
    """Where probes go."""

    def add_probe(self, group: str, probe: Probe) -> None:
        """Let the later records of a group be correlated with a probe."""


class Sources:
    """The sources of one program.

    Parameters
    ----------
    stage : Stage
    records : Records
    """

    def __init__(self, stage: Stage, records: Records) -> None:
        self._stage, self._records = stage, records
        self._probes: dict[tuple[str, str | None], SourceProbe] = {}
        self._acting: dict[str, set[str | None]] = {}

    def act(self, group: str, name: str | None) -> None:
        """Note that a source, or a tensor coupling, acts on a group.

        Raises
        ------
        ProgramError
            If several do, and one of them has no name.
        """
        names = self._acting.setdefault(group, set())
        names.add(name)
        if None in names and len(names) > 1:
            raise ProgramError(f"{program_line()}: several sources act on {group!r}; give each a name=")

    def perturbation(self, group: Group, k: int | None, name: str | None, instant: Instant | None) -> Rows:
        """Return a perturbation of the twins alone, (k, rows), and let the records be correlated with it.

        It acts at an instant, or is zero.
        """
        if group.layout.perturbation is None or instant is None:
            return group.layout.zeros(k or 1)
        probe = self._probes.get((group.name, name))
        if probe is None:
            ending = label(self._stage.plan, group.name, name)
            probe = SourceProbe(group.draws.table(), ending, instant.unit, k, instant.kick)
            self._probes[group.name, name] = probe
            self.add(group, probe)
        field = group.draws.normal(k or 1)
        probe.append(instant.time, field)
        return group.layout.perturbed(field if instant.strength == 1 else instant.strength * field)

    def add(self, group: Group, probe: Probe) -> None:
        """Let the later records of a group be correlated with a probe."""
        self._records.add_probe(group.name, probe)


def label(plan: Plan, group: str, name: str | None) -> str:
    """Return what the name of a response ends with: the source's name, where the program has several sources.

    The field of a tensor coupling has no name of the user's; it gets one only where other sources act on its group.
    """
    alone = plan.fields.get(group, 1) == 1
    several = plan.sources + plan.tensors > 1
    return f"_{name}" if several and name is not None and not (alone and name == FORCE) else ""
