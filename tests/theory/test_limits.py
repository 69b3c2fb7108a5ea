"""The limit dt -> 0 of two-time equations: published numbers, closed forms, extrapolation from finite time steps."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import iv, ive

from sitesampler.theory import (
    evolving_spikes,
    excitatory_inhibitory,
    goe_flow,
    low_rank_rnn,
    random_features,
    random_rnn,
    regression_flow,
    spherical_pspin,
)
from sitesampler.theory.random_features_flow import flow_losses


def extrapolated(at_step, first, halvings=4):
    """Romberg's extrapolation of an Euler scheme, whose error has all powers of the step."""
    found = [np.asarray(at_step(first / 2**k)) for k in range(halvings + 1)]
    for power in range(1, halvings + 1):
        found = [(2**power * fine - rough) / (2**power - 1) for rough, fine in pairwise(found)]
    return found[0]


@pytest.mark.parametrize(("phi", "g"), [("tanh", 1.5), ("erf", 1.5), ("relu", 1.2)])
def test_random_network(phi, g):
    C_h, C_phi = random_rnn.correlation(g, phi, times=[1, 2])

    def at_step(dt):
        pair = random_rnn.correlation(g, phi, dt=dt, steps=round(2 / dt))
        return [C[-1, [round(1 / dt), -1]] for C in pair]

    np.testing.assert_allclose([C_h[1], C_phi[1]], extrapolated(at_step, 0.2), rtol=1e-6)


def test_random_network_late():
    C_h, _ = random_rnn.correlation(1.5, times=[10, 5])  # in any order
    assert C_h[0, 1] == C_h[1, 0] == pytest.approx(0.2237823, abs=1e-7)


def test_symmetric_linear_network_is_the_goe_flow_with_leak():
    times = np.array([0.0, 1.0, 2.5])
    C, R = random_rnn.linear_correlation_and_response(1.0, 1.0, times=times)
    np.testing.assert_allclose(C, goe_flow.correlation(times=times) * np.exp(-times[:, None] - times), rtol=1e-7)
    np.testing.assert_allclose(R, goe_flow.response(times=times) * np.exp(times - times[:, None]), rtol=1e-7)


#: Energy and C(t, 0) of the spherical 3-spin model at T = 0.5 from random spins, by another solver.
PUBLISHED = np.array(
    [
        [1.0009, -0.99539, 0.508533],
        [2.0061, -1.12861, 0.368890],
        [5.0073, -1.23642, 0.241457],
        [10.046, -1.28537, 0.176106],
        [20.022, -1.31642, 0.129682],
        [50.071, -1.34117, 0.087084],
        [100.06, -1.35224, 0.064784],
    ]
)


@pytest.mark.parametrize("rows", [4, pytest.param(7, marks=pytest.mark.slow)])
def test_published_numbers_of_the_spherical_model(rows):
    """Their times are rounded to five digits, too, which C, given to six, feels early on."""
    times, energy, first = PUBLISHED[:rows].T
    found = spherical_pspin.solve(3, 0.5, times=[0, *times])
    assert found.error < 1e-6
    np.testing.assert_allclose(found.energy, [0, *energy], atol=5e-6)
    np.testing.assert_allclose(found.C[:, 0], [1, *first], atol=5e-6)


def test_spherical_model_of_pairs_without_temperature():
    """Pairs at T = 0: s(t) = exp(J t) s(0), normalised, for eigenvalues on a semicircle of radius sqrt(8)."""
    times = np.array([12.0, 0.0, 1.5, 12.0])  # in any order, and twice
    found = spherical_pspin.solve(2, 0.0, times=times, accuracy=1e-9)

    def average(t):  # of exp(x t) over the semicircle, times exp(-sqrt(8) t)
        return np.where(t > 0, 2 * ive(1, 8**0.5 * t) / np.maximum(8**0.5 * t, 1e-300), 1)

    closed = average(times[:, None] + times) / np.sqrt(average(2 * times)[:, None] * average(2 * times))
    np.testing.assert_allclose(found.C, closed, atol=1e-9)


@pytest.mark.parametrize("g", [0.7, 1.5])
def test_linear_network_with_independent_entries(g):
    """C(t, t') = exp(-t - t') I_0(2 g sqrt(t t'))."""
    times = np.array([8.0, 0.0, 3.0])
    C, _ = random_rnn.correlation(g, "linear", times=times, accuracy=1e-9)
    closed = np.exp(-times[:, None] - times) * iv(0, 2 * g * np.sqrt(times[:, None] * times))
    np.testing.assert_allclose(C, closed, atol=1e-9 * closed.max())


def test_populations_and_low_rank():
    arguments = ([[2, 3], [2, 3]], [[10, -10], [10, -2]], [0.4, -4], 0.8)
    both = excitatory_inhibitory.recursion(*arguments, times=[1])
    steps = extrapolated(
        lambda dt: excitatory_inhibitory.recursion(*arguments, dt=dt, steps=round(1 / dt)).rate[:, -1], 0.05
    )
    np.testing.assert_allclose(both.rate[:, 0], steps, atol=1e-6)
    low = low_rank_rnn.recursion(0.8, 2.0, 0.3, times=[2])
    steps = extrapolated(lambda dt: low_rank_rnn.recursion(0.8, 2.0, 0.3, dt=dt, steps=round(2 / dt)).kappa[-1], 0.2)
    np.testing.assert_allclose(low.kappa[0], steps, atol=1e-6)


def test_linear_flows_against_other_routes():
    times = [1.0, 3.0]
    descent = regression_flow.solve(1.5, 0.3, times=times)
    losses = regression_flow.spectral_losses(1.5, 0.3, times=times)
    np.testing.assert_allclose([descent.test_loss, descent.train_loss], losses, rtol=1e-12)
    features = random_features.solve(0.7, 1.5, 0.2, times=times)
    losses = flow_losses(0.7, 1.5, 0.2, times)
    np.testing.assert_allclose([features.test_loss, features.train_loss], losses, rtol=1e-9)
    probe = evolving_spikes.probe(0.25, 1.6, 3, times=[1])
    steps = extrapolated(lambda dt: evolving_spikes.probe(0.25, 1.6, 3, dt, round(1 / dt)).overlaps[-1], 0.05)
    np.testing.assert_allclose(probe.overlaps[0], steps, rtol=1e-5)


def test_a_step_takes_steps_and_the_limit_takes_times():
    for wrong in ({}, {"dt": 0.1}, {"steps": 3}, {"dt": 0.1, "steps": 3, "times": [1]}, {"times": [-1]}, {"times": []}):
        with pytest.raises(ValueError, match="times"):
            random_rnn.correlation(1.5, **wrong)
