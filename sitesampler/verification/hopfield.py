"""Retrieval: first steps by quadrature, the stationary state of graded neurons, later parallel steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import hopfield as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check retrieval: first steps by quadrature, the stationary state of graded neurons, later parallel steps."""
    parameters: dict[str, Any]
    program = models.hopfield
    ds = run.sample(program, "signs, alpha = 0.1", population=20_000, alpha=0.1, overlap=0.5, duration=2.0)
    m, power = theory.first_steps(0.1, 0.5)
    yield of(ds, "m").theory(m, kind="quadrature")
    for k in (1, 2):
        yield of(ds, "C_h", time=k, time_=k).theory(power[k], kind="quadrature")
    ds = run.sample(
        program, "graded, late", population=10_000, every=60, alpha=0.05, beta=3.0, overlap=0.8, dt=0.5, duration=30.0
    )
    state = theory.retrieval(0.05, 3.0)
    yield of(ds, "m", time=30).theory(state.m, kind="fixed point")
    yield of(ds, "C_s", time=30, time_=30).theory(state.q, kind="fixed point")
    yield of(ds, "C_h", time=30, time_=30).theory(state.power, kind="fixed point")
    parameters = {"alpha": 0.1, "overlap": 0.5, "beta": 3.0, "duration": 5.0}
    ds = run.sample(program, "graded, parallel", population=10_000, **parameters)
    network = run.networks(program, size=300, replicas=200, **parameters)
    yield of(ds, "m").simulation(network)
    yield of(ds, "C_h", time=5, time_=5).simulation(network)
