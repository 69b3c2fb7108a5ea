"""The engine on its own: products with one random matrix, by random programs, in all three worlds.

``sample`` (matched draws), ``simulate`` with real matrices, and ``simulate(matrix=False)`` (the exact law of a matrix
that nobody stores) must be one matrix each: J.T is the transpose of J, fields have the right covariance, and the
numbers that a program finds are the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import SYMMETRIES, WORLDS, Player, open_world, random_program

import sitesampler as ss
from sitesampler.physics.matrix import GaussianMatrix, SymmetrisedMatrix
from sitesampler.vectors.threads import one_blas_thread
from sitesampler.worlds.ensemble import SiteEnsemble

engine = settings(deadline=None, derandomize=True, max_examples=40)


@pytest.fixture(autouse=True, scope="module")
def _one_blas_thread() -> Iterator[None]:
    with one_blas_thread():
        yield


def column_table(vectors: list[np.ndarray], base: int) -> np.ndarray:
    return np.concatenate([v[:base].reshape(base, -1) for v in vectors], axis=1)


def norms(table: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(table.astype(float) ** 2, 0))


def transposition_defect(J: Any, X: np.ndarray, Y: np.ndarray, FX: np.ndarray, GY: np.ndarray) -> float:
    """Return the largest a <y, J x> - b <J.T y, x>, relative to a |y| |J x| + b |J.T y| |x|."""
    a, b = J.rows.ratio, J.cols.ratio
    left, right = a * reference.project(Y.T, FX.T), b * reference.project(GY.T, X.T)
    scale = a * np.outer(norms(Y), norms(FX)) + b * np.outer(norms(GY), norms(X))
    return float(np.max(np.abs(left - right) / np.maximum(scale, 1e-300)))


# ------------------------------------------------------------------------------------------ J.T is the transpose of J
@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data(), tolerance=st.sampled_from([1e-12, 1e-8, 1e-3]), dtype=st.sampled_from(["float64", "float32"]))
@engine
def test_the_transpose_is_the_transpose(world: str, data: Any, tolerance: float, dtype: str) -> None:
    """For all vectors of any program, at its end, updates included: a <y, J x> = b <J.T y, x>.

    To rounding at tight tolerance.  At a loose one a vector is known to the matrix within the tolerance only, and so
    is the identity; a real matrix has no tolerance.
    """
    program = random_program(lambda options: data.draw(st.sampled_from(list(options))), words=8)
    net = open_world(world, 200, seed=1, tolerance=tolerance, dtype=dtype)
    player = Player(net, program)
    for word in program.words:
        player.say(*word)
    epsilon = np.finfo(dtype).eps
    allowed = 200 * epsilon + (0 if world == "matrix" else tolerance)
    for J in player.couplings:
        X = column_table(player.side(J.cols), J.cols.size)
        Y = column_table(player.side(J.rows), J.rows.size)
        assert transposition_defect(J, X, Y, J @ X, J.T @ Y) < allowed
        # The other way round, and one vector at a time.
        GY = np.stack([J.T @ y for y in Y.T], axis=1)
        FX = np.stack([J @ x for x in X.T], axis=1)
        assert transposition_defect(J, X, Y, FX, GY) < allowed


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@engine
def test_the_transpose_is_the_transpose_at_different_times(world: str, data: Any) -> None:
    """Fields made anywhere in a program without updates belong to one and the same matrix."""
    program = random_program(lambda options: data.draw(st.sampled_from(list(options))), words=10, updates=False)
    net = open_world(world, 150, seed=2, tolerance=1e-12)
    player = Player(net, program)
    products: dict[Any, dict[str, list[np.ndarray]]] = {}

    def listen(J: Any) -> None:
        original, kept = J._product, products.setdefault(J, {"x": [], "Jx": [], "y": [], "JTy": []})

        def product(x: Any, source: Any, target: Any, transposed: bool) -> Any:
            out = original(x, source, target, transposed)
            kept["y" if transposed else "x"].append(x)
            kept["JTy" if transposed else "Jx"].append(out)
            return out

        J._product = product

    for J in player.couplings:
        listen(J)
    for word in program.words:
        player.say(*word)
    for J, kept in products.items():
        if kept["x"] and kept["y"]:
            X, FX = column_table(kept["x"], J.cols.size), column_table(kept["Jx"], J.rows.size)
            Y, GY = column_table(kept["y"], J.rows.size), column_table(kept["JTy"], J.cols.size)
            assert transposition_defect(J, X, Y, FX, GY) < 1e-11


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("symmetry", "sign"), [(1.0, 1), (-1.0, -1)])
def test_symmetric_and_antisymmetric_matrices(world: str, symmetry: float, sign: int) -> None:
    net = open_world(world, 300)
    sites = net.sites()
    J = net.coupling(sites, gain=1.3, symmetry=symmetry)
    x = np.tanh(sites.normal(2) + 0.5)
    for _ in range(4):
        np.testing.assert_allclose(J.T @ x, sign * (J @ x), rtol=0, atol=1e-12)
        x = np.cos(J @ x)
    if sign < 0:
        np.testing.assert_allclose(np.diag(net.overlap(x, J @ x)), 0, atol=1e-12)


# --------------------------------------------------------------------------------------------- equal to the naive form
@pytest.mark.parametrize("ratio", [1.0, 0.5, 1.5])
def test_rectangular_engine_equals_the_naive_double_isometry(ratio: float) -> None:
    """Given its fresh normals, the engine is the sum of isometry and memory, written down naively."""
    net = open_world("ensemble", 400, tolerance=1e-9)
    rows, cols = net.sites(ratio, name="row"), net.sites(name="column")
    J = net.coupling(rows, cols, gain=1.2)
    naive = reference.NaiveIsometry(1.2, ratio, 1.0)
    x, matrix = np.tanh(cols.normal() + 0.3), J.matrix
    for _ in range(5):
        y = J @ x
        z, w = matrix.forward.images.rows, matrix.backward.images.rows
        np.testing.assert_allclose(y, naive.product("J", x, z, w), rtol=0, atol=1e-11)
        y = np.maximum(y, 0) - 0.1
        x = J.T @ y
        z, w = matrix.forward.images.rows, matrix.backward.images.rows
        np.testing.assert_allclose(x, naive.product("J.T", y, w, z), rtol=0, atol=1e-11)
        x = np.tanh(x + 0.2)


@pytest.mark.parametrize("symmetry", [0.0, 0.3, -0.7, 1.0, -1.0])
def test_symmetric_engine_equals_the_naive_form(symmetry: float) -> None:
    net = open_world("ensemble", 400, tolerance=1e-9)
    sites = net.sites()
    J = net.coupling(sites, gain=0.9, symmetry=symmetry)
    naive, x = reference.NaiveSymmetric(0.9, symmetry), np.tanh(sites.normal() + 0.3)
    for _ in range(8):
        field = J @ x
        expected = naive.product(x, J.matrix.forward.images.rows)
        np.testing.assert_allclose(field, expected, rtol=0, atol=1e-11)
        x = np.tanh(field + 0.3) + 0.2 * x


# ------------------------------------------------------------------------------------------------ covariance of fields
@given(
    ratio=st.sampled_from([0.5, 1.0, 2.0]),
    gain=st.sampled_from([0.3, 1.0, 2.5]),
    symmetry=st.sampled_from(SYMMETRIES),
    columns=st.integers(1, 5),
    tolerance=st.sampled_from([1e-12, 1e-2]),
    transposed=st.booleans(),
)
@engine
def test_fresh_matrices_make_fields_of_exact_covariance(
    ratio: float, gain: float, symmetry: float | None, columns: int, tolerance: float, transposed: bool
) -> None:
    """<(J x)(J x')> = gain^2 b <x x'>, whatever the x, and <(J x) x'> = 0 for a matrix that knows nothing of them.

    A remainder below the tolerance is dropped: its square is missing.
    """
    net = open_world("ensemble", 300, tolerance=tolerance)
    rows, cols = net.sites(ratio, name="row"), net.sites(1.5, name="column")
    group = rows if symmetry is not None else cols
    J = net.coupling(rows, group, gain=gain, symmetry=symmetry)
    source, target = (J.rows, J.cols) if transposed else (J.cols, J.rows)
    x = np.maximum(source.normal(columns) + 0.4, 0) + 0.05 * source.uniform(columns)
    X = np.concatenate([x, x @ np.ones((columns, 1)), x[:, :1] + 1e-3 * source.normal(1)], axis=1)
    F = (J.T if transposed else J) @ X
    expected = gain**2 * source.ratio * net.overlap(X, X)
    np.testing.assert_allclose(net.overlap(F, F), expected, rtol=0, atol=(1e-12 + 2 * tolerance**2) * expected.max())
    if target is source:
        np.testing.assert_allclose(net.overlap(F, X), 0, atol=(1e-12 + tolerance) * expected.max())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_entries_have_the_variance_and_correlation_asked_for(world: str, symmetry: float | None) -> None:
    """J times unit vectors shows the entries themselves, in a finite network.

    At N = infinity: unit norms of fields instead.  Estimates from N^2 entries; five standard deviations, so that the
    probability of a false alarm is 1e-5 for all cases together.
    """
    if world == "ensemble":
        net = open_world(world, 300)
        sites = net.sites()
        x = sites.normal()
        field = net.coupling(sites, gain=0.8, symmetry=symmetry) @ x
        assert net.overlap(field, field) == pytest.approx(0.64, rel=1e-12)
        return
    n = 200
    net = open_world(world, n, seed=3)
    sites = net.sites()
    entries = np.asarray(net.coupling(sites, gain=0.8, symmetry=symmetry) @ np.eye(n)) * np.sqrt(n) / 0.8
    off = ~np.eye(n, dtype=bool)
    assert np.mean(entries[off] ** 2) == pytest.approx(1, abs=5 * np.sqrt(4 / n**2))
    assert np.mean((entries * entries.T)[off]) == pytest.approx(symmetry or 0.0, abs=5 * np.sqrt(4 / n**2))
    assert np.mean(np.diag(entries) ** 2) == pytest.approx(1 + (symmetry or 0.0), abs=5 * np.sqrt(2 / n) * 2)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_repeated_vectors_have_the_same_field_and_zero_has_none(world: str, symmetry: float | None) -> None:
    net = open_world(world, 300)
    sites = net.sites()
    J = net.coupling(sites, symmetry=symmetry)
    x = np.tanh(sites.normal() + 0.3)
    first, again = J @ x, J @ x
    np.testing.assert_allclose(again, first, rtol=0, atol=1e-13)
    back = J.T @ np.cos(first)
    np.testing.assert_allclose(J @ x, first, rtol=0, atol=1e-12)
    np.testing.assert_allclose(J @ np.stack([x, -2 * x], 1), np.stack([first, -2 * first], 1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(J.T @ np.cos(first), back, rtol=0, atol=1e-12)
    for zeros in (np.zeros_like(x), np.zeros((len(x), 3))):
        assert not np.any(J @ zeros) and not np.any(J.T @ zeros)
    # A zero among other columns, and a zero as the first thing that a matrix sees.
    assert not np.any((J @ np.stack([x, 0 * x], axis=1))[:, 1])
    fresh = net.coupling(sites, symmetry=symmetry)
    assert not np.any(fresh.T @ (0 * x)) and not np.any(fresh @ (0 * x))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_products_are_linear(world: str, symmetry: float | None) -> None:
    net = open_world(world, 300)
    sites = net.sites()
    J = net.coupling(sites, symmetry=symmetry)
    x, y = np.tanh(sites.normal(2)).T
    Jx, Jy, JTx = J @ x, J @ y, J.T @ x
    np.testing.assert_allclose(J @ (2 * x - 3 * y), 2 * Jx - 3 * Jy, rtol=0, atol=1e-12)
    np.testing.assert_allclose(J.T @ (x + Jy), JTx + J.T @ Jy, rtol=0, atol=1e-12)


# --------------------------------------------------------------------------------------------------------- no blow-up
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("tolerance", [1e-12, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("world", ["ensemble", "exact law"])
@pytest.mark.parametrize("symmetry", [None, 0.3, 1.0, -1.0])
def test_nearly_singular_families_do_not_blow_up(
    world: str, symmetry: float | None, tolerance: float, dtype: str
) -> None:
    """Long products of slowly moving, repeated and nearly parallel vectors, both ways, as single vectors and columns.

    A Gaussian matrix does not lengthen a vector more than its norm 2 gain (1 + something small at N = 400), and
    nearly equal vectors have nearly equal fields.
    """
    net = open_world(world, 400, seed=4, tolerance=tolerance, dtype=dtype)
    sites = net.sites()
    J = net.coupling(sites, symmetry=symmetry)
    x, y = np.tanh(sites.normal(2) + 0.2).T
    epsilon = np.finfo(dtype).eps
    largest, unequal = 0.0, 0.0
    for step in range(60):
        close = np.stack([x, x + np.asarray(1e-9, dtype) * y, x, 0.5 * x - np.asarray(1e-6, dtype) * y], axis=1)
        fields = (J.T if step % 3 == 2 else J) @ (close if step % 2 else x)
        field = fields[:, 0] if step % 2 else fields
        if step % 2:
            unequal = max(unequal, np.max(norms(fields[:, 1:3] - fields[:, :1]) / norms(x)))
            unequal = max(unequal, float(norms(2 * fields[:, 3] - field) / norms(x)) - 2e-5)
        largest = max(largest, norms(field) / norms(x))
        x = x + np.asarray(0.02, dtype) * (np.tanh(field) - x)
    assert 0.5 < largest < 2.5
    assert unequal < 10 * (tolerance + 1e-9) + 1e3 * epsilon
    if world == "ensemble":
        for fields in (J.matrix.forward, J.matrix.backward):
            assert reference.orthonormality(fields.basis.rows) < 1e3 * epsilon
            assert reference.orthonormality(fields.images.rows) < 1e3 * epsilon


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("tolerance", [1e-12, 1e-6, 1e-3])
@pytest.mark.parametrize("symmetry", [None, 0.5, 1.0, -1.0])
def test_power_iterations_do_not_blow_up(symmetry: float | None, tolerance: float, dtype: str) -> None:
    """Powers of J, and of J.T J, are the Krylov vectors that lose orthogonality first."""
    net = open_world("ensemble", 500, seed=5, tolerance=tolerance, dtype=dtype)
    sites = net.sites()
    J, x = net.coupling(sites, symmetry=symmetry), sites.normal()
    growth = []
    for _ in range(60):
        y = J.T @ (J @ x)
        growth.append(float(norms(y)))
        x = (y / norms(y)).astype(dtype)
    # |J.T J x| tends to the largest singular value squared: 4 for an independent and for a symmetric matrix.
    assert np.all(np.isfinite(growth)) and growth[0] > 0.9 and growth[-1] < 4.05
    if symmetry in (None, 1.0, -1.0):
        assert growth[-1] > 3.8


# ---------------------------------------------------------------------------------------- two ways to the same matrix
def play(net: Any, program: reference.RandomProgram) -> tuple[Player, list[float]]:
    player, numbers = Player(net, program), []
    for word in program.words:
        numbers += player.say(*word)
    return player, numbers


@given(data=st.data())
@engine
def test_updates_in_a_stored_matrix_equal_a_list_of_updates(data: Any) -> None:
    """A network with a source keeps its rank-one updates as a list; without, it adds them to its matrix."""
    program = random_program(lambda options: data.draw(st.sampled_from(list(options))), words=12)
    absorbed, absorbed_numbers = play(open_world("matrix", 60), program)
    listed, listed_numbers = play(open_world("matrix", 60, twins=True), program)
    assert all(not J._strengths for J in absorbed.couplings)
    np.testing.assert_allclose(listed_numbers, absorbed_numbers, rtol=1e-9, atol=1e-10)
    for one, two in zip(absorbed.vectors, listed.vectors, strict=True):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(y[: len(x)], x, rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(y[len(x) :], x, rtol=1e-9, atol=1e-10)  # twins that no source has moved


@pytest.mark.parametrize("world", ["ensemble", "exact law"])
@given(data=st.data())
@engine
def test_twins_that_nothing_moved_equal_their_sites(world: str, data: Any) -> None:
    program = random_program(lambda options: data.draw(st.sampled_from(list(options))), words=8)
    alone, numbers = play(open_world(world, 200), program)
    twinned, same_numbers = play(open_world(world, 200, twins=True), program)
    np.testing.assert_allclose(same_numbers, numbers, rtol=1e-9, atol=1e-10)
    for one, two in zip(alone.vectors, twinned.vectors, strict=True):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(y, np.concatenate([x, x]), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("world", WORLDS)
def test_the_velocity_of_momentum_is_a_sum_of_updates(world: str) -> None:
    """V <- beta V + l r^T / N, J <- kappa J + eta V, against the same written out update by update."""
    results = []
    for momentum in (True, False):
        net = open_world(world, 200, seed=6)
        rows, cols = net.sites(0.5, name="row"), net.sites(name="column")
        J, V = net.coupling(rows, cols), net.coupling(rows, cols, gain=0)
        x, beta, kappa, eta = cols.normal(2), 0.9, 0.95, 0.3
        done: list[tuple[np.ndarray, np.ndarray]] = []
        for _ in range(4):
            y = np.tanh(J @ x + 0.2)
            done.append((y, x))
            if momentum:
                V.scale(beta)
                V.add(y, x)
                J.scale(kappa)
                J.add(V, strength=eta)
            else:
                J.scale(kappa)
                for age, (left, right) in enumerate(reversed(done)):
                    J.add(left, right, strength=eta * beta**age)
            x = np.tanh(J.T @ y) + 0.1 * x
        results.append((J @ x, J.T @ y))
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-10)


@pytest.mark.parametrize("world", WORLDS)
def test_an_update_is_a_plain_overlap(world: str) -> None:
    """J += s/N l r^T adds s b l <r x> to J x and s a r <l y> to J.T y; scale multiplies everything."""
    net = open_world(world, 200)
    rows, cols = net.sites(0.5, name="row"), net.sites(1.5, name="column")
    J = net.coupling(rows, cols)
    x, y, left, right = cols.normal(), rows.normal(), np.cos(rows.normal(2)), np.cos(cols.normal(2))
    Jx, JTy = J @ x, J.T @ y
    J.add(left, right, strength=0.7)
    J.scale(0.5)
    np.testing.assert_allclose(J @ x, 0.5 * (Jx + 0.7 * 1.5 * left @ net.overlap(right, x)), atol=1e-12)
    np.testing.assert_allclose(J.T @ y, 0.5 * (JTy + 0.7 * 0.5 * right @ net.overlap(left, y)), atol=1e-12)


class TwoDirections(SiteEnsemble):
    """An ensemble whose partially symmetric matrices are a X + b X.T, X independent."""

    def _matrix(self, rows: Any, cols: Any, gain: float, symmetry: float) -> Any:
        ratios = (rows.ratio, cols.ratio)
        independent = GaussianMatrix(rows.draws, cols.draws, ratios, gain, 0.0, self._stage.order)
        return SymmetrisedMatrix(independent, symmetry)


def two_directions(population: int, seed: int) -> Any:
    return open_world("ensemble", population, seed=seed + 10_000, kind=TwoDirections)


def rnn_numbers(net: Any, symmetry: float, phi: Any, transposed: bool) -> list[float]:
    sites = net.sites()
    J, h, numbers = net.coupling(sites, gain=1.3, symmetry=symmetry), sites.normal(), []
    start = h
    for step in range(12):
        field = (J.T if transposed and step % 3 == 1 else J) @ phi(h)
        h = h + 0.3 * (field - h)
        numbers += [net.overlap(h, h), net.overlap(h, start), net.overlap(h, field), net.mean(h)]
    return numbers


@pytest.mark.parametrize("symmetry", [0.0, 0.3, -0.7, 1.0, -1.0])
@pytest.mark.parametrize("transposed", [False, True])
def test_two_forms_of_partial_symmetry_agree_exactly_where_all_is_linear(symmetry: float, transposed: bool) -> None:
    """J = a X + b X.T with two families of fields, against the direct form: all is Gaussian, nothing scatters."""
    direct = rnn_numbers(open_world("ensemble", 100), symmetry, lambda x: x, transposed)
    mixed = rnn_numbers(two_directions(100, 0), symmetry, lambda x: x, transposed)
    np.testing.assert_allclose(mixed, direct, rtol=0, atol=1e-9)


@pytest.mark.parametrize("symmetry", [0.4, -0.6])
def test_two_forms_of_partial_symmetry_agree_within_errors(symmetry: float) -> None:
    """The same, nonlinear and not odd.  Probability of a false alarm 1e-3 in each of the two cases."""

    def phi(x: np.ndarray) -> np.ndarray:
        return np.tanh(x + 0.4) - 0.1

    seeds = range(16)
    direct = np.array([rnn_numbers(open_world("ensemble", 1000, seed=s), symmetry, phi, True) for s in seeds])
    mixed = np.array([rnn_numbers(two_directions(1000, s), symmetry, phi, True) for s in seeds])
    errors = tuple(numbers.std(0, ddof=1) / 4 + 1e-12 for numbers in (direct, mixed))
    assert max(np.max(error) for error in errors) < 0.01
    assert reference.worst_p_value((direct - mixed).mean(0), errors, (15, 15)) > 1e-3


# ------------------------------------------------------------------------------------------------- the worlds agree
def played(net: Any, *, number: int) -> None:
    """Play a random program, as a site program: what it finds is recorded as numbers."""
    rng = np.random.default_rng(number)
    program = random_program(lambda options: options[rng.integers(len(options))], words=14)
    player = Player(net, program)
    for step in net.steps(len(program.words)):
        numbers = player.say(*program.words[step])
        net.record(step, **{f"number_{step}_{i}": number for i, number in enumerate(numbers)})


def numbers_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    names = sorted(name for name in dataset if name.startswith("number") and not name.endswith("stderr"))
    values = np.array([float(dataset[name].dropna("time").squeeze()) for name in names])
    errors = np.array([float(dataset[name + "_stderr"].dropna("time").squeeze()) for name in names])
    return values, errors


@pytest.mark.parametrize("number", [100, *(pytest.param(number, marks=pytest.mark.slow) for number in range(101, 104))])
def test_worlds_agree_on_random_programs(number: int) -> None:
    """N = infinity against networks of N and 2N, extrapolated in 1/N; real matrices against their exact law.

    Two comparisons for each of four fixed programs, each with a probability of false alarm of 1e-4: 8e-4 together.
    """

    def run(call: Any, **sizes: Any) -> tuple[np.ndarray, np.ndarray]:
        return numbers_of(call(played, number=number, keep=0, **sizes))

    replicas, n = 56, 400
    small, small_error = run(ss.simulate, size=n, replicas=replicas, seed=1)
    large, large_error = run(ss.simulate, size=2 * n, replicas=replicas, seed=2)
    exact, exact_error = run(ss.simulate, size=2 * n, replicas=replicas, seed=3, matrix=False, tolerance=1e-9)
    limit, limit_error = run(ss.sample, population=4000, replicas=8, seed=4)
    assert len(limit) > 10
    errors = (limit_error, 2 * large_error, small_error)
    p = reference.worst_p_value(limit - (2 * large - small), errors, (7, replicas - 1, replicas - 1))
    assert p > 1e-4
    assert reference.worst_p_value(exact - large, (exact_error, large_error), (replicas - 1, replicas - 1)) > 1e-4
