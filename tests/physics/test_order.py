"""Live order parameters: overlaps with a basis that grows when a vector leaves its span."""

from math import factorial

import numpy as np
import pytest
import reference

from sitesampler.physics.order import Fields, LiveOrderParameters
from sitesampler.vectors.table import Table
from sitesampler.vectors.threads import Lanes


def grown(vectors: np.ndarray, tolerance: float, at_once: int = 1, rounding: float = 0.0) -> tuple[Table, np.ndarray]:
    """Feed vectors to a basis, some at a time; return it and all coefficients, padded with zeros."""
    order = LiveOrderParameters(tolerance)
    basis = Table(vectors.shape[1], vectors.dtype, Lanes())
    columns = []
    for start in range(0, len(vectors), at_once):
        batch = vectors[start : start + at_once]
        coefficients, new = order.expand(Fields(basis, basis.alike()), batch, np.full(len(batch), rounding))
        basis.append(new)
        assert coefficients.shape == (len(basis), len(batch))
        columns += list(coefficients.T)
    table = np.zeros((len(basis), len(vectors)))
    for k, column in enumerate(columns):
        table[: len(column), k] = column
    return basis, table


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [20, 4095, 4096, 4097, 9000])
@pytest.mark.parametrize("at_once", [1, 3])
def test_expansion_equals_gram_schmidt(size: int, at_once: int, dtype: str) -> None:
    vectors = np.random.default_rng(size).standard_normal((9, size)).astype(dtype)
    vectors[4] = 0.5 * vectors[0] - 2 * vectors[1]  # in the span already
    vectors[7] = 0  # no direction at all
    basis, coefficients = grown(vectors, 1e-3, at_once)
    expected_basis, expected = reference.gram_schmidt(vectors, 1e-3)
    atol = 1e-12 if dtype == "float64" else 3e-5
    assert len(basis) == 7
    np.testing.assert_allclose(basis.rows, expected_basis, rtol=0, atol=100 * atol)
    np.testing.assert_allclose(coefficients, expected, rtol=0, atol=10 * atol)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("tolerance", [1e-12, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("at_once", [1, 4])
def test_nearly_singular_families_stay_orthonormal(tolerance: float, at_once: int, dtype: str) -> None:
    """Smooth trajectories: each vector leaves the span of its neighbours by less and less, down to rounding."""
    rng = np.random.default_rng(0)
    x, y, *more = rng.standard_normal((20, 2000))
    times = 0.1 * np.arange(40)[:, None]
    curve = sum(times**m / factorial(m) * v for m, v in enumerate([x, y, *more]))
    vectors = np.concatenate([curve, [x, y, x + 1e-9 * y, x - 1e-7 * y, 1e-3 * curve[7]]]).astype(dtype)
    basis, coefficients = grown(vectors, tolerance, at_once)
    epsilon = np.finfo(dtype).eps
    assert reference.orthonormality(basis.rows) < 1e3 * epsilon
    # What the basis leaves out is below the tolerance, or rounding.
    rest = vectors - reference.combine(basis.rows, coefficients)
    sizes = np.sqrt(np.mean(vectors.astype(float) ** 2, 1))
    assert np.max(np.sqrt(np.mean(rest**2, 1)) / sizes) < 1.01 * tolerance + 100 * epsilon


def test_the_tolerance_is_relative_to_each_vector() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1000))
    for size in (1e-8, 1.0, 1e8):
        assert len(grown(size * np.array([x, x + 2e-3 * y]), 1e-3)[0]) == 2
        assert len(grown(size * np.array([x, x + 5e-4 * y]), 1e-3)[0]) == 1


def test_rounding_of_a_vector_bounds_the_tolerance() -> None:
    """A remainder that can only be rounding (of a difference of twins) makes no basis vector."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1000))
    vectors = np.array([x, x + 1e-4 * y])
    assert len(grown(vectors, 1e-6)[0]) == 2
    assert len(grown(vectors, 1e-6, rounding=1e-3**2)[0]) == 1


def test_zero_vectors_have_zero_coefficients() -> None:
    basis, coefficients = grown(np.zeros((3, 100)), 1e-3)
    assert len(basis) == 0 and coefficients.size == 0


def test_averages_equal_their_twins() -> None:
    rng, order = np.random.default_rng(0), LiveOrderParameters(1e-3)
    left, right = rng.standard_normal((2, 500)), rng.standard_normal((3, 500))
    history = Table(500, np.dtype(float), Lanes())
    history.append(left)
    expected = reference.project(left, right)
    fields = Fields(history.alike(), history)
    for found in (order.average(left, right), order.overlaps(history, right), order.stein(fields, right, fields)):
        np.testing.assert_allclose(found, expected, atol=1e-14)
