"""The BBP transition of spiked Wigner matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import spiked_wigner as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check the BBP transition: outliers, overlaps of their vectors, and the flow that finds them."""
    parameters: dict[str, Any]
    program = models.spiked_wigner
    two = ((1.0, 0.3), (0.3, 1.5))
    for overlaps, strength in ((((1.0,),), 1.6), (((1.0,),), -1.6), (two, 1.8), (two, 0.9)):
        spikes = f"{len(overlaps)} spike{'s' if len(overlaps) > 1 else ''}, strength {strength:g}"
        parameters = {"overlaps": overlaps, "strength": strength, "dt": 0.1, "duration": 2.0}
        ds = run.exact(program, spikes, population=300, **parameters)
        start = np.zeros(len(overlaps))
        yield of(ds, "outliers", time=2).exactly(theory.outliers(overlaps, strength))
        yield of(ds, "spike_overlap", time=2).exactly(theory.spike_overlap(overlaps, strength))
        yield of(ds, "C_h").exactly(theory.probe_correlation(overlaps, strength, start, 0.1, 20))
    parameters = {"overlaps": two, "strength": 1.8, "dt": 0.1, "duration": 0.2}
    ds = run.exact(program, "2 spikes, strength 1.8", population=100, **parameters)
    network = run.networks(program, size=200, replicas=100, **parameters)
    yield of(ds, "outliers", time=0.2).simulation(network)
    yield of(ds, "spike_overlap", time=0.2).simulation(network)
    yield of(ds, "C_h", time=0.2, time_=0.2).simulation(network)
