"""Steps of the schemes as plain arithmetic, held against solutions in closed form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sitesampler.physics.schemes import SCHEMES, State, between


@dataclass
class Problem:
    """An equation dy = f(y, t) dt + g(y, t) dW whose noise takes given values."""

    f: Callable[..., Any]
    g: Callable[..., Any] | None = None
    xi: Any = None

    def slope(self, y: State, t: float, last: bool = False) -> State:
        return tuple(np.atleast_1d(part) for part in self.f(*y, t))

    def amplitude(self, y: State, t: float) -> State:
        return (self.g(*y, t) if self.g else None,)

    def normals(self) -> State:
        return (self.xi,)


def orders(errors: list[float]) -> np.ndarray:
    """Return the powers with which errors fall that belong to steps halved each time."""
    return np.log2(np.array(errors[:-1]) / errors[1:])


@pytest.mark.parametrize("scheme", ["euler", "heun", "rk4"])
def test_the_error_at_a_time_falls_with_the_order(scheme: str) -> None:
    """An oscillator that is driven, x'' = -x + t: two parts and the time; x = t + cos t from x = 1, x' = 1."""
    problem, made, errors = Problem(lambda x, v, t: (v, t - x)), SCHEMES[scheme], []
    for steps in (16, 32, 64):
        y: State = (np.ones(1), np.ones(1))
        for n in range(steps):
            y, _ = made.step(problem, y, n * 2 / steps, 2 / steps, None, False)
        errors.append(abs(y[0][0] - (2 + np.cos(2))))
    np.testing.assert_allclose(orders(errors), made.order, atol=0.3)


#: Nodes and weights of a normal variable, whose averages of polynomials are exact: a population of 40 samples.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def moments_after(problem: Problem, scheme: str, start: float, dt: float) -> np.ndarray:
    """Return the first two moments after one step."""
    problem.xi = NODES
    (y,), _ = SCHEMES[scheme].step(problem, (np.full(len(NODES), start),), 0.0, dt, None, True)
    return np.array([WEIGHTS @ y, WEIGHTS @ y**2])


def test_multiplicative_noise_is_of_ito_and_its_moments_are_of_weak_order_two() -> None:
    """One step's error is one power higher than that at a time."""
    a, b = -0.7, 0.9
    bank = Problem(lambda x, t: (a * x,), lambda x, t: b * x)
    theta, mu, sigma, x0 = 1.3, 1.0, 0.4, 1.5  # Cox, Ingersoll and Ross
    rates = Problem(lambda x, t: (theta * (mu - x),), lambda x, t: sigma * np.sqrt(x))

    def truth_of_bank(dt: float) -> np.ndarray:
        return np.exp(np.array([a, 2 * a + b**2]) * dt)

    def truth_of_rates(dt: float) -> np.ndarray:
        decay = np.exp(-theta * dt)
        mean = mu + (x0 - mu) * decay
        variance = sigma**2 / theta * (x0 * (decay - decay**2) + mu / 2 * (1 - decay) ** 2)
        return np.array([mean, mean**2 + variance])

    for problem, start, truth in ((bank, 1.0, truth_of_bank), (rates, x0, truth_of_rates)):
        for scheme in ("platen", "euler"):
            steps = (0.08, 0.04, 0.02)
            errors = np.array([moments_after(problem, scheme, start, dt) - truth(dt) for dt in steps])
            for moment in range(2):
                found = orders(list(np.abs(errors[:, moment])))
                np.testing.assert_allclose(found, SCHEMES[scheme].order + 1, atol=0.3)


def test_platens_step_has_strong_order_one() -> None:
    """Geometric Brownian motion from the increments of one path: x(1) = exp((a - b^2/2) + b W)."""
    a, b, rng = -0.5, 1.0, np.random.default_rng(1)
    fine = rng.normal(size=(4096, 512))
    truth, errors = np.exp(a - b**2 / 2 + b * fine.sum(1) / np.sqrt(512)), []
    for steps in (16, 32, 64):
        increments = fine.reshape(4096, steps, -1).sum(-1) / np.sqrt(512 / steps)
        y: State = (np.ones(4096),)
        for n in range(steps):
            problem = Problem(lambda x, t: (a * x,), lambda x, t: b * x, increments[:, n])
            y, _ = SCHEMES["platen"].step(problem, y, 0.0, 1 / steps, None, True)
        errors.append(float(np.mean(np.abs(y[0] - truth))))
    assert orders(errors).min() > 0.85


def test_additive_noise_makes_platens_step_that_of_heun() -> None:
    rng = np.random.default_rng(0)
    problem = Problem(lambda x, t: (np.sin(x),), lambda x, t: 0.3, rng.normal(size=50))
    y = (rng.normal(size=50),)
    (left,), _ = SCHEMES["platen"].step(problem, y, 0.0, 0.1, None, True)
    (right,), _ = SCHEMES["heun"].step(problem, y, 0.0, 0.1, None, True)
    np.testing.assert_allclose(left, right, rtol=1e-14)


def test_amplitudes_that_depend_on_time_are_of_order_two() -> None:
    """The variance of int g dW is int g^2 dt; the error of one step is of third order."""
    for scheme in ("heun", "platen"):
        problem = Problem(lambda x, t: (0 * x,), lambda x, t: np.exp(t) * np.ones_like(x))
        errors = [moments_after(problem, scheme, 0.0, dt)[1] - np.expm1(2 * dt) / 2 for dt in (0.2, 0.1, 0.05)]
        assert orders(list(np.abs(errors))).min() > 2.7


def test_between_two_steps_a_cubic_has_an_error_of_fourth_order() -> None:
    errors = []
    for dt in (0.4, 0.2, 0.1):
        ends, slopes = ((np.sin(0.0),), (np.sin(dt),)), ((np.cos(0.0),), (np.cos(dt),))
        at = np.linspace(0, 1, 21)
        found = [between(theta, dt, ends, slopes)[0] for theta in at]
        errors.append(float(np.abs(np.array(found) - np.sin(dt * at)).max()))
    assert orders(errors).min() > 3.9
