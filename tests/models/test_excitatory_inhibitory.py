"""Excitatory-inhibitory network against the two-population recursion and direct simulation."""

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.excitatory_inhibitory import excitatory_inhibitory
from sitesampler.theory.excitatory_inhibitory import recursion

OSCILLATING = {"gains": ((2.0, 3.0), (2.0, 3.0)), "means": ((10.0, -10.0), (10.0, -2.0)), "drive": (0.4, -4.0)}
FLUCTUATING = {"gains": ((6.0, 9.0), (5.0, 8.0)), "means": ((4.0, -6.0), (5.0, -5.0)), "drive": (0.8, 0.4)}


@pytest.mark.parametrize("parameters", [OSCILLATING, FLUCTUATING])
@pytest.mark.parametrize("fraction", [0.8, 0.5])
def test_equals_the_two_population_recursion(parameters: dict, fraction: float) -> None:
    parameters = {**parameters, "fraction": fraction, "dt": 0.2}
    ds = ss.sample(
        excitatory_inhibitory,
        population=4000,
        replicas=8,
        seed=1,
        every=5,
        keep=0,
        duration=10,
        scheme="euler",
        **parameters,
    )
    exact = recursion(**parameters, steps=50)
    for a, name in enumerate("EI"):
        for variable, reference, within in (
            (f"rate_{name}", exact.rate[a, ::5], 0.02),
            (f"h_{name}_mean", exact.mean[a, ::5], 0.02),
            (f"C_h_{name}", exact.C_h[a, ::5, ::5], 0.02),
        ):
            values, errors = ds[variable].values, ds[variable + "_stderr"].values
            scale = np.sqrt(exact.C_h[a].max()) if variable.endswith("mean") else np.abs(reference).max()
            assert errors.max() < 1.5 * within * scale, variable
            # A tenth of a percent is left to the bias 1/M of a population.
            assert worst_p_value(values - reference, (errors,), (7,), bias=1e-3 * scale) > 1e-4, variable
    if parameters["gains"] == OSCILLATING["gains"] and fraction == 0.8:
        late = ds.rate_E.sel(time=slice(4, None))
        assert float(late.max() - late.min()) > 0.4


@pytest.mark.slow
def test_agrees_with_direct_simulation_extrapolated_in_size() -> None:
    parameters = {**FLUCTUATING, "dt": 0.2, "duration": 6.0, "scheme": "euler"}
    options = {"every": 10, "keep": 0}
    sampled = ss.sample(excitatory_inhibitory, population=4000, replicas=8, seed=2, **options, **parameters)
    small = ss.simulate(excitatory_inhibitory, size=80, replicas=150, seed=3, **options, **parameters)
    large = ss.simulate(excitatory_inhibitory, size=160, replicas=150, seed=4, **options, **parameters)
    for name in ("rate_E", "rate_I", "C_h_E", "C_h_I"):
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        assert float(error.max() / np.abs(sampled[name]).max()) < 0.08
        errors = (sampled[name + "_stderr"].values, error.values)
        assert worst_p_value((sampled[name] - extrapolated).values, errors, (7, 149)) > 1e-3, name
