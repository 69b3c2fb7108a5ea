"""Hopfield network against exact first steps, the graded fixed point and direct simulation."""

from typing import Any

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.hopfield import hopfield
from sitesampler.theory.hopfield import first_steps, retrieval


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 0.1, "overlap": 0.5},
        {"alpha": 0.3, "overlap": 0.6},
        {"alpha": 0.1, "overlap": 0.5, "dt": 0.5},
        {"alpha": 0.1, "overlap": 0.5, "beta": 2.0},
        {"alpha": 0.3, "overlap": 0.5, "beta": 2.0, "dt": 0.7},
    ],
)
def test_first_steps_equal_quadrature(parameters: dict[str, Any]) -> None:
    steps = 3 if "beta" in parameters else 2
    m, power = first_steps(**parameters, steps=steps)
    duration = steps * parameters.get("dt", 1.0)
    ds = ss.sample(hopfield, population=20_000, replicas=8, seed=0, keep=0, duration=duration, **parameters)
    for values, errors, exact in (
        (ds.m.values, ds.m_stderr.values, m),
        (np.diag(ds.C_h), np.diag(ds.C_h_stderr), power),
    ):
        assert errors.max() < 0.005
        assert worst_p_value(values - exact, (errors,), (7,)) > 1e-4


@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 3.0), (0.08, 4.0)])
def test_graded_network_ends_at_the_retrieval_state(alpha: float, beta: float) -> None:
    parameters = {"alpha": alpha, "beta": beta, "overlap": 0.9, "dt": 0.5, "duration": 30.0}
    ds = ss.sample(hopfield, population=8000, replicas=8, seed=1, keep=0, every=20, **parameters)
    exact, last = retrieval(alpha, beta), ds.isel(time=-1, time_=-1)
    for name, reference in (("m", exact.m), ("C_s", exact.q), ("C_h", exact.power)):
        value, error = float(last[name]), float(last[name + "_stderr"])
        assert error < 0.004
        assert abs(value - reference) < 0.01
        assert worst_p_value(np.array(value - reference), (np.array(error),), (7,)) > 1e-3, name


@pytest.mark.slow
def test_agrees_with_direct_simulation_extrapolated_in_size() -> None:
    parameters = {"alpha": 0.1, "beta": 3.0, "overlap": 0.6, "dt": 0.5, "duration": 10.0}
    options = {"every": 4, "keep": 0}
    sampled = ss.sample(hopfield, population=8000, replicas=8, seed=2, **options, **parameters)
    small = ss.simulate(hopfield, size=400, replicas=200, seed=3, **options, **parameters)
    large = ss.simulate(hopfield, size=800, replicas=200, seed=4, **options, **parameters)
    for name in ("m", "C_s", "C_h"):
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        assert float(error.max() / np.abs(sampled[name]).max()) < 0.02, name
        errors = (sampled[name + "_stderr"].values, error.values)
        assert worst_p_value((sampled[name] - extrapolated).values, errors, (7, 199)) > 1e-3, name


def test_signs_retrieve_below_capacity_and_forget_above() -> None:
    few, many = (
        ss.sample(hopfield, population=4000, replicas=4, seed=5, keep=0, alpha=alpha, overlap=0.8, duration=15)
        for alpha in (0.08, 0.3)
    )
    assert float(few.m[-1]) > 0.98
    assert float(many.m[-1]) < 0.6
