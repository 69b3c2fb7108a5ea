"""The program that a study names: a model, or a function in a file of the user's."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.runs.options import IN_STUDIES
from sitesampler.signatures import check_parameters
from sitesampler.studies.study_file import Study, StudyError, place_of

Program = Callable[..., None]


def load_program(study: Study) -> Program:
    """Return the function that a study names, after checking that it takes the study's parameters and their values.

    Raises
    ------
    StudyError
        If there is no such model, file or function, or the function has no such parameter, or no such value of it.
    """
    program = _from_file(study) if ":" in study.program else _from_models(study)
    known = inspect.signature(program).parameters
    takes_any = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in known.values())
    names = [name for name, item in known.items() if item.kind is not inspect.Parameter.VAR_POSITIONAL][1:]
    options = {name for kinds in IN_STUDIES.values() for name in kinds}
    swept = (("sweep", name) for name in study.sweep if "." not in name)
    for table, name in (*(("parameters", name) for name in study.parameters), *swept):
        label = place_of(study.path, study.overrides, f"{table}.{name}")
        if name in options and table == "sweep":
            raise StudyError(f"{label} is an option of the call: sweep it as sample.{name} or simulate.{name}")
        if name in options:
            raise StudyError(f"{label} is an option of the call and belongs into [sample] or [simulate]")
        if name not in names and not takes_any:
            hint = did_you_mean(name, names)
            raise StudyError(f"{label}: {study.program} has no such parameter{hint}; it takes {listing(names)}")
        for value in study.sweep[name] if table == "sweep" else (study.parameters[name],):
            try:
                check_parameters(program, {name: value})
            except InputError as error:
                raise StudyError(f"{label}: {error}") from None
    return program


def _from_models(study: Study) -> Program:
    from sitesampler import models

    if study.program not in models.NAMES:
        raise StudyError(
            f"{study.path}: program: there is no model {study.program!r}"
            f"{did_you_mean(study.program, models.NAMES)}; `sitesampler list` names them"
        )
    program: Program = getattr(models, study.program)
    return program


def _from_file(study: Study) -> Program:
    file, _, function = study.program.rpartition(":")
    source = (study.path.parent / file).resolve()
    if not source.is_file():
        raise StudyError(f"{study.path}: program: there is no file {study.path.parent / file}")
    # In sys.modules only while it is executed: functions of a module that is not there are sent to worker processes
    # by value, which works on machines that do not have the file.
    name = f"sitesampler_program_{source.stem}"
    spec = importlib.util.spec_from_file_location(name, source)
    if spec is None or spec.loader is None:
        raise StudyError(f"{study.path}: program: {file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise StudyError(f"{study.path}: program: {file} cannot be imported: {reason}") from error
    finally:
        del sys.modules[name]
    found = getattr(module, function, None)
    if not callable(found):
        functions = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise StudyError(
            f"{study.path}: program: {file} has no function {function!r}{did_you_mean(function, functions)}"
        )
    return found
