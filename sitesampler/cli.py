"""The command line: ``sitesampler run STUDY.toml``, ``sitesampler verify`` and ``sitesampler list``.

Arguments in, words and an exit code out.
Nothing heavy is imported before it is needed, so that ``--help`` answers at once.

Exit codes: 0 done, 1 a run failed (it diverged, the disk was full, the cluster was lost), 2 the user's input was
refused, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sitesampler.errors import (
    InputError,
    OutOfMemory,
    PopulationTooSmall,
    ProgramError,
    SiteSamplerError,
    did_you_mean,
)
from sitesampler.version import __version__

if TYPE_CHECKING:
    import xarray as xr

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
_REFUSALS = (InputError, ProgramError, PopulationTooSmall, OutOfMemory)

#: Residual of a result, in units of its error, that chance hardly exceeds.
_CHANCE = 3.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="sitesampler",
        description="Sample the single-site processes of dynamical mean-field theory, beside direct simulation.",
    )
    parser.add_argument(
        "--version", action="version", version=f"sitesampler {__version__}", help="print the version and stop"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a study file and store its datasets and figure",
        description="Run a study file: sample the program at N = infinity, simulate it at finite N where the file "
        "asks for it, and store datasets (Zarr) and figure (PNG).",
    )
    run.add_argument("study", metavar="STUDY.toml", help="the study file")
    run.add_argument("--output", metavar="DIR", help="folder for the results (default: results/<study name>)")
    run.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting of the file, for example sample.population=1000 or parameters.g=1.5; the value is "
        "TOML, so strings keep their quotes; may be repeated",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run of the same study in the same folder that was interrupted: same seeds, same bits",
    )
    run.add_argument(
        "--overwrite", action="store_true", help="replace the results of an earlier run in the same folder"
    )
    run.add_argument("--scheduler", metavar="ADDRESS", help="run on a dask cluster, for example tcp://10.0.0.1:8786")
    for name, what in (("tls-ca-file", "the authority's certificate"), ("tls-cert", "certificate"), ("tls-key", "key")):
        run.add_argument(f"--{name}", metavar="FILE", help=f"{what} for a scheduler at tls://... (PEM)")
    run.add_argument("--no-progress", action="store_true", help="show no progress bar")
    run.add_argument("--traceback", action="store_true", help="show where in the code a failed run went wrong")
    verify = commands.add_parser(
        "verify",
        help="check systems against closed forms and direct simulation",
        description="Sample every system, or those named, and put the results beside closed forms and direct "
        "simulations: one table and a verdict.  Exit code 1 if a row deviates more than chance allows over the whole "
        "table, or more than the tolerance where the sampler is exact.",
    )
    verify.add_argument("systems", nargs="*", metavar="SYSTEM", help="models to verify (default: all)")
    verify.add_argument("--quick", action="store_true", help="small runs: minutes instead of half an hour")
    verify.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    verify.add_argument("--output", metavar="FILE", help="also write the table there: Markdown for .md, else text")
    verify.add_argument("--traceback", action="store_true", help="show where in the code a failed run went wrong")
    listing = commands.add_parser(
        "list",
        help="name the models, one line each, or the parameters of one",
        description="Name the models, one line each, or what the parameters of one model mean and may be.",
    )
    listing.add_argument("model", nargs="?", metavar="NAME", help="the model whose parameters to list")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Words after the command's name; those of the process if None.

    Examples
    --------
    >>> main(["run", "no_such_study.toml"])  # with one sentence on stderr
    2
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # where ± or a letter of a title cannot be shown, a question mark stands
            stream.reconfigure(errors="replace")
    options = build_parser().parse_args(arguments)
    try:
        code = _carried_out(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _unheard(options)
    except KeyboardInterrupt:
        kept = "; what was complete is kept, and --resume goes on from it" if options.command == "run" else ""
        return _end(f"interrupted{kept}", INTERRUPTED)
    except SiteSamplerError as error:
        if options.command != "list" and options.traceback:
            traceback.print_exc()
        return _end(str(error), REFUSED if isinstance(error, _REFUSALS) else FAILED)
    except Exception as error:
        if options.command == "run" and options.traceback:
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        return _end(f"the run failed with {reason} (--traceback shows where)", FAILED)


def _carried_out(options: argparse.Namespace) -> int:
    if options.command == "list":
        return _list() if options.model is None else _list_parameters(options.model)
    return _verify(options) if options.command == "verify" else _run(options)


def _unheard(options: argparse.Namespace) -> int:
    """End without a word when whoever reads the output has enough of it, as in ``sitesampler list | head -1``."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes there
    return DONE if options.command == "list" else FAILED


def _end(sentence: str, code: int) -> int:
    _say(sentence)
    return code


def _say(sentence: str) -> None:
    print(f"sitesampler: {sentence}", file=sys.stderr, flush=True)


def _list() -> int:
    from sitesampler import models

    width = max(map(len, models.NAMES))
    for name in models.NAMES:
        print(f"{name:{width}}  {models.summary(name)}")
    return DONE


def _list_parameters(name: str) -> int:
    from sitesampler import models
    from sitesampler.signatures import described

    if name not in models.NAMES:
        raise InputError(f"there is no model {name!r}{did_you_mean(name, models.NAMES)}; `sitesampler list` names them")
    print(f"{name}: {models.summary(name)}")
    for parameter in described(getattr(models, name)):
        print(f"\n  {parameter.name} = {parameter.default!r}\n      {parameter.meaning}\n      {parameter.words}")
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from sitesampler.verification import Row, chosen, judge, rows_of, table

    systems = chosen(options.systems)
    if options.output == "" or "\0" in (options.output or ""):
        raise InputError(f"--output must name a file, not {options.output!r}")
    if options.seed < 0:
        raise InputError(f"the seed must be a natural number, not {options.seed}")
    if options.output is not None:
        _write(options.output, "", "a")  # refused before the runs, not after
    rows: list[Row] = []
    broken, interrupted = [], False
    for system in systems:
        print(f"{system} ... ", end="", file=sys.stderr, flush=True)
        started, before = time.perf_counter(), len(rows)
        try:
            rows.extend(rows_of(system, quick=options.quick, seed=options.seed))  # one by one
            end = ""
        except KeyboardInterrupt:
            interrupted, end = True, ", interrupted"
        except Exception as error:
            if options.traceback:
                traceback.print_exc()
            reason = str(error) if isinstance(error, SiteSamplerError) else f"{type(error).__name__}: {error}"
            broken.append(f"{system} did not finish: {reason}".replace("\n", " "))
            end = ", failed"
        print(f"{len(rows) - before} rows in {time.perf_counter() - started:.1f} s{end}", file=sys.stderr, flush=True)
        if interrupted:
            break
    verdict = judge(rows)
    sentences = [*verdict.sentences, *broken]
    print(table(rows, verdict.share), *["", *sentences], sep="\n")
    if options.output is not None:
        markdown = options.output.endswith(".md")
        _write(options.output, "\n".join([table(rows, verdict.share, markdown), "", *sentences]) + "\n")
    if interrupted:
        return _end("interrupted; the table has the rows that were done by then", INTERRUPTED)
    return DONE if verdict.passed and not broken else FAILED


def _write(path: str, text: str, mode: str = "w") -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # a named pipe would wait for a reader for ever
        raise InputError(f"{path} is not a file")
    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _run(options: argparse.Namespace) -> int:
    # The file is read before the slow imports, so that mistakes in it are answered at once.
    from sitesampler.studies.study_file import read_study

    if options.output == "" or "\0" in (options.output or ""):
        raise InputError(f"--output must name a folder, not {options.output!r}")
    study = read_study(options.study, options.set)

    from sitesampler.runs.iteration import NotConverged
    from sitesampler.studies.run import run_study

    with _cluster(options) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # told by `consistency`
        result = run_study(
            study,
            options.output,
            progress=False if options.no_progress else None,
            announce=lambda folder: print(f"{study.title}: writing to {folder}", flush=True),
            resume=options.resume,
            overwrite=options.overwrite,
            client=client,
            note=_say,
        )
    for path in result.paths:
        print(f"wrote {path}")
    for world, dataset in (("sampler", result.sample), ("simulation", result.simulation)):
        if dataset is not None:
            size = f"N = {dataset.attrs['size']}" if "size" in dataset.attrs else "N = infinity"
            for line in (*headlines(dataset), *consistency(dataset)):
                print(f"{world}, {size}: {line}")
    return DONE


@contextlib.contextmanager
def _cluster(options: argparse.Namespace) -> Iterator[Any]:
    """Connect to the scheduler, if one is named, and leave it again."""
    tls = {"ca": options.tls_ca_file, "cert": options.tls_cert, "key": options.tls_key}
    if options.scheduler is None:
        if any(tls.values()):
            raise InputError("the --tls files are for a scheduler; name it with --scheduler tls://HOST:PORT")
        yield None
        return
    from sitesampler.compute.clusters import connect

    client = connect(options.scheduler, **tls)
    try:
        yield client
    except KeyboardInterrupt:  # points of a sweep that still wait would take a closed client for a lost scheduler
        raise
    except BaseException:
        client.close()
        raise
    client.close()


def consistency(dataset: xr.Dataset) -> list[str]:
    """Return in words how far the order parameters of a result are from those that its samples give.

    Parameters
    ----------
    dataset
        Result of `sitesampler.sample` or a sweep of it; a march has nothing to say here.

    Returns
    -------
    list of str
        One sentence or none.

    Examples
    --------
    >>> import xarray as xr
    >>> consistency(xr.Dataset(attrs={"self_consistency_residual": 1.1, "iterations": 6, "converged": 1}))
    ['self-consistent within its Monte Carlo error (residual 1.1 after 6 iterations)']
    """

    def values(name: str) -> list[float]:
        if name in dataset:  # of the points of a sweep
            return [value for value in dataset[name].values.ravel().tolist() if value == value]
        return [dataset.attrs[name]] if name in dataset.attrs else []

    residuals, iterations, converged = map(values, ("self_consistency_residual", "iterations", "converged"))
    if not residuals:
        return []
    found = f"residual {max(residuals):.2g}" if len(residuals) == 1 else f"largest residual {max(residuals):.2g}"
    if iterations:
        found += f" after {max(iterations):.0f} iterations"
    if all(converged) and max(residuals) < _CHANCE:
        return [f"self-consistent within its Monte Carlo error ({found})"]
    settled = "self-consistent to the tolerance asked for only" if all(converged) else "not self-consistent yet"
    return [f"{settled} ({found}; about 1 when nothing but chance is left)"]


def headlines(dataset: xr.Dataset, count: int = 2) -> list[str]:
    """Return the last values of recorded numbers, then of correlations, each with its standard error.

    Parameters
    ----------
    dataset
        Result of `sitesampler.sample` or `sitesampler.simulate`.
    count
        How many quantities to name at most.

    Returns
    -------
    list of str
        Such as ``C_h(50, 50) = 1.2345 ± 0.0012``.
    """
    from sitesampler.records.names import CORRELATION, KURTOSIS, MEAN, RESPONSE, STANDARD_ERROR
    from sitesampler.verification.verdict import with_error

    start = CORRELATION.name("")
    correlations = [str(name) for name in dataset.data_vars if str(name).startswith(start)]
    derived = [kind.name(name.removeprefix(start)) for name in correlations for kind in (MEAN, KURTOSIS, RESPONSE)]
    numbers = [str(name) for name in dataset.data_vars if name not in (*correlations, *derived)]
    lines = []
    for name in (*numbers, *correlations):
        values, error = dataset[name], dataset.get(STANDARD_ERROR.name(name))
        if error is None or any(dim not in ("time", "time_", "layer") for dim in values.dims):
            continue
        last = dict.fromkeys(values.dims, -1)
        value, stderr = float(values.isel(last)), float(error.isel(last))
        if value == value:
            where = ", ".join(f"{float(dataset[dim][-1]):g}" for dim in values.dims)
            lines.append(f"{name}({where}) = {with_error(value, stderr)}")
    return lines[:count]
