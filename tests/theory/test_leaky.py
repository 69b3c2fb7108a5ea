"""Covariances of leaky units, step by step, against the explicit sum over the noise of all steps."""

import numpy as np

from sitesampler.theory._leaky import add_step, leaky_response


def test_steps_are_the_sum_over_all_noise():
    generator = np.random.default_rng(0)
    dt, size = 0.3, 7
    factor = generator.normal(size=(2, size, size))
    noise = factor @ factor.transpose(0, 2, 1)
    response = leaky_response(dt, size)
    start = (1 - dt) ** np.arange(size)
    exact = 1.5 * np.outer(start, start) + dt**2 * response @ noise @ response.T
    found = np.zeros((2, size, size))
    found[:, 0, 0] = 1.5
    one = np.zeros((size, size))
    one[0, 0] = 1.5
    for now in range(size - 1):
        add_step(found, noise[:, now, : now + 1], response, dt)
        add_step(one, noise[1, now, : now + 1], response, dt)
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    np.testing.assert_allclose(one, exact[1], rtol=1e-12)


def test_response_is_a_decay():
    response = leaky_response(0.3, 5)
    assert response[4, 1] == (1 - 0.3) ** 2.0
    assert not np.any(np.triu(response))
