"""Marches and simulations: independent replicas of one program, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sitesampler.errors import NotFinite, name_of
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.results.combine import combine
from sitesampler.runs.pieces import Means, Piece, States
from sitesampler.runs.states import Outcome, sealed_outcome, unsealed_outcome
from sitesampler.runs.task import Task, running
from sitesampler.runs.trajectories import stored
from sitesampler.vectors.threads import one_blas_thread

if TYPE_CHECKING:
    import xarray as xr

#: First part of the key of a random stream, by world.
_MARCH, _SIMULATION = 0, 1


def replica_of(task: Task, number: int) -> Piece:
    """Return a replica as a piece."""
    key: tuple[int, ...] = (_MARCH, number)
    if not task.asked.infinite:  # networks of two sizes, or with and without matrices, are to be independent
        key = (_SIMULATION, number, task.size, int(task.asked.matrix))
    return Piece(f"replica-{number:03}", key, (number,), f"replica {number}")


def run_replica(task: Task, piece: Piece, report: Callable[[int], None]) -> Outcome:
    """Run one replica, in whatever thread or process this is."""
    (replica,) = piece.arguments
    keep = task.asked.kept if replica == 0 or task.store is not None else 0
    failure = None
    order = LiveOrderParameters(task.tolerance)
    with one_blas_thread(), running(task, piece, order, keep, report) as (run, recorder):
        try:
            run()
        except NotFinite as error:
            failure = str(error)
        variables = recorder.variables()
        if task.store is None or failure is not None:
            return Outcome(variables, failure)
        return Outcome(variables, None, stored(task.store, variables, replica * task.size))


def march(task: Task, means: Means) -> tuple[xr.Dataset, dict[str, tuple[int, str]]]:
    """Run all replicas; return their dataset, and the files of trajectories that they wrote.

    Raises
    ------
    NotFinite
        If a replica diverged; ``partial`` holds what all of them had recorded.
    """
    replicas = task.asked.replicas
    pieces = [replica_of(task, number) for number in range(replicas)]
    outcomes: list[Outcome] = means.run(run_replica, pieces, task, States(sealed_outcome, unsealed_outcome))
    recorded = [outcome.variables for outcome in outcomes]
    dataset = combine(recorded, task.attributes(), task.asked.infinite, keep=task.asked.keep_replicas)
    failures = [(i, outcome.failure) for i, outcome in enumerate(outcomes) if outcome.failure]
    if failures:
        replica, failure = failures[0]
        others = f" ({len(failures)} of {replicas} replicas diverged)" if len(failures) > 1 else ""
        error = NotFinite(f"{name_of(task.program)}, replica {replica}: {failure}{others}")
        error.partial = dataset.assign_attrs(incomplete=str(error))
        raise error
    return dataset, {name: entry for outcome in outcomes for name, entry in outcome.entries.items()}
