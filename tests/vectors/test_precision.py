"""Single precision holds numbers down to 1e-38, and the squares of those below 1e-19 only in double precision."""

from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.vectors import arrays
from sitesampler.vectors.table import Table
from sitesampler.vectors.threads import Lanes

SMALL = 1e-25


def small_rows(rng: np.random.Generator, count: int) -> np.ndarray:
    return (SMALL * rng.normal(size=(count, 5_000))).astype(np.float32)


def test_sums_over_sites_are_in_double_precision(rng: np.random.Generator) -> None:
    rows, others = small_rows(rng, 3), small_rows(rng, 2)
    exact = rows.astype(float) @ others.astype(float).T / 5_000
    np.testing.assert_allclose(arrays.overlaps(rows, others), exact, rtol=1e-12)
    np.testing.assert_allclose(arrays.products(rows, others), exact, rtol=1e-12)
    np.testing.assert_allclose(arrays.product(rows[0], others[0]), exact[0, 0], rtol=1e-12)
    squares = np.mean(rows.astype(float) ** 2, 1)
    np.testing.assert_allclose(arrays.mean_squares(rows), squares, rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(arrays.gram(rows)), squares, rtol=1e-12)
    np.testing.assert_allclose([arrays.root_mean_square(row) ** 2 for row in rows], squares, rtol=1e-12)
    table = Table(5_000, np.dtype("float32"), Lanes())
    table.append(rows)
    for vectors in (others, others[:1]):
        np.testing.assert_allclose(table.project(vectors), exact[:, : len(vectors)], rtol=1e-12)


def test_moments_are_in_double_precision(rng: np.random.Generator) -> None:
    rows = small_rows(rng, 2)
    exact = rows.astype(float)
    centred = exact - exact.mean(1, keepdims=True)
    found = arrays.moments(rows)
    np.testing.assert_allclose(found[:, 0], exact.mean(1), rtol=1e-9)
    for power in (2, 3, 4):
        np.testing.assert_allclose(found[:, power - 1], (centred**power).mean(1), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"iterations": 2, "chunk": 300}])
def test_activity_that_decays(options: dict[str, Any]) -> None:
    """Below 1e-19, C came out up to thousands of times too large, and the kurtosis -3."""
    call: dict[str, Any] = {
        "population": 600,
        "replicas": 2,
        "seed": 0,
        "g": 0.3,
        "scheme": "euler",
        "dt": 0.5,
        "duration": 70,
        "every": 20,
    }
    single, double = (
        ss.sample(ss.models.random_rnn, dtype=dtype, **call, **options) for dtype in ("float32", "float64")
    )
    size, exact = np.diagonal(single.C_h), np.diagonal(double.C_h)
    assert exact[-1] < 1e-38
    np.testing.assert_allclose(size, exact, rtol=0.05)
    np.testing.assert_allclose(single.h_kurtosis, 0, atol=1.0)
