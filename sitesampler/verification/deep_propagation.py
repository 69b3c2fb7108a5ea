"""Variance and covariance of two inputs over the layers of a deep random network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import deep_propagation as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check variance and covariance of two inputs over the layers."""
    parameters: dict[str, Any]
    program, depth = models.deep_propagation, 8
    for phi, sigma_w, sigma_b, correlation in (
        ("tanh", 1.3, 0.2, 0.3),
        ("tanh", 2.5, 0.1, 0.9),
        ("relu", 1.4, 0.1, -0.5),
        ("erf", 1.5, 0.2, 0.6),
    ):
        parameters = {"phi": phi, "sigma_w": sigma_w, "sigma_b": sigma_b, "correlation": correlation, "depth": depth}
        ds = run.sample(program, f"{phi}, sigma_w = {sigma_w:g}", population=6_000, **parameters)
        q, c = theory.recursion(correlation, sigma_w, sigma_b, phi, depth=depth)
        yield of(ds, "q", layer=depth).theory(q[-1])
        yield of(ds, "c", layer=depth).theory(c[-1])
        yield of(ds, "q").theory(q)
        yield of(ds, "c").theory(c)
    network = run.networks(program, size=150, replicas=300, **parameters)
    yield of(ds, "q").simulation(network)
    yield of(ds, "c").simulation(network)
