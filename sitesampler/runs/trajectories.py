"""Trajectories of a whole population: which there are, and the store that holds them when a run is done.

How a store is filled by many workers is in ``export.py``; what a trajectory is, in ``vector_records.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError
from sitesampler.language.script import Plan
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
def trajectory_store(
    plan: Plan, path: Path | None, sites: int, chunk: int, dtype: str
) -> Iterator[TrajectoryStore | None]:
    """Make the empty store for the trajectories of so many sites, written in pieces of a chunk, if it has a path.

    What was written is removed if the run that fills it goes wrong.

    Raises
    ------
    DiskFull
        If they would not fit on the disk.
    """
    if path is None:
        yield None
        return
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
        layouts.append(Layout(PREFIX + name, dims, shape, dtype, attrs, site))
    store = TrajectoryStore.create(path, layouts, chunk)
    try:
        yield store
    except BaseException:
        store.abandon()
        raise


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
