"""Symmetric linear flow: spectral integral, closed recursion, resolvent and the continuous limit agree."""

import numpy as np
import pytest
from scipy.integrate import quad

from sitesampler.theory import goe_flow


def recursion(dt, steps):
    """C and R from the single-site equations of the discrete flow, term by term (eqs. 40, 41)."""
    C = np.zeros((steps + 1, steps + 1))
    R = np.zeros((steps + 1, steps + 1))
    C[0, 0] = 1.0
    for n in range(steps):
        for m in range(n + 1):
            R[n + 1, m] = R[n, m] + (n == m) + dt**2 * sum(R[n, k] * R[k, m] for k in range(m + 1, n))
        for m in range(n + 2):
            C[n + 1, m] = C[m, n + 1] = (
                C[n, m]
                + dt**2 * sum(R[m, k] * C[n, k] for k in range(m))
                + dt**2 * sum(R[n, k] * C[k, m] for k in range(n))
            )
    return C, R


@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_recursion_and_spectral_integral_agree(dt):
    C, R = recursion(dt, 24)
    np.testing.assert_allclose(goe_flow.correlation(dt, 24), C, rtol=1e-12)
    np.testing.assert_allclose(goe_flow.response(dt, 24), R, rtol=1e-12, atol=1e-15)


def test_numbers_at_dt_one_tenth():
    C, R = goe_flow.correlation(0.1, 20), goe_flow.response(0.1, 20)
    assert C[20, 10] == pytest.approx(14.7575, abs=5e-5)
    assert C[10, 10] == C[20, 0] == pytest.approx(4.08123, abs=5e-6)
    assert C[20, 20] == pytest.approx(61.4433, abs=5e-5)
    assert C[2, 1] == pytest.approx(1.03, abs=1e-14)
    # The last printed digit of R[20, 0] is cut, not rounded: 3.631836.
    assert R[20, 10] == pytest.approx(1.38562, abs=5e-6)
    assert R[20, 0] == pytest.approx(3.631836, abs=5e-7)


def test_response_is_causal_and_starts_at_one():
    R = goe_flow.response(0.1, 5)
    assert not np.any(np.triu(R))
    np.testing.assert_allclose(np.diag(R, -1), 1.0, rtol=1e-14)
    assert goe_flow.response(0.1, 0).shape == goe_flow.correlation(0.1, 0).shape == (1, 1)


def test_correlation_is_the_response_with_an_offset_of_one_step():
    """C[n, m] = R at lag n + m + 1: the discrete form of eq. 33."""
    R = goe_flow.response(0.2, 21)
    assert goe_flow.correlation(0.2, 10)[7, 5] == pytest.approx(R[13, 0], rel=1e-14)


def test_small_steps_approach_the_continuous_flow():
    errors = []
    for dt in (0.02, 0.01):
        steps = round(1 / dt)
        errors.append(
            [
                goe_flow.response(dt, steps)[steps, 0] - goe_flow.response_continuous(1.0),
                goe_flow.correlation(dt, 2 * steps)[2 * steps, steps] - goe_flow.response_continuous(3.0),
            ]
        )
    np.testing.assert_allclose(np.divide(*errors), 2.0, rtol=0.1)  # first order in dt
    assert goe_flow.response_continuous(3.0) == pytest.approx(20.4473, abs=5e-5)
    np.testing.assert_allclose(goe_flow.response_continuous([-1.0, 0.0, 1e-9]), [0.0, 1.0, 1.0])


def test_resolvent_is_the_transform_of_the_response():
    s = 3.0
    laplace, _ = quad(lambda tau: np.exp(-s * tau) * goe_flow.response_continuous(tau), 0, 60, epsabs=1e-13)
    assert goe_flow.resolvent(s) == pytest.approx(laplace, rel=1e-10)
    dt, x = 0.1, 0.75
    by_lag = goe_flow.response(dt, 400)[:, 0]
    assert goe_flow.resolvent((1 - x) / (x * dt)) == pytest.approx(dt * x ** np.arange(401) @ by_lag, rel=1e-12)


def test_resolvent_solves_its_quadratic_equation_on_the_decaying_branch():
    s = np.array([5.0, -5.0, 2.0, 0.3 + 0.4j, -1.0 - 0.2j, 1e6])
    R = goe_flow.resolvent(s)
    np.testing.assert_allclose(s * R, 1 + R**2, rtol=1e-12)
    assert np.all(np.abs(R) <= 1)
    assert goe_flow.resolvent(-3.0) == -goe_flow.resolvent(3.0)
    with pytest.raises(ValueError, match="imaginary"):
        goe_flow.resolvent(0.5)


def test_stieltjes_inversion_gives_the_semicircle():
    """Eq. 32 at s = -x - i eps."""
    x = np.linspace(-2.5, 2.5, 11)
    density = goe_flow.resolvent(-x - 1e-9j).imag / np.pi
    np.testing.assert_allclose(density, goe_flow.semicircle(x), atol=2e-5)
    assert quad(goe_flow.semicircle, -2, 2)[0] == pytest.approx(1.0, rel=1e-8)
