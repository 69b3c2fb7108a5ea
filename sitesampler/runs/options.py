"""What is checked before a run starts: the arguments of a call, and what its options add up to.

A call is refused here with one sentence, before any work; what it then does is in ``sampler.py``.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, did_you_mean, listing, name_of, shown
from sitesampler.physics.estimates import unflattened
from sitesampler.runs.iteration import Plan
from sitesampler.runs.march import Task
from sitesampler.storage.stores import open_result, refuse_foreign
from sitesampler.worlds.execute import Program
from sitesampler.worlds.rehearsal import rehearse

if TYPE_CHECKING:
    pass

_OPTIONS = (
    "population",
    "size",
    "replicas",
    "seed",
    "matrix",
    "keep",
    "every",
    "tolerance",
    "dtype",
    "client",
    "progress",
    "iterations",
    "chunk",
    "order_parameters",
    "damping",
    "until",
    "keep_going",
    "checkpoint",
    "resume",
    "export",
)
#: Values of options that say how `sample` iterates, where it does not; the others are None.
_SWEEPING = {"order_parameters": "march", "damping": 0.0, "keep_going": False}
#: Samples of a chunk, unless the user says more or less: the bias of order 1/chunk is far below the error of a usual
#: run, and the tables of a chunk still fit the caches (``studies/benchmarks/scale.py``).
DEFAULT_CHUNK = 8192
#: Chunks of a replica that are planned one by one.
_MOST_CHUNKS = 1_000_000


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse what is not an integer of at least so much."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} must be an integer of at least {least}, not {value!r}")


def check_parameters(program: Any, parameters: dict[str, Any], infinite: bool) -> None:
    """Refuse parameters that the program does not have, and programs that no call could pass all parameters to."""
    if not callable(program):
        raise InputError(f"a program is a function that takes net, not {program!r}")
    try:
        known = list(inspect.signature(program).parameters.values())
    except ValueError:
        raise InputError(f"a program is a function that takes net, not {program!r}") from None
    if not known or known[0].kind not in (known[0].POSITIONAL_ONLY, known[0].POSITIONAL_OR_KEYWORD):
        name = name_of(program)
        raise InputError(f"{name} must take the network as its first argument: def {name}(net, *, ...)")
    names = [p.name for p in known[1:] if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    clash = [name for name in names if name in _OPTIONS]
    if clash:
        raise InputError(f"the parameter {clash[0]!r} of {name_of(program)} is an option of the call; rename it")
    if not any(p.kind is p.VAR_KEYWORD for p in known):
        for name in parameters:
            if name in _OPTIONS:
                call, other = ("sample", "simulate") if infinite else ("simulate", "sample")
                raise InputError(f"{name} is an option of {other}, not of {call}")
            if name not in names:
                hint = did_you_mean(name, [*names, *_OPTIONS])
                raise InputError(f"{name_of(program)} has no parameter {name!r}{hint}; it takes {listing(names)}")
    missing = [p.name for p in known[1:] if p.name in names and p.default is p.empty and p.name not in parameters]
    if missing:
        raise InputError(f"{name_of(program)} needs a value for {listing(missing)}")


def prepare(
    program: Program,
    parameters: dict[str, Any],
    infinite: bool,
    size: int,
    matrix: bool,
    seed: int | None,
    keep: int,
    every: int,
    tolerance: float,
    dtype: str,
) -> Task:
    """Check the arguments of a call and rehearse its program."""
    check_parameters(program, parameters, infinite)
    if isinstance(keep, str):
        raise InputError(f'keep must be a number of trajectories, or "all" in sample, not {keep!r}')
    check_count("keep", keep, 0)
    check_count("every", every, 1)
    if seed is not None:
        check_count("seed", seed, 0)
    if not (isinstance(tolerance, (int, float)) and 0 < tolerance < 1):
        raise InputError(f"tolerance must be a number between 0 and 1, such as 1e-3, not {tolerance!r}")
    try:
        precision = np.dtype(object if dtype is None else dtype)
    except TypeError:
        precision = np.dtype(object)
    if precision not in (np.float32, np.float64):
        raise InputError(f"dtype must be 'float64' or 'float32', not {dtype!r}")
    entropy = int(np.random.SeedSequence(seed).entropy)  # type: ignore[arg-type]
    plan = rehearse(program, parameters, every)
    if not plan.records:
        raise InputError(f"{name_of(program)} records nothing; let it say net.record(t, h=h) in its loop")
    return Task(
        program, parameters, plan, infinite, int(size), matrix, entropy, int(keep), int(every), float(tolerance),
        precision.name, 1,
    )  # fmt: skip


def share(replicas: int, client: Any) -> tuple[int, int]:
    """Return how many replicas run at a time here, and the threads of each."""
    check_count("replicas", replicas, 1)
    if client is not None:
        if not hasattr(client, "submit"):
            raise InputError(f"client must be a dask.distributed.Client, not {client!r}")
        return 1, 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = min(int(replicas), cores)
    return at_once, max(1, cores // at_once)


def sweep_plan(
    program: Program,
    population: int,
    replicas: int,
    iterations: Any,
    chunk: Any,
    start: Any,
    damping: Any,
    until: Any,
    keep_going: Any,
) -> Plan:
    """Check the options that say how a population is swept, and return what they mean."""
    check_count("population", population, 4)
    check_count("replicas", replicas, 1)
    if iterations != "auto":
        if isinstance(iterations, str):
            raise InputError(f'iterations must be "auto" or a number of iterations, not {iterations!r}')
        check_count("iterations", iterations, 1)
    if chunk is None:
        chunk = min(DEFAULT_CHUNK, -(-population // 2))
    check_count("chunk", chunk, 2)
    if chunk > -(-population // 2):
        raise InputError(
            f"a population of {population} makes no two chunks of {chunk}, from whose scatter its error is judged; use "
            f"a chunk of at most {-(-population // 2)}, or no iterations"
        )
    if -(-population // chunk) > _MOST_CHUNKS:
        raise InputError(
            f"a population of {population} in chunks of {chunk} makes {-(-population // chunk):,} chunks for each "
            f"replica, and {_MOST_CHUNKS:,} are the most; use a chunk of at least {-(-population // _MOST_CHUNKS)}"
        )
    if isinstance(damping, bool) or not isinstance(damping, (int, float)) or not 0 <= damping < 1:
        raise InputError(f"damping is the share of the old order parameters, from 0 to below 1, not {damping!r}")
    if until is not None and (isinstance(until, bool) or not isinstance(until, (int, float)) or not 0 < until < 1):
        raise InputError(f"until is a relative change of the order parameters between 0 and 1, not {until!r}")
    if not isinstance(keep_going, bool):
        raise InputError(f"keep_going must be True or False, not {keep_going!r}")
    begin = _start(program, start, replicas)
    return Plan(int(population), int(chunk), int(replicas), iterations, begin, float(damping), until or 0.0, keep_going)


def _start(program: Program, start: Any, replicas: int) -> Any:
    """Return what an iteration starts from: a word, or the order parameters of an earlier result."""
    if isinstance(start, str) and start in ("march", "cold"):
        return start
    given = start
    if isinstance(start, (str, os.PathLike)):
        start = open_result(start)
    if not hasattr(start, "data_vars"):
        raise InputError(
            f'order_parameters must be "march", "cold", or a result of sample with iterations, not {shown(given)}'
        )
    if "order_parameters" not in start:
        raise InputError("the result to start from holds no order parameters; only those of sample with iterations do")
    name = start.attrs.get("program")
    if name != name_of(program):
        raise InputError(f"the result to start from is one of {name}, and the program is {name_of(program)}")
    variable = start["order_parameters"]
    if len(variable) < replicas:
        raise InputError(
            f"the result to start from has {len(variable)} replicas, and {replicas} are asked for: each goes on from "
            f"one of its own, or their errors would not be independent; use replicas={len(variable)}"
        )
    structure, table = variable.attrs.get("structure"), np.asarray(variable.values)
    if not isinstance(structure, str) or table.ndim != 2 or not np.all(np.isfinite(table[:replicas])):
        raise InputError(
            "the order parameters to start from are damaged: they must be finite, (replica, order_parameter), with the "
            "attribute structure, as sample with iterations has left them"
        )
    return tuple(unflattened(values, structure) for values in table[:replicas])


def check_marching(**options: Any) -> None:
    """Refuse options of iterations in a call without any."""
    for name, value in options.items():
        if value is not None and not (isinstance(value, (str, float, bool)) and value == _SWEEPING.get(name)):
            raise InputError(f'{name} says how order parameters are iterated; add iterations="auto"')


def check_files(keep: Any, export: Any, checkpoint: Any, resume: Any) -> tuple[Path | None, Path | None]:
    """Check the options that name files, and return the paths of checkpoint and export."""
    if not isinstance(resume, bool):
        raise InputError(f"resume must be True or False, not {resume!r}")
    if resume and checkpoint is None:
        raise InputError("resume goes on from a checkpoint; say in which folder that is, with checkpoint=")
    if isinstance(keep, str) and keep != "all":
        raise InputError(f'keep must be a number of trajectories or "all", not {keep!r}')
    if (keep == "all") != (export is not None):
        raise InputError('keep="all" and export="trajectories.zarr", where they go, belong together; give both')
    for name, path in (("export", export), ("checkpoint", checkpoint)):
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise InputError(f"{name} must be a path, not {path!r}")
        if path is not None and not os.fspath(path):
            raise InputError(f"{name} must be a path, not an empty one")
    if export is not None:
        refuse_foreign(Path(export))
    return None if checkpoint is None else Path(checkpoint), None if export is None else Path(export)
