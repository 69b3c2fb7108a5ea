"""Running a study: the calls of `sample` and `simulate` that it stands for, point by point of its sweep, and its files.

What a study file may say is in ``study.py``, how a dataset is written in ``storage.py``, what a figure shows in
``figures``, what the terminal shows in ``cli.py``.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, SiteSamplerError, StorageError
from sitesampler.storage.folders import lock_folder
from sitesampler.storage.journal import difference
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import is_ours, open_result, publish, refuse_foreign
from sitesampler.studies.study_file import Options, Study, StudyError, load_program, place_of
from sitesampler.studies.sweep import run_sweep
from sitesampler.version import __version__

if TYPE_CHECKING:
    import xarray as xr

#: Files of a run beside its datasets: what it was started with and what is done, and what is kept while it lasts.
_RECORD, _CHECKPOINT = "study.npz", "checkpoint"
_FIGURE, _TRAJECTORIES, _PARTIAL = "figure.png", "trajectories.zarr", "partial.zarr"
_STORES = {"sample": "sample.zarr", "simulate": "simulation.zarr"}
#: Trajectories that stand in the dataset itself where all are in a store of their own.
_FEW = 16


@dataclass(frozen=True)
class StudyResult:
    """What a study left: datasets and the files they and the figure were written to."""

    sample: xr.Dataset
    simulation: xr.Dataset | None
    paths: tuple[Path, ...]


def run_study(
    study: Study,
    output: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    announce: Callable[[Path], object] | None = None,
    *,
    resume: bool = False,
    client: Any = None,
    note: Callable[[str], object] | None = None,
) -> StudyResult:
    """Run a study and store its results.

    Parameters
    ----------
    study
        What to run.
    output
        Folder for ``sample.zarr``, ``simulation.zarr``, ``figure.png``, ``trajectories.zarr`` if all are kept, and
        ``study.npz``, which says what the run was started with; ``results/<study name>`` if None.  Results of an
        earlier run are replaced, each when its successor is complete.
    progress
        Show a progress bar: as it fits (None), always or never.
    announce
        Called with the folder when nothing more can be refused before the run.
    resume
        Go on with the run that was started in the folder, with the seeds it was started with: what is complete is
        verified and taken, the rest is computed.
    client
        A `dask.distributed.Client`, where the work is done; by default the cores of this machine.
    note
        Called with sentences on what is not as expected, but no reason to stop.

    Returns
    -------
    StudyResult

    Raises
    ------
    SiteSamplerError
        If the study is refused or its run goes wrong.  What was done until then, if anything, is in ``partial.zarr``.
    """
    from sitesampler.figures import check_kind, draw, save

    program = load_program(study)
    where = partial(place_of, study.path, study.overrides)
    try:
        check_kind(study.figure.kind)
    except InputError as error:
        raise StudyError(f"{where('figure.kind')}: {error}") from None
    if study.sample.keep == "all" and any(not key.startswith("simulate.") for key in study.sweep):
        raise StudyError(f'{where("sample.keep")}: "all" is for one run; of the points of a sweep, keep a number')
    if (start := study.start_file) is not None and not start.exists():
        place = where("sample.order_parameters")
        raise StudyError(f'{place} must be "march", "cold" or a stored result, and there is no {start}')
    folder = Path(output) if output is not None else Path("results") / study.name
    if resume and not (folder / _RECORD).exists():
        raise StudyError(f"there is nothing to resume in {folder}: no run was started there; leave out --resume")
    with lock_folder(folder):
        run = _Run(study, program, folder, progress, client, note or (lambda _: None))
        run.begin(resume)
        if announce is not None:
            announce(folder)
        sample = run.dataset("sample", study.sample)
        simulation = run.dataset("simulate", study.simulate) if study.simulate is not None else None
        figure = folder / _FIGURE
        if not run.has(_FIGURE):
            figure.unlink(missing_ok=True)
            drawn = draw(sample, simulation, kind=study.figure.kind, vector=study.figure.vector, title=study.title)
            if drawn is not None:
                save(drawn, figure)
            run.done(_FIGURE)
        shutil.rmtree(folder / _CHECKPOINT, ignore_errors=True)
        return StudyResult(sample, simulation, (*run.paths, *([figure] if figure.exists() else [])))


class _Run:
    """A run of a study in its folder: what it was started with, and what of it is done."""

    def __init__(
        self,
        study: Study,
        program: Callable[..., None],
        folder: Path,
        progress: bool | None,
        client: Any,
        note: Callable[[str], object],
    ) -> None:
        self._study, self._program, self._folder = study, program, folder
        self._progress, self._client, self._note = progress, client, note
        self._record: dict[str, Any] = {}
        self._resumed = False
        self.paths: list[Path] = []

    def begin(self, resume: bool) -> None:
        """Start anew, or go on with what the folder holds if it is the same study."""
        settings = {"sitesampler": __version__, **self._study.settings()}
        self._resumed = resume
        if resume:
            _, self._record = read_state(self._folder / _RECORD)
            self._refuse_foreign()
            if changed := difference(self._record["settings"], settings):
                raise StudyError(
                    f"{self._study.path} is not what the run in {self._folder} was started with: {changed}; undo that, "
                    f"or leave out --resume to start anew"
                )
            return
        self._refuse_foreign()
        if (self._folder / _CHECKPOINT).exists():
            if not (self._folder / _RECORD).exists():
                raise InputError(
                    f"{self._folder / _CHECKPOINT} was not left by a run, and would be deleted at its end; choose "
                    "another folder with --output, or move it away"
                )
            self._note(f"discarded the checkpoint of an earlier run in {self._folder}; --resume would have gone on")
            shutil.rmtree(self._folder / _CHECKPOINT)
        self._record = {
            "settings": settings,
            "text": self._study.text,
            "seeds": {"sample": secrets.randbits(128), "simulate": secrets.randbits(128)},
            "done": {},
        }
        write_state(self._folder / _RECORD, {}, self._record)

    def _refuse_foreign(self) -> None:
        """Refuse a folder in which something else has the name of a store that this run will write."""
        for name in (*_STORES.values(), _TRAJECTORIES, _PARTIAL):
            if not self.has(name):
                refuse_foreign(self._folder / name)

    def has(self, name: str) -> bool:
        """Return whether a file of the run is complete."""
        return name in self._record.get("done", {})

    def done(self, name: str, variables: Sequence[str] = ()) -> None:
        """Note that a file is complete, and in which order its variables were: a store has an order of its own."""
        self._record["done"][name] = list(variables)
        write_state(self._folder / _RECORD, {}, self._record)

    def dataset(self, call: str, options: Options) -> xr.Dataset:
        """Return what a call gives: from the folder if it is complete there, else from a run."""
        path = self._folder / _STORES[call]
        beside = [self._folder / _TRAJECTORIES] if options.given().get("keep") == "all" else []
        self.paths += [path, *beside]
        stored = self._stored(path, beside)
        if stored is not None:
            return stored
        try:
            dataset = _with_provenance(self._called(call, options), self._study)
        except SiteSamplerError as error:
            if isinstance(error, InputError) and not isinstance(error, StorageError):  # a setting that the call judged
                error.args = (f"{self._study.path}: {error}",)
            if error.partial is not None:
                kept = publish(_with_provenance(error.partial, self._study), self._folder / _PARTIAL)
                error.args = (f"{error}; what was done until then is in {kept}",)
            raise
        if beside:
            dataset = _with_few_trajectories(dataset)
        publish(dataset, path)
        self.done(path.name, [str(name) for name in dataset.data_vars])
        return dataset

    def _stored(self, path: Path, beside: Sequence[Path]) -> xr.Dataset | None:
        """Return a dataset that is complete, after its verification and that of the stores that belong to it."""
        if not self.has(path.name):
            return None
        try:
            for store in beside:
                open_result(store).close()
            return open_result(path)[self._record["done"][path.name]].load()
        except StorageError as error:
            self._note(f"{path.name} is computed again: {error}")
            for name in (path.name, _FIGURE):
                self._record["done"].pop(name, None)
            for store in (path, *beside):
                if not is_ours(store):  # any more: of what this run has written, the manifest is lost
                    shutil.rmtree(store, ignore_errors=True)
            return None

    def _called(self, call: str, options: Options) -> xr.Dataset:
        import sitesampler as ss

        function = getattr(ss, call)
        keys = {key.removeprefix(f"{call}."): values for key, values in self._study.sweep.items()}
        axes = {key: values for key, values in keys.items() if "." not in key}
        fixed = {"seed": self._record["seeds"][call], **options.given(), **self._study.parameters}
        fixed = {name: value for name, value in fixed.items() if name not in axes}
        if call == "sample" and self._study.start_file is not None:
            fixed["order_parameters"] = self._study.start_file
        checkpoint = self._folder / _CHECKPOINT / call
        if axes:
            return run_sweep(
                self._program,
                axes,
                call=function,
                seed=fixed.pop("seed", None),
                checkpoint=checkpoint,
                resume=self._resumed,
                client=self._client,
                progress=self._progress,
                note=self._note,
                fixed=fixed,
            )
        if self._client is not None:
            fixed["client"] = self._client
        if fixed.get("keep") == "all":
            fixed["export"] = self._folder / _TRAJECTORIES
        if fixed.get("iterations") is not None:
            fixed |= {"checkpoint": checkpoint, "resume": self._resumed}
        dataset: xr.Dataset = function(self._program, progress=self._progress, **fixed)
        return dataset


def _with_few_trajectories(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset with the first of its trajectories only, as many as a run keeps by default."""
    paths = [values for name, values in dataset.data_vars.items() if str(name).startswith("trajectory_")]
    sites = {dim for values in paths for dim in values.dims} - {"time", "layer", "input"}
    return dataset.isel({dim: slice(_FEW) for dim in sites}).load()


def _with_provenance(dataset: xr.Dataset, study: Study) -> xr.Dataset:
    """Return the dataset with the title and the text of its study among its attributes."""
    return dataset.assign_attrs(title=study.title, study=study.text, study_overrides=json.dumps(list(study.overrides)))
