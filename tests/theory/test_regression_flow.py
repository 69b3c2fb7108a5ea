"""Linear regression: the marched single-site equations against the Marchenko-Pastur integrals."""

import numpy as np
import pytest
from scipy.integrate import quad

from sitesampler.theory import regression_flow


def test_worked_example():
    result = regression_flow.solve(alpha=1.5, noise=0.3, dt=0.25, steps=20)
    np.testing.assert_allclose(result.test_loss[[1, 4, 20]], [0.697917, 0.400748, 0.230125], atol=5.1e-7)
    np.testing.assert_allclose(result.train_loss[[1, 4, 20]], [0.448194, 0.138422, 0.041996], atol=5.1e-7)
    assert result.C_h[20, 4] == pytest.approx(0.152752, abs=5e-7)
    assert result.C_delta[20, 4] == pytest.approx(0.055808, abs=5e-7)
    np.testing.assert_allclose(result.R_h[5, [4, 3, 0]], [1.0, 0.75, 0.440828], atol=5e-7)
    np.testing.assert_allclose(result.R_delta[5, [5, 4, 3, 0]], [1.0, -1 / 6, -0.097222, -0.034055], atol=5e-7)


@pytest.mark.parametrize("alpha", [0.4, 0.99, 1.0, 1.5, 6.0])
def test_march_and_spectral_integrals_agree(alpha):
    result = regression_flow.solve(alpha, noise=0.3, dt=0.2, steps=80)
    test_loss, train_loss = regression_flow.spectral_losses(alpha, noise=0.3, dt=0.2, steps=80)
    np.testing.assert_allclose(result.test_loss, test_loss, rtol=1e-12)
    np.testing.assert_allclose(result.train_loss, train_loss, rtol=1e-11, atol=1e-14)


def test_all_matrices_are_spectral_integrals():
    alpha, noise, dt, steps = 0.7, 0.5, 0.3, 12
    result = regression_flow.solve(alpha, noise, dt, steps)
    lam, rho = regression_flow.marchenko_pastur(alpha)
    lam, rho = lam[1:], rho[1:]  # the atom is written out below
    decay = (1 - dt * lam) ** np.arange(2 * steps + 1)[:, None]
    k = np.arange(steps + 1)
    kept = decay[k[:, None] + k] @ rho + (1 - alpha)
    noise_h = np.einsum("ka,la,a->kl", 1 - decay[k], 1 - decay[k], rho / lam) / alpha
    np.testing.assert_allclose(result.C_h, kept + noise**2 * noise_h, rtol=1e-12)
    fitted = decay[k[:, None] + k] @ (rho * lam) + noise**2 * (1 - (1 - kept) / alpha)
    np.testing.assert_allclose(result.C_delta, fitted, rtol=1e-11)
    lag = k[:, None] - k
    response_h = np.where(lag > 0, decay[np.maximum(lag - 1, 0)] @ rho + (1 - alpha), 0.0)
    np.testing.assert_allclose(result.R_h, response_h, rtol=1e-12, atol=1e-15)
    memory = np.where(lag > 0, decay[np.maximum(lag - 1, 0)] @ (rho * lam), 0.0)
    np.testing.assert_allclose(result.R_delta, np.eye(steps + 1) - dt / alpha * memory, atol=1e-13)


def test_matrix_form_of_the_single_site_equations_holds():
    alpha, noise, dt, steps = 1.5, 0.3, 0.25, 15
    result = regression_flow.solve(alpha, noise, dt, steps)
    one = np.ones((steps + 1, steps + 1))
    past = np.tril(one, -1)
    Q = np.linalg.inv(np.eye(steps + 1) + dt * past @ result.R_delta)
    np.testing.assert_allclose(result.R_h, Q @ past, atol=1e-14)
    np.testing.assert_allclose(result.R_delta, np.linalg.inv(np.eye(steps + 1) + dt / alpha * result.R_h), atol=1e-14)
    driven = one + dt**2 / alpha * past @ result.C_delta @ past.T
    np.testing.assert_allclose(result.C_h, Q @ driven @ Q.T, rtol=1e-12)


def test_small_steps_approach_gradient_flow():
    """Modes of gradient flow decay as exp(-x t); the losses at t = 2 differ from it by O(dt)."""
    alpha, noise, time = 1.5, 0.3, 2.0
    lam, rho = (part[1:] for part in regression_flow.marchenko_pastur(alpha))
    decay = np.exp(-lam * time)
    flow = rho @ decay**2 + noise**2 / alpha * (rho / lam) @ (1 - decay) ** 2 + noise**2
    errors = [
        regression_flow.spectral_losses(alpha, noise, time / steps, steps)[0][-1] - flow for steps in (100, 200, 400)
    ]
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2.0, rtol=0.05)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.0])
def test_marchenko_pastur_law(alpha):
    """Moments 1, 1, 1 + 1/alpha, 1 + 3/alpha + 1/alpha^2, and the density of eq. 68 by adaptive quadrature."""
    nodes, weights = regression_flow.marchenko_pastur(alpha)
    moments = [weights @ nodes**power for power in range(4)]
    np.testing.assert_allclose(moments, [1, 1, 1 + 1 / alpha, 1 + 3 / alpha + 1 / alpha**2], rtol=1e-13)
    low, high = (1 - alpha**-0.5) ** 2, (1 + alpha**-0.5) ** 2
    mean, _ = quad(lambda x: np.cos(x) * regression_flow.marchenko_pastur_density(x, alpha), low, high, limit=200)
    assert weights @ np.cos(nodes) == pytest.approx(mean + max(1 - alpha, 0.0), abs=1e-6)


def test_alpha_must_be_positive():
    for function in (regression_flow.marchenko_pastur, lambda alpha: regression_flow.solve(alpha, 0.1, 0.1, 2)):
        with pytest.raises(ValueError, match="positive"):
            function(0.0)


def test_resolvent_refuses_no_data():
    with pytest.raises(ValueError, match="alpha"):
        regression_flow.marchenko_pastur_resolvent(1.0, 0.0)
