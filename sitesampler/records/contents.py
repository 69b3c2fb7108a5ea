"""Contents: what a program records, learnt from its rehearsal before any run.

`Contents` say for each name what it is, how often it is recorded and along which loop; the `Inspector` fills them in
where a run would keep the values, and refuses what would not fit one result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import psutil

from sitesampler.errors import OutOfMemory, ProgramError, SiteSamplerError, program_line, shown
from sitesampler.records.names import OUTLIER, REPLICAS, Kind, Names, variables_of
from sitesampler.records.variable import Array, Position
from sitesampler.vectors.arrays import Rows
from sitesampler.vectors.layout import Layout


class RecordedGroup(Protocol):
    """What a record needs to know of the group that a vector lives on."""

    @property
    def name(self) -> str:
        """Dimension of its trajectories."""

    @property
    def layout(self) -> Layout:
        """How its vectors lie in memory."""

    def rows_of(self, x: Any, word: str) -> Rows:
        """Return a site vector of the group as rows, and refuse anything else."""

    def check_finite(self, rows: Rows, word: str) -> None:
        """Refuse rows that are not finite, with the time and the line of the program."""


#: Bytes of the name of a record.
_LONGEST = 100


@dataclass(frozen=True)
class Recorded:
    """What a program records under one name: its kind ("vector", "layers" or "number") and the groups it lives on.

    One group for a vector, one per layer for layers, none for a number; the shape leaves out sites and layers.
    """

    kind: str
    groups: tuple[int, ...] = ()
    columns: int = 1
    shape: tuple[int, ...] = ()


#: Records of a vector after which the memory of its table is looked at again.
_CHECK_EVERY = 1_000
#: What has the names that iterations add.
_ITERATIONS = "the result of iterations"
#: What has the dimensions that iterations, and replicas that are kept, add.
_ITERATIONS_DIMENSION, _REPLICAS_DIMENSION = "a dimension of iterations", "a dimension of kept replicas"


@dataclass
class Contents:
    """What the records of a program are.

    Attributes
    ----------
    records : dict
        What is recorded, by name.
    times : dict
        How many times each name is recorded.
    loops : dict
        Whether each name is recorded along "time" or "layer".
    dimensions : dict
        Lengths of the dimensions that have no coordinates.
    """

    records: dict[str, Recorded] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    loops: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)


class Inspector:
    """The recorder of a rehearsal: finds out what is recorded, and keeps nothing.

    Parameters
    ----------
    contents : Contents
        To be filled in.
    every : int
        Keep one in so many steps of a loop.
    beside : sequence of Kind
        Variables that the result will have beside those of the program.
    """

    def __init__(self, contents: Contents, every: int = 1, beside: Sequence[Kind] = ()) -> None:
        self.contents, self.every = contents, every
        self._beside = [kind.name("") for kind in beside]
        self._names = Names(dict.fromkeys(self._beside, _ITERATIONS))
        self._lines, self._dimension_lines = dict[str, str](), dict[str, str]()
        self._dimensions_beside = {
            dim: _REPLICAS_DIMENSION if kind is REPLICAS else _ITERATIONS_DIMENSION
            for kind in beside
            for dim in kind.dims
        }

    def add_probe(self, group: str, probe: Any) -> None:
        """Ignore probes: there is nothing to correlate."""

    def averaged(self, value: Array, size: Array) -> None:
        """Ignore averages: no error is to be known."""

    def record(self, position: Position, values: dict[str, Any], groups: Sequence[RecordedGroup]) -> None:
        """Take note of one call of ``net.record``."""
        for name, value in values.items():
            check_name(name)
            kind = self._kind(name, value, groups)
            if name not in self.contents.records:
                self._lines[name] = program_line()
                self._names.take(variables_of(name, bool(kind.groups)), f"the record {name!r}")
                self._check_dimensions(name, value, kind, groups)
            if self.contents.records.setdefault(name, kind) != kind:
                raise ProgramError(f"{program_line()}: {name!r} is recorded with another shape than before")
            if position.index % self.every == 0:
                self.contents.times[name] = times = self.contents.times.get(name, 0) + 1
                self.contents.loops[name] = position.dim
                if kind.groups and times % _CHECK_EVERY == 0:
                    self._refuse_large(name, kind, times)

    def _refuse_large(self, name: str, kind: Recorded, times: int) -> None:
        """Refuse a vector whose two-time table does not fit already, however many replicas there will be."""
        needed, free = 16 * len(kind.groups) * (times * kind.columns) ** 2, _free_memory()
        if needed > free:
            raise OutOfMemory(
                f"{program_line()}: {name!r} is recorded {times:,} times and more, whose two-time table alone needs "
                f"{needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free; thin the records with every="
            )

    def settle(self, groups: Sequence[RecordedGroup], sources: Sequence[tuple[str, str]]) -> None:
        """Refuse what only the whole program shows: names of responses, and names of groups.

        Parameters
        ----------
        groups : sequence
            All groups of the program.
        sources : sequence of (str, str)
            The group of each source and tensor coupling, and what the names of the responses to it end with.
        """
        exact, sites = Names(dict.fromkeys(self._beside, _ITERATIONS)), dict[str, str]()
        for name, kind in self.contents.records.items():
            owners, where = [groups[index].name for index in kind.groups], self._lines[name]
            responses = [ending for group, ending in sources if group in owners]
            exact.take(variables_of(name, bool(owners), responses), f"the record {name!r}", where)
            sites |= dict.fromkeys(owners[:1], where)
        for dim, where in {**self._dimension_lines, **sites}.items():
            other = exact.taken.get(dim)
            if dim in sites and dim in self._dimension_lines:
                other = "the sites of a group"
            if dim in self._dimensions_beside:
                other = self._dimensions_beside[dim]
            if other is not None:
                raise ProgramError(
                    f"{where}: the result would have the dimension {dim!r}, which is the name of {other} too; give one "
                    "of them another name"
                )

    def _kind(self, name: str, value: Any, groups: Sequence[RecordedGroup]) -> Recorded:
        layers = value if isinstance(value, list) else [value]
        found = [_owner(layer, groups) for layer in layers] or [None]
        first = found[0]
        if isinstance(value, list) and (None in found or len({np.shape(v)[1:] for v in layers}) > 1):
            if any(owner is not None for owner in found):
                raise ProgramError(
                    f"{program_line()}: the list recorded as {name!r} must hold site vectors with as many inner columns"
                )
            first = None
        if first is None:
            _dims_of(value)  # refuses a pair that names no dimensions
            _check_array(name, value)
            array = np.asarray(_unlabelled(value))
            if array.dtype.kind not in "fiubc" or (array.size == 0 and -1 not in number_shape(value)):
                raise ProgramError(
                    f"{program_line()}: {name!r} must be a site vector, a list of them, a number or a small array "
                    f"to be recorded, not {shown(value)}"
                )
            return Recorded("number", shape=number_shape(value))
        inner = np.shape(layers[0])[1:]
        owners = tuple(owner for owner in found if owner is not None)
        return Recorded("layers" if isinstance(value, list) else "vector", owners, inner[0] if inner else 1, inner)

    def _check_dimensions(self, name: str, value: Any, kind: Recorded, groups: Sequence[RecordedGroup]) -> None:
        """Refuse dimensions of one name and different lengths, and a record that is called like a dimension."""
        vector, known = bool(kind.groups), self.contents.dimensions
        dims = (("input",) if kind.shape else ()) if vector else labelled(value)[0]
        for dim, size in zip(dims, kind.shape, strict=False):
            self._dimension_lines.setdefault(dim, self._lines[name])
            if known.setdefault(dim, size) != size:
                advice = (
                    "record its columns one by one"
                    if vector
                    else f'name the dimensions of a small array, as in record(t, {name}=(("output",), {name}))'
                )
                raise ProgramError(
                    f"{program_line()}: {name!r} has the length {size} along the dimension {dim!r}, where another "
                    f"record has {known[dim]}; {advice}"
                )
        if name in [*known, *(group.name for group in groups)]:
            raise ProgramError(f"{program_line()}: {name!r} is the name of a dimension; record it under another one")


def _free_memory() -> int:
    return int(psutil.virtual_memory().available)


def _check_array(name: str, value: Any) -> None:
    """Refuse what cannot be an array: rows of different lengths, objects that do not want to be one."""
    try:
        np.shape(_unlabelled(value))
    except SiteSamplerError:
        raise
    except Exception:
        raise ProgramError(
            f"{program_line()}: {name!r} must be a site vector, a list of them, a number or a small array to be "
            f"recorded, not {shown(value)}"
        ) from None


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a record."""
    if not name.isidentifier() or name in ("time", "time_", "layer"):
        raise ProgramError(f"{program_line()}: {name!r} cannot be the name of a record")
    # A file system takes 255 bytes, and what is derived from a record has a longer name.
    if len(name.encode()) > _LONGEST:
        raise ProgramError(
            f"{program_line()}: the name of a record becomes that of files, and {name[:20]}... has "
            f"{len(name)} letters; use at most {_LONGEST}"
        )


def labelled(value: Any) -> tuple[tuple[str, ...], Array]:
    """Return the dimensions of a recorded number or array, and the array: real, or complex where it is."""
    dims, array = _dims_of(value), np.asarray(_unlabelled(value))
    if dims is None:
        dims = {0: (), 1: ("input",), 2: ("input", "input_")}.get(array.ndim, ())
    return dims, array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def number_shape(value: Any) -> tuple[int, ...]:
    """Shape of a recorded number or array; -1 along the outliers, of which there may be any number."""
    dims = _dims_of(value) or ()
    shape = np.shape(_unlabelled(value))
    return tuple(-1 if i < len(dims) and dims[i] == OUTLIER else n for i, n in enumerate(shape))


def _dims_of(value: Any) -> tuple[str, ...] | None:
    """Return the dimensions that a value is labelled with: by the program, or by the class of outliers."""
    if isinstance(value, tuple):
        dims = value[0] if len(value) == 2 else None
        dims = (dims,) if isinstance(dims, str) else dims
        if not isinstance(dims, (tuple, list)) or not all(isinstance(dim, str) for dim in dims):
            raise ProgramError(
                f"{program_line()}: a recorded pair names the dimensions of a small array, as in "
                f'record(t, w=(("output",), w)), and this one holds {shown(value)}'
            )
        return tuple(dims)
    dims = getattr(type(value), "dims", None)
    return dims if isinstance(dims, tuple) else None


def _unlabelled(value: Any) -> Any:
    return value[1] if isinstance(value, tuple) and len(value) == 2 else value


def _owner(value: Any, groups: Sequence[RecordedGroup]) -> int | None:
    if isinstance(value, tuple):
        return None
    try:
        shape = np.shape(value)
    except SiteSamplerError:
        raise
    except Exception:  # refused as what it is not
        return None
    if len(shape) not in (1, 2):
        return None
    return next((i for i, group in enumerate(groups) if group.layout.rows == shape[0]), None)
