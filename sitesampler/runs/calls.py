"""The two calls: a site program at N = infinity (`sample`) and in a finite network (`simulate`).

Their arguments are checked in ``calls.py``; independent replicas are run by ``replicas.py``, and populations that are
cut into chunks by ``fixed_point.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError, name_of
from sitesampler.runs import footprint as memory
from sitesampler.runs.checkpoints import seed_of
from sitesampler.runs.fixed_point import iterate
from sitesampler.runs.march import run
from sitesampler.runs.options import (
    check_count,
    check_files,
    check_marching,
    prepare,
    share,
    sweep_plan,
)
from sitesampler.runs.trajectories import check_trajectories
from sitesampler.storage.folders import hold
from sitesampler.vectors.threads import one_blas_thread
from sitesampler.worlds.execute import Program

if TYPE_CHECKING:
    import os

    import xarray as xr

#: A basis vector is added when the remainder exceeds this part of a vector: on `random_rnn` the error it leaves is a
#: tenth of the statistical error of a usual run (``studies/benchmarks/tolerance.py``).
DEFAULT_TOLERANCE = 1e-3


def sample(
    program: Program,
    *,
    population: int = 10_000,
    replicas: int = 8,
    seed: int | None = None,
    keep: int | Literal["all"] = 16,
    every: int = 1,
    tolerance: float | None = None,
    dtype: str = "float64",
    client: Any = None,
    progress: bool | None = None,
    iterations: int | Literal["auto"] | None = None,
    chunk: int | None = None,
    order_parameters: Literal["march", "cold"] | str | os.PathLike[str] | xr.Dataset = "march",
    damping: float = 0.0,
    until: float | None = None,
    keep_going: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    export: str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Run a site program at N = infinity, on populations of independent single-site trajectories.

    Products with random matrices become coloured noise and memory.  The order parameters in them are estimated from
    the population as it runs, in one causal pass and one process (a march; the estimators are those of ``matrix.py``).
    With ``iterations`` a population of any size is cut into chunks that run anywhere, with order parameters that are
    frozen in one iteration and measured for the next (the fixed-point iteration of the literature), until they
    reproduce themselves.

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
    keep : int or "all"
        Trajectories to keep of each recorded vector (of the first replica); "all" streams those of all replicas to
        ``export``, replica after replica along the sites.
    every : int
        Keep one in so many steps of a loop in the records: times of means, both times of C and R.
    tolerance : float, optional
        Remainder, relative to a vector, below which a product with a matrix counts as known.  Smaller is more exact
        and slower.  1e-3 by default, and 0.1/sqrt(population) for iterations over so many samples that it would show; where
        there is memory, iterations resolve no less than a third of the Monte Carlo error of the order parameters.
    dtype : "float64" or "float32"
        Precision of the site vectors.
    client : dask.distributed.Client, optional
        Where replicas run; by default the cores of this machine.
    progress : bool, optional
        Show a progress bar; by default on a terminal or in a notebook.
    iterations : "auto" or int, optional
        Iterate over chunks: until the order parameters change by no more than their Monte Carlo error, or so many
        times; then once more with fresh random numbers, which certifies the result.  Outliers are those of the marches
        that the replicas start from, with their larger errors.
    chunk : int, optional
        Samples of a chunk, at most: 8192, or half of a smaller population.  Memory of a worker grows with it, and a
        bias of order 1/chunk falls.
    order_parameters : "march", "cold", xarray.Dataset or path
        What iterations start from: a march of one chunk for each replica, sites without couplings, or an earlier result of
        this program with iterations and at least as many replicas, each of which goes on from one of its own.
    damping : float
        Share of the old order parameters that an iteration keeps while they still move.
    until : float, optional
        Relative change of the order parameters that is small enough, also where it exceeds its error: iterations may end
        earlier, never later.
    keep_going : bool
        Leave chunks that diverge out, and say in the attribute ``failed_chunks`` which, instead of ending the run.
    checkpoint : path, optional
        Folder in which each iteration of iterations is kept.
    resume : bool
        Go on from what is kept there by a call with the same arguments (the seed is taken from there if not given).
    export : path, optional
        Zarr store for the trajectories of ``keep="all"``.
    **parameters
        Parameters of the program.

    Returns
    -------
    xarray.Dataset
        For a recorded site vector h: ``C_h(time, time_)``, ``h_mean(time)``, ``h_kurtosis(time)`` (excess),
        ``R_h(time, time_)`` where the program has a source, ``trajectory_h(site, time)``; inner columns add ``input,
        input_``, a list of vectors adds ``layer``.  Numbers have ``time`` or ``layer``.  Each has its standard error
        ``..._stderr``.  Sweeps add ``change(iteration)``, ``order_parameters`` to start from, and the attribute
        ``self_consistency_residual``: by how much the last sweep missed the order parameters that it ran with, in
        units of its Monte Carlo error (about 1 when nothing but chance is left).

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
    DiskFull
        If a checkpoint or the trajectories do not fit on the disk.

    Warns
    -----
    NotConverged
        If order parameters still change by more than their error when iterations end, or the last sweep contradicts them.
    ChunksLeftOut
        If chunks diverged and the user asked to go on.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, g=1.5, dt=0.1, duration=2)
    >>> ds.C_h.sel(time=2, time_=1).shape, sorted(ds.sizes)
    ((), ['site', 'time', 'time_'])
    """
    check_count("population", population, 2)
    if tolerance is None:
        tolerance = DEFAULT_TOLERANCE if iterations is None else min(DEFAULT_TOLERANCE, 0.1 / population**0.5)
    folder, store = check_files(keep, export, checkpoint, resume)
    kept = population if keep == "all" else keep
    if iterations is None:
        check_marching(
            chunk=chunk, order_parameters=order_parameters, damping=damping, until=until, keep_going=keep_going
        )
        check_marching(checkpoint=checkpoint)
        task = prepare(program, parameters, True, population, True, seed, kept, every, tolerance, dtype)
        if store is not None:
            check_trajectories(task.plan)
        shares = share(replicas, client)
        memory.check_population(task.plan, population, replicas, shares[0], np.dtype(dtype))
        facts = {"world": "single-site ensemble", "population": population, "tolerance": float(tolerance)}
        with hold(None, store):
            return run(task, replicas, shares, client, progress, facts, store)
    plan = sweep_plan(program, population, replicas, iterations, chunk, order_parameters, damping, until, keep_going)
    chunks = plan.chunks()
    if store is not None and population % chunks[0][2]:
        raise InputError(
            f'keep="all" stores whole chunks; use a population that is a multiple of the chunk, such as '
            f"{plan.chunk * -(-population // plan.chunk)} for chunks of {plan.chunk}"
        )
    if resume and seed is None and folder is not None:
        seed = seed_of(folder)
    task = prepare(program, parameters, True, plan.chunk, True, seed, kept, every, tolerance, dtype)
    if plan.start != "march" and any(event.word.startswith("outlier_") for event in task.plan.events):
        raise InputError(
            f"{name_of(program)} asks for outliers, which iterations take from the march that they start from; leave "
            "order_parameters out"
        )
    if store is not None:
        check_trajectories(task.plan)
    tasks = len(chunks) * plan.replicas
    at_once = share(tasks, client)[0]
    memory.check_population(task.plan, plan.chunk, tasks, at_once, np.dtype(dtype), "chunk")
    # One thread also for what the driver computes: bits must not depend on the number of cores.
    with hold(folder, store), one_blas_thread():
        return iterate(task, plan, workers_for(client, at_once), progress, folder, resume, store)


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
    check_count("size", size, 2)
    if not isinstance(matrix, (bool, np.bool_)):
        raise InputError(f"matrix must be True or False, not {matrix!r}")
    task = prepare(program, parameters, False, size, bool(matrix), seed, keep, every, tolerance, dtype)
    if task.plan.tensors and not matrix:
        raise InputError(
            f"{name_of(program)} has a tensor coupling, which has no exact law without its tensor; use matrix=True"
        )
    shares = share(replicas, client)
    orders = [event.detail[0] for event in task.plan.said("tensor_coupling")]
    memory.check_network(task.plan, size, bool(matrix), orders, replicas, shares[0], np.dtype(dtype))
    facts = {"world": "finite network", "size": size, "matrix": int(matrix), "tolerance": float(tolerance)}
    return run(task, replicas, shares, client, progress, facts)
