"""First steps from zero by quadrature, the regularised minimum by the replica-symmetric equations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import perceptron_flow as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check first steps from zero by quadrature, the regularised minimum by the replica-symmetric equations."""
    parameters: dict[str, Any]
    program = models.perceptron_flow
    for loss in ("logistic", "square"):
        parameters = {"loss": loss, "alpha": 2.0, "dt": 0.5, "duration": 1.5, "scheme": "euler"}
        ds = run.sample(program, f"{loss}, first steps", population=10_000, **parameters)
        first = theory.first_steps(2.0, 0.5, loss, steps=3)
        yield of(ds, "overlap").theory(first.overlap, kind="quadrature")
        yield of(ds, "C_w", time=1.5, time_=1.5).theory(first.norm[3], kind="quadrature")
        early = ds.sel(time=[0.5, 1.0])
        yield of(early, "train_loss").theory(first.train_loss[1:], kind="quadrature")
        yield of(early, "train_error").theory(first.train_error[1:], kind="quadrature")
    parameters = {"loss": "logistic", "alpha": 2.0, "decay": 0.3, "dt": 1.0, "duration": 40.0, "every": 40}
    ds = run.sample(program, "logistic, end", population=8_000, **parameters)
    end = theory.minimum(2.0, 0.3, "logistic")
    for name in ("overlap", "train_loss", "train_error", "test_error"):
        yield of(ds, name, time=40).theory(getattr(end, name), kind="replica theory")
    yield of(ds, "C_w", time=40, time_=40).theory(end.norm, kind="replica theory")
    network = run.networks(program, size=150, replicas=150, **parameters)
    yield of(ds, "overlap", time=40).simulation(network)
    yield of(ds, "train_loss", time=40).simulation(network)
    yield of(ds, "test_error", time=40).simulation(network)
