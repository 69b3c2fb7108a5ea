"""Hopfield network: signal-to-noise, the quadrature of later steps, and the graded fixed point."""

import numpy as np
import pytest
from scipy.special import erf

from sitesampler.theory import hopfield


@pytest.mark.parametrize(("alpha", "overlap"), [(0.1, 0.5), (0.4, 0.2)])
def test_first_parallel_step_is_signal_to_noise(alpha, overlap):
    m, power = hopfield.first_steps(alpha, overlap, steps=1)
    assert m[1] == pytest.approx(erf(overlap / np.sqrt(2 * alpha)), rel=1e-12)
    assert power[1] == pytest.approx(overlap**2 + alpha, rel=1e-12)


def test_second_parallel_step_by_hand():
    """The second field has the memory of the first: m_1 + alpha C z_0-part, z_0 being the noise that made s_1.

    With s_1 = sign(m_0 + sqrt(alpha) z_0): c = <s_0 s_1> = m_0 m_1 and d = <z_0 s_1>/sqrt(alpha); the field is
    m_1 + sqrt(alpha) (c + d) z_0 + alpha (c + d) s_0 + alpha (s_1 - c s_0) - alpha s_1 + sqrt(alpha (1 - c^2)) z_1.
    """
    alpha, m0 = 0.2, 0.6
    m1 = erf(m0 / np.sqrt(2 * alpha))
    c = m0 * m1
    d = 2 * np.exp(-(m0**2) / (2 * alpha)) / np.sqrt(2 * np.pi * alpha)
    z = np.linspace(-9, 9, 40001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    m2 = 0.0
    for s0 in (1.0, -1.0):
        mean = m1 + np.sqrt(alpha) * (c + d) * z + alpha * d * s0
        m2 += (1 + m0 * s0) / 2 * density @ erf(mean / np.sqrt(2 * alpha * (1 - c**2)))
    m, _ = hopfield.first_steps(alpha, m0, steps=2)
    assert m[1] == pytest.approx(m1, rel=1e-12)
    assert m[2] == pytest.approx(m2, rel=1e-6)


def test_steep_graded_neurons_are_nearly_signs():
    signs, _ = hopfield.first_steps(0.1, 0.5, steps=2)
    graded, _ = hopfield.first_steps(0.1, 0.5, beta=24.0, steps=2)
    np.testing.assert_allclose(graded, signs, atol=4e-3)


def test_without_patterns_a_neuron_retrieves_alone():
    m, _ = hopfield.first_steps(1e-9, 0.3, beta=1.5, steps=3)
    h = np.array([1.0, -1.0])
    for step in range(4):
        s = np.tanh(1.5 * h)
        overlap = (1.3 * s[0] + 0.7 * s[1]) / 2
        assert m[step] == pytest.approx(overlap, abs=1e-7)
        h = np.full(2, overlap)
    state = hopfield.retrieval(1e-4, 1.5)
    assert state.m == pytest.approx(np.tanh(1.5 * state.m), abs=1e-3)


def test_fixed_point_is_consistent_by_direct_sampling(rng):
    alpha, beta = 0.08, 3.0
    state = hopfield.retrieval(alpha, beta)
    reaction = alpha * state.susceptibility / (1 - state.susceptibility)
    field = state.m + np.sqrt(alpha * state.q) / (1 - state.susceptibility) * rng.standard_normal(400_000)
    h = field.copy()
    for _ in range(200):
        h = field + reaction * np.tanh(beta * h)
    s = np.tanh(beta * h)
    slope = beta * (1 - s**2)
    assert s.mean() == pytest.approx(state.m, abs=2e-3)
    assert (s**2).mean() == pytest.approx(state.q, abs=2e-3)
    assert (slope / (1 - reaction * slope)).mean() == pytest.approx(state.susceptibility, abs=3e-3)
    assert (h**2).mean() == pytest.approx(state.power, abs=5e-3)


def test_limits_are_refused():
    with pytest.raises(ValueError, match="1 to 2"):
        hopfield.first_steps(0.1, 0.5, steps=3)
    with pytest.raises(ValueError, match="no retrieval"):
        hopfield.retrieval(1.0, 3.0)
