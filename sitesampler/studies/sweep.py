"""Parameter sweeps: one call at every combination of the swept values, and one dataset of all of them."""

from __future__ import annotations

import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError, SiteSamplerError, StorageError, did_you_mean, listing, name_of, shown
from sitesampler.runs.calls import call_inside, sample, simulate
from sitesampler.runs.options import NAMES, Kept, Placed
from sitesampler.runs.pieces import Datasets, Piece, run_pieces
from sitesampler.signatures import check_parameters, signature_of
from sitesampler.storage.fingerprint import Fingerprint
from sitesampler.storage.journal import Journal, open_journal
from sitesampler.storage.purpose import Inside, Purpose
from sitesampler.storage.settings import plain
from sitesampler.studies.grid import Axes, Point, checked_values, gathered, points_of
from sitesampler.worlds.rehearsal import rehearse

if TYPE_CHECKING:
    import xarray as xr

#: Options that concern the sweep as a whole.
_OF_THE_SWEEP = ("client", "progress", "checkpoint", "resume", "overwrite", "export")
_OTHER_SWEEP = "{folder} belongs to another sweep: {difference}; overwrite=True starts anew"


def sweep(
    program: Callable[..., None],
    over: Mapping[str, Iterable[Any]],
    *,
    call: Callable[..., xr.Dataset] | None = None,
    seed: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    client: Any = None,
    progress: bool | None = None,
    **fixed: Any,
) -> xr.Dataset:
    """Run a program at every combination of the swept values.

    Parameters
    ----------
    program : callable
        See `sample`.
    over : dict
        The values of what is swept, by name: parameters of the program, or options of the call such as
        ``population``.
    call : callable, optional
        `sample` (the default) or `simulate`.
    seed : int, optional
        Of every point; drawn and recorded if not given.  With common random numbers a curve is smoother than its errors
        are wide, and neighbouring points do not err independently: sweep the seed too, or call again with another one,
        where that matters.
    checkpoint : path, optional
        Folder that keeps each point as soon as it is complete, and what a point in progress keeps itself.
    resume : bool
        Take the points that are complete from the checkpoint and compute the others, those that failed among them.
        The result has the same bits as that of a sweep that was never interrupted.
    overwrite : bool
        Replace what an earlier sweep has kept in the folder, which is refused otherwise.
    client : dask.distributed.Client, optional
        Where the points run, several at a time; by default one after the other, each on all cores of this machine.
    progress : bool, optional
        Show progress bars; by default on a terminal or in a notebook.
    **fixed
        Options of the call and parameters of the program that are the same at all points.

    Returns
    -------
    xarray.Dataset
        What the call returns, with a dimension for each name of ``over``.  Numbers are its coordinates; of other
        values their text is.  A point that failed holds NaN; the attribute ``failed`` (JSON) says why.  Numbers among
        the attributes that differ between points (such as ``self_consistency_residual``) are variables.

    Raises
    ------
    InputError
        For names and values that cannot be swept, and for a checkpoint of other settings.
    SiteSamplerError
        If all points fail: the error of the last one.

    Warns
    -----
    RuntimeWarning
        If some points failed, or a damaged point of the checkpoint is computed again.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sweep(
    ...     ss.models.deep_propagation, over={"sigma_w": [0.8, 2.0]}, population=500, replicas=2, seed=0, depth=3
    ... )
    >>> ds.q.sizes["sigma_w"], ds.sigma_w.values.tolist(), ds.sigma_w.attrs["long_name"]
    (2, [0.8, 2.0], 'parameter sigma_w of deep_propagation')
    """
    call, notes = sample if call is None else call, list[str]()
    axes = _checked(program, call, over, fixed if seed is None else {**fixed, "seed": seed})
    kept, placed = (
        Kept.of({"checkpoint": checkpoint, "resume": resume, "overwrite": overwrite}),
        Placed(client=client, progress=progress),
    )
    place = (
        None
        if kept.checkpoint is None
        else Inside(kept.checkpoint, kept.resume, notes.append, kept.overwrite, led=False)
    )
    try:
        return run_sweep(Sweep(program, call, axes, fixed, seed), placed, place, notes.append)
    finally:
        for sentence in notes:
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)


@dataclass(frozen=True)
class Sweep:
    """What is swept.

    Attributes
    ----------
    program, call : callable
    axes : dict
        The values of what is swept, by name.
    fixed : dict
        Options and parameters that are the same at all points.
    seed : int or None
    """

    program: Callable[..., None]
    call: Callable[..., xr.Dataset]
    axes: Axes
    fixed: Mapping[str, Any]
    seed: int | None

    def settings(self) -> dict[str, Any]:
        """Return what the bits of the result depend on, but for its seed and its code."""
        return {
            "call": name_of(self.call),
            "program": name_of(self.program),
            **{f"over {name}": plain(values) for name, values in self.axes.items()},
            **{name: plain(value) for name, value in self.fixed.items() if value is not None},
        }

    def reached(self) -> Fingerprint:
        """Return the fingerprint of its code and of all values; an object that makes the calls counts as its class."""
        call = inspect.unwrap(self.call)
        call = call if inspect.isfunction(call) else type(call)
        names = {f"over {name}": values for name, values in self.axes.items()}
        return Fingerprint(call=call, program=self.program, **names, **self.fixed)

    def long_name(self, axis: str) -> str:
        """Return what an axis is."""
        if axis in _options(self.call):
            return f"option {axis} of {name_of(self.call)}"
        return f"parameter {axis} of {name_of(self.program)}"


def run_sweep(swept: Sweep, placed: Placed, place: Inside | None, note: Callable[[str], object]) -> xr.Dataset:
    """Do what `sweep` does, with names and values that were checked.

    Parameters
    ----------
    swept : Sweep
    placed : Placed
    place : Inside or None
        Where the journal of the sweep is, if it has one.
    note : callable
        Takes sentences on the unexpected.
    """
    points = points_of(swept.axes)
    _refuse_recorded(swept, _before(swept, points[0]))
    purpose = Purpose("sweep", {}, {"seed": swept.seed}, _OTHER_SWEEP, "output folder")
    if place is not None:
        reached = swept.reached()
        unknown = () if place.led else reached.unknown  # what leads this sweep has said it
        purpose = replace(purpose, settings={**swept.settings(), **reached.parts}, unknown=unknown)
    title = f"{name_of(swept.program)}, sweep"
    with (
        open_journal(place, purpose) as journal,
        closing(Progress(title, len(points), 1, placed.progress, of="points")) as progress,
    ):
        found = _computed(swept, points, placed, journal, progress)
    datasets = {point.index: one for point, one in zip(points, found, strict=True) if not isinstance(one, Exception)}
    errors = {point.index: one for point, one in zip(points, found, strict=True) if isinstance(one, Exception)}
    if not datasets:
        raise errors[max(errors)]
    whole = gathered(points, datasets, swept.axes)
    failed = {points[index].key: _sentence(error) for index, error in errors.items()}
    if failed:
        first = points[min(errors)]
        note(
            f"{len(failed)} of {len(points)} points failed and hold NaN, the first of them at {first.label}: "
            f"{failed[first.key]}"
        )
    for name in swept.axes:
        whole[name].attrs |= {"units": "1", "long_name": swept.long_name(name)}
    values = {name: [plain(value) for value in listed] for name, listed in swept.axes.items()}
    return whole.assign_attrs(sweep=json.dumps(values), failed=json.dumps(failed))


def _computed(
    swept: Sweep, points: Sequence[Point], placed: Placed, journal: Journal, progress: Progress
) -> list[xr.Dataset | Exception]:
    """Return what each point gave, from the journal where it is kept."""
    fixed = {**swept.fixed, "seed": journal.seeds["seed"]}
    places: dict[str, Inside | None] = {}

    def work(piece: Piece) -> xr.Dataset | Exception:
        (point,) = piece.arguments
        progress.note(point.label)
        options = {**fixed, **point.values, "progress": placed.progress if placed.client is None else False}
        if placed.client is not None:
            options["client"] = placed.client
        try:
            found = call_inside(swept.call, swept.program, options, places[piece.name])
        except (OSError, StorageError):  # of the disk or the cluster, which all points need
            raise
        except Exception as error:
            return error
        _refuse_recorded(swept, {*map(str, found.variables), *map(str, found.dims)})
        return found

    def schedule(left: Sequence[Piece], done: Callable[[int, Any], None]) -> None:
        names = [piece.name for piece in left]
        places.update(zip(names, journal.inside(*names), strict=True))
        count(len(points) - len(left))

        def finished(index: int, result: Any) -> None:
            done(index, result)
            count(1)

        workers_for(placed.client).lead(work, left, finished)

    def count(some: int) -> None:
        for _ in range(some):
            progress.advance(1)
            progress.task_done()

    pieces = [Piece(point.name, arguments=(point,), words=f"the point {point.label}") for point in points]
    return run_pieces(pieces, journal, Datasets(), schedule)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, SiteSamplerError) else f"{type(error).__name__}: {error}"


# ------------------------------------------------------------------------------------------------- what can be swept
def _checked(
    program: Any, call: Callable[..., Any], over: Mapping[str, Any], fixed: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Return the axes, after refusing what would be wrong at every point."""
    if not isinstance(over, Mapping) or not over or not all(isinstance(name, str) for name in over):
        raise InputError(f"over must name what is swept, such as {{'g': [0.5, 1.0]}}, not {shown(over)}")
    axes = {name: checked_values(f"over[{name!r}]", values) for name, values in over.items()}
    own = list(signature_of(program).values())[1:]
    options = ["seed", *_options(call)]
    known = [item.name for item in own if item.kind is not item.VAR_KEYWORD]
    for name in (*axes, *fixed):
        if name in _OF_THE_SWEEP:
            reason = "holds one run" if name == "export" else "belongs to the sweep as a whole"
            raise InputError(f"{name} {reason}: it can be neither swept nor passed to all points")
        if name in axes and name in fixed:
            raise InputError(f"{name} is swept and cannot be fixed as well")
        if name not in options and name not in known and len(known) == len(own):
            hint = did_you_mean(name, [*known, *options])
            raise InputError(f"{name_of(program)} has no parameter {name!r}{hint}; it takes {listing(known)}")
    check_parameters(program, {name: value for name, value in fixed.items() if name in known})
    for name, values in axes.items():
        for value in values if name in known else ():
            try:
                check_parameters(program, {name: value})
            except InputError as error:
                raise InputError(f"over[{name!r}]: {error}") from None
    return axes


def _options(call: Callable[..., Any]) -> list[str]:
    """Return the options of a call.

    Raises
    ------
    InputError
        If it is none.
    """
    if not callable(call) or isinstance(call, type) or inspect.isbuiltin(call):
        raise InputError(f"call must be sample or simulate, or a function that is called like them, not {shown(call)}")
    return [item.name for item in inspect.signature(call).parameters.values() if item.kind is item.KEYWORD_ONLY]


def _before(swept: Sweep, point: Point) -> set[str]:
    """Return names that the result of a call of ours will have, as far as a rehearsal shows them."""
    if swept.call not in (sample, simulate):
        return set()
    given = {**swept.fixed, **point.values}
    try:
        plan = rehearse(swept.program, {name: value for name, value in given.items() if name not in NAMES})
    except (SiteSamplerError, TypeError):  # this point fails; others may not
        return set()
    return {*plan.records, *plan.loops.values(), *plan.dimensions}


def _refuse_recorded(swept: Sweep, names: set[str]) -> None:
    taken = [name for name in swept.axes if name in names]
    if taken:
        raise InputError(f"{name_of(swept.program)} records {taken[0]!r} itself; rename the parameter to sweep it")
