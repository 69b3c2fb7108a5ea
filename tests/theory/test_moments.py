"""From responses to moments and Jacobi coefficients, against known laws and diagonalisation."""

from math import comb

import numpy as np
import pytest
from linear_responses import semicircle_response, wigner_replicas, wishart_response

from sitesampler.theory import goe_flow, moments


def test_moments_of_the_semicircle_are_catalan_numbers():
    found = moments.moments(semicircle_response(0.5), 0.5, 11)
    np.testing.assert_allclose(found, [1, 0, 1, 0, 2, 0, 5, 0, 14, 0, 42], atol=1e-8)
    shifted = moments.moments(semicircle_response(0.5), 0.5, 3, centre=1.0, scale=2.0)
    np.testing.assert_allclose(shifted, [1, -0.5, 0.5], atol=1e-12)


def test_moments_of_replicas_are_those_of_their_eigenvalues():
    responses, eigenvalues = wigner_replicas(np.random.default_rng(0), 3, 20, 0.5, 8)
    expected = (eigenvalues[..., None] ** np.arange(6)).mean(axis=1)
    np.testing.assert_allclose(moments.moments(responses, 0.5, 6), expected, atol=1e-11)


@pytest.mark.parametrize(("dt", "least"), [(0.05, 4), (0.1, 5), (0.3, 8), (1.0, 12)])
def test_semicircle_coefficients_and_their_stated_errors(dt, least):
    """A double-precision response holds a few coefficients at small dt; those given are as good as stated."""
    found = moments.jacobi(semicircle_response(dt), dt)
    assert least <= len(found.a) < 20
    np.testing.assert_array_less(np.abs(found.a), 6 * found.a_error + 1e-14)
    np.testing.assert_array_less(np.abs(found.b - 1), 6 * found.b_error + 1e-14)
    assert np.all(found.a_error <= 0.02)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.0])
def test_marchenko_pastur_coefficients(alpha):
    """a_0 = 1, then 1 + 1/alpha; b^2 = 1/alpha."""
    found = moments.jacobi(wishart_response(alpha, 0.3), 0.3)
    assert len(found.a) > 6
    np.testing.assert_allclose(found.a[:6], [1] + [1 + 1 / alpha] * 5, atol=1e-4)
    np.testing.assert_allclose(found.b[:5] ** 2, 1 / alpha, atol=1e-4)


def test_opposite_sign_of_the_flow():
    """Growth with +dt M: the density of a shifted semicircle is where it belongs."""
    dt = 0.2
    nodes = 2 * np.cos(np.pi * np.arange(1, 400) / 400)
    weights = np.sin(np.pi * np.arange(1, 400) / 400) ** 2
    weights /= weights.sum()
    response = (1 + dt * (nodes + 1)) ** np.arange(40)[:, None] @ weights
    assert moments.jacobi(response, -dt).a[:3] == pytest.approx([1, 1, 1], abs=1e-6)


def test_noise_that_is_independent_from_lag_to_lag_leaves_little():
    """The number of trustworthy coefficients falls with the stated error; replicas of matrices keep more."""
    response = semicircle_response(0.5, 30)
    counts = [len(moments.jacobi(response, 0.5, error=np.full(30, size)).a) for size in (1e-12, 1e-8, 1e-4)]
    assert counts[0] > counts[1] > counts[2] >= 2
    noisy = response + 1e-4 * np.random.default_rng(1).normal(size=30)
    found = moments.jacobi(noisy, 0.5, error=np.full(30, 1e-4))
    np.testing.assert_array_less(np.abs(found.a), 4 * found.a_error)
    np.testing.assert_array_less(np.abs(found.b - 1), 4 * found.b_error)
    with pytest.raises(ValueError, match="variance"):
        moments.jacobi(response, 0.5, error=np.full(30, 0.3))


def test_long_responses_at_small_steps_overflow_nothing():
    found = moments.jacobi(semicircle_response(0.005, 600), 0.005)
    np.testing.assert_allclose(found.a, 0.0, atol=0.02)
    assert len(found.a) >= 3


def test_two_time_responses_are_averaged_over_equal_lags():
    R = goe_flow.response(0.1, 6)
    np.testing.assert_allclose(moments.by_lag(np.stack([R, 3 * R])), np.outer([1, 3], R[1:, 0]), rtol=1e-14)


def test_moments_are_the_response_of_a_flow_with_a_negative_step_of_one():
    """Its lags are the moments of 1 + x: whoever has moments needs no other recursion."""
    response = wishart_response(0.5, 0.3, 20)
    powers = moments.moments(response, 0.3, 10, centre=-1.0)
    found = moments.jacobi(powers, -1.0, count=4)
    np.testing.assert_allclose(found.a, [1, 3, 3, 3], atol=1e-6)
    np.testing.assert_allclose(found.b**2, [2, 2, 2], atol=1e-6)


def test_no_density_no_coefficients():
    """Moments of atoms at 1 and -1, and those that no density has, shifted by one: NaN from where they end."""
    for powers in ([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0, 0.5, 0.0]):
        shifted = [sum(comb(k, j) * powers[j] for j in range(k + 1)) for k in range(6)]
        found = moments.jacobi(shifted, -1.0, count=3)
        assert found.a[0] == pytest.approx(0.0, abs=1e-12)
        assert found.b[0] == pytest.approx(1.0)
        assert np.isnan(found.b[1])
        assert not np.isfinite(found.b_error[1])


def test_refuses_what_has_no_answer():
    response = semicircle_response(0.1, 10)
    with pytest.raises(ValueError, match="lags"):
        moments.moments(response, 0.1, 11)
    with pytest.raises(ValueError, match="lags"):
        moments.jacobi(response, 0.1, count=6)
    with pytest.raises(ValueError, match="shape"):
        moments.jacobi(response[:3], 0.1)
    with pytest.raises(ValueError, match="per lag"):
        moments.jacobi(response, 0.1, error=[0.1])
    with pytest.raises(ValueError, match="variance"):
        moments.jacobi(0.9 ** np.arange(10), 0.1)  # every eigenvalue is one
