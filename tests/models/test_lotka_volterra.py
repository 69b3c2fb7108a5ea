"""Lotka-Volterra: the unique fixed point against the cavity solution, chaos against direct simulation."""

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.lotka_volterra import lotka_volterra
from sitesampler.theory.lotka_volterra import fixed_point


@pytest.mark.parametrize("symmetry", [0.0, 0.5, -0.5])
def test_unique_fixed_point_is_the_cavity_solution(symmetry: float) -> None:
    parameters = {"mean_interaction": 4.0, "heterogeneity": 0.6, "symmetry": symmetry, "migration": 1e-3}
    ds = ss.sample(
        lotka_volterra,
        population=4000,
        replicas=8,
        seed=1,
        every=20,
        keep=0,
        dt=0.25,
        scheme="euler",
        duration=100,
        **parameters,
    )
    exact = fixed_point(**parameters)
    last = ds.isel(time=-1, time_=-1)
    for estimate, error, reference in (
        (last.x_mean, last.x_mean_stderr, exact.mean),
        (last.C_x, last.C_x_stderr, exact.mean_square),
        (last.surviving, last.surviving_stderr, exact.surviving),
    ):
        # What a population of M leaves of a bias, 1/M, is far below the scatter of direct simulation.
        assert abs(float(estimate) / reference - 1) < 0.005
        assert float(error) < 0.003 * reference
    assert float(last.x_mean) == pytest.approx(exact.mean, rel=5e-4)
    before = ds.isel(time=-2, time_=-1)
    assert float(before.C_x) == pytest.approx(float(last.C_x), rel=1e-3)


@pytest.mark.parametrize("symmetry", [pytest.param(0.0, marks=pytest.mark.slow), -0.3])
def test_chaos_agrees_with_direct_simulation_extrapolated_in_size(symmetry: float) -> None:
    parameters = {"heterogeneity": 2.0, "symmetry": symmetry, "dt": 0.2, "duration": 20.0, "scheme": "euler"}
    options = {"every": 20, "keep": 0}
    sampled = ss.sample(lotka_volterra, population=3000, replicas=8, seed=2, **options, **parameters)
    small = ss.simulate(lotka_volterra, size=150, replicas=100, seed=3, **options, **parameters)
    large = ss.simulate(lotka_volterra, size=300, replicas=100, seed=4, **options, **parameters)
    for name, within in (("x_mean", 0.02), ("C_x", 0.1), ("surviving", 0.04)):
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        assert float((error / np.abs(sampled[name])).max()) < within
        errors = (sampled[name + "_stderr"].values, error.values)
        assert worst_p_value((sampled[name] - extrapolated).values, errors, (7, 99)) > 1e-3, name
    # Correlations decay: this is no fixed point.
    late = sampled.C_x.sel(time=20).values
    assert late[-3] < 0.9 * late[-1]


@pytest.mark.parametrize("world", ["ensemble", "matrix", "exact law"])
def test_abundances_stay_positive_at_a_coarse_step(world: str) -> None:
    parameters = {
        "heterogeneity": 2.0,
        "dt": 1.0,
        "scheme": "euler",
        "duration": 30.0,
        "seed": 5,
        "replicas": 1,
        "keep": 100,
    }
    if world == "ensemble":
        ds = ss.sample(lotka_volterra, population=300, **parameters)
    else:
        ds = ss.simulate(lotka_volterra, size=300, matrix=world == "matrix", **parameters)
    assert float(ds.trajectory_x.min()) > 0
