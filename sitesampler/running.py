"""Running a study: the calls of `sample` and `simulate` that it stands for, point by point of its sweep, and its files.

What a study file may say is in ``study.py``, how a dataset is written in ``storage.py``, what a figure shows in
``figures``, what the terminal shows in ``cli.py``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, ProgramError, SiteSamplerError
from sitesampler.storage import make_folder, publish
from sitesampler.study import Options, Study, StudyError, coordinate, load_program, place_of

if TYPE_CHECKING:
    import xarray as xr


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
) -> StudyResult:
    """Run a study and store its results.

    Parameters
    ----------
    study
        What to run.
    output
        Folder for ``sample.zarr``, ``simulation.zarr`` and ``figure.png``; ``results/<study name>`` if None.  Results
        of an earlier run of the same study are replaced, each when its successor is complete.
    progress
        Show a progress bar: as it fits (None), always or never.
    announce
        Called with the folder when nothing more can be refused before the run.

    Returns
    -------
    StudyResult

    Raises
    ------
    SiteSamplerError
        If the study is refused or its run goes wrong.  What was done until then, if anything, is in ``partial.zarr``.
    """
    import sitesampler as ss
    from sitesampler.figures import check_kind, draw, save

    program = load_program(study)
    try:
        check_kind(study.figure.kind)
    except InputError as error:
        raise StudyError(f"{place_of(study.path, study.overrides, 'figure.kind')}: {error}") from None
    folder = make_folder(Path(output) if output is not None else Path("results") / study.name)
    if announce is not None:
        announce(folder)
    paths: list[Path] = []

    def run(call: Callable[..., xr.Dataset], options: Options, name: str) -> xr.Dataset:
        table = name.removesuffix(".zarr").replace("simulation", "simulate")
        axes = {key.removeprefix(f"{table}."): values for key, values in study.sweep.items()}
        axes = {key: values for key, values in axes.items() if "." not in key}
        fixed = {**options.given(), "progress": progress, **study.parameters}
        try:
            dataset = _over(partial(call, program, **fixed), axes)
        except SiteSamplerError as error:
            if isinstance(error, InputError):  # a setting that only the call could judge
                error.args = (f"{study.path}: {error}",)
            if error.partial is not None:
                kept = publish(_with_provenance(error.partial, study), folder / "partial.zarr")
                error.args = (f"{error}; what was done until then is in {kept}",)
            raise
        dataset = _with_provenance(dataset, study)
        paths.append(publish(dataset, folder / name))
        return dataset

    sample = run(ss.sample, study.sample, "sample.zarr")
    simulation = run(ss.simulate, study.simulate, "simulation.zarr") if study.simulate is not None else None

    drawn = draw(sample, simulation, kind=study.figure.kind, vector=study.figure.vector, title=study.title)
    if drawn is not None:
        paths.append(save(drawn, folder / "figure.png"))
    return StudyResult(sample, simulation, tuple(paths))


def _over(call: Callable[..., xr.Dataset], axes: Mapping[str, tuple[Any, ...]]) -> xr.Dataset:
    """Return the results of all combinations of the swept values, one dataset with a dimension for each.

    Points whose runs go wrong hold NaN, and the attribute ``failed`` says why; if all do, the last error is raised.
    """
    import xarray as xr

    if not axes:
        return call()
    names = list(axes)
    failed: dict[str, str] = {}
    numbered: set[Any] = set()
    errors: list[SiteSamplerError] = []

    def gather(point: dict[str, Any]) -> xr.Dataset | None:
        if len(point) == len(names):
            try:
                found = call(**point)
            except (InputError, ProgramError):  # these would go wrong at every point
                raise
            except SiteSamplerError as error:
                errors.append(error)
                failed[json.dumps(point)] = str(error)
                return None
            # Dimensions without coordinates (outliers) may differ in length: numbered, they are filled up with NaN.
            bare = {dim: range(size) for dim, size in found.sizes.items() if dim not in found.coords}
            numbered.update(bare)
            return found.assign_coords(bare)
        name = names[len(point)]
        values, labels = axes[name], coordinate(axes[name])
        parts = [gather({**point, name: value}) for value in values]
        kept = [
            part.expand_dims({name: [label]}) for part, label in zip(parts, labels, strict=True) if part is not None
        ]
        if not kept:
            return None
        whole = xr.concat(kept, dim=name, join="outer", data_vars="all", coords="minimal", combine_attrs="override")
        return whole.reindex({name: labels})

    whole = gather({})
    if whole is None:
        raise errors[-1]
    whole = whole.drop_vars(numbered)
    parameters = json.loads(whole.attrs.get("parameters", "{}"))
    for name in names:
        parameters.pop(name, None)
        whole.attrs.pop(name, None)
    whole.attrs |= {"parameters": json.dumps(parameters), "sweep": json.dumps(axes), "failed": json.dumps(failed)}
    return whole


def _with_provenance(dataset: xr.Dataset, study: Study) -> xr.Dataset:
    """Return the dataset with the title and the text of its study among its attributes."""
    return dataset.assign_attrs(title=study.title, study=study.text, study_overrides=json.dumps(list(study.overrides)))
