"""Linear regression: gradient flow, fresh data, random batches and reshuffled epochs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import regression_flow as theory
from sitesampler.theory import regression_flow_batches as batches
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check both losses: gradient flow for few and many data, fresh data, random batches and reshuffled epochs."""
    parameters: dict[str, Any]
    program = models.regression_flow
    for alpha, noise in ((0.5, 0.3), (1.0, 0.3), (1.5, 0.3), (4.0, 0.0)):
        ds = run.exact(program, f"alpha = {alpha:g}", alpha=alpha, noise=noise, dt=0.25, duration=5.0, scheme="euler")
        closed = theory.solve(alpha, noise, 0.25, 20)
        for name in ("test_loss", "train_loss", "C_h", "C_delta"):
            yield of(ds, name).exactly(getattr(closed, name))
        spectral = theory.spectral_losses(alpha, noise, 0.25, 20)
        yield of(ds, "test_loss").exactly(spectral[0], kind="Marchenko-Pastur, exact")
        yield of(ds, "train_loss").exactly(spectral[1], kind="Marchenko-Pastur, exact")
        if alpha == 1.5:
            network = run.networks(program, 100, 200, alpha=alpha, noise=noise, dt=0.25, duration=5.0, scheme="euler")
            yield of(ds, "test_loss", time=5).simulation(network)
            yield of(ds, "train_loss", time=5).simulation(network)
            yield of(ds, "C_h", time=5, time_=1).simulation(network)
    ds = run.exact(program, "flow, alpha = 1.5", alpha=1.5, noise=0.3, dt=0.125, duration=5.0, tolerance=1e-8)
    limit = theory.solve(1.5, 0.3, times=ds["time"].values)
    for name in ("test_loss", "train_loss", "C_h", "C_delta"):
        yield of(ds, name).exactly(getattr(limit, name), tolerance=1e-4, kind="theory, dt -> 0, to 1e-4")
    ds = run.exact(program, "fresh batches, alpha = 1.5", batch="fresh", alpha=1.5, noise=0.3, dt=0.4, duration=4.0)
    one_pass = batches.one_pass(1.5, 0.3, 0.4, 10)
    yield of(ds, "test_loss").exactly(one_pass.test_loss)
    yield of(ds, "C_h").exactly(one_pass.C_h)
    for batch, label in ((1 / 3, "random third"), (3, "epochs of 3")):
        parameters = {"batch": batch, "alpha": 1.5, "noise": 0.3, "dt": 0.25, "duration": 5.0}
        ds = run.sample(program, label, population=6_000, **parameters)
        descent = batches.multi_pass(1.5, 0.3, 0.25, 20, fraction=1 / 3, reshuffled=batch == 3)
        network = run.networks(program, size=100, replicas=300, **parameters)
        for name in ("test_loss", "train_loss"):
            yield of(ds, name, time=5).theory(getattr(descent, name)[20])
            yield of(ds, name).theory(getattr(descent, name))
            yield of(ds, name).simulation(network)
