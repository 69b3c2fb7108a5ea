"""From responses to spectral densities and their error bands, against known laws and diagonalisation."""

import numpy as np
import pytest
from linear_responses import semicircle_response, wigner_replicas, wishart_response

from sitesampler.theory import density, goe_flow, moments, random_features, regression_flow


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.0])
def test_marchenko_pastur_density_with_its_atom(alpha):
    """Continued fraction, closed resolvent and quadrature of eq. 68 broadened by the same Lorentzian."""
    x, width = np.linspace(-0.5, 7, 31), 0.1
    found = density.density(wishart_response(alpha, 0.3), 0.3, x, width)
    closed = regression_flow.marchenko_pastur_resolvent(-x - 1j * width, alpha).imag / np.pi
    nodes, weights = regression_flow.marchenko_pastur(alpha, nodes=2000)
    lorentzian = width / np.pi / ((x[:, None] - nodes) ** 2 + width**2)
    np.testing.assert_allclose(closed, lorentzian @ weights, atol=1e-6)
    np.testing.assert_allclose(found.density, closed, atol=2e-3)
    assert found.broadening == width
    # A bound that falls to the weight, slowly where the continuous spectrum touches zero (alpha = 1).
    assert 0 < density.largest_atom(found.coefficients) - max(1 - alpha, 0) < (0.15 if alpha == 1 else 0.01)


def test_random_feature_spectrum_has_its_atom():
    """The non-normal matrix of random features: its response R00 has a delta of weight 1 - min(1, nu, alpha)."""
    R00 = random_features.solve(0.6, 0.8, 0.0, 0.2, 40).R00[1:]
    found = moments.jacobi(R00, 0.2)
    assert 0.4 < density.largest_atom(found) < 0.44


def test_coefficients_that_go_on_are_the_semicircle_and_the_law_of_marchenko_and_pastur():
    """The last ones are repeated for ever."""
    x, width = np.linspace(-3, 6, 19), 0.05
    semicircle = goe_flow.resolvent(-x - 1j * width).imag / np.pi
    for levels in (2, 4):
        found = density.broadened(x, np.zeros(levels), np.ones(levels - 1), width)
        np.testing.assert_allclose(found, semicircle, rtol=1e-10)
    closed = regression_flow.marchenko_pastur_resolvent(-x - 1j * width, 0.5).imag / np.pi
    for a, b_squared in (([1.0, 3.0], [2.0]), ([1.0, 3.0, 3.0], [2.0, 2.0])):
        found = density.broadened(x, np.array(a), np.array(b_squared), width)
        np.testing.assert_allclose(found, closed, rtol=1e-10)


def test_error_band_of_sampled_responses():
    """Jackknife over replicas of a finite matrix: band against the scatter over independent experiments."""
    generator = np.random.default_rng(5)
    dt, x, width, size = 0.1, np.linspace(-2.4, 2.4, 9), 0.3, 60
    results = [
        density.density(wigner_replicas(generator, 12, size, dt, 16)[0], dt, x, width, count=4) for _ in range(60)
    ]
    values = np.array([result.density for result in results])
    stated = np.sqrt(np.mean([result.error**2 for result in results], axis=0))
    np.testing.assert_allclose(stated, np.std(values, axis=0, ddof=1), rtol=0.4)
    # The mean differs from the semicircle only by the size of the matrices.
    exact = goe_flow.resolvent(-x - 1j * width).imag / np.pi
    np.testing.assert_allclose(np.mean(values, axis=0), exact, atol=2 / size)


def test_refuses_what_has_no_answer():
    response = semicircle_response(0.1, 10)
    with pytest.raises(ValueError, match="broadening"):
        density.density(response, 0.1, 0.0, 0.0)
