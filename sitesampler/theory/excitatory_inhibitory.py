r"""Two populations with random block couplings, in discrete time (block form of Problem 3).

    h_a <- (1-dt) h_a + dt [ drive_a + sum_b ( means_ab <r_b> + J_ab r_b ) ],   r = (1 + phi(h))/2

With independent entries all h are Gaussian: their means and two-time covariances close, `recursion`.
`GaussianRows` has the averages it needs, of products of functions whose arguments are not centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitesampler.nonlinearities import Activation, nonlinearity
from sitesampler.theory._hermite import SMALLEST_DEGREE, FloatArray, coefficients, power_series

__all__ = ["GaussianRows", "Populations", "recursion"]


class GaussianRows:
    """Averages <f(h_n) f(h_m)> of a function of a Gaussian process with a mean, one row at a time.

    Parameters
    ----------
    function : callable
        f; smooth.
    size : int
        Number of times.
    """

    def __init__(self, function: Activation, size: int) -> None:
        self.function = function
        self.degree = SMALLEST_DEGREE
        self.table = np.zeros((1, size))
        self.scale = np.zeros(size)
        self.known = 0

    def row(self, mean: float, covariances: FloatArray) -> FloatArray:
        """Add a time with the given mean of h; return the averages of f there with f at all times up to it.

        Parameters
        ----------
        covariances : (now + 1,) array
            Covariances of h now with h at all times up to now.
        """
        now = self.known
        self.scale[now] = np.sqrt(covariances[now])
        latest, self.degree = coefficients(lambda x: self.function(mean + x), float(covariances[now]), self.degree)
        if len(latest) > len(self.table):
            self.table = np.pad(self.table, ((0, len(latest) - len(self.table)), (0, 0)))
        self.table[: len(latest), now] = latest
        self.known += 1
        norm = self.scale[: now + 1] * self.scale[now]
        rho = np.divide(covariances, norm, out=np.zeros_like(norm), where=norm > 0)
        weights = self.table[: len(latest), : now + 1] * latest[:, None]
        return np.asarray(power_series(weights, np.clip(rho, -1.0, 1.0)))

    @property
    def mean(self) -> float:
        """The average <f(h)> at the latest time."""
        return float(self.table[0, self.known - 1])


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
    dt: float,
    steps: int,
    initial_variance: float = 1.0,
) -> Populations:
    """March means and two-time covariances of h, exactly at this dt.

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
    dt : float
        Time step.
    steps : int
        Number L of steps.
    initial_variance : float
        Variance of the Gaussian initial state.

    Examples
    --------
    >>> both = recursion([[2, 3], [2, 3]], [[10, -10], [10, -2]], [0.4, -4], 0.8, dt=0.1, steps=20)
    >>> print(both.rate[:, 20].round(6))
    [0.448994 0.560012]
    """
    function = nonlinearity(phi)
    strength = np.asarray(gains, dtype=np.float64) ** 2 * [fraction, 1 - fraction]
    weights, inputs = np.asarray(means, dtype=np.float64), np.asarray(drive, dtype=np.float64)
    rows = [GaussianRows(lambda h: (1 + function(h)) / 2, steps + 1) for _ in range(2)]
    keep, size = 1 - dt, steps + 1
    mean, rate = np.zeros((2, size)), np.zeros((2, size))
    covariance, of_rates = np.zeros((2, size, size)), np.zeros((2, size, size))
    covariance[:, 0, 0] = initial_variance
    lags = np.subtract.outer(np.arange(size), np.arange(size))
    response = np.where(lags > 0, keep ** np.maximum(lags - 1.0, 0.0), 0.0)
    for now in range(size):
        upto = slice(0, now + 1)
        for a in range(2):
            of_rates[a, now, upto] = of_rates[a, upto, now] = rows[a].row(mean[a, now], covariance[a, now, upto])
            rate[a, now] = rows[a].mean
        if now == steps:
            break
        mean[:, now + 1] = keep * mean[:, now] + dt * (inputs + weights @ rate[:, now])
        noise = np.tensordot(strength, of_rates[:, now, upto], 1)
        # Covariance of h at all times so far with the random part of the field now (Novikov).
        field = dt * noise @ response[upto, upto].T
        covariance[:, now + 1, upto] = keep * covariance[:, now, upto] + dt * field
        covariance[:, upto, now + 1] = covariance[:, now + 1, upto]
        covariance[:, now + 1, now + 1] = (
            keep**2 * covariance[:, now, now] + 2 * dt * keep * field[:, now] + dt**2 * noise[:, now]
        )
    return Populations(
        time=np.asarray(dt * np.arange(size), dtype=np.float64),
        rate=rate,
        mean=mean,
        C_h=covariance + mean[:, :, None] * mean[:, None, :],
        C_r=of_rates,
    )
