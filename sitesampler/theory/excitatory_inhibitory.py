r"""Two populations with random block couplings, in discrete time and for dt -> 0 (block form of Problem 3).

    h_a <- (1-dt) h_a + dt [ drive_a + sum_b ( means_ab <r_b> + J_ab r_b ) ],   r = (1 + phi(h))/2

With independent entries all h are Gaussian: their means and two-time covariances close, `recursion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory import _two_time
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._leaky import add_step, leaky_response
from sitesampler.theory._times import times_of
from sitesampler.theory.gaussian import GaussianRows, GaussianStrips, average

__all__ = ["Populations", "recursion"]


@dataclass(frozen=True)
class Populations:
    """Order parameters of both populations at steps 0..L; the first axis is the population, E then I.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
    rate, mean : ndarray, shape (2, L + 1)
        <r> and <h>.
    C_h, C_r : ndarray, shape (2, L + 1, L + 1)
        Averages <h_n h_m> and <r_n r_m>; means are not subtracted.
    """

    time: FloatArray
    rate: FloatArray
    mean: FloatArray
    C_h: FloatArray
    C_r: FloatArray


def recursion(
    gains: Sequence[Sequence[float]],
    means: Sequence[Sequence[float]],
    drive: Sequence[float],
    fraction: float,
    phi: str | Activation = "tanh",
    *,
    dt: float | None = None,
    steps: int | None = None,
    times: ArrayLike | None = None,
    initial_variance: float = 1.0,
    accuracy: float = _two_time.AIM,
) -> Populations:
    """March means and two-time covariances of h, exactly at this dt or in the limit dt -> 0.

    The limit is solved by collocation in panels of time, with errors that fall exponentially with their points and are
    measured: below ``accuracy`` times the largest value of each array, or a warning says what they are.

    Parameters
    ----------
    gains, means : (2, 2) array_like
        Entries of J_ab have variance gains_ab^2/N; means_ab multiplies the average rate of population b.
    drive : (2,) array_like
        Constant inputs.
    fraction : float
        Fraction of the neurons that is excitatory.
    phi : str or callable
        Smooth nonlinearity of the rates (1 + phi)/2.
    dt : float, optional
        Time step; none for the limit dt -> 0.
    steps : int, optional
        Number L of steps, with dt.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps.
    initial_variance : float
        Variance of the Gaussian initial state.
    accuracy : float
        Of the limit: relative error that is asked for, from 1e-9 to 0.01; the cost grows with its digits.

    Examples
    --------
    >>> both = recursion([[2, 3], [2, 3]], [[10, -10], [10, -2]], [0.4, -4], 0.8, dt=0.1, steps=20)
    >>> print(both.rate[:, 20].round(6))
    [0.448994 0.560012]
    """
    function = nonlinearity(phi)
    strength = np.asarray(gains, dtype=np.float64) ** 2 * [fraction, 1 - fraction]
    weights, inputs = np.asarray(means, dtype=np.float64), np.asarray(drive, dtype=np.float64)
    asked = times_of(dt, steps, times)

    def rates(h: FloatArray) -> FloatArray:
        return np.asarray((1 + function(h)) / 2)

    if dt is None or steps is None:
        return _limit(strength, weights, inputs, rates, initial_variance, asked, accuracy)
    rows = [GaussianRows(rates, steps + 1) for _ in range(2)]
    size = steps + 1
    mean, rate = np.zeros((2, size)), np.zeros((2, size))
    covariance, of_rates = np.zeros((2, size, size)), np.zeros((2, size, size))
    covariance[:, 0, 0] = initial_variance
    response = leaky_response(dt, size)
    for now in range(size):
        upto = slice(0, now + 1)
        for a in range(2):
            of_rates[a, now, upto] = of_rates[a, upto, now] = rows[a].row(mean[a, now], covariance[a, now, upto])
            rate[a, now] = rows[a].mean
        if now == steps:
            break
        mean[:, now + 1] = (1 - dt) * mean[:, now] + dt * (inputs + weights @ rate[:, now])
        add_step(covariance, strength @ of_rates[:, now, upto], response, dt)
    return Populations(
        time=asked,
        rate=rate,
        mean=mean,
        C_h=covariance + mean[:, :, None] * mean[:, None, :],
        C_r=of_rates,
    )


def _limit(
    strength: FloatArray,
    weights: FloatArray,
    inputs: FloatArray,
    rates: Activation,
    initial_variance: float,
    times: FloatArray,
    accuracy: float,
) -> Populations:
    def equations() -> _two_time.Equations:
        averages = [GaussianStrips(rates) for _ in range(2)]

        def close(here: slice, means: FloatArray, C: FloatArray) -> tuple[FloatArray, FloatArray]:
            products = np.stack([each.strip(here, *pair) for each, *pair in zip(averages, means, C, strict=True)])
            rate = np.stack([each.means(here) for each in averages])
            return products, inputs[:, None] + weights @ rate

        start = np.full(2, initial_variance)
        return _two_time.Equations(close=close, start=start, mixing=strength, means=np.zeros(2))

    found = _two_time.solve(equations, times, accuracy)
    mean = found.means
    variance = np.diagonal(found.C, axis1=1, axis2=2)
    rate = np.vectorize(lambda m, v: average(lambda h: rates(m + h), v))(mean, variance)
    return Populations(
        time=times, rate=rate, mean=mean, C_h=found.C + mean[:, :, None] * mean[:, None, :], C_r=found.products
    )
