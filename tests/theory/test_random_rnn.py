"""Random recurrent network: two-time recursion, and stationary orbit by several routes."""

from math import comb

import numpy as np
import pytest

from sitesampler.nonlinearities import tanh
from sitesampler.theory import goe_flow, random_rnn
from sitesampler.theory.gaussian import average, product_average


def test_numbers_of_the_closed_recursion():
    C_h, _ = random_rnn.correlation(1.8, dt=0.1, steps=150)
    found = [C_h[50, 50], C_h[50, 25], C_h[100, 50], C_h[100, 100], C_h[150, 100], C_h[150, 150]]
    np.testing.assert_allclose(found, [1.08162, 0.495173, 0.398137, 1.32463, 0.607241, 1.36935], atol=5.1e-6)
    C_h, _ = random_rnn.correlation(0.8, dt=0.1, steps=150)
    found = [C_h[50, 50], C_h[50, 25], C_h[100, 100], C_h[150, 150]]
    np.testing.assert_allclose(found, [0.0101242, 0.0142724, 8.97345e-4, 9.60484e-5], rtol=5e-6)


@pytest.mark.parametrize("phi", ["tanh", "relu", "erf", np.sin], ids=str)
def test_recursion_equals_its_naive_form(phi):
    """Problem 3 written as (1 + d/dt)(1 + d/dt') C = g^2 C_phi, differenced exactly and one entry at a time."""
    g, dt, steps = 1.5, 0.2, 12
    C_h, C_phi = random_rnn.correlation(g, phi, dt=dt, steps=steps, initial_variance=0.7)
    C = np.zeros((steps + 1, steps + 1))
    C[0] = C[:, 0] = 0.7 * (1 - dt) ** np.arange(steps + 1)
    for n in range(steps):
        for m in range(n + 1):
            F = product_average(phi, C[n, n], C[m, m], C[n, m])
            assert C_phi[n, m] == pytest.approx(F, rel=1e-11, abs=1e-14)
            C[n + 1, m + 1] = (1 - dt) * (C[n + 1, m] + C[n, m + 1]) - (1 - dt) ** 2 * C[n, m] + dt**2 * g**2 * F
            C[m + 1, n + 1] = C[n + 1, m + 1]
    np.testing.assert_allclose(C_h, C, rtol=1e-11)


def test_linear_network_has_a_binomial_solution():
    g, dt, n, m = 1.8, 0.1, 30, 12
    exact = sum(comb(n, k) * comb(m, k) * (1 - dt) ** (n + m - 2 * k) * (g * dt) ** (2 * k) for k in range(m + 1))
    C_h, C_phi = random_rnn.correlation(g, "linear", dt=dt, steps=n)
    assert C_h[n, m] == pytest.approx(exact, rel=1e-13)
    assert C_h[n, m] == pytest.approx(2.00321, abs=5e-6)
    np.testing.assert_allclose(C_phi, C_h, rtol=1e-13)
    C, R = random_rnn.linear_correlation_and_response(g, 0.0, dt, n)
    np.testing.assert_allclose(C, C_h, rtol=1e-13)
    assert R[n, m] == pytest.approx((1 - dt) ** (n - m - 1), rel=1e-13)


def test_partially_symmetric_linear_network():
    C, R = random_rnn.linear_correlation_and_response(1.2, symmetry=0.3, dt=0.1, steps=30)
    np.testing.assert_allclose([C[20, 20], C[30, 10], R[20, 10]], [1.00341, 0.730751, 0.464607], rtol=5e-6)
    with pytest.raises(ValueError, match="symmetry"):
        random_rnn.linear_correlation_and_response(1.2, 1.3, 0.1, 3)


def test_symmetric_linear_network_is_the_goe_flow_with_leak():
    """h_{n+1} = (1-dt) [h_n + dt/(1-dt) J h_n]: the flow of `goe` at the step dt/(1-dt), times (1-dt)^n."""
    dt, steps = 0.1, 25
    C, R = random_rnn.linear_correlation_and_response(1.0, 1.0, dt, steps)
    n = np.arange(steps + 1)
    np.testing.assert_allclose(C, (1 - dt) ** (n[:, None] + n) * goe_flow.correlation(dt / (1 - dt), steps), rtol=1e-12)
    leak = (1 - dt) ** (n[:, None] - n - 1.0)
    np.testing.assert_allclose(R, leak * goe_flow.response(dt / (1 - dt), steps), rtol=1e-12, atol=1e-14)


def test_stationary_variance():
    assert random_rnn.stationary_variance(1.8) == pytest.approx(1.405601, abs=5e-7)
    ratios = [random_rnn.stationary_variance(g) / (g - 1) for g in (1.01, 1.05, 1.1)]
    np.testing.assert_allclose(ratios, [1.01159, 1.05664, 1.11063], atol=5.1e-6)
    assert random_rnn.stationary_variance(1.0) == 0.0
    # Eq. 19 with the antiderivative, by plain quadrature.
    c0 = random_rnn.stationary_variance(2.5)
    mean = average(tanh.antiderivative, c0)
    spread = average(lambda h: (tanh.antiderivative(h) - mean) ** 2, c0)
    assert c0**2 / 2 == pytest.approx(2.5**2 * spread, rel=1e-12)


def test_stationary_variance_of_erf_has_a_closed_equation():
    """<psi^2> - <psi>^2 by integrating F = (2/pi) asin(2c/(1+2c0)) over c: eq. 19 in elementary functions."""
    g = 1.8
    c0 = random_rnn.stationary_variance(g, "erf")
    x = 2 * c0 / (1 + 2 * c0)
    area = (1 + 2 * c0) / 2 * 2 / np.pi * (x * np.arcsin(x) + np.sqrt(1 - x**2) - 1)
    assert c0**2 / 2 == pytest.approx(g**2 * area, rel=1e-12)


def test_potential_is_equation_14():
    g, c0 = 1.8, 1.2
    c = np.linspace(-c0, c0, 7)
    psi = tanh.antiderivative
    direct = g**2 * (product_average(psi, c0, c0, c) - average(psi, c0) ** 2) - c**2 / 2
    np.testing.assert_allclose(random_rnn.potential(g, c0, c), direct, atol=1e-12)
    slope = (random_rnn.potential(g, c0, 0.6 + 1e-4) - random_rnn.potential(g, c0, 0.6 - 1e-4)) / 2e-4
    assert slope == pytest.approx(-0.6 + g**2 * product_average("tanh", c0, c0, 0.6), abs=1e-8)
    with pytest.raises(ValueError, match="c0"):
        random_rnn.potential(g, c0, 2 * c0)


def test_stationary_correlation_numbers():
    lags = [1.0, 2.0, 5.0]
    found = random_rnn.stationary_correlation(1.8, lags)
    np.testing.assert_allclose(found, [1.36988, 1.27266, 0.837873], rtol=4e-6)
    found = random_rnn.stationary_correlation(1.8, [0.0, *lags], dt=0.1)
    np.testing.assert_allclose(found, [1.405596, 1.36600, 1.25934, 0.799505], rtol=4e-6)


@pytest.mark.parametrize("g", [1.05, 1.8, 4.0])
def test_continuous_orbit_obeys_newtons_law(g):
    """Eq. 20 from the turning point to far along the separatrix, by an eighth-order difference formula."""
    stencil = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
    c0 = random_rnn.stationary_variance(g)
    step = 0.1 if g > 1.5 else 1.0
    length = 400
    c = random_rnn.stationary_correlation(g, step * np.arange(length))
    even = np.concatenate([c[4:0:-1], c])
    acceleration = np.convolve(even, stencil, mode="valid") / step**2
    inside = c[: acceleration.size]
    expected = inside - g**2 * product_average("tanh", c0, c0, inside)
    np.testing.assert_allclose(acceleration, expected, atol=1e-8 * c0)
    assert c[0] == pytest.approx(c0, rel=1e-14)
    assert np.all(np.diff(c) < 0)
    # Late decay at the rate kappa, kappa^2 = 1 - g^2 <phi'>^2: the orbit has not left the separatrix.
    slope = average(tanh.derivative, c0)
    late = 60 / np.sqrt(1 - g**2 * slope**2) + np.array([0.0, 1.0])
    far = random_rnn.stationary_correlation(g, late)
    assert np.log(far[0] / far[1]) == pytest.approx(np.sqrt(1 - g**2 * slope**2), rel=1e-8)


@pytest.mark.parametrize("dt", [0.1, 0.4])
def test_discrete_orbit_obeys_its_difference_equation(dt):
    g = 1.8
    c = random_rnn.stationary_correlation(g, dt * np.arange(600), dt=dt)
    c0 = c[0]
    bend = np.diff(np.concatenate([c[1:2], c]), n=2)
    force = c[:-1] - g**2 * product_average("tanh", c0, c0, c[:-1])
    np.testing.assert_allclose(bend, dt**2 / (1 - dt) * force, atol=1e-13)
    assert np.all(np.diff(c) < 0)


def test_discrete_orbit_is_where_the_recursion_settles():
    g, dt, steps = 3.0, 0.4, 300
    C_h, _ = random_rnn.correlation(g, dt=dt, steps=steps)
    lags = np.arange(80)
    stationary = random_rnn.stationary_correlation(g, dt * lags, dt=dt)
    np.testing.assert_allclose(C_h[-1, steps - lags], stationary, atol=2e-5)


def test_euler_stretches_the_lag():
    """c_k = c(k dt/sqrt(1-dt)) up to O(dt^2)."""
    errors = []
    for dt in (0.1, 0.05):
        lags = np.array([1.0, 3.0])
        stretched = random_rnn.stationary_correlation(1.8, lags / np.sqrt(1 - dt))
        errors.append(random_rnn.stationary_correlation(1.8, lags, dt=dt) - stretched)
    assert np.max(np.abs(errors[0])) < 1e-4
    np.testing.assert_allclose(np.divide(*errors), 4.0, rtol=0.2)


def test_below_the_transition_everything_decays():
    assert not np.any(random_rnn.stationary_correlation(0.8, [0.0, 1.0]))


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="odd phi"):
        random_rnn.stationary_variance(1.8, "relu")
    with pytest.raises(ValueError, match="does not saturate"):
        random_rnn.stationary_variance(1.8, "linear")
    with pytest.raises(ValueError, match="non-negative"):
        random_rnn.stationary_correlation(1.8, -1.0)
    with pytest.raises(ValueError, match="multiples of dt"):
        random_rnn.stationary_correlation(1.8, 0.25, dt=0.1)
