"""Random features: the march against matrix equations and networks."""

import numpy as np
import pytest

from sitesampler.theory import random_features


def test_worked_isotropic():
    result = random_features.solve(0.6, 0.6, 0.2, 0.05, 200)
    found = [result.test_loss[20], result.C1[20, 20], result.C2[20, 20], result.C3[20, 20], result.C0[20, 7]]
    np.testing.assert_allclose(found, [0.901409, 0.228039, 0.337357, 0.057832, 0.809151], atol=5.1e-7)
    assert result.train_loss[20] == result.C1[20, 20]
    assert result.test_loss[200] == pytest.approx(1.349367, abs=5e-7)
    for response in (result.R11, result.R33):
        np.testing.assert_allclose(response[:4], [1, -0.083333, -0.065278, -0.052407], atol=5.1e-7)
    for response in (result.R02, result.R24):
        np.testing.assert_allclose(response[:4], [0, -0.05, -0.043333, -0.038319], atol=5.1e-7)
    other = random_features.solve(0.7, 1.3, 0.3, 0.05, 40)
    assert other.test_loss[40] == pytest.approx(0.726496, abs=5e-7)
    # Printed as .302288; the next digit is 7.9, so rounding and cutting agree.
    assert other.train_loss[40] == pytest.approx(0.302288, abs=5e-7)


def test_worked_two_modes():
    result = random_features.solve(0.7, 1.3, 0.3, 0.05, 40, spectrum=[1.5, 0.5])
    found = [result.test_loss[40], result.train_loss[40], result.C2[40, 40], result.C3[40, 40]]
    np.testing.assert_allclose(found, [0.641381, 0.275914, 0.232115, 0.021488], atol=5.1e-7)
    np.testing.assert_allclose(result.R02[1:3], [-0.05, -0.0433036], atol=5.1e-8)
    np.testing.assert_allclose(result.R24[1:3], [-0.05, -0.0449519], atol=5.1e-8)
    np.testing.assert_allclose(result.R11[1:3], [-0.0384615, -0.0318312], atol=5.1e-8)
    np.testing.assert_allclose(result.R33[1:3], [-0.0714286, -0.0591150], atol=5.1e-8)


def test_correlation_is_not_the_response_at_the_summed_time():
    """Problem 15: for a normal matrix C0[k, k] would be R00(2k + 1)."""
    result = random_features.solve(0.6, 0.6, 0.0, 0.05, 401)
    k = np.array([1, 10, 50, 100, 200])
    np.testing.assert_allclose(result.C0[k, k], [0.9178, 0.8208, 0.9331, 1.0549, 1.2400], atol=5.1e-5)
    np.testing.assert_allclose(result.R00[2 * k + 1], [0.9108, 0.6899, 0.5586, 0.5184, 0.4870], atol=5.1e-5)


def test_matrix_equations_hold():
    """The closure as equations between whole matrices, mode by mode."""
    nu, alpha, noise, dt, steps = 0.7, 1.3, 0.3, 0.2, 12
    spectrum, weights, teacher = np.array([1.7, 0.8, 0.2]), np.array([0.2, 0.5, 0.3]), np.array([0.5, 1.0, 2.0])
    result = random_features.solve(nu, alpha, noise, dt, steps, spectrum, weights, teacher)
    unit, one = np.eye(steps + 1), np.ones((steps + 1, steps + 1))
    past = np.tril(one, -1)
    lag = np.arange(steps + 1)[:, None] - np.arange(steps + 1)

    def lower(by_lag):
        return np.where(lag >= 0, by_lag[np.maximum(lag, 0)], 0.0)

    R11, R33, R02, R24 = (lower(getattr(result, name)) for name in ("R11", "R33", "R02", "R24"))
    np.testing.assert_allclose(R11, np.linalg.inv(unit - R02 / alpha), atol=1e-14)
    np.testing.assert_allclose(R33, np.linalg.inv(unit - R24 / nu), atol=1e-14)
    C1 = R11 @ (result.C0 + noise**2 * one) @ R11.T
    C3 = R33 @ result.C2 @ R33.T
    np.testing.assert_allclose(result.C1, C1, rtol=1e-12)
    np.testing.assert_allclose(result.C3, C3, rtol=1e-12)
    sums = np.zeros((5, steps + 1, steps + 1))
    for lam, part, w2 in zip(spectrum, weights, teacher, strict=True):
        Q = np.linalg.inv(unit + dt * lam * past @ R33 @ R11)
        G = Q @ past
        memory = lam * R11 @ G
        into = unit - dt * memory @ R33
        C0 = w2 * Q @ one @ Q.T + dt**2 * G @ (C3 / nu + lam / alpha * R33 @ C1 @ R33.T) @ G.T
        C2 = w2 * lam**2 * R11 @ Q @ one @ Q.T @ R11.T + dt**2 / nu * memory @ C3 @ memory.T
        C2 += lam / alpha * into @ C1 @ into.T
        sums += part * np.array([lam * C0, C2, -dt * lam * G @ R33, -dt * lam * R11 @ G, G])
    np.testing.assert_allclose(result.C0, sums[0], rtol=1e-12)
    np.testing.assert_allclose(result.C2, sums[1], rtol=1e-12)
    np.testing.assert_allclose(R02, sums[2], atol=1e-14)
    np.testing.assert_allclose(R24, sums[3], atol=1e-14)
    np.testing.assert_allclose(lower(result.R00), sums[4], atol=1e-13)


def test_trace_class_is_the_same_in_counts_and_in_ratios():
    """Weights of one with N and P, or ratios with the loss times D and noise^2/D."""
    modes, width, data, noise = 40, 20.0, 30.0, 0.1
    spectrum = np.arange(1.0, modes + 1) ** -1.5
    counted = random_features.solve(width, data, noise, 0.3, 25, spectrum, np.ones(modes))
    ratios = random_features.solve(width / modes, data / modes, noise / np.sqrt(modes), 0.3, 25, spectrum)
    np.testing.assert_allclose(counted.C0, modes * ratios.C0, rtol=1e-12)
    np.testing.assert_allclose(counted.train_loss, modes * ratios.train_loss, rtol=1e-12)
    np.testing.assert_allclose(counted.R00, ratios.R00, rtol=1e-11)


def test_noise_free_test_loss_is_symmetric_in_width_and_data():
    one = random_features.solve(0.5, 1.4, 0.0, 0.1, 60)
    other = random_features.solve(1.4, 0.5, 0.0, 0.1, 60)
    np.testing.assert_allclose(one.test_loss, other.test_loss, rtol=1e-12)
    assert abs(one.train_loss[60] / other.train_loss[60] - 1) > 0.1


@pytest.mark.parametrize("spectrum", [[1.0], [1.5, 0.5]])
def test_direct_simulation(spectrum):
    """Networks of D = 200; their bias is about 1/D."""
    generator = np.random.default_rng(4)
    size, nu, alpha, noise, dt, steps, runs = 200, 0.7, 1.3, 0.3, 0.1, 12, 60
    root = np.sqrt(np.resize(spectrum, size))
    width, data = round(nu * size), round(alpha * size)
    found = []
    for _ in range(runs):
        psi = generator.normal(size=(data, size)) / np.sqrt(size) * root
        A = generator.normal(size=(width, size)) / np.sqrt(size)
        labels = noise * generator.normal(size=data)
        h0 = generator.choice([-1.0, 1.0], size=size)
        for _ in range(steps):
            h0 = h0 - dt / (alpha * nu) * A.T @ (A @ (psi.T @ (psi @ h0 + labels)))
        found.append([np.mean((root * h0) ** 2) + noise**2, np.mean((psi @ h0 + labels) ** 2)])
    result = random_features.solve(nu, alpha, noise, dt, steps, spectrum)
    expected = np.array([result.test_loss[steps], result.train_loss[steps]])
    error = np.std(found, axis=0) / np.sqrt(runs)
    np.testing.assert_array_less(np.abs(np.mean(found, axis=0) - expected), 4 * error + 1.5 / size * expected)


def test_refuses_impossible_sizes():
    with pytest.raises(ValueError, match="positive"):
        random_features.solve(0.0, 1.0, 0.1, 0.1, 2)
    with pytest.raises(ValueError, match="equally long"):
        random_features.solve(1.0, 1.0, 0.1, 0.1, 2, [1.0, 2.0], [1.0])
