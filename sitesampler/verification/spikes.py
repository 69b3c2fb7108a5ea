"""Sections 9 to 11.1 of the tutorial: outliers of spiked Wigner matrices, with given and with self-made spikes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import evolving_spikes as closed_evolving
from sitesampler.theory import spiked_wigner as closed_spiked
from sitesampler.verification.rows import Row, of
from sitesampler.verification.runs import Runs


def spiked_wigner(run: Runs) -> Iterator[Row]:
    """Check the BBP transition: outliers, overlaps of their vectors, and the flow that finds them."""
    parameters: dict[str, Any]
    program: Any = models.spiked_wigner
    two = ((1.0, 0.3), (0.3, 1.5))
    for overlaps, strength in ((((1.0,),), 1.6), (((1.0,),), -1.6), (two, 1.8), (two, 0.9)):
        spikes = f"{len(overlaps)} spike{'s' if len(overlaps) > 1 else ''}, strength {strength:g}"
        parameters = {"overlaps": overlaps, "strength": strength, "dt": 0.1, "duration": 2.0}
        ds = run.exact(program, spikes, population=300, **parameters)
        start = np.zeros(len(overlaps))
        yield of(ds, "outliers", time=2).exactly(closed_spiked.outliers(overlaps, strength))
        yield of(ds, "spike_overlap", time=2).exactly(closed_spiked.spike_overlap(overlaps, strength))
        yield of(ds, "C_h").exactly(closed_spiked.probe_correlation(overlaps, strength, start, 0.1, 20))
    parameters = {"overlaps": two, "strength": 1.8, "dt": 0.1, "duration": 0.2}
    ds = run.exact(program, "2 spikes, strength 1.8", population=100, **parameters)
    network = run.networks(program, size=200, replicas=100, **parameters)
    yield of(ds, "outliers", time=0.2).simulation(network)
    yield of(ds, "spike_overlap", time=0.2).simulation(network)
    yield of(ds, "C_h", time=0.2, time_=0.2).simulation(network)


def evolving_spikes(run: Runs) -> Iterator[Row]:
    """Check outliers after spikes that the matrix made itself; the formula for independent spikes is 12 % off."""
    parameters: dict[str, Any]
    program: Any = models.evolving_spikes
    for rate, strength, spikes in ((0.25, 1.6, 3), (0.25, -1.6, 3), (-0.6, 1.1, 4)):
        parameters = {"rate": rate, "strength": strength, "spikes": spikes}
        ds = run.exact(program, f"rate {rate:g}, strength {strength:g}", population=60, **parameters)
        exact = closed_evolving.outliers(rate, strength, spikes)
        last = {"time": spikes - 1}
        yield of(ds, "C_v").exactly(closed_evolving.level_one(rate, strength, spikes).overlaps)
        yield of(ds, "outliers", **last, outlier=0).exactly(exact[0])
        yield of(ds, "spike_overlap", **last, outlier=0).exactly(
            closed_evolving.spike_overlap(rate, strength, spikes)[0, 0]
        )
        naive = closed_evolving.naive_outliers(rate, strength, spikes)[0]
        yield of(ds, "outliers", **last, outlier=0).not_by(naive, kind="naive formula, eq. 102")
    parameters = {"rate": 0.25, "strength": 1.6, "spikes": 3}
    ds = run.exact(program, "rate 0.25, strength 1.6", population=60, **parameters)
    network = run.networks(program, size=150, replicas=100, **parameters)
    yield of(ds, "outliers", time=2, outlier=0).simulation(network)
    yield of(ds, "spike_overlap", time=2, outlier=0).simulation(network)
    yield of(ds, "C_v", time=2, time_=1).simulation(network)
