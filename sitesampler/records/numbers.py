"""Records of numbers and small arrays, one per time or layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sitesampler.errors import NotFinite, ProgramError, program_line
from sitesampler.records.contents import labelled, number_shape
from sitesampler.records.names import NUMBER, OUTLIER
from sitesampler.records.scales import Averaged, sizes
from sitesampler.records.variable import Array, Position, Variable, check_order, padded

#: Values between those that are kept that are looked at.
_BETWEEN = 100


class NumberRecord:
    """A number or a small array, over time or layers."""

    def __init__(self) -> None:
        self.positions: list[Position] = []
        self._values: list[Array] = []
        self._averages: list[Sequence[Averaged]] = []
        self._between: list[tuple[Array, Sequence[Averaged]]] = []
        self._dims: tuple[str, ...] = ()
        self._shape: tuple[int, ...] = ()

    def append(self, name: str, position: Position, value: Any, averages: Sequence[Averaged] = ()) -> None:
        """Keep the value of one time, and the averages that the program was told before it."""
        dims, array = labelled(value)
        shape = number_shape(value)
        if array.ndim != len(dims) or (self._values and (dims, shape) != (self._dims, self._shape)):
            raise ProgramError(
                f"{program_line()}: {name!r} of shape {array.shape} needs its dimensions, the same each time, as in "
                f'record(t, {name}=(("output",), {name}))'
            )
        # NaN says that there is no value yet; it cannot come back.
        lost = np.isnan(array) & ~np.isnan(self._values[-1]) if self._values else False
        if np.any(np.isinf(array) | lost):
            raise NotFinite(
                f"at {position.place}, {program_line()}: the recorded number {name!r} is not finite any more"
            )
        check_order(name, self.positions, position)
        self._dims, self._shape = dims, shape
        self.positions.append(position)
        self._values.append(array)
        # Outliers follow from overlaps that no word of the program asks for.
        self._averages.append(averages if OUTLIER not in dims else ())

    def pass_over(self, value: Any, averages: Sequence[Averaged]) -> None:
        """Look at a value that is not kept, for what numbers are made of."""
        if len(self._between) < _BETWEEN and number_shape(value) == self._shape:
            self._between.append((labelled(value)[1], averages))

    def variables(self, name: str, floor: float) -> dict[str, Variable]:
        """Return what the record becomes in the result."""
        dim = self.positions[0].dim
        coordinate = np.array([position.coordinate for position in self.positions])
        longest = tuple(np.max([array.shape for array in self._values], axis=0))
        values = np.stack([padded(array, longest) for array in self._values])
        scale = np.nanmax(np.abs(values), initial=0.0) if not np.all(np.isnan(values)) else 0.0
        # Most are quadratic in site vectors: the error of a vector is relative to the largest, its own size the factor.
        others, told = [value for value, _ in self._between], [averages for _, averages in self._between]
        known = sizes([*self._values, *others], [*self._averages, *told])[: len(values)]
        of_averages = np.stack([padded(size, longest) for size in known])
        with np.errstate(over="ignore"):  # of a run that is about to diverge
            floors = floor * np.fmax(np.sqrt(np.abs(values) * scale), of_averages)
        attrs = NUMBER.attrs(name.replace("_", " "))
        return {name: Variable((dim, *self._dims), values, {dim: coordinate}, floors, attrs, "number")}
