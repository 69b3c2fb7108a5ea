"""Trajectories of a whole population: which there are, and the store that holds them when a run is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError
from sitesampler.language.script import Plan
from sitesampler.records.variable import Variable
from sitesampler.runs.task import Task
from sitesampler.storage.trajectories import Trajectory as Layout
from sitesampler.storage.trajectories import TrajectoryStore

if TYPE_CHECKING:
    import xarray as xr

#: How the variables are named that hold trajectories.
PREFIX = "trajectory_"


def check_trajectories(plan: Plan) -> None:
    """Refuse programs whose trajectories do not fit one store.

    Raises
    ------
    InputError
        If nothing but numbers is recorded, or vectors at different times.
    """
    vectors = {name: (plan.loops[name], plan.times[name]) for name, record in plan.records.items() if record.groups}
    if not vectors:
        raise InputError('keep="all" stores site vectors, and the program records numbers only')
    for loop in ("time", "layer"):
        counts = {name: times for name, (along, times) in vectors.items() if along == loop}
        if len(set(counts.values())) > 1:
            (one, few), (other, many) = sorted(counts.items(), key=lambda item: item[1])[:: len(counts) - 1]
            raise InputError(
                f'keep="all" needs all vectors recorded at the same times, and {one!r} is recorded {few} times where '
                f"{other!r} is recorded {many} times"
            )


@contextmanager
def trajectory_store(task: Task, path: Path | None) -> Iterator[TrajectoryStore | None]:
    """Make the empty store for the trajectories of all replicas, written piece by piece, if it has a path.

    What was written is removed if the run that fills it goes wrong.

    Raises
    ------
    DiskFull
        If they would not fit on the disk.
    """
    if path is None:
        yield None
        return
    plan, sites = task.plan, task.asked.replicas * task.asked.size
    names = plan.groups
    layouts = []
    for name, record in plan.records.items():
        if not record.groups:
            continue
        site = names[record.groups[0]]
        dims: tuple[str, ...] = (site, plan.loops[name])
        shape: tuple[int, ...] = (sites, plan.times[name])
        if record.shape:
            dims, shape = (*dims, "input"), (*shape, record.columns)
        if record.kind == "layers":
            dims, shape = ("layer", *dims), (len(record.groups), *shape)
        attrs = {"long_name": f"single-site trajectories of {name}", "units": "1"}
        layouts.append(Layout(PREFIX + name, dims, shape, task.asked.dtype, attrs, site))
    store = TrajectoryStore.create(path, layouts, task.size)
    try:
        yield store
    except BaseException:
        store.abandon()
        raise


def stored(store: TrajectoryStore, variables: dict[str, Variable], first: int) -> dict[str, tuple[int, str]]:
    """Move the trajectories of a piece of a population, from site ``first`` on, from the variables into a store."""
    entries: dict[str, tuple[int, str]] = {}
    for name in [name for name, variable in variables.items() if variable.kind == "paths"]:
        entries |= store.write(name, variables.pop(name).values, first)
    return entries


def with_trajectories(
    dataset: xr.Dataset, store: TrajectoryStore | None, entries: dict[str, tuple[int, str]]
) -> xr.Dataset:
    """Complete a store, if there is one, with the coordinates of a result; return the result with the trajectories.

    They are read when they are used.
    """
    if store is None:
        return dataset
    dims = {dim for each in store.trajectories for dim in each.dims}
    coords: dict[str, Any] = {
        str(dim): (dim, dataset[dim].values, dataset[dim].attrs) for dim in ("time", "layer") if dim in dims
    }
    attrs = {name: value for name, value in dataset.attrs.items() if name not in ("keep", "chunk")}
    whole = store.finish(coords, attrs, entries)
    return dataset.assign({name: whole[name] for name in whole.data_vars})
