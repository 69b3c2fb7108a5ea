"""Spherical p-spin model: closed equations against explicit linear propagation, equilibrium and constants."""

import numpy as np
import pytest

from sitesampler.theory import spherical_pspin as pspin

TABLE = [  # T, convention, C(5,0), C(10,5), lam(5), E(10) at p = 3, dt = 0.05
    (1.0, "project", 0.173746, 0.486958, 3.23205, -1.02548),
    (1.0, "formula", 0.130012, 0.380695, 3.82213, -0.970080),
    (0.6, "project", 0.255610, 0.684300, 3.42047, -1.24955),
    (0.6, "formula", 0.223070, 0.635435, 4.13606, -1.22684),
]


@pytest.mark.parametrize(("temperature", "convention", "early", "late", "multiplier", "energy"), TABLE)
def test_table(temperature, convention, early, late, multiplier, energy):
    result = pspin.solve(3, temperature, dt=0.05, steps=200, convention=convention)
    assert result.C[100, 0] == pytest.approx(early, abs=5.1e-7)
    assert result.C[200, 100] == pytest.approx(late, abs=5.1e-7)
    assert result.multiplier[100] == pytest.approx(multiplier, abs=5.1e-6)
    assert result.energy[200] == pytest.approx(energy, abs=5.1e-6)
    norm = 1.0 if convention == "project" else {1.0: 1.02907, 0.6: 1.01758}[temperature]
    assert result.C[200, 200] == pytest.approx(norm, abs=5.1e-6)


@pytest.mark.parametrize("convention", ["project", "lagrange", "formula"])
@pytest.mark.parametrize("p", [2, 3, 4])
def test_closure_equals_explicit_propagation_of_linear_coefficients(p, convention):
    """The single-site process is linear in (s_0, xi, eps): propagate its coefficients, average exactly.

    No Novikov lemma and no closed equation enters here, only the process itself and its noise covariance.
    """
    temperature, dt, steps = 0.7, 0.1, 20
    result = pspin.solve(p, temperature, dt, steps, convention)
    size = steps + 1
    # Columns: s_0, then xi_0..xi_L, then eps_0..eps_L.
    spins = np.zeros((size + 1, 1 + 2 * size))
    spins[0, 0] = 1.0
    response = np.zeros((size + 1, size))
    covariance = np.zeros((1 + 2 * size, 1 + 2 * size))
    covariance[0, 0] = 1.0
    covariance[1 + size :, 1 + size :] = np.eye(size)
    for n in range(size):
        C = spins[: n + 1] @ covariance @ spins[: n + 1].T
        covariance[1 : n + 2, 1 : n + 2] = p * C ** (p - 1)
        C = spins[: n + 1] @ covariance @ spins[: n + 1].T
        force = dt * (p * (p - 1) * response[n, :n] * C[n, :n] ** (p - 2)) @ spins[:n]
        force[1 + n] += 1.0
        kick = dt * force
        kick[1 + size + n] += np.sqrt(2 * temperature * dt)
        if convention == "project":
            moved = spins[n] + kick
            alpha = (moved @ covariance @ moved) ** -0.5
            spins[n + 1], multiplier = alpha * moved, (1 - alpha) / dt
        elif convention == "formula":
            multiplier = temperature + spins[n] @ covariance @ force
            spins[n + 1] = (1 - dt * multiplier) * spins[n] + kick
        else:
            multiplier = result.multiplier[n]
            spins[n + 1] = (1 - dt * multiplier) * spins[n] + kick
            assert spins[n + 1] @ covariance @ spins[n + 1] == pytest.approx(1.0, rel=1e-10)
        response[n + 1] = spins[n + 1, 1 : 1 + size] / dt
        assert result.multiplier[n] == pytest.approx(multiplier, rel=1e-10, abs=1e-12)
        # Euler's theorem for the homogeneous H of degree p.
        assert result.energy[n] == pytest.approx(-(spins[n] @ covariance @ force) / p, rel=1e-10, abs=1e-13)
    np.testing.assert_allclose(result.C, spins[:size] @ covariance @ spins[:size].T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result.R, response[:size], rtol=1e-10, atol=1e-12)


def test_conventions_share_the_continuous_limit():
    """Richardson extrapolation in dt of all three: C(1, 0), and C(t, 0) = R(t, 0) in continuous time."""
    limits = []
    for convention in ("project", "lagrange", "formula"):
        values = []
        for steps in (80, 160, 320):
            result = pspin.solve(3, 1.0, 1 / steps, steps, convention)
            values.append([result.C[-1, 0], result.R[-1, 0], result.energy[-1]])
        once = 2 * np.array(values[1:]) - values[:-1]
        limits.append((4 * once[1] - once[0]) / 3)
    np.testing.assert_allclose(limits, np.broadcast_to(limits[0], (3, 3)), rtol=2e-5)
    assert limits[0][0] == pytest.approx(limits[0][1], rel=2e-5)


def test_high_temperature_relaxes_to_equilibrium():
    """E = -1/T, lam = T + p/T, and the fluctuation-dissipation relation R = -(1/T) dC/dtau."""
    p, temperature = 3, 2.0
    values = []
    for dt in (0.05, 0.025):
        steps = round(5 / dt)
        result = pspin.solve(p, temperature, dt, steps, "formula")
        lag = round(0.5 / dt)
        slope = (result.C[-1, -1 - lag - 1] - result.C[-1, -1 - lag + 1]) / (2 * dt)
        response = (result.R[-1, -1 - lag] + result.R[-1, -1 - lag + 1]) / 2
        values.append([result.energy[-1], result.multiplier[-1], -slope / response])
    extrapolated = 2 * np.array(values[1]) - values[0]
    np.testing.assert_allclose(extrapolated, [-1 / temperature, temperature + p / temperature, temperature], rtol=0.01)


def test_response_is_causal_and_energy_starts_at_zero():
    result = pspin.solve(3, 0.5, 0.05, 10)
    assert not np.any(np.triu(result.R))
    assert result.energy[0] == 0
    assert np.all(np.diff(result.energy[1:]) < 0)
    # alpha_0 is both the shrinking of s_0 and the response one step later.
    assert result.R[1, 0] == pytest.approx(1 - 0.05 * result.multiplier[0], rel=1e-14)
    assert result.multiplier.shape == result.energy.shape == result.time.shape == (11,)


@pytest.mark.parametrize(("p", "expected"), [(2, np.sqrt(2)), (3, 0.866025), (4, 0.769800)])
def test_dynamical_temperature(p, expected):
    assert pspin.dynamical_temperature(p) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_aging_interpolates_between_threshold_and_dynamical_transition(p):
    transition = pspin.dynamical_temperature(p)
    top = pspin.aging(p, transition)
    assert top.q == pytest.approx((p - 2) / (p - 1), abs=1e-6)
    assert top.E_inf == pytest.approx(-1 / transition, rel=1e-6)
    expected_violation = 1.0 if p > 2 else 0.0
    np.testing.assert_allclose(top.X, expected_violation, atol=1e-5)
    cold = pspin.aging(p, 1e-4)
    assert cold.E_inf == pytest.approx(pspin.threshold_energy(p), abs=1e-3)
    assert pspin.aging(p, 0.0).E_inf == pspin.threshold_energy(p)
    with pytest.raises(ValueError, match="T_d"):
        pspin.aging(p, 1.01 * transition)


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="integer"):
        pspin.solve(1, 1.0, 0.1, 3)
    with pytest.raises(ValueError, match="project, lagrange, formula"):
        pspin.solve(3, 1.0, 0.1, 3, "sphere")
    with pytest.raises(ValueError, match="too large"):
        pspin.solve(3, 1.0, 1.0, 3, "lagrange")
