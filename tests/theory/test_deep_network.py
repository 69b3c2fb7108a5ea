"""Kernels of a deep network at initialisation, by worked values, differences and quadrature."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from wide_networks import GRAM

from sitesampler.nonlinearities import nonlinearity
from sitesampler.theory.deep_network import initial_kernels


def test_worked_kernels():
    expected = {
        "tanh": [(0.858697, 0.222566), (0.783050, 0.195218), (0.735721, 0.180952)],
        "relu": [(1, 0.330920), (0.75, 0.258650), (0.5, 0.175504)],
        "linear": [(2, 0.6), (3, 0.9), (4, 1.2)],
    }
    for phi, rows in expected.items():
        for depth, (diagonal, other) in enumerate(rows, start=1):
            tangent = initial_kernels(GRAM, depth, phi).tangent
            np.testing.assert_allclose(tangent, [[diagonal, other], [other, diagonal]], atol=5.1e-7)


@pytest.mark.parametrize("phi", ["tanh", "erf"])
def test_slope_kernel_is_the_derivative_of_the_kernel(phi):
    """d<phi phi'>/dc = <phi' phi'>, and a two-dimensional quadrature of a third route."""
    c, step = 0.3, 1e-4
    found = initial_kernels(GRAM, 1, phi).C_g[0][0, 1]
    up, down = (initial_kernels([[1, c + shift], [c + shift, 1]], 1, phi).C_phi[1][0, 1] for shift in (step, -step))
    assert found == pytest.approx((up - down) / (2 * step), rel=1e-7)
    slope = nonlinearity(phi).derivative
    root = np.linalg.cholesky(GRAM)
    integral, _ = dblquad(
        lambda x, y: slope(root[0, 0] * x) * slope(root[1, 0] * x + root[1, 1] * y) * np.exp(-(x * x + y * y) / 2),
        -7, 7, -7, 7, epsabs=1e-7,
    )  # fmt: skip
    assert found == pytest.approx(integral / (2 * np.pi), abs=1e-7)


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="symmetric"):
        initial_kernels([[1, 0.2], [0.3, 1]], 1)
    with pytest.raises(ValueError, match="depth"):
        initial_kernels(GRAM, 0)
