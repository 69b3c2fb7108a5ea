"""Linear flow with a symmetric random matrix: two-time quantities, spectrum, fluctuations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models
from sitesampler.theory import goe_flow as theory
from sitesampler.theory import goe_flow_fluctuations as fluctuations
from sitesampler.theory.moments import moments
from sitesampler.theory.resolvent import transform
from sitesampler.verification.row import EXACT, Row, derived, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check correlation and response of the symmetric flow, the semicircle from the response, and 1/N fluctuations."""
    parameters: dict[str, Any]
    program = models.goe_flow
    ds = run.exact(program, "dt = 0.1", scheme="euler", dt=0.1, duration=2.0)
    yield of(ds, "C_h").exactly(theory.correlation(0.1, 20))
    yield of(ds, "R_h").exactly(theory.response(0.1, 20))

    # From the response alone: moments and resolvent of the semicircle.
    ds = run.exact(program, "dt = 0.5", scheme="euler", dt=0.5, duration=30.0)
    response = ds.R_h.values[1:, 0]
    # Moments are differences of the response, which amplify its rounding.
    spectrum = derived(ds, "moment of the spectrum", moments(response, 0.5, count=9))
    yield spectrum.exactly((1, 0, 1, 0, 2, 0, 5, 0, 14), tolerance=1e-6, kind="semicircle, to 1e-6")
    for s in (4.0, 6.0):
        left = (2 / (1 + s / 2)) ** 60  # the lags beyond the last
        yield derived(ds, f"resolvent at s = {s:g}", transform(response, 0.5, s)).exactly(
            theory.resolvent(s), tolerance=EXACT + left, kind="theory, eq. 43, exact"
        )

    ds = run.exact(program, "flow", dt=0.05, duration=2.0, tolerance=1e-8)
    times = ds["time"].values
    yield of(ds, "C_h").exactly(theory.correlation(times=times), tolerance=1e-4, kind="theory, dt -> 0, to 1e-4")
    yield of(ds, "R_h").exactly(theory.response(times=times), tolerance=1e-4, kind="theory, dt -> 0, to 1e-4")

    parameters = {"scheme": "euler", "dt": 0.1, "duration": 1.0, "every": 5}
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
            duration=0.7, every=7, scheme="euler",
        )  # fmt: skip
        for (t, other), values in scaled.items():
            values.append(size * per_batch * float(ds.C_h_stderr.sel(time=t, time_=other, method="nearest")) ** 2)
    for (t, other), values in scaled.items():
        estimate = derived(
            ds, f"N Var C_h({t:g}, {other:g}) at N = {size:,}", np.mean(values),
            np.std(values, ddof=1) / np.sqrt(batches), replicas=batches,
        )  # fmt: skip
        yield estimate.theory(fluctuations.correlation_covariance(t, other, dt=0.1), kind="theory of 1/N fluctuations")
