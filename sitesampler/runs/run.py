"""One way to run: what `sample` and `simulate` do with what they are asked for.

A request is checked as far as it can be without work; then files are held, the journal is opened, an empty store for
trajectories and a progress bar are made; pieces run; and what they bring home becomes one dataset.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError, OutOfMemory, StorageError, listing, name_of, shown
from sitesampler.physics.estimates import unflattened
from sitesampler.records.names import OF_ITERATIONS, STDERR, UNRESOLVED
from sitesampler.runs import footprint
from sitesampler.runs.chunks import chunks_of
from sitesampler.runs.iteration import iterate
from sitesampler.runs.march import march
from sitesampler.runs.options import DEFAULT_TOLERANCE, Asked, Iterated, Request
from sitesampler.runs.pieces import Means
from sitesampler.runs.states import settings_of
from sitesampler.runs.task import Task, prepare
from sitesampler.runs.trajectories import check_trajectories, trajectory_store, with_trajectories
from sitesampler.storage.fingerprint import Fingerprint
from sitesampler.storage.folders import hold
from sitesampler.storage.journal import open_journal
from sitesampler.storage.manifest import refuse_taken
from sitesampler.storage.purpose import Inside, Purpose
from sitesampler.storage.stores import open_result
from sitesampler.vectors.threads import one_blas_thread

if TYPE_CHECKING:
    import xarray as xr

#: Growth of a recorded variable by which a run is about to diverge.
_GROWN = 1e20
#: Part of the sites of a group that rounding may add or take away without a word.
_ROUNDED = 0.03
#: Order parameters whose squares are no numbers any more.
_LARGEST = 1e150
_OTHER_RUN = (
    "the checkpoint in {folder} was made by another run: {difference}; go back to those settings, or start anew in "
    "another folder"
)


def carry_out(request: Request) -> xr.Dataset:
    """Do what a call asks for.

    Raises
    ------
    SiteSamplerError
        See `sample`.
    """
    iterated = _iterated(request)
    task, pieces = _prepared(request, iterated)
    at_once, lanes = request.placed.share(pieces)
    iterates = iterated.iterations is not None
    if task.asked.infinite:
        footprint.check_population(task, pieces, at_once)
    else:
        footprint.check_network(task, at_once)
    title = f"{name_of(task.program)} " + ("at N = infinity" if task.asked.infinite else f"at N = {task.size}")
    place = _place(request)
    purpose = Purpose("run", {}, {"seed": task.asked.seed}, _OTHER_RUN)
    if place is not None:
        reached = Fingerprint(program=task.program, **task.all_parameters())
        purpose = replace(
            purpose,
            settings={**settings_of(task, iterated), **reached.parts},
            # What leads this run, if anything does, has said it.
            unknown=() if place.led else reached.unknown,
        )
    # One thread also for what the driver computes: bits must not depend on the number of cores.
    with (
        one_blas_thread(),
        hold(None, request.kept.export),
        open_journal(place, purpose) as journal,
        trajectory_store(task, request.kept.export) as store,
        closing(
            Progress(title, pieces, task.plan.steps, request.placed.progress, "chunks" if iterates else "replicas")
        ) as progress,
    ):
        asked = replace(task.asked, seed=journal.seeds["seed"])
        task = replace(task, asked=asked, lanes=1 if iterates else lanes, store=store)
        means = Means(workers_for(request.placed.client, at_once), progress, journal)
        with _threads_named():
            dataset, entries = iterate(task, iterated, means) if iterates else march(task, means)
        _warn_of_unresolved(dataset)
        _warn_of_growth(dataset)
        return with_trajectories(dataset, store, entries)


def _estimated(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the variables that have a standard error, by name."""
    return {str(name): each for name, each in dataset.data_vars.items() if f"{name}{STDERR}" in dataset}


def _warn_of_unresolved(dataset: xr.Dataset) -> None:
    """Say which variables are NaN where a run could not tell them."""
    found = {name: each.attrs[UNRESOLVED] for name, each in _estimated(dataset).items() if UNRESOLVED in each.attrs}
    if found:
        warn(f"{listing(found)} is NaN where it is not known: {next(iter(found.values()))}")


def _warn_of_growth(dataset: xr.Dataset) -> None:
    """Say which variables are about to diverge: what was there at the start is lost to rounding in them."""
    grown = {}
    for name, each in _estimated(dataset).items():
        if "time" in each.dims and each.sizes["time"] > 1:
            values = np.abs(each.transpose("time", ...).values.reshape(each.sizes["time"], -1))
            sizes = np.max(values, axis=1, where=np.isfinite(values), initial=0.0)
            known = sizes[sizes > 0]
            if known.size and known[-1] > _GROWN * max(known[0], 1.0):  # what starts as rounding is no start
                grown[name] = known[-1]
    if grown:
        reached = listing(f"{name} ({size:.0e})" for name, size in grown.items())
        warn(
            f"{reached} grew by more than {_GROWN:.0e}: a time step too long for the fastest rate does that, and a "
            "smaller one tells"
        )


@contextmanager
def _threads_named() -> Iterator[None]:
    """Turn the error of a system that starts no more threads into one that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise OutOfMemory(
            "the system starts no more threads: its limit of memory or of processes is reached; run fewer things "
            "beside this, or raise the limit (ulimit -v, ulimit -u)"
        ) from None


def _iterated(request: Request) -> Iterated:
    """Return how a request iterates, with the chunk and the order parameters in use."""
    iterated, asked = request.iterated, request.asked
    if iterated.iterations is None:
        return iterated
    chunk = iterated.chunk_of(asked.size)
    start = _start(request.program, iterated.order_parameters, asked.replicas)
    return replace(iterated, chunk=chunk, order_parameters=start)


def _prepared(request: Request, iterated: Iterated) -> tuple[Task, int]:
    """Return the task of a request, and how many pieces run side by side, after all that refuses without work."""
    asked, kept = request.asked, request.kept
    iterates = iterated.iterations is not None
    if kept.export is not None:
        refuse_taken(kept.export, kept.overwrite)
    if asked.tolerance is None:
        finest = 0.1 / asked.size**0.5 if iterates else DEFAULT_TOLERANCE
        asked = replace(asked, tolerance=min(DEFAULT_TOLERANCE, finest))
    if iterates:
        task, pieces = _in_chunks(request, iterated, asked)
    else:
        task, pieces = prepare(request.program, request.parameters, asked), asked.replicas
    if task.plan.tensors and not (asked.infinite or asked.matrix):
        raise InputError(
            f"{name_of(task.program)} has a tensor coupling, which has no exact law without its tensor; use matrix=True"
        )
    if not asked.infinite:
        _check_ratios(task)
    if kept.export is not None:
        check_trajectories(task.plan)
    return task, pieces


def _check_ratios(task: Task) -> None:
    """Refuse a group that a finite network has no site for, and warn where its share of N is another one.

    Raises
    ------
    InputError
    """
    for (name, sites), ratio in zip(task.group_sizes().items(), task.plan.ratios, strict=True):
        wanted = ratio * task.size
        if wanted < 0.5:
            raise InputError(
                f"a network of size {task.size} has no site for the group {name!r} of ratio {ratio:g}; use a size of "
                f"at least {math.ceil(1 / ratio)}"
            )
        if abs(sites - wanted) > _ROUNDED * wanted:
            warn(
                f"the group {name!r} of ratio {ratio:g} has {sites} sites in a network of size {task.size}, for "
                f"{wanted:.4g}: {100 * abs(sites / wanted - 1):.2g} % off; use a size that ratios divide (attribute "
                "group_sizes)"
            )


def _in_chunks(request: Request, iterated: Iterated, asked: Asked) -> tuple[Task, int]:
    """Return the task of a chunk, and how many of them there are."""
    assert iterated.chunk is not None
    chunks = chunks_of(asked.size, iterated.chunk)
    if request.kept.export is not None and asked.size % chunks[0][2]:
        raise InputError(
            f'keep="all" stores whole chunks; use a population that is a multiple of the chunk, such as '
            f"{iterated.chunk * -(-asked.size // iterated.chunk)} for chunks of {iterated.chunk}"
        )
    task = prepare(request.program, request.parameters, asked, chunks[0][2], OF_ITERATIONS)
    if iterated.order_parameters != "march" and any(event.word.startswith("outlier_") for event in task.plan.events):
        raise InputError(
            f"{name_of(task.program)} asks for outliers, which iterations take from the march that they start from; "
            "leave order_parameters out"
        )
    return task, len(chunks) * asked.replicas


def warn(sentence: str) -> None:
    """Tell the caller of `sample` what is not as expected, but no reason to stop."""
    warnings.warn(sentence, RuntimeWarning, stacklevel=2)


def _place(request: Request) -> Inside | None:
    """Return where the journal of a run is, if it has one."""
    kept = request.kept
    if kept.checkpoint is not None:
        return Inside(kept.checkpoint, kept.resume, warn, kept.overwrite, led=False)
    whole = kept.export is not None and request.iterated.iterations is None
    return None if whole else kept.inside  # replicas whose trajectories are in a store are not kept


def _start(program: Any, start: Any, replicas: int) -> Any:
    """Return what an iteration starts from: a word, or the order parameters of an earlier result."""
    if isinstance(start, str) and start in ("march", "cold"):
        return start
    given = start
    if isinstance(start, (str, os.PathLike)):
        try:
            start = open_result(start)
        except StorageError as error:
            raise type(error)(f"order_parameters: {error}") from None
    if not hasattr(start, "data_vars"):
        raise InputError(
            f'order_parameters must be "march", "cold", or a result of sample with iterations, not {shown(given)}'
        )
    if "order_parameters" not in start:
        raise InputError("order_parameters: the result to start from has none; those of sample with iterations do")
    name = start.attrs.get("program")
    if name != name_of(program):
        raise InputError(f"the result to start from is one of {name}, and the program is {name_of(program)}")
    variable = start["order_parameters"]
    if len(variable) < replicas:
        raise InputError(
            f"the result to start from has {len(variable)} replicas, and {replicas} are asked for: each goes on from "
            f"one of its own, or their errors would not be independent; use replicas={len(variable)}"
        )
    structure, table = variable.attrs.get("structure"), np.asarray(variable.values)
    if (
        not isinstance(structure, str)
        or table.ndim != 2
        or table.dtype.kind != "f"
        or not np.all(np.abs(table[:replicas]) < _LARGEST)  # NaN is not
    ):
        raise InputError(
            "the order parameters to start from are damaged: they must be finite real numbers whose squares are too, "
            "(replica, order_parameter), with the attribute structure, as sample with iterations has left them"
        )
    found = tuple(unflattened(values, structure) for values in table[:replicas])
    for replica, estimates in enumerate(found):
        if (wrong := estimates.impossible()) is not None:
            raise InputError(f"the order parameters to start from are damaged: in replica {replica}, {wrong}")
    return found
