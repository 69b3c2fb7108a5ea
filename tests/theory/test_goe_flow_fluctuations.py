"""Finite-N fluctuations of the linear flow: closed forms in Bessel functions, exact moments, small matrices."""

import numpy as np
import pytest
from scipy.special import iv

from sitesampler.theory import goe_flow, goe_flow_fluctuations


def matrices(generator, count, size, diagonal):
    """Return symmetric matrices, variance 1/N off the diagonal and diagonal/N on it."""
    upper = np.triu(generator.normal(size=(count, size, size)), 1)
    on_diagonal = np.sqrt(diagonal) * generator.normal(size=(count, size))
    return (upper + upper.transpose(0, 2, 1) + on_diagonal[:, :, None] * np.eye(size)) / np.sqrt(size)


def test_worked_numbers():
    t = 0.7
    assert goe_flow_fluctuations.correlation_covariance(t, t) == pytest.approx(30.2345, abs=5e-5)
    assert goe_flow_fluctuations.correlation_covariance(t, t, dt=0.1) == pytest.approx(22.5063, abs=5e-5)
    assert goe_flow_fluctuations.correlation_covariance(t, 0) == pytest.approx(4.71579, abs=5e-6)
    assert goe_flow_fluctuations.response_variance(t) == pytest.approx(1.92703, abs=5e-6)
    assert goe_flow_fluctuations.response_variance(t, diagonal=1) == pytest.approx(1.14187, abs=5e-6)
    assert goe_flow_fluctuations.response_shift(t) == pytest.approx(0.298752, abs=5e-7)
    assert goe_flow_fluctuations.response_shift(t, diagonal=1) == pytest.approx(0.0112023, abs=5e-8)
    assert goe_flow_fluctuations.probe_variance(t, signs=True) == pytest.approx(1.51106, abs=5e-6)
    assert goe_flow_fluctuations.probe_variance(t) == goe_flow_fluctuations.correlation_covariance(t, 0)


@pytest.mark.parametrize("t", [0.3, 0.7, 2.0])
@pytest.mark.parametrize("diagonal", [2.0, 1.0, 0.0])
def test_bessel_functions(t, diagonal):
    k = np.arange(1, 60)
    variance = 2 * k @ iv(k, 2 * t) ** 2 + (diagonal - 2) * iv(1, 2 * t) ** 2
    assert goe_flow_fluctuations.response_variance(t, diagonal) == pytest.approx(variance, rel=1e-12)
    shift = (np.cosh(2 * t) - iv(0, 2 * t)) / 2 + (diagonal - 2) * iv(2, 2 * t)
    assert goe_flow_fluctuations.response_shift(t, diagonal) == pytest.approx(shift, rel=1e-12)
    assert goe_flow_fluctuations.correlation_covariance(t, t) == pytest.approx(iv(1, 8 * t) / (2 * t), rel=1e-12)
    assert goe_flow_fluctuations.correlation_shift(t, t, diagonal) == goe_flow_fluctuations.response_shift(
        2 * t, diagonal
    )


@pytest.mark.parametrize("diagonal", [2.0, 1.0])
def test_low_moments_are_known_exactly(diagonal):
    """E and Var of Tr M, Tr M^2 by counting, to leading order in 1/N."""
    assert goe_flow_fluctuations.trace_variance(lambda x: x, diagonal) == pytest.approx(diagonal)
    # Tr M^2 = 2 sum_{i<j} M_ij^2 + sum_i M_ii^2: variance 4 N(N-1)/2 * 2/N^2 -> 4.
    assert goe_flow_fluctuations.trace_variance(np.square, diagonal) == pytest.approx(4.0)
    assert goe_flow_fluctuations.trace_shift(np.square, diagonal) == pytest.approx(diagonal - 1)
    assert goe_flow_fluctuations.trace_shift(np.ones_like, diagonal) == pytest.approx(0.0, abs=1e-14)
    # E Tr M^4 for the GOE is 2N + 5 + 5/N.
    assert goe_flow_fluctuations.trace_shift(lambda x: x**4) == pytest.approx(5.0)


def test_small_steps_approach_continuous_time():
    for quantity in (
        goe_flow_fluctuations.response_variance,
        goe_flow_fluctuations.response_shift,
        goe_flow_fluctuations.probe_variance,
        lambda t, dt=None: goe_flow_fluctuations.correlation_shift(t, t, dt=dt),
        lambda t, dt=None: goe_flow_fluctuations.correlation_covariance(t, t, dt=dt),
    ):
        errors = [quantity(0.5, dt=dt) - quantity(0.5) for dt in (0.005, 0.0025)]
        assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("diagonal", [2.0, 1.0])
def test_small_matrices(diagonal):
    """Euler flow, dt = 0.1, t = 0.7 in matrices of N = 50: the sampled (co)variances and the shift of the mean."""
    generator = np.random.default_rng(7)
    size, count, dt, steps = 50, 6000, 0.1, 7
    eigenvalues = np.concatenate(
        [np.linalg.eigvalsh(m) for m in (matrices(generator, 1500, size, diagonal) for _ in range(4))]
    )
    decay = 1 - dt * eigenvalues
    squares = generator.normal(size=(count, size)) ** 2  # of the components of h_0 in the eigenbasis
    C_tt = np.mean(squares * decay ** (2 * steps), axis=1)
    C_t0 = np.mean(squares * decay**steps, axis=1)
    R = np.mean(decay ** (steps - 1), axis=1)
    covariance = size * np.cov(C_tt, C_t0)
    t = dt * steps
    # Relative statistical error sqrt(2/6000) = 0.018; the next order in 1/N is some times 1/50.
    assert covariance[0, 0] == pytest.approx(goe_flow_fluctuations.correlation_covariance(t, t, dt=dt), rel=0.2)
    assert covariance[1, 1] == pytest.approx(goe_flow_fluctuations.correlation_covariance(t, 0, dt=dt), rel=0.1)
    assert covariance[0, 1] == pytest.approx(goe_flow_fluctuations.correlation_covariance(t, t, t, 0, dt=dt), rel=0.15)
    assert size**2 * np.var(R) == pytest.approx(goe_flow_fluctuations.response_variance(t, diagonal, dt), rel=0.1)
    shift = size * (np.mean(R) - goe_flow.response(dt, steps)[steps, 0])
    error = size * np.std(R) / np.sqrt(count)
    assert shift == pytest.approx(goe_flow_fluctuations.response_shift(t, diagonal, dt), abs=4 * error + 0.02)
    signs = generator.choice([-1.0, 1.0], size=(4000, size))
    # A sign vector in the eigenbasis of a GOE matrix: rotate it by the eigenvectors of a few matrices.
    values, vectors = np.linalg.eigh(matrices(generator, 100, size, diagonal))
    probes = np.einsum("mij,mpi->mpj", vectors, signs.reshape(100, 40, size)) ** 2
    estimates = np.einsum("mpj,mj->mp", probes, (1 - dt * values) ** (steps - 1)) / size
    assert size * np.mean(np.var(estimates, axis=1, ddof=1)) == pytest.approx(
        goe_flow_fluctuations.probe_variance(t, signs=True, dt=dt), rel=0.12
    )


def test_times_must_be_steps():
    with pytest.raises(ValueError, match="multiples"):
        goe_flow_fluctuations.response_variance(0.75, dt=0.1)
    with pytest.raises(ValueError, match="multiples"):
        goe_flow_fluctuations.response_shift(0.0, dt=0.1)
