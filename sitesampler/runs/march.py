"""Replicas: independent runs of one program, and what is made of them.

What a world does is in ``ensemble.py`` and ``finite.py``, statistics and labels are in ``results.py``; the calls that
users make, and what they refuse, are in ``sampler.py``, and where the runs happen is in ``workers.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.compute.progress import Progress, Ticker
from sitesampler.compute.workers import workers_for
from sitesampler.errors import NotFinite, PopulationTooSmall, name_of
from sitesampler.language.network import Network
from sitesampler.language.script import Plan, Script
from sitesampler.language.stage import Stage
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.records.recorder import Recorder
from sitesampler.records.variable import Variable
from sitesampler.results.combine import combine
from sitesampler.results.provenance import provenance
from sitesampler.runs.trajectories import trajectory_store, with_trajectories
from sitesampler.storage.trajectories import TrajectoryStore
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.threads import Lanes, one_blas_thread
from sitesampler.worlds.ensemble import SiteEnsemble
from sitesampler.worlds.execute import Program, run_program
from sitesampler.worlds.finite import FiniteNetwork

if TYPE_CHECKING:
    import xarray as xr

#: Largest relative error of an exact (Gaussian) system over its tolerance: 0.2 to 0.9 at the default one, and falling
#: with it; a tenth of the statistical error of a usual chaotic run.  Measured by the same benchmark.
_FLOOR_PER_TOLERANCE = 0.5
#: Rounding in units of the machine precision.
_ROUNDING = 1e3


@dataclass(frozen=True)
class Task:
    """Everything that one replica needs to know."""

    program: Program
    parameters: Mapping[str, Any]
    plan: Plan
    infinite: bool
    size: int
    matrix: bool
    entropy: int
    keep: int
    every: int
    tolerance: float
    dtype: str
    lanes: int
    store: TrajectoryStore | None = None

    def relative_floor(self) -> float:
        """Return the relative error below which tolerance and rounding say nothing."""
        rounding = _ROUNDING * float(np.finfo(self.dtype).eps)
        return rounding if self.matrix and not self.infinite else rounding + _FLOOR_PER_TOLERANCE * self.tolerance


@dataclass(frozen=True)
class Outcome:
    """What a replica has recorded, and the sentence that says why it ended early, if it did."""

    variables: dict[str, Variable]
    failure: str | None = None
    entries: dict[str, tuple[int, str]] = field(default_factory=dict)


def _world(
    task: Task, recorder: Recorder, lanes: Lanes, replica: int, on_step: Callable[[], None]
) -> tuple[Stage, Network]:
    seed = np.random.SeedSequence(task.entropy, spawn_key=(0 if task.infinite else 1, replica))
    stage = Stage(Script(task.plan), LiveOrderParameters(task.tolerance), task.every, on_step)
    layout = Layout(task.size, np.dtype(task.dtype), lanes)
    if task.infinite:
        return stage, SiteEnsemble(stage, recorder, seed, layout, task.tolerance)
    return stage, FiniteNetwork(stage, recorder, seed, layout, task.matrix)


def run_replica(task: Task, replica: int, report: Callable[[int], None]) -> Outcome:
    """Run one replica, in whatever thread or process this is."""
    ticker = Ticker(report)
    keep = task.keep if replica == 0 or task.store is not None else 0
    recorder = Recorder(task.plan, task.every, keep, task.relative_floor())
    lanes = Lanes(task.lanes)
    failure = None
    try:
        with one_blas_thread():
            stage, world = _world(task, recorder, lanes, replica, ticker)
            try:
                run_program(task.program, world, stage.script, dict(task.parameters))
            except NotFinite as error:
                failure = str(error)
            except PopulationTooSmall as error:
                raise PopulationTooSmall(f"at {stage.place}: {error}") from None
            ticker.flush()
            variables = recorder.variables()
            if task.store is None or failure is not None:
                return Outcome(variables, failure)
            return Outcome(variables, None, stored(task.store, variables, replica * task.size))
    finally:
        lanes.close()


def stored(store: TrajectoryStore, variables: dict[str, Variable], first: int) -> dict[str, tuple[int, str]]:
    """Move the trajectories of a piece of a population, from site ``first`` on, from the variables into a store."""
    entries: dict[str, tuple[int, str]] = {}
    for name in [name for name, variable in variables.items() if variable.kind == "paths"]:
        entries |= store.write(name, variables.pop(name).values, first)
    return entries


def run(
    task: Task,
    replicas: int,
    shares: tuple[int, int],
    client: Any,
    show: bool | None,
    facts: dict[str, Any],
    export: Path | None = None,
) -> xr.Dataset:
    """Run all replicas and return their dataset.

    Parameters
    ----------
    task : Task
    replicas : int
    shares : (int, int)
        How many replicas run at a time on this machine, and the threads of each.
    client : dask.distributed.Client or None
    show : bool or None
        See `Progress`.
    facts : dict
        Attributes of the dataset besides those that follow from the task.
    export : Path, optional
        Store for the trajectories of all replicas.

    Raises
    ------
    NotFinite
        If a replica diverged; ``partial`` holds what all of them had recorded.
    """
    at_once, lanes = shares
    title = f"{name_of(task.program)} " + ("at N = infinity" if task.infinite else f"at N = {task.size}")
    sites = replicas * task.size
    with (
        trajectory_store(task.plan, export, sites, task.size, task.dtype) as store,
        closing(Progress(title, replicas, task.plan.steps, show)) as progress,
    ):
        task = replace(task, lanes=lanes, store=store)
        groups = [[(replica,)] for replica in range(replicas)]
        outcomes = workers_for(client, at_once).run(run_replica, groups, None, task, progress)
        dataset = _collect(task, replicas, outcomes, facts)
        entries = {name: entry for outcome in outcomes for name, entry in outcome.entries.items()}
        return with_trajectories(dataset, store, entries)


def attributes_of(task: Task, replicas: int, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a dataset: what was run, with all parameters, and how."""
    return provenance(
        title=f"{name_of(task.program)}, {facts['world']}",
        program=name_of(task.program),
        parameters=all_parameters(task),
        seed=task.entropy if task.entropy < 2**63 else str(task.entropy),
        replicas=int(replicas),
        keep=task.keep,
        every=task.every,
        dtype=task.dtype,
        **facts,
    )


def _collect(task: Task, replicas: int, outcomes: list[Outcome], facts: dict[str, Any]) -> xr.Dataset:
    dataset = combine([outcome.variables for outcome in outcomes], attributes_of(task, replicas, facts), task.infinite)
    failures = [(i, outcome.failure) for i, outcome in enumerate(outcomes) if outcome.failure]
    if failures:
        replica, failure = failures[0]
        others = f" ({len(failures)} of {replicas} replicas diverged)" if len(failures) > 1 else ""
        error = NotFinite(f"{name_of(task.program)}, replica {replica}: {failure}{others}")
        error.partial = dataset.assign_attrs(incomplete=str(error))
        raise error
    return dataset


def all_parameters(task: Task) -> dict[str, Any]:
    """Return the parameters of the program with its defaults filled in."""
    known = inspect.signature(task.program).parameters.values()
    defaults = {p.name: p.default for p in list(known)[1:] if p.default is not p.empty}
    return {**defaults, **task.parameters}
