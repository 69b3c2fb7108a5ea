"""The floor of recorded numbers: relative to what was averaged, and so never below the error of what cancels."""

from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.records.scales import Averaged, sizes

FLOOR = 5e-4  # half of the tolerance


def zero_sum_game(net: Any, *, ratio: float = 0.7, decay: float = 0.2, dt: float = 0.1, steps: int = 40) -> None:
    """Descent of x and ascent of y on x A y with A of independent entries: a linear game, whose payoff is 0."""
    a, b = net.sites(name="x_player"), net.sites(ratio, name="y_player")
    A = net.coupling(a, b)
    x, y = a.normal(), b.normal()
    for t in net.clock(steps * dt, dt):
        of_x, of_y = A @ y, A.T @ x
        payoff, size = net.overlap(x, of_x), net.overlap(x, x)
        net.record(
            t, x=x, payoff=payoff, hundredfold=100 * payoff, difference=payoff - ratio * net.overlap(y, of_y),
            cosine=payoff / np.sqrt(size * net.overlap(of_x, of_x)), mean=net.mean(x), half=size / 2, rate=0.125,
        )  # fmt: skip
        x, y = x - dt * (of_x + decay * x), y + dt * (of_y - decay * y)


@pytest.mark.parametrize("options", [{}, {"tolerance": 0.1}, {"dtype": "float32"}, {"iterations": 2, "chunk": 150}])
def test_what_is_zero_by_cancellation_is_zero_within_its_error(options: dict[str, Any]) -> None:
    """The payoff and all that follows from it were thousands of their standard errors away from 0."""
    for seed in range(2):
        ds = ss.sample(zero_sum_game, population=300, replicas=4, seed=seed, **options)
        for name in ("payoff", "hundredfold", "difference", "cosine", "mean"):
            assert float((abs(ds[name]) / ds[f"{name}_stderr"]).max()) < 5, name


def test_the_floor_is_that_of_the_factors() -> None:
    """sqrt(<x^2> <(A y)^2>) for the payoff, a hundred times that for a hundred times it."""
    ds = ss.sample(zero_sum_game, population=300, replicas=4, seed=0)
    squares = np.diagonal(ds.C_x.values)
    assert np.all(ds.payoff_stderr > 0.3 * FLOOR * squares)
    np.testing.assert_allclose(ds.hundredfold_stderr, 100 * ds.payoff_stderr, rtol=1e-6)


def test_what_does_not_cancel_keeps_its_relative_floor() -> None:
    """Other averages of the step, however large, do not matter for what does not depend on them."""
    ds = ss.sample(zero_sum_game, population=300, replicas=4, seed=0)
    largest = float(ds.half.max())
    np.testing.assert_allclose(ds.half_stderr, FLOOR * np.sqrt(ds.half * largest), rtol=1e-2)


def test_linear_combinations_are_recognised(rng: np.random.Generator) -> None:
    terms, size = rng.normal(size=(30, 3)), np.exp(rng.normal(size=(30, 3)))
    averages = [[Averaged(np.array(a), np.array(s)) for a, s in zip(*row, strict=True)]
                for row in zip(terms, size, strict=True)]  # fmt: skip
    found = sizes(list(1 - 2 * terms[:, 0] + terms[:, 2]), averages)
    np.testing.assert_allclose(found, 2 * size[:, 0] + size[:, 2])
    worst = (size / abs(terms)).max(1)
    np.testing.assert_allclose(
        sizes(list(terms[:, 0] ** 2), averages), np.minimum(terms[:, 0] ** 2 * worst, size.max(1))
    )


def test_numbers_of_columns_and_those_without_averages(rng: np.random.Generator) -> None:
    matrices = rng.normal(size=(6, 2, 2))
    averages = [[Averaged(matrix, np.full((2, 2), 3.0))] for matrix in matrices]
    np.testing.assert_allclose(sizes(list(matrices / 2), averages), np.full((6, 2, 2), 1.5))
    np.testing.assert_array_equal(sizes([np.zeros(2)] * 3, [[]] * 3), np.zeros((3, 2)))
