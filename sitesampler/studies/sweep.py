"""Parameter sweeps: one call at every combination of the swept values, and one dataset of all of them.

Here are the points, what becomes of those that fail, and the folder that lets a killed sweep go on.  What happens at
a point is the business of the call (``sampler.py``), how a dataset is written that of ``storage.py``, and what a study
file may sweep that of ``study.py``.
"""

from __future__ import annotations

import inspect
import json
import os
import secrets
import shutil
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from sitesampler.compute.progress import Progress
from sitesampler.errors import InputError, SiteSamplerError, StorageError, did_you_mean, listing, name_of
from sitesampler.storage.folders import lock_folder
from sitesampler.storage.journal import difference, digest, plain, sources
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import is_ours, open_result, publish
from sitesampler.studies.grid import Axes, Point, checked_values, gathered, points_of
from sitesampler.version import __version__

if TYPE_CHECKING:
    import xarray as xr

#: Points that run on a cluster at a time, however many workers there are at the moment: more may join.
_AT_ONCE = 8
#: Options that concern the sweep as a whole.
_OF_THE_SWEEP = ("client", "progress", "checkpoint", "resume", "export")
#: File with the settings of a sweep, and the attribute of a stored point that says which sweep it is of.
_RECORD, _MARK = "sweep.npz", "sweep_of_point"


def sweep(
    program: Callable[..., None],
    over: Mapping[str, Iterable[Any]],
    *,
    call: Callable[..., xr.Dataset] | None = None,
    seed: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
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
        Folder that keeps each point as soon as it is complete, and what a point in progress keeps itself.  What an
        earlier sweep left there is discarded, unless ``resume`` is set.
    resume : bool
        Take the points that are complete from the checkpoint and compute the others, those that failed among them.
        The result has the same bits as that of a sweep that was never interrupted.
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
    from sitesampler.runs.calls import sample

    call, notes = call or sample, list[str]()
    axes = _checked(program, call, over, fixed if seed is None else {**fixed, "seed": seed})
    try:
        return run_sweep(
            program, axes, call=call, seed=seed, checkpoint=checkpoint, resume=resume, client=client,
            progress=progress, note=notes.append, fixed=fixed,
        )  # fmt: skip
    finally:
        for sentence in notes:
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)


def run_sweep(
    program: Callable[..., None],
    axes: Axes,
    *,
    call: Callable[..., xr.Dataset],
    seed: int | None,
    checkpoint: str | os.PathLike[str] | None,
    resume: bool,
    client: Any,
    progress: bool | None,
    note: Callable[[str], object],
    fixed: Mapping[str, Any],
) -> xr.Dataset:
    """Do what `sweep` does, with names and values that were checked; ``note`` takes sentences on the unexpected."""
    settings = _settings(program, call, axes, fixed if seed is None else {**fixed, "seed": seed})
    with _kept_in(checkpoint, settings, seed, resume, note) as kept:
        return _Run(program, call, axes, {**fixed, "seed": kept.seed}, kept, client, progress, note).dataset()


# ------------------------------------------------------------------------------------------------- what can be swept
def _checked(
    program: Any, call: Callable[..., Any], over: Mapping[str, Any], fixed: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Return the axes, after refusing what would be wrong at every point."""
    if not isinstance(over, Mapping) or not over:
        raise InputError(f"over must name what is swept, such as {{'g': [0.5, 1.0]}}, not {over!r}")
    axes = {name: checked_values(f"over[{name!r}]", values) for name, values in over.items()}
    try:
        own = list(inspect.signature(program).parameters.values())[1:]
    except (TypeError, ValueError):
        raise InputError(f"a program is a function that takes net, not {program!r}") from None
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
    return axes


def _options(call: Callable[..., Any]) -> list[str]:
    return [item.name for item in inspect.signature(call).parameters.values() if item.kind is item.KEYWORD_ONLY]


def _settings(program: Any, call: Callable[..., Any], axes: Axes, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the bits of the result depend on, but for a seed that is drawn."""
    return {
        "sitesampler": __version__,
        "call": name_of(call),
        "program": name_of(program),
        **{f"over {name}": plain(values) for name, values in axes.items()},
        **{name: plain(value) for name, value in fixed.items() if value is not None},
        **sources(program, *fixed.values(), *chain(*axes.values())),
    }


# -------------------------------------------------------------------------------------------------------- the points
class _Run:
    """A sweep on its way: which points are done, and what failed."""

    def __init__(
        self,
        program: Callable[..., None],
        call: Callable[..., xr.Dataset],
        axes: Axes,
        fixed: Mapping[str, Any],
        kept: _Kept,
        client: Any,
        progress: bool | None,
        note: Callable[[str], object],
    ) -> None:
        self._program, self._call, self._axes, self._fixed = program, call, axes, fixed
        self._kept, self._client, self._progress, self._note = kept, client, progress, note
        self._points = points_of(axes)
        self._found: dict[int, xr.Dataset] = {}
        self._errors: dict[int, Exception] = {}
        self._stopped = threading.Event()

    def dataset(self) -> xr.Dataset:
        """Compute the points that the checkpoint does not have, and return them all."""
        for point in self._points:
            stored = self._kept.stored(point)
            if stored is not None:
                self._found[point.index] = stored
        self._compute([point for point in self._points if point.index not in self._found])
        if not self._found:
            raise self._errors[max(self._errors)]
        whole = gathered(self._points, self._found, self._axes)
        failed = {self._points[index].key: _sentence(self._errors[index]) for index in sorted(self._errors)}
        if failed:
            first = self._points[min(self._errors)]
            self._note(
                f"{len(failed)} of {len(self._points)} points failed and hold NaN, the first of them at {first.label}: "
                f"{failed[first.key]}"
            )
        for name in self._axes:
            whole[name].attrs |= {"units": "1", "long_name": self._long_name(name)}
        swept = {name: [plain(value) for value in values] for name, values in self._axes.items()}
        return whole.assign_attrs(sweep=json.dumps(swept), failed=json.dumps(failed))

    def _long_name(self, name: str) -> str:
        if name in _options(self._call):
            return f"option {name} of {name_of(self._call)}"
        return f"parameter {name} of {name_of(self._program)}"

    def _compute(self, points: Sequence[Point]) -> None:
        """Compute points: on a cluster several at a time, here one after the other (each takes all cores)."""
        progress = Progress(f"{name_of(self._program)}, sweep", len(self._points), 1, self._progress, of="points")

        def count() -> None:
            progress.advance(1)
            progress.task_done()

        def work(point: Point) -> None:
            progress.note(point.label)
            self._compute_one(point, self._progress if self._client is None else False)
            count()

        for _ in self._found:
            count()
        try:
            if self._client is None:
                for point in points:
                    work(point)
                return
            self._several(work, points)
        finally:
            progress.close()

    def _several(self, work: Callable[[Point], None], points: Sequence[Point]) -> None:
        """Work on several points at a time, each in a thread that waits for the cluster."""
        waiting: SimpleQueue[Point] = SimpleQueue()
        ended: SimpleQueue[BaseException | None] = SimpleQueue()
        for point in points:
            waiting.put(point)

        def take() -> None:
            while not self._stopped.is_set():
                try:
                    work(waiting.get_nowait())
                except Empty:
                    return
                except BaseException as error:
                    ended.put(error)
                else:
                    ended.put(None)

        # An interrupted interpreter does not wait for daemons, as it would for the threads of an executor.
        try:
            for _ in range(min(len(points), _AT_ONCE)):
                threading.Thread(target=take, daemon=True).start()
            for _ in points:
                error = ended.get()
                if error is not None:
                    raise error
        finally:  # what is in progress then is not kept
            self._stopped.set()

    def _compute_one(self, point: Point, progress: bool | None) -> None:
        options = {**self._fixed, **point.values, "progress": progress}
        if self._client is not None:
            options["client"] = self._client
        if options.get("iterations") is not None:
            options |= self._kept.options(point)
        try:
            found = self._call(self._program, **options)
        except (OSError, StorageError):  # of the disk or the cluster, which all points need
            raise
        except Exception as error:
            self._errors[point.index] = error
            return
        taken = [name for name in self._axes if name in found.variables or name in found.dims]
        if taken:
            raise InputError(f"{name_of(self._program)} records {taken[0]!r} itself; rename the parameter to sweep it")
        if not self._stopped.is_set():
            self._found[point.index] = self._kept.keep(point, found)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, SiteSamplerError) else f"{type(error).__name__}: {error}"


# ---------------------------------------------------------------------------------------------------- the checkpoint
class _Kept:
    """What is kept of a sweep in a folder, if it has one: each point that is complete, and what others keep so far."""

    def __init__(self, folder: Path | None, record: Mapping[str, Any], note: Callable[[str], object]) -> None:
        self._folder, self._note = folder, note
        self._mark = digest(json.dumps(record))
        self.seed = record["seed"]

    def stored(self, point: Point) -> xr.Dataset | None:
        """Return a point that is complete."""
        if self._folder is None or not (path := self._folder / f"{point.name}.zarr").exists():
            return None
        try:
            return self._opened(path)
        except StorageError as error:
            self._note(f"the point {point.label} is computed again: {error}")
            if not is_ours(path):  # any more: its manifest is lost
                shutil.rmtree(path, ignore_errors=True)
            return None

    def options(self, point: Point) -> dict[str, Any]:
        """Return the options of a call that keeps its own state and goes on from it."""
        if self._folder is None:
            return {}
        return {"checkpoint": self._folder / point.name, "resume": True}

    def keep(self, point: Point, dataset: xr.Dataset) -> xr.Dataset:
        """Store a point and return it as it will be found there."""
        if self._folder is None:
            return dataset
        path = publish(dataset.assign_attrs({_MARK: self._mark}), self._folder / f"{point.name}.zarr")
        shutil.rmtree(self._folder / point.name, ignore_errors=True)
        return self._opened(path)

    def _opened(self, path: Path) -> xr.Dataset:
        with open_result(path) as stored:
            dataset = stored.load().drop_encoding()
        if dataset.attrs.pop(_MARK, None) != self._mark:
            raise StorageError(f"{path} is a point of another sweep")
        return dataset


@contextmanager
def _kept_in(
    checkpoint: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
    seed: Any,
    resume: bool,
    note: Callable[[str], object],
) -> Iterator[_Kept]:
    """Hold the folder of a sweep, emptied unless the sweep goes on; a seed that was drawn is the one it began with."""
    record = {"settings": settings, "seed": secrets.randbits(128) if seed is None else plain(seed)}
    if checkpoint is None:
        yield _Kept(None, record, note)
        return
    with lock_folder(Path(checkpoint)) as folder:
        if resume and (folder / _RECORD).exists():
            _, before = read_state(folder / _RECORD)
            if changed := difference(before["settings"], settings):
                raise InputError(f"{folder} belongs to another sweep: {changed}; leave out resume to start anew")
            record = before
        else:
            left = [folder / _RECORD, *folder.glob("point-[0-9]*")] if (folder / _RECORD).exists() else []
            for stale in left:  # without the record of the sweep, nothing is known to be of one
                if stale.is_dir():
                    shutil.rmtree(stale)
                else:
                    stale.unlink(missing_ok=True)
            write_state(folder / _RECORD, {}, record)
        yield _Kept(folder, record, note)
