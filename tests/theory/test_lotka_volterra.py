"""Cavity solution of the random Lotka-Volterra community: truncated Gaussian averages, adaptive quadrature, bounds."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sitesampler.theory import lotka_volterra


@pytest.mark.parametrize("symmetry", [0.0, 0.5, -0.7, 1.0])
@pytest.mark.parametrize("mean_interaction", [1.0, 4.0])
def test_without_migration_abundances_are_a_truncated_gaussian(symmetry, mean_interaction):
    heterogeneity = 0.9 * lotka_volterra.stability_limit(symmetry)
    point = lotka_volterra.fixed_point(mean_interaction, heterogeneity, symmetry)
    slope = 1 - symmetry * heterogeneity**2 * point.susceptibility
    width = heterogeneity * np.sqrt(point.mean_square)
    delta = (1 - mean_interaction * point.mean) / width
    w0, density = norm.cdf(delta), norm.pdf(delta)
    w1, w2 = delta * w0 + density, w0 + delta * (delta * w0 + density)
    assert point.surviving == pytest.approx(w0, rel=1e-9)
    assert point.mean == pytest.approx(width / slope * w1, rel=1e-9)
    assert point.mean_square == pytest.approx((width / slope) ** 2 * w2, rel=1e-9)
    assert point.susceptibility == pytest.approx(w0 / slope, rel=1e-9)
    # Stable: sigma^2 times the mean squared response is below one.
    assert heterogeneity**2 * point.surviving / slope**2 < 1


@pytest.mark.parametrize("symmetry", [0.0, 0.5, -0.5])
def test_at_the_limit_of_stability(symmetry):
    limit = lotka_volterra.stability_limit(symmetry)
    point = lotka_volterra.fixed_point(4.0, limit, symmetry)
    assert point.surviving == pytest.approx(0.5, abs=1e-9)
    assert point.mean == pytest.approx(0.25, abs=1e-9)
    assert limit**2 * point.surviving / (1 - symmetry * limit**2 * point.susceptibility) ** 2 == pytest.approx(1)


def test_with_migration_against_adaptive_quadrature():
    mean_interaction, heterogeneity, symmetry, migration = 4.0, 0.8, 0.3, 1e-2
    point = lotka_volterra.fixed_point(mean_interaction, heterogeneity, symmetry, migration)
    slope = 1 - symmetry * heterogeneity**2 * point.susceptibility

    def abundance(z):
        k = 1 - mean_interaction * point.mean + heterogeneity * np.sqrt(point.mean_square) * z
        return max(np.roots([slope, -k, -migration]).real)

    for power, moment in ((1, point.mean), (2, point.mean_square)):
        average, _ = quad(lambda z, power=power: abundance(z) ** power * norm.pdf(z), -9, 9, limit=300)
        assert moment == pytest.approx(average, rel=1e-7)
    share, _ = quad(lambda z: float(abundance(z) > np.sqrt(migration)) * norm.pdf(z), -9, 9, limit=300)
    assert point.surviving == pytest.approx(share, abs=1e-5)
    still = lotka_volterra.fixed_point(mean_interaction, heterogeneity, symmetry, 1e-9)
    without = lotka_volterra.fixed_point(mean_interaction, heterogeneity, symmetry)
    assert still.mean == pytest.approx(without.mean, rel=1e-5)


def test_unbounded_growth_has_no_fixed_point():
    with pytest.raises(ValueError, match="without bound"):
        lotka_volterra.fixed_point(-1.5, 0.5)
