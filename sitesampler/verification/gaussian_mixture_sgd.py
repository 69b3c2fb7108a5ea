"""Overlaps, loss and error of one-pass training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import gaussian_mixture_sgd as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check overlaps, loss and error of one-pass training."""
    parameters: dict[str, Any]
    program = models.gaussian_mixture_sgd
    for hidden, phi in ((1, "tanh"), (2, "tanh"), (2, "erf")):
        parameters = {"alpha": 0.5, "separation": 1.5, "hidden": hidden, "phi": phi, "rate": 0.5, "steps": 12}
        ds = run.sample(program, f"K = {hidden}, {phi}", population=8_000, **parameters)
        closed = theory.recursion(**parameters)
        yield of(ds, "overlap").theory(closed.overlap)
        yield of(ds, "loss").theory(closed.loss)
        yield of(ds, "error").theory(closed.error)
        yield of(ds, "C_w", time=11, time_=11).theory(closed.Q[11])
    network = run.networks(program, size=200, replicas=150, **parameters)
    yield of(ds, "overlap", time=11).simulation(network)
    yield of(ds, "loss").simulation(network)
    yield of(ds, "error").simulation(network)
