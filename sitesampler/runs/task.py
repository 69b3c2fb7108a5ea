"""The task: a program that was checked and rehearsed, with all that one piece of a run needs to run it anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sitesampler.compute.progress import Ticker
from sitesampler.errors import InputError, PopulationTooSmall, did_you_mean, listing, name_of
from sitesampler.language.network import Network
from sitesampler.language.script import Plan, Script
from sitesampler.language.stage import Stage
from sitesampler.physics.order import OrderParameters
from sitesampler.records.names import REPLICAS, Kind
from sitesampler.records.recorder import Recorder, SilentRecorder
from sitesampler.results.provenance import provenance
from sitesampler.results.time_steps import steps_said
from sitesampler.runs.options import NAMES, Asked
from sitesampler.runs.pieces import Piece
from sitesampler.signatures import check_parameters, signature_of
from sitesampler.storage.trajectories import TrajectoryStore
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.threads import Lanes
from sitesampler.worlds.ensemble import SiteEnsemble
from sitesampler.worlds.execute import Program, run_program
from sitesampler.worlds.finite import FiniteNetwork, sites_of
from sitesampler.worlds.rehearsal import rehearse
from sitesampler.worlds.replay import replay
from sitesampler.worlds.tape import Tape

#: Largest relative error of an exact (Gaussian) system over its tolerance: 0.2 to 0.9 at the default one, and falling
#: with it; a tenth of the statistical error of a usual chaotic run.  Measured by the same benchmark.
_FLOOR_PER_TOLERANCE = 0.5
#: Rounding in units of the machine precision.
_ROUNDING = 1e3


@dataclass(frozen=True)
class Task:
    """Everything that the pieces of a run need to know.

    Attributes
    ----------
    program : callable
    parameters : dict
    plan : Plan
        What its rehearsal has shown.
    asked : Sampled or Simulated
        With the seed and the tolerance in use.
    size : int
        Samples of a piece, or sites of a network.
    lanes : int
        Threads of a piece.
    store : TrajectoryStore or None
        Where the trajectories of the whole population go.
    """

    program: Program
    parameters: Mapping[str, Any]
    plan: Plan
    asked: Asked
    size: int
    lanes: int = 1
    store: TrajectoryStore | None = None

    @property
    def tolerance(self) -> float:
        """The tolerance in use."""
        assert self.asked.tolerance is not None
        return self.asked.tolerance

    @property
    def seed(self) -> int:
        """The seed in use."""
        assert self.asked.seed is not None
        return self.asked.seed

    def relative_floor(self) -> float:
        """Return the relative error below which tolerance and rounding say nothing."""
        rounding = _ROUNDING * float(np.finfo(self.asked.dtype).eps)
        return rounding if self.asked.matrix else rounding + _FLOOR_PER_TOLERANCE * self.tolerance

    def group_sizes(self) -> dict[str, int]:
        """Return the sites that each group of a finite network has."""
        return {
            name: sites_of(ratio, self.size) for name, ratio in zip(self.plan.groups, self.plan.ratios, strict=True)
        }

    def all_parameters(self) -> dict[str, Any]:
        """Return the parameters of the program with its defaults filled in."""
        known = inspect.signature(self.program).parameters.values()
        defaults = {p.name: p.default for p in list(known)[1:] if p.default is not p.empty}
        return {**defaults, **self.parameters}

    def attributes(self, **facts: Any) -> dict[str, Any]:
        """Return the attributes of a dataset: what was run, with all parameters and options, and how."""
        options = {name: int(value) if isinstance(value, bool) else value for name, value in asdict(self.asked).items()}
        options |= {"seed": self.seed if self.seed < 2**63 else str(self.seed), "keep": self.asked.kept}
        if not self.asked.infinite:
            facts["group_sizes"] = self.group_sizes()
        return provenance(
            title=f"{name_of(self.program)}, {self.asked.world}",
            program=name_of(self.program),
            parameters=self.all_parameters(),
            world=self.asked.world,
            **options,
            **steps_said(self.plan),
            **facts,
        )


def prepare(
    program: Program,
    parameters: Mapping[str, Any],
    asked: Asked,
    size: int | None = None,
    beside: Sequence[Kind] = (),
) -> Task:
    """Check a program and its parameters, rehearse it, and replay it.

    Parameters
    ----------
    program : callable
    parameters : dict
    asked : Sampled or Simulated
    size : int, optional
        Samples of a piece, where they are not those of a replica.
    beside : sequence of Kind
        Variables that the result will have beside those of the program.

    Raises
    ------
    InputError, ProgramError
    """
    _check(program, parameters, asked.call)
    beside = (*beside, REPLICAS) if asked.keep_replicas else beside
    parameters = check_parameters(program, parameters)
    tape = Tape()
    plan = rehearse(program, dict(parameters), asked.every, beside, tape)
    if not plan.records:
        raise InputError(f"{name_of(program)} records nothing; let it say net.record(t, h=h) in its loop")
    replay(program, dict(parameters), plan, tape)
    return Task(program, parameters, plan, asked, asked.size if size is None else size)


def _check(program: Any, parameters: Mapping[str, Any], call: str) -> None:
    """Refuse parameters that the program does not have, and programs that no call could pass all parameters to."""
    known = list(signature_of(program).values())
    if not known or known[0].kind not in (known[0].POSITIONAL_ONLY, known[0].POSITIONAL_OR_KEYWORD):
        name = name_of(program)
        raise InputError(f"{name} must take the network as its first argument: def {name}(net, *, ...)")
    names = [p.name for p in known[1:] if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    clash = [name for name in names if name in NAMES]
    if clash:
        raise InputError(f"the parameter {clash[0]!r} of {name_of(program)} is an option of the call; rename it")
    if not any(p.kind is p.VAR_KEYWORD for p in known):
        for name in parameters:
            if name in NAMES:
                other = "simulate" if call == "sample" else "sample"
                raise InputError(f"{name} is an option of {other}, not of {call}")
            if name not in names:
                hint = did_you_mean(name, [*names, *NAMES])
                raise InputError(f"{name_of(program)} has no parameter {name!r}{hint}; it takes {listing(names)}")
    missing = [p.name for p in known[1:] if p.name in names and p.default is p.empty and p.name not in parameters]
    if missing:
        raise InputError(f"{name_of(program)} needs a value for {listing(missing)}")


@contextmanager
def running(
    task: Task,
    piece: Piece,
    order: OrderParameters,
    keep: int | None,
    report: Callable[[int], None],
    size: int | None = None,
) -> Iterator[tuple[Callable[[], int], SilentRecorder]]:
    """Make the world of one piece; what it leaves is to be fetched before the block ends and the samples are let go.

    Parameters
    ----------
    task : Task
    piece : Piece
        Whose random numbers these are.
    order : OrderParameters
    keep : int or None
        Trajectories to keep; None records nothing.
    report : callable
        Feeds the progress bar.
    size : int, optional
        Samples, where they are not those of the task.

    Yields
    ------
    run : callable
        Runs the program; returns how many vectors its draws were matched to at most.  Raises `NotFinite` if it
        diverges.
    recorder : SilentRecorder
        What it has recorded so far.
    """
    asked, plan, lanes, ticker = task.asked, task.plan, Lanes(task.lanes), Ticker(report)
    recorder = SilentRecorder(plan, asked.every)
    if keep is not None:
        recorder = Recorder(plan, asked.every, keep, task.relative_floor())
    stage = Stage(Script(plan), order, asked.every, ticker)
    layout, seed = Layout(size or task.size, np.dtype(asked.dtype), lanes), piece.stream(task.seed)
    world: Network = (
        SiteEnsemble(stage, recorder, seed, layout, task.tolerance)
        if asked.infinite
        else FiniteNetwork(stage, recorder, seed, layout, asked.matrix)
    )

    def run() -> int:
        try:
            run_program(task.program, world, stage.script, dict(task.parameters))
            return world.matched
        except PopulationTooSmall as error:
            where = ", in a chunk" if task.size < asked.size else ""
            raise PopulationTooSmall(f"at {stage.place}{where}: {error}") from None
        finally:
            ticker.flush()

    try:
        yield run, recorder
    finally:
        lanes.close()
