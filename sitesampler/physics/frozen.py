"""Order parameters that are frozen while an iteration runs, and measured anew for the next one.

They answer from the iteration before, so that a chunk of samples needs nothing from other chunks; a `Tally` is what
chunks have measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sitesampler.errors import InputError
from sitesampler.physics.estimates import Coefficients
from sitesampler.physics.order import (
    Average,
    Expansion,
    Fields,
    Memory,
    OrderParameters,
    Question,
    Representatives,
    Worth,
)
from sitesampler.physics.written import Notes
from sitesampler.vectors.arrays import Averages, Rows, gram, products
from sitesampler.vectors.gram_schmidt import extended
from sitesampler.vectors.table import Table

_UNFIT = (
    "the order parameters to start from do not fit this program: it {}; start from a result of the same program with "
    "parameters that leave its steps, inputs and layers as they are"
)


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


def extrapolated(whole: Tally, smaller: Tally, times_smaller: int) -> Tally:
    """Return what chunks of any size would measure on average, from those that were and ``times_smaller`` smaller ones.

    Draws that are matched within a chunk shift what it measures by order 1/chunk, which a larger population does not
    remove.
    """
    more, less = times_smaller / (times_smaller - 1), 1 / (times_smaller - 1)
    arrays = [more * a - less * b for a, b in zip(whole.arrays, smaller.arrays, strict=True)]
    # As if the chunks themselves scattered by so much that the error of their average is the one of the difference.
    ratio = whole.weight * max(whole.chunks - 1, 1) / (smaller.weight * max(smaller.chunks - 1, 1))
    return Tally(whole.weight, whole.chunks, arrays, more**2 * whole.scatter + less**2 * ratio * smaller.scatter)


class FrozenOrderParameters(OrderParameters):
    """Order parameters that do not depend on the samples that run with them.

    Parameters
    ----------
    coefficients : Coefficients
        Of the iteration before.
    """

    def __init__(self, coefficients: Coefficients) -> None:
        super().__init__(tolerance=0.0)  # the structure of the iteration has settled what is kept
        self._frozen = coefficients
        self._notes = Notes()
        self._fields: list[Fields] = []
        self._vectors: list[Table] = []
        self._rounding: list[list[Averages]] = []
        self._averages: list[Averages] = []
        self._asked = 0

    def answer(self, question: Question) -> Any:
        """Return what the iteration before has found, and measure it anew."""
        match question:
            case Expansion():
                return self._expansion(question)
            case Memory():
                return self._memory(question)
            case Average():
                return self._average(question.measured())
            case Worth():
                return self._worth()
            case Representatives():  # of the march that the iteration started from, see `Estimates.spans`
                self._asked += 1
                return list(self._frozen.spans[self._asked - 1])
        raise TypeError(f"frozen order parameters know no {type(question).__name__}")

    def _number(self, fields: Fields) -> int:
        number = self._notes.number(fields)
        if number == len(self._fields):
            if number >= len(self._frozen.basis):
                raise InputError(_UNFIT.format("multiplies more matrices"))
            self._fields.append(fields)
            self._vectors.append(fields.basis.alike(self._frozen.basis[number].shape[1]))
            self._rounding.append([])
        return number

    def _expansion(self, question: Expansion) -> tuple[Averages, Rows]:
        """Return frozen coefficients, and the basis vectors that follow from them."""
        number, vectors = self._number(question.fields), question.vectors
        start, stop = len(self._vectors[number]), len(self._vectors[number]) + len(vectors)
        if stop > self._frozen.basis[number].shape[1]:
            raise InputError(_UNFIT.format("multiplies a matrix more often"))
        self._vectors[number].append(vectors)
        self._notes.columns[number].append(len(vectors))
        self._rounding[number].append(question.rounding)
        before, after = self._frozen.rank(number, start), self._frozen.rank(number, stop)
        coefficients = self._frozen.basis[number][:after, start:stop]
        made = np.array(self._frozen.pivots[number][before:after], int) - start
        return coefficients, extended(question.fields.basis, vectors, coefficients, made)

    def _memory(self, question: Memory) -> Averages:
        """Return the frozen averages with the normals; new ones are measured at the end."""
        i, j = self._number(question.by), self._number(question.source)
        self._notes.response(i, j)
        start, count = len(self._vectors[i]), len(question.vectors)
        memory = self._frozen.memory.get((i, j))
        if memory is None:
            raise InputError(_UNFIT.format("multiplies its matrices in another order"))
        if start + count > memory.shape[1]:
            raise InputError(_UNFIT.format("multiplies a matrix more often"))
        rank = self._frozen.rank(j, len(self._vectors[j]))
        return memory[:rank, start : start + count]

    def _average(self, measured: Averages) -> Any:
        number = len(self._averages)
        frozen = self._frozen.averages[number] if number < len(self._frozen.averages) else None
        if frozen is None or np.shape(frozen) != np.shape(measured):
            raise InputError(_UNFIT.format("takes other averages"))
        self._averages.append(np.array(measured, float))
        self._notes.shapes.append(list(np.shape(measured)))
        return frozen.copy() if frozen.ndim else frozen[()]

    def _worth(self) -> bool:
        """Return what the start of the iteration has decided."""
        kept = self._frozen.structure.kept
        if len(self._notes.kept) == len(kept):
            raise InputError(_UNFIT.format("makes more forces of tensor couplings"))
        self._notes.kept.append(kept[len(self._notes.kept)])
        return self._notes.kept[-1]

    def tally(self, size: int) -> Tally:
        """Return what this chunk of ``size`` samples has measured.

        Raises
        ------
        InputError
            If the program asked for other order parameters than those that it was given.
        """
        if self._notes.structure() != self._frozen.structure:
            raise InputError(_UNFIT.format("ends earlier"))
        tables = [table.rows for table in self._vectors]
        arrays = [gram(rows) for rows in tables]
        arrays += [np.concatenate([np.zeros(0), *parts]) for parts in self._rounding]
        for i, j in self._frozen.memory:
            measured = products(self._fields[j].images.rows, tables[i])
            arrays.append(np.where(self._frozen.normals_known(i, j), measured, 0.0))
        arrays += self._averages
        return Tally(float(size), 1, arrays, np.zeros(len(arrays)))
