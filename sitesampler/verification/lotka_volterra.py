"""Abundances at the unique fixed point, for three symmetries, and on the way into chaos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import lotka_volterra as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check abundances at the unique fixed point, for three symmetries, and on the way into chaos."""
    parameters: dict[str, Any]
    program = models.lotka_volterra
    for sigma, symmetry in ((0.8, 0.0), (0.6, 0.5), (0.8, -0.7)):
        parameters = {"mean_interaction": 4.0, "heterogeneity": sigma, "symmetry": symmetry, "migration": 1e-4}
        label = f"sigma = {sigma:g}, symmetry {symmetry:g}"
        ds = run.sample(
            program, label, population=6_000, every=600, dt=0.5, duration=300.0, scheme="euler", **parameters
        )
        point = theory.fixed_point(4.0, sigma, symmetry, 1e-4)
        yield of(ds, "x_mean", time=300).theory(point.mean, kind="cavity fixed point")
        yield of(ds, "C_x", time=300, time_=300).theory(point.mean_square, kind="cavity fixed point")
        yield of(ds, "surviving", time=300).theory(point.surviving, kind="cavity fixed point")
    parameters = {"mean_interaction": 10.0, "heterogeneity": 2.0, "dt": 0.2, "duration": 6.0, "every": 10}
    ds = run.sample(program, "sigma = 2, early", population=10_000, **parameters)
    network = run.networks(program, size=200, replicas=300, **parameters)
    yield of(ds, "x_mean").simulation(network)
    yield of(ds, "C_x", time=6, time_=6).simulation(network)
    yield of(ds, "C_x").simulation(network)
