"""Endogenous spikes: the two-level process against the exact solution in a Lanczos basis."""

import numpy as np
import pytest

from sitesampler.theory import evolving_spikes, spiked_wigner


def oracle(rate, strength, spikes, size=60):
    """Return the spikes as rows and M_S in the Lanczos basis of M_0 started at v_0.

    There M_0 is the free Jacobi matrix, 0 on the diagonal and 1 beside it, and v_0 the first unit vector.
    """
    free = np.diag(np.ones(size - 1), 1)
    matrix = free + free.T
    vectors = np.zeros((spikes, size))
    vectors[0, 0] = 1.0
    for n in range(spikes):
        if n + 1 < spikes:
            vectors[n + 1] = vectors[n] - rate * matrix @ vectors[n]
        matrix = matrix + strength * np.outer(vectors[n], vectors[n])
    return vectors, matrix


def test_worked_spikes():
    found = evolving_spikes.level_one(0.25, 1.6, 3)
    sigma = [[1, 1, 0.6625], [1, 1.0625, 0.7875], [0.6625, 0.7875, 0.6928125]]
    np.testing.assert_allclose(found.overlaps, sigma, rtol=1e-14)
    np.testing.assert_allclose(found.responses, [[0, 0, 0], [-0.25, 0, 0], [-0.25, -0.25, 0]], atol=1e-15)


def test_worked_outliers():
    z = evolving_spikes.outliers(0.25, 1.6, 3)
    assert z == pytest.approx([3.905879], abs=5e-7)
    assert (z + np.sqrt(z**2 - 4)) / 2 == pytest.approx([3.630429], abs=5e-7)
    assert evolving_spikes.naive_outliers(0.25, 1.6, 3) == pytest.approx([4.382757], abs=5e-7)
    assert evolving_spikes.spike_overlap(0.25, 1.6, 3)[0, 0] == pytest.approx(0.998531, abs=5e-7)


def test_worked_probe():
    found = evolving_spikes.probe(0.25, 1.6, 3, dt=0.1, steps=10)
    np.testing.assert_allclose(found.overlaps[1], [1.390225, 1.388475, 0.917938], atol=5.1e-7)
    np.testing.assert_allclose(found.responses[1], [-0.0665, -0.0265, 0], atol=1e-14)
    np.testing.assert_allclose(found.overlaps[10], [27.00487, 26.84354, 17.60474], atol=5.1e-6)
    np.testing.assert_allclose(found.responses[10], [-4.466802, -1.810799, 0], atol=5.1e-7)
    assert found.correlation[10, 10] == pytest.approx(730.0392, abs=5e-5)
    assert found.time[10] == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "strength"), [(0.25, 1.6), (-0.7, 1.1), (0.9, -2.0), (-0.4, -0.8)])
def test_everything_agrees_with_the_lanczos_basis(rate, strength):
    spikes, dt, steps = 4, 0.1, 15
    vectors, matrix = oracle(rate, strength, spikes)
    found = evolving_spikes.level_one(rate, strength, spikes)
    np.testing.assert_allclose(found.overlaps, vectors @ vectors.T, rtol=1e-11, atol=1e-12)

    values, basis = np.linalg.eigh(matrix)
    outside = np.flatnonzero(np.abs(values) > 2.005)
    outside = outside[np.argsort(-np.abs(values[outside]))]
    z = evolving_spikes.outliers(rate, strength, spikes)
    np.testing.assert_allclose(z[np.abs(z) > 2.005], values[outside], rtol=1e-10)
    cosines = (vectors @ basis[:, outside]) ** 2 / np.sum(vectors**2, axis=1)[:, None]
    overlap = evolving_spikes.spike_overlap(rate, strength, spikes)
    np.testing.assert_allclose(overlap[np.abs(z) > 2.005], cosines.T, rtol=1e-9, atol=1e-11)

    h = vectors[0]
    path = [h]
    for _ in range(steps):
        h = h + dt * matrix @ h
        path.append(h)
    probe = evolving_spikes.probe(rate, strength, spikes, dt, steps)
    np.testing.assert_allclose(probe.overlaps, path @ vectors.T, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(probe.correlation, np.asarray(path) @ np.transpose(path), rtol=1e-10, atol=1e-11)


def test_random_parameters_give_exactly_the_outliers():
    """No spurious and no missing root, for many rates and strengths of both signs."""
    generator = np.random.default_rng(0)
    for _ in range(100):
        rate, strength = generator.uniform([-1.2, -2.5], [1.2, 2.5])
        spikes = int(generator.integers(1, 6))
        # An eigenvector decays as g^-i: z > 2.01 is |g| > 1.1, below 1e-15 at the end of 400 basis vectors.
        z = evolving_spikes.outliers(rate, strength, spikes)
        values = np.linalg.eigvalsh(oracle(rate, strength, spikes, size=400)[1])
        expected = values[np.abs(values) > 2.01]
        np.testing.assert_allclose(np.sort(z[np.abs(z) > 2.01]), expected, rtol=1e-8)
        assert np.all(np.sign(z) == np.sign(strength))


def test_mirror_and_single_spike():
    np.testing.assert_allclose(evolving_spikes.outliers(-0.25, -1.6, 3), -evolving_spikes.outliers(0.25, 1.6, 3))
    one = evolving_spikes.outliers(0.3, 1.6, 1)
    assert one == pytest.approx([2.225], abs=1e-14)
    np.testing.assert_allclose(one, evolving_spikes.naive_outliers(0.3, 1.6, 1))
    assert evolving_spikes.spike_overlap(0.3, 1.6, 1)[0, 0] == pytest.approx(0.609375, abs=1e-13)


def test_rate_zero_repeats_the_same_spike():
    np.testing.assert_allclose(evolving_spikes.outliers(0.0, 0.7, 3), spiked_wigner.outliers(1.0, 2.1), rtol=1e-12)


def test_an_orthogonal_probe_and_a_missing_spike():
    found = evolving_spikes.probe(0.25, 1.6, 3, 0.1, 5, start=np.zeros(3), square=2.0)
    assert not np.any(found.overlaps)
    assert not np.any(found.responses)
    assert found.correlation[0, 0] == 2.0
    with pytest.raises(ValueError, match="spike"):
        evolving_spikes.level_one(0.25, 1.6, 0)
