"""Records of site vectors: two-time correlations, moments, responses and trajectories of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sitesampler.records.contents import RecordedGroup
from sitesampler.records.names import CORRELATION, KURTOSIS, MEAN, OF_KICKS, RESPONSE, TRAJECTORY, UNRESOLVED
from sitesampler.records.responses import Probe
from sitesampler.records.variable import Array, Position, Variable, check_order
from sitesampler.vectors import arrays
from sitesampler.vectors.table import Table


@dataclass
class _Response:
    """Response of a record to the sources of one name: a probe for each layer, and the averages taken with it."""

    probes: list[Probe | None]
    averages: dict[tuple[int, int], Array] = field(default_factory=dict)
    equal_times: bool = False


class VectorRecord:
    """A site vector, or a list of them (one per layer), over time.

    Parameters
    ----------
    groups : list of RecordedGroup
        The group of each layer.
    columns : int or None
        Inner columns.
    layered : bool
        Whether a list was recorded; its dimension is ``layer``.
    capacity : int
        Rows that it will have.
    keep : int
        Trajectories to keep.
    every : int
        Steps of a loop of which one is kept.
    """

    def __init__(
        self, groups: list[RecordedGroup], columns: int | None, layered: bool, capacity: int, keep: int, every: int
    ) -> None:
        self.groups, self.columns, self.layered, self.keep, self.every = groups, columns, layered, keep, every
        self.positions: list[Position] = []
        self._tables: list[Table] = [group.layout.table(capacity) for group in groups]
        self._responses: dict[str, _Response] = {}

    def append(self, name: str, position: Position, vectors: list[Any], probes: list[list[Probe]]) -> None:
        """Keep the vectors of one time, and correlate them with the probes of each layer's group so far."""
        check_order(name, self.positions, position)
        index = len(self.positions)
        for layer, (group, vector) in enumerate(zip(self.groups, vectors, strict=True)):
            layout, rows = group.layout, group.rows_of(vector, f"the record {name!r}")
            group.check_finite(rows, f"the recorded vector {name!r}")
            sites = arrays.contiguous(rows[:, : layout.size], layout.dtype)
            differences = None if layout.perturbation is None else layout.differences(rows)
            self._tables[layer].append(sites)
            for probe in probes[layer]:
                response = self._responses.setdefault(probe.label, _Response([None] * len(self.groups)))
                response.probes[layer] = probe
                response.averages[index, layer] = probe.come(
                    probe.finish(probe.correlate(sites, differences)), position.coordinate
                )
                response.equal_times |= bool(probe.times) and probe.times[-1] == position.coordinate
        self.positions.append(position)

    def variables(self, name: str, floor: float) -> dict[str, Variable]:
        """Return what the record becomes in the result."""
        dim = self.positions[0].dim
        coordinate = np.array([position.coordinate for position in self.positions])
        count, k, layers = len(self.positions), self.columns or 1, len(self.groups)
        coords = {dim: coordinate}
        if self.layered:
            coords["layer"] = np.arange(1, layers + 1)
        # A run that ended inside a record may have kept some of its layers.
        tables = [table.rows[: count * k] for table in self._tables]
        overlaps = np.stack([arrays.gram(rows) for rows in tables]).reshape(layers, count, k, count, k)
        dims, C = self._select((dim, dim + "_"), overlaps.transpose(0, 1, 3, 2, 4), 2)
        scale = np.sqrt(np.abs(np.einsum("ltktk->ltk", overlaps)))
        _, scales = self._select((dim, dim + "_"), np.einsum("ltk,lsm->ltskm", scale, scale), 2)
        both = {**coords, dim + "_": coordinate}
        out = {CORRELATION.name(name): Variable(dims, C, both, floor * scales, CORRELATION.attrs(name))}
        moments = np.stack([arrays.moments(rows) for rows in tables]).reshape(layers, count, k, 4)
        dims, mean = self._select((dim,), moments[..., 0], 1)
        _, scales = self._select((dim,), scale, 1)
        out[MEAN.name(name)] = Variable(dims, mean, coords, floor * scales, MEAN.attrs(name))
        moments, kurtosis = moments.reshape(*mean.shape, 4), KURTOSIS.name(name)
        out[kurtosis] = Variable(dims, moments, coords, np.asarray(10 * floor), KURTOSIS.attrs(name), "moments")
        for label, response in self._responses.items():
            out[RESPONSE.name(name + label)] = self._response(name, response, dim, coords, floor)
        if self.keep:
            out[TRAJECTORY.name(name)] = self._trajectories(name, dim, coords)
        return out

    def _select(self, dims: tuple[str, ...], values: Array, columns: int) -> tuple[tuple[str, ...], Array]:
        """Drop the axes of a program without layers and inner columns: (layer, ..., k, [k])."""
        inner = ("input", "input_")[:columns]
        if self.columns is None:
            values = values.reshape(values.shape[: values.ndim - columns])
            inner = ()
        if not self.layered:
            return dims + inner, values[0]
        return ("layer", *dims, *inner), values

    def _response(self, name: str, response: _Response, dim: str, coords: dict[str, Array], floor: float) -> Variable:
        probes = [probe for probe in response.probes if probe is not None]
        first = max(probes, key=lambda probe: len(probe.times))
        count, k, fields = len(self.positions), self.columns or 1, first.columns or 1
        R = np.zeros((len(self.groups), count, len(first.times), k, fields))
        for (index, layer), averages in response.averages.items():
            if index < count:
                R[layer, index, : len(averages)] = averages.transpose(0, 2, 1)
        for layer, probe in enumerate(response.probes):
            if probe is None:
                R[layer] = np.nan  # a layer without a source of this name
        chosen = first.chosen(self.every)
        times = np.array(first.times)[chosen]
        # A field that acts at one time acts on all forces of that step: their responses add up.
        starts = np.flatnonzero(np.diff(times, prepend=np.nan))
        R, times = np.add.reduceat(R[:, :, chosen], starts, axis=2) / (first.dt or 1.0), times[starts]
        dims: tuple[str, ...] = (dim, dim + "_")
        if self.columns is not None:
            dims += ("input",)
        if first.columns is not None:
            dims += ("input_",)
        R = R.reshape(
            R.shape[:3] + (() if self.columns is None else (k,)) + (() if first.columns is None else (fields,))
        )
        if self.layered:
            dims = ("layer", *dims)
        else:
            R = R[0]
        attrs = {
            **RESPONSE.attrs(name),
            "per_unit_time": int(first.dt is not None),
            "equal_times_count": int(response.equal_times),
            **({OF_KICKS: 1} if first.kicks else {}),
            "comment": (
                "derivative with respect to the source at time_, "
                + (
                    "per unit time"
                    if first.kicks
                    else "per unit time (divided by dt)"
                    if first.dt
                    else "raw, not divided by a time step"
                )
                + ("; equal times count" if response.equal_times else "; zero at equal times")
            ),
        }
        if unresolved := next((probe.unresolved for probe in probes if probe.unresolved), ""):
            attrs[UNRESOLVED] = unresolved
        scale = np.nanmax(np.abs(R), initial=0.0)
        largest = max(arrays.root_mean_square(table.rows[-1]) for table in self._tables)
        rounding = self.groups[0].layout.twin_rounding * largest
        return Variable(dims, R, {**coords, dim + "_": times}, np.asarray(floor * scale + rounding), attrs)

    def _trajectories(self, name: str, dim: str, coords: dict[str, Array]) -> Variable:
        count, k = len(self.positions), self.columns or 1
        kept = min([self.keep, *(group.layout.size for group in self.groups)])
        rows = []
        for group, table in zip(self.groups, self._tables, strict=True):
            # Evenly spaced sites: values that were dealt in order are all represented.
            rows.append(arrays.on_host(table.rows[: count * k, np.arange(kept) * group.layout.size // kept]))
        values = np.stack(rows).reshape(len(self.groups), count, k, kept).transpose(0, 3, 1, 2)
        dims, values = self._select((self.groups[0].name, dim), values, 1)
        return Variable(dims, values, coords, np.asarray(0.0), TRAJECTORY.attrs(name), "paths")
