"""Sweeps: iterations over a population of any size, cut into chunks, until order parameters reproduce themselves.

This is the fixed-point iteration of the literature, started next to the solution: the order parameters of one iteration
are frozen in the next, which measures them anew.  While they move, each iteration takes what it measures; once the
change is within its Monte Carlo error, or falls no further, iterations are averaged; and a last sweep with fresh random
numbers certifies the result.  What a chunk does is in ``chunks.py``, what is kept between iterations in
``checkpoints.py``, the user's call and what it refuses in ``sampler.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import Workers
from sitesampler.errors import InputError, NotFinite, name_of
from sitesampler.physics.estimates import Coefficients, Estimates, factorised, mean_of
from sitesampler.physics.frozen import Tally
from sitesampler.records.variable import Variable
from sitesampler.results.combine import combine, merged
from sitesampler.runs.chunks import ChunkOutcome, Iteration, Start, merged_outcomes, run_chunk, run_start
from sitesampler.runs.march import Task, attributes_of
from sitesampler.storage.trajectories import TrajectoryStore

if TYPE_CHECKING:
    import xarray as xr

#: A change of so many of its Monte Carlo errors is within them: both order parameters, old and new, have one.
_WITHIN = 2.0
#: An averaged iteration is done when its change is down to this.
_DONE = 1.5
#: A last sweep that missed its order parameters by more contradicts them.
_CERTIFIED = 3.0
#: Iterations that are averaged at least.
_LEAST_AVERAGED = 3
#: A change below this that has not fallen for some iterations is the noise of the iteration itself.
_NOISE, _PATIENCE = 10.0, 3
#: Iterations after which an iteration that still moves is given up, if the user asked for no number.
_MOST = 60
#: Where there is memory, a direction that leaves the span of the others by less than this part of the Monte Carlo error
#: of the overlaps is not resolved: its kernel would be that error over the little that it leaves the span by.
_RESOLVED = 0.3
#: Changes below this, relative to the order parameters, are rounding.
_ROUNDING = 1e-9

Records = tuple[float, dict[str, Variable]]


class NotConverged(UserWarning):
    """The order parameters still changed by more than their Monte Carlo error when the iteration was given up."""


@dataclass(frozen=True)
class Plan:
    """How a population is swept.

    Attributes
    ----------
    population, chunk : int
        Samples of each replica, and of each of its chunks at most.
    replicas : int
    iterations : int or "auto"
        Re-estimations of the order parameters before the last sweep.
    start : "march", "cold" or sequence of Estimates
        The latter are those of independent replicas: each replica starts from one of its own, so that what is wrong
        with them is in the scatter between replicas and not in all of them alike.
    damping : float
        Share of the old order parameters that an iteration keeps while they still move.
    until : float
        Relative change of the order parameters that is small enough, whatever its error.
    keep_going : bool
        Whether chunks that diverge are left out.
    """

    population: int
    chunk: int
    replicas: int
    iterations: int | Literal["auto"]
    start: Literal["march", "cold"] | Sequence[Estimates]
    damping: float = 0.0
    until: float = 0.0
    keep_going: bool = False

    def chunks(self) -> list[tuple[int, int, int]]:
        """Return the number, the first sample and the size of each chunk of a replica: sizes differ by one at most."""
        count = -(-self.population // self.chunk)
        size, larger = divmod(self.population, count)
        return [(number, number * size + min(number, larger), size + (number < larger)) for number in range(count)]


@dataclass
class State:
    """Where an iteration is: all that the next one needs, and all that a checkpoint keeps.

    Attributes
    ----------
    estimates : list of Estimates
        Order parameters of each replica.
    changes : list of floats
        What each iteration so far has changed, in units of its Monte Carlo error.
    averaged : int
        How many of the last iterations are averaged.
    records : list
        What these have recorded, for each replica: samples, and variables.
    failures : list of str
        Chunks that went wrong and were left out.
    errors : list of floats
        Relative Monte Carlo error of the overlaps of each replica.
    """

    estimates: list[Estimates]
    changes: list[float] = field(default_factory=list)
    averaged: int = 0
    records: list[Records] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether the order parameters have stopped moving, up to the noise of the iteration."""
        if self.averaged:
            return True
        if not self.changes:
            return False
        before, last = self.changes[:-_PATIENCE], self.changes[-_PATIENCE:]
        stuck = bool(before) and max(last) < _NOISE and min(last) > 0.8 * min(before)
        return self.changes[-1] <= _WITHIN or stuck


class Sweeps:
    """The iteration of one call.

    Parameters
    ----------
    task : Task
        With the size of a chunk.
    plan : Plan
    workers : Workers
    progress : Progress
    store : TrajectoryStore or None
        Where the trajectories of the last sweep go.
    """

    def __init__(
        self, task: Task, plan: Plan, workers: Workers, progress: Progress, store: TrajectoryStore | None = None
    ) -> None:
        self.task, self.plan, self.workers, self.progress, self.store = task, plan, workers, progress, store
        self.chunks = plan.chunks()
        # Rounding of the site vectors bounds the tolerance from below, as in a march.
        self.epsilon = float(np.finfo(task.dtype).eps)
        self.tolerance = max(task.tolerance, 16 * self.epsilon)

    def begin(self) -> State:
        """Return the state that the iteration starts from.

        Raises
        ------
        NotFinite
            If a march diverges.
        """
        replicas = self.plan.replicas
        if not isinstance(self.plan.start, str):
            given = list(self.plan.start)
            error = _scatter_between(given) if len(given) > 1 else 0.0
            return State(given, errors=[error] * replicas)
        # A second one, if need be, for the scatter between them.
        marches = max(replicas, 2)
        self.progress.begin(marches, self.task.plan.steps, f"{self.plan.start} start")
        groups = [[(replica,)] for replica in range(marches)]
        start = Start(self.task, coupled=self.plan.start == "march")
        found = self.workers.run(run_start, groups, None, start, self.progress)
        if any(one.structure != found[0].structure for one in found):
            raise InputError(
                f"the tensor coupling of {name_of(self.task.program)} makes fields at other times in each replica, "
                "because its states hardly change from step to step; use a larger tolerance or time step, or no sweeps"
            )
        return State(found[:replicas], errors=[_scatter_between(found)] * replicas)

    def finished(self, state: State) -> bool:
        """Say whether nothing but the last sweep is left to do."""
        done = len(state.changes)
        if self.plan.iterations != "auto":
            return done >= self.plan.iterations
        return self.converged(state) or done >= _MOST

    def converged(self, state: State) -> bool:
        """Say whether the last iterations have changed the order parameters by no more than their error."""
        if self.plan.iterations != "auto":
            return state.settled and state.changes[-1] <= _WITHIN
        return (state.averaged >= _LEAST_AVERAGED and state.changes[-1] <= _DONE) or state.changes[-1:] == [0.0]

    def advance(self, state: State) -> State:
        """Return the state after one more iteration.

        Raises
        ------
        NotFinite
            If a chunk diverges, unless the user asked to go on; ``partial`` holds the records so far.
        """
        frozen, outcomes = self._sweep(state, recording=state.settled)
        change = self._change(state.estimates, frozen, outcomes, self.plan.until)
        after = State([], [*state.changes, change], failures=_failures(state, outcomes))
        after.averaged = state.averaged + 1 if state.settled else 0
        share = 1 / after.averaged if after.averaged else 1 - self.plan.damping
        for estimates, coefficients, outcome in zip(state.estimates, frozen, outcomes, strict=True):
            assert outcome.tally is not None
            after.errors.append(_relative_error(estimates, outcome.tally))
            after.estimates.append(estimates.mixed(coefficients.measured(outcome.tally.arrays), share))
        if after.averaged:
            after.records = _recorded(state, outcomes)
        return after

    def finish(self, state: State) -> tuple[list[dict[str, Variable]], float, dict[str, tuple[int, str]], list[str]]:
        """Run the last sweep, with fresh random numbers.

        Returns
        -------
        variables : list of dict
            What each replica has recorded, in this sweep and in those that were averaged before it.
        residual : float
            By how much the sweep missed the order parameters that it ran with, in units of its Monte Carlo error.
        entries : dict
            Files of trajectories.
        failures : list of str
        """
        frozen, outcomes = self._sweep(state, recording=True, store=self.store)
        residual = self._change(state.estimates, frozen, outcomes)
        variables = [recorded for _, recorded in _recorded(state, outcomes)]
        entries = {name: entry for outcome in outcomes for name, entry in outcome.entries.items()}
        return variables, residual, entries, _failures(state, outcomes)

    def _sweep(
        self, state: State, recording: bool, store: TrajectoryStore | None = None
    ) -> tuple[list[Coefficients], list[ChunkOutcome]]:
        """Run all chunks of all replicas once."""
        number = len(state.changes)
        change = f", change {state.changes[-1]:.3g} of its error" if state.changes else ""
        word = "last sweep" if store is not None or self.finished(state) else f"iteration {number + 1}"
        self.progress.begin(len(self.chunks) * self.plan.replicas, self.task.plan.steps, word + change)
        frozen = [
            factorised(estimates, max(self.tolerance, _RESOLVED * error) if estimates.has_memory else self.tolerance)
            for estimates, error in zip(state.estimates, state.errors, strict=True)
        ]
        shared = Iteration(self.task, frozen, number, recording, store, self.plan.population)
        groups = [[(replica, *chunk) for chunk in self.chunks] for replica in range(self.plan.replicas)]
        outcomes = self.workers.run(run_chunk, groups, merged_outcomes, shared, self.progress)
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        left = min(outcome.tally.chunks if outcome.tally is not None else 0 for outcome in outcomes)
        if failures and not (self.plan.keep_going and left > 1):  # the error is judged from the scatter of the rest
            others = (
                f" ({len(failures)} of {len(self.chunks) * self.plan.replicas} chunks)" if len(failures) > 1 else ""
            )
            error = NotFinite(f"{name_of(self.task.program)}, {word}, {failures[0]}{others}")
            if state.records:
                partial = self.dataset([variables for _, variables in state.records], state, {})
                error.partial = partial.assign_attrs(incomplete=str(error))
            raise error
        return frozen, outcomes

    def _change(
        self,
        estimates: list[Estimates],
        frozen: list[Coefficients],
        outcomes: list[ChunkOutcome],
        until: float = 0.0,
    ) -> float:
        """Return the change of the order parameters that a sweep has measured, in units of its error.

        Zero where it is rounding, or below ``until`` relative to the order parameters.
        """
        parts = [self._sizes(*each) for each in zip(estimates, frozen, outcomes, strict=True)]
        # Over replicas before the ratio is taken: few chunks may agree by chance.
        sizes, changes, errors = np.sqrt(np.mean(np.square(parts), axis=0))
        if not sizes.size:
            return 0.0
        # Some averages are the same in all chunks, because draws are matched, or because chunks are few.  They move all
        # the same, and have at least the relative error that is usual.
        relative = errors[sizes > 0] / sizes[sizes > 0]
        noisy = relative[relative > self._floor]
        overlaps = len(estimates[0].overlaps)
        usual = max([float(np.median(noisy)) if noisy.size else 0.0, *_ratios(errors[:overlaps], sizes[:overlaps])])
        least = self._floor * (sizes + _ROUNDING * np.max(sizes))
        ratios = changes / np.sqrt(errors**2 + (usual * sizes) ** 2 + least**2)
        ratios[changes <= np.maximum(least, until * sizes)] = 0.0
        return _together([ratio for ratio, size in zip(ratios, sizes, strict=True) if size or ratio])

    @property
    def _floor(self) -> float:
        """Relative change below which there is nothing but rounding and the tolerance."""
        return max(_ROUNDING, self.epsilon, self.tolerance**2)

    @staticmethod
    def _sizes(
        estimates: Estimates, coefficients: Coefficients, outcome: ChunkOutcome
    ) -> tuple[list[float], list[float], list[float]]:
        """Return the norms of all order parameters of a replica, of their changes, and of the errors of these."""
        tally, expected = outcome.tally, coefficients.expected(estimates)
        assert tally is not None
        changes = [float(np.linalg.norm(new - old)) for old, new in zip(expected, tally.arrays, strict=True)]
        return [float(np.linalg.norm(old)) for old in expected], changes, [_error(tally, x) for x in tally.scatter]

    def dataset(self, variables: list[dict[str, Variable]], state: State, facts: dict[str, Any]) -> xr.Dataset:
        """Return what was recorded as a dataset, with the order parameters that an iteration may start from."""
        import xarray as xr

        facts = {"world": "single-site ensemble", "population": self.plan.population, "chunk": self.plan.chunk, **facts}
        if state.failures:
            facts["failed_chunks"] = state.failures
        dataset = combine(variables, attributes_of(self.task, self.plan.replicas, facts))
        dataset["order_parameters"] = xr.DataArray(
            np.stack([estimates.flat() for estimates in state.estimates]),
            dims=("replica", "order_parameter"),
            attrs={
                "long_name": "order parameters of the last sweep, for a later one to start from",
                "units": "1",
                "structure": state.estimates[0].description(),
            },
        )
        if state.changes:
            dataset["change"] = xr.DataArray(
                np.array(state.changes),
                dims="iteration",
                coords={"iteration": ("iteration", np.arange(1, len(state.changes) + 1), {"long_name": "iteration"})},
                attrs={"long_name": "change of the order parameters, over its Monte Carlo error", "units": "1"},
            )
        return dataset


def warn_if_moving(sweeps: Sweeps, state: State, residual: float) -> bool:
    """Say whether an iteration has converged, and its last sweep certifies it; warn if not."""
    converged = sweeps.converged(state)
    if converged and residual <= _CERTIFIED:
        return True
    last = f"{state.changes[-1]:.3g} times its Monte Carlo error" if state.changes else "an unknown amount"
    warnings.warn(
        f"the order parameters of {name_of(sweeps.task.program)} changed by {last} in the last of {len(state.changes)} "
        f"iterations, and by {residual:.3g} times in the sweep after it; allow more sweeps, start from a march, or "
        "raise damping",
        NotConverged,
        stacklevel=4,
    )
    return False


def _error(tally: Tally, scatter: float) -> float:
    return float(np.sqrt(scatter / tally.weight / max(tally.chunks - 1, 1)))


def _relative_error(estimates: Estimates, tally: Tally) -> float:
    """Return the largest relative Monte Carlo error of the overlaps of a direction of a matrix."""
    sizes = np.array([np.linalg.norm(overlaps) for overlaps in estimates.overlaps])
    errors = np.array([_error(tally, scatter) for scatter in tally.scatter[: len(sizes)]])  # overlaps come first
    return max(_ratios(errors, sizes), default=0.0)


def _ratios(errors: np.ndarray, sizes: np.ndarray) -> list[float]:
    return [float(error / size) for error, size in zip(errors, sizes, strict=True) if size]


def _scatter_between(replicas: list[Estimates]) -> float:
    """Return the same for the overlaps of one replica, from the scatter of several."""
    mean = mean_of(replicas)
    ratios = [0.0]
    for i, centre in enumerate(mean.overlaps):
        squares = sum(float(np.sum((replica.overlaps[i] - centre) ** 2)) for replica in replicas)
        size = float(np.linalg.norm(centre))
        ratios.append(np.sqrt(squares / (len(replicas) - 1)) / size if size else 0.0)
    return float(max(ratios))


def _together(ratios: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(ratios)))) if ratios else 0.0


def _recorded(state: State, outcomes: list[ChunkOutcome]) -> list[Records]:
    """Return what a sweep has recorded for each replica, together with the averaged iterations before it."""
    new = [(outcome.samples, outcome.variables) for outcome in outcomes]
    older = [[record] for record in state.records] or [[] for _ in outcomes]
    return [merged([latest, *before]) for latest, before in zip(new, older, strict=True)]


def _failures(state: State, outcomes: list[ChunkOutcome]) -> list[str]:
    return [*state.failures, *(failure for outcome in outcomes for failure in outcome.failures)]
