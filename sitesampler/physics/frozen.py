"""Order parameters of a sweep: frozen while it runs, measured anew for the next one.

Three objects that answer the questions of ``order.py``.  `FrozenOrderParameters` answers from the iteration before, so
that a chunk of samples needs nothing from other chunks, and measures what the next iteration will know.
`WrittenOrderParameters` is a march that writes down what it used, and `UncoupledOrderParameters` one without any
coupling: the two starts of an iteration.  What is measured is in ``estimates.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import InputError
from sitesampler.physics.estimates import Coefficients, Estimates, Structure, kernel
from sitesampler.physics.order import Averages, Fields, LiveOrderParameters, PopulationAverages
from sitesampler.vectors.table import History, Rows, gram, products

_UNFIT = (
    "the order parameters to start from do not fit this program: it {}; start from a result of the same program with "
    "parameters that leave its steps, inputs and layers as they are"
)


class _Notes:
    """The order in which a run asks for its order parameters."""

    def __init__(self) -> None:
        self.numbers: dict[Fields, int] = {}
        self.columns: list[list[int]] = []
        self.known: dict[str, list[int]] = defaultdict(list)
        self.shapes: list[list[int]] = []
        self.kept: list[bool] = []

    def number(self, fields: Fields) -> int:
        """Return the number of a direction of a matrix, counted in the order of first use."""
        if fields not in self.numbers:
            self.numbers[fields] = len(self.numbers)
            self.columns.append([])
        return self.numbers[fields]

    def multiplied(self, number: int) -> int:
        """Return how many vectors a direction was multiplied with so far."""
        return sum(self.columns[number])

    def response(self, i: int, j: int) -> None:
        """Note that the next vectors of direction i respond to the fields of direction j so far."""
        self.known[f"{i},{j}"].append(self.multiplied(j))

    def structure(self) -> Structure:
        return Structure(self.columns, dict(self.known), self.shapes, self.kept)


class WrittenOrderParameters(LiveOrderParameters):
    """Live order parameters that are written down: the start of an iteration."""

    def __init__(self, tolerance: float, dtype: np.dtype) -> None:
        super().__init__(tolerance, dtype)
        self._notes = _Notes()
        self._pivots: list[list[int]] = []
        self._coefficients: list[list[Averages]] = []
        self._rounding: list[list[Averages]] = []
        self._memory: dict[tuple[int, int], list[Averages]] = defaultdict(list)
        self._averages: list[Averages] = []
        self._spans: list[list[Averages]] = []

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """See `LiveOrderParameters.expand`."""
        coefficients, new = super().expand(fields, vectors, rounding)
        self._write(fields, coefficients, rounding)
        return coefficients, new

    def _write(self, fields: Fields, coefficients: Averages, rounding: Averages) -> None:
        number = self._number(fields)
        rank, start = len(fields.basis), self._notes.multiplied(number)
        # The vectors that made new directions: the first with a part along each.
        self._pivots[number] += [start + int(np.flatnonzero(row)[0]) for row in coefficients[rank:]]
        self._notes.columns[number].append(len(rounding))
        self._coefficients[number].append(coefficients)
        self._rounding[number].append(rounding)

    def _number(self, fields: Fields) -> int:
        number = self._notes.number(fields)
        if number == len(self._pivots):
            self._pivots.append([])
            self._coefficients.append([])
            self._rounding.append([])
        return number

    def stein(self, source: Fields, vectors: Rows, by: Fields) -> Averages:
        """See `LiveOrderParameters.stein`."""
        found = super().stein(source, vectors, by)
        numbers = self._number(by), self._number(source)
        self._notes.response(*numbers)
        self._memory[numbers].append(found)
        return found

    def response(self, images: History, vectors: Rows, factor: Averages) -> Averages:
        """See `LiveOrderParameters.response`."""
        return self._average(super().response(images, vectors, factor))

    def overlaps(self, history: History, vectors: Rows) -> Averages:
        """See `LiveOrderParameters.overlaps`."""
        return self._average(super().overlaps(history, vectors))

    def average(self, left: Rows, right: Rows) -> Averages:
        """See `LiveOrderParameters.average`."""
        return self._average(super().average(left, right))

    def mean(self, vectors: NDArray[np.floating]) -> Averages:
        """See `LiveOrderParameters.mean`."""
        return self._average(super().mean(vectors))

    def keeps(self, rest: float, size: float, tolerance: float) -> bool:
        """See `LiveOrderParameters.keeps`."""
        kept = super().keeps(rest, size, tolerance)
        self._notes.kept.append(bool(kept))
        return kept

    def representatives(self, bases: Sequence[tuple[Fields, str]], others: Sequence[Rows]) -> list[Rows]:
        """See `LiveOrderParameters.representatives`."""
        tables = super().representatives(bases, others)
        self._spans.append(_stand_ins(tables))
        return tables

    def _average(self, found: Averages) -> Averages:
        self._notes.shapes.append(list(np.shape(found)))
        self._averages.append(np.array(found, float))
        return found

    def estimates(self) -> Estimates:
        """Return everything that this run has used."""
        structure = self._notes.structure()
        count = len(structure.columns)
        factors = [_padded(self._coefficients[i]) for i in range(count)]
        responses = {}
        for i, j in structure.pairs():
            parts = [kernel(factors[j], self._pivots[j], memory) for memory in self._memory[i, j]]
            responses[i, j] = np.concatenate([np.zeros((factors[j].shape[1], 0)), *parts], axis=1)
        rounding = [np.concatenate([np.zeros(0), *parts]) for parts in self._rounding]
        return Estimates(structure, self._overlaps(factors), rounding, responses, self._averages, tuple(self._spans))

    def _overlaps(self, factors: list[Averages]) -> list[Averages]:
        return [factor.T @ factor for factor in factors]


class UncoupledOrderParameters(WrittenOrderParameters):
    """A run in which products with matrices vanish, and all other averages are live: a cold start."""

    def __init__(self, tolerance: float, dtype: np.dtype) -> None:
        super().__init__(tolerance, dtype)
        self._vectors: dict[int, History] = {}

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """Return no coefficients, and keep the vectors."""
        none = np.zeros((0, len(vectors)))
        self._write(fields, none, rounding)
        self._vectors.setdefault(self._notes.number(fields), fields.basis.alike()).append(vectors)
        return none, np.empty((0, fields.basis.size), vectors.dtype)

    def response(self, images: History, vectors: Rows, factor: Averages) -> Averages:
        """Return no response."""
        return self._average(np.zeros((len(images), len(vectors))))

    def _overlaps(self, factors: list[Averages]) -> list[Averages]:
        return [
            gram(self._vectors[i].rows) if i in self._vectors else factor.T @ factor for i, factor in enumerate(factors)
        ]


@dataclass(frozen=True)
class Tally:
    """What chunks have measured: weighted averages, and how they scatter.

    Attributes
    ----------
    weight : float
        Number of samples.
    chunks : int
    arrays : list of arrays
        Averages over the samples.
    scatter : array
        For each of the arrays, the sum over chunks of weight times squared distance from the average.
    """

    weight: float
    chunks: int
    arrays: list[Averages]
    scatter: Averages


def merged_tallies(tallies: Sequence[Tally]) -> Tally:
    """Merge what chunks have measured."""
    total = tallies[0]
    for other in tallies[1:]:
        weight = total.weight + other.weight
        share = other.weight / weight
        moved = [new - old for old, new in zip(total.arrays, other.arrays, strict=True)]
        between = total.weight * share * np.array([np.sum(move * move) for move in moved])
        arrays = [old + share * move for old, move in zip(total.arrays, moved, strict=True)]
        total = Tally(weight, total.chunks + other.chunks, arrays, total.scatter + other.scatter + between)
    return total


class FrozenOrderParameters(PopulationAverages):
    """Order parameters that do not depend on the samples that run with them.

    Parameters
    ----------
    coefficients : Coefficients
        Of the iteration before.
    """

    def __init__(self, coefficients: Coefficients) -> None:
        self._frozen = coefficients
        self._notes = _Notes()
        self._fields: list[Fields] = []
        self._vectors: list[History] = []
        self._rounding: list[list[Averages]] = []
        self._averages: list[Averages] = []
        self._asked = 0

    def _number(self, fields: Fields) -> int:
        number = self._notes.number(fields)
        if number == len(self._fields):
            if number >= len(self._frozen.basis):
                raise InputError(_UNFIT.format("multiplies more matrices"))
            self._fields.append(fields)
            self._vectors.append(fields.basis.alike(self._frozen.basis[number].shape[1]))
            self._rounding.append([])
        return number

    def expand(self, fields: Fields, vectors: Rows, rounding: Averages) -> tuple[Averages, Rows]:
        """Return frozen coefficients, and the basis vectors that follow from them."""
        number = self._number(fields)
        start, stop = len(self._vectors[number]), len(self._vectors[number]) + len(vectors)
        if stop > self._frozen.basis[number].shape[1]:
            raise InputError(_UNFIT.format("multiplies a matrix more often"))
        self._vectors[number].append(vectors)
        self._notes.columns[number].append(len(vectors))
        self._rounding[number].append(rounding)
        before, after = self._frozen.rank(number, start), self._frozen.rank(number, stop)
        coefficients = self._frozen.basis[number][:after, start:stop]
        made = np.array(self._frozen.pivots[number][before:after], int) - start
        new = np.ascontiguousarray(vectors[made])
        fields.basis.combine(-coefficients[:before, made], new)
        for m, column in enumerate(made):
            for earlier in range(m):
                new[m] -= new.dtype.type(coefficients[before + earlier, column]) * new[earlier]
            new[m] /= new.dtype.type(coefficients[before + m, column])
        return coefficients, new

    def stein(self, source: Fields, vectors: Rows, by: Fields) -> Averages:
        """Return the frozen averages with the normals; new ones are measured at the end."""
        i, j = self._number(by), self._number(source)
        self._notes.response(i, j)
        start = len(self._vectors[i])
        memory = self._frozen.memory.get((i, j))
        if memory is None:
            raise InputError(_UNFIT.format("multiplies its matrices in another order"))
        if start + len(vectors) > memory.shape[1]:
            raise InputError(_UNFIT.format("multiplies a matrix more often"))
        rank = self._frozen.rank(j, len(self._vectors[j]))
        return memory[:rank, start : start + len(vectors)]

    def response(self, images: History, vectors: Rows, factor: Averages) -> Averages:
        """Return the frozen responses."""
        return self._average(super().response(images, vectors, factor))

    def overlaps(self, history: History, vectors: Rows) -> Averages:
        """Return the frozen overlaps."""
        return self._average(super().overlaps(history, vectors))

    def average(self, left: Rows, right: Rows) -> Averages:
        """Return the frozen averages of products."""
        return self._average(super().average(left, right))

    def mean(self, vectors: NDArray[np.floating]) -> Averages:
        """Return the frozen averages."""
        return self._average(super().mean(vectors))

    def keeps(self, rest: float, size: float, tolerance: float) -> bool:
        """Return what the start of the iteration has decided."""
        kept = self._frozen.structure.kept
        if len(self._notes.kept) == len(kept):
            raise InputError(_UNFIT.format("makes more forces of tensor couplings"))
        self._notes.kept.append(kept[len(self._notes.kept)])
        return self._notes.kept[-1]

    def representatives(self, bases: Sequence[tuple[Fields, str]], others: Sequence[Rows]) -> list[Rows]:
        """Return the stand-ins of the march that the iteration started from; see `Estimates.spans`."""
        self._asked += 1
        return list(self._frozen.spans[self._asked - 1])

    def _average(self, measured: Averages) -> Any:
        number = len(self._averages)
        frozen = self._frozen.averages[number] if number < len(self._frozen.averages) else None
        if frozen is None or np.shape(frozen) != np.shape(measured):
            raise InputError(_UNFIT.format("takes other averages"))
        self._averages.append(np.array(measured, float))
        self._notes.shapes.append(list(np.shape(measured)))
        return frozen.copy() if frozen.ndim else frozen[()]

    def tally(self, size: int) -> Tally:
        """Return what this chunk of ``size`` samples has measured.

        Raises
        ------
        InputError
            If the program asked for other order parameters than those that it was given.
        """
        if self._notes.structure() != self._frozen.structure:
            raise InputError(_UNFIT.format("ends earlier"))
        tables = [history.rows for history in self._vectors]
        arrays = [gram(rows) for rows in tables]
        arrays += [np.concatenate([np.zeros(0), *parts]) for parts in self._rounding]
        for i, j in self._frozen.memory:
            measured = products(self._fields[j].images.rows, tables[i])
            arrays.append(np.where(self._frozen.normals_known(i, j), measured, 0.0))
        arrays += self._averages
        return Tally(float(size), 1, arrays, np.zeros(len(arrays)))


def _stand_ins(tables: Sequence[Rows]) -> list[Averages]:
    """Return vectors over as many sites as there are vectors in all tables, with the same overlaps: coordinates."""
    rows = np.concatenate(tables).astype(np.float64, copy=False)
    triangle = np.asarray(np.linalg.qr(rows.T, mode="r"))  # few samples make it wide
    coordinates = triangle.T * np.sqrt(len(triangle) / rows.shape[1])
    return np.split(coordinates, np.cumsum([len(table) for table in tables])[:-1])


def _padded(parts: list[Averages]) -> Averages:
    """Return coefficients of all vectors, (rank, n): those of earlier ones have fewer basis vectors."""
    rank = max([len(part) for part in parts], default=0)
    return np.concatenate([np.zeros((rank, 0)), *(np.pad(part, ((0, rank - len(part)), (0, 0))) for part in parts)], 1)
