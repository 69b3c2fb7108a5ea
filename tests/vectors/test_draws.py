"""Random vectors: matched ones are orthonormal to all that a group has seen, plain ones are independent."""

from collections.abc import Iterator

import numpy as np
import pytest
import reference
from scipy import stats

from sitesampler.errors import PopulationTooSmall
from sitesampler.vectors.draws import MatchedDraws, PlainDraws
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.threads import Lanes, one_blas_thread


@pytest.fixture(autouse=True)
def _one_blas_thread() -> Iterator[None]:
    with one_blas_thread():
        yield


def matched(size: int, seed: int = 0, dtype: str = "float64", lanes: Lanes | None = None) -> MatchedDraws:
    return MatchedDraws(Layout(size, np.dtype(dtype), lanes or Lanes()), np.random.SeedSequence(seed))


def plain(size: int, seed: int = 0, dtype: str = "float64") -> PlainDraws:
    return PlainDraws(Layout(size, np.dtype(dtype)), np.random.SeedSequence(seed))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [64, 4095, 4096, 4097, 9000])
@pytest.mark.parametrize("count", [1, 7, 40])
def test_matched_draws_are_orthonormal_to_each_other_and_the_constant(size: int, count: int, dtype: str) -> None:
    draws = matched(size, dtype=dtype)
    batches = [draws.normal(n) for n in (1, count, 2)]
    ones = np.ones((1, size))
    assert reference.orthonormality(ones, *batches) < (1e-12 if dtype == "float64" else 2e-5)
    assert all(batch.dtype == dtype for batch in batches)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matched_draws_are_orthogonal_to_everything_seen(dtype: str) -> None:
    """Vectors that were multiplied by a matrix, uniform numbers, images of matrices: in any order of requests."""
    size, rng, rounding = 500, np.random.default_rng(1), 1e-12 if dtype == "float64" else 3e-5
    draws = matched(size, dtype=dtype)
    images, others, nothing = draws.table(), draws.table(), draws.table()
    seen = [np.ones((1, size))]
    new: list[np.ndarray] = []
    for turn in range(12):
        if turn % 4 == 0:
            new = [draws.normal(1 + turn // 4)]
        elif turn % 4 == 1:
            vectors = np.tanh(rng.standard_normal((2, size)) + 1).astype(dtype)
            draws.see(vectors)
            seen.append(vectors)
            new = []
        elif turn % 4 == 2:
            into = images if turn % 8 == 2 else others
            draws.images(3, into=into, off=nothing)
            new = [into.rows[-3:]]
        else:
            seen.append(draws.uniform(1))
            new = []
        for rows in new:
            assert np.max(np.abs(reference.project(np.concatenate(seen), rows))) < rounding
            assert reference.orthonormality(rows) < rounding
        seen += [rows.copy() for rows in new]


def test_a_vector_seen_again_costs_no_room() -> None:
    draws = matched(200)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 200))
    draws.see(np.stack([x, y]))
    before = draws.seen
    draws.see(np.stack([x, 3 * x - y, np.ones(200), np.zeros(200)]))
    assert draws.seen == before == 3


def test_a_population_can_be_used_up_to_the_last_sample_but_no_further() -> None:
    draws = matched(40)
    rows = draws.normal(39)  # with the constant, 40 orthonormal vectors: all there is room for
    assert reference.orthonormality(np.ones((1, 40)), rows) < 1e-10
    with pytest.raises(PopulationTooSmall, match=r"a population of 40 samples .* use a population above 41"):
        draws.normal(1)


def test_one_by_one_to_the_last_sample() -> None:
    """Little room is left, and vectors are seen between the draws of one batch."""
    draws, rng = matched(60), np.random.default_rng(0)
    rows = [np.ones((1, 60))]
    while draws.seen < 60:
        rows.append(draws.normal(1))
        if draws.seen < 58:
            draws.see(rng.standard_normal((1, 60)))
    assert reference.orthonormality(*rows) < 1e-9


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matched_draws_still_look_normal(dtype: str) -> None:
    """Matching moves each number by about one part in sqrt(samples): the distribution stays Gaussian.

    Kolmogorov-Smirnov over 20 x 5000 numbers; the probability of a false alarm is 1e-4 at most.
    """
    draws = matched(5000, seed=3, dtype=dtype)
    values = draws.normal(20).ravel().astype(float)
    assert stats.kstest(values, "norm").pvalue > 1e-4


def test_uniform_numbers_of_an_ensemble_are_stratified() -> None:
    rows = matched(1000).uniform(3)
    np.testing.assert_array_equal(np.sort(np.floor(rows * 1000), axis=1), np.tile(np.arange(1000), (3, 1)))
    assert (
        np.abs(np.corrcoef(rows) - np.eye(3)).max() < 0.15
    )  # in random order: 4.7 standard deviations of 1/sqrt(1000)


@pytest.mark.parametrize("count", [1, 16, 17])
def test_lanes_do_not_change_a_bit(count: int) -> None:
    two = Lanes(2)
    results = []
    for lanes in (Lanes(), two):
        draws = matched(9000, lanes=lanes)
        first = draws.normal(count)
        draws.see(np.tanh(first))
        results.append(np.concatenate([first, draws.normal(count)]))
    two.close()
    np.testing.assert_array_equal(*results)


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(matched(100, seed=5).normal(3), matched(100, seed=5).normal(3))
    assert not np.array_equal(matched(100, seed=5).normal(3), matched(100, seed=6).normal(3))


def test_plain_draws_are_the_generators_own() -> None:
    rows = plain(1000, seed=4).normal(3)
    expected = np.random.Generator(np.random.SFC64(np.random.SeedSequence(4))).standard_normal((3, 1000))
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_plain_images_are_free_of_the_directions_already_known(dtype: str) -> None:
    """The exact law of a Gaussian matrix: along vectors that J.T was multiplied with, J is known."""
    draws = plain(300, dtype=dtype)
    known, images = draws.table(), draws.table()
    known.append(matched(300, dtype=dtype).normal(5))
    draws.images(4, into=images, off=known)
    assert np.max(np.abs(reference.project(known.rows, images.rows))) < (1e-14 if dtype == "float64" else 1e-6)
    # Nothing else is done to them: they are the generator's numbers, projected.
    raw = plain(300, dtype=dtype).normal(4)
    expected = raw - reference.combine(known.rows, reference.project(known.rows, raw))
    np.testing.assert_allclose(images.rows, expected, atol=1e-12 if dtype == "float64" else 1e-5)
