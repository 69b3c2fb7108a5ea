"""One hidden layer: worked values, the linear network and explicit training of wide ones."""

import numpy as np
import pytest
from wide_networks import GRAM, TARGETS

from sitesampler.nonlinearities import nonlinearity
from sitesampler.theory.deep_network_linear import linear
from sitesampler.theory.deep_network_one_layer import one_hidden_layer


def test_worked_one_hidden_layer():
    result = one_hidden_layer(GRAM, TARGETS, 1.5, 0.25, 12)
    f = [
        [0.180364, -0.051363],
        [0.316293, -0.110129],
        [0.530834, -0.242735],
        [0.805828, -0.428774],
        [0.925673, -0.487265],
    ]
    np.testing.assert_allclose(result.f[[1, 2, 4, 8, 12]], f, atol=1e-6)
    loss = [0.625, 0.436540, 0.309727, 0.143151, 0.021388, 0.002843]
    np.testing.assert_allclose(result.loss[[0, 1, 2, 4, 8, 12]], loss, atol=1e-6)
    C_phi = [[[0.638316, -0.133632], [-0.133632, 0.471272]], [[0.357279, 0.040319], [0.022720, 0.363624]]]
    np.testing.assert_allclose(result.C_phi[12, [12, 0]], C_phi, atol=1e-6)
    C_g = [[[0.219396, 0.373102], [0.373102, 0.951200]], [[0.217454, 0.199410], [0.437343, 0.447874]]]
    np.testing.assert_allclose(result.C_g[12, [12, 0]], C_g, atol=1e-6)
    np.testing.assert_allclose(result.C_g[0, 0], [[0.464403, 0.372992], [0.372992, 0.464403]], atol=1e-6)
    np.testing.assert_allclose(result.excess_kurtosis[12], [-1.416, -0.592], atol=5e-4)


def test_linear_network_with_one_hidden_layer_by_both_routes():
    closed = linear(GRAM, TARGETS, 1, 2.0, 0.15, 8)
    quadrature = one_hidden_layer(GRAM, TARGETS, 2.0, 0.15, 8, "linear", step=0.4)
    np.testing.assert_allclose(quadrature.f, closed.f, atol=1e-8)
    np.testing.assert_allclose(quadrature.C_phi, closed.C_h[0], atol=1e-7)
    np.testing.assert_allclose(quadrature.C_g, closed.C_z[0], atol=1e-7)
    np.testing.assert_allclose(quadrature.excess_kurtosis, 0.0, atol=1e-6)  # Gaussian throughout


@pytest.mark.parametrize("phi", ["tanh", "relu"])
def test_one_hidden_layer_against_wide_networks(phi):
    """Networks of width 100000, trained by explicit gradients; f scatters by about 1/sqrt(N)."""
    generator = np.random.default_rng(6)
    width, gamma, rate, steps = 100_000, 1.5, 0.2, 6
    x = np.sqrt(2) * np.linalg.cholesky(GRAM)
    function = nonlinearity(phi)
    slope = function.derivative
    found, features = [], []
    for _ in range(4):
        W, w = generator.normal(size=(width, 2)), generator.normal(size=width)
        start = function(W @ x.T / np.sqrt(2)).T @ w / (gamma * width)
        for t in range(steps + 1):
            h = W @ x.T / np.sqrt(2)
            f = function(h).T @ w / (gamma * width) - start
            if t < steps:
                delta = TARGETS - f
                # eta = rate gamma^2 N times the gradients of -loss.
                push = rate * gamma * (slope(h) * w[:, None] * delta) @ x / np.sqrt(2)
                w = w + rate * gamma * function(h) @ delta
                W = W + push
        found.append(f)
        features.append(function(h).T @ function(h) / width)
    result = one_hidden_layer(GRAM, TARGETS, gamma, rate, steps, phi)
    # Four standard errors of the mean (scatter .9 and 2.5/sqrt(N)), and the error of the quadrature at kinks.
    tolerance = {"tanh": 4 * 0.9, "relu": 4 * 2.5}[phi] / np.sqrt(4 * width)
    np.testing.assert_allclose(np.mean(found, axis=0), result.f[steps], atol=tolerance)
    np.testing.assert_allclose(np.mean(features, axis=0), result.C_phi[steps, steps], atol=2 * tolerance)


def test_dependent_inputs_and_too_many():
    """Two equal inputs are one; a grid of six dimensions is refused."""
    twice = one_hidden_layer(np.ones((2, 2)), [0.5, 0.5], 1.5, 0.1, 4)
    once = one_hidden_layer(1.0, 0.5, 1.5, 0.2, 4)
    np.testing.assert_allclose(twice.f[:, 0], once.f[:, 0], rtol=1e-10)
    with pytest.raises(ValueError, match="grid"):
        one_hidden_layer(np.eye(5), np.ones(5), 1.0, 0.1, 2)
