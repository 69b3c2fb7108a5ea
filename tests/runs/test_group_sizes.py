"""Groups of finite networks have whole numbers of sites: the result says which, and large rounding is not silent."""

import json
import warnings
from typing import Any

import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.errors import InputError


def two_groups(net: Any, *, ratio: float = 0.5, dt: float = 0.5) -> None:
    a, b = net.sites(name="a"), net.sites(ratio, name="b")
    J = net.coupling(a, b)
    x = b.normal()
    for t in net.clock(1.0, dt):
        net.record(t, h=J @ x, x=x)


def simulated(ratio: float, size: int, matrix: bool = True) -> xr.Dataset:
    return ss.simulate(two_groups, ratio=ratio, size=size, matrix=matrix, replicas=2, seed=0)


@pytest.mark.parametrize("matrix", [True, False])
def test_the_sizes_used_are_in_the_attributes(matrix: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert json.loads(simulated(0.5, 1_001, matrix).attrs["group_sizes"]) == {"a": 1_001, "b": 500}
    assert "group_sizes" not in ss.sample(two_groups, population=100, replicas=1).attrs


@pytest.mark.parametrize(("ratio", "size", "sites"), [(0.02, 40, 1), (0.3, 11, 3), (0.15, 10, 2)])
def test_a_share_that_is_a_few_per_cent_off_is_said(ratio: float, size: int, sites: int) -> None:
    with pytest.warns(RuntimeWarning, match=rf"the group 'b' of ratio {ratio} has {sites} sites in a network of size"):
        simulated(ratio, size)


def test_a_group_without_a_site_is_refused() -> None:
    """One site stood for 0.04, and its field had 25 times the variance."""
    with pytest.raises(InputError, match=r"no site for the group .b. of ratio 0.001; use a size of at least 1000"):
        simulated(0.001, 40)
