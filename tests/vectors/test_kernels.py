"""The Numba kernels equal their plain NumPy twins, whatever the number of samples and rows."""

import numpy as np
import pytest
import reference

from sitesampler.vectors import kernels

SIZES = (1, 2, 4095, 4096, 4097, 9000)  # one sample, and around the edges of the blocks
RANKS = range(10)  # rows are read in eights, fours and ones


def numbers(dtype: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def rounding(dtype: str) -> float:
    return 2e-13 if dtype == "float64" else 2e-4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", SIZES)
def test_project_blocks_sums_products_block_by_block(size: int, dtype: str) -> None:
    vector = numbers(dtype, size)
    for rank in RANKS:
        table = numbers(dtype, rank + 2, size)  # rows beyond the rank are not to be read
        table[rank:] = np.nan
        partial = np.full((kernels.blocks(size), rank), np.nan)
        kernels.project_blocks(table, rank, vector, 0, len(partial), partial)
        expected = reference.project(table[:rank], vector[None])[:, 0] * size
        np.testing.assert_allclose(partial.sum(0), expected, rtol=0, atol=rounding(dtype) * np.sqrt(size))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", SIZES)
def test_combine_blocks_adds_a_linear_combination(size: int, dtype: str) -> None:
    for rank in RANKS:
        table, weights = numbers(dtype, rank + 2, size), numbers(dtype, rank)
        table[rank:] = np.nan
        out = numbers(dtype, size)
        expected = out + reference.combine(table[:rank], weights.astype(float)[:, None])[0]
        kernels.combine_blocks(table, rank, weights, 0, kernels.blocks(size), out)
        np.testing.assert_allclose(out, expected, rtol=0, atol=10 * rounding(dtype))


def central_moments(rows: np.ndarray) -> np.ndarray:
    """Return the mean and the second, third and fourth central moment of each row, in extended precision."""
    exact = rows.astype(np.longdouble)
    mean = exact.mean(1)
    return np.stack([mean, *(np.mean((exact - mean[:, None]) ** k, 1) for k in (2, 3, 4))], axis=1).astype(float)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", SIZES)
def test_moments_are_the_mean_and_three_central_moments(size: int, dtype: str) -> None:
    rows = (3 + numbers(dtype, 4, size)).astype(dtype)
    rows[3] = 2.5  # no variance at all
    out = np.full((4, 4), np.nan)
    kernels.moments(rows, out)
    np.testing.assert_allclose(out, central_moments(rows), rtol=0, atol=1e-12 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize(("dtype", "mean"), [("float64", 1e6), ("float32", 1e3)])
def test_moments_survive_a_mean_that_is_large_against_the_spread(dtype: str, mean: float) -> None:
    rows = (mean + numbers(dtype, 2, 90_000) ** 3).astype(dtype)  # a broad law, kurtosis 43
    out = np.empty((2, 4))
    kernels.moments(rows, out)
    expected = central_moments(rows)
    scale = np.sqrt(expected[:, 1:2]) ** [1, 2, 3, 4]
    assert np.all(np.abs(out - expected) < (1e-12 if dtype == "float64" else 1e-6) * scale)


def test_a_range_of_blocks_touches_nothing_else() -> None:
    """Threads rely on it: each works on its own range."""
    table, vector = numbers("float64", 5, 9000), numbers("float64", 9000)
    partial = np.full((3, 5), 7.0)
    kernels.project_blocks(table, 5, vector, 1, 2, partial)
    assert np.all(partial[[0, 2]] == 7.0)
    np.testing.assert_allclose(partial[1], table[:, 4096:8192] @ vector[4096:8192], atol=1e-10)
    out = np.zeros(9000)
    kernels.combine_blocks(table, 5, np.ones(5), 1, 2, out)
    assert not out[:4096].any() and not out[8192:].any()
    np.testing.assert_allclose(out[4096:8192], table[:, 4096:8192].sum(0), atol=1e-12)


@pytest.mark.parametrize(("size", "expected"), [(1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (9000, 3)])
def test_number_of_blocks(size: int, expected: int) -> None:
    assert kernels.blocks(size) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_survive_reordered_sums(bad: float) -> None:
    """A run that diverges must show it."""
    table, vector = numbers("float64", 5, 100), numbers("float64", 100)
    vector[50] = bad
    partial = np.empty((1, 5))
    kernels.project_blocks(table, 5, vector, 0, 1, partial)
    assert not np.isfinite(partial).any()
