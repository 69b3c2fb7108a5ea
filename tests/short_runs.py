"""Short runs of every model, and when two of them agree.

A model joins by being there: with a few steps of its own, or with the small parameters of the table below.
"""

import inspect
from typing import Any

import numpy as np
import xarray as xr
from threshold import assert_agreement

import sitesampler as ss

#: Parameters of short runs, and the size N of the smaller networks.
SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "deep_network": ({"depth": 2, "rate": 0.2, "steps": 3, "outlier_times": ()}, 60),
    "deep_propagation": ({"depth": 5}, 60),
    "evolving_spikes": ({"spikes": 2, "strength": 2.5}, 100),
    "excitatory_inhibitory": (
        {"means": ((1.0, -1.0), (1.0, -0.5)), "gains": ((1.0, 1.5), (1.0, 1.5)), "dt": 0.2, "duration": 2.0},
        80,
    ),
    "gaussian_mixture_sgd": ({"steps": 4}, 60),
    "goe_flow": ({"dt": 0.1, "duration": 1.0}, 80),
    "hopfield": ({"alpha": 0.3, "beta": 2.0, "duration": 3.0}, 80),
    "lotka_volterra": ({"mean_interaction": 2.0, "heterogeneity": 0.5, "dt": 0.2, "duration": 2.0}, 60),
    "low_rank_rnn": ({"g": 0.5, "overlap": 4.0, "dt": 0.2, "duration": 2.0}, 80),
    "perceptron_flow": ({"duration": 2.5}, 60),
    "random_features": ({"dt": 0.1, "duration": 1.0}, 60),
    "random_rnn": ({"g": 1.5, "symmetry": 0.4, "dt": 0.2, "duration": 3.0}, 80),
    "random_rnn_lyapunov": ({"g": 2.0, "dt": 0.2, "duration": 3.0, "transient": 1.0}, 80),
    "regression_flow": ({"alpha": 1.5, "dt": 0.25, "duration": 2.5}, 60),
    "spherical_pspin": ({"temperature": 0.6, "dt": 0.1, "duration": 0.5}, 30),
    "spiked_wigner": ({"strength": 3.0, "dt": 0.1, "duration": 0.5}, 80),
}
#: One chance in a hundred thousand for each variable of each model.
FALSE_ALARM = 1e-5


def small(name: str) -> tuple[dict[str, Any], int]:
    """Return parameters of a short run of a model, and the size N of the smaller networks."""
    own = {key: given.default for key, given in inspect.signature(getattr(ss.models, name)).parameters.items()}
    few = {"steps": 3, "depth": 3, "duration": 10 * own.get("dt", 0.1)}
    return SMALL.get(name, ({key: value for key, value in few.items() if key in own}, 80))


def assert_same(left: xr.Dataset, right: xr.Dataset, replicas: int) -> None:
    """Assert that two results agree on every variable that has an error, which is below a tenth of its scale."""
    names = [name for name in left.data_vars if f"{name}_stderr" in left]
    assert names == [name for name in right.data_vars if f"{name}_stderr" in right]
    for name in names:
        assert left[name].dims == right[name].dims
        values, reference = left[name].values, right[name].values
        known = np.isfinite(values)
        assert np.array_equal(known, np.isfinite(reference)), f"{name} is not known at the same times"
        assert_agreement(
            values[known], left[f"{name}_stderr"].values[known], reference[known],
            reference_stderr=right[f"{name}_stderr"].values[known], replicas=replicas, false_alarm=FALSE_ALARM,
            error_below=0.1, scale=max(1.0, np.abs(reference[known]).max()),
        )  # fmt: skip
