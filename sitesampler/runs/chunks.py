"""Chunks: the independent pieces of an iteration, as tasks that run anywhere and as what they bring home.

A chunk is a small population whose order parameters are frozen; `run_chunk` runs one, `merged_outcomes` puts several
together.  `run_start` makes the order parameters that an iteration begins with.  Who asks for chunks, and what is made
of their measurements, is in ``sweeps.py``; where they run in ``workers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from sitesampler.compute.progress import Ticker
from sitesampler.errors import NotFinite, PopulationTooSmall
from sitesampler.language.script import Script
from sitesampler.language.stage import Stage
from sitesampler.physics.estimates import Coefficients, Estimates
from sitesampler.physics.frozen import (
    FrozenOrderParameters,
    Tally,
    merged_tallies,
)
from sitesampler.physics.order import OrderParameters
from sitesampler.physics.written import UncoupledOrderParameters, WrittenOrderParameters
from sitesampler.records.recorder import Recorder, SilentRecorder
from sitesampler.records.variable import Variable
from sitesampler.results.combine import merged
from sitesampler.runs.march import Task, stored
from sitesampler.storage.trajectories import TrajectoryStore
from sitesampler.vectors.layout import Layout
from sitesampler.worlds.ensemble import SiteEnsemble
from sitesampler.worlds.execute import run_program

#: First part of the key of a random stream: a march (0) and a simulation (1) have theirs in ``replicas.py``.
_STREAM = 2


@dataclass(frozen=True)
class Start:
    """What a task needs to make the order parameters that an iteration begins with.

    Attributes
    ----------
    task : Task
        With the size of a chunk.
    coupled : bool
        A march; else a run without any coupling.
    """

    task: Task
    coupled: bool


@dataclass(frozen=True)
class Iteration:
    """What a chunk needs to know.

    Attributes
    ----------
    task : Task
    coefficients : list of Coefficients
        Frozen order parameters of each replica.
    number : int
        Of the iteration: each has random numbers of its own.
    recording : bool
        Whether records are kept, or order parameters only.
    store : TrajectoryStore or None
        Where the trajectories of the whole population go.
    population : int
        Samples of each replica.
    """

    task: Task
    coefficients: list[Coefficients]
    number: int
    recording: bool
    store: TrajectoryStore | None
    population: int


@dataclass(frozen=True)
class ChunkOutcome:
    """What one or more chunks of a replica bring home.

    Attributes
    ----------
    tally : Tally or None
        New order parameters; None where all of them failed.
    samples : float
    variables : dict
        What was recorded, if anything.
    entries : dict
        Files of trajectories that were written.
    failures : tuple of str
        For each chunk that went wrong: which, and why.
    """

    tally: Tally | None
    samples: float
    variables: dict[str, Variable]
    entries: dict[str, tuple[int, str]]
    failures: tuple[str, ...]


def run_start(start: Start, replica: int, report: Callable[[int], None]) -> Estimates:
    """Return the order parameters of one population of the size of a chunk.

    Raises
    ------
    NotFinite
        If it diverges.
    """
    task = start.task
    kind = WrittenOrderParameters if start.coupled else UncoupledOrderParameters
    order = kind(task.tolerance)
    seed = np.random.SeedSequence(task.entropy, spawn_key=(0, replica))
    try:
        with _run(task, order, SilentRecorder(task.plan, task.every), seed, task.size, report):
            return order.estimates()
    except NotFinite as error:
        kind_of_run = "march" if start.coupled else "run without couplings"
        raise NotFinite(f"the {kind_of_run} that replica {replica} starts from: {error}") from None


def run_chunk(
    iteration: Iteration, replica: int, chunk: int, first: int, size: int, report: Callable[[int], None]
) -> ChunkOutcome:
    """Run one chunk: ``size`` samples of a replica, from sample ``first`` of its population on."""
    task, store, place = iteration.task, iteration.store, replica * iteration.population + first
    order = FrozenOrderParameters(iteration.coefficients[replica])
    seed = np.random.SeedSequence(task.entropy, spawn_key=(_STREAM, replica, iteration.number, chunk))
    keep = size if store is not None else task.keep if replica == chunk == 0 else 0
    recorder = Recorder(task.plan, task.every, keep, task.relative_floor())
    records = recorder if iteration.recording else SilentRecorder(task.plan, task.every)
    try:
        with _run(task, order, records, seed, size, report):
            tally = order.tally(size)
            if not all(np.isfinite(array).all() for array in tally.arrays):
                raise NotFinite("at the end an average over the samples is not finite")
            variables = recorder.variables()
    except NotFinite as error:
        sample = "" if error.site is None else f", sample {first + error.site % size}"
        failure = f"replica {replica}, chunk {chunk}{sample}: {error}"
        return ChunkOutcome(None, 0.0, {}, {} if store is None else _left_out(store, place, size), (failure,))
    entries = {} if store is None else stored(store, variables, place)
    return ChunkOutcome(tally, float(size), variables, entries, ())


def _left_out(store: TrajectoryStore, first: int, size: int) -> dict[str, tuple[int, str]]:
    """Store NaN for the trajectories of a chunk that failed, so that the others keep their places."""
    entries: dict[str, tuple[int, str]] = {}
    for each in store.trajectories:
        shape = [size if axis == each.axis else length for axis, length in enumerate(each.shape)]
        entries |= store.write(each.name, np.full(shape, np.nan, each.dtype), first)
    return entries


def merged_outcomes(outcomes: list[ChunkOutcome]) -> ChunkOutcome:
    """Put together what chunks of one replica bring home; those that failed only leave their sentence."""
    failures = tuple(failure for outcome in outcomes for failure in outcome.failures)
    entries = {name: entry for outcome in outcomes for name, entry in outcome.entries.items()}
    whole = [(outcome, outcome.tally) for outcome in outcomes if outcome.tally is not None]
    if not whole:
        return ChunkOutcome(None, 0.0, {}, entries, failures)
    samples, variables = merged([(outcome.samples, outcome.variables) for outcome, _ in whole])
    return ChunkOutcome(merged_tallies([tally for _, tally in whole]), samples, variables, entries, failures)


@contextmanager
def _run(
    task: Task,
    order: OrderParameters,
    recorder: SilentRecorder,
    seed: np.random.SeedSequence,
    size: int,
    report: Callable[[int], None],
) -> Iterator[None]:
    """Run a program; what it leaves in ``order`` and ``recorder`` is to be fetched before the samples are let go."""
    ticker = Ticker(report)
    stage = Stage(Script(task.plan), order, task.every, ticker)
    world = SiteEnsemble(stage, recorder, seed, Layout(size, np.dtype(task.dtype)), task.tolerance)
    try:
        run_program(task.program, world, stage.script, dict(task.parameters))
    except PopulationTooSmall as error:
        raise PopulationTooSmall(f"at {stage.place}, in a chunk: {error}") from None
    ticker.flush()
    yield
