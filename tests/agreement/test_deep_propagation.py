"""Two inputs through a deep random network: eqs. 24 and 25."""

import numpy as np
import pytest
from threshold import assert_agreement

import sitesampler as ss
from sitesampler.theory import deep_propagation


@pytest.mark.parametrize(
    ("phi", "sigma_w", "sigma_b", "correlation"),
    [("tanh", 1.3, 0.2, 0.3), ("relu", 1.2, 0.3, 0.3), ("erf", 1.5, 0.2, -0.6), ("tanh", 1.6, 0.0, 0.9)],
)
def test_variance_and_covariance_layer_by_layer(phi: str, sigma_w: float, sigma_b: float, correlation: float) -> None:
    parameters = {"phi": phi, "sigma_w": sigma_w, "sigma_b": sigma_b, "correlation": correlation, "depth": 6}
    ds = ss.sample(ss.models.deep_propagation, population=60_000, replicas=16, seed=7, tolerance=1e-4, **parameters)
    q, c = deep_propagation.recursion(correlation, sigma_w, sigma_b, phi, depth=6)
    assert list(ds.layer.values) == list(range(1, 7))
    # The first layer is exact: matched draws have the covariance that is asked for.
    assert float(ds.q[0]) == pytest.approx(1, rel=1e-12) and float(ds.c[0]) == pytest.approx(correlation, rel=1e-12)
    assert_agreement(ds.q, ds.q_stderr, q, replicas=16, error_below=1e-3, scale=1.0)
    assert_agreement(ds.c, ds.c_stderr, c, replicas=16, error_below=1e-3, scale=1.0)


def test_worked_numbers() -> None:
    ds = ss.sample(ss.models.deep_propagation, population=40_000, replicas=16, seed=8, depth=6)
    expected = [
        (1, 0.3),
        (0.706358, 0.227030),
        (0.601248, 0.211977),
        (0.554291, 0.214250),
        (0.531173, 0.223219),
    ]
    expected.append((0.519237, 0.234858))
    for name, exact in zip(("q", "c"), np.transpose(expected), strict=True):
        assert_agreement(ds[name], ds[name + "_stderr"], exact, replicas=16, error_below=1e-3, scale=1.0)
