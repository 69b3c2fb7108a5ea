"""Low-rank structure in a random network: limits, and the fixed point against the recursion."""

import numpy as np
import pytest

from sitesampler.theory import gaussian, low_rank_rnn, random_rnn


def test_without_structure_it_is_the_random_network():
    result = low_rank_rnn.recursion(1.7, 0.0, 0.0, dt=0.2, steps=25)
    C_h, C_phi = random_rnn.correlation(1.7, "tanh", dt=0.2, steps=25)
    np.testing.assert_allclose(result.C_h, C_h, rtol=1e-10)
    np.testing.assert_allclose(result.C_phi, C_phi, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(result.kappa, 0)


@pytest.mark.parametrize(("g", "overlap"), [(0.8, 2.0), (0.3, 1.5), (1.1, 3.0), (0.0, 4.0)])
def test_recursion_ends_at_the_fixed_point(g, overlap):
    kappa, variance = low_rank_rnn.fixed_point(g, overlap)
    result = low_rank_rnn.recursion(g, overlap, 0.5, dt=0.5, steps=200)
    assert kappa > 0.5
    assert result.kappa[-1, 0] == pytest.approx(kappa, rel=1e-6)
    assert result.projection[-1, 0] == pytest.approx(kappa, rel=1e-6)
    assert result.C_h[-1, -1] == pytest.approx(variance, rel=1e-6)
    assert result.C_h[-1, -20] == pytest.approx(variance, rel=1e-6)
    assert variance - g**2 * float(gaussian.product_average("tanh", variance, variance, variance)) == pytest.approx(
        kappa**2
    )


def test_weak_structure_is_silent_and_strong_disorder_fluctuates():
    assert low_rank_rnn.fixed_point(0.8, 0.9) == (0.0, 0.0)
    with pytest.raises(ValueError, match="fluctuates"):
        low_rank_rnn.fixed_point(3.0, 3.1)


def test_linear_network_by_hand():
    """Linear: kappa and projection grow as (1 + dt (overlap - 1))^n, whatever the disorder."""
    result = low_rank_rnn.recursion(0.7, [1.5, 0.2], [0.5, -1.0], "linear", dt=0.1, steps=20)
    growth = (1 + 0.1 * (np.array([1.5, 0.2]) - 1)) ** np.arange(21)[:, None]
    np.testing.assert_allclose(result.projection, [0.5, -1.0] * growth, rtol=1e-12)
    np.testing.assert_allclose(result.kappa, [1.5, 0.2] * result.projection, rtol=1e-12)


def test_the_stronger_structure_wins():
    result = low_rank_rnn.recursion(0.5, [2.0, 2.5], [0.6, 0.2], dt=0.5, steps=200)
    kappa, variance = low_rank_rnn.fixed_point(0.5, 2.5)
    np.testing.assert_allclose(result.kappa[-1], [0, kappa], atol=1e-6)
    assert result.C_h[-1, -1] == pytest.approx(variance, rel=1e-6)
