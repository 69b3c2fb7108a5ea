"""Models that flow: at their default steps they meet their equations in continuous time, dt -> 0."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from reference import worst_p_value

import sitesampler as ss
from sitesampler import models, theory
from sitesampler.errors import SiteSamplerError

FEW: dict[str, Any] = {"replicas": 2, "seed": 0, "keep": 0}


def assert_close(ds: xr.Dataset, expected: dict[str, Any], to: float) -> None:
    """Assert that what has no error of sampling is right to a part of its largest value."""
    for name, right in expected.items():
        np.testing.assert_allclose(ds[name], right, atol=to * np.abs(right).max(), err_msg=name)


def assert_agrees(ds: xr.Dataset, expected: dict[str, Any], within: float) -> None:
    """Assert that sampled values deviate no more than chance allows, with errors that are a small part of them."""
    for name, right in expected.items():
        values, errors = (ds[name + end].values.reshape(np.shape(right)) for end in ("", "_stderr"))
        assert errors.max() < within * np.abs(right).max(), name
        assert worst_p_value(values - right, (errors,), (7,)) > 1e-4, name


# ------------------------------------------------------------------------------------------------------ linear systems
def test_the_flow_of_a_goe_matrix_and_its_response_to_a_kick() -> None:
    ds = ss.sample(models.goe_flow, population=400, tolerance=1e-7, **FEW)
    times = ds["time"].values
    assert_close(ds, {"C_h": theory.goe_flow.correlation(times=times)}, 1e-4)
    assert_close(ds, {"R_h": theory.goe_flow.response(times=times)}, 1e-4)
    np.testing.assert_allclose(np.diag(ds.R_h), 1, rtol=1e-6)


def test_the_flow_of_regression() -> None:
    ds = ss.sample(models.regression_flow, population=300, tolerance=1e-10, duration=5.0, **FEW)
    right = theory.regression_flow.solve(1.5, 0.3, times=ds["time"].values)
    names = ("C_h", "C_delta", "test_loss", "train_loss")
    assert_close(ds, {name: getattr(right, name) for name in names}, 3e-5)


def test_batches_are_steps_of_descent() -> None:
    ds = ss.sample(models.regression_flow, population=300, duration=1.0, batch=0.5, **FEW)
    assert ds.attrs["scheme"] == "map" and ds.attrs["scheme_order"] == 1
    with pytest.raises(SiteSamplerError, match="batches are taken in steps of descent; scheme='rk4' has none"):
        ss.sample(models.regression_flow, population=300, duration=1.0, batch=0.5, scheme="rk4", **FEW)


def test_the_flow_of_random_features() -> None:
    ds = ss.sample(models.random_features, population=300, tolerance=1e-10, duration=2.0, **FEW)
    right = theory.random_features.solve(0.6, 0.6, 0.2, times=ds["time"].values)
    assert_close(ds, {"C_h": right.C0, "test_loss": right.test_loss, "train_loss": right.train_loss}, 2e-5)


# ------------------------------------------------------------------------------------------------------------ networks
def test_the_random_network() -> None:
    ds = ss.sample(models.random_rnn, population=4_000, replicas=8, seed=1, g=1.5, duration=8.0, every=8)
    C_h, C_phi = theory.random_rnn.correlation(1.5, "tanh", times=ds["time"].values)
    assert ds.attrs["scheme"] == "rk4"
    assert_agrees(ds, {"C_h": C_h, "C_phi": C_phi}, 0.02)


def test_the_network_of_low_rank() -> None:
    ds = ss.sample(models.low_rank_rnn, population=4_000, replicas=8, seed=1, duration=4.0, every=4)
    right = theory.low_rank_rnn.recursion(0.8, 2.0, 0.3, times=ds["time"].values)
    assert_agrees(ds, {name: getattr(right, name) for name in ("kappa", "projection", "C_h")}, 0.02)


def test_excitatory_and_inhibitory_populations() -> None:
    ds = ss.sample(models.excitatory_inhibitory, population=4_000, replicas=8, seed=1, duration=3.0, every=10)
    given = ((2.0, 3.0), (2.0, 3.0)), ((10.0, -10.0), (10.0, -2.0)), (0.4, -4.0), 0.8
    right = theory.excitatory_inhibitory.recursion(*given, times=ds["time"].values)
    for at, name in enumerate("EI"):
        assert_agrees(ds, {f"rate_{name}": right.rate[at], f"C_h_{name}": right.C_h[at]}, 0.02)


# -------------------------------------------------------------------------------------------------- spins, with noise
def test_the_spherical_model_has_an_error_of_second_order() -> None:
    errors = []
    for dt in (0.1, 0.05):
        ds = ss.sample(models.spherical_pspin, population=800, tolerance=1e-4, dt=dt, duration=2.0, **FEW)
        right = theory.spherical_pspin.solve(3, 1.0, times=ds["time"].values)
        found = {"C_s": right.C, "energy": right.energy, "multiplier": right.multiplier}
        errors.append([np.abs(ds[name] - value).max() for name, value in found.items()])
    np.testing.assert_allclose(np.log2(np.divide(*errors)), 2, atol=0.4)
    assert max(errors[1][:2]) < 0.02


# ----------------------------------------------------------------------------------- without equations that close
@pytest.mark.parametrize(("name", "variables"), [("lotka_volterra", ("C_x",)), ("perceptron_flow", ("C_w", "C_h"))])
def test_one_network_has_an_error_of_fourth_order_and_its_map_goes_to_the_same_limit(
    name: str, variables: tuple[str, ...]
) -> None:
    model, dt = getattr(models, name), {"lotka_volterra": 0.2, "perceptron_flow": 0.5}[name]
    call: dict[str, Any] = {"size": 60, "replicas": 2, "seed": 3, "duration": 4.0}

    def run(step: float, scheme: str) -> np.ndarray:
        ds = ss.simulate(model, dt=step, scheme=scheme, **call)
        times = np.arange(0, 4.5, 1.0)
        return np.stack([ds[each].sel(time=times, time_=times, method="nearest").values for each in variables])

    right = run(dt / 8, "rk4")
    errors = [np.abs(run(step, "rk4") - right).max() for step in (dt / 2, dt / 4)]
    assert np.log2(errors[0] / errors[1]) > 3.5
    descent = [np.abs(run(step, "euler") - right).max() for step in (dt / 4, dt / 8)]
    assert np.log2(descent[0] / descent[1]) == pytest.approx(1, abs=0.3)


def test_the_exponent_of_one_network_has_an_error_of_fourth_order() -> None:
    call: dict[str, Any] = {"size": 60, "replicas": 2, "seed": 3, "duration": 6.0, "transient": 2.0}

    def exponent(dt: float) -> np.ndarray:
        return ss.simulate(models.random_rnn_lyapunov, dt=dt, **call).exponent.sel(time=6.0).values

    right = exponent(1 / 32)
    errors = [abs(exponent(dt) - right) for dt in (0.5, 0.25)]
    assert np.log2(errors[0] / errors[1]) > 3.5
