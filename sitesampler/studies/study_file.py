"""Study files: a TOML text that says what to run, read and checked."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.runs.options import IN_STUDIES
from sitesampler.storage.settings import plain
from sitesampler.studies.grid import checked_values


class StudyError(InputError):
    """A study file is refused; the message names the file and the key."""


@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """The table ``[figure]``: the kind of figure, one of `sitesampler.figures.KINDS`.

    Without a kind the figure is that of `sitesampler.figures.figure`, and ``vector`` the recorded site vector that it
    shows (the first one if none is named).
    """

    kind: str | None = None
    vector: str | None = None


#: What each table may hold, by key: in words, and the check of it.
_TABLES: dict[str, dict[str, tuple[str, Callable[[Any], bool]]]] = {
    **{call: {name: (kind.words, kind.written) for name, kind in kinds.items()} for call, kinds in IN_STUDIES.items()},
    "figure": dict.fromkeys(("kind", "vector"), ("a string", lambda value: isinstance(value, str))),
}


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
    sample, simulate : dict
        Options of the calls; those that a study leaves out keep the call's own default.  ``keep = "all"`` puts all
        trajectories into ``trajectories.zarr`` of the output folder, and ``order_parameters`` may be the path of a
        stored result, relative to the study file.  `simulate` is None when the study asks for no finite network.
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
    sample: Mapping[str, Any]
    simulate: Mapping[str, Any] | None
    figure: FigureOptions
    text: str
    overrides: tuple[str, ...] = ()
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the study: that of its file without the ending."""
        return self.path.stem

    def settings(self) -> dict[str, Any]:
        """Return what the study says, as plain values by key."""
        figure = {name: value for name, value in dataclasses.asdict(self.figure).items() if value is not None}
        simulate = {"wanted": True, **self.simulate} if self.simulate is not None else {}
        found: dict[str, Any] = {"title": self.title, "program": self.program}
        for table, values in (
            ("parameters", self.parameters),
            ("sweep", self.sweep),
            ("sample", self.sample),
            ("simulate", simulate),
            ("figure", figure),
        ):
            found |= {f"{table}.{name}": plain(value) for name, value in values.items()}
        return found

    @property
    def start_file(self) -> Path | None:
        """The result that the iterations start from, if they do not march or start cold."""
        start = self.sample.get("order_parameters")
        return None if start in (None, "march", "cold") else self.path.parent / str(start)


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
    >>> study.name, study.parameters, study.sample
    ('weak', {'g': 0.5}, {'seed': 0, 'population': 500})
    """
    path, overrides = Path(path), tuple(overrides)
    if "\0" in str(path):
        raise StudyError(f"{str(path)!r} is no path: it holds a null character")
    if path.exists() and not (path.is_file() or path.is_dir()):  # a named pipe would wait for a writer for ever
        raise StudyError(f"{path} is not a file")
    if not path.stem.strip("."):
        raise StudyError(f"a study is called like its file without the ending, and {path.name} is no name: rename it")
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
        sample=_table(tables.get("sample", {}), "sample", where),
        simulate=_table(tables["simulate"], "simulate", where) if "simulate" in tables else None,
        figure=FigureOptions(**_table(tables.get("figure", {}), "figure", where)),
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


def _table(given: Mapping[str, Any], table: str, where: Callable[[str], str], place: str = "") -> Mapping[str, Any]:
    """Return a table of a study, every key known and of the right kind."""
    kinds = _TABLES[table]
    for name, value in given.items():
        label = where(f"{place or table}.{name}")
        if name not in kinds:
            raise StudyError(f"{label}: unknown key{did_you_mean(name, kinds)}; there are {listing(kinds)}")
        words, holds = kinds[name]
        if not holds(value):
            raise StudyError(f"{label} must be {words}, got {value!r}")
    return given


def _sweep(tables: Mapping[str, Any], where: Callable[[str], str]) -> dict[str, tuple[Any, ...]]:
    """Return what a study sweeps: parameters under their names, options under ``sample.`` and ``simulate.``."""
    axes: dict[str, tuple[Any, ...]] = {}
    for name, values in tables.get("sweep", {}).items():
        inside = values if name in IN_STUDIES and isinstance(values, dict) else {"": values}
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
                _table({option: value}, name, where, f"sweep.{name}")
    return axes
