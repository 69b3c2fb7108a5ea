"""Stochastic gradient descent: the closed recursions against the full batch, a matrix form and direct simulation."""

import numpy as np
import pytest

from sitesampler.theory import regression_flow, regression_flow_batches


def test_worked_one_pass():
    result = regression_flow_batches.one_pass(batch_ratio=1.5, noise=0.3, dt=0.4, steps=10)
    np.testing.assert_allclose(result.test_loss[[1, 4, 10]], [0.566267, 0.154573, 0.108481], atol=5.1e-7)
    assert result.C_h[10, 4] == pytest.approx(0.6**6 * result.C_h[4, 4], rel=1e-14)
    assert result.C_h[4, 10] == result.C_h[10, 4]


@pytest.mark.parametrize(
    ("reshuffled", "test", "train"),
    [
        (False, [0.788750, 0.457669, 0.243302], [0.599583, 0.207231, 0.054759]),
        (True, [0.788750, 0.399587, 0.230666], [0.599583, 0.152116, 0.046387]),
    ],
)
def test_worked_multi_pass(reshuffled, test, train):
    result = regression_flow_batches.multi_pass(1.5, 0.3, 0.25, 20, fraction=1 / 3, reshuffled=reshuffled)
    np.testing.assert_allclose(result.test_loss[[1, 4, 20]], test, atol=5.1e-7)
    np.testing.assert_allclose(result.train_loss[[1, 4, 20]], train, atol=5.1e-7)


@pytest.mark.parametrize("reshuffled", [False, True])
def test_full_batch_is_gradient_descent(reshuffled):
    result = regression_flow_batches.multi_pass(0.7, 0.4, 0.3, 25, fraction=1.0, reshuffled=reshuffled)
    full = regression_flow.solve(0.7, 0.4, 0.3, 25)
    np.testing.assert_allclose(result.C_h, full.C_h, rtol=1e-12)
    np.testing.assert_allclose(result.C_D, full.C_delta, rtol=1e-11)
    np.testing.assert_allclose(result.R_h, full.R_h, atol=1e-14)
    np.testing.assert_allclose(result.R_D, full.R_delta, atol=1e-14)
    np.testing.assert_allclose(result.train_loss, full.train_loss, rtol=1e-11)


def test_random_batches_leave_the_responses_alone():
    result = regression_flow_batches.multi_pass(1.5, 0.3, 0.25, 20, fraction=0.2)
    full = regression_flow.solve(1.5, 0.3, 0.25, 20)
    np.testing.assert_allclose(result.R_h, full.R_h, atol=1e-14)
    assert result.test_loss[20] > full.test_loss[20]


@pytest.mark.parametrize("reshuffled", [False, True])
def test_matrix_form_of_the_single_site_equations_holds(reshuffled):
    """Whole matrices at once instead of the march, with C_D and <Delta^2> found by iterating their equations."""
    alpha, noise, dt, steps, fraction = 0.8, 0.3, 0.3, 12, 0.25
    result = regression_flow_batches.multi_pass(alpha, noise, dt, steps, fraction, reshuffled)
    one = np.ones((steps + 1, steps + 1))
    past, unit = np.tril(one, -1), np.eye(steps + 1)
    Q = np.linalg.inv(unit + dt * past @ result.R_D)
    np.testing.assert_allclose(result.R_h, Q @ past, atol=1e-14)
    K = dt / alpha * result.R_h
    epoch = np.arange(steps + 1) // (4 if reshuffled else 1)
    same = epoch[:, None] == epoch
    R_D = np.linalg.inv(unit + np.where(same, 0.0, K))
    np.testing.assert_allclose(result.R_D, R_D, atol=1e-14)
    np.testing.assert_allclose(result.C_h, Q @ (one + dt**2 / alpha * past @ result.C_D @ past.T) @ Q.T, rtol=1e-12)
    Y = R_D @ (result.C_h + noise**2 * one) @ R_D.T
    X = Y
    for _ in range(steps + 2):  # each pass is right one step further
        V = np.where(same, (unit / fraction - 1) * X if reshuffled else unit * (1 / fraction - 1) * X, 0.0)
        inner = R_D @ V @ R_D.T
        own = np.where(same, R_D, 0.0)  # only the diagonal, within an epoch
        X = Y + inner - own @ V @ own.T
    np.testing.assert_allclose(result.C_D, Y + inner, rtol=1e-10, atol=1e-13)
    own = np.where(same, K, 0.0)
    train = np.diag(X) - 2 * np.sum(own * X, axis=1) + own**2 @ np.diag(X) / fraction
    np.testing.assert_allclose(result.train_loss, train, rtol=1e-10)


def test_one_pass_at_finite_size_is_exact():
    """Mean over many small networks, whose average the recursion with N = 10 gives exactly."""
    generator = np.random.default_rng(1)
    size, batch, dt, noise, runs = 10, 15, 0.4, 0.3, 40000
    h = np.ones((runs, size))
    for _ in range(4):
        data = generator.normal(size=(runs, batch, size))
        errors = np.einsum("rbn,rn->rb", data, h) / np.sqrt(size) + noise * generator.normal(size=(runs, batch))
        h = h - dt * np.sqrt(size) / batch * np.einsum("rbn,rb->rn", data, errors)
    losses = np.mean(h**2, axis=1) + noise**2
    expected = regression_flow_batches.one_pass(batch / size, noise, dt, 4, size=size).test_loss[4]
    assert np.mean(losses) == pytest.approx(expected, abs=4 * np.std(losses) / np.sqrt(runs))
    assert abs(expected - regression_flow_batches.one_pass(batch / size, noise, dt, 4).test_loss[4]) > 10 * np.std(
        losses
    ) / np.sqrt(runs)


@pytest.mark.parametrize("reshuffled", [False, True])
def test_direct_simulation(reshuffled):
    """Averages over networks of N = 200; their bias is about 1/N."""
    generator = np.random.default_rng(2)
    size, alpha, noise, dt, steps, batches, runs = 200, 1.5, 0.3, 0.25, 8, 3, 60
    data_size = round(alpha * size)
    found = []
    for _ in range(runs):
        psi = generator.normal(size=(data_size, size)) / np.sqrt(size)
        labels = noise * generator.normal(size=data_size)
        h = generator.normal(size=size)
        h *= np.sqrt(size) / np.linalg.norm(h)
        for k in range(steps):
            if k % batches == 0 or not reshuffled:
                groups = generator.permutation(data_size) % batches
            chosen = groups == (k % batches if reshuffled else 0)
            h = h - dt / alpha * batches * psi.T @ (chosen * (psi @ h + labels))
        found.append([h @ h / size + noise**2, np.mean((psi @ h + labels) ** 2)])
    result = regression_flow_batches.multi_pass(alpha, noise, dt, steps, 1 / batches, reshuffled)
    error = np.std(found, axis=0) / np.sqrt(runs)
    expected = [result.test_loss[steps], result.train_loss[steps]]
    np.testing.assert_array_less(np.abs(np.mean(found, axis=0) - expected), 4 * error + 1.5 / size * np.array(expected))


def test_refuses_impossible_batches():
    with pytest.raises(ValueError, match="batch_ratio"):
        regression_flow_batches.one_pass(0.0, 0.3, 0.4, 10)
    with pytest.raises(ValueError, match="alpha"):
        regression_flow_batches.multi_pass(0.0, 0.3, 0.4, 10, 0.5)
    with pytest.raises(ValueError, match="fraction"):
        regression_flow_batches.multi_pass(1.5, 0.3, 0.4, 10, 1.5)
    with pytest.raises(ValueError, match="whole"):
        regression_flow_batches.multi_pass(1.5, 0.3, 0.4, 10, 0.4, reshuffled=True)
