"""Random features with equal modes: generating functions, Laplace inversion and the laws of late times."""

import numpy as np
import pytest

from sitesampler.theory import random_features, random_features_flow


@pytest.mark.parametrize(("nu", "alpha"), [(0.6, 0.6), (0.7, 1.3), (1.3, 0.7), (1.0, 1.0), (2.0, 1.0)])
def test_generating_functions_give_the_same_correlations(nu, alpha):
    """Coefficients of the generating function, by a Fourier sum on a circle."""
    noise, dt, steps, points, radius = 0.3, 0.1, 30, 128, 0.86
    x = radius * np.exp(2j * np.pi * np.arange(points) / points)
    result = random_features.solve(nu, alpha, noise, dt, steps)
    power = radius ** (np.arange(steps + 1)[:, None] + np.arange(steps + 1))
    for transform, correlation in zip(
        random_features_flow.generating_function(nu, alpha, noise, dt, x[:, None], x),
        (result.C0, result.C1),
        strict=True,
    ):
        found = np.fft.fft2(transform).real[: steps + 1, : steps + 1] / points**2 / power
        # Aliases are radius^128 = 4e-9 of the value at lag 128; rounding is multiplied by radius^-60 = 1e4.
        np.testing.assert_allclose(found, correlation, atol=1e-7)


def test_small_steps_approach_gradient_flow():
    flow = np.array(random_features_flow.flow_losses(0.6, 0.8, 0.3, 2.0))
    errors = []
    for steps in (100, 200):
        result = random_features.solve(0.6, 0.8, 0.3, 2.0 / steps, steps)
        errors.append([result.test_loss[-1], result.train_loss[-1]] - flow)
    np.testing.assert_allclose(np.divide(*errors), 2.0, rtol=0.03)


@pytest.mark.parametrize(
    ("nu", "alpha", "noise", "exponent", "tolerance"),
    [
        (0.6, 0.6, 0.0, 1 / 2, 1e-4),  # a: no label noise is needed, the unlearnable part acts as noise
        (0.6, 0.6, 0.3, 1 / 2, 1e-4),
        (2.0, 2.0, 0.0, 0.0, 1e-12),  # b: exponentially to zero
        (2.0, 2.0, 0.5, 0.0, 1e-9),  # b: eq. 73 is false here
        (1.0, 1.0, 0.0, 0.0, 3e-4),  # c
        (1.0, 1.0, 0.5, 1 / 3, 6e-4),
        (2.0, 1.0, 0.0, 0.0, 2e-5),  # d
        (2.0, 1.0, 0.5, 1 / 2, 1e-5),
        (1.0, 2.0, 0.0, 0.0, 2e-5),
        (1.0, 2.0, 0.4, 0.0, 1e-4),
        (0.4, 0.8, 0.0, 0.0, 1e-9),  # e
        (0.8, 0.4, 0.0, 0.0, 1e-9),
        (0.5, 1.5, 0.5, 0.0, 1e-9),
        (1.5, 0.5, 0.5, 0.0, 1e-9),
    ],
)
def test_late_time_laws(nu, alpha, noise, exponent, tolerance):
    """Laplace inversion at t = 1e10 against the five cases."""
    t = 1e10
    found_exponent, factor = random_features_flow.late_growth(nu, alpha, noise)
    assert found_exponent == pytest.approx(exponent)
    test_loss, _ = random_features_flow.flow_losses(nu, alpha, noise, t)
    assert (test_loss - noise**2) / t**exponent == pytest.approx(factor, abs=tolerance)


def test_late_time_constants():
    assert random_features_flow.late_growth(0.4, 0.8, 0.0) == (0.0, pytest.approx(1.2))
    assert random_features_flow.late_growth(1.0, 1.0, 0.0)[1] == pytest.approx(0.38215, abs=5e-6)
    assert random_features_flow.late_growth(1.0, 1.0, 1.0)[1] == pytest.approx(0.8288, abs=5e-5)
    assert random_features_flow.late_growth(0.5, 0.5, 0.0)[1] == pytest.approx(0.660989 * 0.5, abs=3e-7)
    # Double descent: the plateau diverges towards N = P.
    plateaus = [random_features_flow.late_growth(0.5, alpha, 0.0)[1] for alpha in (0.8, 0.6, 0.52)]
    assert plateaus[0] < plateaus[1] < plateaus[2]


def test_slow_crossover_near_equal_sizes():
    """Case a at q = 0.9: the local exponent is .22 at t = 100 to 1000 and .44 at 1e4 to 1e5."""
    loss, _ = random_features_flow.flow_losses(0.9, 0.9, 0.0, [100.0, 1000.0, 1e4, 1e5])
    assert np.log10(loss[1] / loss[0]) == pytest.approx(0.22, abs=0.005)
    assert np.log10(loss[3] / loss[2]) == pytest.approx(0.44, abs=0.005)


def test_refuses_impossible_sizes():
    for function in (
        lambda: random_features_flow.flow_losses(1.0, -1.0, 0.1, 1.0),
        lambda: random_features_flow.late_growth(1.0, 0.0, 0.1),
        lambda: random_features_flow.generating_function(0.0, 1.0, 0.1, 0.1, 0.1, 0.1),
        lambda: random_features_flow.flow_losses(1.0, 1.0, 0.1, 0.0),
    ):
        with pytest.raises(ValueError, match="positive"):
            function()
