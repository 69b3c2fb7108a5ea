"""What tests of iterations share: tasks and chunks by hand, a program that diverges, and what the same bits are."""

from typing import Any

import numpy as np
import xarray as xr

from sitesampler.physics.estimates import Estimates, factorised
from sitesampler.runs import chunks
from sitesampler.runs.chunks import ChunkOutcome, Chunks, run_chunk, run_start
from sitesampler.runs.options import Sampled
from sitesampler.runs.task import Task, prepare


def silent(_: int) -> None:
    """Report progress to nobody."""


def task_of(program: Any, size: int, tolerance: float = 1e-3, dtype: str = "float64", **parameters: Any) -> Task:
    """Return the task of chunks of this size, of a population ten times as large."""
    asked = Sampled(population=10 * size, seed=0, keep=0, tolerance=tolerance, dtype=dtype)
    return prepare(program, parameters, asked, size)


def start_of(task: Task, replica: int = 0, coupled: bool = True) -> Estimates:
    return run_start((task, coupled), chunks.start_of(replica), silent)


def chunk_of(task: Task, estimates: Estimates, number: int = 0, size: int | None = None) -> ChunkOutcome:
    shared = Chunks(task, [factorised(estimates, task.tolerance)], 0)
    return run_chunk(shared, shared.piece(0, number, 0, size or task.size), silent)


def exploding(net: Any, *, threshold: float = 3.5) -> None:
    """Relax, but diverge for the few samples that are beyond a threshold."""
    sites = net.sites()
    J, h = net.coupling(sites, gain=0.5), sites.normal()
    for t in net.clock(0.4, 0.1):
        net.record(t, h=h)
        h = np.where((h > threshold) & (t > 0.05), np.inf, h) + 0.1 * (J @ h)


def identical(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Say whether two results have the same bits, and the same attributes."""
    names = list(one.data_vars) == list(other.data_vars) and one.attrs == other.attrs
    return names and all(one[name].values.tobytes() == other[name].values.tobytes() for name in one.variables)
