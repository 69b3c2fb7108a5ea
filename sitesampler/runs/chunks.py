"""Chunks: the independent pieces of an iteration, as tasks that run anywhere and as what they bring home.

A chunk is a small population whose order parameters are frozen; `run_chunk` runs one, `merged_outcomes` puts several
together.  `run_start` makes the order parameters that an iteration begins with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitesampler.errors import NotFinite
from sitesampler.physics.estimates import Coefficients, Estimates
from sitesampler.physics.frozen import FrozenOrderParameters, Tally, merged_tallies
from sitesampler.physics.written import UncoupledOrderParameters, WrittenOrderParameters
from sitesampler.records.variable import Variable
from sitesampler.results.combine import merged
from sitesampler.runs.pieces import Piece
from sitesampler.runs.smaller import Smaller
from sitesampler.runs.task import Task, running
from sitesampler.runs.trajectories import stored
from sitesampler.storage.trajectories import TrajectoryStore

#: First part of the key of a random stream: the marches that iterations start from share theirs with a march.
_MARCH, _CHUNK, _SMALLER = 0, 2, 4


@dataclass(frozen=True)
class Chunks:
    """What the chunks of one iteration share.

    Attributes
    ----------
    task : Task
        Of the size of a chunk; its store, if any, takes the trajectories.
    coefficients : list of Coefficients
        Frozen order parameters of each replica.
    number : int
        Of the iteration: each has random numbers of its own.
    recording : bool
        Whether records are kept, or order parameters only.
    earlier : tuple of ints
        Fingerprint of the result that the iteration goes on from, if it does: what goes on with the same seed has
        other random numbers than what it goes on from.
    """

    task: Task
    coefficients: list[Coefficients]
    number: int
    recording: bool = True
    earlier: tuple[int, ...] = ()

    def piece(self, replica: int, chunk: int, first: int, size: int) -> Piece:
        """Return a chunk as a piece: ``size`` samples of a replica, from sample ``first`` of its population on."""
        words = f"replica {replica}, chunk {chunk}"
        return Piece(words, (_CHUNK, replica, self.number, chunk, *self.earlier), (replica, chunk, first, size))

    def smaller(self, replica: int, chunk: int, first: int, size: int, smaller: Smaller) -> list[Piece]:
        """Return the smaller chunks that go with a chunk, for its bias."""
        words = f"replica {replica}, chunk {chunk}, smaller run"
        key = (_SMALLER, replica, self.number, chunk, smaller.times, *self.earlier)
        arguments = (replica, -1, first, size // smaller.times)
        return [Piece(f"{words} {run}", (*key, run), arguments) for run in range(smaller.runs)]


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
    matched : int
        Vectors that its draws were made orthogonal to, at most.
    """

    tally: Tally | None
    samples: float
    variables: dict[str, Variable]
    entries: dict[str, tuple[int, str]]
    failures: tuple[str, ...]
    matched: int = 0


def chunks_of(population: int, chunk: int) -> list[tuple[int, int, int]]:
    """Return the number, the first sample and the size of each chunk of a replica: sizes differ by one at most."""
    count = -(-population // chunk)
    size, larger = divmod(population, count)
    return [(number, number * size + min(number, larger), size + (number < larger)) for number in range(count)]


def start_of(replica: int) -> Piece:
    """Return a run that an iteration starts from as a piece."""
    return Piece(f"start-{replica:03}", (_MARCH, replica), (replica,), f"the start of replica {replica}")


def run_start(shared: tuple[Task, bool], piece: Piece, report: Callable[[int], None]) -> Estimates:
    """Return the order parameters of one population of the size of a chunk: a march if coupled, else without couplings.

    Raises
    ------
    NotFinite
        If it diverges.
    """
    task, coupled = shared
    kind = WrittenOrderParameters if coupled else UncoupledOrderParameters
    order = kind(task.tolerance)
    try:
        with running(task, piece, order, None, report) as (run, _):
            run()
            return order.estimates()
    except NotFinite as error:
        kind_of_run = "march" if coupled else "run without couplings"
        raise NotFinite(f"the {kind_of_run} that replica {piece.arguments[0]} starts from: {error}") from None


def run_chunk(shared: Chunks, piece: Piece, report: Callable[[int], None]) -> ChunkOutcome:
    """Run one chunk."""
    replica, chunk, first, size = piece.arguments
    task, store = shared.task, shared.task.store
    place, order = replica * task.asked.size + first, FrozenOrderParameters(shared.coefficients[replica])
    keep = size if store is not None else task.asked.kept if replica == chunk == 0 else 0
    try:
        with running(task, piece, order, keep if shared.recording else None, report, size) as (run, recorder):
            matched = run()
            tally = order.tally(size)
            if not all(np.isfinite(array).all() for array in tally.arrays):
                raise NotFinite("at the end an average over the samples is not finite")
            variables = recorder.variables()
    except NotFinite as error:
        sample = "" if error.site is None else f", sample {first + error.site % size}"
        failure = f"{piece.name}{sample}: {error}"
        return ChunkOutcome(None, 0.0, {}, {} if store is None else _left_out(store, place, size), (failure,))
    entries = {} if store is None else stored(store, variables, place)
    return ChunkOutcome(tally, float(size), variables, entries, (), matched)


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
    matched = max(outcome.matched for outcome in outcomes)
    return ChunkOutcome(merged_tallies([tally for _, tally in whole]), samples, variables, entries, failures, matched)
