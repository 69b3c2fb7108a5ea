"""Made-up results, for tests of what is done with results."""

import json
from typing import Any

import numpy as np
import xarray as xr


def made_up_result(program: str = "random_rnn", **attrs: Any) -> xr.Dataset:
    """Return what a run of a random network could have returned: C = 2 exp(-|t - t'|), standard error 0.01."""
    times = np.arange(0, 5.5, 0.5)
    correlation = 2 * np.exp(-np.abs(times[:, None] - times))
    dims = ("time", "time_")
    return xr.Dataset(
        {
            "C_h": (dims, correlation),
            "C_h_stderr": (dims, np.full_like(correlation, 0.01)),
            "h_mean": ("time", np.zeros_like(times)),
            "h_mean_stderr": ("time", np.full_like(times, 0.02)),
            "trajectory_h": (("site", "time"), np.sin(times + np.arange(7)[:, None])),
        },
        coords={"time": times, "time_": times},
        attrs={
            "program": program,
            "parameters": json.dumps({"g": 2.0, "phi": "tanh", "symmetry": 0.0, "dt": 0.5}),
            **attrs,
        },
    )
