"""Checkpoints: the state of an iteration in a file, so that a run that was killed goes on where it was.

One file, written beside and renamed after each iteration (``storage.py``), with the settings of the call: what was made
with others is refused.  What a state means is in ``sweeps.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import InputError, name_of
from sitesampler.physics.estimates import Estimates, unflattened
from sitesampler.records.variable import Variable
from sitesampler.runs.iteration import Plan, Records, State
from sitesampler.runs.march import Task, all_parameters
from sitesampler.storage.journal import difference, plain, sources
from sitesampler.storage.sealed import read_state, write_state

#: Name of the file in the folder of a checkpoint.
_NAME = "iteration.npz"


def settings_of(task: Task, plan: Plan) -> dict[str, Any]:
    """Return everything that the numbers of a run depend on, as JSON holds it."""
    parameters = all_parameters(task)
    return {
        "program": name_of(task.program),
        **plain(parameters),
        "population": plan.population,
        "chunk": plan.chunk,
        "replicas": plan.replicas,
        "iterations": plan.iterations,
        "order_parameters": plan.start if isinstance(plan.start, str) else _result(plan.start),
        "damping": plan.damping,
        "until": plan.until,
        "keep_going": plan.keep_going,
        "seed": task.entropy,
        "keep": task.keep,
        "every": task.every,
        "tolerance": task.tolerance,
        "dtype": task.dtype,
        **sources(task.program, *parameters.values()),
    }


def save(folder: Path, settings: Mapping[str, Any], state: State) -> None:
    """Write the state of an iteration; the file has its name only when it is complete.

    Raises
    ------
    DiskFull
        If it does not fit; the checkpoint of the iteration before is still there.
    """
    arrays: dict[str, NDArray[Any]] = {"changes": np.array(state.changes)}
    for replica, estimates in enumerate(state.estimates):
        arrays[f"{replica}/order"] = estimates.flat()
        for i, tables in enumerate(estimates.spans):
            arrays |= {f"{replica}/span/{i}/{j}": table for j, table in enumerate(tables)}
    labels: list[dict[str, Any]] = []
    for replica, (_, variables) in enumerate(state.records):
        labels.append({name: _label(variable) for name, variable in variables.items()})
        for name, variable in variables.items():
            arrays[f"{replica}/{name}/values"] = variable.values
            arrays[f"{replica}/{name}/floor"] = variable.floor
            for dim, values in variable.coords.items():
                arrays[f"{replica}/{name}/{dim}"] = values
    facts = {
        "settings": settings,
        "structures": [estimates.description() for estimates in state.estimates],
        "spans": [[len(tables) for tables in estimates.spans] for estimates in state.estimates],
        "averaged": state.averaged,
        "samples": [samples for samples, _ in state.records],
        "variables": labels,
        "failures": state.failures,
        "errors": state.errors,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_state(folder / _NAME, arrays, facts)


def seed_of(folder: Path) -> int | None:
    """Return the seed of the run that left a checkpoint, if there is one."""
    path = folder / _NAME
    return int(read_state(path)[1]["settings"]["seed"]) if path.exists() else None


def load(folder: Path, settings: Mapping[str, Any]) -> State | None:
    """Return the state that a run with these settings has left, if any.

    Raises
    ------
    StorageError
        If the file is damaged or of a newer version.
    InputError
        If it was left by a run with other settings; the message says which.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    arrays, facts = read_state(path)
    if different := difference(facts["settings"], settings):
        raise InputError(
            f"the checkpoint in {folder} was made by another run: {different}; go back to those settings, "
            "or start anew in another folder"
        )
    return State(
        estimates=[
            replace(unflattened(arrays[f"{r}/order"], text), spans=_spans(arrays, r, facts["spans"][r]))
            for r, text in enumerate(facts["structures"])
        ],
        changes=arrays["changes"].tolist(),
        averaged=facts["averaged"],
        records=[
            _records(arrays, r, *parts)
            for r, parts in enumerate(zip(facts["samples"], facts["variables"], strict=True))
        ],
        failures=facts["failures"],
        errors=facts["errors"],
    )


def _spans(arrays: Mapping[str, NDArray[Any]], replica: int, counts: list[int]) -> tuple[list[NDArray[Any]], ...]:
    return tuple([arrays[f"{replica}/span/{i}/{j}"] for j in range(count)] for i, count in enumerate(counts))


def _label(variable: Variable) -> dict[str, Any]:
    return {
        "dims": variable.dims,
        "coords": list(variable.coords),
        "attrs": variable.attrs,
        "kind": variable.kind,
    }


def _records(arrays: Mapping[str, NDArray[Any]], replica: int, samples: float, labels: Mapping[str, Any]) -> Records:
    variables = {}
    for name, label in labels.items():
        parts = {part: arrays[f"{replica}/{name}/{part}"] for part in ("values", "floor", *label["coords"])}
        coords = {dim: parts[dim] for dim in label["coords"]}
        dims, attrs, kind = tuple(label["dims"]), label["attrs"], label["kind"]
        variables[name] = Variable(dims, parts["values"], coords, parts["floor"], attrs, kind)
    return samples, variables


def _result(start: Sequence[Estimates]) -> str:
    """Return what an earlier result that an iteration starts from is known by."""
    return "result " + hashlib.sha256(b"".join(estimates.flat().tobytes() for estimates in start)).hexdigest()[:16]
