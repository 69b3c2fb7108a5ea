"""Diagnosis: how far a number of `sample` can be trusted, from runs that are each worse than it in one respect.

A run at half the population (or with half the chunk), one at ten times the tolerance and one at twice the time step
say what part of an error each of them makes.  They are pieces with seeds of their own, and in all else runs of
`sample`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError, SiteSamplerError, is_integer, is_number, listing
from sitesampler.records.names import STDERR
from sitesampler.results.compare import same_lengths
from sitesampler.results.provenance import provenance
from sitesampler.results.time_steps import change_of_steps, time_steps
from sitesampler.runs.calls import sample
from sitesampler.runs.options import DEFAULT_TOLERANCE
from sitesampler.runs.pieces import Piece
from sitesampler.worlds.execute import Program

if TYPE_CHECKING:
    import xarray as xr

#: Times the tolerance in the run that shows what the tolerance does.
_LOOSER = 10
#: Root mean square of a part in its standard errors from which it counts as seen.
_SEEN = 2.5
#: A relative standard error up to so many tolerances is the floor that every result has (half of one, see
#: its tasks), and not that of sampling.
_AT_FLOOR = 0.75


@dataclass(frozen=True)
class _Part:
    """One kind of error: the run that shows it, and what fraction of the change it is.

    Attributes
    ----------
    kind : str
        Ending of its variables.
    options : dict
        Options and parameters in which the run differs from the one that is diagnosed.
    weight : float
        Error of the base run over the change from the base run to this one.
    subtracted : bool
        Whether its order is known well enough to extrapolate.
    """

    kind: str
    options: dict[str, Any]
    weight: float = 1.0
    subtracted: bool = True

    @property
    def words(self) -> str:
        """The kind, in words."""
        return self.kind.replace("_", " ")

    @property
    def limit(self) -> str:
        """Where there is no such error."""
        return "zero time step" if self.kind == "time_step" else f"infinite {self.kind}"


#: Options of `sample` that are about what a run leaves behind, which several runs cannot leave in one place.
_OF_ONE_RUN = ("keep", "keep_replicas", "checkpoint", "resume", "overwrite", "export")
_MEANINGS = {
    "population": "part of the error of {} that the finite population makes",
    "chunk": "part of the error of {} that the finite chunk makes",
    "time_step": "part of the error of {} that the time step makes",
    "tolerance": "part of the error of {} that the tolerance makes, at most",
}
_ADVICE = {
    "sampling": "sampling dominates: use more replicas",
    "floor": "the errors are those that the tolerance leaves room for: lower it if they are too large",
    "population": "the finite population dominates: use a larger one, or the extrapolated value",
    "chunk": "the finite chunk dominates: use a larger one, or the extrapolated value",
    "time_step": "the time step dominates: halve dt, or use the extrapolated value",
    "tolerance": "the tolerance dominates: lower it",
    "zero": "zero within the error",
}


def diagnose(
    program: Program,
    *,
    population: int = 10_000,
    replicas: int = 8,
    seed: int | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    chunk: int | None = None,
    client: Any = None,
    progress: bool | None = None,
    **options: Any,
) -> xr.Dataset:
    """Say what part of the error of a run is sampling, finite population or chunk, time step and tolerance.

    The run is that of `sample` with the same options.  It is repeated, with independent random numbers, at half the
    population and twice the replicas (in iterations: with half the chunk), at ten times the tolerance and, where the
    program has a parameter ``dt``, at twice the step.  Together they cost three to four times the run itself.

    Parameters
    ----------
    program, population, replicas, seed, tolerance, chunk, client, progress
        See `sample`.
    **options
        Other options of `sample`, and parameters of the program.

    Returns
    -------
    xarray.Dataset
        For every variable ``x`` that has an error, on the coordinates that all runs share: ``x`` and ``x_stderr`` of
        the run itself; ``x_population`` (or ``x_chunk``), ``x_time_step`` and ``x_tolerance``, the estimated parts
        of x minus its limit; ``x_extrapolated``, which is x less its parts of population (or chunk) and time step;
        each with its standard error ``..._stderr``.  The attribute ``summary`` is a table to print; ``runs`` lists
        the runs.  A run that fails takes its part with it, not the rest: ``left_out`` says which and why, and
        ``x_extrapolated`` what it does not remove.

    Raises
    ------
    InputError, ProgramError, PopulationTooSmall, OutOfMemory, NotFinite
        See `sample`: if the run itself fails.

    Notes
    -----
    Finite populations bias a result by order 1/population, iterations by 1/chunk, steps of a scheme of order p by dt^p:
    the change to the coarser run is then the part itself, or 2^p - 1 times it.  The part of the tolerance is a ninth of
    the change, as if a tenth of the tolerance made it 10 times smaller; in exact systems that is 11 to 80 times: a
    bound, which is not subtracted.

    The runs are independent.  An extrapolated value is 3x - x' - x'' of three of them, with errors in quadrature:
    without bias to leading order, and about three times as uncertain as x.

    Examples
    --------
    >>> from sitesampler import models
    >>> ds = diagnose(models.random_rnn, population=400, replicas=4, seed=0, g=1.5, dt=0.25, duration=2)
    >>> [str(name) for name in ds if str(name).startswith("C_h") and not str(name).endswith("stderr")]
    ['C_h', 'C_h_population', 'C_h_time_step', 'C_h_tolerance', 'C_h_extrapolated']
    >>> print(ds.summary.splitlines()[0])
    random_rnn: largest error of each kind over the largest value (root mean square in standard errors: 1 is noise)
    """
    _check(population, replicas, tolerance, chunk, options)
    entropy = int(np.random.SeedSequence(seed if is_integer(seed, 0) else None).entropy)  # type: ignore[arg-type]
    common: dict[str, Any] = {"client": client, "progress": progress, "keep": 0, **options}
    first: dict[str, Any] = {"population": population, "replicas": replicas, "tolerance": tolerance}
    first |= {} if chunk is None else {"chunk": chunk}
    # What sample refuses, it refuses here, before any work; a seed that is none is handed on to be refused too.
    base = sample(program, **common, **first, seed=entropy if is_integer(seed, 0) else seed)
    first |= {name: base.attrs[name] for name in ("population", "replicas", "tolerance")}
    parts = _parts(program, base, first, options)
    runs: list[dict[str, Any]] = [{**first, "seed": entropy}]
    seen: list[tuple[_Part, xr.Dataset]] = []
    left_out: list[tuple[_Part, str]] = []
    pieces = [Piece(part.kind, (number,), ({**first, **part.options},)) for number, part in enumerate(parts)]
    if client is not None:
        common["progress"] = False  # several bars at a time would overwrite each other

    def work(piece: Piece) -> xr.Dataset | SiteSamplerError:
        (call,) = piece.arguments
        try:
            return sample(program, **{**common, **call, "seed": _seed(entropy, piece)})
        except SiteSamplerError as error:
            # The base run went well, and is not lost: half a chunk may have too few samples, a double step may not fit
            # the duration or be too long.
            return error

    for part, piece, found in zip(parts, pieces, workers_for(client).lead(work, pieces), strict=True):
        try:
            seen.append(_seen_in(part, found, base))
        except SiteSamplerError as error:
            left_out.append((part, f"in the run at {_words(part)}, {error}"))
        runs.append({**piece.arguments[0], "seed": _seed(entropy, piece)})
    dataset, names = _assemble(base, seen, left_out)
    made = {key: fact for key, fact in base.attrs.items() if key not in ("title", "versions", "keep")}
    attrs = provenance(**made, runs=runs) | {"title": f"diagnosis of {base.attrs['title']}"}
    attrs |= {"left_out": "; ".join(f"{part.words}: {reason}" for part, reason in left_out)} if left_out else {}
    kinds = [part.kind for part, _ in seen]
    return dataset.assign_attrs(**attrs, summary=_summary(dataset, names, kinds, base.attrs, attrs.get("left_out")))


# ------------------------------------------------------------------------------------------------- which runs to make
def _check(population: Any, replicas: Any, tolerance: Any, chunk: Any, options: dict[str, Any]) -> None:
    """Refuse what only a diagnosis minds; `sample` refuses everything else."""
    for name, value in (("population", population), ("chunk", chunk)):
        if is_integer(value, 2) and value < 4:
            raise InputError(f"{name} must be at least 4 to be halved, not {value!r}")
    if is_integer(replicas) and replicas == 1:
        raise InputError("a diagnosis sets differences against standard errors; it needs replicas of at least 2, not 1")
    if is_number(tolerance) and 1 <= _LOOSER * tolerance < _LOOSER:
        raise InputError(f"tolerance must be below {1 / _LOOSER} to be raised {_LOOSER} times, not {tolerance!r}")
    for name in _OF_ONE_RUN:
        if name in options:
            raise InputError(f"{name} is an option of a single run, and a diagnosis makes several; leave it out")


def _parts(program: Any, base: xr.Dataset, first: dict[str, Any], options: dict[str, Any]) -> list[_Part]:
    twice = 2 * first["replicas"]
    # In iterations the draws of chunks are matched to the order parameters, and so the chunk makes the bias.
    if "chunk" in base.attrs:
        size = _in_use(base.attrs["chunk"], first["population"])
        weight = 1 / (size / _in_use(size // 2, first["population"]) - 1)
        parts = [_Part("chunk", {"chunk": size // 2}, weight)]
    else:
        size = first["population"]
        # With twice the replicas, this run costs, and scatters, as the base run does.
        options_of_half = {"population": size // 2, "replicas": twice}
        parts = [_Part("population", options_of_half, 1 / (size / (size // 2) - 1))]
    dt = options.get("dt", _default(program, "dt"))
    if is_number(dt) and time_steps(base):
        every = options.get("every", 1)
        thinned = {"every": every // 2} if every % 2 == 0 else {}  # the times that are recorded stay the same
        parts.append(_Part("time_step", {"dt": 2 * float(dt), "replicas": twice, **thinned}))
    looser = {"tolerance": _LOOSER * first["tolerance"]}
    return [*parts, _Part("tolerance", looser, 1 / (_LOOSER - 1), subtracted=False)]


def _seen_in(part: _Part, found: xr.Dataset | SiteSamplerError, base: xr.Dataset) -> tuple[_Part, xr.Dataset]:
    """Return a part with its run; that of the time step counts with the order of what has other steps in this."""
    if isinstance(found, SiteSamplerError):
        raise found
    if part.kind == "time_step":
        part = replace(part, weight=change_of_steps(base, found).weight)
    return part, found


def _in_use(chunk: int, population: int) -> int:
    """Return the size of chunks that divide a population equally, when they are at most as large as asked for."""
    return -(-population // -(-population // chunk))


def _words(part: _Part) -> str:
    return ", ".join(f"{name}={value}" for name, value in part.options.items())


def _default(program: Any, name: str) -> Any:
    parameter = inspect.signature(program).parameters.get(name)
    return None if parameter is None else parameter.default


def _seed(entropy: int, piece: Piece) -> int:
    """Return the seed of a run: independent of the others, and of the base run's own."""
    high, low = piece.stream(entropy).generate_state(2)
    return (int(high) << 32 | int(low)) >> 1  # below 2^63, so that attributes can hold it


# -------------------------------------------------------------------------------------------------- what they say
def _assemble(
    base: xr.Dataset, seen: list[tuple[_Part, xr.Dataset]], left_out: list[tuple[_Part, str]]
) -> tuple[xr.Dataset, list[str]]:
    """Return all variables of the diagnosis, and the names of those that are diagnosed."""
    import xarray as xr

    datasets = [base, *(ds for _, ds in seen)]
    names = [str(name) for name in base.data_vars if all(f"{name}{STDERR}" in ds for ds in datasets)]
    wanted = [*names, *(name + STDERR for name in names)]
    fine, *coarser = xr.align(*same_lengths([ds[wanted] for ds in datasets]), join="inner")
    removed = [part.limit for part, _ in seen if part.subtracted]
    remaining = [(part, reason) for part, reason in left_out if part.subtracted]
    out: dict[str, xr.DataArray] = {}
    for name in names:
        x, error, meaning = fine[name], fine[name + STDERR], base[name].attrs["long_name"]
        out |= {name: x, name + STDERR: error}
        # x_extrapolated = (1 + sum of weights) x - sum of weights x': x is in all parts, so their errors are not
        # independent, and its own counts with the sum.
        limit, share, variance = x, 1.0, 0 * error
        for (part, _), coarse in zip(seen, coarser, strict=True):
            value, other = part.weight * (coarse[name] - x), part.weight * coarse[name + STDERR]
            uncertain = ((part.weight * error) ** 2 + other**2) ** 0.5
            out |= _labelled(f"{name}_{part.kind}", value, uncertain, _MEANINGS[part.kind].format(meaning))
            if part.subtracted:
                limit, share, variance = limit - value, share + part.weight, variance + other**2
        if not removed:
            continue
        text = f"{meaning}, extrapolated to {' and '.join(removed)}"
        text += "".join(f", not to {part.limit}" for part, _ in remaining)
        limits = _labelled(f"{name}_extrapolated", limit, (variance + (share * error) ** 2) ** 0.5, text)
        for part, reason in remaining:  # one at most, as another one was removed
            limits[f"{name}_extrapolated"].attrs["comment"] = f"the part of the {part.words} is left out: {reason}"
        out |= limits
    dataset = xr.Dataset(out)
    for dim in dataset.coords:
        dataset[dim].attrs = base[dim].attrs
    return dataset, names


def _labelled(name: str, value: xr.DataArray, error: xr.DataArray, text: str) -> dict[str, xr.DataArray]:
    return {
        name: value.assign_attrs(long_name=text, units="1"),
        name + STDERR: error.assign_attrs(long_name=f"standard error of the {text}", units="1"),
    }


# ------------------------------------------------------------------------------------------------- in one table
def _summary(
    dataset: xr.Dataset, names: list[str], kinds: list[str], facts: dict[str, Any], left_out: str | None
) -> str:
    """Return a table with a row for each variable that is not zero within its error, and a line for each verdict."""
    rows = [["", "sampling", *(kind.replace("_", " ") for kind in kinds)]]
    verdicts: dict[str, list[str]] = {}
    for name in names:
        x, error = dataset[name].values, dataset[name + STDERR].values
        parts = {kind: [dataset[f"{name}_{kind}{end}"].values for end in ("", STDERR)] for kind in kinds}
        # Not before a value is defined, nor where it is zero by causality, nor where only some runs have it.
        known = np.isfinite(x) & (x != 0) & (error > 0) & np.all([np.isfinite(part) for part, _ in parts.values()], 0)
        if not known.any():
            continue
        if _rms(x[known] / error[known]) < _SEEN:
            verdicts.setdefault("zero", []).append(name)
            continue
        scale = _largest(x[known])
        sizes = {"sampling": _largest(error[known]) / scale}
        cells = [_percent(sizes["sampling"])]
        for kind, (part, uncertain) in parts.items():
            size, units = _largest(part[known]) / scale, _rms(part[known] / uncertain[known])
            cells.append(f"{_percent(size)} ({units:.2g})")
            if units >= _SEEN:
                sizes[kind] = size
        worst = max(sizes, key=lambda kind: sizes[kind])
        at_floor = worst == "sampling" and sizes[worst] <= _AT_FLOOR * facts["tolerance"]
        verdicts.setdefault("floor" if at_floor else worst, []).append(name)
        rows.append([name, *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    title = "largest error of each kind over the largest value (root mean square in standard errors: 1 is noise)"
    lines = [f"{facts['program']}: {title}"]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{listing(names)}: {_ADVICE[verdict]}" for verdict, names in verdicts.items()]
    return "\n".join([*lines, *([f"left out: {left_out}"] if left_out else [])])


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"


def _largest(values: np.ndarray) -> float:
    return float(np.max(np.abs(values)))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.abs(values) ** 2)))
