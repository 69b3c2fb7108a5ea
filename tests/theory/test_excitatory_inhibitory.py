"""Two-population recursion: one population, and the network without disorder."""

import numpy as np

from sitesampler.theory import random_rnn
from sitesampler.theory.excitatory_inhibitory import recursion


def test_equal_populations_without_means_are_one_random_network():
    """Rates (1 + phi)/2 with phi -> 2 phi - 1 are phi: one network of gain g, split in two."""
    g, dt, steps = 1.6, 0.2, 25
    both = recursion([[g, g], [g, g]], np.zeros((2, 2)), [0, 0], 0.3, lambda h: 2 * np.tanh(h) - 1, dt=dt, steps=steps)
    C_h, C_phi = random_rnn.correlation(g, "tanh", dt=dt, steps=steps)
    for a in range(2):
        np.testing.assert_allclose(both.C_h[a], C_h, rtol=1e-10)
        np.testing.assert_allclose(both.C_r[a], C_phi, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(both.mean[a], 0, atol=1e-14)


def test_without_disorder_rates_obey_two_equations():
    means, drive, dt, steps = np.array([[10, -10], [10, -2]]), np.array([0.4, -4.0]), 0.1, 60
    both = recursion(np.zeros((2, 2)), means, drive, 0.8, dt=dt, steps=steps, initial_variance=0.0)
    h = np.zeros(2)
    for step in range(steps + 1):
        rate = (1 + np.tanh(h)) / 2
        np.testing.assert_allclose(both.mean[:, step], h, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(both.rate[:, step], rate, rtol=1e-9)
        h = h + dt * (drive + means @ rate - h)
