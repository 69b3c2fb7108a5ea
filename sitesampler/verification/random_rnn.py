"""Chaotic random network: two-time correlations, the stationary state, and partial symmetry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import random_rnn as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check two-time correlations below and above the transition, the stationary state, and partial symmetry."""
    parameters: dict[str, Any]
    program = models.random_rnn
    yield from _flows(run)
    for g, phi, dt, duration in (
        (0.8, "tanh", 0.1, 5.0),
        (1.8, "tanh", 0.1, 10.0),
        (1.5, "erf", 0.2, 10.0),
        (1.2, "relu", 0.2, 6.0),
    ):
        steps = round(duration / dt)
        parameters = {"g": g, "phi": phi, "dt": dt, "duration": duration, "every": steps // 5, "scheme": "euler"}
        ds = run.sample(program, f"g = {g:g}, {phi}", population=8_000, **parameters)
        C_h, C_phi = theory.correlation(g, phi, dt=dt, steps=steps)
        yield of(ds, "C_h", time=duration, time_=duration).theory(C_h[-1, -1])
        yield of(ds, "C_h").theory(C_h[:: steps // 5, :: steps // 5])
        yield of(ds, "C_phi").theory(C_phi[:: steps // 5, :: steps // 5])
        if g == 1.8:
            network = run.networks(program, size=200, replicas=200, **parameters)
            yield of(ds, "C_h", time=4, time_=2).simulation(network)
            yield of(ds, "C_h").simulation(network)

    # Late times: c_0 and the decay over the lag, at this dt.
    lags = np.array([1.0, 2.0, 3.0, 5.0, 8.0])
    ds = run.sample(program, "g = 3, late", population=3_000, every=5, g=3.0, dt=0.2, duration=40.0, scheme="euler")
    yield of(ds, "C_h", time=40, time_=40).theory(
        theory.stationary_correlation(3.0, 0.0, dt=0.2), kind="stationary c_0"
    )
    yield of(ds, "C_h", time=40, time_=40 - lags).theory(
        theory.stationary_correlation(3.0, lags, dt=0.2), kind="stationary c(lag)"
    )

    # Partial symmetry: closed for a linear network, four steps by quadrature, then simulation.
    for symmetry in (0.3, -0.5):
        parameters = {"g": 1.2, "symmetry": symmetry, "phi": "linear", "dt": 0.1, "duration": 3.0, "scheme": "euler"}
        ds = run.exact(program, f"g = 1.2, linear, symmetry {symmetry:g}", **parameters)
        yield of(ds, "C_h").exactly(theory.linear_correlation_and_response(1.2, symmetry, 0.1, 30)[0])
    parameters = {"g": 1.2, "symmetry": 0.3, "dt": 0.5, "duration": 2.0, "scheme": "euler"}
    ds = run.sample(program, "g = 1.2, symmetry 0.3", population=20_000, **parameters)
    for time, time_, value in ((1.0, 1.0, 0.296103), (2.0, 2.0, 0.293533), (2.0, 1.0, 0.248131), (1.5, 0.5, 0.246478)):
        yield of(ds, "C_h", time=time, time_=time_).theory(value, stderr=1e-6, kind="quadrature over 4 steps")
    for symmetry in (0.5, -0.5, 1.0):
        parameters = {"g": 2.0, "symmetry": symmetry, "dt": 0.25, "duration": 4.0, "every": 4}
        ds = run.sample(program, f"g = 2, symmetry {symmetry:g}", population=10_000, **parameters)
        network = run.networks(program, size=200, replicas=300, **parameters)
        yield of(ds, "C_h", time=4, time_=4).simulation(network)
        yield of(ds, "C_h").simulation(network)
        yield of(ds, "C_phi").simulation(network)


def _flows(run: Runs) -> Iterator[Row]:
    """Check flows against the equations in continuous time."""
    times = np.arange(0, 10.5, 2.0)
    for g, phi in ((1.5, "tanh"), (0.8, "erf")):
        ds = run.sample(
            models.random_rnn,
            f"flow, g = {g:g}, {phi}",
            population=8_000,
            g=g,
            phi=phi,
            dt=0.25,
            duration=10.0,
            every=8,
        )
        C_h, C_phi = theory.correlation(g, phi, times=times)
        yield of(ds, "C_h", time=10, time_=4).theory(C_h[-1, 2], kind="theory, dt -> 0")
        yield of(ds, "C_h").theory(C_h, kind="theory, dt -> 0")
        yield of(ds, "C_phi").theory(C_phi, kind="theory, dt -> 0")
    parameters: dict[str, Any] = {"g": 1.2, "symmetry": -0.5, "phi": "linear", "dt": 0.05, "duration": 3.0, "every": 10}
    ds = run.exact(models.random_rnn, "flow, g = 1.2, linear, symmetry -0.5", **parameters)
    C, _ = theory.linear_correlation_and_response(1.2, -0.5, times=ds["time"].values)
    yield of(ds, "C_h").exactly(C, tolerance=1e-6, kind="theory, dt -> 0, to 1e-6")
