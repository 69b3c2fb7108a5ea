"""Records of one run: what becomes of the values that a program hands to ``net.record``.

A `Recorder` collects them and turns them into `Variable` objects, labelled arrays of one replica.  What a site vector
becomes is in ``vector_records.py``; averages over replicas, errors and the dataset are made in ``results.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import NotFinite, ProgramError, program_line, shown
from sitesampler.language.script import Plan, Recorded
from sitesampler.physics.spectrum import Outliers
from sitesampler.records.responses import Probe
from sitesampler.records.variable import Array, Position, Variable, check_order, padded
from sitesampler.records.vectors import VectorRecord

#: Dimension along which records may differ in length; the shorter ones are filled up with NaN.
OUTLIER = "outlier"

if TYPE_CHECKING:
    from sitesampler.language.groups import Group


class Recorder:
    """Collects the records of one run.

    Parameters
    ----------
    plan : Plan
        Tells site vectors from numbers; filled in instead when ``rehearsing``.
    every : int
        Keep one in so many steps of a loop.
    keep : int
        Trajectories to keep of each site vector.
    floor : float
        Relative error of tolerance and rounding.
    rehearsing : bool
        Only find out what is recorded.
    silent : bool
        Keep nothing: the run is made for its order parameters.
    """

    def __init__(
        self,
        plan: Plan,
        every: int = 1,
        keep: int = 0,
        floor: float = 0.0,
        rehearsing: bool = False,
        silent: bool = False,
    ) -> None:
        self.plan, self.every, self.keep, self.floor, self.rehearsing = plan, every, keep, floor, rehearsing
        self.silent = silent
        #: Where the run is, for messages.
        self.place = "the start"
        self._probes: list[tuple[str, Probe]] = []
        self._records: dict[str, VectorRecord | _NumberRecord] = {}

    def add_probe(self, group: str, probe: Probe) -> None:
        """Let the later records of a group be correlated with a probe."""
        self._probes.append((group, probe))

    def record(self, position: Position, values: dict[str, Any], groups: list[Group]) -> None:
        """Keep the values of one call of ``net.record``."""
        for name, value in values.items():
            if not name.isidentifier() or name in ("time", "time_", "layer"):
                raise ProgramError(f"{program_line()}: {name!r} cannot be the name of a record")
            if self.rehearsing:
                self._rehearse(name, value, groups)
            kind = self.plan.records[name]
            if not self.rehearsing and (shape := self._shape(value, kind)) != kind.shape:
                raise ProgramError(
                    f"{program_line()}: {name!r} is recorded with the inner shape {shape}, where another run recorded "
                    f"{kind.shape}; it must have the same shape each time, whatever the number of sites"
                )
            if position.index % self.every:
                continue
            if self.silent:
                _check_finite(name, value, [groups[index] for index in kind.groups])
                continue
            if self.rehearsing:
                self.plan.times[name] = self.plan.times.get(name, 0) + 1
                self.plan.loops[name] = position.dim
                continue
            if not kind.groups:
                self._number(name, position, value)
            else:
                self._vector(name, position, value, kind, [groups[index] for index in kind.groups])

    def variables(self) -> dict[str, Variable]:
        """Return everything recorded so far, by the names of the result."""
        out: dict[str, Variable] = {}
        for name, record in self._records.items():
            if record.positions:
                out.update(record.variables(name, self.floor))
        return out

    def _rehearse(self, name: str, value: Any, groups: list[Group]) -> None:
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
            array = np.asarray(value[1] if isinstance(value, tuple) and len(value) == 2 else value)
            if array.dtype.kind not in "fiubc" or (array.size == 0 and -1 not in _number_shape(value)):
                raise ProgramError(
                    f"{program_line()}: {name!r} must be a site vector, a list of them, a number or a small array "
                    f"to be recorded, not {shown(value)}"
                )
            kind = Recorded("number", shape=_number_shape(value))
        else:
            inner = np.shape(layers[0])[1:]
            columns = inner[0] if inner else 1
            owners = tuple(owner for owner in found if owner is not None)
            kind = Recorded("layers" if isinstance(value, list) else "vector", owners, columns, inner)
        if name not in self.plan.records:
            self._check_names(name, kind)
            dims = (("input",) if kind.shape else ()) if kind.groups else _labelled(value)[0]
            self._check_dimensions(name, bool(kind.groups), dict(zip(dims, kind.shape, strict=False)), groups)
        if self.plan.records.setdefault(name, kind) != kind:
            raise ProgramError(f"{program_line()}: {name!r} is recorded with another shape than before")

    def _check_names(self, name: str, kind: Recorded) -> None:
        """Refuse names that would meet in the result."""
        taken = {made: old for old, record in self.plan.records.items() for made in _made_of(old, record)}
        for made in _made_of(name, kind):
            if made in taken:
                raise ProgramError(
                    f"{program_line()}: the records {name!r} and {taken[made]!r} would both become {made!r} in the "
                    "result; give one of them another name"
                )

    def _check_dimensions(self, name: str, vector: bool, sizes: dict[str, int], groups: list[Group]) -> None:
        """Refuse dimensions of one name and different lengths, and a record that is called like a dimension."""
        for dim, size in sizes.items():
            known = self.plan.dimensions.setdefault(dim, size)
            if known != size:
                example = f'record(t, {name}=(("output",), {name}))'
                advice = (
                    "record its columns one by one"
                    if vector
                    else f"name the dimensions of a small array, as in {example}"
                )
                raise ProgramError(
                    f"{program_line()}: {name!r} has the length {size} along the dimension {dim!r}, where another "
                    f"record has {known}; {advice}"
                )
        if name in [*self.plan.dimensions, *(group.name for group in groups)]:
            raise ProgramError(f"{program_line()}: {name!r} is the name of a dimension; record it under another one")

    @staticmethod
    def _shape(value: Any, kind: Recorded) -> tuple[int, ...]:
        if not kind.groups:
            return _number_shape(value)
        return np.shape(value[0] if kind.kind == "layers" and isinstance(value, list) and value else value)[1:]

    def _number(self, name: str, position: Position, value: Any) -> None:
        record = self._records.setdefault(name, _NumberRecord())
        assert isinstance(record, _NumberRecord)
        record.append(name, position, value, self.place)

    def _vector(self, name: str, position: Position, value: Any, kind: Recorded, groups: list[Group]) -> None:
        layered = kind.kind == "layers"
        layers = value if layered else [value]
        if name not in self._records:
            if layered and position.dim == "layer":
                raise ProgramError(
                    f"{program_line()}: the list {name!r} has layers of its own; record it in a loop over net.clock or "
                    "net.steps"
                )
            columns = None if np.ndim(layers[0]) == 1 else kind.columns
            self._records[name] = VectorRecord(groups, columns, layered, self.plan.times[name], self.keep)
        record = self._records[name]
        assert isinstance(record, VectorRecord)
        probes = [[probe for owner, probe in self._probes if owner == group.name] for group in groups]
        record.append(name, position, layers, probes)


def _check_finite(name: str, value: Any, groups: list[Group]) -> None:
    """Refuse site vectors that went wrong, where they are not kept: what saturates would hide it from products."""
    for layer, group in zip(value if isinstance(value, list) else [value], groups, strict=False):
        rows = group.net.as_rows(layer, group, f"the record {name!r}")
        group.net.check_finite(rows, f"the recorded vector {name!r}")


def _labelled(value: Any) -> tuple[tuple[str, ...], Array]:
    """Return the dimensions of a recorded number or array, and the array: real, or complex where it is."""
    if isinstance(value, tuple):
        dims, value = value
        dims = (dims,) if isinstance(dims, str) else tuple(dims)
    elif isinstance(value, Outliers):
        dims = (OUTLIER,)
    else:
        dims = {0: (), 1: ("input",), 2: ("input", "input_")}.get(np.ndim(value), ())
    array = np.asarray(value)
    return dims, array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _number_shape(value: Any) -> tuple[int, ...]:
    """Shape of a recorded number or array; -1 along the outliers, of which there may be any number."""
    dims = value[0] if isinstance(value, tuple) and len(value) == 2 else (OUTLIER,) * isinstance(value, Outliers)
    dims = (dims,) if isinstance(dims, str) else tuple(dims)
    shape = np.shape(value[1] if isinstance(value, tuple) and len(value) == 2 else value)
    return tuple(-1 if i < len(dims) and dims[i] == OUTLIER else n for i, n in enumerate(shape))


def _made_of(name: str, record: Recorded) -> set[str]:
    """Variables of the result that a record becomes."""
    if not record.groups:
        return {name}
    return {f"C_{name}", f"{name}_mean", f"{name}_kurtosis", f"R_{name}", f"trajectory_{name}"}


def _owner(value: Any, groups: list[Group]) -> int | None:
    if isinstance(value, tuple):
        return None
    shape = np.shape(value)
    if len(shape) not in (1, 2):
        return None
    return next((i for i, group in enumerate(groups) if group.rows == shape[0]), None)


def _coordinates(positions: list[Position]) -> tuple[str, Array]:
    return positions[0].dim, np.array([position.coordinate for position in positions])


class _NumberRecord:
    """Numbers and small arrays, one per time or layer."""

    def __init__(self) -> None:
        self.positions: list[Position] = []
        self.values: list[Array] = []
        self.dims: tuple[str, ...] = ()
        self.shape: tuple[int, ...] = ()

    def append(self, name: str, position: Position, value: Any, place: str) -> None:
        dims, array = _labelled(value)
        shape = _number_shape(value)
        if array.ndim != len(dims) or (self.values and (dims, shape) != (self.dims, self.shape)):
            raise ProgramError(
                f"{program_line()}: {name!r} of shape {array.shape} needs its dimensions, the same each time, as in "
                f'record(t, {name}=(("output",), {name}))'
            )
        # NaN says that there is no value yet; it cannot come back.
        lost = np.isnan(array) & ~np.isnan(self.values[-1]) if self.values else False
        if np.any(np.isinf(array) | lost):
            raise NotFinite(f"at {place}, {program_line()}: the recorded number {name!r} is not finite any more")
        check_order(name, self.positions, position)
        self.dims, self.shape = dims, shape
        self.positions.append(position)
        self.values.append(array)

    def variables(self, name: str, floor: float) -> dict[str, Variable]:
        dim, coordinate = _coordinates(self.positions)
        longest = tuple(np.max([array.shape for array in self.values], axis=0))
        values = np.stack([padded(array, longest) for array in self.values])
        scale = np.nanmax(np.abs(values), initial=0.0) if not np.all(np.isnan(values)) else 0.0
        attrs = {"long_name": name.replace("_", " "), "units": "1"}
        # Most are quadratic in site vectors: the error of a vector is relative to the largest, its own size the factor.
        floors = floor * np.sqrt(np.abs(values) * scale)
        return {name: Variable((dim, *self.dims), values, {dim: coordinate}, floors, attrs, "number")}
