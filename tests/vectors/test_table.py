"""Tables equal their naive twins, for one vector (kernels) and several (BLAS), with one thread or two."""

from collections.abc import Iterator

import numpy as np
import pytest
import reference

from sitesampler.errors import OutOfMemory
from sitesampler.vectors.table import Table
from sitesampler.vectors.threads import Lanes, one_blas_thread

SIZES = (1, 4095, 4096, 4097, 9000)


@pytest.fixture(autouse=True)
def _one_blas_thread() -> Iterator[None]:
    with one_blas_thread():
        yield


@pytest.fixture
def two_lanes() -> Iterator[Lanes]:
    lanes = Lanes(2)
    yield lanes
    lanes.close()


def filled(size: int, rank: int, dtype: str, lanes: Lanes, **options: int) -> Table:
    table = Table(size, np.dtype(dtype), lanes, **options)
    rng = np.random.default_rng(rank)
    for _ in range(rank):
        table.append(rng.standard_normal((1, size)).astype(dtype))
    return table


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_project_and_combine_equal_their_twins(size: int, columns: int, dtype: str, two_lanes: Lanes) -> None:
    atol = 2e-12 if dtype == "float64" else 2e-4
    rng = np.random.default_rng(columns)
    vectors = rng.standard_normal((columns, size)).astype(dtype)
    for rank in range(10):
        weights = rng.standard_normal((rank, columns))
        found = []
        for lanes in (Lanes(), two_lanes):
            table = filled(size, rank, dtype, lanes)
            overlaps, out = table.project(vectors), np.ones((columns, size), dtype)
            table.combine(weights, out)
            np.testing.assert_allclose(overlaps, reference.project(table.rows, vectors), rtol=0, atol=atol)
            np.testing.assert_allclose(out, 1 + reference.combine(table.rows, weights), rtol=0, atol=10 * atol)
            assert overlaps.dtype == np.float64 and out.dtype == dtype
            found.append((overlaps, out))
        for one, two in zip(*found, strict=True):
            np.testing.assert_array_equal(one, two)  # the same bits for one thread and two


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("start", [0, 1, 4, 9])
def test_a_later_start_leaves_the_first_rows_out(columns: int, start: int) -> None:
    rng = np.random.default_rng(0)
    table = filled(5000, 9, "float64", Lanes())
    vectors, weights = rng.standard_normal((columns, 5000)), rng.standard_normal((9 - start, columns))
    expected = reference.project(table.rows[start:], vectors)
    np.testing.assert_allclose(table.project(vectors, start), expected, rtol=0, atol=1e-13)
    out = np.zeros((columns, 5000))
    table.combine(weights, out, start)
    np.testing.assert_allclose(out, reference.combine(table.rows[start:], weights), rtol=0, atol=1e-12)


def test_fewer_weights_than_rows_leave_the_later_rows_out() -> None:
    table = filled(100, 6, "float64", Lanes())
    out = np.zeros((1, 100))
    table.combine(np.ones((4, 1)), out)
    np.testing.assert_allclose(out[0], table.rows[:4].sum(0), atol=1e-14)


@pytest.mark.parametrize("columns", [1, 3])
def test_averages_may_leave_the_perturbed_twins_out(columns: int) -> None:
    """Averages run over the first sites only, combinations over all of them."""
    table = filled(1200, 5, "float64", Lanes(), averaged=600)
    vectors = np.random.default_rng(0).standard_normal((columns, 1200))
    expected = reference.project(table.rows[:, :600], vectors[:, :600])
    np.testing.assert_allclose(table.project(vectors), expected, rtol=0, atol=1e-13)
    out = np.zeros((columns, 1200))
    table.combine(np.ones((5, columns)), out)
    np.testing.assert_allclose(out, np.tile(table.rows.sum(0), (columns, 1)), atol=1e-13)


def test_rows_are_copies_and_survive_growth() -> None:
    table = Table(10, np.dtype(float), Lanes())
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 10))
    for row in rows:
        mutable = row[None].copy()
        table.append(mutable)
        mutable[:] = np.nan
    np.testing.assert_array_equal(table.rows, rows)
    assert len(table) == 100


def test_capacity_changes_nothing_but_storage() -> None:
    roomy, tight = filled(50, 7, "float64", Lanes(), capacity=100), filled(50, 7, "float64", Lanes())
    np.testing.assert_array_equal(roomy.rows, tight.rows)


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OutOfMemory, match=r"GiB more memory than there is left; use a smaller population"):
        Table(2**40, np.dtype(float), Lanes(), capacity=2**10)
