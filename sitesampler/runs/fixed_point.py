"""The fixed point of one call: start, iterate with a checkpoint after each iteration, sweep once more, and the dataset.

The iteration itself is in ``sweeps.py``; here it is led from its first to its last sweep and never loses what was done.
"""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import Workers
from sitesampler.errors import name_of
from sitesampler.runs import checkpoints
from sitesampler.runs.iteration import Plan, Sweeps, warn_if_moving
from sitesampler.runs.march import Task
from sitesampler.runs.trajectories import trajectory_store, with_trajectories

if TYPE_CHECKING:
    import xarray as xr


class ChunksLeftOut(UserWarning):
    """Chunks diverged and are not in the result, as the user asked."""


def iterate(
    task: Task,
    plan: Plan,
    workers: Workers,
    show: bool | None,
    checkpoint: Path | None = None,
    resume: bool = False,
    export: Path | None = None,
) -> xr.Dataset:
    """Iterate to self-consistency and return what the last sweeps have recorded.

    Parameters
    ----------
    task : Task
        With the size of a chunk.
    plan : Plan
    workers : Workers
    show : bool or None
        See `Progress`.
    checkpoint : Path, optional
        Folder in which each iteration is kept.
    resume : bool
        Go on from what is kept there.
    export : Path, optional
        Store for the trajectories of the whole population.

    Raises
    ------
    NotFinite
        If a march or a chunk diverges; ``partial`` holds what averaged iterations had recorded before.
    InputError, StorageError
        If the checkpoint is one of other settings, or damaged.
    DiskFull
        If a checkpoint or the trajectories do not fit.
    """
    settings = checkpoints.settings_of(task, plan)
    state = checkpoints.load(checkpoint, settings) if checkpoint is not None and resume else None
    sites = plan.population * plan.replicas
    size = plan.chunks()[0][2]
    title = f"{name_of(task.program)} at N = infinity"
    with (
        trajectory_store(task.plan, export, sites, size, task.dtype) as store,
        closing(Progress(title, plan.replicas, task.plan.steps, show, of="chunks")) as progress,
    ):
        sweeps = Sweeps(replace(task, size=size), plan, workers, progress, store)
        if state is None:
            state = sweeps.begin()
            _keep(checkpoint, settings, state)
        while not sweeps.finished(state):
            state = sweeps.advance(state)
            _keep(checkpoint, settings, state)
        variables, residual, entries, state.failures = sweeps.finish(state)
        facts: dict[str, Any] = {
            "tolerance": task.tolerance,
            "start": plan.start if isinstance(plan.start, str) else "an earlier result",
            "iterations": len(state.changes),
            "converged": int(warn_if_moving(sweeps, state, residual)),
            "self_consistency_residual": residual,
        }
        if state.failures:
            warnings.warn(
                f"{len(state.failures)} chunks diverged and are left out (attribute failed_chunks): the rest is "
                f"no fair sample; the first of them: {state.failures[0]}",
                ChunksLeftOut,
                stacklevel=3,
            )
        dataset = sweeps.dataset(variables, state, facts)
        return with_trajectories(dataset, store, entries)


def _keep(checkpoint: Path | None, settings: dict[str, Any], state: Any) -> None:
    if checkpoint is not None:
        checkpoints.save(checkpoint, settings, state)
