r"""From a map to the flow, for linear dynamics: dh/dt = -M h + b from h <- h - dt (M h - b) at any one time step.

    exp(-t M) = sum_k Pois_k(t/dt) (1 - dt M)^k,     Pois_k(n) = n^k exp(-n)/k!,

so that whatever is linear in the state at time t, of the limit dt -> 0, is the average over a Poisson distribution of
what it is after k steps: correlations in each of their times, responses in their lag. The weights are positive and
nothing cancels when dt M has eigenvalues between 0 and 1. No step is small here, and the only error is rounding.
(Known for Markov chains as uniformization.)
"""

from __future__ import annotations

import numpy as np

from sitesampler.theory._hermite import FloatArray

#: Steps beyond the average number, in standard deviations of the distribution.
DEVIATIONS = 10.0


def steps_until(times: FloatArray, dt: float, growth: float = 0.0) -> int:
    """Return how many steps the averages need; `growth` is the largest rate at which modes of the flow grow."""
    most = float(np.max(times)) * (1 / dt + growth)
    return int(np.ceil(most + DEVIATIONS * np.sqrt(most) + 2 * DEVIATIONS))


def poisson(times: FloatArray, dt: float, steps: int) -> FloatArray:
    """Return the weights of steps 0..L at each time, shape (times, steps + 1).

    Examples
    --------
    >>> weights = poisson(np.array([3.0]), 0.1, 120)
    >>> print(f"{(weights @ 0.9 ** np.arange(121))[0]:.10f} {np.exp(-3.0):.10f}")
    0.0497870684 0.0497870684
    """
    from scipy.special import gammaln, xlogy

    k = np.arange(steps + 1)
    mean = np.asarray(times, dtype=np.float64)[:, None] / dt
    return np.asarray(np.exp(xlogy(k, mean) - mean - gammaln(k + 1)))
