"""All worlds agree on every model: N = infinity, real matrices, and the exact law of matrices that nobody stores."""

import numpy as np
import pytest
import xarray as xr
from short_runs import assert_same, small

import sitesampler as ss

REPLICAS = 300


def extrapolate(small: xr.Dataset, large: xr.Dataset) -> xr.Dataset:
    """Return the limit of infinite size of what is off by const/N at N and at 2 N."""
    out = small.copy()
    for name in small.data_vars:
        if f"{name}_stderr" in small:
            out[name] = 2 * large[name] - small[name]
            out[f"{name}_stderr"] = np.hypot(2 * large[f"{name}_stderr"], small[f"{name}_stderr"])
    return out


@pytest.mark.parametrize("name", ss.models.NAMES)
def test_all_worlds_agree(name: str) -> None:
    program, (parameters, size) = getattr(ss.models, name), small(name)
    options = {**parameters, "every": 5 if "duration" in parameters else 1}
    few = ss.simulate(program, size=size, replicas=REPLICAS, seed=1, **options)
    many = ss.simulate(program, size=2 * size, replicas=REPLICAS, seed=2, **options)
    infinite = ss.sample(program, population=4_000, replicas=16, seed=3, **options)
    assert dict(infinite.sizes) == dict(few.sizes)
    assert_same(infinite, extrapolate(few, many), replicas=16)
    if name != "spherical_pspin":
        # The law of a finite matrix is exact: no extrapolation.
        assert_same(
            ss.simulate(program, size=size, replicas=REPLICAS, seed=4, matrix=False, **options),
            few,
            REPLICAS,
        )
