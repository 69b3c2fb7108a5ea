"""Recursion of online learning on a Gaussian mixture: the linear case by hand, convergence of the quadrature, Bayes."""

import numpy as np
import pytest
from scipy.special import ndtr

from sitesampler.theory.gaussian_mixture_sgd import recursion


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_linear_unit_by_hand(decay):
    alpha, s, rate, steps = 0.7, 1.5, 0.3, 30
    result = recursion(alpha, s, 1, "linear", rate=rate, decay=decay, steps=steps)
    M, Q = 0.0, 1.0
    for step in range(steps):
        assert result.overlap[step, 0] == pytest.approx(M, abs=1e-10)
        assert result.Q[step, 0, 0] == pytest.approx(Q, rel=1e-9)
        loss = ((s * M - 1) ** 2 + Q) / 2
        assert result.loss[step] == pytest.approx(loss, rel=1e-9)
        keep, push = 1 - rate * decay - rate, rate * s * (s * M - 1)
        Q = keep**2 * Q - 2 * keep * push * M + push**2 + rate**2 / alpha * 2 * loss
        M = keep * M - push


def test_quadrature_has_converged_and_units_stay_equivalent():
    coarse, fine = (recursion(0.5, 1.5, 2, rate=0.5, steps=30, nodes=nodes) for nodes in (80, 120))
    np.testing.assert_allclose(coarse.Q, fine.Q, atol=1e-7)
    np.testing.assert_allclose(fine.overlap[:, 0], fine.overlap[:, 1], rtol=1e-8)
    # The order of the units is a convention of the Cholesky factor only.
    np.testing.assert_allclose(fine.Q[:, 0, 0], fine.Q[:, 1, 1], rtol=1e-8)


def test_large_batches_and_small_steps_reach_the_best_classifier():
    result = recursion(1000.0, 1.5, 1, rate=0.1, decay=0.05, steps=1500)
    assert result.error[0] == 0.5
    assert result.error[-1] == pytest.approx(ndtr(-1.5), rel=1e-3)
    assert np.isnan(recursion(1.0, 1.5, 3, rate=0.1, steps=2, nodes=20).error).all()


def test_phi_must_have_a_derivative():
    with pytest.raises(TypeError, match="derivative"):
        recursion(1.0, 1.5, 1, np.tanh, rate=0.1, steps=2)
