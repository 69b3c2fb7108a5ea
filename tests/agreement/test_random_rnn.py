"""The random network with independent couplings against its closed two-time equations and its stationary state."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from threshold import assert_agreement

import sitesampler as ss
from sitesampler.theory import random_rnn, random_rnn_lyapunov


def tilted(h: Any) -> Any:
    """Return an activity that has a mean: the nonlinearity is not odd."""
    return np.tanh(h + 0.4)


def assert_closed(ds: xr.Dataset, theory: tuple[np.ndarray, np.ndarray], replicas: int) -> None:
    """Compare the correlations of h and phi(h) at eleven times; C is a symmetric table: 66 points."""
    for name, exact in zip(("C_h", "C_phi"), theory, strict=True):
        size = np.sqrt(np.diag(exact))
        assert_agreement(
            ds[name],
            ds[name + "_stderr"],
            exact,
            replicas=replicas,
            error_below=0.01,
            scale=np.outer(size, size),
            points=66,
        )


@pytest.mark.parametrize(
    ("g", "phi", "dt", "duration"),
    [
        (0.8, "tanh", 0.1, 2.0),
        (1.5, "tanh", 0.1, 10.0),
        (2.0, "tanh", 0.05, 5.0),
        (2.5, "tanh", 0.2, 20.0),
        (1.5, "erf", 0.2, 10.0),
        (1.2, "relu", 0.2, 6.0),
        (2.0, tilted, 0.2, 10.0),
    ],
)
def test_correlations_obey_the_closed_equations(
    g: float, phi: str | Callable[[Any], Any], dt: float, duration: float
) -> None:
    steps, coarse = round(duration / dt), round(duration / dt / 10)
    parameters = {"scheme": "euler", "g": g, "phi": phi, "dt": dt, "duration": duration}
    ds = ss.sample(ss.models.random_rnn, population=10_000, replicas=16, seed=11, every=coarse, **parameters)
    of_h, of_phi = random_rnn.correlation(g, phi, dt=dt, steps=steps)
    assert_closed(ds, (of_h[::coarse, ::coarse], of_phi[::coarse, ::coarse]), 16)


@pytest.mark.parametrize(("scheme", "dt"), [("rk4", 0.5), ("heun", 0.125)])
def test_schemes_of_higher_order_have_the_network_in_continuous_time(scheme: str, dt: float) -> None:
    parameters = {"g": 1.5, "scheme": scheme, "dt": dt, "duration": 10.0, "every": round(1 / dt)}
    ds = ss.sample(ss.models.random_rnn, population=8_000, replicas=8, seed=12, **parameters)
    assert_closed(ds, random_rnn.correlation(1.5, times=ds.time), 8)
    assert ds.attrs["scheme"] == scheme and ds.attrs["scheme_dt"] == dt


def test_late_times_are_stationary() -> None:
    g, dt, duration = 3.0, 0.2, 40.0
    lags = np.arange(0, 10.5, 1)
    stationary = random_rnn.stationary_correlation(g, lags, dt=dt)
    # What is left of the relaxation from h(0) ~ N(0, 1) is less than the errors.
    last = random_rnn.correlation(g, dt=dt, steps=200)[0][-1]
    assert np.abs(last[200 - np.round(lags / dt).astype(int)] - stationary).max() < 0.003 * stationary[0]
    ds = ss.sample(
        ss.models.random_rnn,
        population=6_000,
        replicas=16,
        seed=12,
        every=5,
        scheme="euler",
        g=g,
        dt=dt,
        duration=duration,
    ).sel(time=duration, time_=duration - lags)
    assert_agreement(ds.C_h, ds.C_h_stderr, stationary, replicas=16, error_below=0.01)


def test_activity_decays_below_the_transition() -> None:
    g, dt, duration = 0.8, 0.1, 10.0
    ds = ss.sample(
        ss.models.random_rnn,
        population=6_000,
        replicas=16,
        seed=13,
        every=50,
        scheme="euler",
        g=g,
        dt=dt,
        duration=duration,
    )
    exact = np.diag(random_rnn.correlation(g, dt=dt, steps=100)[0])
    assert exact[100] == pytest.approx(8.97345e-4, rel=1e-5)
    for time, step in ((5.0, 50), (10.0, 100)):
        here = {"time": time, "time_": time}
        C, error = ds.C_h.sel(here), ds.C_h_stderr.sel(here)
        # Small numbers, of which the sampler knows two digits.
        assert_agreement(C, error, exact[step], replicas=16, error_below=0.05)


@pytest.mark.parametrize(
    ("g", "dt", "duration", "transient"),
    [
        (1.5, 0.2, 60.0, 30.0),
        pytest.param(2.0, 0.1, 80.0, 30.0, marks=pytest.mark.slow),
        pytest.param(3.0, 0.1, 60.0, 20.0, marks=pytest.mark.slow),
    ],
)
def test_largest_lyapunov_exponent(g: float, dt: float, duration: float, transient: float) -> None:
    parameters = {"scheme": "euler", "g": g, "dt": dt, "duration": duration, "transient": transient}
    ds = ss.sample(ss.models.random_rnn_lyapunov, population=4_000, replicas=4, seed=3, every=25, **parameters)
    exponent = float(ds.exponent.isel(time=-1))
    assert exponent == pytest.approx(random_rnn_lyapunov.lyapunov_exponent(g, dt=dt), rel=0.05)
    assert float(ds.exponent_stderr.isel(time=-1)) < 0.03 * exponent
