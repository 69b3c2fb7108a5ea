"""The vocabulary of a site program, and what all worlds share: loops, sources, records.

A program speaks to a `Network`.  The worlds behind it differ in how many sites a group has, in its draws, and in what
a coupling is: ``ensemble.py`` (N = infinity) and ``finite.py``.  Groups of sites are in ``groups.py``, the physics of
products is in ``matrix.py`` and ``tensor.py``, and what becomes of the records in ``records.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.errors import NotFinite, ProgramError, program_line, shown
from sitesampler.language.coupling import Coupling
from sitesampler.language.groups import Group, check_columns, check_number
from sitesampler.language.script import Script
from sitesampler.physics.matrix import Matrix
from sitesampler.physics.order import OrderParameters
from sitesampler.records.recorder import Recorder
from sitesampler.records.responses import SourceProbe
from sitesampler.records.variable import FORCE, Position
from sitesampler.vectors.table import Rows

#: Significant digits to which times are rounded, so that ``sel(time=50)`` finds the 50 that 1000 steps of 0.05 reach.
_TIME_DIGITS = 12
#: Dimensions of results, which no group can be called.
_DIMENSIONS = ("time", "time_", "layer", "layer_", "input", "input_")


@dataclass
class _Loop:
    kind: str
    values: Sequence[float]
    dt: float | None
    index: int = 0


class Network(ABC):
    """What a site program speaks to: the same words in a finite network and at N = infinity.

    Parameters
    ----------
    script : Script
        The words of the program, as its rehearsal has shown them.
    recorder : Recorder
        Where records go.
    dtype : numpy.dtype
        Precision of the site vectors.
    order : OrderParameters
        Where averages over sites come from.
    on_step : callable, optional
        Called at every step of a loop.
    """

    def __init__(
        self,
        script: Script,
        recorder: Recorder,
        dtype: np.dtype,
        order: OrderParameters,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        self.script, self.plan = script, script.plan
        self.recorder, self.dtype, self.order = recorder, dtype, order
        self.groups: list[Group] = []
        #: Whether site vectors carry a second copy of their rows, the perturbed twins, for the responses.
        self.has_twins = self.plan.sources > 0
        #: Size of a source: small enough to be linear, large enough that rounding in the difference does not show.
        self.perturbation = 1e-6 if dtype == np.float64 else 1e-3
        self._loops: list[_Loop] = []
        self._finished: _Loop | None = None
        self._on_step = on_step
        self._sources: dict[tuple[str, str | None], SourceProbe] = {}

    # ------------------------------------------------------------------------------------------- groups and couplings
    def sites(self, ratio: float = 1.0, name: str = "site") -> Group:
        """Return a group of sites whose size is ``ratio`` times N; ``name`` is the dimension of its trajectories.

        Raises
        ------
        ProgramError
            If the ratio is not positive.
        """
        check_number(ratio, "the ratio of a group to N")
        if not isinstance(name, str) or not name.isidentifier() or name in _DIMENSIONS:
            raise ProgramError(f"{program_line()}: {name!r} cannot be the name of a group; give it one like 'neuron'")
        if not (np.isfinite(ratio) and ratio > 0):
            raise ProgramError(f"{program_line()}: the ratio of a group to N must be positive, not {ratio}")
        taken = [group.name for group in self.groups]
        name = name if name not in taken else f"{name}{len(taken) + 1}"
        self.note("sites", name, float(ratio))
        group = self._group(float(ratio), name)
        self.groups.append(group)
        return group

    def coupling(
        self, rows: Group, cols: Group | None = None, gain: float = 1.0, symmetry: float | None = None
    ) -> Coupling:
        """Return a Gaussian random matrix with entries of variance gain^2/N.

        Parameters
        ----------
        rows, cols : Group
            The groups it maps to and from; one group for a square matrix.
        gain : float
        symmetry : float, optional
            Correlation of J_ij and J_ji of a square matrix: 0 independent (the default), 1 symmetric (GOE), -1
            antisymmetric, or anything between.

        Raises
        ------
        ProgramError
            If ``symmetry`` is not in [-1, 1], or is given for a matrix between two groups.
        """
        cols = rows if cols is None else cols
        for group in (rows, cols):
            self._check_group(group, "a coupling")
        check_number(gain, "the gain of a coupling")
        if symmetry is not None:
            check_number(symmetry, "the symmetry of a coupling")
        if not np.isfinite(gain):
            raise ProgramError(f"{program_line()}: the gain of a coupling must be finite, not {gain}")
        if symmetry is not None and not -1 <= symmetry <= 1:
            raise ProgramError(f"{program_line()}: the symmetry of a coupling lies between -1 and 1, not at {symmetry}")
        if symmetry is not None and rows is not cols:
            raise ProgramError(f"{program_line()}: only a coupling of one group with itself has a symmetry")
        self.note("coupling", rows.name, cols.name, symmetry is None)
        return Coupling(self, rows, cols, self._matrix(rows, cols, float(gain), float(symmetry or 0.0)), float(gain))

    def tensor_coupling(self, group: Group, order: int) -> Any:
        """Return the fully connected p-spin coupling with p = ``order``, eq. (1): ``K.force(s)`` is -dH/ds.

        Raises
        ------
        ProgramError
            If ``order`` is not an integer of at least 2.
        """
        self._check_group(group, "a tensor coupling")
        check_number(order, "the order of a tensor coupling")
        if not np.isfinite(order) or int(order) != order or order < 2:
            raise ProgramError(f"{program_line()}: the order of a tensor coupling is an integer above 1, not {order}")
        self.note("tensor_coupling", group.name, int(order))
        return self._tensor(group, int(order))

    # ------------------------------------------------------------------------------------------------------- averages
    def mean(self, x: ArrayLike) -> Any:
        """Return the average of a site vector over its sites: a number, or one per inner column."""
        array = self._site_vector(x, "mean")
        self.note("mean", np.shape(array)[1:])
        base = array[: self._base(array)]
        return self.order.mean(base)

    def overlap(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Return the average over sites of the product of two vectors of one group.

        Returns
        -------
        float, (k,) array or (k, l) array
            One number for each pair of inner columns.

        Raises
        ------
        ProgramError
            If the vectors are not of one group.
        """
        left, right = self._site_vector(x, "overlap"), self._site_vector(y, "overlap")
        if len(left) != len(right):
            raise ProgramError(f"{program_line()}: an overlap needs two vectors of one group")
        self.note("overlap", left.shape[1:], right.shape[1:])
        base = self._base(left)
        rows = [np.atleast_2d(v[:base].T) for v in (left, right)]
        products = self.order.average(*rows)
        return products.reshape(left.shape[1:] + right.shape[1:])[()]

    # ---------------------------------------------------------------------------------------------------------- loops
    def clock(self, duration: float, dt: float) -> Iterator[float]:
        """Loop over the times 0, dt, ..., duration: duration/dt + 1 of them.

        Raises
        ------
        ProgramError
            If dt is not positive, or the duration is not a whole number of steps.
        """
        check_number(duration, "the duration of a clock")
        check_number(dt, "the time step of a clock")
        if not (dt > 0 and np.isfinite(dt) and np.isfinite(duration) and duration >= 0):
            raise ProgramError(
                f"{program_line()}: a clock needs a finite duration >= 0 and a finite dt > 0, not {duration} and {dt}"
            )
        steps = round(duration / dt)
        if abs(steps * dt - duration) > 1e-6 * dt:
            raise ProgramError(f"{program_line()}: the duration {duration} is not a whole number of steps of {dt}")
        times = [float(f"{n * dt:.{_TIME_DIGITS}g}") for n in range(steps + 1)]
        return self._run(_Loop("clock", times, float(dt)))

    def steps(self, n: int) -> Iterator[int]:
        """Loop over the steps 0, ..., n - 1."""
        return self._run(_Loop("steps", range(self._count(n, "steps")), None))

    def layers(self, L: int) -> Iterator[int]:
        """Loop over the layers 1, ..., L; what is recorded in it has the dimension ``layer``."""
        return self._run(_Loop("layers", range(1, self._count(L, "layers") + 1), None))

    def _count(self, n: float, word: str) -> int:
        check_number(n, f"the number of {word}")
        if not np.isfinite(n) or int(n) != n or n < 0:
            raise ProgramError(f"{program_line()}: the number of {word} must be an integer of at least 0, not {n}")
        return int(n)

    def _run(self, loop: _Loop) -> Iterator[Any]:
        self.note(loop.kind, len(loop.values))
        self._loops.append(loop)
        try:
            for index, value in enumerate(loop.values):
                loop.index = index
                self.recorder.place = f"{'layer' if loop.kind == 'layers' else 'time'} {value}"
                yield value
                if self._on_step is not None:
                    self._on_step()
            loop.index = len(loop.values)
        finally:  # the program may leave its loop early
            self._loops.remove(loop)
            self._finished = loop

    # ---------------------------------------------------------------------------------------------- sources, records
    def source(
        self, group: Group, k: int | None = None, name: str | None = None, at: ArrayLike | None = None
    ) -> NDArray[np.floating]:
        """Return zeros, to be added where an external field would act; recorded vectors then carry their response.

        The response is the difference of perturbed twins: that of a vector with jumps in what the source acts on, such
        as the derivative of a relu, is not caught by it.

        Parameters
        ----------
        group : Group
            Where the field acts.
        k : int, optional
            Number of inner columns.
        name : str, optional
            Needed where several act on one group: the responses are R_h_<name>.  Sources of different groups may share
            a name.
        at : float or list of floats, optional
            Times of the loop at which to perturb; all recorded ones by default.  In a chaotic system the noise of the
            perturbations grows, so ask only for the times you need.

        Returns
        -------
        (sites,) or (sites, k) array
            In a ``clock`` loop the response is per unit time (divide by dt), in ``steps`` raw.
        """
        self._check_group(group, "a source")
        check_columns(k)
        if name is not None and not (isinstance(name, str) and name.isidentifier()):
            raise ProgramError(f"{program_line()}: {name!r} cannot be the name of a source; give it one like 'input'")
        self.note("source", group.name, k, name)
        if name is None and self.plan.fields.get(group.name, 0) > 1:
            raise ProgramError(f"{program_line()}: several sources act on {group.name!r}; give each a name=")
        time = self.time
        if at is None:
            wanted = self.index % self.recorder.every == 0
        else:
            times = self.innermost_loop("a source").values
            for moment in np.ravel(at):
                check_number(moment, "a time of at=")
                if not np.any(np.isclose(times, moment)):
                    raise ProgramError(f"{program_line()}: at={moment} is not a time of the loop around the source")
            wanted = bool(np.any(np.isclose(at, time)))
        full = self.perturbed(group, k, name, wanted)
        return full[0] if k is None else full.T

    @property
    def time(self) -> float:
        """Time, step or layer of the innermost loop."""
        return self.innermost_loop("a source or a force").values[self.index]

    @property
    def index(self) -> int:
        """Number of the step of the innermost loop, from 0."""
        return self.innermost_loop("a source or a force").index

    @property
    def step(self) -> float | None:
        """Time step of the innermost loop, if it is a clock."""
        return self.innermost_loop("a source or a force").dt

    def _check_group(self, group: Any, word: str) -> None:
        if not isinstance(group, Group) or group.net is not self:
            raise ProgramError(f"{program_line()}: {word} needs groups made by net.sites, not {shown(group)}")

    def close(self) -> None:
        """Let go of everything, after the last look at the records.

        Groups and records know the network: such a circle would keep the tables of all samples until Python looks for
        it, long after other runs have begun.
        """
        vars(self).clear()

    def innermost_loop(self, word: str) -> _Loop:
        """Return the innermost running loop; refuse a word that stands outside of all."""
        if not self._loops:
            raise ProgramError(f"{program_line()}: {word} belongs inside a loop over net.clock or net.steps")
        return self._loops[-1]

    def perturbed(self, group: Group, k: int | None, name: str | None, wanted: bool) -> Rows:
        """Return a perturbation of the twins alone, (k, rows), and let the records be correlated with it."""
        full = np.zeros((k or 1, group.rows), self.dtype)
        if group.rows == group.size or not wanted:
            return full
        probe = self._sources.get((group.name, name))
        if probe is None:
            probe = SourceProbe(group.draws.history(), self.label(group, name), self.step, k)
            self._sources[group.name, name] = probe
            self.recorder.add_probe(group.name, probe)
        field = group.draws.normal(k or 1)
        probe.append(self.time, field)
        full[:, group.size :] = self.perturbation * field
        return full

    def label(self, group: Group, name: str | None) -> str:
        """Return what the name of a response ends with: the source's name, where the program has several sources.

        The field of a tensor coupling has no name of the user's; it gets one only where other sources act on its group.
        """
        alone = self.plan.fields.get(group.name, 1) == 1
        several = self.plan.sources + self.plan.tensors > 1
        return f"_{name}" if several and name is not None and not (alone and name == FORCE) else ""

    def record(self, t: float, **values: Any) -> None:
        """Keep what the result shows: site vectors, lists of them (layers), numbers and small arrays.

        Parameters
        ----------
        t : float
            The time, step or layer of the loop; after the loop, that of a last record.
        **values
            Site vectors (two-time correlation, mean, kurtosis, response, a few trajectories), lists of site vectors
            (layers, each of its own group if need be), numbers, one number per inner column, or ``(dims, array)`` as in
            xarray.
        """
        self.note("record", tuple(values))
        self.recorder.record(self._position(t), values, self.groups)

    def _position(self, t: float) -> Position:
        for loop in reversed(self._loops):
            if loop.values[loop.index] == t:
                return Position("layer" if loop.kind == "layers" else "time", loop.index, t, loop.dt)
        last = self._finished
        if last is not None and not self._loops:
            return Position("layer" if last.kind == "layers" else "time", len(last.values), t, last.dt)
        raise ProgramError(
            f"{program_line()}: net.record was given {shown(t)}, which is not the time of a running loop"
        )

    # --------------------------------------------------------------------------------------------- checks and the plan
    def note(self, *event: Any) -> None:
        """Compare what the program says with what it said in the rehearsal.

        Raises
        ------
        ProgramError
            If they differ: a program must draw, multiply and average in the same order each time it runs.
        """
        self.script.follow(event)

    def as_rows(self, x: Any, group: Group, word: str) -> Rows:
        """Return a site vector of a group as (k, rows), contiguous.

        Raises
        ------
        ProgramError
            If it is not one.
        """
        array = np.asarray(x)
        if array.ndim not in (1, 2) or len(array) != group.rows or array.dtype.kind not in "fiub":
            raise ProgramError(
                f"{program_line()}: {word} must be a site vector of the group {group.name!r}, "
                f"(sites,) or (sites, columns), not {self._what(array)}"
            )
        return np.ascontiguousarray(np.atleast_2d(array.T), self.dtype)

    def check_finite(self, rows: Rows, word: str) -> None:
        """Raise `NotFinite` if a vector is not, with the time and the line of the program."""
        flat = rows.ravel()
        if not np.isfinite(np.dot(flat, flat)):
            with np.errstate(invalid="ignore"):
                bad = ~np.isfinite(rows * rows)
            site = int(np.argmax(bad.any(0))) if bad.any() else int(np.argmax(np.abs(rows).max(0)))
            error = NotFinite(f"at {self.recorder.place}, {program_line()}: {word} is not finite any more")
            error.site = site
            raise error

    def absorb(self, matrix: Matrix, left: Rows, right: Rows, strength: float) -> bool:
        """Take a rank-one update into a matrix that is stored; say whether that was possible."""
        return False

    def absorb_matrix(self, matrix: Matrix, other: Matrix, strength: float) -> bool:
        """Add a matrix that is stored to another; say whether that was possible."""
        return False

    def _what(self, array: NDArray[Any]) -> str:
        if array.ndim == 0:
            return f"{array.item()!r}" if array.dtype.kind in "fiubcUS" else f"a {type(array.item()).__name__}"
        if array.dtype.kind not in "fiub":
            return f"an array of type {array.dtype}"
        owners = [repr(g.name) for g in self.groups if array.ndim < 3 and len(array) == g.rows]
        return f"a vector of {' or '.join(owners)}" if owners else f"an array of shape {array.shape}"

    def _site_vector(self, x: ArrayLike, word: str) -> NDArray[np.floating]:
        array = np.asarray(x)
        known = array.ndim in (1, 2) and any(len(array) == group.rows for group in self.groups)
        if not known or array.dtype.kind not in "fiub":
            raise ProgramError(f"{program_line()}: net.{word} takes a site vector, not {self._what(array)}")
        return array

    def _base(self, array: NDArray[Any]) -> int:
        return next(group.size for group in self.groups if group.rows == len(array))

    # -------------------------------------------------------------------------------------------- what worlds differ in
    @abstractmethod
    def _group(self, ratio: float, name: str) -> Group:
        """Return a new group of this world."""

    @abstractmethod
    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        """Return a new Gaussian matrix of this world."""

    @abstractmethod
    def _tensor(self, group: Group, order: int) -> Any:
        """Return a new tensor coupling of this world."""
