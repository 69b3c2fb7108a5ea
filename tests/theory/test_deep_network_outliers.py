"""Outliers of a trained matrix, against singular values in a Lanczos basis."""

import numpy as np
import pytest
from wide_networks import GRAM, TARGETS, chains, linear_network

from sitesampler.theory.deep_network_linear import linear
from sitesampler.theory.deep_network_outliers import outliers


def test_worked_outliers():
    """tanh, two updates of one input; order parameters are known to 2e-4 .. 2e-3 only."""
    C_phi, C_g = np.array([[0.3944, 0.2656], [0.2656, 0.7402]]), np.array([[0.637, 0.021], [0.021, 1.561]])
    R_phi, R_g = np.array([[0, 0], [0.7425, 0]]), np.array([[0, 0], [1.783, -0.355]])
    z = outliers(C_phi, R_phi, C_g, R_g, [4.8, 4.475])
    assert z == pytest.approx([32.66], abs=0.05)
    C_phi, C_g = np.array([[0.3944, 0.2467], [0.2467, 0.7693]]), np.array([[0.636, 0.047], [0.047, 1.695]])
    R_phi, R_g = np.array([[0, 0], [0.6338, 0]]), np.array([[0, 0], [1.858, -0.366]])
    z = outliers(C_phi, R_phi, C_g, R_g, [4.8, 4.4885], alpha=1.5)
    np.testing.assert_allclose(z, [52.37, 4.977], rtol=2e-3)


def linear_outliers(gamma, rate, steps):
    result = linear(GRAM, TARGETS, 2, gamma, rate, steps)
    used = slice(0, steps)
    order = (result.C_h[0], result.R_h[0], result.C_z[1], result.R_z[1])
    d = rate * gamma * (TARGETS - result.f[used])
    return outliers(*(matrix[used, used] for matrix in order), d), result


def test_worked_linear_outlier():
    z, result = linear_outliers(12.0, 0.03, 3)
    assert z == pytest.approx([5.343327], abs=5e-7)
    np.testing.assert_allclose(result.loss[:3], [0.625, 0.542588, 0.403315], atol=5.1e-7)


@pytest.mark.parametrize(("gamma", "rate", "steps"), [(12.0, 0.03, 3), (12.0, 0.03, 5), (8.0, 0.1, 2), (5.0, 0.08, 6)])
def test_linear_outliers_are_those_of_the_lanczos_basis(gamma, rate, steps):
    z, _ = linear_outliers(gamma, rate, steps)
    values = np.linalg.svd(linear_network(gamma, rate, steps, length=150)["W"][steps], compute_uv=False) ** 2
    np.testing.assert_allclose(z[z > 4.02], values[values > 4.02], rtol=1e-9)
    assert len(z) > 0


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_independent_spikes_at_any_aspect_ratio(alpha):
    """Without responses the formula is that of two given spikes, exact in the Lanczos basis."""
    C_phi, C_g, d = np.array([[1.0, 0.4], [0.4, 0.8]]), np.array([[1.2, -0.3], [-0.3, 0.9]]), np.array([2.5, -1.8])
    W, places = chains(80, 2, 2, alpha)
    phi, g = np.zeros((2, 2, len(W)))
    phi[:, places[:2]] = np.linalg.cholesky(C_phi)
    g[:, places[2:]] = np.sqrt(alpha) * np.linalg.cholesky(C_g)  # averages over N_1 = alpha N_0 sites
    values = np.linalg.svd(W + (g.T * d) @ phi, compute_uv=False) ** 2
    none = np.zeros((2, 2))
    z = outliers(C_phi, none, C_g, none, d, alpha)
    edge = (1 + np.sqrt(alpha)) ** 2
    np.testing.assert_allclose(z, values[values > edge + 0.01], rtol=1e-10)
    assert len(z) == (1 if alpha < 1 else 2)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 1.5])
@pytest.mark.parametrize("seed", range(6))
def test_spikes_the_matrix_has_made_at_any_aspect_ratio(alpha, seed):
    """phi_a from earlier W^T g_b and g_a from W phi_b up to now, linearly: responses with equal-time part."""
    generator = np.random.default_rng(seed)
    S, d = 3, generator.uniform(-1.5, 1.5, 3)
    A = np.tril(generator.normal(size=(S, S)), -1)
    B = np.tril(generator.normal(size=(S, S)))
    W, places = chains(120, 1, 1, alpha)
    phi, g = np.zeros((2, S, len(W)))
    for a in range(S):
        phi[a, places[0]] = 1.0
        phi[a] += A[a] @ g @ W
        g[a, places[1]] = np.sqrt(alpha)
        g[a] += B[a] @ phi @ W.T
    R_phi, R_g, unit = np.zeros((S, S)), np.zeros((S, S)), np.eye(S)
    for _ in range(2 * S):  # causal: exact after as many rounds as steps
        R_phi, R_g = np.linalg.solve(unit - alpha * A @ R_g, A), np.linalg.solve(unit - B @ R_phi, B)
    z = outliers(phi @ phi.T, R_phi, g @ g.T / alpha, R_g, d, alpha)
    values = np.linalg.svd(W + (g.T * d) @ phi, compute_uv=False) ** 2
    edge = (1 + np.sqrt(alpha)) ** 2 * 1.005
    np.testing.assert_allclose(z[z > edge], values[values > edge], rtol=1e-8)


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="one row"):
        outliers(GRAM, GRAM, GRAM, GRAM, [1.0])
    with pytest.raises(ValueError, match="alpha"):
        outliers(GRAM, GRAM, GRAM, GRAM, TARGETS, alpha=0.0)
