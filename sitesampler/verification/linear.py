"""Sections 2 to 7 of the tutorial: linear flows, their resolvents and fluctuations, regression, random features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models, theory
from sitesampler.theory import goe_flow_fluctuations, moments, regression_flow_batches, resolvent
from sitesampler.theory import random_features as closed_features
from sitesampler.verification.rows import EXACT, Row, derived, of
from sitesampler.verification.runs import Runs


def goe_flow(run: Runs) -> Iterator[Row]:
    """Check correlation and response of the symmetric flow, the semicircle from the response, and 1/N fluctuations."""
    parameters: dict[str, Any]
    program = models.goe_flow
    ds = run.exact(program, "dt = 0.1", dt=0.1, duration=2.0)
    yield of(ds, "C_h").exactly(theory.goe_flow.correlation(0.1, 20))
    yield of(ds, "R_h").exactly(theory.goe_flow.response(0.1, 20))

    # From the response alone: moments and resolvent of the semicircle.
    ds = run.exact(program, "dt = 0.5", dt=0.5, duration=30.0)
    response = ds.R_h.values[1:, 0]
    # Moments are differences of the response, which amplify its rounding.
    spectrum = derived(ds, "moment of the spectrum", moments.moments(response, 0.5, count=9))
    yield spectrum.exactly((1, 0, 1, 0, 2, 0, 5, 0, 14), tolerance=1e-6, kind="semicircle, to 1e-6")
    for s in (4.0, 6.0):
        left = (2 / (1 + s / 2)) ** 60  # the lags beyond the last
        yield derived(ds, f"resolvent at s = {s:g}", resolvent.transform(response, 0.5, s)).exactly(
            theory.goe_flow.resolvent(s), tolerance=EXACT + left, kind="theory, eq. 43, exact"
        )

    parameters = {"dt": 0.1, "duration": 1.0, "every": 5}
    ds = run.exact(program, "dt = 0.1", **parameters)
    network = run.networks(program, size=200, replicas=200, **parameters)
    yield of(ds, "C_h", time=1, time_=1).simulation(network)
    yield of(ds, "C_h").simulation(network)
    yield of(ds, "R_h", time=1, time_=0).simulation(network)
    yield from _fluctuations(run)


def _fluctuations(run: Runs) -> Iterator[Row]:
    """Check N Var C over realisations of networks whose matrix nobody stores; batches of them give its error."""
    batches, per_batch, size = 16, 60 if run.quick else 600, 4_000
    scaled: dict[tuple[float, float], list[float]] = {(0.7, 0.7): [], (0.7, 0.0): []}
    for _ in range(batches):
        ds = run.network(
            models.goe_flow, size, per_batch, grow=False, many=False, matrix=False, tolerance=1e-9, dt=0.1,
            duration=0.7, every=7,
        )  # fmt: skip
        for (t, other), values in scaled.items():
            values.append(size * per_batch * float(ds.C_h_stderr.sel(time=t, time_=other, method="nearest")) ** 2)
    for (t, other), values in scaled.items():
        estimate = derived(
            ds, f"N Var C_h({t:g}, {other:g}) at N = {size:,}", np.mean(values),
            np.std(values, ddof=1) / np.sqrt(batches), replicas=batches,
        )  # fmt: skip
        yield estimate.theory(
            goe_flow_fluctuations.correlation_covariance(t, other, dt=0.1), kind="theory of 1/N fluctuations"
        )


def regression_flow(run: Runs) -> Iterator[Row]:
    """Check both losses: gradient flow for few and many data, fresh data, random batches and reshuffled epochs."""
    parameters: dict[str, Any]
    program: Any = models.regression_flow
    for alpha, noise in ((0.5, 0.3), (1.0, 0.3), (1.5, 0.3), (4.0, 0.0)):
        ds = run.exact(program, f"alpha = {alpha:g}", alpha=alpha, noise=noise, dt=0.25, duration=5.0)
        closed = theory.regression_flow.solve(alpha, noise, 0.25, 20)
        for name in ("test_loss", "train_loss", "C_h", "C_delta"):
            yield of(ds, name).exactly(getattr(closed, name))
        spectral = theory.regression_flow.spectral_losses(alpha, noise, 0.25, 20)
        yield of(ds, "test_loss").exactly(spectral[0], kind="Marchenko-Pastur, exact")
        yield of(ds, "train_loss").exactly(spectral[1], kind="Marchenko-Pastur, exact")
        if alpha == 1.5:
            network = run.networks(program, 100, 200, alpha=alpha, noise=noise, dt=0.25, duration=5.0)
            yield of(ds, "test_loss", time=5).simulation(network)
            yield of(ds, "train_loss", time=5).simulation(network)
            yield of(ds, "C_h", time=5, time_=1).simulation(network)
    ds = run.exact(program, "fresh batches, alpha = 1.5", batch="fresh", alpha=1.5, noise=0.3, dt=0.4, duration=4.0)
    one_pass = regression_flow_batches.one_pass(1.5, 0.3, 0.4, 10)
    yield of(ds, "test_loss").exactly(one_pass.test_loss)
    yield of(ds, "C_h").exactly(one_pass.C_h)
    for batch, label in ((1 / 3, "random third"), (3, "epochs of 3")):
        parameters = {"batch": batch, "alpha": 1.5, "noise": 0.3, "dt": 0.25, "duration": 5.0}
        ds = run.sample(program, label, population=6_000, **parameters)
        closed_sgd = regression_flow_batches.multi_pass(1.5, 0.3, 0.25, 20, fraction=1 / 3, reshuffled=batch == 3)
        network = run.networks(program, size=100, replicas=300, **parameters)
        for name in ("test_loss", "train_loss"):
            yield of(ds, name, time=5).theory(getattr(closed_sgd, name)[20])
            yield of(ds, name).theory(getattr(closed_sgd, name))
            yield of(ds, name).simulation(network)


def random_features(run: Runs) -> Iterator[Row]:
    """Check both losses over the double-descent peak, for equal modes and for two kinds of modes."""
    parameters: dict[str, Any]
    program: Any = models.random_features
    for nu, alpha, noise, spectrum in (
        (0.6, 0.6, 0.2, None),
        (0.7, 1.3, 0.3, None),
        (2.0, 0.5, 0.0, None),
        (0.7, 1.3, 0.3, (1.5, 0.5)),
    ):
        parameters = {"width_ratio": nu, "data_ratio": alpha, "noise": noise, "spectrum": spectrum, "dt": 0.05}
        modes = "two kinds of modes, " if spectrum else ""
        label = f"{modes}N/D = {nu:g}, P/D = {alpha:g}"
        closed = closed_features.solve(nu, alpha, noise, 0.05, 40, spectrum=1.0 if spectrum is None else spectrum)
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
