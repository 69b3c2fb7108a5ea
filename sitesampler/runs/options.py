"""The options of `sample` and `simulate`, as values: what each may hold, who it is for, and the sentence that refuses it.

Every option is a field of one dataclass, with its default and its kind.  From these follow what a call checks, which
names a program cannot give its parameters, what the tables of a study file may hold, and what the attributes of a
result say.  This file imports nothing heavy: study files are checked with it before anything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from sitesampler.errors import InputError, is_integer, is_number

if TYPE_CHECKING:
    import xarray as xr

    from sitesampler.storage.journal import Inside

#: A basis vector is added when the remainder exceeds this part of a vector: on `random_rnn` the error it leaves is a
#: tenth of the statistical error of a usual run (``studies/benchmarks/tolerance.py``).
DEFAULT_TOLERANCE = 1e-3
#: Samples of a chunk, unless the user says more or less: the bias of order 1/chunk is far below the error of a usual
#: run, and the tables of a chunk still fit the caches (``studies/benchmarks/scale.py``).
DEFAULT_CHUNK = 8192
#: Chunks of a replica that are planned one by one.
_MOST_CHUNKS = 1_000_000


# -------------------------------------------------------------------------------------------------- what they may hold
@dataclass(frozen=True)
class Kind:
    """What an option may hold.

    Attributes
    ----------
    words : str
        In a study file, in words; empty for what no study file says.
    written : callable
        Whether a study file may say so.  A call knows better, and may refuse more.
    allowed : callable
        Whether a call takes a value.
    refusal : callable
        The sentence for one that it does not take, from the name of the option and the value.
    value : callable
        What the value becomes.
    """

    words: str
    written: Callable[[Any], bool]
    allowed: Callable[[Any], bool]
    refusal: Callable[[str, Any], str]
    value: Callable[[Any], Any] = lambda value: value


def _count(least: int) -> Kind:
    return Kind(
        "a positive integer" if least else "an integer that is not negative",
        lambda value: is_integer(value, min(least, 1)),
        lambda value: is_integer(value, least),
        lambda name, value: f"{name} must be an integer of at least {least}, not {value!r}",
        int,
    )


def _count_or(word: str, least: int, what: str) -> Kind:
    """Return the kind of an integer or one word."""
    count = _count(least)
    return Kind(
        f'{count.words}, or "{word}"' if not least else f'{count.words} or "{word}"',
        lambda value: value == word or count.written(value),
        lambda value: (isinstance(value, str) and value == word) or count.allowed(value),
        lambda name, value: f"{name} must be {what}, not {value!r}" if isinstance(value, str) else count.refusal(name, value),
        lambda value: value if isinstance(value, str) else int(value),
    )  # fmt: skip


def _number(
    words: str, test: Callable[[Any], bool], refusal: str, written: Callable[[Any], bool] | None = None
) -> Kind:
    return Kind(
        words,
        lambda value: is_number(value) and (written or test)(value),
        lambda value: is_number(value) and test(value),
        lambda name, value: f"{name} {refusal}, not {value!r}",
        float,
    )


def _flag() -> Kind:
    def is_flag(value: Any) -> bool:
        return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"

    return Kind(
        "true or false", is_flag, is_flag, lambda name, value: f"{name} must be True or False, not {value!r}", bool
    )


def _path() -> Kind:
    def refusal(name: str, value: Any) -> str:
        return (
            f"{name} must be a path, not {repr(value) if not isinstance(value, (str, os.PathLike)) else 'an empty one'}"
        )

    def allowed(value: Any) -> bool:
        return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))

    return Kind("", allowed, allowed, refusal, Path)


def _precision() -> Kind:
    def name_of_type(value: Any) -> str:
        import numpy as np

        try:
            return np.dtype(object if value is None else value).name
        except TypeError:
            return ""

    return Kind(
        'either "float64" or "float32"',
        lambda value: value in ("float64", "float32"),
        lambda value: name_of_type(value) in ("float64", "float32"),
        lambda name, value: f"{name} must be 'float64' or 'float32', not {value!r}",
        name_of_type,
    )


_TOLERANCE = _number(
    "a number between 0 and 1", lambda value: 0 < value < 1, "must be a number between 0 and 1, such as 1e-3"
)
_DAMPING = _number(
    "a number from 0 to below 1", lambda value: 0 <= value < 1,
    "is the share of the old order parameters, from 0 to below 1",
)  # fmt: skip
_UNTIL = _number(
    "a positive number", lambda value: 0 < value < 1,
    "is a relative change of the order parameters between 0 and 1", lambda value: value > 0,
)  # fmt: skip
#: What is opened only when the program is known.
_START = Kind("a string", lambda value: isinstance(value, str), lambda _: True, lambda *_: "")
_CLIENT = Kind(
    "", lambda _: False, lambda value: hasattr(value, "submit"),
    lambda name, value: f"{name} must be a dask.distributed.Client, not {value!r}",
)  # fmt: skip
_PROGRESS = Kind("", lambda _: False, lambda _: True, lambda *_: "")


def _option(default: Any, kind: Kind) -> Any:
    return field(default=default, metadata={"kind": kind})


class _Options:
    """Options that are checked, one by one, when they are given; None is left alone where it is the default."""

    def __post_init__(self) -> None:
        for name, kind in kinds_of(type(self)).items():
            given = getattr(self, name)
            if given is None and getattr(type(self), name) is None:
                continue
            if not kind.allowed(given):
                raise InputError(kind.refusal(name, given))
            object.__setattr__(self, name, kind.value(given))

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Return the options of this class that are among the arguments of a call."""
        return cls(**{name: arguments[name] for name in kinds_of(cls) if name in arguments})


# ---------------------------------------------------------------------------------------------------------- what is run
@dataclass(frozen=True, kw_only=True)
class _Run(_Options):
    """What both worlds are asked for."""

    replicas: int = _option(8, _count(1))
    seed: int | None = _option(None, _count(0))
    every: int = _option(1, _count(1))
    dtype: str = _option("float64", _precision())


@dataclass(frozen=True, kw_only=True)
class Sampled(_Run):
    """What is sampled at N = infinity; each field is an option of `sample`."""

    call: ClassVar[str] = "sample"
    world: ClassVar[str] = "single-site ensemble"
    infinite: ClassVar[bool] = True
    matrix: ClassVar[bool] = False

    population: int = _option(10_000, _count(2))
    keep: int | Literal["all"] = _option(16, _count_or("all", 0, 'a number of trajectories or "all"'))
    tolerance: float | None = _option(None, _TOLERANCE)

    @property
    def size(self) -> int:
        """Samples of each group, per replica."""
        return self.population

    @property
    def kept(self) -> int:
        """Trajectories that a piece may keep."""
        return self.population if self.keep == "all" else int(self.keep)


@dataclass(frozen=True, kw_only=True)
class Simulated(_Run):
    """What is simulated in finite networks; each field is an option of `simulate`."""

    call: ClassVar[str] = "simulate"
    world: ClassVar[str] = "finite network"
    infinite: ClassVar[bool] = False

    size: int = _option(1_000, _count(2))
    matrix: bool = _option(True, _flag())
    keep: int = _option(16, _count(0))
    tolerance: float = _option(DEFAULT_TOLERANCE, _TOLERANCE)

    def __post_init__(self) -> None:
        if isinstance(self.keep, str):
            raise InputError(f'keep must be a number of trajectories, or "all" in sample, not {self.keep!r}')
        super().__post_init__()

    @property
    def kept(self) -> int:
        """Trajectories that a piece may keep."""
        return self.keep


Asked = Sampled | Simulated


@dataclass(frozen=True, kw_only=True)
class Iterated(_Options):
    """How order parameters are iterated, if they are; each field is an option of `sample`."""

    iterations: int | Literal["auto"] | None = _option(None, _count_or("auto", 1, '"auto" or a number of iterations'))
    chunk: int | None = _option(None, _count(2))
    damping: float = _option(0.0, _DAMPING)
    until: float | None = _option(None, _UNTIL)
    keep_going: bool = _option(False, _flag())
    order_parameters: Literal["march", "cold"] | str | os.PathLike[str] | xr.Dataset = _option("march", _START)

    def __post_init__(self) -> None:
        if self.iterations is not None:
            super().__post_init__()
            return
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not (isinstance(value, (str, float, bool)) and value == each.default):
                raise InputError(f'{each.name} says how order parameters are iterated; add iterations="auto"')

    def chunk_of(self, population: int) -> int:
        """Return the samples of a chunk, at most, of a population of so many.

        Raises
        ------
        InputError
            If they make too few chunks, or too many.
        """
        most, half = -(-population // _MOST_CHUNKS), -(-population // 2)
        if population < 4:
            raise InputError(f"population must be an integer of at least 4, not {population!r}")
        chunk = min(DEFAULT_CHUNK, half) if self.chunk is None else self.chunk
        if chunk > half:
            raise InputError(
                f"a population of {population} makes no two chunks of {chunk}, from whose scatter its error is "
                f"judged; use a chunk of at most {half}, or no iterations"
            )
        if (chunks := -(-population // chunk)) > _MOST_CHUNKS:
            raise InputError(
                f"a population of {population} in chunks of {chunk} makes {chunks:,} chunks for each replica, and "
                f"{_MOST_CHUNKS:,} are the most; use a chunk of at least {most}"
            )
        return chunk


# -------------------------------------------------------------------------------------- where it runs and what it leaves
@dataclass(frozen=True, kw_only=True)
class Placed(_Options):
    """Where pieces run, and what is shown meanwhile."""

    client: Any = _option(None, _CLIENT)
    progress: bool | None = _option(None, _PROGRESS)

    def share(self, pieces: int) -> tuple[int, int]:
        """Return how many pieces run at a time here, and the threads of each."""
        if self.client is not None:
            return 1, 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        at_once = min(pieces, cores)
        return at_once, max(1, cores // at_once)


@dataclass(frozen=True, kw_only=True)
class Kept(_Options):
    """What a run leaves in files.

    ``inside`` is no option of a call: a study and a sweep give runs a place inside of their own journal, in which
    also the replicas of a march are kept.
    """

    export: Path | None = _option(None, _path())
    checkpoint: Path | None = _option(None, _path())
    resume: bool = _option(False, _flag())
    inside: Inside | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.checkpoint is None:
            raise InputError("resume goes on from a checkpoint; say in which folder that is, with checkpoint=")


def kinds_of(*options: type[Any]) -> dict[str, Kind]:
    """Return the kinds of all options of these classes, by name."""
    return {each.name: each.metadata["kind"] for cls in options for each in fields(cls) if "kind" in each.metadata}


#: The options of each call that a study file may set.
IN_STUDIES = {
    call: {name: kind for name, kind in kinds.items() if kind.words}
    for call, kinds in {"sample": kinds_of(Sampled, Iterated), "simulate": kinds_of(Simulated)}.items()
}
#: Names that no parameter of a program can have.
NAMES = tuple(kinds_of(Sampled, Simulated, Placed, Iterated, Kept))


# ------------------------------------------------------------------------------------------------------------- together
@dataclass(frozen=True)
class Request:
    """A call with all that it asks for.

    Raises
    ------
    InputError
        If its options do not go together.
    """

    program: Callable[..., None]
    parameters: Mapping[str, Any]
    asked: Asked
    iterated: Iterated
    placed: Placed
    kept: Kept

    def __post_init__(self) -> None:
        if self.asked.infinite and (self.asked.keep == "all") != (self.kept.export is not None):
            raise InputError('keep="all" and export="trajectories.zarr", where they go, belong together; give both')
        if self.kept.checkpoint is not None and self.iterated.iterations is None:
            raise InputError('checkpoint says how order parameters are iterated; add iterations="auto"')

    @classmethod
    def of(cls, asked: type[Asked], arguments: Mapping[str, Any]) -> Request:
        """Return what the arguments of a call ask for, by their names in its signature."""
        return cls(
            arguments["program"],
            arguments["parameters"],
            asked.of(arguments),
            Iterated.of(arguments),
            Placed.of(arguments),
            Kept.of(arguments),
        )
