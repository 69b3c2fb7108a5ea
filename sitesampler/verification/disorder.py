"""Section 1 of the tutorial: the spherical p-spin glass, the random recurrent network, the deep random network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sitesampler import models, theory
from sitesampler.verification.rows import Row, of
from sitesampler.verification.runs import Runs


def spherical_pspin(run: Runs) -> Iterator[Row]:
    """Check correlation, response, multiplier and energy above and below the dynamical temperature, 0.866 for p = 3."""
    parameters: dict[str, Any]
    for p, temperature, duration in ((3, 1.0, 10.0), (3, 0.6, 10.0), (2, 1.0, 4.0), (4, 0.6, 4.0)):
        side = "above" if temperature > theory.spherical_pspin.dynamical_temperature(p) else "below"
        parameters = {"p": p, "temperature": temperature, "dt": 0.05, "duration": duration}
        label = f"p = {p}, T = {temperature:g} ({side} T_d)"
        ds = run.exact(models.spherical_pspin, label, population=800, **parameters)
        closed = theory.spherical_pspin.solve(p, temperature, 0.05, round(duration / 0.05))
        yield of(ds, "C_s").exactly(closed.C)
        yield of(ds, "R_s").exactly(closed.R)
        yield of(ds, "energy").exactly(closed.energy)
        yield of(ds, "multiplier").exactly(closed.multiplier)
    for temperature in (1.0, 0.6):
        parameters = {"temperature": temperature, "dt": 0.1, "duration": 2.0, "every": 10}
        ds = run.exact(models.spherical_pspin, f"p = 3, T = {temperature:g}", **parameters)
        # A tensor of N^3 elements: not the place for large N.
        network = run.networks(models.spherical_pspin, size=50, replicas=150, grow=False, **parameters)
        yield of(ds, "C_s", time=2, time_=0).simulation(network)
        yield of(ds, "C_s", time=2, time_=1).simulation(network)
        yield of(ds, "energy", time=2).simulation(network)
        yield of(ds, "multiplier", time=2).simulation(network)


def random_rnn(run: Runs) -> Iterator[Row]:
    """Check two-time correlations below and above the transition, the stationary state, and partial symmetry."""
    parameters: dict[str, Any]
    program, closed = models.random_rnn, theory.random_rnn
    for g, phi, dt, duration in (
        (0.8, "tanh", 0.1, 5.0),
        (1.8, "tanh", 0.1, 10.0),
        (1.5, "erf", 0.2, 10.0),
        (1.2, "relu", 0.2, 6.0),
    ):
        steps = round(duration / dt)
        parameters = {"g": g, "phi": phi, "dt": dt, "duration": duration, "every": steps // 5}
        ds = run.sample(program, f"g = {g:g}, {phi}", population=8_000, **parameters)
        C_h, C_phi = closed.correlation(g, phi, dt=dt, steps=steps)
        yield of(ds, "C_h", time=duration, time_=duration).theory(C_h[-1, -1])
        yield of(ds, "C_h").theory(C_h[:: steps // 5, :: steps // 5])
        yield of(ds, "C_phi").theory(C_phi[:: steps // 5, :: steps // 5])
        if g == 1.8:
            network = run.networks(program, size=200, replicas=200, **parameters)
            yield of(ds, "C_h", time=4, time_=2).simulation(network)
            yield of(ds, "C_h").simulation(network)

    # Late times: c_0 and the decay over the lag, at this dt.
    lags = np.array([1.0, 2.0, 3.0, 5.0, 8.0])
    ds = run.sample(program, "g = 3, late", population=3_000, every=5, g=3.0, dt=0.2, duration=40.0)
    yield of(ds, "C_h", time=40, time_=40).theory(
        closed.stationary_correlation(3.0, 0.0, dt=0.2), kind="stationary c_0"
    )
    yield of(ds, "C_h", time=40, time_=40 - lags).theory(
        closed.stationary_correlation(3.0, lags, dt=0.2), kind="stationary c(lag)"
    )

    # Partial symmetry: closed for a linear network, four steps by quadrature, then simulation.
    for symmetry in (0.3, -0.5):
        parameters = {"g": 1.2, "symmetry": symmetry, "phi": "linear", "dt": 0.1, "duration": 3.0}
        ds = run.exact(program, f"g = 1.2, linear, symmetry {symmetry:g}", **parameters)
        yield of(ds, "C_h").exactly(closed.linear_correlation_and_response(1.2, symmetry, 0.1, 30)[0])
    ds = run.sample(program, "g = 1.2, symmetry 0.3", population=20_000, g=1.2, symmetry=0.3, dt=0.5, duration=2.0)
    for time, time_, value in ((1.0, 1.0, 0.296103), (2.0, 2.0, 0.293533), (2.0, 1.0, 0.248131), (1.5, 0.5, 0.246478)):
        yield of(ds, "C_h", time=time, time_=time_).theory(value, stderr=1e-6, kind="quadrature over 4 steps")
    for symmetry in (0.5, -0.5, 1.0):
        parameters = {"g": 2.0, "symmetry": symmetry, "dt": 0.25, "duration": 4.0, "every": 4}
        ds = run.sample(program, f"g = 2, symmetry {symmetry:g}", population=10_000, **parameters)
        network = run.networks(program, size=200, replicas=300, **parameters)
        yield of(ds, "C_h", time=4, time_=4).simulation(network)
        yield of(ds, "C_h").simulation(network)
        yield of(ds, "C_phi").simulation(network)


def random_rnn_lyapunov(run: Runs) -> Iterator[Row]:
    """Check the largest Lyapunov exponent in chaos; finite populations lower it, as finite networks do."""
    parameters: dict[str, Any]
    # The tangent vectors fill many directions: a coarse tolerance, and a bias of 1/population that two sizes remove.
    for g in (2.0,) if run.quick else (1.5, 2.0, 3.0):
        parameters = {"g": g, "dt": 0.2, "duration": 45.0, "transient": 15.0, "every": 225, "tolerance": 1e-2}
        ds = run.populations(models.random_rnn_lyapunov, f"g = {g:g}", population=1_500, replicas=12, **parameters)
        yield of(ds, "exponent", time=45).theory(theory.random_rnn_lyapunov.lyapunov_exponent(g, dt=0.2))
    parameters = {"g": 2.0, "dt": 0.2, "duration": 4.0, "transient": 1.0, "every": 20}
    ds = run.sample(models.random_rnn_lyapunov, "g = 2, early", population=4_000, **parameters)
    network = run.networks(models.random_rnn_lyapunov, size=200, replicas=200, **parameters)
    yield of(ds, "exponent", time=4).simulation(network)


def deep_propagation(run: Runs) -> Iterator[Row]:
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
        q, c = theory.deep_propagation.recursion(correlation, sigma_w, sigma_b, phi, depth=depth)
        yield of(ds, "q", layer=depth).theory(q[-1])
        yield of(ds, "c", layer=depth).theory(c[-1])
        yield of(ds, "q").theory(q)
        yield of(ds, "c").theory(c)
    network = run.networks(program, size=150, replicas=300, **parameters)
    yield of(ds, "q").simulation(network)
    yield of(ds, "c").simulation(network)
