"""Marches and simulations: independent replicas of one program, and what is made of them.

A march of several replicas comes with smaller ones, in which its bias is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sitesampler.errors import NotFinite, PopulationTooSmall, name_of
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.records.variable import Variable
from sitesampler.results.combine import SmallerRuns, combine, is_exact
from sitesampler.runs.amplified import warn_of_amplified
from sitesampler.runs.pieces import Means, Piece, States
from sitesampler.runs.smaller import Smaller, bias_is_small, smaller_than
from sitesampler.runs.states import Outcome, sealed_outcome, unsealed_outcome
from sitesampler.runs.task import Task, running
from sitesampler.runs.trajectories import stored
from sitesampler.vectors.threads import one_blas_thread

if TYPE_CHECKING:
    import xarray as xr

#: First part of the key of a random stream, by world; smaller replicas of a march have their own.
_MARCH, _SIMULATION, _SMALLER = 0, 1, 3

_KEPT = States(sealed_outcome, unsealed_outcome)


def replica_of(task: Task, number: int) -> Piece:
    """Return a replica as a piece."""
    key: tuple[int, ...] = (_MARCH, number)
    if not task.asked.infinite:  # networks of two sizes, or with and without matrices, are to be independent
        key = (_SIMULATION, number, task.size, int(task.asked.matrix))
    return Piece(f"replica-{number:03}", key, (number, task.size), f"replica {number}")


def _smaller_replica(task: Task, replica: int, run: int, smaller: Smaller) -> Piece:
    """Return a smaller replica that goes with a replica, as a piece."""
    name = f"replica-{replica:03}-smaller-{run}"
    key = (_SMALLER, replica, run, smaller.times)
    return Piece(name, key, (replica, task.size // smaller.times), f"smaller run {run} of replica {replica}")


def run_replica(task: Task, piece: Piece, report: Callable[[int], None]) -> Outcome:
    """Run one replica, in whatever thread or process this is."""
    replica, size = piece.arguments
    keep = task.asked.kept if replica == 0 or task.store is not None else 0
    failure, matched = None, 0
    order = LiveOrderParameters(task.tolerance)
    with one_blas_thread(), running(task, piece, order, keep, report, size) as (run, recorder):
        try:
            matched = run()
        except NotFinite as error:
            failure = str(error)
        variables = recorder.variables()
        if task.store is None or failure is not None:
            return Outcome(variables, failure, matched=matched)
        return Outcome(variables, None, stored(task.store, variables, replica * task.size), matched)


def run_smaller(task: Task, piece: Piece, report: Callable[[int], None]) -> Outcome:
    """Run one smaller replica; what is too small to run tells nothing of the bias."""
    try:
        outcome = run_replica(task, piece, report)
    except PopulationTooSmall:
        return Outcome({})
    return outcome if outcome.failure is None else Outcome({})


def march(task: Task, means: Means) -> tuple[xr.Dataset, dict[str, tuple[int, str]]]:
    """Run all replicas; return their dataset, and the files of trajectories that they wrote.

    Raises
    ------
    NotFinite
        If a replica diverged; ``partial`` holds what all of them had recorded.
    """
    replicas = task.asked.replicas
    pieces = [replica_of(task, number) for number in range(replicas)]
    outcomes: list[Outcome] = means.run(run_replica, pieces, task, _KEPT)
    recorded = [outcome.variables for outcome in outcomes]
    failures = [(i, outcome.failure) for i, outcome in enumerate(outcomes) if outcome.failure]
    if failures:
        replica, failure = failures[0]
        others = f" ({len(failures)} of {replicas} replicas diverged)" if len(failures) > 1 else ""
        error = NotFinite(f"{name_of(task.program)}, replica {replica}: {failure}{others}")
        error.partial = _dataset(task, recorded).assign_attrs(incomplete=str(error))
        raise error
    entries = {name: entry for outcome in outcomes for name, entry in outcome.entries.items()}
    if not task.asked.infinite or replicas < 2:
        return _dataset(task, recorded), entries
    matched = max(outcome.matched for outcome in outcomes)
    smaller = smaller_than(task.size, matched)
    dataset = _dataset(task, recorded, _smaller_runs(task, means, smaller))
    bias_is_small(dataset, smaller, task.size, matched, "population", is_exact(recorded))
    warn_of_amplified(recorded, task.size, task.relative_floor())
    return dataset, entries


def _dataset(task: Task, recorded: list[dict[str, Variable]], smaller: SmallerRuns | None = None) -> xr.Dataset:
    """Return the dataset of all replicas."""
    asked = task.asked
    return combine(recorded, task.attributes(), asked.infinite, keep=asked.keep_replicas, smaller=smaller)


def _smaller_runs(task: Task, means: Means, smaller: Smaller) -> SmallerRuns | None:
    """Run the smaller replicas that go with each replica."""
    if not smaller.runs:
        return None
    replicas = range(task.asked.replicas)
    pieces = [_smaller_replica(task, replica, run, smaller) for replica in replicas for run in range(smaller.runs)]
    means.progress.begin(len(pieces), task.plan.steps, f"runs of {task.size // smaller.times} samples, for the bias")
    bare = replace(task, asked=replace(task.asked, keep=0), store=None)
    found: list[Outcome] = means.run(run_smaller, pieces, bare, _KEPT)
    starts = range(0, len(found), smaller.runs)
    runs = [[outcome.variables for outcome in found[start : start + smaller.runs]] for start in starts]
    return SmallerRuns(runs, smaller.times)
