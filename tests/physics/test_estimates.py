"""Estimates: order parameters as numbers that mean what they say, and how they become a basis and memory again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import reference

from sitesampler.errors import InputError
from sitesampler.physics.estimates import Coefficients, Estimates, Structure, factorised, kernel, mean_of, unflattened


def smooth_vectors(rng: np.random.Generator, count: int, size: int = 400) -> np.ndarray:
    """Return vectors of which some stand in the span of the others, as products with a matrix do."""
    vectors = rng.standard_normal((count, size))
    vectors[3] = 0.5 * vectors[0] - 2 * vectors[1]
    vectors[5] = 0
    vectors[6] = vectors[2] + 1e-4 * rng.standard_normal(size)
    return vectors


def made_up_estimates(rng: np.random.Generator) -> Estimates:
    """Return order parameters of two directions of a matrix, 8 and 9 vectors, in products of one and two."""
    structure = Structure([[1, 2, 2, 1, 2], [3, 3, 3]], {"0,1": [0, 3, 3, 6, 6], "1,0": [1, 3, 5]}, [[], [2, 3]], [])
    tables = [smooth_vectors(rng, 8), smooth_vectors(rng, 9)]
    overlaps = [reference.project(table, table) for table in tables]
    responses = {}
    for i, j in structure.pairs():
        pivots = factorised(Estimates(structure, overlaps, [np.zeros(8), np.zeros(9)], {}, []), 1e-3).pivots[j]
        responses[i, j] = np.zeros((len(overlaps[j]), len(overlaps[i])))
        for k, known in enumerate(structure.known_vectors(i, j)):
            seen = [pivot for pivot in pivots if pivot < known]
            responses[i, j][seen, k] = rng.standard_normal(len(seen))
    averages = [np.array(rng.standard_normal()), rng.standard_normal((2, 3))]
    return Estimates(structure, overlaps, [np.zeros(8), np.full(9, 1e-12)], responses, averages)


# ---------------------------------------------------------------------------------------------- factors and kernels
@pytest.mark.parametrize("tolerance", [1e-5, 1e-3])
def test_a_factor_of_the_overlaps_is_gram_schmidt_of_the_vectors(rng: np.random.Generator, tolerance: float) -> None:
    vectors = smooth_vectors(rng, 100)
    structure = Structure([[100]], {}, [], [])
    found = factorised(Estimates(structure, [reference.project(vectors, vectors)], [np.zeros(100)], {}, []), tolerance)
    _, expected = reference.gram_schmidt(vectors, tolerance)
    left_out = [3, 5] if tolerance < 1e-4 else [3, 5, 6]
    assert found.pivots == [[k for k in range(100) if k not in left_out]]
    # What the tolerance leaves of a vector may have parts along later directions, of which nothing is known in time.
    in_time = np.array(found.pivots[0])[:, None] <= np.arange(100)
    assert not found.basis[0][~in_time].any()
    np.testing.assert_allclose(found.basis[0][in_time], expected[in_time], rtol=0, atol=1e-7)


def test_a_remainder_below_the_rounding_of_a_vector_makes_no_direction(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 300))
    vectors = np.array([x, x + 1e-2 * y])
    overlaps = [reference.project(vectors, vectors)]
    structure = Structure([[1, 1]], {}, [], [])
    for rounding, pivots in ((0.0, [0, 1]), (1e-3, [0])):
        assert factorised(Estimates(structure, overlaps, [np.full(2, rounding)], {}, []), 1e-6).pivots == [pivots]


def test_overlaps_that_are_no_overlaps_of_any_vectors_drop_what_is_negative() -> None:
    """Averages over iterations and damping keep overlaps positive up to rounding, which must not end in NaN."""
    overlaps = np.array([[1.0, 1.0], [1.0, 1.0 - 1e-15]])
    found = factorised(Estimates(Structure([[2]], {}, [], []), [overlaps], [np.zeros(2)], {}, []), 1e-12)
    assert found.pivots == [[0]]
    np.testing.assert_array_equal(found.basis[0], [[1.0, 1.0]])


def test_a_kernel_solves_steins_lemma(rng: np.random.Generator) -> None:
    """<z_m x_k> = sum_l R_kl <q_m x_l>, whose only solution on the vectors l that made the basis is the kernel."""
    vectors = smooth_vectors(rng, 8)
    _, basis = reference.gram_schmidt(vectors, 1e-3)
    pivots = [0, 1, 2, 4, 7]
    for known in (0, 3, 5):
        response = np.zeros((8, 4))
        response[pivots[:known]] = rng.standard_normal((known, 4))
        memory = np.array([[sum(R * q for R, q in zip(col, row, strict=True)) for col in response.T] for row in basis])
        np.testing.assert_allclose(memory[known:], 0, atol=1e-15)
        np.testing.assert_allclose(kernel(basis, pivots, memory[:known]), response, rtol=0, atol=1e-12)


def test_measurements_become_the_estimates_that_they_were_made_with(rng: np.random.Generator) -> None:
    """What chunks expect to measure is turned back into kernels, products with other numbers of vectors included."""
    estimates = made_up_estimates(rng)
    coefficients = factorised(estimates, 1e-3)
    again = coefficients.measured(coefficients.expected(estimates))
    for old, new in zip(estimates.arrays(), again.arrays(), strict=True):
        np.testing.assert_allclose(new, old, rtol=0, atol=1e-11)


def test_only_normals_drawn_before_can_be_in_a_vector(rng: np.random.Generator) -> None:
    estimates = made_up_estimates(rng)
    coefficients = factorised(estimates, 1e-3)
    for i, j in ((0, 1), (1, 0)):
        known = coefficients.normals_known(i, j)
        for k, vectors in enumerate(estimates.structure.known_vectors(i, j)):
            assert known[:, k].tolist() == [pivot < vectors for pivot in coefficients.pivots[j]]
            assert known[:, k].sum() == coefficients.rank(j, vectors)


# ------------------------------------------------------------------------------------------------------ as numbers
def test_estimates_survive_a_file_bit_for_bit(rng: np.random.Generator) -> None:
    estimates = made_up_estimates(rng)
    again = unflattened(estimates.flat(), json.loads(json.dumps(estimates.description())))
    assert again.structure == estimates.structure and list(again.responses) == list(estimates.responses)
    assert [array.shape for array in again.arrays()] == [array.shape for array in estimates.arrays()]
    assert again.flat().tobytes() == estimates.flat().tobytes()


def test_a_program_without_matrices_or_averages_has_no_order_parameters() -> None:
    nothing = Estimates(Structure([], {}, [], []), [], [], {}, [])
    assert unflattened(nothing.flat(), nothing.description()).flat().shape == (0,)
    assert factorised(nothing, 1e-3) == Coefficients(nothing.structure, [], [], {}, [])


def test_numbers_that_are_not_those_of_their_description_are_refused(rng: np.random.Generator) -> None:
    estimates = made_up_estimates(rng)
    n = len(estimates.flat())
    with pytest.raises(InputError, match=f"^{n - 1} order parameters were stored where {n} belong$"):
        unflattened(estimates.flat()[1:], estimates.description())


def test_means_and_mixtures_are_linear_in_every_number(rng: np.random.Generator) -> None:
    one = made_up_estimates(rng)
    others = [one._rebuilt([array + rng.standard_normal(array.shape) for array in one.arrays()]) for _ in range(4)]
    flat = np.array([other.flat() for other in others])
    np.testing.assert_allclose(mean_of(others).flat(), flat.mean(0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(others[0].mixed(others[1], 0.25).flat(), 0.75 * flat[0] + 0.25 * flat[1], atol=1e-12)


def test_estimates_of_another_structure_are_not_mixed(rng: np.random.Generator) -> None:
    one = made_up_estimates(rng)
    other = replace(one, structure=replace(one.structure, kept=[True]))
    with pytest.raises(InputError, match="are those of another program, or of another number of steps") as caught:
        one.mixed(other, 0.5)
    assert "\n" not in str(caught.value)
