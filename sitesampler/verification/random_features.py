"""Random features over the double-descent peak, for equal modes and for two kinds of modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import random_features as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check both losses over the double-descent peak, for equal modes and for two kinds of modes."""
    parameters: dict[str, Any]
    program = models.random_features
    for nu, alpha, noise, spectrum in (
        (0.6, 0.6, 0.2, None),
        (0.7, 1.3, 0.3, None),
        (2.0, 0.5, 0.0, None),
        (0.7, 1.3, 0.3, (1.5, 0.5)),
    ):
        parameters = {"width_ratio": nu, "data_ratio": alpha, "noise": noise, "spectrum": spectrum, "dt": 0.05}
        parameters["scheme"] = "euler"
        modes = "two kinds of modes, " if spectrum else ""
        label = f"{modes}N/D = {nu:g}, P/D = {alpha:g}"
        closed = theory.solve(nu, alpha, noise, 0.05, 40, spectrum=1.0 if spectrum is None else spectrum)
        if spectrum is None:
            ds = run.exact(program, label, duration=2.0, **parameters)
            yield of(ds, "test_loss").exactly(closed.test_loss)
            yield of(ds, "train_loss").exactly(closed.train_loss)
            yield of(ds, "C_h").exactly(closed.C0)
        else:
            ds = run.sample(program, label, population=6_000, duration=2.0, **parameters)
            yield of(ds, "test_loss", time=2).theory(closed.test_loss[40])
            yield of(ds, "test_loss").theory(closed.test_loss)
            yield of(ds, "train_loss", time=2).theory(closed.train_loss[40])
            yield of(ds, "train_loss").theory(closed.train_loss)
        if nu == 0.7:
            network = run.networks(program, size=100, replicas=150, duration=2.0, **parameters)
            yield of(ds, "test_loss", time=2).simulation(network)
            yield of(ds, "train_loss", time=2).simulation(network)
            yield of(ds, "C_h", time=2, time_=1).simulation(network)
    parameters = {"width_ratio": 0.7, "data_ratio": 1.3, "noise": 0.3, "dt": 0.05}
    ds = run.exact(program, "flow, N/D = 0.7, P/D = 1.3", duration=1.0, tolerance=1e-8, **parameters)
    limit = theory.solve(0.7, 1.3, 0.3, times=ds["time"].values)
    for name, right in (("test_loss", limit.test_loss), ("train_loss", limit.train_loss), ("C_h", limit.C0)):
        yield of(ds, name).exactly(right, tolerance=1e-5, kind="theory, dt -> 0, to 1e-5")
