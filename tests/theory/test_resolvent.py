"""From responses to spectra: moments, Jacobi coefficients, densities, against known laws and diagonalisation."""

import numpy as np
import pytest

from sitesampler.theory import goe_flow, random_features, regression_flow, resolvent


def semicircle_response(dt, lags=40):
    return goe_flow.response(dt, lags)[1:, 0]


def wishart_response(alpha, dt, lags=40):
    return regression_flow.solve(alpha, 0.0, dt, lags).R_h[1:, 0]


def wigner_replicas(generator, replicas, size, dt, lags):
    """Return responses of single matrices, and their eigenvalues."""
    noise = generator.normal(size=(replicas, size, size))
    eigenvalues = np.linalg.eigvalsh((noise + noise.transpose(0, 2, 1)) / np.sqrt(2 * size))
    powers = (1 - dt * eigenvalues)[:, None, :] ** np.arange(lags)[:, None]
    return powers.mean(axis=-1), eigenvalues


def test_moments_of_the_semicircle_are_catalan_numbers():
    found = resolvent.moments(semicircle_response(0.5), 0.5, 11)
    np.testing.assert_allclose(found, [1, 0, 1, 0, 2, 0, 5, 0, 14, 0, 42], atol=1e-8)
    shifted = resolvent.moments(semicircle_response(0.5), 0.5, 3, centre=1.0, scale=2.0)
    np.testing.assert_allclose(shifted, [1, -0.5, 0.5], atol=1e-12)


def test_moments_of_replicas_are_those_of_their_eigenvalues():
    responses, eigenvalues = wigner_replicas(np.random.default_rng(0), 3, 20, 0.5, 8)
    expected = (eigenvalues[..., None] ** np.arange(6)).mean(axis=1)
    np.testing.assert_allclose(resolvent.moments(responses, 0.5, 6), expected, atol=1e-11)


@pytest.mark.parametrize(("dt", "least"), [(0.05, 4), (0.1, 5), (0.3, 8), (1.0, 12)])
def test_semicircle_coefficients_and_their_stated_errors(dt, least):
    """A double-precision response holds a few coefficients at small dt; those given are as good as stated."""
    found = resolvent.jacobi(semicircle_response(dt), dt)
    assert least <= len(found.a) < 20
    np.testing.assert_array_less(np.abs(found.a), 6 * found.a_error + 1e-14)
    np.testing.assert_array_less(np.abs(found.b - 1), 6 * found.b_error + 1e-14)
    assert np.all(found.a_error <= 0.02)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.0])
def test_marchenko_pastur_coefficients(alpha):
    """a_0 = 1, then 1 + 1/alpha; b^2 = 1/alpha."""
    found = resolvent.jacobi(wishart_response(alpha, 0.3), 0.3)
    assert len(found.a) > 6
    np.testing.assert_allclose(found.a[:6], [1] + [1 + 1 / alpha] * 5, atol=1e-4)
    np.testing.assert_allclose(found.b[:5] ** 2, 1 / alpha, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.0])
def test_marchenko_pastur_density_with_its_atom(alpha):
    """Continued fraction, closed resolvent and quadrature of eq. 68 broadened by the same Lorentzian."""
    x, width = np.linspace(-0.5, 7, 31), 0.1
    found = resolvent.density(wishart_response(alpha, 0.3), 0.3, x, width)
    closed = resolvent.marchenko_pastur_resolvent(-x - 1j * width, alpha).imag / np.pi
    nodes, weights = regression_flow.marchenko_pastur(alpha, nodes=2000)
    lorentzian = width / np.pi / ((x[:, None] - nodes) ** 2 + width**2)
    np.testing.assert_allclose(closed, lorentzian @ weights, atol=1e-6)
    np.testing.assert_allclose(found.density, closed, atol=2e-3)
    assert found.broadening == width
    # A bound that falls to the weight, slowly where the continuous spectrum touches zero (alpha = 1).
    assert 0 < resolvent.largest_atom(found.coefficients) - max(1 - alpha, 0) < (0.15 if alpha == 1 else 0.01)


def test_resolvents_agree():
    """Closed form, transform of the response, continued fraction and the quadratic equation (eqs. 43, 67)."""
    s, alpha, dt = np.array([1.0, 3.0, 0.5 + 2j]), 0.7, 0.2
    closed = resolvent.marchenko_pastur_resolvent(s, alpha)
    np.testing.assert_allclose(s * closed**2 + (s * alpha + alpha - 1) * closed, alpha, rtol=1e-13)
    response = wishart_response(alpha, dt, 300)
    np.testing.assert_allclose(resolvent.transform(response, dt, s), closed, rtol=1e-10)
    found = resolvent.jacobi(response[:40], dt)
    np.testing.assert_allclose(resolvent.resolvent(found, s), closed, rtol=1e-4)
    below = np.array([-8.0, -5.5])  # left of the spectrum of -M, real again
    np.testing.assert_allclose(resolvent.marchenko_pastur_resolvent(below, alpha).imag, 0, atol=1e-15)
    nodes, weights = regression_flow.marchenko_pastur(alpha)
    np.testing.assert_allclose(
        resolvent.marchenko_pastur_resolvent(below, alpha), (weights / (below[:, None] + nodes)).sum(axis=1)
    )
    three = resolvent.transform(np.stack([response, 2 * response]), dt, s)
    assert three.shape == (2, 3)


def test_random_feature_spectrum_has_its_atom():
    """The non-normal matrix of random features: its response R00 has a delta of weight 1 - min(1, nu, alpha)."""
    R00 = random_features.solve(0.6, 0.8, 0.0, 0.2, 40).R00[1:]
    found = resolvent.jacobi(R00, 0.2)
    assert 0.4 < resolvent.largest_atom(found) < 0.44


def test_opposite_sign_of_the_flow():
    """Growth with +dt M: the density of a shifted semicircle is where it belongs."""
    dt = 0.2
    nodes = 2 * np.cos(np.pi * np.arange(1, 400) / 400)
    weights = np.sin(np.pi * np.arange(1, 400) / 400) ** 2
    weights /= weights.sum()
    response = (1 + dt * (nodes + 1)) ** np.arange(40)[:, None] @ weights
    assert resolvent.jacobi(response, -dt).a[:3] == pytest.approx([1, 1, 1], abs=1e-6)


def test_error_band_of_sampled_responses():
    """Jackknife over replicas of a finite matrix: band against the scatter over independent experiments."""
    generator = np.random.default_rng(5)
    dt, x, width, size = 0.1, np.linspace(-2.4, 2.4, 9), 0.3, 60
    results = [
        resolvent.density(wigner_replicas(generator, 12, size, dt, 16)[0], dt, x, width, count=4) for _ in range(60)
    ]
    values = np.array([result.density for result in results])
    stated = np.sqrt(np.mean([result.error**2 for result in results], axis=0))
    np.testing.assert_allclose(stated, np.std(values, axis=0, ddof=1), rtol=0.4)
    # The mean differs from the semicircle only by the size of the matrices.
    exact = goe_flow.resolvent(-x - 1j * width).imag / np.pi
    np.testing.assert_allclose(np.mean(values, axis=0), exact, atol=2 / size)


def test_noise_that_is_independent_from_lag_to_lag_leaves_little():
    """The number of trustworthy coefficients falls with the stated error; replicas of matrices keep more."""
    response = semicircle_response(0.5, 30)
    counts = [len(resolvent.jacobi(response, 0.5, error=np.full(30, size)).a) for size in (1e-12, 1e-8, 1e-4)]
    assert counts[0] > counts[1] > counts[2] >= 2
    noisy = response + 1e-4 * np.random.default_rng(1).normal(size=30)
    found = resolvent.jacobi(noisy, 0.5, error=np.full(30, 1e-4))
    np.testing.assert_array_less(np.abs(found.a), 4 * found.a_error)
    np.testing.assert_array_less(np.abs(found.b - 1), 4 * found.b_error)
    with pytest.raises(ValueError, match="variance"):
        resolvent.jacobi(response, 0.5, error=np.full(30, 0.3))


def test_long_responses_at_small_steps_overflow_nothing():
    found = resolvent.jacobi(semicircle_response(0.005, 600), 0.005)
    np.testing.assert_allclose(found.a, 0.0, atol=0.02)
    assert len(found.a) >= 3


def test_two_time_responses_are_averaged_over_equal_lags():
    R = goe_flow.response(0.1, 6)
    np.testing.assert_allclose(resolvent.by_lag(np.stack([R, 3 * R])), np.outer([1, 3], R[1:, 0]), rtol=1e-14)


def test_refuses_what_has_no_answer():
    response = semicircle_response(0.1, 10)
    with pytest.raises(ValueError, match="broadening"):
        resolvent.density(response, 0.1, 0.0, 0.0)
    with pytest.raises(ValueError, match="lags"):
        resolvent.moments(response, 0.1, 11)
    with pytest.raises(ValueError, match="lags"):
        resolvent.jacobi(response, 0.1, count=6)
    with pytest.raises(ValueError, match="shape"):
        resolvent.jacobi(response[:3], 0.1)
    with pytest.raises(ValueError, match="per lag"):
        resolvent.jacobi(response, 0.1, error=[0.1])
    with pytest.raises(ValueError, match="variance"):
        resolvent.jacobi(0.9 ** np.arange(10), 0.1)  # every eigenvalue is one
    with pytest.raises(ValueError, match="alpha"):
        resolvent.marchenko_pastur_resolvent(1.0, 0.0)
