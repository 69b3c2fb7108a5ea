"""Running a study: the calls of `sample` and `simulate` that it stands for, and the files that they leave."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, SiteSamplerError, StorageError
from sitesampler.records.names import OF_LOOPS, TRAJECTORY
from sitesampler.runs.calls import call_inside, sample, simulate
from sitesampler.runs.options import Placed
from sitesampler.signatures import described
from sitesampler.storage.fingerprint import Fingerprint
from sitesampler.storage.journal import Journal, open_journal
from sitesampler.storage.manifest import refuse_foreign
from sitesampler.storage.purpose import JOURNAL, Inside, Purpose
from sitesampler.storage.stores import open_result, publish
from sitesampler.storage.writing import absolute, beside, full_disk_named
from sitesampler.studies.program import load_program
from sitesampler.studies.study_file import Study, StudyError, place_of
from sitesampler.studies.sweep import Sweep, run_sweep

if TYPE_CHECKING:
    import xarray as xr

#: What a run leaves beside its datasets, and the folder of what is kept only while it lasts.
_FIGURE, _TRAJECTORIES, _PARTIAL, _CHECKPOINT = "figure.png", "trajectories.zarr", "partial.zarr", "checkpoint"
#: Names of the datasets.
_STORES = {"sample": "sample", "simulate": "simulation"}
_OTHER_STUDY = (
    "{} is not what the run in {{folder}} was started with: {{difference}}; undo that, or start anew with --overwrite "
    "in place of --resume"
)
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
    overwrite: bool = False,
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
        ``journal.npz``, which says what the run was started with; ``results/<study name>`` if None.
    progress
        Show a progress bar: as it fits (None), always or never.
    announce
        Called with the folder when nothing more can be refused before the run.
    resume
        Go on with the run that was started in the folder, with the seeds it was started with: what is complete is
        verified and taken, the rest is computed.
    overwrite
        Replace the results of an earlier run, each when its successor is complete.  Without it they are refused; a run
        of the same study that is complete is taken as it is.
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
    from sitesampler.figures import check_kind, check_title

    program = load_program(study)
    where = partial(place_of, study.path, study.overrides)
    try:
        defaults = {parameter.name: parameter.default for parameter in described(program)}
        check_kind(study.figure.kind, study.sweep, {**defaults, **study.parameters})
    except InputError as error:
        raise StudyError(f"{where('figure.kind')}: {error}") from None
    try:
        check_title(study.title)
    except InputError as error:
        raise StudyError(f"{where('title')}: {error}") from None
    if study.sample.get("keep") == "all" and any(not key.startswith("simulate.") for key in study.sweep):
        raise StudyError(f'{where("sample.keep")}: "all" is for one run; of the points of a sweep, keep a number')
    if (start := study.start_file) is not None and not start.exists():
        place = where("sample.order_parameters")
        raise StudyError(f'{place} must be "march", "cold" or a stored result, and there is no {start}')
    named = output if output is not None else Path("results") / study.name
    folder = absolute(named, "the output folder is a path")
    if resume and not (folder / JOURNAL).exists():
        raise StudyError(f"there is nothing to resume in {folder}: no run was started there; leave out --resume")
    told = note or (lambda _: None)
    if not resume:
        _refuse_foreign(folder)
    calls = ["sample"] if study.simulate is None else list(_STORES)
    whole = (*(f"{_STORES[call]}.zarr" for call in calls), _FIGURE)
    seeds = dict.fromkeys(_STORES, None)
    refusal = _OTHER_STUDY.format(study.path)
    reached = Fingerprint(program=program)
    settings = {**study.settings(), **reached.parts}
    purpose = Purpose(
        "study", settings, seeds, refusal, "output folder", StudyError, True, reached.unknown, whole,
        ("--resume", "--overwrite"),
    )  # fmt: skip
    with open_journal(Inside(folder, resume, told, overwrite, led=False), purpose) as journal:
        run = _Run(study, program, folder, Placed(client=client, progress=progress), journal)
        if announce is not None:
            announce(Path(named))
        sample = run.dataset("sample", study.sample)
        simulation = run.dataset("simulate", study.simulate) if study.simulate is not None else None
        if not journal.has(_FIGURE) and run.may_draw():
            run.draw(sample, simulation)
        names = [*run.names, *([_FIGURE] if (folder / _FIGURE).exists() else [])]
        return StudyResult(sample, simulation, tuple(Path(named) / name for name in names))


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder in which something else has the name of what a run will write."""
    for name in (*(f"{name}.zarr" for name in _STORES.values()), _TRAJECTORIES, _PARTIAL):
        refuse_foreign(folder / name)
    figure = folder / _FIGURE
    if os.path.lexists(figure) and not ((folder / JOURNAL).exists() and _is_drawn(figure)):
        raise StorageError(
            f"{figure} is there already and was not left by a run: choose another folder or move it away"
        )
    if (folder / JOURNAL).exists():
        return
    if os.path.lexists(folder / _CHECKPOINT):
        raise InputError(
            f"{folder / _CHECKPOINT} was not left by a run, which would keep its pieces there; choose another folder "
            "with --output, or move it away"
        )


def _is_drawn(figure: Path) -> bool:
    """Say whether a figure was drawn by a run, or is what a full disk has left of one."""
    if figure.is_symlink() or not figure.is_file():
        return False
    from sitesampler.figures.lines import MARK

    with figure.open("rb") as file:
        start = file.read(1 << 12)
    return not start or MARK.encode() in start


@dataclass(frozen=True)
class _Run:
    """A run of a study in its folder."""

    study: Study
    program: Callable[..., None]
    folder: Path
    placed: Placed
    journal: Journal
    names: list[str] = field(default_factory=list)

    def dataset(self, call: str, options: Mapping[str, Any]) -> xr.Dataset:
        """Return what a call gives: from the folder if it is complete there, else from a run."""
        name = _STORES[call]
        beside = [_TRAJECTORIES] if options.get("keep") == "all" else []
        self.names.extend((f"{name}.zarr", *beside))
        stored = self._stored(name, beside)
        if stored is not None:
            return stored
        (inside,) = self.journal.inside(f"{_CHECKPOINT}/{call}")
        try:
            dataset = _with_provenance(self._called(call, options, inside), self.study)
        except SiteSamplerError as error:
            if isinstance(error, InputError) and not isinstance(error, StorageError):  # a setting that the call judged
                error.args = (f"{self.study.path}: {error}",)
            if error.partial is not None:
                kept = publish(_with_provenance(error.partial, self.study), self.folder / _PARTIAL)
                error.args = (f"{error}; what was done until then is in {kept}",)
            raise
        if beside:
            self.journal.keep_file(_TRAJECTORIES)
            dataset = _with_few_trajectories(dataset)
        self.journal.keep_dataset(name, dataset, inside=f"{_CHECKPOINT}/{call}")
        return dataset

    def _stored(self, name: str, beside: Sequence[str]) -> xr.Dataset | None:
        """Return a dataset that is complete, after its verification and that of the stores that belong to it."""
        try:
            dataset = self.journal.dataset(name)
            for store in beside if dataset is not None else ():
                open_result(self.folder / store).close()
        except StorageError as error:
            self.journal.note(f"{name}.zarr is computed again: {error}")
            dataset = None
        if dataset is None:
            self.journal.forget(f"{name}.zarr", *beside, _FIGURE)
        return dataset

    def _called(self, call: str, options: Mapping[str, Any], inside: Inside | None) -> xr.Dataset:
        study = self.study
        keys = {key.removeprefix(f"{call}."): values for key, values in study.sweep.items()}
        axes = {key: values for key, values in keys.items() if "." not in key}
        given = {"seed": self.journal.seeds[call], **options, **study.parameters}
        fixed = {name: value for name, value in given.items() if name not in axes}
        if call == "sample" and study.start_file is not None:
            fixed["order_parameters"] = study.start_file
        function = {"sample": sample, "simulate": simulate}[call]
        if axes:
            seed = fixed.pop("seed", None)
            return run_sweep(Sweep(self.program, function, axes, fixed, seed), self.placed, inside, self.journal.note)
        if self.placed.client is not None:
            fixed["client"] = self.placed.client
        if fixed.get("keep") == "all":
            fixed |= {"export": self.folder / _TRAJECTORIES, "overwrite": True}
        return call_inside(function, self.program, {**fixed, "progress": self.placed.progress}, inside)

    def may_draw(self) -> bool:
        """Say whether the figure is to be drawn; say so where one is there that is not what a run has drawn."""
        path = self.folder / _FIGURE
        if not os.path.lexists(path):
            return True
        if not _is_drawn(path):
            self.journal.note(f"{path} is not the one that the run has drawn, and is left as it is")
            return False
        if not path.stat().st_size:
            self.journal.note(f"{path} is empty, and is drawn again")
        return True

    def draw(self, sample: xr.Dataset, simulation: xr.Dataset | None) -> None:
        """Draw the figure of a study, if its results have one."""
        from sitesampler.figures import draw, save

        study, path = self.study, self.folder / _FIGURE
        kind, vector = study.figure.kind, study.figure.vector
        try:
            drawn = draw(sample, simulation, kind=kind, vector=vector, title=study.title)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            if kind is None or isinstance(error, SiteSamplerError):
                raise
            raise StudyError(
                f"the figure {kind!r} cannot show what {study.program} has recorded ({type(error).__name__}: {error}), "
                f"which is complete in {self.folder}: leave out figure.kind, or name the figure of that program"
            ) from error
        if drawn is None:
            path.unlink(missing_ok=True)
        else:
            writing = beside(path)
            with full_disk_named(path):
                try:
                    save(drawn, writing).replace(path)
                finally:
                    writing.unlink(missing_ok=True)
        self.journal.keep_file(_FIGURE)


def _with_few_trajectories(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset with the first of its trajectories only, as many as a run keeps by default."""
    paths = [values for name, values in dataset.data_vars.items() if str(name).startswith(TRAJECTORY.name(""))]
    sites = {dim for values in paths for dim in values.dims}.difference(OF_LOOPS)
    return dataset.isel({dim: slice(_FEW) for dim in sites}).load()


def _with_provenance(dataset: xr.Dataset, study: Study) -> xr.Dataset:
    """Return the dataset with the title and the text of its study among its attributes."""
    return dataset.assign_attrs(title=study.title, study=study.text, study_overrides=json.dumps(list(study.overrides)))
