"""Perceptron: the square loss is regression; first steps by quadrature; the minimum; direct simulation."""

from typing import Any

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.perceptron_flow import perceptron_flow
from sitesampler.theory import regression_flow
from sitesampler.theory.perceptron_flow import first_steps, minimum


def norms(ds: Any, end: str = "") -> np.ndarray:
    return np.diag(ds["C_w" + end].values)


def test_square_loss_with_linear_labels_is_regression_to_all_digits() -> None:
    parameters = {"alpha": 1.5, "noise": 0.3, "dt": 0.25, "scheme": "euler"}
    ds = ss.sample(
        perceptron_flow, population=150, replicas=2, seed=0, tolerance=1e-12, duration=5,
        loss="square", labels="linear", **parameters,
    )  # fmt: skip
    exact = regression_flow.solve(1.5, 0.3, 0.25, 20)
    np.testing.assert_allclose(1 - 2 * ds.overlap + norms(ds) + 0.3**2, exact.test_loss, rtol=1e-9)
    np.testing.assert_allclose(2 * ds.train_loss, exact.train_loss, rtol=1e-9)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "square"])
def test_first_steps_equal_quadrature(loss: str) -> None:
    parameters = {"alpha": 2.0, "loss": loss, "decay": 0.1, "dt": 1.0}
    options = {"scheme": "euler", "duration": 3}
    ds = ss.sample(perceptron_flow, population=8000, replicas=8, seed=0, keep=0, **options, **parameters)
    exact = first_steps(**parameters, steps=3)
    for values, errors, reference in (
        (ds.overlap.values[1:], ds.overlap_stderr.values[1:], exact.overlap[1:]),
        (norms(ds)[1:], norms(ds, "_stderr")[1:], exact.norm[1:]),
        (ds.train_loss.values[:3], ds.train_loss_stderr.values[:3], exact.train_loss),
        (ds.train_error.values[1:3], ds.train_error_stderr.values[1:3], exact.train_error[1:]),
    ):
        assert errors.max() < 0.01 * np.abs(reference).max()
        assert worst_p_value(values - reference, (errors,), (7,)) > 1e-4


@pytest.mark.parametrize(("loss", "dt"), [("logistic", 2.0), ("hinge", 0.5)])
def test_ends_at_the_minimum(loss: str, dt: float) -> None:
    parameters = {"alpha": 2.0, "loss": loss, "decay": 0.1}
    ds = ss.sample(
        perceptron_flow,
        population=6000,
        replicas=8,
        seed=0,
        keep=0,
        every=40,
        scheme="euler",
        dt=dt,
        duration=80 * dt,
        **parameters,
    )
    last, exact = ds.isel(time=-1, time_=-1), minimum(**parameters)
    for name, reference, within in (
        ("overlap", exact.overlap, 0.005),
        ("C_w", exact.norm, 0.005),
        ("train_loss", exact.train_loss, 0.01),
        ("train_error", exact.train_error, 0.15),
        ("test_error", exact.test_error, 0.005),
    ):
        value, error = float(last[name]), float(last[name + "_stderr"])
        assert error < within * reference, name
        # Half of what is allowed for the error is left to the bias 1/M.
        assert worst_p_value(np.array(value - reference), (np.array(error),), (7,), bias=within / 2 * reference) > 1e-3


@pytest.mark.slow
def test_agrees_with_direct_simulation_extrapolated_in_size() -> None:
    parameters = {"alpha": 2.0, "start": 1.0, "noise": 0.5, "dt": 0.5, "duration": 10.0, "scheme": "euler"}
    options = {"every": 5, "keep": 0}
    sampled = ss.sample(perceptron_flow, population=6000, replicas=8, seed=3, **options, **parameters)
    small = ss.simulate(perceptron_flow, size=100, replicas=300, seed=4, **options, **parameters)
    large = ss.simulate(perceptron_flow, size=200, replicas=300, seed=5, **options, **parameters)
    for name in ("C_w", "C_h", "overlap", "train_loss", "train_error", "test_error"):
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        assert float(error.max() / np.abs(sampled[name]).max()) < 0.03, name
        errors = (sampled[name + "_stderr"].values, error.values)
        assert worst_p_value((sampled[name] - extrapolated).values, errors, (7, 299)) > 1e-3, name
