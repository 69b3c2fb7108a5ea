"""Spiked Wigner matrix: closed forms against the Jacobi matrix of the same problem and against eigenvalues."""

import numpy as np
import pytest

from sitesampler.theory import goe_flow, spiked_wigner

SIGMA = np.array([[1.0, 0.3], [0.3, 1.5]])


def corner_jacobi(g, size=60):
    """Return M_0 + g v v^T/N in the Lanczos basis of M_0 started at the spike v, |v|^2 = N: g in the corner."""
    matrix = np.diag(np.ones(size - 1), 1)
    matrix = matrix + matrix.T
    matrix[0, 0] = g
    return matrix


def test_worked_numbers():
    np.testing.assert_allclose(1.8 * np.linalg.eigvalsh(SIGMA), [1.547078, 2.952922], atol=5.1e-7)
    np.testing.assert_allclose(spiked_wigner.outliers(SIGMA, 1.8), [3.291570, 2.193458], atol=5.1e-7)
    assert spiked_wigner.outliers(1.0, 1.6) == pytest.approx([2.225], abs=1e-14)
    assert spiked_wigner.spike_overlap(1.0, 1.6) == pytest.approx(np.array([[0.609375]]), abs=1e-14)


def test_negative_strength_mirrors_the_outliers():
    np.testing.assert_allclose(spiked_wigner.outliers(SIGMA, -1.8), -spiked_wigner.outliers(SIGMA, 1.8))
    np.testing.assert_allclose(spiked_wigner.spike_overlap(SIGMA, -1.8), spiked_wigner.spike_overlap(SIGMA, 1.8))


def test_outliers_solve_the_secular_equation():
    """Eq. 92 with the resolvent of the semicircle, which has its own branch below -2."""
    for strength in (1.8, -1.8):
        for z in spiked_wigner.outliers(SIGMA, strength):
            determinant = np.linalg.det((z - goe_flow.resolvent(z)) * np.eye(2) - strength * SIGMA)
            assert determinant == pytest.approx(0.0, abs=1e-13)


def test_invisible_below_threshold():
    assert spiked_wigner.outliers(1.0, 1.0).shape == (0,)
    assert spiked_wigner.outliers(SIGMA, 0.5).shape == (0,)
    assert spiked_wigner.spike_overlap(SIGMA, 0.5).shape == (0, 2)
    assert spiked_wigner.outliers(SIGMA, 1.0).shape == (1,)  # only the larger eigenvalue is seen
    assert spiked_wigner.outliers(np.ones((3, 3)), 0.5) == pytest.approx([1.5 + 1 / 1.5])  # three equal spikes


@pytest.mark.parametrize("g", [1.4, 1.6, -2.5])
def test_outlier_and_overlap_are_those_of_the_jacobi_matrix(g):
    values, vectors = np.linalg.eigh(corner_jacobi(g, 80))
    best = np.argmax(np.abs(values))
    assert spiked_wigner.outliers(1.0, g) == pytest.approx([values[best]], abs=1e-12)
    assert spiked_wigner.spike_overlap(1.0, g)[0, 0] == pytest.approx(vectors[0, best] ** 2, abs=1e-12)


@pytest.mark.parametrize("strength", [0.4, 1.8, -1.3])
def test_overlaps_in_time_are_moments_of_the_jacobi_matrix(strength):
    """Each eigenvector e of Sigma sees its own g: C(k) = sum_e e [(1 + dt J_g)^k]_00 (e.C(0))."""
    dt, steps, start = 0.1, 30, np.array([0.8, -0.5])
    values, vectors = np.linalg.eigh(SIGMA)
    expected = np.zeros((steps + 1, 2))
    for value, vector in zip(values, vectors.T, strict=True):
        h = np.zeros(60)
        h[0] = 1.0
        step = np.eye(60) + dt * corner_jacobi(strength * value)
        for k in range(steps + 1):
            expected[k] += h[0] * vector * (vector @ start)
            h = step @ h
    found = spiked_wigner.overlaps_in_time(SIGMA, strength, start, dt, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_correlation_of_a_probe_that_starts_at_the_spike():
    dt, steps, g = 0.1, 20, 1.6
    step = np.eye(60) + dt * corner_jacobi(g)
    path = np.array([np.linalg.matrix_power(step, k)[0] for k in range(steps + 1)])
    found = spiked_wigner.probe_correlation(1.0, g, 1.0, dt, steps)
    np.testing.assert_allclose(found, path @ path.T, rtol=1e-12)


def test_without_overlap_the_probe_sees_no_spike():
    found = spiked_wigner.probe_correlation(SIGMA, 1.8, [0, 0], 0.1, 15)
    np.testing.assert_allclose(found, goe_flow.correlation(0.1, 15), rtol=1e-12)


def test_two_correlated_spikes_in_a_finite_matrix():
    """Eigenvalues and squared cosines at N = 1000: the threshold and the mixture of both spikes."""
    generator = np.random.default_rng(3)
    size, strength = 1000, 2.0
    found = []
    for _ in range(3):
        noise = generator.normal(size=(size, size))
        spikes = np.linalg.qr(generator.normal(size=(size, 2)))[0] @ np.linalg.cholesky(SIGMA).T * np.sqrt(size)
        matrix = (noise + noise.T) / np.sqrt(2 * size) + strength / size * spikes @ spikes.T
        values, vectors = np.linalg.eigh(matrix)
        cosines = (vectors[:, :-3:-1].T @ spikes) ** 2 / (size * np.diag(SIGMA))
        found.append(np.column_stack([values[:-3:-1], cosines]))
    expected = np.column_stack([spiked_wigner.outliers(SIGMA, strength), spiked_wigner.spike_overlap(SIGMA, strength)])
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=0.06)


def test_refuses_overlaps_that_no_spikes_have():
    with pytest.raises(ValueError, match="symmetric"):
        spiked_wigner.outliers([[1, 0.3], [0.2, 1]], 1.0)
    with pytest.raises(ValueError, match="symmetric"):
        spiked_wigner.outliers(np.ones((2, 3)), 1.0)
    with pytest.raises(ValueError, match="positive"):
        spiked_wigner.outliers([[1, 2], [2, 1]], 1.0)
