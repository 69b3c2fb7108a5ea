"""Deep networks: every way to train them, against explicit back-propagation written without the package."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

import sitesampler as ss
from sitesampler.theory import deep_network_lazy, deep_network_linear

INPUTS = np.sqrt(2) * np.linalg.cholesky(np.array([[1, 0.3], [0.3, 1]]))  # X X^T / D = [[1, .3], [.3, 1]], D = 2
TARGETS = np.array([1.0, -0.5])
GAMMA, RATE, STEPS = 1.5, 0.2, 5


def back_propagation(
    N: int,
    seed: int,
    *,
    widths: tuple[float, float] = (1.0, 1.0),
    batch: int | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    feedback: bool = False,
) -> np.ndarray:
    """Train a real tanh network with two hidden layers; return (f_1, f_2, loss, <phi_2^2>, <g_1^2>) over the steps.

    Every weight is N(0, 1) at first and trained with the step RATE GAMMA^2 N_2, by heavy-ball momentum and decoupled
    weight decay; the initial output is subtracted.
    """
    rng = np.random.default_rng(seed)
    n1, n2 = (round(ratio * N) for ratio in widths)
    D = INPUTS.shape[1]
    weights = [rng.standard_normal(shape) for shape in ((n1, D), (n2, n1), (n2,))]
    backward = rng.standard_normal((n2, n1))
    velocities = [np.zeros_like(w) for w in weights]
    rows, start = [], None
    for step in range(STEPS + 1):
        W0, W1, w = weights
        h1 = W0 @ INPUTS.T / np.sqrt(D)
        h2 = W1 @ np.tanh(h1) / np.sqrt(n1)
        f = w @ np.tanh(h2) / (GAMMA * n2)
        start = f if start is None else start
        error = TARGETS - (f - start)
        g2 = (1 - np.tanh(h2) ** 2) * w[:, None]
        z1 = (backward if feedback else W1).T @ g2 / np.sqrt(n1)
        g1 = (1 - np.tanh(h1) ** 2) * z1
        rows.append([*(f - start), np.sum(error**2) / 2, np.mean(np.tanh(h2) ** 2), np.mean(g1**2)])
        used = error if batch is None else error * ((np.arange(2) - step * batch) % 2 < batch)
        # d f / d W = g phi / (GAMMA N_2 sqrt(N_in)); times the rate RATE GAMMA^2 N_2
        scale = RATE * GAMMA
        gradients = [
            scale * (g1 * used) @ INPUTS / np.sqrt(D),
            scale * (g2 * used) @ np.tanh(h1).T / np.sqrt(n1),
            scale * np.tanh(h2) @ used,
        ]
        velocities = [momentum * v + g for v, g in zip(velocities, gradients, strict=True)]
        weights = [(1 - weight_decay) * w + v for w, v in zip(weights, velocities, strict=True)]
    return np.array(rows)


VARIANTS: dict[str, dict[str, Any]] = {
    "full batch": {},
    "other widths": {"widths": (1.0, 1.5)},
    "one input at a time": {"batch": 1},
    "weight decay": {"weight_decay": 0.05},
    "momentum": {"momentum": 0.5},
    "momentum and decay": {"momentum": 0.4, "weight_decay": 0.03},
    "feedback alignment": {"feedback": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_train_agrees_with_back_propagation(variant: str) -> None:
    """Extrapolated from N = 100 and 200, off by O(1/N^2); one false alarm in 10^4 over the 30 values of a variant."""
    options, replicas, runs = VARIANTS[variant], 12, 150
    ds = ss.sample(
        ss.models.deep_network, population=8_000, replicas=replicas, seed=1, inputs=INPUTS, targets=TARGETS, depth=2,
        gamma=GAMMA, rate=RATE, steps=STEPS, progress=False, **options,
    )  # fmt: skip
    steps, columns = np.arange(STEPS + 1), np.arange(2)

    def equal_times(name: str, layer: int) -> np.ndarray:
        values = ds[name].sel(layer=layer).values
        return values[steps[:, None], steps[:, None], columns, columns].mean(1)

    sampled = np.column_stack([ds.f.values, ds.loss.values, equal_times("C_phi", 2), equal_times("C_g", 1)])
    errors = np.column_stack(
        [ds.f_stderr.values, ds.loss_stderr.values, equal_times("C_phi_stderr", 2), equal_times("C_g_stderr", 1)]
    )
    small, large = (
        np.array([back_propagation(N, 1000 * N + run, **options) for run in range(runs)]) for N in (100, 200)
    )
    reference = 2 * large.mean(0) - small.mean(0)
    spread = np.sqrt((4 * large.var(0, ddof=1) + small.var(0, ddof=1)) / runs)
    error = np.hypot(errors, spread)
    deviation = np.abs(sampled - reference)[1:] / error[1:]  # outputs are zero at first
    assert deviation.max() < student.isf(1e-4 / 30 / 2, replicas - 1), deviation.round(1)
    assert np.all(error[-1] < 0.05 * np.maximum(np.abs(reference[-1]), 0.2))


@pytest.mark.parametrize(("depth", "rate"), [(1, 0.2), (2, 0.1), (4, 0.05)])
def test_linear_networks_stay_gaussian_and_follow_their_closed_equations(depth: int, rate: float) -> None:
    """Exact for any depth: matched draws make Gaussian systems exact."""
    ds = ss.sample(
        ss.models.deep_network, population=150, replicas=2, seed=1, tolerance=1e-12, inputs=INPUTS, targets=TARGETS,
        depth=depth, gamma=1.5, rate=rate, steps=5, phi="linear", progress=False,
    )  # fmt: skip
    exact = deep_network_linear.linear(INPUTS @ INPUTS.T / 2, TARGETS, depth, 1.5, rate, 5)
    np.testing.assert_allclose(ds.f.values, exact.f, atol=1e-8)
    np.testing.assert_allclose(ds.loss.values, exact.loss, atol=1e-8)
    np.testing.assert_allclose(ds.C_h.values, exact.C_h, atol=1e-8)


@pytest.mark.parametrize("phi", ["tanh", "relu"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_lazy_limit_is_the_tangent_kernel(phi: str, depth: int) -> None:
    """Gamma = 1e-3: the recursion of eq. (86), to 1 % of the outputs."""
    ds = ss.sample(
        ss.models.deep_network, population=16_000, replicas=4, seed=2, inputs=INPUTS, targets=TARGETS, depth=depth,
        gamma=1e-3, rate=0.2, steps=8, phi=phi, progress=False,
    )  # fmt: skip
    exact = deep_network_lazy.lazy(INPUTS @ INPUTS.T / 2, TARGETS, depth, 0.2, 8, phi)
    outputs = exact.f
    np.testing.assert_allclose(ds.f.values[-1], outputs[-1], rtol=0, atol=0.01 * np.linalg.norm(outputs[-1]))


def test_preactivations_become_non_gaussian() -> None:
    """Excess kurtosis of the second layer, -1.35 and -0.81 at t = 12 in networks of width 100,000."""
    ds = ss.sample(
        ss.models.deep_network, population=8_000, replicas=4, seed=3, inputs=INPUTS, targets=TARGETS, depth=2,
        gamma=1.5, rate=0.2, steps=12, progress=False,
    )  # fmt: skip
    kurtosis = ds.h_kurtosis.sel(layer=2)
    assert np.abs(kurtosis.values[0]).max() < 0.1
    np.testing.assert_allclose(kurtosis.values[-1], [-1.35, -0.81], atol=0.05)
