"""Estimates: what one iteration knows of the order parameters, free of any basis, and how it becomes fields again.

An iteration runs with the order parameters of the one before and measures new ones.  Both are held here as what DMFT
writes down: the overlaps ``<x_k x_l>`` of the vectors that the matrices were multiplied with, and the memory kernels
R_kl, the response of x_k to the field made of x_l.  Their averages over chunks, iterations and replicas mean what they
say.  `factorised` turns them into the coefficients that a chunk needs: a rank-revealing factor of the overlaps, and the
memory in that basis.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sitesampler.errors import InputError

Array = NDArray[np.float64]

#: Remainders below this, relative to the squared norm of a vector, are rounding of the overlaps themselves.
_ROUNDING = 1e-13
#: Overlaps may exceed what Schwarz's inequality allows by this part: estimates have errors.
_SCHWARZ = 1e-6


@dataclass(frozen=True)
class Structure:
    """In which order a program asked for its order parameters: the same in every run of it.

    Attributes
    ----------
    columns : list of lists of ints
        For each direction of each matrix, how many vectors each product had.
    known : dict
        For a pair ``"i,j"`` of directions, how many vectors of j had been multiplied at each product of i: only the
        fields made of those can be in the vectors of that product.
    shapes : list of lists of ints
        Shapes of all other averages.
    kept : list of bools
        Which times of tensor couplings make a field of their own.
    """

    columns: list[list[int]]
    known: dict[str, list[int]]
    shapes: list[list[int]]
    kept: list[bool]

    def check(self, values: int) -> None:
        """Raise ValueError unless this is the structure of at most so many order parameters."""

        def counts(found: object, least: int = 0) -> bool:
            return isinstance(found, list) and all(type(n) is int and least <= n <= values for n in found)

        tables = (self.columns, self.shapes)
        if not all(isinstance(table, list) and all(map(counts, table)) for table in tables):
            raise ValueError
        if not isinstance(self.known, dict) or not all(map(counts, self.known.values())):
            raise ValueError
        if not isinstance(self.kept, list) or not all(type(kept) is bool for kept in self.kept):
            raise ValueError
        sizes = self.sizes()
        for (i, j), known in zip(self.pairs(), self.known.values(), strict=True):
            if not (0 <= i < len(sizes) and 0 <= j < len(sizes)) or len(known) != len(self.columns[i]):
                raise ValueError
            if any(n > sizes[j] for n in known):
                raise ValueError

    def sizes(self) -> list[int]:
        """Return how many vectors each direction was multiplied with."""
        return [sum(columns) for columns in self.columns]

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs (i, j) of directions where vectors of i respond to fields of j."""
        return [(int(i), int(j)) for i, j in (key.split(",") for key in self.known)]

    def known_vectors(self, i: int, j: int) -> NDArray[np.intp]:
        """Return how many vectors of j were known, for each vector of i."""
        return np.repeat(np.asarray(self.known[f"{i},{j}"], int), self.columns[i])


@dataclass(frozen=True)
class Estimates:
    """Order parameters of a program, as averages over a population.

    Attributes
    ----------
    structure : Structure
    overlaps : list of (n, n) arrays
        For each direction of each matrix, ``<x_k x_l>`` of the vectors multiplied, in program order.
    rounding : list of (n,) arrays
        Squared norm of the rounding in each vector (differences of perturbed twins have some).
    responses : dict
        For a pair (i, j), the memory kernel (n_j, n_i) of vector k of i for the field, of unit gain, made of vector l
        of j; zero but for vectors l that made a basis, because what is in their span has no kernel of its own.
    averages : list of arrays
        All other averages, in the order in which the program needs them.
    spans : tuple of lists of arrays
        For each time that outliers are asked for, stand-ins for all vectors involved, with their overlaps.  They are
        those of the march that an iteration starts from and are not measured anew: a basis, its images and the fields
        that they make must be of one and the same sample, where the smallest directions count as much as the largest.
    """

    structure: Structure
    overlaps: list[Array]
    rounding: list[Array]
    responses: dict[tuple[int, int], Array]
    averages: list[Array]
    spans: tuple[list[Array], ...] = ()

    @property
    def has_memory(self) -> bool:
        """Whether any vector responds to the fields."""
        return any(responses.any() for responses in self.responses.values())

    def arrays(self) -> list[Array]:
        """Return everything that is estimated, in a fixed order."""
        return [*self.overlaps, *self.rounding, *self.responses.values(), *self.averages]

    def mixed(self, other: Estimates, share: float) -> Estimates:
        """Return these estimates moved by a share of the way to others, of the same structure."""
        self._check(other.structure)
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return self._rebuilt([old + share * (new - old) for old, new in pairs])

    def flat(self) -> Array:
        """Return all numbers as one vector."""
        return np.concatenate([np.zeros(0), *(array.ravel() for array in self.arrays())])

    def description(self) -> str:
        """Return the structure as JSON, from which `unflattened` rebuilds the estimates."""
        return json.dumps(asdict(self.structure))

    def impossible(self) -> str | None:
        """Return in words what no population has: negative squares, overlaps beyond Schwarz's inequality; or None."""
        for i, (overlaps, rounding) in enumerate(zip(self.overlaps, self.rounding, strict=True)):
            squares = np.diag(overlaps)
            slack = _SCHWARZ * max(float(np.max(np.abs(squares), initial=0.0)), 1e-300)
            if np.any(squares < -slack) or np.any(rounding < 0):
                return f"a square of direction {i} is negative"
            norms = np.sqrt(np.maximum(squares, 0.0))
            if np.any(np.abs(overlaps) > np.outer(norms, norms) * (1 + _SCHWARZ) + slack):
                return f"an overlap of direction {i} exceeds the product of its norms"
        return None

    def _check(self, structure: Structure) -> None:
        if structure != self.structure:
            raise InputError(
                "the order parameters to start from are those of another program, or of another number of steps, "
                "inputs or layers; start from a result of the same program with parameters that leave these as they are"
            )

    def _rebuilt(self, arrays: list[Array]) -> Estimates:
        n, pairs = len(self.overlaps), list(self.responses)
        return Estimates(
            self.structure,
            arrays[:n],
            arrays[n : 2 * n],
            dict(zip(pairs, arrays[2 * n : 2 * n + len(pairs)], strict=True)),
            arrays[2 * n + len(pairs) :],
            self.spans,
        )


def mean_of(estimates: Sequence[Estimates]) -> Estimates:
    """Return the average of estimates of independent replicas."""
    mean = estimates[0]
    for count, other in enumerate(estimates[1:], start=2):
        mean = mean.mixed(other, 1 / count)
    return mean


def unflattened(values: Array, description: str) -> Estimates:
    """Undo `Estimates.flat`.

    Raises
    ------
    InputError
        If the numbers are not those of the description.
    """
    try:
        structure = Structure(**json.loads(description))
        structure.check(len(values))
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        raise InputError(
            "the structure of the order parameters to start from is damaged; take another result"
        ) from None
    sizes = structure.sizes()
    shapes: list[tuple[int, ...]] = [(n, n) for n in sizes] + [(n,) for n in sizes]
    shapes += [(sizes[j], sizes[i]) for i, j in structure.pairs()] + [tuple(shape) for shape in structure.shapes]
    counts = [math.prod(shape) for shape in shapes]
    if sum(counts) != len(values):
        raise InputError(f"{len(values)} order parameters were stored where {sum(counts)} belong")
    parts = np.split(np.asarray(values, float), np.cumsum(counts)[:-1]) if counts else []
    arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    empty = Estimates(structure, [np.zeros((0, 0))] * len(sizes), [], dict.fromkeys(structure.pairs(), np.zeros(0)), [])
    return empty._rebuilt(arrays)


@dataclass(frozen=True)
class Coefficients:
    """Frozen order parameters, ready to be used by a chunk.

    Attributes
    ----------
    structure : Structure
    basis : list of (rank, n) arrays
        ``<q_i x_k>`` in an orthonormal basis of the vectors of each direction.
    pivots : list of lists of ints
        The vectors that made the basis vectors.
    memory : dict
        For a pair (i, j), ``<z_m x_k>`` with the normals behind direction j, (rank_j, n_i).
    averages : list of arrays
    spans : tuple of lists of arrays
        See `Estimates`.
    """

    structure: Structure
    basis: list[Array]
    pivots: list[list[int]]
    memory: dict[tuple[int, int], Array]
    averages: list[Array]
    spans: tuple[list[Array], ...] = ()

    def rank(self, direction: int, vectors: int) -> int:
        """Return the rank of the first so many vectors of a direction."""
        return int(np.searchsorted(self.pivots[direction], vectors))

    def normals_known(self, i: int, j: int) -> NDArray[np.bool_]:
        """Say which normals of direction j can be in each vector of i, (rank_j, n_i)."""
        ranks = np.searchsorted(self.pivots[j], self.structure.known_vectors(i, j))
        return np.arange(len(self.pivots[j]))[:, None] < ranks

    def expected(self, estimates: Estimates) -> list[Array]:
        """Return what chunks that run with these coefficients measure if the order parameters reproduce themselves."""
        memory = [np.where(self.normals_known(i, j), self.memory[i, j], 0.0) for i, j in self.memory]
        return [*estimates.overlaps, *estimates.rounding, *memory, *estimates.averages]

    def measured(self, arrays: list[Array]) -> Estimates:
        """Return what chunks have measured, as `expected` orders it, as estimates."""
        n, pairs = len(self.basis), list(self.memory)
        responses = {
            (i, j): kernel(self.basis[j], self.pivots[j], memory)
            for (i, j), memory in zip(pairs, arrays[2 * n : 2 * n + len(pairs)], strict=True)
        }
        return Estimates(
            self.structure, arrays[:n], arrays[n : 2 * n], responses, arrays[2 * n + len(pairs) :], self.spans
        )


def kernel(basis: Array, pivots: list[int], memory: Array) -> Array:
    """Return the memory kernel, (n_j, n_i), of averages ``<z_m x_k>`` with the normals behind a direction.

    By Stein's lemma ``<z_m x_k>`` is the sum over l of R_kl times the part ``<q_m x_l>`` of z_m in field l.
    """
    out = np.zeros((basis.shape[1], memory.shape[1]))
    if len(memory):
        out[pivots[: len(memory)]] = solve_triangular(basis[: len(memory), pivots[: len(memory)]], memory)
    return out


def factorised(estimates: Estimates, tolerance: float) -> Coefficients:
    """Turn estimates into coefficients: an orthonormal basis from the overlaps, and memory in it from the kernels.

    A vector becomes a basis vector where it leaves the span of the earlier ones by more than the tolerance, as in a
    march.
    """
    basis, pivots, memory = [], [], {}
    for overlaps, rounding in zip(estimates.overlaps, estimates.rounding, strict=True):
        squares = np.diag(overlaps)
        factor, chosen = _rank_revealing(overlaps, np.maximum(np.maximum(tolerance**2, _ROUNDING) * squares, rounding))
        basis.append(factor)
        pivots.append(chosen)
    for (i, j), responses in estimates.responses.items():
        memory[i, j] = _projected(estimates.overlaps[j], pivots[j], responses)
    return Coefficients(estimates.structure, basis, pivots, memory, estimates.averages, estimates.spans)


def _projected(overlaps: Array, pivots: list[int], responses: Array) -> Array:
    """Return the memory sum_l R_kl x_l as coefficients of the basis that the pivots make: its projection on them.

    The kernel may stand on other vectors, which made the basis when it was measured.  What they have outside of this
    basis is small, but their kernels are large: expanding them would leave something of either.
    """
    if not pivots:
        return np.zeros((0, responses.shape[1]))
    involved = sorted({*pivots, *np.flatnonzero(responses.any(1)).tolist()})
    values, vectors = np.linalg.eigh(overlaps[np.ix_(involved, involved)])
    coordinates = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    directions, triangle = np.linalg.qr(coordinates[:, np.searchsorted(involved, pivots)])
    return (directions * np.sign(np.diag(triangle))).T @ (coordinates @ responses[involved])


def _rank_revealing(overlaps: Array, smallest: Array) -> tuple[Array, list[int]]:
    """Return the upper triangular factor A, (rank, n), of overlaps = A^T A, and the columns that added to its rank."""
    n = len(overlaps)
    lower = np.zeros((min(n, 64), min(n, 64)))
    chosen: list[int] = []
    columns = np.zeros((n, n))
    for k in range(n):
        rank = len(chosen)
        column = overlaps[chosen, k]
        if rank:
            column = solve_triangular(lower[:rank, :rank], column, lower=True, check_finite=False)
        columns[k, :rank] = column
        rest = overlaps[k, k] - column @ column
        if rest > smallest[k]:
            if rank == len(lower):
                lower = np.pad(lower, (0, min(n, 2 * rank) - rank))
            lower[rank, :rank], lower[rank, rank] = column, np.sqrt(rest)
            columns[k, rank] = np.sqrt(rest)
            chosen.append(k)
    return np.ascontiguousarray(columns[:, : len(chosen)].T), chosen
