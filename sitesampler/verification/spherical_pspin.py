"""Spherical p-spin glass: above and below its dynamical temperature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import spherical_pspin as theory
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs


def rows(run: Runs) -> Iterator[Row]:
    """Check correlation, response, multiplier and energy above and below the dynamical temperature, 0.866 for p = 3."""
    parameters: dict[str, Any]
    for p, temperature, duration in ((3, 1.0, 10.0), (3, 0.6, 10.0), (2, 1.0, 4.0), (4, 0.6, 4.0)):
        side = "above" if temperature > theory.dynamical_temperature(p) else "below"
        parameters = {"p": p, "temperature": temperature, "dt": 0.05, "duration": duration, "scheme": "euler"}
        label = f"p = {p}, T = {temperature:g} ({side} T_d)"
        ds = run.exact(models.spherical_pspin, label, population=800, **parameters)
        closed = theory.solve(p, temperature, 0.05, round(duration / 0.05))
        yield of(ds, "C_s").exactly(closed.C)
        yield of(ds, "R_s").exactly(closed.R)
        yield of(ds, "energy").exactly(closed.energy)
        yield of(ds, "multiplier").exactly(closed.multiplier)
    for temperature in (1.0, 0.6):
        parameters = {"temperature": temperature, "dt": 0.1, "duration": 2.0, "every": 10, "scheme": "euler"}
        ds = run.exact(models.spherical_pspin, f"p = 3, T = {temperature:g}", **parameters)
        # A tensor of N^3 elements: not the place for large N.
        network = run.networks(models.spherical_pspin, size=50, replicas=150, grow=False, **parameters)
        yield of(ds, "C_s", time=2, time_=0).simulation(network)
        yield of(ds, "C_s", time=2, time_=1).simulation(network)
        yield of(ds, "energy", time=2).simulation(network)
        yield of(ds, "multiplier", time=2).simulation(network)
    for temperature in (1.0, 0.5):
        parameters = {"temperature": temperature, "dt": 0.025, "duration": 5.0}
        ds = run.exact(models.spherical_pspin, f"flow, p = 3, T = {temperature:g}", population=800, **parameters)
        limit = theory.solve(3, temperature, times=ds["time"].values)
        for name, right, tolerance in (
            ("C_s", limit.C, 2e-3), ("energy", limit.energy, 4e-3), ("multiplier", limit.multiplier, 1e-2)
        ):  # fmt: skip
            kind = f"closed equations, dt -> 0, to {tolerance:g}"
            yield of(ds, name).exactly(right, tolerance=tolerance, kind=kind)
        # Forces show the response from the first step on.
        after = ds.isel(time_=slice(1, None))
        kind = "closed equations, dt -> 0, to 0.005"
        yield of(after, "R_s").exactly(limit.R[:, 1:], tolerance=5e-3, kind=kind)
