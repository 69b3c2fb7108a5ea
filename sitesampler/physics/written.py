"""Order parameters that are written down: the two starts of an iteration.

`WrittenOrderParameters` are those of a march that writes down what it used, and `UncoupledOrderParameters` those of a
run without any coupling.  `Notes` is the order in which a run asks, the same in every run of one program.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from sitesampler.physics.estimates import Estimates, Structure, kernel
from sitesampler.physics.order import (
    Average,
    Expansion,
    Fields,
    LiveOrderParameters,
    Memory,
    Question,
    Representatives,
    Response,
    Worth,
)
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages, Rows
from sitesampler.vectors.table import Table


class Notes:
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
        """Return the order of the whole run."""
        return Structure(self.columns, dict(self.known), self.shapes, self.kept)


class WrittenOrderParameters(LiveOrderParameters):
    """Live order parameters that are written down: the start of an iteration."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(tolerance)
        self._notes = Notes()
        self._pivots: list[list[int]] = []
        self._coefficients: list[list[Averages]] = []
        self._rounding: list[list[Averages]] = []
        self._memory: dict[tuple[int, int], list[Averages]] = defaultdict(list)
        self._averages: list[Averages] = []
        self._spans: list[list[Averages]] = []

    def answer(self, question: Question) -> Any:
        """Return what the population says, and write it down."""
        found = self._found(question)
        match question:
            case Expansion():
                self._write_expansion(question, found[0])
            case Memory():
                numbers = self._number(question.by), self._number(question.source)
                self._notes.response(*numbers)
                self._memory[numbers].append(found)
            case Average():
                self._notes.shapes.append(list(np.shape(found)))
                self._averages.append(np.array(found, float))
            case Worth():
                self._notes.kept.append(bool(found))
            case Representatives():
                self._spans.append(_stand_ins(found))
        return found

    def _found(self, question: Question) -> Any:
        return question.measured()

    def _write_expansion(self, question: Expansion, coefficients: Averages) -> None:
        number = self._number(question.fields)
        rank, start = len(question.fields.basis), self._notes.multiplied(number)
        # The vectors that made new directions: the first with a part along each.
        self._pivots[number] += [start + int(np.flatnonzero(row)[0]) for row in coefficients[rank:]]
        self._notes.columns[number].append(len(question.rounding))
        self._coefficients[number].append(coefficients)
        self._rounding[number].append(question.rounding)

    def _number(self, fields: Fields) -> int:
        number = self._notes.number(fields)
        if number == len(self._pivots):
            self._pivots.append([])
            self._coefficients.append([])
            self._rounding.append([])
        return number

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

    def __init__(self, tolerance: float) -> None:
        super().__init__(tolerance)
        self._vectors: dict[int, Table] = {}

    def _found(self, question: Question) -> Any:
        """Return no coefficients, but keep the vectors; and no response."""
        match question:
            case Expansion(fields=fields, vectors=vectors):
                self._vectors.setdefault(self._number(fields), fields.basis.alike()).append(vectors)
                return np.zeros((0, len(vectors))), vectors[:0]
            case Response():
                return np.zeros_like(question.measured())
        return question.measured()

    def _overlaps(self, factors: list[Averages]) -> list[Averages]:
        return [
            arrays.gram(self._vectors[i].rows) if i in self._vectors else factor.T @ factor
            for i, factor in enumerate(factors)
        ]


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
