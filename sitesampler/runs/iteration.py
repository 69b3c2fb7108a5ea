"""Iterations over a population of any size, cut into chunks, until order parameters reproduce themselves.

This is the fixed-point iteration of the literature, started next to the solution: the order parameters of one iteration
are frozen in the next, which measures them anew.  While they move, each iteration takes what it measures; once the
change is within its Monte Carlo error, or falls no further, iterations are averaged; and a last iteration with fresh
random numbers certifies the result.

Each iteration also runs smaller chunks with the same order parameters: what chunks measure is shifted by order 1/chunk,
whatever the population, and the next iteration gets what is left without that.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, NotFinite, PopulationTooSmall, name_of
from sitesampler.physics.estimates import factorised
from sitesampler.physics.frozen import Tally, extrapolated
from sitesampler.results.combine import SmallerRuns, combine, is_exact, merged
from sitesampler.runs.amplified import warn_of_amplified
from sitesampler.runs.change import Measured, change_of, scatter_between
from sitesampler.runs.chunks import ChunkOutcome, Chunks, chunks_of, merged_outcomes, run_chunk, run_start, start_of
from sitesampler.runs.options import Iterated
from sitesampler.runs.pieces import Means, Piece, States
from sitesampler.runs.smaller import Smaller, bias_is_small, smaller_than
from sitesampler.runs.states import (
    WITHIN,
    Records,
    State,
    fingerprint,
    sealed_start,
    sealed_state,
    unsealed_start,
    unsealed_state,
)
from sitesampler.runs.task import Task

if TYPE_CHECKING:
    import xarray as xr

#: An averaged iteration is done when its change is down to this.
_DONE = 1.5
#: A last iteration that missed its order parameters by more contradicts them.
_CERTIFIED = 3.0
#: Iterations that are averaged at least.
_LEAST_AVERAGED = 3
#: Iterations after which one that still moves is given up, if the user asked for no number.
_MOST = 60
#: Where there is memory, a direction that leaves the span of the others by less than this part of the Monte Carlo error
#: of the overlaps is not resolved: its kernel would be that error over the little that it leaves the span by.
_RESOLVED = 0.3
#: Names under which a journal keeps the state after so many iterations.
_STATE = "iteration-"

Entries = dict[str, tuple[int, str]]


class NotConverged(UserWarning):
    """The order parameters still changed by more than their Monte Carlo error when the iteration was given up."""


class ChunksLeftOut(UserWarning):
    """Chunks diverged and are not in the result, as the user asked."""


def iterate(task: Task, iterated: Iterated, means: Means) -> tuple[xr.Dataset, Entries]:
    """Iterate to self-consistency; return what the last iterations have recorded, and files of trajectories.

    The state after each iteration is kept in the journal, in the place of the one before it.

    Raises
    ------
    NotFinite
        If a march or a chunk diverges; ``partial`` holds what averaged iterations had recorded before.
    StorageError
        If the state that is kept is damaged.
    """
    iteration, journal = Iteration(task, iterated, means), means.journal
    name = journal.latest(_STATE)
    kept = journal.state(name) if name is not None else None
    state = iteration.begin() if kept is None else unsealed_state(*kept)
    if kept is None:
        starts = [start_of(replica).name for replica in range(iteration.starts)]
        journal.keep_state(f"{_STATE}{0:03}", *sealed_state(state), instead_of=starts)
    while not iteration.finished(state):
        before = f"{_STATE}{len(state.changes):03}"
        state = iteration.advance(state)
        journal.keep_state(f"{_STATE}{len(state.changes):03}", *sealed_state(state), instead_of=[before])
    residual, entries, state = iteration.finish(state)
    start: Any = iterated.order_parameters
    facts: dict[str, Any] = {
        "start": start if isinstance(start, str) else f"an earlier result, {fingerprint(start)}",
        "iterations": len(state.changes),
        "converged": int(warn_if_moving(iteration, state, residual)),
        "self_consistency_residual": residual,
    }
    if state.failures:
        warnings.warn(
            f"{len(state.failures)} chunks diverged and are left out (attribute failed_chunks): the rest is "
            f"no fair sample; the first of them: {state.failures[0]}",
            ChunksLeftOut,
            stacklevel=4,
        )
    dataset = iteration.dataset(state, facts)
    recorded = [variables for _, variables in state.records]
    exact = is_exact(recorded)
    smaller = Smaller(state.times_smaller)
    if task.asked.replicas > 1 and not bias_is_small(dataset, smaller, task.size, state.matched, "chunk", exact):
        dataset.attrs["converged"] = 0
    if task.asked.replicas > 1:
        warn_of_amplified(recorded, task.size, task.relative_floor())
    return dataset, entries


@dataclass(frozen=True)
class _Found:
    """What one iteration has found, of each replica: order parameters, and what chunks and smaller ones recorded."""

    measured: list[Measured]
    outcomes: list[ChunkOutcome]
    smaller: Smaller
    smaller_outcomes: list[ChunkOutcome]
    matched: int
    recorded: bool


class Iteration:
    """The iteration of one call: from one state to the next.

    Parameters
    ----------
    task : Task
        Of the size of a chunk; its store, if any, takes the trajectories of the last iteration.
    iterated : Iterated
        Its ``order_parameters`` are a word, or those of independent replicas: each replica starts from one of its own,
        so that what is wrong with them is in the scatter between replicas and not in all of them alike.
    means : Means
    """

    def __init__(self, task: Task, iterated: Iterated, means: Means) -> None:
        self.task, self.iterated, self.means = task, iterated, means
        self.replicas, self.chunks = task.asked.replicas, chunks_of(task.asked.size, task.size)
        start: Any = iterated.order_parameters
        self.earlier = () if isinstance(start, str) else (int(fingerprint(start), 16),)
        # A second one, if need be, for the scatter between them.
        self.starts = max(self.replicas, 2)
        # Rounding of the site vectors bounds the tolerance from below, as in a march.
        self.epsilon = float(np.finfo(task.asked.dtype).eps)
        self.tolerance = max(task.tolerance, 16 * self.epsilon)

    def begin(self) -> State:
        """Return the state that the iteration starts from.

        Raises
        ------
        NotFinite
            If a march diverges.
        """
        word: Any = self.iterated.order_parameters
        if not isinstance(word, str):
            given = list(word)
            error = scatter_between(given) if len(given) > 1 else 0.0
            return State(given, errors=[error] * self.replicas)
        self.means.progress.begin(self.starts, self.task.plan.steps, f"{word} start")
        pieces = [start_of(replica) for replica in range(self.starts)]
        shared = (self.task, word == "march")
        found = self.means.run(run_start, pieces, shared, States(sealed_start, unsealed_start))
        if any(one.structure != found[0].structure for one in found):
            raise InputError(
                f"the tensor coupling of {name_of(self.task.program)} makes fields at other times in each replica, "
                "because its states hardly change from step to step; use a larger tolerance or time step, or no "
                "iterations"
            )
        return State(found[: self.replicas], errors=[scatter_between(found)] * self.replicas)

    def finished(self, state: State) -> bool:
        """Say whether nothing but the last iteration is left to do."""
        done = len(state.changes)
        if isinstance(self.iterated.iterations, int):
            return done >= self.iterated.iterations
        return self.converged(state) or done >= _MOST

    def converged(self, state: State) -> bool:
        """Say whether the last iterations have changed the order parameters by no more than their error."""
        if self.iterated.iterations != "auto":
            return state.settled and state.changes[-1] <= WITHIN
        return (state.averaged >= _LEAST_AVERAGED and state.changes[-1] <= _DONE) or state.changes[-1:] == [0.0]

    def advance(self, state: State) -> State:
        """Return the state after one more iteration.

        Raises
        ------
        NotFinite
            If a chunk diverges, unless the user asked to go on; ``partial`` holds the records so far.
        """
        found = self._once(state, recording=state.settled)
        change = change_of(found.measured, self._floor, self.iterated.until or 0.0)
        after = State([], [*state.changes, change], failures=_failures(state, found))
        after.times_smaller, after.matched = found.smaller.times, max(state.matched, found.matched)
        # What was recorded with other smaller runs has another bias.
        state = state if state.times_smaller == after.times_smaller else replace(state, records=[], smaller_records=[])
        after.averaged = (state.averaged if state.records else 0) + 1 if found.recorded else 0
        share = 1 / after.averaged if after.averaged else 1 - self.iterated.damping
        after.errors = [each.relative_error() for each in found.measured]
        after.estimates = [each.mixed(share) for each in found.measured]
        if after.averaged:
            after.records = _together(state.records, found.outcomes)
            after.smaller_records = _together(state.smaller_records, found.smaller_outcomes)
        return after

    def finish(self, state: State) -> tuple[float, Entries, State]:
        """Run the last iteration, with fresh random numbers.

        Returns
        -------
        residual : float
            By how much it missed the order parameters that it ran with, in units of its Monte Carlo error.
        entries : dict
            Files of trajectories.
        state : State
            With what each replica has recorded, in this iteration and in those that were averaged before it.
        """
        found = self._once(state, recording=True, last=True)
        residual = change_of(found.measured, self._floor)
        alike = state.times_smaller == found.smaller.times
        records, smaller = (state.records, state.smaller_records) if alike else ([], [])
        after = replace(state, failures=_failures(state, found), times_smaller=found.smaller.times)
        after.matched = max(state.matched, found.matched)
        after.records = _together(records, found.outcomes)
        after.smaller_records = _together(smaller, found.smaller_outcomes)
        entries = {name: entry for outcome in found.outcomes for name, entry in outcome.entries.items()}
        return residual, entries, after

    @property
    def _floor(self) -> float:
        """Relative change below which there is nothing but rounding and the tolerance."""
        return max(self.epsilon, self.tolerance**2)

    def _once(self, state: State, recording: bool, last: bool = False) -> _Found:
        """Run all chunks of all replicas once, and smaller ones beside them."""
        number = len(state.changes)
        change = f", change {state.changes[-1]:.3g} of its error" if state.changes else ""
        word = "last iteration" if last else f"iteration {number + 1}"
        frozen = [
            factorised(estimates, max(self.tolerance, _RESOLVED * error) if estimates.has_memory else self.tolerance)
            for estimates, error in zip(state.estimates, state.errors, strict=True)
        ]
        task = self.task if last else replace(self.task, store=None)
        shared = Chunks(task, frozen, number, recording, self.earlier)
        groups = [[shared.piece(replica, *chunk) for chunk in self.chunks] for replica in range(self.replicas)]
        outcomes = self._run(shared, groups, word + change)
        self._check(state, outcomes, word)
        matched = max(outcome.matched for outcome in outcomes)
        smaller, others = self._run_smaller(state, replace(shared, task=replace(task, store=None)), matched, word)
        tallies = _tallies(outcomes)
        if others:
            pairs = zip(tallies, _tallies(others), strict=True)
            tallies = [extrapolated(whole, part, smaller.times) for whole, part in pairs]
        measured = [Measured(*each) for each in zip(state.estimates, frozen, tallies, strict=True)]
        return _Found(measured, outcomes, smaller, others, matched, recording)

    def _run(self, shared: Chunks, groups: list[list[Piece]], note: str) -> list[ChunkOutcome]:
        """Run pieces; return what those of each group have measured together."""
        self.means.progress.begin(sum(map(len, groups)), self.task.plan.steps, note)
        tasks = [[(piece,) for piece in group] for group in groups]
        return self.means.workers.run(run_chunk, tasks, merged_outcomes, shared, self.means.progress)

    def _run_smaller(self, state: State, shared: Chunks, matched: int, word: str) -> tuple[Smaller, list[ChunkOutcome]]:
        """Run the smaller chunks of an iteration; chunks of a single replica have no error that a bias could spoil."""
        smallest = min(size for *_, size in self.chunks)
        smaller = Smaller(state.times_smaller) if state.times_smaller else smaller_than(smallest, matched)
        while self.replicas > 1 and smaller.runs:
            groups = [
                [piece for chunk in self.chunks for piece in shared.smaller(replica, *chunk, smaller)]
                for replica in range(self.replicas)
            ]
            try:
                others = self._run(shared, groups, f"{word}, smaller chunks for the bias")
            except PopulationTooSmall:
                smaller = Smaller(smaller.times - 1)
                continue
            self._check(state, others, f"{word}, smaller chunks")
            return smaller, others
        return Smaller(1), []

    def _check(self, state: State, outcomes: list[ChunkOutcome], word: str) -> None:
        """Raise what went wrong in chunks, unless the user asked to go on and enough are left."""
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        left = min(outcome.tally.chunks if outcome.tally is not None else 0 for outcome in outcomes)
        if not failures or (self.iterated.keep_going and left > 1):  # the error is judged from the scatter of the rest
            return
        others = f" ({len(failures)} of {len(self.chunks) * self.replicas} chunks)" if len(failures) > 1 else ""
        error = NotFinite(f"{name_of(self.task.program)}, {word}, {failures[0]}{others}")
        if state.records:
            partial = self.dataset(state, {})
            error.partial = partial.assign_attrs(incomplete=str(error))
        raise error

    def dataset(self, state: State, facts: dict[str, Any]) -> xr.Dataset:
        """Return what was recorded as a dataset, with the order parameters that an iteration may start from."""
        import xarray as xr

        how: dict[str, Any] = {
            "chunk": self.iterated.chunk,
            "damping": self.iterated.damping,
            "until": self.iterated.until or 0.0,
        }
        how |= {"keep_going": int(self.iterated.keep_going), **facts}
        if state.failures:
            how["failed_chunks"] = state.failures
        variables = [variables for _, variables in state.records]
        smaller = SmallerRuns([[variables] for _, variables in state.smaller_records], state.times_smaller)
        dataset = combine(
            variables,
            self.task.attributes(**how),
            keep=self.task.asked.keep_replicas,
            smaller=smaller if smaller.variables else None,
        )
        dataset["order_parameters"] = xr.DataArray(
            np.stack([estimates.flat() for estimates in state.estimates]),
            dims=("replica", "order_parameter"),
            attrs={
                "long_name": "order parameters of the last iteration, for a later one to start from",
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


def warn_if_moving(iteration: Iteration, state: State, residual: float) -> bool:
    """Say whether an iteration has converged, and its last one certifies it; warn if not."""
    converged = iteration.converged(state)
    if converged and residual <= _CERTIFIED:
        return True
    last = f"{state.changes[-1]:.3g} times its Monte Carlo error" if state.changes else "an unknown amount"
    warnings.warn(
        f"the order parameters of {name_of(iteration.task.program)} changed by {last} in the last of "
        f"{len(state.changes)} iterations, and by {residual:.3g} times in the one after it; allow more iterations, "
        "start from a march, or raise damping",
        NotConverged,
        stacklevel=5,
    )
    return False


def _together(before: list[Records], outcomes: list[ChunkOutcome]) -> list[Records]:
    """Return what an iteration has recorded for each replica, together with the averaged ones before it."""
    new = [(outcome.samples, outcome.variables) for outcome in outcomes]
    older = [[record] for record in before] or [[] for _ in outcomes]
    return [merged([latest, *earlier]) for latest, earlier in zip(new, older, strict=True)]


def _tallies(outcomes: list[ChunkOutcome]) -> list[Tally]:
    """Return what the chunks of each replica have measured; that some are left of each was checked before."""
    return [outcome.tally for outcome in outcomes if outcome.tally is not None]


def _failures(state: State, found: _Found) -> list[str]:
    outcomes = [*found.outcomes, *found.smaller_outcomes]
    return [*state.failures, *(failure for outcome in outcomes for failure in outcome.failures)]
