"""Feature learning where it closes: kernels, linear networks in a Lanczos basis, one hidden layer, outliers."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from sitesampler.nonlinearities import nonlinearity
from sitesampler.theory import feature_learning

GRAM = np.array([[1.0, 0.3], [0.3, 1.0]])
TARGETS = np.array([1.0, -0.5])


def chains(length, rights, lefts, alpha=1.0):
    """Return W(0)/sqrt(N_0) in the Lanczos basis grown from independent vectors, and the places of these vectors.

    `rights` of them lie in the space of columns, `lefts` in that of rows. The vectors an iid matrix makes of them
    are all orthogonal at N = infinity: one bidiagonal chain for each, with squared couplings alpha (to rows) and 1.
    """
    blocks = [np.sqrt(alpha) * np.eye(length) + np.eye(length, k=1)] * rights
    blocks += [np.eye(length) + np.sqrt(alpha) * np.eye(length, k=-1)] * lefts
    matrix = np.zeros((length * len(blocks), length * len(blocks)))
    for number, block in enumerate(blocks):
        place = slice(length * number, length * (number + 1))
        matrix[place, place] = block
    return matrix, [length * number for number in range(rights + lefts)]


def linear_network(gamma, rate, steps, length=40):
    """Train a linear network with two hidden layers in that basis: vectors and matrices instead of processes."""
    W, (first, second, third) = chains(length, 2, 1)
    h1 = np.zeros((2, len(W)))
    h1[:, [first, second]] = np.linalg.cholesky(GRAM)
    w = np.zeros(len(W))
    w[third] = 1.0
    c = gamma * rate
    history = {name: [] for name in ("f", "h1", "h2", "z1", "z2", "W")}
    for _ in range(steps + 1):
        h2, z1 = h1 @ W.T, W.T @ w
        f = h2 @ w / gamma
        for name, value in zip(history, (f, h1, h2, np.tile(z1, (2, 1)), np.tile(w, (2, 1)), W), strict=True):
            history[name].append(value)
        delta = TARGETS - f
        W, w, h1 = W + c * np.outer(w, delta @ h1), w + c * delta @ h2, h1 + c * np.outer(GRAM @ delta, z1)
    return {name: np.array(value) for name, value in history.items()}


def test_worked_kernels():
    expected = {
        "tanh": [(0.858697, 0.222566), (0.783050, 0.195218), (0.735721, 0.180952)],
        "relu": [(1, 0.330920), (0.75, 0.258650), (0.5, 0.175504)],
        "linear": [(2, 0.6), (3, 0.9), (4, 1.2)],
    }
    for phi, rows in expected.items():
        for depth, (diagonal, other) in enumerate(rows, start=1):
            tangent = feature_learning.initial_kernels(GRAM, depth, phi).tangent
            np.testing.assert_allclose(tangent, [[diagonal, other], [other, diagonal]], atol=5.1e-7)


def test_worked_lazy():
    one = feature_learning.lazy(GRAM, TARGETS, 1, 0.2, 12)
    np.testing.assert_allclose(one.f[[4, 12]], [[0.470492, -0.159150], [0.840056, -0.366915]], atol=5.1e-7)
    three = feature_learning.lazy(GRAM, TARGETS, 3, 0.2, 12)
    np.testing.assert_allclose(three.f[12], [0.795123, -0.339128], atol=5.1e-7)
    assert one.loss[0] == 0.625


@pytest.mark.parametrize("phi", ["tanh", "erf"])
def test_slope_kernel_is_the_derivative_of_the_kernel(phi):
    """d<phi phi'>/dc = <phi' phi'>, and a two-dimensional quadrature of a third route."""
    c, step = 0.3, 1e-4
    found = feature_learning.initial_kernels(GRAM, 1, phi).C_g[0][0, 1]
    up, down = (
        feature_learning.initial_kernels([[1, c + shift], [c + shift, 1]], 1, phi).C_phi[1][0, 1]
        for shift in (step, -step)
    )
    assert found == pytest.approx((up - down) / (2 * step), rel=1e-7)
    slope = nonlinearity(phi).derivative
    root = np.linalg.cholesky(GRAM)
    integral, _ = dblquad(
        lambda x, y: slope(root[0, 0] * x) * slope(root[1, 0] * x + root[1, 1] * y) * np.exp(-(x * x + y * y) / 2),
        -7, 7, -7, 7, epsabs=1e-7,
    )  # fmt: skip
    assert found == pytest.approx(integral / (2 * np.pi), abs=1e-7)


def test_worked_linear():
    two = feature_learning.linear(GRAM, TARGETS, 2, 1.5, 0.1, 12)
    f = [[0.255, -0.06], [0.467366, -0.134017], [0.818974, -0.316956]]
    np.testing.assert_allclose(two.f[[1, 2, 4]], f, atol=5.1e-7)
    np.testing.assert_allclose(two.loss[[1, 2, 4]], [0.374313, 0.208821, 0.033138], atol=5.1e-7)
    C_h = [[[1.349512, 0.120405], [0.120405, 1.089925]], [[2.327492, -0.375037], [-0.375037, 1.339129]]]
    np.testing.assert_allclose(two.C_h[:, 12, 12], C_h, atol=5.1e-7)
    np.testing.assert_allclose(two.C_z[0, 12, 12], 3.273955, atol=5.1e-7)
    np.testing.assert_allclose(two.C_z[1, 12, 12], 1.600822, atol=5.1e-7)
    np.testing.assert_allclose(two.R_h[0, 2, 1], [[0.11175, -0.0198], [0.033525, -0.066]], atol=5.1e-7)
    np.testing.assert_allclose(two.R_z[1, 2, 1], [[0.11175, -0.066], [0.11175, -0.066]], atol=5.1e-7)
    three = feature_learning.linear(GRAM, TARGETS, 3, 1.5, 0.06, 12)
    np.testing.assert_allclose(three.f[4], [0.735668, -0.263789], atol=5.1e-7)
    np.testing.assert_allclose(three.C_z[0, 12, 12], 4.378700, atol=5.1e-7)


def test_linear_network_in_its_lanczos_basis():
    """Every correlation of the closed equations is a scalar product of the trained vectors."""
    gamma, rate, steps = 2.0, 0.08, 10
    result = feature_learning.linear(GRAM, TARGETS, 2, gamma, rate, steps)
    network = linear_network(gamma, rate, steps)
    np.testing.assert_allclose(result.f, network["f"], atol=1e-13)
    for found, names in ((result.C_h, ("h1", "h2")), (result.C_z, ("z1", "z2"))):
        for layer, name in enumerate(names):
            expected = np.einsum("tmi,sni->tsmn", network[name], network[name])
            np.testing.assert_allclose(found[layer], expected, rtol=1e-12, atol=1e-12)


def test_responses_of_a_linear_network_give_its_output():
    """Deep networks: f from <w h_L> by Stein's lemma, against eq. 85 inside; responses are causal."""
    gamma, rate, steps = 1.5, 0.06, 8
    result = feature_learning.linear(GRAM, TARGETS, 3, gamma, rate, steps)
    for R in (result.R_h, result.R_z):
        for t in range(steps + 1):
            assert not np.any(R[:, t, t:])
    # The last layer's z is w for every input: <w h_L> = <r h> + ... with w = w(0) + c sum Delta h.
    c = gamma * rate
    delta = TARGETS - result.f
    for t in range(steps + 1):
        initial = result.R_h[2, t].sum(axis=(0, 2))  # <w(0) h(t)>
        moved = c * np.einsum("smn,sn->m", result.C_h[2, t, :t], delta[:t])
        np.testing.assert_allclose(gamma * result.f[t], initial + moved, atol=1e-13)
        square = 1 + 2 * c * np.einsum("sn,sn->", delta[:t], result.R_h[2, :t].sum(axis=(1, 3)))
        square += c**2 * np.einsum("sm,svmn,vn->", delta[:t], result.C_h[2, :t, :t], delta[:t])
        np.testing.assert_allclose(result.C_z[2, t, t], square, rtol=1e-12)  # <w(t)^2>


def test_small_gamma_is_lazy():
    frozen = feature_learning.lazy(GRAM, TARGETS, 3, 0.1, 10, "linear")
    errors = [
        np.max(np.abs(feature_learning.linear(GRAM, TARGETS, 3, gamma, 0.1, 10).f - frozen.f)) for gamma in (0.02, 0.01)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)
    trained = feature_learning.one_hidden_layer(GRAM, TARGETS, 1e-3, 0.2, 10)
    frozen = feature_learning.lazy(GRAM, TARGETS, 1, 0.2, 10)
    np.testing.assert_allclose(trained.f, frozen.f, atol=1e-6)
    kernels = feature_learning.initial_kernels(GRAM, 1)
    np.testing.assert_allclose(trained.C_phi[10, 0], kernels.C_phi[1], atol=1e-5)
    np.testing.assert_allclose(trained.C_g[0, 0], kernels.C_g[0], atol=1e-9)


def test_worked_one_hidden_layer():
    result = feature_learning.one_hidden_layer(GRAM, TARGETS, 1.5, 0.25, 12)
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
    closed = feature_learning.linear(GRAM, TARGETS, 1, 2.0, 0.15, 8)
    quadrature = feature_learning.one_hidden_layer(GRAM, TARGETS, 2.0, 0.15, 8, "linear", step=0.4)
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
    result = feature_learning.one_hidden_layer(GRAM, TARGETS, gamma, rate, steps, phi)
    # Four standard errors of the mean (scatter .9 and 2.5/sqrt(N)), and the error of the quadrature at kinks.
    tolerance = {"tanh": 4 * 0.9, "relu": 4 * 2.5}[phi] / np.sqrt(4 * width)
    np.testing.assert_allclose(np.mean(found, axis=0), result.f[steps], atol=tolerance)
    np.testing.assert_allclose(np.mean(features, axis=0), result.C_phi[steps, steps], atol=2 * tolerance)


def test_dependent_inputs_and_too_many():
    """Two equal inputs are one; a grid of six dimensions is refused."""
    twice = feature_learning.one_hidden_layer(np.ones((2, 2)), [0.5, 0.5], 1.5, 0.1, 4)
    once = feature_learning.one_hidden_layer(1.0, 0.5, 1.5, 0.2, 4)
    np.testing.assert_allclose(twice.f[:, 0], once.f[:, 0], rtol=1e-10)
    with pytest.raises(ValueError, match="grid"):
        feature_learning.one_hidden_layer(np.eye(5), np.ones(5), 1.0, 0.1, 2)


def test_worked_outliers():
    """tanh, two updates of one input; order parameters are known to 2e-4 .. 2e-3 only."""
    C_phi, C_g = np.array([[0.3944, 0.2656], [0.2656, 0.7402]]), np.array([[0.637, 0.021], [0.021, 1.561]])
    R_phi, R_g = np.array([[0, 0], [0.7425, 0]]), np.array([[0, 0], [1.783, -0.355]])
    z = feature_learning.outliers(C_phi, R_phi, C_g, R_g, [4.8, 4.475])
    assert z == pytest.approx([32.66], abs=0.05)
    C_phi, C_g = np.array([[0.3944, 0.2467], [0.2467, 0.7693]]), np.array([[0.636, 0.047], [0.047, 1.695]])
    R_phi, R_g = np.array([[0, 0], [0.6338, 0]]), np.array([[0, 0], [1.858, -0.366]])
    z = feature_learning.outliers(C_phi, R_phi, C_g, R_g, [4.8, 4.4885], alpha=1.5)
    np.testing.assert_allclose(z, [52.37, 4.977], rtol=2e-3)


def linear_outliers(gamma, rate, steps):
    result = feature_learning.linear(GRAM, TARGETS, 2, gamma, rate, steps)
    used = slice(0, steps)
    order = (result.C_h[0], result.R_h[0], result.C_z[1], result.R_z[1])
    d = rate * gamma * (TARGETS - result.f[used])
    return feature_learning.outliers(*(matrix[used, used] for matrix in order), d), result


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
    z = feature_learning.outliers(C_phi, none, C_g, none, d, alpha)
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
    z = feature_learning.outliers(phi @ phi.T, R_phi, g @ g.T / alpha, R_g, d, alpha)
    values = np.linalg.svd(W + (g.T * d) @ phi, compute_uv=False) ** 2
    edge = (1 + np.sqrt(alpha)) ** 2 * 1.005
    np.testing.assert_allclose(z[z > edge], values[values > edge], rtol=1e-8)


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="symmetric"):
        feature_learning.initial_kernels([[1, 0.2], [0.3, 1]], 1)
    with pytest.raises(ValueError, match="depth"):
        feature_learning.initial_kernels(GRAM, 0)
    with pytest.raises(ValueError, match="depth"):
        feature_learning.linear(GRAM, TARGETS, 0, 1.0, 0.1, 2)
    with pytest.raises(ValueError, match="targets"):
        feature_learning.lazy(GRAM, [1.0], 1, 0.1, 2)
    with pytest.raises(TypeError, match="derivative"):
        feature_learning.lazy(GRAM, TARGETS, 1, 0.1, 2, phi=np.sin)
    with pytest.raises(ValueError, match="one row"):
        feature_learning.outliers(GRAM, GRAM, GRAM, GRAM, [1.0])
    with pytest.raises(ValueError, match="alpha"):
        feature_learning.outliers(GRAM, GRAM, GRAM, GRAM, TARGETS, alpha=0.0)
