"""Errors of what users derive: intervals cover the truth, over many seeds, in linear and in nonlinear functions.

Replicas of one long run are dealt out in groups, and each group goes through `derive` as a short run would.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import sitesampler as ss
from sitesampler.theory import random_rnn

K, T, DT = 0.8, 0.5, 0.1
A, C0 = 1 - K * DT, T / (K * (1 - K * DT / 2))
LAGS = np.arange(31)


def ornstein_uhlenbeck(net: Any) -> None:
    sites = net.sites()
    h = np.sqrt(C0) * sites.normal()
    for t in net.clock(4.0, DT):
        net.record(t, h=h)
        h = A * h + np.sqrt(2 * T * DT) * sites.normal()


def relaxation(C: np.ndarray) -> float:
    return float(np.interp(-math.exp(-1), -C / C[0], DT * np.arange(len(C))))


#: The truth about the Ornstein-Uhlenbeck process.
TRUTHS = {
    "relaxation_time": relaxation(A ** LAGS.astype(float)),
    "correlation_time": DT * float(np.sum(A**LAGS)),
    "power_at_zero": DT * C0 * float(2 * np.sum(A**LAGS) - 1),
    "square": C0**2,
}


def everything(d: xr.Dataset) -> dict[str, Any]:
    C = ss.stationary(d, "h", start=1).C_h
    return {
        "relaxation_time": ss.relaxation_time(d, "h", start=1).relaxation_time_h,
        "correlation_time": float(C.sum() / C[0]) * DT,
        "power_at_zero": ss.spectrum(d, "h", start=1).S_h[0],
        "square": d.C_h[-1, -1] ** 2,
    }


def dealt(ds: xr.Dataset, size: int) -> list[xr.Dataset]:
    """Deal the replicas of a result out as results of their own."""
    out = []
    for first in range(0, ds.sizes["replica"], size):
        part = ds.isel(replica=slice(first, first + size))
        for name in [str(name) for name in part if str(name).endswith("_replicas")]:
            own, plain = part[name], name.removesuffix("_replicas")
            part = part.assign({plain: own.mean("replica"), f"{plain}_stderr": own.std("replica", ddof=1) / size**0.5})
        out.append(part)
    return out


def covered(
    parts: list[xr.Dataset], function: Callable[[xr.Dataset], Any], truths: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return how many 95 % intervals cover each truth, and the mean deviation in standard errors."""
    found = [ss.derive(part[["C_h", "C_h_stderr", "C_h_replicas"]], function) for part in parts]
    out = {}
    for name, truth in truths.items():
        inside = [float(low) <= truth <= float(high) for low, high in (ss.interval(each, name) for each in found)]
        out[name] = np.mean(inside), np.mean([(each[name] - truth) / each[f"{name}_stderr"] for each in found])
    return out


def test_derived_intervals_cover() -> None:
    ds = ss.simulate(ornstein_uhlenbeck, size=200, replicas=8 * 12, seed=3, keep=0, keep_replicas=True)
    for name, (share, _) in covered(dealt(ds, 8), everything, TRUTHS).items():
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 12, 0.95) / 12
        assert low <= share <= high, f"{share:.3f} of 12 intervals cover the {name}"


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [4, 8])
def test_derived_intervals_cover_over_many_seeds(replicas: int) -> None:
    ds = ss.simulate(ornstein_uhlenbeck, size=200, replicas=replicas * 500, seed=4, keep=0, keep_replicas=True)
    for name, (share, shift) in covered(dealt(ds, replicas), everything, TRUTHS).items():
        print(f"{name}, {replicas} replicas: {100 * share:.1f} % of 500, mean {shift:+.2f} standard errors")
        assert 0.92 <= share <= 0.98, name


@pytest.mark.slow
def test_the_relaxation_time_of_a_chaotic_network() -> None:
    """Against the closed two-time equations, at the same time step."""
    C, _ = random_rnn.correlation(2.0, dt=DT, steps=60)
    window = C[20:, 20:]
    truth = relaxation(np.array([np.mean(np.diagonal(window, lag)) for lag in range(41)]))
    options: dict[str, Any] = {"scheme": "euler", "g": 2.0, "dt": DT, "duration": 6.0, "population": 4_000, "keep": 0}
    ds = ss.sample(ss.models.random_rnn, replicas=8 * 60, seed=5, every=1, keep_replicas=True, **options)
    name = "relaxation_time_h"
    share, shift = covered(dealt(ds, 8), lambda d: ss.relaxation_time(d, "h", start=2), {name: truth})[name]
    print(f"chaotic network: {100 * share:.1f} % of 60, mean {shift:+.2f} standard errors")
    assert share >= 0.85
