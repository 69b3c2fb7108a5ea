"""Gaussian systems: matched draws make them exact, with hardly more samples than vectors drawn."""

import re
from typing import Any

import numpy as np
import pytest
import xarray as xr
from threshold import assert_agreement, assert_equal_to

import sitesampler as ss
from sitesampler.errors import PopulationTooSmall
from sitesampler.theory import goe_flow, random_rnn, regression_flow, spherical_pspin

TOLERANCE = 1e-12
EXACT = 1e-8


def sample_with_few(program: Any, population: int, **parameters: Any) -> xr.Dataset:
    """Sample with the smallest population, from the given one on, that is not refused: refusals name a larger one."""
    while True:
        try:
            return ss.sample(program, population=population, replicas=2, tolerance=TOLERANCE, **parameters)
        except PopulationTooSmall as refusal:
            named = re.search(r"use a population above (\d+)", str(refusal))
            assert named is not None and int(named[1]) >= population, str(refusal)
            population = int(named[1]) + 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_goe_flow(seed: int) -> None:
    dt, steps = 0.1, 20
    ds = sample_with_few(ss.models.goe_flow, 86, seed=seed, scheme="euler", dt=dt, duration=dt * steps)
    assert ds.attrs["population"] < 120
    assert_equal_to(ds.C_h, goe_flow.correlation(dt, steps), EXACT)
    assert_equal_to(ds.R_h, goe_flow.response(dt, steps), EXACT)
    assert float(ds.C_h.sel(time=2, time_=1)) == pytest.approx(14.7575, rel=1e-5)


@pytest.mark.parametrize(
    ("alpha", "noise", "dt", "seed"),
    [(1.5, 0.3, 0.25, 0), (0.6, 0.3, 0.25, 1), (3.0, 0.0, 0.4, 2), (0.5, 0.5, 0.2, 3)],
)
def test_regression_flow(alpha: float, noise: float, dt: float, seed: int) -> None:
    steps = 20
    parameters = {"scheme": "euler", "alpha": alpha, "noise": noise, "dt": dt, "duration": dt * steps}
    ds = sample_with_few(ss.models.regression_flow, 28, seed=seed, **parameters)
    assert ds.attrs["population"] < 50
    exact = regression_flow.solve(alpha, noise, dt, steps)
    for name in ("C_h", "C_delta", "test_loss", "train_loss"):
        assert_equal_to(ds[name], getattr(exact, name), EXACT)
    spectral = regression_flow.spectral_losses(alpha, noise, dt, steps)
    assert_equal_to(ds.test_loss, spectral[0], EXACT)
    assert_equal_to(ds.train_loss, spectral[1], EXACT)


# p = 3 above and below its dynamical temperature 0.866, p = 2 below and p = 4 above theirs (1.414, 0.770).
@pytest.mark.parametrize(
    ("p", "temperature", "seed"), [(3, 1.0, 0), (3, 0.6, 1), (3, 0.1, 2), (2, 1.0, 3), (4, 0.8, 4)]
)
def test_spherical_pspin(p: int, temperature: float, seed: int) -> None:
    dt, steps = 0.05, 60
    parameters = {"scheme": "euler", "p": p, "temperature": temperature, "dt": dt, "duration": dt * steps}
    ds = sample_with_few(ss.models.spherical_pspin, 120, seed=seed, **parameters)
    assert ds.attrs["population"] < 130
    exact = spherical_pspin.solve(p, temperature, dt, steps)
    assert_equal_to(ds.C_s, exact.C, EXACT)
    assert_equal_to(ds.R_s, exact.R, EXACT)
    assert_equal_to(ds.multiplier, exact.multiplier, EXACT)
    assert_equal_to(ds.energy, exact.energy, EXACT)


@pytest.mark.parametrize(
    ("temperature", "C_start", "C_late", "multiplier", "energy"),
    [(1.0, 0.173746, 0.486958, 3.23205, -1.02548), (0.6, 0.255610, 0.684300, 3.42047, -1.24955)],
)
def test_spherical_pspin_reaches_the_worked_numbers_with_the_default_tolerance(
    temperature: float, C_start: float, C_late: float, multiplier: float, energy: float
) -> None:
    options = {"scheme": "euler", "temperature": temperature, "duration": 10}
    ds = ss.sample(ss.models.spherical_pspin, population=700, replicas=2, seed=0, **options)
    assert float(ds.C_s.sel(time=5, time_=0)) == pytest.approx(C_start, abs=1e-6)
    assert float(ds.C_s.sel(time=10, time_=5)) == pytest.approx(C_late, abs=1e-6)
    assert float(ds.multiplier.sel(time=5)) == pytest.approx(multiplier, abs=1e-5)
    assert float(ds.energy.sel(time=10)) == pytest.approx(energy, abs=1e-5)


def linear_rnn(net: Any, *, g: float, symmetry: float, dt: float, duration: float) -> None:
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h = neurons.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h)
        h = h + dt * (J @ h - h + net.source(neurons))


@pytest.mark.parametrize(("g", "symmetry"), [(1.2, 0.3), (1.2, -0.5), (1.0, 0.0), (0.8, -1.0), (0.8, 1.0)])
def test_linear_rnn_of_any_symmetry(g: float, symmetry: float) -> None:
    dt, steps = 0.1, 30
    ds = sample_with_few(linear_rnn, 126, seed=0, g=g, symmetry=symmetry, dt=dt, duration=dt * steps)
    C, R = random_rnn.linear_correlation_and_response(g, symmetry, dt, steps)
    assert_equal_to(ds.C_h, C, EXACT)
    assert_equal_to(ds.R_h, R, EXACT)


def one_pass_sgd(net: Any, *, beta: float, noise: float, dt: float, steps: int) -> None:
    """Regression on beta N fresh data points in each step."""
    features, batch = net.sites(), net.sites(beta, name="datum")
    h = features.normal()
    for k in net.steps(steps):
        net.record(k, h=h)
        Psi = net.coupling(batch, features)
        delta = Psi @ h + noise * batch.normal()
        h = h - dt / beta * (Psi.T @ delta)


def test_one_pass_sgd() -> None:
    beta, noise, dt = 1.5, 0.3, 0.4
    ds = sample_with_few(one_pass_sgd, 20, seed=0, beta=beta, noise=noise, dt=dt, steps=11)
    q = [1.0]
    for _ in range(10):
        q.append(((1 - dt) ** 2 + dt**2 / beta) * q[-1] + dt**2 * noise**2 / beta)
    assert [q[k] + noise**2 for k in (1, 4, 10)] == pytest.approx([0.566267, 0.154573, 0.108481], abs=1e-6)
    n, m = np.indices((11, 11))
    assert_equal_to(ds.C_h, (1 - dt) ** np.abs(n - m) * np.array(q)[np.minimum(n, m)], EXACT)


def multi_pass_sgd(
    net: Any, *, alpha: float, batches: int, reshuffled: bool, noise: float, dt: float, steps: int
) -> None:
    """Regression on fixed data, of which each step sees one random part in ``batches``."""
    features, data = net.sites(), net.sites(alpha, name="datum")
    Psi = net.coupling(data, features)
    h, label_noise = features.normal(), noise * data.normal()
    for k in net.steps(steps):
        delta = Psi @ h + label_noise
        net.record(k, test_loss=net.overlap(h, h) + noise**2, train_loss=net.overlap(delta, delta))
        if not reshuffled:
            mask = data.bernoulli(1 / batches)
        else:
            if k % batches == 0:
                order = data.choice(range(batches))
            mask = np.where(order == k % batches, 1.0, 0.0)
        h = h - dt * batches / alpha * (Psi.T @ (mask * delta))


@pytest.mark.parametrize(
    ("reshuffled", "test_loss", "train_loss"),
    [
        (False, (0.788750, 0.457669, 0.243302), (0.599583, 0.207231, 0.054759)),
        (True, (0.788750, 0.399587, 0.230666), (0.599583, 0.152116, 0.046387)),
    ],
)
def test_multi_pass_sgd(reshuffled: bool, test_loss: tuple[float, ...], train_loss: tuple[float, ...]) -> None:
    """The mask is part of the randomness of a data point: no Gaussian system any more, equal within its errors."""
    parameters = {"alpha": 1.5, "batches": 3, "noise": 0.3, "dt": 0.25, "steps": 21}
    ds = ss.sample(multi_pass_sgd, population=8_000, replicas=16, seed=5, reshuffled=reshuffled, **parameters)
    at = ds.sel(time=[1, 4, 20])
    for name, exact in (("test_loss", test_loss), ("train_loss", train_loss)):
        assert_agreement(at[name], at[name + "_stderr"], exact, replicas=16, error_below=0.01, scale=np.array(exact))
