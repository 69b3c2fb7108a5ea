"""Study files: a TOML text that says what to run, read into frozen dataclasses.

Here are the reading and checking of a study file, and the program that it names.  What is done with it is in
``running.py``.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.storage.settings import digest, plain
from sitesampler.studies.grid import checked_values

Program = Callable[..., None]
_Table = TypeVar("_Table", "Options", "SampleOptions", "SimulateOptions", "FigureOptions")


class StudyError(InputError):
    """A study file is refused; the message names the file and the key."""


# ---------------------------------------------------------------------------------------------- what a key may hold
def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return _whole(value) or isinstance(value, float)


#: What a key holds, in words, and the check of it.
_KINDS: dict[str, Callable[[Any], bool]] = {
    "a positive integer": lambda value: _whole(value) and value > 0,
    "an integer that is not negative": lambda value: _whole(value) and value >= 0,
    'an integer that is not negative, or "all"': lambda value: value == "all" or (_whole(value) and value >= 0),
    'a positive integer or "auto"': lambda value: value == "auto" or (_whole(value) and value > 0),
    "a number between 0 and 1": lambda value: _number(value) and 0 < value < 1,
    "a number from 0 to below 1": lambda value: _number(value) and 0 <= value < 1,
    "a positive number": lambda value: _number(value) and value > 0,
    'either "float64" or "float32"': lambda value: value in ("float64", "float32"),
    "true or false": lambda value: isinstance(value, bool),
    "a string": lambda value: isinstance(value, str),
}


def _key(kind: str) -> Any:
    """Return a field that is left to the default of the call (None) or is of the kind."""
    return field(default=None, metadata={"kind": kind})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a call; those that a study leaves out (None) keep the call's own default."""

    replicas: int | None = _key("a positive integer")
    seed: int | None = _key("an integer that is not negative")
    every: int | None = _key("a positive integer")
    tolerance: float | None = _key("a number between 0 and 1")
    dtype: str | None = _key('either "float64" or "float32"')

    def given(self) -> dict[str, Any]:
        """Return the options that the study sets."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class SampleOptions(Options):
    """The table ``[sample]``: options of `sitesampler.sample`.

    ``keep = "all"`` puts all trajectories into ``trajectories.zarr`` of the output folder, and
    ``order_parameters`` may be the path of a stored result, relative to the study file.
    """

    population: int | None = _key("a positive integer")
    keep: int | str | None = _key('an integer that is not negative, or "all"')
    iterations: int | str | None = _key('a positive integer or "auto"')
    chunk: int | None = _key("a positive integer")
    damping: float | None = _key("a number from 0 to below 1")
    until: float | None = _key("a positive number")
    order_parameters: str | None = _key("a string")
    keep_going: bool | None = _key("true or false")


@dataclass(frozen=True, kw_only=True)
class SimulateOptions(Options):
    """The table ``[simulate]``: options of `sitesampler.simulate`."""

    size: int | None = _key("a positive integer")
    keep: int | None = _key("an integer that is not negative")
    matrix: bool | None = _key("true or false")


@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """The table ``[figure]``: the kind of figure, one of `sitesampler.figures.KINDS`.

    Without a kind the figure is that of `sitesampler.figures.figure`, and ``vector`` the recorded site vector that it
    shows (the first one if none is named).
    """

    kind: str | None = _key("a string")
    vector: str | None = _key("a string")


@dataclass(frozen=True)
class Study:
    """A study file, read and checked.

    Attributes
    ----------
    path : Path
        The file.
    title : str
        Title of the figure and of the datasets.
    program : str
        Name of a model, or ``file.py:function`` relative to the study file.
    parameters : dict
        Keyword parameters of the program.
    sweep : dict
        Values of what is swept: a parameter of the program, or an option such as ``simulate.size``.
    sample : SampleOptions
    simulate : SimulateOptions or None
        None when the study asks for no finite network.
    figure : FigureOptions
    text : str
        The file as it was read; stored with the results.
    overrides : tuple of str
        The ``KEY=VALUE`` settings that were laid over the file.
    """

    path: Path
    title: str
    program: str
    parameters: Mapping[str, Any]
    sample: SampleOptions
    simulate: SimulateOptions | None
    figure: FigureOptions
    text: str
    overrides: tuple[str, ...] = ()
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the study: that of its file without the ending."""
        return self.path.stem

    def settings(self) -> dict[str, Any]:
        """Return what the study says, as plain values by key, and a digest of the file of its program."""
        figure = {name: value for name, value in dataclasses.asdict(self.figure).items() if value is not None}
        simulate = {"wanted": True, **self.simulate.given()} if self.simulate is not None else {}
        found: dict[str, Any] = {"title": self.title, "program": self.program}
        for table, values in (
            ("parameters", self.parameters),
            ("sweep", self.sweep),
            ("sample", self.sample.given()),
            ("simulate", simulate),
            ("figure", figure),
        ):
            found |= {f"{table}.{name}": plain(value) for name, value in values.items()}
        if (source := self.program_file) is not None:
            found[f"the source of {source.name}"] = digest(source.read_text(encoding="utf-8"))
        return found

    @property
    def start_file(self) -> Path | None:
        """The result that the iterations start from, if they do not march or start cold."""
        start = self.sample.order_parameters
        return None if start in (None, "march", "cold") else self.path.parent / str(start)

    @property
    def program_file(self) -> Path | None:
        """The file of the program, if that is not a model."""
        file, colon, _ = self.program.rpartition(":")
        return self.path.parent / file if colon else None


# ----------------------------------------------------------------------------------------------------------- reading
def read_study(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Study:
    r"""Read a study file.

    Parameters
    ----------
    path
        The TOML file.
    overrides
        Settings laid over the file, each ``KEY=VALUE``: the key with its table (``sample.population``), the value
        in TOML (a string needs its quotes).

    Raises
    ------
    StudyError
        If the file is missing or not TOML, or a key is unknown or of the wrong kind.  One sentence that names the
        file and the key.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "weak.toml"
    ...     _ = file.write_text('program = "random_rnn"\n[parameters]\ng = 0.5\n[sample]\nseed = 0\n')
    ...     study = read_study(file, overrides=["sample.population=500"])
    >>> study.name, study.parameters, study.sample.given()
    ('weak', {'g': 0.5}, {'seed': 0, 'population': 500})
    """
    path, overrides = Path(path), tuple(overrides)
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise StudyError(f"there is no study file {path}") from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path} is not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not valid TOML: {error}") from None
    for override in overrides:
        _set(tables, override)
    where = partial(place_of, path, overrides)
    known = ("title", "program", "parameters", "sweep", "sample", "simulate", "figure")
    for key in tables:
        if key not in known:
            raise StudyError(f"{where(key)}: unknown key{did_you_mean(key, known)}; there are {listing(known)}")
    for key in ("title", "program"):
        if not isinstance(tables.get(key, ""), str):
            raise StudyError(f"{where(key)} must be a string, got {tables[key]!r}")
    if not tables.get("program"):
        raise StudyError(f"{path}: program is missing: the name of a model, or file.py:function")
    for key in known[2:]:
        if not isinstance(tables.get(key, {}), dict):
            raise StudyError(f"{where(key)} must be a table, got {tables[key]!r}")
    return Study(
        path=path,
        title=tables.get("title", path.stem),
        program=tables["program"],
        parameters=tables.get("parameters", {}),
        sample=_table(SampleOptions, tables.get("sample", {}), "sample", where),
        simulate=_table(SimulateOptions, tables["simulate"], "simulate", where) if "simulate" in tables else None,
        figure=_table(FigureOptions, tables.get("figure", {}), "figure", where),
        text=text,
        overrides=overrides,
        sweep=_sweep(tables, where),
    )


def place_of(path: Path, overrides: Iterable[str], key: str) -> str:
    """Return how a message names a key: with the file, unless it was set over the file."""
    overridden = {override.partition("=")[0].strip() for override in overrides}
    return f"--set {key}" if key in overridden else f"{path}: {key}"


def _set(tables: dict[str, Any], override: str) -> None:
    """Lay one ``KEY=VALUE`` over the tables of a study."""
    key, equals, value = override.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last or not all(path):
        raise StudyError(f"--set {override}: write KEY=VALUE, for example sample.population=1000")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    if set(parsed) != {"value"}:
        raise StudyError(f"--set {override}: {value!r} is not a TOML value (a string needs its quotes: '\"tanh\"')")
    for name in path:
        tables = tables.setdefault(name, {})
        if not isinstance(tables, dict):
            raise StudyError(f"--set {override}: {name} is not a table")
    tables[last] = parsed["value"]


def _table(options: type[_Table], given: Mapping[str, Any], table: str, where: Callable[[str], str]) -> _Table:
    """Return a table of a study as its dataclass, every key known and of the right kind."""
    kinds = {item.name: item.metadata["kind"] for item in dataclasses.fields(options)}
    for name, value in given.items():
        label = where(f"{table}.{name}")
        if name not in kinds:
            raise StudyError(f"{label}: unknown key{did_you_mean(name, kinds)}; there are {listing(kinds)}")
        if not _KINDS[kinds[name]](value):
            raise StudyError(f"{label} must be {kinds[name]}, got {value!r}")
    return options(**given)


def _sweep(tables: Mapping[str, Any], where: Callable[[str], str]) -> dict[str, tuple[Any, ...]]:
    """Return what a study sweeps: parameters under their names, options under ``sample.`` and ``simulate.``."""
    axes: dict[str, tuple[Any, ...]] = {}
    calls: dict[str, type[Options]] = {"sample": SampleOptions, "simulate": SimulateOptions}
    for name, values in tables.get("sweep", {}).items():
        inside = values if name in calls and isinstance(values, dict) else {"": values}
        for option, listed in inside.items():
            key = f"{name}.{option}" if option else name
            label = where(f"sweep.{key}")
            try:
                axes[key] = checked_values(label, listed)
            except InputError as error:
                raise StudyError(str(error)) from None
            if key in tables.get("parameters", {}):
                raise StudyError(f"{label} is fixed in [parameters] as well")
            for value in listed if option else ():
                _table(calls[name], {option: value}, f"sweep.{name}", where)
    return axes


# ----------------------------------------------------------------------------------------------------------- program
def load_program(study: Study) -> Program:
    """Return the function that a study names, after checking that it takes the study's parameters.

    Raises
    ------
    StudyError
        If there is no such model, file or function, or the function has no such parameter.
    """
    program = _from_file(study) if ":" in study.program else _from_models(study)
    known = inspect.signature(program).parameters
    takes_any = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in known.values())
    names = [name for name, item in known.items() if item.kind is not inspect.Parameter.VAR_POSITIONAL][1:]
    options = {item.name for table in (SampleOptions, SimulateOptions) for item in dataclasses.fields(table)}
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
