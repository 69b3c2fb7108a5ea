"""Largest Lyapunov exponent of the random network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import random_rnn_lyapunov as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check the largest Lyapunov exponent in chaos; finite populations lower it, as finite networks do."""
    parameters: dict[str, Any]
    # The tangent vectors fill many directions: a coarse tolerance, and a bias of 1/population that two sizes remove.
    for g in (2.0,) if run.quick else (1.5, 2.0, 3.0):
        parameters = {"g": g, "dt": 0.2, "duration": 45.0, "transient": 15.0, "every": 225, "tolerance": 1e-2}
        parameters["scheme"] = "euler"
        ds = run.populations(models.random_rnn_lyapunov, f"g = {g:g}", population=1_500, replicas=12, **parameters)
        yield of(ds, "exponent", time=45).theory(theory.lyapunov_exponent(g, dt=0.2))
    parameters = {"g": 2.0, "dt": 0.2, "duration": 4.0, "transient": 1.0, "every": 20, "scheme": "euler"}
    ds = run.sample(models.random_rnn_lyapunov, "g = 2, early", population=4_000, **parameters)
    network = run.networks(models.random_rnn_lyapunov, size=200, replicas=200, **parameters)
    yield of(ds, "exponent", time=4).simulation(network)
    parameters = {"g": 2.0, "dt": 0.25, "duration": 45.0, "transient": 15.0, "every": 180, "tolerance": 1e-2}
    ds = run.populations(models.random_rnn_lyapunov, "flow, g = 2", population=1_500, replicas=12, **parameters)
    yield of(ds, "exponent", time=45).theory(theory.lyapunov_exponent(2.0), kind="theory, dt -> 0")
