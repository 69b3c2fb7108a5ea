"""The two calls: a site program at N = infinity (`sample`) and in a finite network (`simulate`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from sitesampler.runs.options import DEFAULT_TOLERANCE, Request, Sampled, Simulated
from sitesampler.runs.run import carry_out
from sitesampler.worlds.execute import Program

if TYPE_CHECKING:
    import os

    import xarray as xr

    from sitesampler.storage.purpose import Inside


def sample(
    program: Program,
    *,
    population: int = 10_000,
    replicas: int = 8,
    seed: int | None = None,
    keep: int | Literal["all"] = 16,
    keep_replicas: bool = False,
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
    overwrite: bool = False,
    **parameters: Any,
) -> xr.Dataset:
    """Run a site program at N = infinity, on populations of independent single-site trajectories.

    Products with random matrices become coloured noise and memory.  The order parameters in them are estimated from
    the population as it runs, in one causal pass and one process (a march; each average is taken as it is needed).
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
    keep_replicas : bool
        Keep what each replica has measured, ``..._replicas`` with the dimension ``replica``, for `derive`: the error of
        any function of the result.
    every : int
        Keep one in so many steps of a loop in the records: times of means, both times of C and R.
    tolerance : float, optional
        Remainder, relative to a vector, below which a product with a matrix counts as known.  Smaller is more exact
        and slower.  1e-3 by default, and 0.1/sqrt(population) for iterations over so many samples that it would show;
        where there is memory, iterations resolve no less than a third of the Monte Carlo error of the order parameters.
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
        What iterations start from: a march of one chunk for each replica, sites without couplings, or an earlier
        result of this program with iterations and at least as many replicas, each of which goes on from one of its own.
    damping : float
        Share of the old order parameters that an iteration keeps while they still move.
    until : float, optional
        Relative change of the order parameters that is small enough, also where it exceeds its error: iterations
        may end earlier, never later.
    keep_going : bool
        Leave chunks that diverge out, and say in the attribute ``failed_chunks`` which, instead of ending the run.
    checkpoint : path, optional
        Folder in which each iteration is kept.
    resume : bool
        Go on from what is kept there by a call with the same arguments (the seed is taken from there if not given).
    export : path, optional
        Zarr store for the trajectories of ``keep="all"``.
    overwrite : bool
        Replace what an earlier run has left under the names of ``checkpoint`` and ``export``; without it that is
        refused, and what sitesampler has not written is never replaced.
    **parameters
        Parameters of the program.

    Returns
    -------
    xarray.Dataset
        For a recorded site vector h: ``C_h(time, time_)``, ``h_mean(time)``, ``h_kurtosis(time)`` (excess),
        ``R_h(time, time_)`` where the program has a source, ``trajectory_h(site, time)``; inner columns add ``input,
        input_``, a list of vectors adds ``layer``.  Numbers have ``time`` or ``layer``.  Each has its standard error
        ``..._stderr``.  Iterations add ``change(iteration)``, ``order_parameters`` to start from, and the
        attribute ``self_consistency_residual``: by how much the last one missed the order parameters that it ran with,
        in units of its Monte Carlo error (about 1 when nothing but chance is left).

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
        If order parameters still change by more than their error when iterations end, or the last one
        contradicts them.
    ChunksLeftOut
        If chunks diverged and the user asked to go on.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, g=1.5, dt=0.1, duration=2)
    >>> ds.C_h.sel(time=2, time_=1).shape, sorted(ds.sizes)
    ((), ['site', 'time', 'time_'])
    """
    return carry_out(Request.of(Sampled, locals()))


def simulate(
    program: Program,
    *,
    size: int = 1_000,
    replicas: int = 8,
    seed: int | None = None,
    matrix: bool = True,
    keep: int = 16,
    keep_replicas: bool = False,
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
    replicas, seed, keep, keep_replicas, every, tolerance, dtype, client, progress, **parameters
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
    return carry_out(Request.of(Simulated, locals()))


def call_inside(
    call: Callable[..., xr.Dataset], program: Program, options: Mapping[str, Any], inside: Inside | None
) -> xr.Dataset:
    """Make a call as a piece of a larger run, in whose journal it has a place of its own.

    Parameters
    ----------
    call : callable
        `sample` or `simulate`, which keep each of their own pieces there; or another one, which is told the folder as
        its checkpoint where it iterates.
    program : callable
    options : dict
        Its options, and parameters of the program.
    inside : Inside or None
    """
    if inside is not None and call in (sample, simulate):
        bound = inspect.signature(call).bind(program, **options)
        bound.apply_defaults()
        request = Request.of(Sampled if call is sample else Simulated, bound.arguments)
        return carry_out(replace(request, kept=replace(request.kept, inside=inside)))
    if inside is not None and options.get("iterations") is not None:
        options = {**options, "checkpoint": inside.folder, "resume": inside.resume}
        if not inside.resume:
            options["overwrite"] = True
    return call(program, **options)
