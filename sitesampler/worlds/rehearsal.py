"""Rehearsals: a program run once with a handful of sites, to learn what it says before any work starts.

Every group has another, odd number of sites, so that a vector of one group in the place of another's shows by its
shape; in the single-site world all groups have the same population, and it would not.  What a program draws,
multiplies and records is written into a `Plan`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from sitesampler.errors import NotFinite, OutOfMemory, ProgramError, SiteSamplerError, did_you_mean, raised_line
from sitesampler.language.groups import Group
from sitesampler.language.network import Network
from sitesampler.language.script import Plan, Script
from sitesampler.physics.matrix import Matrix
from sitesampler.physics.tensor import spins
from sitesampler.records.recorder import Recorder
from sitesampler.vectors.table import Rows
from sitesampler.vectors.threads import Lanes
from sitesampler.worlds.finite import FiniteNetwork

#: Sizes of the groups of a rehearsal: primes, too odd for a number of inputs, and large enough for the overlap matrix
#: of many inputs to be invertible.
_SIZES = (211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317)

Program = Callable[..., None]


def run_program(program: Program, net: Any, parameters: dict[str, Any]) -> None:
    """Run a program in a world; name its line when NumPy refuses something there.

    Raises
    ------
    ProgramError
        For an error of the program's own.
    """
    filename = _filename(program)
    try:
        with np.errstate(all="ignore"):
            returned: Any = program(net, **parameters)  # type: ignore[func-returns-value]
        if inspect.isgenerator(returned):
            raise ProgramError("the program contains yield, so that nothing of it runs; it speaks to net and returns")
        net.script.finish()
    except SiteSamplerError:
        raise
    except MemoryError as error:
        raise OutOfMemory(f"{raised_line(error.__traceback__, filename)}: {error}") from error
    except Exception as error:
        where = raised_line(error.__traceback__, filename)
        if isinstance(error, AttributeError) and error.obj is net and error.name:
            words = [word for word in dir(Network) if not word.startswith("_")]
            raise ProgramError(f"{where}: net has no word {error.name!r}{did_you_mean(error.name, words)}") from None
        raise ProgramError(f"{where}: {type(error).__name__}: {error}") from error


def _filename(program: Any) -> str:
    """Return the file that a program stands in, for functions, methods, partial ones and callable objects."""
    program = inspect.unwrap(getattr(program, "func", program))
    made = program if hasattr(program, "__code__") else getattr(type(program), "__call__", None)  # noqa: B004
    code = getattr(made, "__code__", None)
    return code.co_filename if code is not None else ""


def rehearse(program: Program, parameters: dict[str, Any], every: int = 1) -> Plan:
    """Run a program with a handful of sites and return what it said.

    Parameters
    ----------
    program : callable
        The site program.
    parameters : dict
        Its keyword parameters.
    every : int
        Thinning of the records.

    Raises
    ------
    ProgramError
        If the program says something that cannot be meant.
    """
    plan = Plan()
    run_program(program, _Rehearsal(plan, every), parameters)
    return plan


class _Rehearsal(FiniteNetwork):
    """A finite network whose groups all differ in size, and which counts what the program asks for."""

    def __init__(self, plan: Plan, every: int) -> None:
        recorder = Recorder(plan, every, rehearsing=True)
        script = Script(plan, rehearsing=True)
        seed = np.random.SeedSequence(0)
        super().__init__(script, recorder, 200, seed, True, 1e-3, np.dtype(float), Lanes(), self._count_step)
        self.has_twins = False
        self._names: set[tuple[str, str | None]] = set()

    def _count_field(self, group: Group) -> None:
        self.plan.fields[group.name] = self.plan.fields.get(group.name, 0) + 1

    def _count_step(self) -> None:
        self.plan.steps += 1

    def _group(self, ratio: float, name: str) -> Group:
        used = len(self.groups)
        sites = _SIZES[used] if used < len(_SIZES) else _SIZES[-1] + 2 * (used - len(_SIZES) + 1)
        self.plan.ratios.append(ratio)
        for counts in (self.plan.draws, self.plan.products, self.plan.updates):
            counts.append(0)
        group = super()._group(sites / self.size, name)
        group.draws = _CountingDraws(group.draws, self.plan.draws, used)  # type: ignore[assignment]
        return group

    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Any:
        matrix = super()._matrix(rows, cols, gain, symmetry)
        sides = (self.groups.index(rows), self.groups.index(cols))
        return _CountingMatrix(matrix, self.plan.products, sides)

    def _tensor(self, group: Group, order: int) -> Any:
        self.plan.tensors += 1
        self._count_field(group)
        return _SurrogateTensor(self, group, order)

    def perturbed(self, group: Group, k: int | None, name: str | None, wanted: bool) -> Rows:
        if (group.name, name) not in self._names:
            self._names.add((group.name, name))
            self.plan.sources += 1
            self._count_field(group)
        if wanted:
            self.plan.draws[self.groups.index(group)] += k or 1
        return super().perturbed(group, k, name, wanted)

    def absorb(self, matrix: Any, left: Rows, right: Rows, strength: float) -> bool:
        for rows in (left, right):
            index = next(i for i, group in enumerate(self.groups) if group.rows == rows.shape[1])
            self.plan.updates[index] += len(rows)
        return super().absorb(matrix.matrix, left, right, strength)

    def absorb_matrix(self, matrix: Any, other: Any, strength: float) -> bool:
        return super().absorb_matrix(matrix.matrix, other.matrix, strength)

    def check_finite(self, rows: Rows, word: str) -> None:
        """Refuse only what no run can mend: a tiny network may diverge where the real one does not."""
        if not self._loops:
            try:
                super().check_finite(rows, word)
            except NotFinite as error:
                raise ProgramError(str(error)) from None


class _CountingDraws:
    """Draws that count what the program itself draws."""

    def __init__(self, draws: Any, counts: list[int], index: int) -> None:
        self._draws, self._counts, self._index = draws, counts, index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._draws, name)

    def normal(self, count: int) -> Rows:
        self._counts[self._index] += count
        return self._draws.normal(count)

    def uniform(self, count: int) -> Rows:
        self._counts[self._index] += count
        return self._draws.uniform(count)


class _CountingMatrix:
    """A small real matrix that counts the vectors it is multiplied with."""

    def __init__(self, matrix: Matrix, products: list[int], sides: tuple[int, int]) -> None:
        self.matrix, self._products, self._sides = matrix, products, sides

    def times(self, vectors: Rows, rounding: Any) -> Rows:
        self._products[self._sides[1]] += len(vectors)
        return self.matrix.times(vectors, rounding)

    def transposed_times(self, vectors: Rows, rounding: Any) -> Rows:
        self._products[self._sides[0]] += len(vectors)
        return self.matrix.transposed_times(vectors, rounding)

    def scale(self, factor: float) -> None:
        self.matrix.scale(factor)

    def eigenvalues(self, updates: Any, vectors: Rows) -> Any:
        return self.matrix.eigenvalues(updates, vectors)

    def singular_values(self, updates: Any, left: Rows, right: Rows) -> Any:
        return self.matrix.singular_values(updates, left, right)


class _SurrogateTensor:
    """Noise with the variance of a p-spin force: a rehearsal needs its size, not its correlations."""

    def __init__(self, net: _Rehearsal, group: Group, order: int) -> None:
        self.net, self.group, self.order = net, group, order

    def force(self, s: Any) -> Rows:
        self.net.note("force", self.group.name)
        self.net.innermost_loop("a source or a force")
        row = spins(self.net, self.group, s)[0]
        self.net.plan.products[self.net.groups.index(self.group)] += 1
        strength = np.sqrt(self.order * np.mean(row * row) ** (self.order - 1))
        return strength * self.group.draws.raw(1)[0]
