"""Online learning on a Gaussian mixture against its recursion and direct simulation."""

from typing import Any

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.gaussian_mixture_sgd import gaussian_mixture_sgd
from sitesampler.theory.gaussian_mixture_sgd import recursion

DEFAULTS = {"alpha": 0.5, "separation": 1.5, "rate": 0.5}


def assert_equal_to_recursion(ds: Any, exact: Any, replicas: int, within: float, bias: float) -> None:
    for name, reference in (
        ("overlap", exact.overlap),
        ("loss", exact.loss),
        ("error", exact.error),
        ("C_w", exact.Q),
    ):
        if np.isnan(reference).any():
            continue
        values, errors = (ds[name + end].values for end in ("", "_stderr"))
        if name == "C_w":
            values, errors = (np.einsum("tt...->t...", array) for array in (values, errors))
        values, errors = values.reshape(reference.shape), errors.reshape(reference.shape)
        scale = np.abs(reference).max()
        assert errors.max() < within * scale, name
        assert worst_p_value(values - reference, (errors,), (replicas - 1,), bias=bias * scale) > 1e-4, name


@pytest.mark.parametrize(
    "case",
    [{"hidden": 2}, {"hidden": 1, "decay": 0.1, "alpha": 1.5}, {"hidden": 3, "alpha": 0.3, "phi": "erf"}],
)
def test_equals_the_recursion(case: dict[str, Any]) -> None:
    parameters = {**DEFAULTS, **case}
    ds = ss.sample(gaussian_mixture_sgd, population=6000, replicas=8, seed=0, keep=0, steps=20, **parameters)
    nodes = 32 if parameters["hidden"] == 3 else 80
    exact = recursion(**parameters, steps=20, nodes=nodes)
    assert_equal_to_recursion(ds, exact, 8, within=0.01, bias=2e-4)


def test_direct_simulation_equals_the_recursion() -> None:
    ds = ss.simulate(gaussian_mixture_sgd, size=1000, replicas=16, seed=1, keep=0, steps=12, **DEFAULTS)
    assert_equal_to_recursion(ds, recursion(**DEFAULTS, steps=12), 16, within=0.03, bias=2e-3)
