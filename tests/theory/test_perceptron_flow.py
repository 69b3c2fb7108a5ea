"""Perceptron: first steps by hand, the square loss in closed form, and the minimum as a stationary point."""

import numpy as np
import pytest

from sitesampler.theory import perceptron_flow, regression_flow


@pytest.mark.parametrize(("loss", "slope"), [("logistic", 0.5), ("hinge", 1.0), ("square", 1.0)])
def test_first_step_by_hand(loss, slope):
    """From w = 0 all delta are -slope y, so that w = dt slope (sqrt(2/pi) w_* + normal/sqrt(alpha))."""
    alpha, dt = 1.7, 0.3
    result = perceptron_flow.first_steps(alpha, dt, loss, decay=0.5, steps=1)
    assert result.overlap[1] == pytest.approx(dt * slope * np.sqrt(2 / np.pi), rel=1e-10)
    assert result.norm[1] == pytest.approx((dt * slope) ** 2 * (2 / np.pi + 1 / alpha), rel=1e-10)
    np.testing.assert_array_equal(result.train_error, [1.0])


def test_square_loss_is_regression_with_the_nonlinear_part_of_the_labels_as_noise():
    """Only c = <u y> of y = sign(u) is linear: labels are c (w_* . x) + noise of variance 1 - c^2."""
    alpha, dt, c = 1.5, 0.25, np.sqrt(2 / np.pi)
    exact = regression_flow.solve(alpha, np.sqrt(1 - c**2) / c, dt, 3)
    result = perceptron_flow.first_steps(alpha, dt, "square", steps=3)
    np.testing.assert_allclose(2 * result.train_loss, c**2 * exact.train_loss[:3], rtol=1e-9)
    distance = c**2 - 2 * c * result.overlap + result.norm
    np.testing.assert_allclose(distance, c**2 * np.diag(exact.C_h), rtol=1e-9)


def test_small_steps_by_series():
    """At order dt, <u delta> of the second step changes by curvature times <u h_1> = dt-order overlaps."""
    result = perceptron_flow.first_steps(2.0, 1e-4, "logistic", steps=2)
    first, second = np.diff(result.overlap)
    # delta = -y/2 + h/4, so the second step lacks dt <w_* (Psi^T Psi/alpha) w_1>/4 = dt (m_1 + sum of the noise)/4.
    m1 = result.overlap[1]
    assert (first - second) / first == pytest.approx(1e-4 / 4 * (1 + 1 / 2.0), rel=1e-3)
    assert m1 == first


def test_steps_are_limited():
    with pytest.raises(ValueError, match="1 to 3"):
        perceptron_flow.first_steps(1.0, 0.1, steps=4)
    with pytest.raises(ValueError, match="positive"):
        perceptron_flow.minimum(1.0, 0.0)


@pytest.mark.parametrize("alpha", [0.7, 3.0])
def test_minimum_of_the_square_loss_is_ridge_regression(alpha):
    """Modes of eigenvalue x shrink by x/(x + decay); the nonlinear part of the labels is noise."""
    decay, c = 0.3, np.sqrt(2 / np.pi)
    lam, rho = regression_flow.marchenko_pastur(alpha)
    shrink = lam / (lam + decay)
    end = perceptron_flow.minimum(alpha, decay, "square")
    assert end.overlap == pytest.approx(c * rho @ shrink, rel=1e-9)
    noise = (1 - c**2) / alpha * (rho @ (lam / (lam + decay) ** 2))
    assert end.norm == pytest.approx(c**2 * rho @ shrink**2 + noise, rel=1e-9)
