"""The two calls: a site program at N = infinity (`sample`) and in a finite network (`simulate`), replica by replica.

Here a call is checked, rehearsed and refused, or handed to ``replicas.py``, which runs it.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler import memory
from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.rehearsal import Program, rehearse
from sitesampler.replicas import Task, name_of, run

if TYPE_CHECKING:
    import xarray as xr

#: A basis vector is added when the remainder exceeds this part of a vector: on `random_rnn` the error it leaves is a
#: tenth of the statistical error of a usual run (``studies/benchmarks/tolerance.py``).
DEFAULT_TOLERANCE = 1e-3
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
)


def sample(
    program: Program,
    *,
    population: int = 10_000,
    replicas: int = 8,
    seed: int | None = None,
    keep: int = 16,
    every: int = 1,
    tolerance: float = DEFAULT_TOLERANCE,
    dtype: str = "float64",
    client: Any = None,
    progress: bool | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Run a site program at N = infinity, on populations of independent single-site trajectories.

    Products with random matrices become coloured noise and memory, with order parameters estimated from the population
    as it runs (one causal pass; the estimators are those of ``matrix.py``).

    Parameters
    ----------
    program : callable
        ``program(net, *, ...)``: one of ``sitesampler.models``, or any function that speaks to ``net``.
    population : int
        Samples of each group of sites, per replica.
    replicas : int
        Independent repetitions, from whose scatter the errors come.
    seed : int, optional
        The same seed gives the same bits, whatever the number of threads or workers.  Drawn and recorded if not given.
    keep : int
        Trajectories to keep of each recorded vector (of the first replica).
    every : int
        Keep one in so many steps of a loop in the records: times of means, both times of C and R.
    tolerance : float
        Remainder, relative to a vector, below which a product with a matrix counts as known.  Smaller is more exact
        and slower.
    dtype : "float64" or "float32"
        Precision of the site vectors.
    client : dask.distributed.Client, optional
        Where replicas run; by default the cores of this machine.
    progress : bool, optional
        Show a progress bar; by default on a terminal or in a notebook.
    **parameters
        Parameters of the program.

    Returns
    -------
    xarray.Dataset
        For a recorded site vector h: ``C_h(time, time_)``, ``h_mean(time)``, ``h_kurtosis(time)`` (excess),
        ``R_h(time, time_)`` where the program has a source, ``trajectory_h(site, time)``; inner columns add ``input,
        input_``, a list of vectors adds ``layer``.  Numbers have ``time`` or ``layer``.  Each has its standard error
        ``..._stderr``.

    Raises
    ------
    InputError, ProgramError
        For what can be refused before the run.
    PopulationTooSmall
        If the population is smaller than the number of vectors that its draws must be orthogonal to.
    OutOfMemory
        If the run does not fit.
    NotFinite
        If the run diverges; ``partial`` then holds what was recorded before.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, g=1.5, dt=0.1, duration=2)
    >>> ds.C_h.sel(time=2, time_=1).shape, sorted(ds.sizes)
    ((), ['site', 'time', 'time_'])
    """
    _check_count("population", population, 2)
    task = _prepare(program, parameters, True, population, True, seed, keep, every, tolerance, dtype)
    shares = _share(replicas, client)
    memory.check_population(task.plan, population, replicas, shares[0], np.dtype(dtype))
    facts = {"world": "single-site ensemble", "population": population, "tolerance": float(tolerance)}
    return run(task, replicas, shares, client, progress, facts)


def simulate(
    program: Program,
    *,
    size: int = 1_000,
    replicas: int = 8,
    seed: int | None = None,
    matrix: bool = True,
    keep: int = 16,
    every: int = 1,
    tolerance: float = DEFAULT_TOLERANCE,
    dtype: str = "float64",
    client: Any = None,
    progress: bool | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Run the same site program in finite networks, by direct simulation.

    Parameters
    ----------
    program : callable
        See `sample`.
    size : int
        N, per replica; a group of sites has ``ratio`` times N of them.
    matrix : bool
        True stores real random matrices.  False uses their exact law instead, with memory for the vectors that they
        were multiplied with only: networks of a size that no matrix fits.  Not for tensor couplings.
    replicas, seed, keep, every, tolerance, dtype, client, progress, **parameters
        See `sample`; the tolerance acts with ``matrix=False`` only.

    Returns
    -------
    xarray.Dataset
        The same variables, dimensions and coordinates as from `sample`.

    Raises
    ------
    InputError, ProgramError, OutOfMemory, NotFinite
        See `sample`.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, g=1.5, dt=0.1, duration=2)
    >>> bool(ds.C_h_stderr.sel(time=2, time_=2) > 0)
    True
    """
    _check_count("size", size, 2)
    if not isinstance(matrix, (bool, np.bool_)):
        raise InputError(f"matrix must be True or False, not {matrix!r}")
    task = _prepare(program, parameters, False, size, bool(matrix), seed, keep, every, tolerance, dtype)
    if task.plan.tensors and not matrix:
        raise InputError(
            f"{name_of(program)} has a tensor coupling, which has no exact law without its tensor; use matrix=True"
        )
    shares = _share(replicas, client)
    orders = [event[2] for event in task.plan.events if event[0] == "tensor_coupling"]
    memory.check_network(task.plan, size, bool(matrix), orders, replicas, shares[0], np.dtype(dtype))
    facts = {"world": "finite network", "size": size, "matrix": int(matrix), "tolerance": float(tolerance)}
    return run(task, replicas, shares, client, progress, facts)


# ------------------------------------------------------------------------------------------------ before a run starts
def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} must be an integer of at least {least}, not {value!r}")


def _check_parameters(program: Any, parameters: dict[str, Any], infinite: bool) -> None:
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


def _prepare(
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
    _check_parameters(program, parameters, infinite)
    _check_count("keep", keep, 0)
    _check_count("every", every, 1)
    if seed is not None:
        _check_count("seed", seed, 0)
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


def _share(replicas: int, client: Any) -> tuple[int, int]:
    """Return how many replicas run at a time here, and the threads of each."""
    _check_count("replicas", replicas, 1)
    if client is not None:
        if not hasattr(client, "submit"):
            raise InputError(f"client must be a dask.distributed.Client, not {client!r}")
        return 1, 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = min(int(replicas), cores)
    return at_once, max(1, cores // at_once)
