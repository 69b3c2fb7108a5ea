"""Rates and correlations of two populations, which oscillate together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import excitatory_inhibitory as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check rates and correlations of both populations, which oscillate together."""
    parameters: dict[str, Any]
    program = models.excitatory_inhibitory
    gains, means, drive, fraction = ((2.0, 3.0), (2.0, 3.0)), ((10.0, -10.0), (10.0, -2.0)), (0.4, -4.0), 0.8
    network_of: dict[str, Any] = {"gains": gains, "means": means, "drive": drive, "fraction": fraction}
    closed = theory.recursion(gains, means, drive, fraction, dt=0.1, steps=80)
    parameters = {**network_of, "dt": 0.1, "duration": 8.0, "every": 10, "scheme": "euler"}
    ds = run.sample(program, population=10_000, **parameters)
    network = run.networks(program, size=200, replicas=150, **parameters)
    for i, name in enumerate("EI"):
        yield of(ds, f"rate_{name}").theory(closed.rate[i, ::10])
        yield of(ds, f"C_h_{name}", time=8, time_=8).theory(closed.C_h[i, 80, 80])
        yield of(ds, f"C_h_{name}").theory(closed.C_h[i, ::10, ::10])
        yield of(ds, f"rate_{name}", time=8).simulation(network)
        yield of(ds, f"C_h_{name}", time=8, time_=4).simulation(network)
    limit = theory.recursion(gains, means, drive, fraction, times=np.arange(0, 6.5, 1.0))
    ds = run.sample(program, "flow", population=10_000, **network_of, dt=0.1, duration=6.0, every=10)
    for i, name in enumerate("EI"):
        yield of(ds, f"rate_{name}").theory(limit.rate[i], kind="theory, dt -> 0")
        yield of(ds, f"C_h_{name}").theory(limit.C_h[i], kind="theory, dt -> 0")
