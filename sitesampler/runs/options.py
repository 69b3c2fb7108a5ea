"""The options of `sample` and `simulate`, as values: what each may hold, and the sentence that refuses what it may not.

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

from sitesampler.errors import InputError
from sitesampler.runs.kinds import (
    ANYTHING,
    DAMPING,
    START,
    TOLERANCE,
    UNTIL,
    Kind,
    count,
    count_or,
    flag,
    natural,
    path,
    precision,
)

if TYPE_CHECKING:
    import xarray as xr

    from sitesampler.storage.purpose import Inside

#: A basis vector is added when the remainder exceeds this part of a vector: on `random_rnn` the error it leaves is a
#: tenth of the statistical error of a usual run (``studies/benchmarks/tolerance.py``).
DEFAULT_TOLERANCE = 1e-3
#: Samples of a chunk, unless the user says more or less: the bias of order 1/chunk is far below the error of a usual
#: run, and the tables of a chunk still fit the caches (``studies/benchmarks/scale.py``).
DEFAULT_CHUNK = 8192
#: Chunks of a replica that are planned one by one.
_MOST_CHUNKS = 1_000_000


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

    replicas: int = _option(8, count(1))
    seed: int | None = _option(None, natural())
    every: int = _option(1, count(1))
    dtype: str = _option("float64", precision())
    keep_replicas: bool = _option(False, flag())


@dataclass(frozen=True, kw_only=True)
class Sampled(_Run):
    """What is sampled at N = infinity; each field is an option of `sample`."""

    call: ClassVar[str] = "sample"
    world: ClassVar[str] = "single-site ensemble"
    infinite: ClassVar[bool] = True
    matrix: ClassVar[bool] = False

    population: int = _option(10_000, count(2))
    keep: int | Literal["all"] = _option(16, count_or("all", 0, 'a number of trajectories or "all"'))
    tolerance: float | None = _option(None, TOLERANCE)

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

    size: int = _option(1_000, count(2))
    matrix: bool = _option(True, flag())
    keep: int = _option(16, count(0))
    tolerance: float = _option(DEFAULT_TOLERANCE, TOLERANCE)

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

    iterations: int | Literal["auto"] | None = _option(
        None, count_or("auto", 1, '"auto" or a number of iterations', most=10_000)
    )
    chunk: int | None = _option(None, count(2))
    damping: float = _option(0.0, DAMPING)
    until: float | None = _option(None, UNTIL)
    keep_going: bool = _option(False, flag())
    order_parameters: str | os.PathLike[str] | xr.Dataset = _option("march", START)  # noqa: RUF009

    def __post_init__(self) -> None:
        if self.iterations is not None:
            super().__post_init__()
            return
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None and each.default is None:
                continue
            if not (isinstance(value, (str, float, bool)) and value == each.default):
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


# ------------------------------------------------------------------------------------- where it runs and what it leaves
@dataclass(frozen=True, kw_only=True)
class Placed(_Options):
    """Where pieces run, and what is shown meanwhile."""

    client: Any = _option(None, ANYTHING)  # noqa: RUF009
    progress: bool | None = _option(None, flag())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.client is not None:
            from sitesampler.compute.clusters import check_client

            check_client(self.client)

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

    export: Path | None = _option(None, path())  # noqa: RUF009
    checkpoint: Path | None = _option(None, path())  # noqa: RUF009
    resume: bool = _option(False, flag())
    overwrite: bool = _option(False, flag())
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
