"""How often 95 % intervals cover the truth: the table of docs/errors.md.

    python studies/benchmarks/error_coverage.py                   # 2,000 results each, several hours
    python studies/benchmarks/error_coverage.py --results 200 --only chaotic --way "march 200"

Each result is one of eight replicas, as `sitesampler.sample` returns it.  The replicas of one long march, which are
independent, are dealt out in eights with the smaller runs that go with them, and go through the same statistics;
iterations, which judge all their replicas together, are one call for each result.  The
truth is what a population a hundred times larger gives with many replicas; where a system has a closed form, the tests
set that against it.  A line gives the least, the mean and the largest fraction over the recorded times of a variable,
early and late, equal and unequal.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr

import sitesampler as ss
from sitesampler.errors import SiteSamplerError
from sitesampler.results import combine as results

REPLICAS, LEVEL = 8, 0.95


@dataclass(frozen=True)
class System:
    """A program, its parameters, and of how many steps one is recorded."""

    program: Callable[..., None]
    parameters: dict[str, Any]
    every: int


def with_source(net: Any, *, g: float, symmetry: float, dt: float, duration: float) -> None:
    """Run a partially symmetric network, with its response."""
    neurons = net.sites()
    J, h = net.coupling(neurons, gain=g, symmetry=symmetry), neurons.normal()
    for t in net.clock(duration, dt):
        activity = np.tanh(h)
        net.record(t, h=h, phi=activity)
        h = h + dt * (J @ activity - h + net.source(neurons))


def mean_field(net: Any, *, coupling: float, dt: float, duration: float) -> None:
    """Run noisy units that see their mean activity, a tenth below the pitchfork of the noiseless ones."""
    units = net.sites()
    h = units.normal()
    for t in net.clock(duration, dt):
        activity = net.mean(np.tanh(h))
        net.record(t, h=h, activity=activity)
        h = h + dt * (coupling * activity - h) + np.sqrt(dt) * units.normal()


SYSTEMS = {
    "linear": System(ss.models.random_rnn, {"g": 0.9, "phi": lambda h: h, "dt": 0.2, "duration": 4.0}, 5),
    "chaotic": System(ss.models.random_rnn, {"g": 2.0, "dt": 0.2, "duration": 4.0}, 5),
    "partially symmetric": System(with_source, {"g": 1.6, "symmetry": 0.6, "dt": 0.25, "duration": 3.0}, 4),
    "perceptron": System(ss.models.perceptron_flow, {"alpha": 2.0, "dt": 0.5, "duration": 4.0}, 2),
    "ridge regression": System(ss.models.regression_flow, {"dt": 0.25, "duration": 3.0}, 4),
    "pitchfork": System(mean_field, {"coupling": 0.9, "dt": 0.2, "duration": 4.0}, 5),
    "deep network": System(ss.models.deep_network, {"depth": 2, "steps": 4, "outlier_times": ()}, 1),
    "spherical 3-spin": System(ss.models.spherical_pspin, {"temperature": 0.6, "dt": 0.1, "duration": 2.0}, 5),
}
WAYS: dict[str, dict[str, Any]] = {
    "march 200": {"population": 200},
    "march 2000": {"population": 2_000},
    "chunks of 50": {"population": 200, "chunk": 50, "iterations": "auto"},
    "chunks of 200": {"population": 800, "chunk": 200, "iterations": "auto"},
    "chunks of 1000": {"population": 4_000, "chunk": 1_000, "iterations": "auto"},
}


@contextmanager
def caught() -> Iterator[list[tuple[list[Any], results.SmallerRuns | None]]]:
    """Take what replicas have recorded on its way to the statistics."""
    found: list[tuple[list[Any], results.SmallerRuns | None]] = []

    def keep(replicas: list[Any], attrs: dict[str, Any], *_: Any, smaller: Any, **__: Any) -> xr.Dataset:
        found.append((replicas, smaller))
        return results.combine(replicas[:1], attrs)

    where = ("sitesampler.runs.march.combine", "sitesampler.runs.iteration.combine")
    with mock.patch(where[0], keep), mock.patch(where[1], keep):
        yield found


def dealt(replicas: list[Any], smaller: results.SmallerRuns | None) -> Iterator[xr.Dataset]:
    """Return the result of each eight replicas."""
    for start in range(0, len(replicas), REPLICAS):
        here = slice(start, start + REPLICAS)
        few = None if smaller is None else results.SmallerRuns(smaller.variables[here], smaller.times_smaller)
        yield results.combine(replicas[here], {"replicas": REPLICAS}, smaller=few)


def results_of(system: System, way: dict[str, Any], count: int, seed: int) -> Iterator[xr.Dataset]:
    """Return so many independent results of a system."""
    call: dict[str, Any] = {"every": system.every, "keep": 0, "progress": False, **way, **system.parameters}
    if "iterations" in way:
        for number in range(count):
            yield ss.sample(system.program, replicas=REPLICAS, seed=1_000_000 * seed + number, **call)
        return
    with caught() as found:
        ss.sample(system.program, replicas=REPLICAS * count, seed=seed, **call)
    yield from dealt(*found[-1])


def measure(system: System, way: dict[str, Any], count: int, seed: int, truth: xr.Dataset) -> None:
    """Print the coverage of each variable of a system."""
    start, covered = time.perf_counter(), dict[str, list[np.ndarray]]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            for ds in results_of(system, way, count, seed):
                for name in map(str, truth.data_vars):
                    if f"{name}_stderr" in truth:
                        low, high = ss.interval(ds, name, LEVEL)
                        within = (low <= truth[name]) & (truth[name] <= high)
                        covered.setdefault(name, []).append(within.where(np.isfinite(low)).values)
        except SiteSamplerError as error:
            print(f"    refused: {error}", flush=True)
            return
    heard = Counter(one.category.__name__ for one in said if issubclass(one.category, UserWarning))
    print(f"    {time.perf_counter() - start:.0f} s", *(f"; {name} {count}" for name, count in heard.items()), sep="")
    for name, each in covered.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fractions = 100 * np.nanmean(np.array(each), 0).ravel()
        fractions = fractions[np.isfinite(fractions)]
        if fractions.size:
            print(f"    {name:14s} {fractions.min():5.1f} {fractions.mean():5.1f} {fractions.max():5.1f} %", flush=True)


def true_values(system: System) -> xr.Dataset:
    """Return what a large population gives."""
    options: dict[str, Any] = {"population": 20_000, "replicas": 48, "seed": 99, "tolerance": 1e-4}
    return ss.sample(
        system.program, every=system.every, keep=0, progress=False, **options, **system.parameters
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=2_000)
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--way", nargs="*", default=list(WAYS), choices=list(WAYS))
    asked = parser.parse_args()
    print(f"coverage of {100 * LEVEL:.0f} % intervals: least, mean, largest over times; {asked.results} results each")
    for name in asked.only:
        truth = true_values(SYSTEMS[name])
        for number, way in enumerate(asked.way):
            print(f"{name}, {way}", flush=True)
            measure(SYSTEMS[name], WAYS[way], asked.results, number, truth)


if __name__ == "__main__":
    main()
