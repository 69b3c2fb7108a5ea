"""What is stored in the tests of this folder."""

import json

import numpy as np
import pytest
import xarray as xr


@pytest.fixture
def result(rng: np.random.Generator) -> xr.Dataset:
    return xr.Dataset(
        {
            "C_h": (("time", "lag"), rng.normal(size=(4, 3)), {"long_name": "correlation", "units": "1"}),
            "lambda": ("outlier", np.array([1 + 2j, np.nan])),
            "converged": ("replica", [1, 0]),
        },
        coords={"time": ("time", np.arange(4.0), {"units": "1"}), "layer": ("replica", ["first", "second"])},
        attrs={"Conventions": "CF-1.11", "parameters": json.dumps({"g": 1.5})},
    )
