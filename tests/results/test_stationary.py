"""Stationary processes: what is made of C(t, t') and R(t, t'), against the Ornstein-Uhlenbeck process.

The Euler steps h <- a h + sqrt(2 T dt) xi with a = 1 - k dt have, started in their stationary state,

    C(n dt) = C(0) a^n,  C(0) = T/(k (1 - k dt/2)),  R(n dt) = a^(n - 1) for n > 0.
"""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from threshold import assert_agreement

import sitesampler as ss
from sitesampler.errors import InputError

K, T, DT = 0.8, 0.5, 0.1
A, C0 = 1 - K * DT, T / (K * (1 - K * DT / 2))
FALSE_ALARM = 1e-5


def ornstein_uhlenbeck(net: Any, *, duration: float = 4.0, layers: int = 0) -> None:
    sites = net.sites()
    h = np.sqrt(C0) * sites.normal()
    for t in net.clock(duration, DT):
        net.record(t, h=[h] * layers if layers else h)
        h = A * h + np.sqrt(2 * T * DT) * sites.normal() + DT * net.source(sites)


@pytest.fixture(scope="module")
def networks() -> xr.Dataset:
    """Finite: there each site has noise of its own, whose scatter the errors are to show."""
    return ss.simulate(ornstein_uhlenbeck, size=300, replicas=12, seed=1, keep_replicas=True)


def deviations(found: xr.Dataset, name: str, truth: Any) -> None:
    values = found[name].values
    assert_agreement(
        values, found[f"{name}_stderr"].values, np.broadcast_to(truth, values.shape), replicas=12,
        false_alarm=FALSE_ALARM, error_below=0.1, scale=float(np.max(np.abs(truth))),
    )  # fmt: skip


def test_stationary_correlation_and_response(networks: xr.Dataset) -> None:
    found = ss.stationary(networks, "h", start=1, longest=2)
    lags = np.arange(21)
    np.testing.assert_allclose(found.lag, lags / 10, rtol=1e-12)
    deviations(found, "C_h", C0 * A**lags)
    deviations(found.isel(lag=slice(1, None)), "R_h", A ** lags[:-1])
    assert found.R_h[0] == 0
    assert found.C_h.sel(lag=0.3) > 0 and found.C_h.attrs["long_name"] == "two-time correlation of h"
    assert found.attrs["derived"] == "stationary"


def test_a_window_is_averaged_over(networks: xr.Dataset) -> None:
    """Against the average over pairs of times, one by one; its error is smaller than that of any one of them."""
    inside, times = networks.C_h.sel(time=slice(2, None), time_=slice(2, None)).values, range(21)
    found = ss.stationary(networks, "h", start=2)
    by_hand = [np.mean([inside[t + lag, t] for t in times if t + lag in times]) for lag in times]
    np.testing.assert_allclose(found.C_h, by_hand, rtol=1e-12)
    assert found.C_h_stderr[0] < networks.C_h_stderr.sel(time=2, time_=2)


def test_spectrum(networks: xr.Dataset) -> None:
    """The sum over lags up to n, whose geometric series has a closed form."""
    found = ss.spectrum(networks, "h", start=1)
    n, omega = 31, found.frequency.values
    np.testing.assert_allclose(omega, 2 * np.pi * np.arange(n) / ((2 * n - 1) * DT))
    wave = A * np.exp(1j * omega * DT)
    deviations(found, "S_h", DT * C0 * (2 * ((1 - wave**n) / (1 - wave)).real - 1))
    # Parseval: C(0) is the integral of S over omega/(2 pi), negative frequencies included.
    C = ss.stationary(networks, "h", start=1).C_h
    S = found.S_h.values
    assert (S[0] + 2 * S[1:].sum()) / ((2 * n - 1) * DT) == pytest.approx(float(C[0]), rel=1e-12)


def test_fluctuation_and_dissipation(networks: xr.Dataset) -> None:
    """In equilibrium the ratio is 1, and 1 - k dt/2 in Euler steps."""
    found = ss.fdt(networks, "h", temperature=T, waiting=1)
    lags = np.arange(31)
    assert found.chi_h[0] == 0 and np.isnan(found.X_h[0]) and found.lag[-1] == 3
    later = found.isel(lag=slice(1, None))
    deviations(later, "chi_h", (1 - A ** lags[1:]) / K)
    deviations(later, "X_h", 1 - K * DT / 2)


def test_relaxation_time(networks: xr.Dataset) -> None:
    found = ss.relaxation_time(networks, "h", start=0)
    exact = np.interp(-math.exp(-1), -(A ** np.arange(41.0)), DT * np.arange(41))
    deviations(found, "relaxation_time_h", exact)
    assert np.isnan(ss.relaxation_time(networks, "h", start=0, level=1e-3).relaxation_time_h)


def test_functions_are_built_from_them(networks: xr.Dataset) -> None:
    """A fitted exponent, with its error, in three lines."""

    def rate(d: xr.Dataset) -> float:
        C = ss.stationary(d, "h", start=0, longest=1).C_h
        return float(-np.polyfit(C.lag, np.log(C), 1)[0])

    deviations(ss.derive(networks, rate), "rate", -np.log(A) / DT)


def test_layers_each_have_their_own() -> None:
    ds = ss.simulate(ornstein_uhlenbeck, size=100, replicas=3, seed=1, layers=2, keep_replicas=True)
    assert ss.stationary(ds, "h", start=1).C_h.dims == ("layer", "lag")
    assert ss.spectrum(ds, "h", start=1).S_h.dims == ("layer", "frequency")
    assert ss.relaxation_time(ds, "h", start=0).relaxation_time_h.dims == ("layer",)
    found = ss.fdt(ds, "h", temperature=T, waiting=1)
    assert found.X_h.dims == ("layer", "lag")
    np.testing.assert_allclose(found.chi_h[1], (1 - A ** np.arange(31)) / K, atol=0.3)


def test_a_glass_above_its_transition_is_in_equilibrium() -> None:
    ds = ss.sample(
        ss.models.spherical_pspin, population=2_000, replicas=4, seed=0, temperature=1.2, scheme="euler",
        dt=0.025, duration=4.0,
        every=2, keep_replicas=True,
    )  # fmt: skip
    found = ss.fdt(ds, "s", temperature=1.2, waiting=2)
    late = found.isel(lag=slice(4, None))
    assert np.all(np.abs(late.X_s - 1) < 0.06 + 4 * late.X_s_stderr), late.X_s.values
    assert float(late.X_s_stderr.max()) < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: ss.stationary(d, "x", start=0), "record must be a site vector .*, and 'x' is none.*; it has h"),
        (lambda d: ss.stationary(d, 3, start=0), "record must be a site vector .*, and 3 is none"),
        (lambda d: ss.stationary(d, "h", start=4), "start=4 leaves 1 of the recorded times, which end at 4"),
        (lambda d: ss.stationary(d, "h", start="late"), "start must be a time, not 'late'"),
        (lambda d: ss.spectrum(d, "h", start=0, longest=-1), "longest must be a time .* at least 0, not -1"),
        (lambda d: ss.relaxation_time(d, "h", start=0, level=1.5), "level must be a number between 0 and 1.*not 1.5"),
        (lambda d: ss.fdt(d, "h", temperature=0, waiting=1), "temperature must be a positive number, not 0"),
        (lambda d: ss.fdt(d, "h", temperature=1, waiting=1, source="b"), "no response to a source 'b'"),
        (lambda d: ss.fdt(d.drop_vars("R_h"), "h", temperature=1, waiting=1), "has no response of 'h'"),
        (lambda d: ss.stationary(d.isel(time=[0, 1, 5], time_=[0, 1, 5]), "h", start=0), "are not evenly spaced"),
        (lambda d: ss.stationary(3, "h", start=0), "derive takes a result"),
        (lambda d: ss.stationary(d, np.array(["h", "h"]), start=0), "record must be a site vector"),
        (lambda d: ss.stationary(d, "h", start=2**2000), "start must be a time, not an int"),
        (lambda d: ss.spectrum(d, "h", start=0, longest=0), "longest=0 is shorter than the distance of two recorded"),
        (lambda d: ss.relaxation_time(d, "h", start=0, longest=0), "longest=0 is shorter than the distance"),
        (lambda d: ss.fdt(d, "h", temperature=1, waiting=1, source=["b"]), "no response to a source"),
    ],
)
def test_what_cannot_be_meant_is_refused(networks: xr.Dataset, call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(networks)


def test_a_response_that_could_not_be_told_gives_no_ratio() -> None:
    call = {
        "scheme": "euler",
        "temperature": 0.0,
        "dt": 0.1,
        "duration": 2.0,
        "population": 400,
        "replicas": 2,
        "keep_replicas": True,
    }
    with pytest.warns(RuntimeWarning, match="R_s is NaN where it is not known"):
        ds = ss.sample(ss.models.spherical_pspin, seed=0, keep=0, progress=False, **call)
    assert ss.fdt(ds, "s", temperature=1.0, waiting=0).X_s.isnull().isel(lag=-1)


@pytest.mark.parametrize("record_dt", [None, 0.05])
def test_the_response_of_a_flow_is_integrated_by_trapezoids(record_dt: float | None) -> None:
    """Heun's steps of OU have R(n dt) = a^n with a = 1 - z + z^2/2, z = K dt, and X = 1 + z^2/2 + ..., of second order.

    C(0) = 2 T dt (1 - z/2)^2 / (1 - a^2), so that X = (1 + a)^2 / (2 - z)^2.
    """
    z = K * DT
    a = 1 - z + z**2 / 2

    def flow(net: Any) -> None:
        sites = net.sites()
        start = np.sqrt(2 * T * DT * (1 - z / 2) ** 2 / (1 - a**2)) * sites.normal()
        drift = lambda h: net.source(sites) - K * h  # noqa: E731
        for t, h in net.flow(drift, start, 4.0, DT, noise=np.sqrt(2 * T), record_dt=record_dt):
            net.record(t, h=h)

    ds = ss.sample(flow, population=600, replicas=2, seed=0, keep_replicas=True)
    found = ss.fdt(ds, "h", temperature=T, waiting=1)
    np.testing.assert_allclose(found.lag, np.arange(31) * DT, atol=1e-9)
    np.testing.assert_allclose(found.X_h[1:], (1 + a) ** 2 / (2 - z) ** 2, rtol=1e-6)
    np.testing.assert_allclose(found.chi_h, DT * (1 - a ** np.arange(31)) * (1 + a) / (2 - 2 * a), atol=1e-6)
