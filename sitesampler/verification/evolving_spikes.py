"""Spikes that a matrix made itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import evolving_spikes as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check outliers after spikes that the matrix made itself; the formula for independent spikes is 12 % off."""
    parameters: dict[str, Any]
    program = models.evolving_spikes
    for rate, strength, spikes in ((0.25, 1.6, 3), (0.25, -1.6, 3), (-0.6, 1.1, 4)):
        parameters = {"rate": rate, "strength": strength, "spikes": spikes}
        ds = run.exact(program, f"rate {rate:g}, strength {strength:g}", population=60, **parameters)
        exact = theory.outliers(rate, strength, spikes)
        last = {"time": spikes - 1}
        yield of(ds, "C_v").exactly(theory.level_one(rate, strength, spikes).overlaps)
        yield of(ds, "outliers", **last, outlier=0).exactly(exact[0])
        yield of(ds, "spike_overlap", **last, outlier=0).exactly(theory.spike_overlap(rate, strength, spikes)[0, 0])
        naive = theory.naive_outliers(rate, strength, spikes)[0]
        yield of(ds, "outliers", **last, outlier=0).not_by(naive, kind="naive formula, eq. 102")
    parameters = {"rate": 0.25, "strength": 1.6, "spikes": 3}
    ds = run.exact(program, "rate 0.25, strength 1.6", population=60, **parameters)
    network = run.networks(program, size=150, replicas=100, **parameters)
    yield of(ds, "outliers", time=2, outlier=0).simulation(network)
    yield of(ds, "spike_overlap", time=2, outlier=0).simulation(network)
    yield of(ds, "C_v", time=2, time_=1).simulation(network)
