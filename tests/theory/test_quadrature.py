"""Averages over a standard normal variable: moments, and kinks and jumps at a border of a panel."""

import numpy as np
import pytest
from scipy.special import ndtr

from sitesampler.theory._quadrature import panels, trapezoid


@pytest.mark.parametrize("rule", [trapezoid(8.5, 80), panels([-8.5, -1.0, 2.0, 8.5], 40)], ids=["trapezoid", "panels"])
def test_moments_of_a_normal_variable(rule):
    z, weights = rule
    np.testing.assert_allclose([weights @ z**k for k in range(7)], [1, 0, 1, 0, 3, 0, 15], atol=1e-11)


def test_jump_at_a_border_costs_nothing():
    z, weights = panels([-9.0, 0.7, 9.0], 60)
    assert weights @ (z > 0.7) == pytest.approx(ndtr(-0.7), rel=1e-13)


def test_half_a_line_is_the_absolute_value():
    z, weights = panels([0.0, 8.5], 60)
    assert weights @ z == pytest.approx(np.sqrt(2 / np.pi), rel=1e-13)
