"""Activity that condenses on a structure, on its way and at the fixed point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import low_rank_rnn as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check activity that condenses on a structure, on its way and at the fixed point; two structures."""
    parameters: dict[str, Any]
    program = models.low_rank_rnn
    for g, overlap, start in ((0.8, 2.0, 0.3), (1.6, (2.5, 1.5), (0.3, 0.4))):
        parameters = {"g": g, "overlap": overlap, "start": start, "dt": 0.1, "duration": 6.0, "every": 10}
        parameters["scheme"] = "euler"
        label = f"g = {g:g}, overlap {overlap}"
        ds = run.sample(program, label, population=8_000, **parameters)
        closed = theory.recursion(g, overlap, start, dt=0.1, steps=60)
        yield of(ds, "kappa").theory(closed.kappa[::10])
        yield of(ds, "projection").theory(closed.projection[::10])
        yield of(ds, "C_h", time=6, time_=6).theory(closed.C_h[60, 60])
        yield of(ds, "C_h").theory(closed.C_h[::10, ::10])
    network = run.networks(program, size=200, replicas=150, **parameters)
    yield of(ds, "kappa", time=6).simulation(network)
    yield of(ds, "C_h", time=6, time_=3).simulation(network)
    limit = theory.recursion(0.8, 2.0, 0.3, times=np.arange(0, 6.5, 1.0))
    ds = run.sample(program, "flow, g = 0.8", population=8_000, g=0.8, overlap=2.0, dt=0.25, duration=6.0, every=4)
    yield of(ds, "kappa").theory(limit.kappa, kind="theory, dt -> 0")
    yield of(ds, "projection").theory(limit.projection, kind="theory, dt -> 0")
    yield of(ds, "C_h").theory(limit.C_h, kind="theory, dt -> 0")
    ds = run.sample(program, "g = 0.8, late", population=8_000, every=160, g=0.8, overlap=2.0, dt=0.25, duration=40.0)
    kappa, variance = theory.fixed_point(0.8, 2.0)
    yield of(ds, "kappa", time=40).theory(kappa, kind="fixed point")
    yield of(ds, "C_h", time=40, time_=40).theory(variance, kind="fixed point")
