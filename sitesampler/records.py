"""Records of one run: what becomes of the values that a program hands to ``net.record``.

A `Recorder` collects them and turns them into `Variable` objects, labelled arrays of one replica.  Averages over
replicas, errors and the dataset are made in ``results.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitesampler import kernels
from sitesampler.errors import NotFinite, ProgramError, program_line
from sitesampler.history import History, Rows
from sitesampler.plan import Plan, Recorded
from sitesampler.responses import Probe

if TYPE_CHECKING:
    from sitesampler.network import Group

Array = NDArray[Any]


@dataclass(frozen=True)
class Position:
    """Where in its loops a program records: dimension, index and coordinate, and the time step of a clock."""

    dim: str
    index: int
    coordinate: float
    dt: float | None


@dataclass(frozen=True)
class Variable:
    """A labelled array of one replica.

    Attributes
    ----------
    dims : tuple of str
    values : array
    coords : dict
        Coordinates of the dimensions that have them.
    floor : array
        Error below which tolerance and rounding say nothing, broadcastable to the values.
    attrs : dict
    sampled : bool
        Whether replicas estimate the same thing (trajectories do not).
    """

    dims: tuple[str, ...]
    values: Array
    coords: dict[str, Array]
    floor: Array
    attrs: dict[str, Any] = field(default_factory=dict)
    sampled: bool = True


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
    """

    def __init__(
        self, plan: Plan, every: int = 1, keep: int = 0, floor: float = 0.0, rehearsing: bool = False
    ) -> None:
        self.plan, self.every, self.keep, self.floor, self.rehearsing = plan, every, keep, floor, rehearsing
        #: Where the run is, for messages.
        self.place = "the start"
        self._probes: list[tuple[str, Probe]] = []
        self._records: dict[str, _VectorRecord | _NumberRecord] = {}

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
            if position.index % self.every:
                continue
            kind = self.plan.records[name]
            if self.rehearsing:
                self.plan.times[name] = self.plan.times.get(name, 0) + 1
                continue
            if kind.group is None:
                self._number(name, position, value)
            else:
                self._vector(name, position, value, kind, groups[kind.group])

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
        if isinstance(value, list) and (first is None or len({np.shape(v) for v in layers}) > 1):
            if any(owner is not None for owner in found):
                raise ProgramError(f"{program_line()}: the list recorded as {name!r} must hold site vectors of one shape")
            first = None
        if first is None:
            kind = Recorded("number")
        else:
            columns = np.shape(layers[0])[1] if np.ndim(layers[0]) == 2 else 1
            kind = Recorded("layers" if isinstance(value, list) else "vector", first, columns, len(layers))
        if self.plan.records.setdefault(name, kind) != kind:
            raise ProgramError(f"{program_line()}: {name!r} is recorded with another shape than before")

    def _number(self, name: str, position: Position, value: Any) -> None:
        record = self._records.setdefault(name, _NumberRecord())
        assert isinstance(record, _NumberRecord)
        record.append(name, position, value, self.place)

    def _vector(self, name: str, position: Position, value: Any, kind: Recorded, group: Group) -> None:
        if name not in self._records:
            probes = [probe for owner, probe in self._probes if owner == group.name]
            columns = None if np.ndim(value[0] if kind.kind == "layers" else value) == 1 else kind.columns
            layers = kind.layers if kind.kind == "layers" else None
            times = self.plan.times[name]
            self._records[name] = _VectorRecord(group, columns, layers, times, self.keep, probes)
        record = self._records[name]
        assert isinstance(record, _VectorRecord)
        record.probes = [probe for owner, probe in self._probes if owner == group.name]
        record.append(name, position, value if kind.kind == "layers" else [value])


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

    def append(self, name: str, position: Position, value: Any, place: str) -> None:
        if isinstance(value, tuple):
            dims, value = value
            dims = (dims,) if isinstance(dims, str) else tuple(dims)
        else:
            dims = {0: (), 1: ("input",), 2: ("input", "input_")}.get(np.ndim(value), ())
        array = np.asarray(value, np.float64)
        if array.ndim != len(dims) or (self.values and (dims, array.shape) != (self.dims, self.values[0].shape)):
            raise ProgramError(
                f"{program_line()}: {name!r} of shape {array.shape} needs its dimensions, the same each time, as in "
                f'record(t, {name}=(("output",), {name}))'
            )
        if np.any(np.isinf(array)):
            raise NotFinite(f"at {place}, {program_line()}: the recorded number {name!r} is not finite any more")
        self.dims = dims
        self.positions.append(position)
        self.values.append(array)

    def variables(self, name: str, floor: float) -> dict[str, Variable]:
        dim, coordinate = _coordinates(self.positions)
        values = np.stack(self.values)
        scale = np.nanmax(np.abs(values), initial=0.0) if not np.all(np.isnan(values)) else 0.0
        attrs = {"long_name": name.replace("_", " "), "units": "1"}
        return {name: Variable((dim, *self.dims), values, {dim: coordinate}, np.asarray(floor * scale), attrs)}


class _VectorRecord:
    """A site vector, or a list of them, over time: correlation, moments, responses, trajectories."""

    def __init__(
        self, group: Group, columns: int | None, layers: int | None, times: int, keep: int, probes: list[Probe]
    ) -> None:
        self.group, self.columns, self.layers, self.keep, self.probes = group, columns, layers, keep, probes
        self.positions: list[Position] = []
        room = times * (columns or 1)
        self.histories: list[History] = [group.draws.history(room) for _ in range(layers or 1)]
        self.responses: dict[Probe, dict[int, list[Array]]] = {}
        self.equal_times: dict[Probe, bool] = {}

    def append(self, name: str, position: Position, vectors: list[Any]) -> None:
        group = self.group
        index = len(self.positions)
        for layer, vector in enumerate(vectors):
            rows = group.net.as_rows(vector, group, f"the record {name!r}")
            group.net.check_finite(rows, f"the recorded vector {name!r}")
            sites = np.ascontiguousarray(rows[:, : group.size])
            differences = group.differences(rows) if group.rows > group.size else None
            self.histories[layer].append(sites)
            for probe in self.probes:
                averages = probe.finish(probe.correlate(sites, differences))
                self.responses.setdefault(probe, {}).setdefault(index, []).append(averages)
                if probe.times and probe.times[-1] == position.coordinate:
                    self.equal_times[probe] = True
        self.positions.append(position)

    def _select(self, dims: tuple[str, ...], values: Array, columns: int) -> tuple[tuple[str, ...], Array]:
        """Drop the axes of a program without layers and inner columns: (layer, ..., k, [k])."""
        inner = ("input", "input_")[:columns]
        if self.columns is None:
            values = values.reshape(values.shape[: values.ndim - columns])
            inner = ()
        if self.layers is None:
            return dims + inner, values[0]
        return ("layer", *dims, *inner), values

    def variables(self, name: str, floor: float) -> dict[str, Variable]:
        dim, coordinate = _coordinates(self.positions)
        count, k = len(self.positions), self.columns or 1
        coords = {dim: coordinate}
        if self.layers is not None:
            if dim == "layer":
                raise ProgramError(f"a list of vectors, {name!r}, cannot be recorded inside net.layers")
            coords["layer"] = np.arange(1, self.layers + 1)
        shape = (self.layers or 1, count, k, count, k)
        # A run that ended inside a record may have kept some of its layers.
        tables = [history.rows[: count * k] for history in self.histories]
        gram = np.stack([_gram(rows) for rows in tables]).reshape(shape)
        dims, C = self._select((dim, dim + "_"), gram.transpose(0, 1, 3, 2, 4), 2)
        scale = np.sqrt(np.abs(np.einsum("ltktk->ltk", gram)))
        _, scales = self._select((dim, dim + "_"), np.einsum("ltk,lsm->ltskm", scale, scale), 2)
        both = {**coords, dim + "_": coordinate}
        out = {f"C_{name}": _variable(dims, C, both, floor * scales, f"two-time correlation of {name}")}
        moments = np.array([_moments(rows) for rows in tables]).reshape(-1, 2, count, k)
        dims, mean = self._select((dim,), moments[:, 0], 1)
        out[f"{name}_mean"] = _variable(dims, mean, coords, floor * self._select((dim,), scale, 1)[1], f"mean of {name}")
        dims, kurtosis = self._select((dim,), moments[:, 1], 1)
        text = f"excess kurtosis of {name}"
        out[f"{name}_kurtosis"] = _variable(dims, kurtosis, coords, np.asarray(10 * floor), text)
        for probe in self.probes:
            out[f"R_{name}{probe.label}"] = self._response(name, probe, dim, coords, floor)
        if self.keep:
            out[f"trajectory_{name}"] = self._trajectories(name, dim, coords)
        return out

    def _response(self, name: str, probe: Probe, dim: str, coords: dict[str, Array], floor: float) -> Variable:
        layers, count, k, fields = self.layers or 1, len(self.positions), self.columns or 1, probe.columns or 1
        R = np.zeros((layers, count, len(probe.times), k, fields))
        for index, averages in self.responses.get(probe, {}).items():
            for layer, values in enumerate(averages):
                R[layer, index, : len(values)] = values.transpose(0, 2, 1)
        R = R / (probe.dt or 1.0)
        every = self.group.net.recorder.every
        R = R[:, :, probe.chosen(every)]
        times = np.array(probe.times)[probe.chosen(every)]
        dims: tuple[str, ...] = (dim, dim + "_")
        if self.columns is not None and probe.columns is not None:
            dims += ("input", "input_")
        elif probe.columns is None:
            R = R[..., 0]
            dims += ("input",) if self.columns is not None else ()
            R = R if self.columns is not None else R[..., 0]
        else:
            R = R[..., 0, :]
            dims += ("input_",)
        R, dims = (R[0], dims) if self.layers is None else (R, ("layer", *dims))
        attrs = {
            "per_unit_time": int(probe.dt is not None),
            "equal_times_count": int(self.equal_times.get(probe, False)),
            "comment": (
                "derivative with respect to the source at time_, "
                + ("per unit time (divided by dt)" if probe.dt else "raw, not divided by a time step")
                + ("; equal times count" if self.equal_times.get(probe) else "; zero at equal times")
            ),
        }
        scale = np.max(np.abs(R), initial=0.0)
        return Variable(
            dims,
            R,
            {**coords, dim + "_": times},
            np.asarray(floor * scale),
            {"long_name": f"response of {name}", "units": "1", **attrs},
        )

    def _trajectories(self, name: str, dim: str, coords: dict[str, Array]) -> Variable:
        group, count, k = self.group, len(self.positions), self.columns or 1
        # Evenly spaced sites: values that were dealt in order are all represented.
        chosen = np.arange(min(self.keep, group.size)) * group.size // min(self.keep, group.size)
        rows = np.stack([history.rows[:, chosen] for history in self.histories])
        values = rows.reshape(self.layers or 1, count, k, len(chosen)).transpose(0, 3, 1, 2)
        dims, values = self._select((group.name, dim), values, 1)
        attrs = {"long_name": f"single-site trajectories of {name}", "units": "1"}
        return Variable(dims, values, coords, np.asarray(0.0), attrs, sampled=False)


def _variable(dims: tuple[str, ...], values: Array, coords: dict[str, Array], floor: Array, text: str) -> Variable:
    return Variable(dims, values, coords, floor, {"long_name": text, "units": "1"})


def _moments(rows: Rows) -> tuple[Array, Array]:
    """Mean and excess kurtosis of each row; no kurtosis for a vector without variance."""
    moments = np.empty((len(rows), 3))
    kernels.moments(rows, moments)
    mean, variance, fourth = moments.T
    kurtosis = np.full(len(mean), np.nan)
    varies = variance > 1e-20 * (mean**2 + np.finfo(np.float64).tiny)
    kurtosis[varies] = fourth[varies] / variance[varies] ** 2 - 3
    return mean, kurtosis


def _gram(rows: Rows) -> Array:
    """Averages over sites of the products of all pairs of rows, in fixed blocks of samples."""
    size = rows.shape[1]
    total = np.zeros((len(rows), len(rows)))
    for block in range(kernels.blocks(size)):
        part = rows[:, block * kernels.BLOCK : (block + 1) * kernels.BLOCK]
        total += part @ part.T
    return total / size
