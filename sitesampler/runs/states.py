"""States: what replicas and iterations are, as the arrays and facts that a sealed file holds, and back.

Everything comes back bit for bit.  When a state is kept, and in which file, is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import name_of
from sitesampler.physics.estimates import Estimates, unflattened
from sitesampler.records.variable import Variable
from sitesampler.runs.options import Iterated
from sitesampler.runs.task import Task
from sitesampler.storage.settings import plain

Arrays = Mapping[str, NDArray[Any]]
Facts = Mapping[str, Any]
Records = tuple[float, dict[str, Variable]]

#: A change of so many of its Monte Carlo errors is within them: both order parameters, old and new, have one.
WITHIN = 2.0
#: A change below this that has not fallen for some iterations is the noise of the iteration itself.
_NOISE, _PATIENCE = 10.0, 3


@dataclass(frozen=True)
class Outcome:
    """What a replica has recorded, the sentence that says why it ended early, if it did, and what it stored.

    ``matched`` is how many vectors its draws were made orthogonal to at most.
    """

    variables: dict[str, Variable]
    failure: str | None = None
    entries: dict[str, tuple[int, str]] = field(default_factory=dict)
    matched: int = 0


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
    records, smaller_records : list
        What these have recorded, for each replica, and their smaller runs: samples, and variables.
    times_smaller : int
        How many times fewer samples those had; 0 before the first iteration.
    matched : int
        Vectors that the draws of a chunk were matched to at most.
    failures : list of str
        Chunks that went wrong and were left out.
    errors : list of floats
        Relative Monte Carlo error of the overlaps of each replica.
    """

    estimates: list[Estimates]
    changes: list[float] = field(default_factory=list)
    averaged: int = 0
    records: list[Records] = field(default_factory=list)
    smaller_records: list[Records] = field(default_factory=list)
    times_smaller: int = 0
    matched: int = 0
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
        return self.changes[-1] <= WITHIN or stuck


# ------------------------------------------------------------------------------------------------------------- settings
def settings_of(task: Task, iterated: Iterated) -> dict[str, Any]:
    """Return what the numbers of a run depend on, but for its seed and its code, flat and as JSON holds it."""
    parameters = task.all_parameters()
    start: Any = iterated.order_parameters
    iteration = {
        each.name: plain(getattr(iterated, each.name)) for each in fields(iterated) if each.name != "order_parameters"
    }
    asked = {name: plain(value) for name, value in asdict(task.asked).items() if name != "seed"}
    return {
        "program": name_of(task.program),
        **plain(parameters),
        **asked,
        **(iteration | {"order_parameters": start if isinstance(start, str) else f"result {fingerprint(start)}"}),
    }


def fingerprint(start: Sequence[Estimates]) -> str:
    """Return what an earlier result that an iteration starts from is known by, a hexadecimal number."""
    return hashlib.sha256(b"".join(estimates.flat().tobytes() for estimates in start)).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------------ a replica's own
def sealed_outcome(outcome: Outcome) -> tuple[Arrays, Facts] | None:
    """Return the state of a replica; None for one that ended early, or whose trajectories are in a store."""
    if outcome.failure is not None or outcome.entries:
        return None
    arrays, labels = _sealed_variables("", outcome.variables)
    return arrays, {"variables": labels, "matched": outcome.matched}


def unsealed_outcome(arrays: Arrays, facts: Facts) -> Outcome:
    """Undo `sealed_outcome`."""
    return Outcome(_variables("", arrays, facts["variables"]), matched=facts["matched"])


def sealed_start(estimates: Estimates) -> tuple[Arrays, Facts]:
    """Return the state of the order parameters that a march has found."""
    arrays, facts = _sealed_estimates("", estimates)
    return arrays, facts


def unsealed_start(arrays: Arrays, facts: Facts) -> Estimates:
    """Undo `sealed_start`."""
    return _estimates("", arrays, facts)


# --------------------------------------------------------------------------------------------------------- an iteration
def sealed_state(state: State) -> tuple[Arrays, Facts]:
    """Return all that the next iteration needs."""
    arrays: dict[str, NDArray[Any]] = {"changes": np.array(state.changes)}
    estimates, labels = [], []
    for replica, each in enumerate(state.estimates):
        more, facts = _sealed_estimates(f"{replica}/", each)
        arrays |= more
        estimates.append(facts)
    for replica, (_, variables) in enumerate([*state.records, *state.smaller_records]):
        more, label = _sealed_variables(f"{replica}/", variables)
        arrays |= more
        labels.append(label)
    return arrays, {
        "estimates": estimates,
        "averaged": state.averaged,
        "samples": [samples for samples, _ in [*state.records, *state.smaller_records]],
        "records": len(state.records),
        "times_smaller": state.times_smaller,
        "matched": state.matched,
        "variables": labels,
        "failures": state.failures,
        "errors": state.errors,
    }


def unsealed_state(arrays: Arrays, facts: Facts) -> State:
    """Undo `sealed_state`."""
    labelled = enumerate(zip(facts["samples"], facts["variables"], strict=True))
    records = [(samples, _variables(f"{replica}/", arrays, labels)) for replica, (samples, labels) in labelled]
    return State(
        estimates=[_estimates(f"{replica}/", arrays, each) for replica, each in enumerate(facts["estimates"])],
        changes=arrays["changes"].tolist(),
        averaged=facts["averaged"],
        records=records[: facts["records"]],
        smaller_records=records[facts["records"] :],
        times_smaller=facts["times_smaller"],
        matched=facts["matched"],
        failures=facts["failures"],
        errors=facts["errors"],
    )


# ---------------------------------------------------------------------------------------------------- what they are of
def _sealed_estimates(prefix: str, estimates: Estimates) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    arrays = {f"{prefix}order": estimates.flat()}
    for i, tables in enumerate(estimates.spans):
        arrays |= {f"{prefix}span/{i}/{j}": table for j, table in enumerate(tables)}
    return arrays, {"structure": estimates.description(), "spans": [len(tables) for tables in estimates.spans]}


def _estimates(prefix: str, arrays: Arrays, facts: Facts) -> Estimates:
    spans = tuple([arrays[f"{prefix}span/{i}/{j}"] for j in range(count)] for i, count in enumerate(facts["spans"]))
    return replace(unflattened(arrays[f"{prefix}order"], facts["structure"]), spans=spans)


def _sealed_variables(
    prefix: str, variables: Mapping[str, Variable]
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, Any]]]:
    arrays: dict[str, NDArray[Any]] = {}
    labels = {}
    for name, each in variables.items():
        labels[name] = {"dims": each.dims, "coords": list(each.coords), "attrs": each.attrs, "kind": each.kind}
        arrays[f"{prefix}{name}/values"] = each.values
        arrays[f"{prefix}{name}/floor"] = each.floor
        arrays |= {f"{prefix}{name}/{dim}": values for dim, values in each.coords.items()}
    return arrays, labels


def _variables(prefix: str, arrays: Arrays, labels: Mapping[str, Any]) -> dict[str, Variable]:
    variables = {}
    for name, label in labels.items():
        coords = {dim: arrays[f"{prefix}{name}/{dim}"] for dim in label["coords"]}
        values, floor = arrays[f"{prefix}{name}/values"], arrays[f"{prefix}{name}/floor"]
        variables[name] = Variable(tuple(label["dims"]), values, coords, floor, label["attrs"], label["kind"])
    return variables
