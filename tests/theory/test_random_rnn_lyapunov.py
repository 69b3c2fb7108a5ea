"""Largest Lyapunov exponent of the random recurrent network by several routes."""

import numpy as np
import pytest

from sitesampler.nonlinearities import tanh
from sitesampler.theory import random_rnn, random_rnn_lyapunov
from sitesampler.theory.gaussian import product_average


def test_lyapunov_exponent_numbers():
    assert random_rnn_lyapunov.lyapunov_exponent(1.8) == pytest.approx(0.0860808, abs=5e-8)
    assert random_rnn_lyapunov.lyapunov_exponent(1.8, dt=0.1) == pytest.approx(0.0855174, abs=5.1e-8)
    assert random_rnn_lyapunov.lyapunov_exponent(1.8, dt=0.05) == pytest.approx(0.08579815, abs=1e-8)
    assert random_rnn_lyapunov.lyapunov_exponent(1.05) == pytest.approx(0.00106192, abs=5e-9)
    assert random_rnn_lyapunov.lyapunov_exponent(1.1) == pytest.approx(0.00371241, abs=5e-9)


def test_lyapunov_exponent_is_the_growth_of_a_small_difference():
    """The covariance D[n, m] of a small difference between two copies obeys a linear two-time recursion."""
    g, dt, steps = 3.0, 0.2, 500
    c = random_rnn.stationary_correlation(g, dt * np.arange(steps + 1), dt=dt)
    gain = dt**2 * g**2 * product_average(tanh.derivative, c[0], c[0], c)
    keep = 1 - dt
    # Along antidiagonals n + m = s all entries D[n, m] of the difference's covariance are known at once.
    start = keep ** np.arange(2 * steps + 1)
    older, old = start[:1], np.array([start[1], start[1]])
    diagonal = {0: older[0]}
    for s in range(2, 2 * steps + 1):
        n = np.arange(1, s)
        lag = np.minimum(np.abs(s - 2 * n), steps)
        inner = keep * (old[:-1] + old[1:]) + (gain[lag] - keep**2) * older
        older, old = old, np.concatenate([start[s : s + 1], inner, start[s : s + 1]])
        if s % 2 == 0:
            diagonal[s // 2] = old[s // 2]
    growth = np.log(diagonal[steps] / diagonal[steps - 50]) / (2 * 50 * dt)
    assert random_rnn_lyapunov.lyapunov_exponent(g, dt=dt) == pytest.approx(growth, rel=1e-5)


def test_discrete_exponent_approaches_the_continuous_one():
    """Ground state of a differential operator against the extrapolated root of a difference equation."""
    values = np.array([random_rnn_lyapunov.lyapunov_exponent(1.8, dt=dt) for dt in (0.2, 0.1, 0.05, 0.025)])
    for order in (1, 2, 3):
        values = (2**order * values[1:] - values[:-1]) / (2**order - 1)
    assert values[0] == pytest.approx(random_rnn_lyapunov.lyapunov_exponent(1.8), rel=1e-6)


def test_below_the_transition_it_is_the_decay_of_activity():
    assert random_rnn_lyapunov.lyapunov_exponent(0.8) == pytest.approx(-0.2, abs=1e-14)
    assert random_rnn_lyapunov.lyapunov_exponent(0.8, dt=0.1) == pytest.approx(np.log(0.98) / 0.1, rel=1e-13)


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="0 < dt < 1"):
        random_rnn_lyapunov.lyapunov_exponent(1.8, dt=1.5)
