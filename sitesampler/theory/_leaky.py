"""Leaky units that Gaussian noise drives, h <- (1-dt) h + dt xi: how their two-time covariance grows by a step."""

from __future__ import annotations

import numpy as np

from sitesampler.theory._hermite import FloatArray


def leaky_response(dt: float, size: int) -> FloatArray:
    """Return the response density d h_n/d(dt xi_m) = (1-dt)^(n-m-1), zero for n <= m.

    Examples
    --------
    >>> print(leaky_response(0.5, 3))
    [[0.  0.  0. ]
     [1.  0.  0. ]
     [0.5 1.  0. ]]
    """
    times = np.arange(size)
    lags = times[:, None] - times
    return np.asarray(np.where(lags > 0, (1 - dt) ** np.maximum(lags - 1.0, 0.0), 0.0))


def add_step(covariance: FloatArray, noise: FloatArray, response: FloatArray, dt: float) -> None:
    """Write the next row and column of the covariance of h, whose initial state is independent of the noise.

    Parameters
    ----------
    covariance : ndarray, shape (..., size, size)
        <h_n h_m>, known for n, m <= now; leading axes are populations.
    noise : ndarray, shape (..., now + 1)
        <xi_now xi_m> for m <= now.
    response : ndarray, shape (size, size)
        From `leaky_response`.
    dt : float
        Time step.
    """
    keep, following = 1 - dt, noise.shape[-1]
    now, upto = following - 1, slice(0, following)
    # Covariance of h at all times so far with the noise now, by Novikov's lemma.
    field = dt * noise @ response[upto, upto].T
    row = keep * covariance[..., now, upto] + dt * field
    covariance[..., following, upto] = covariance[..., upto, following] = row
    covariance[..., following, following] = (
        keep**2 * covariance[..., now, now] + 2 * dt * keep * field[..., now] + dt**2 * noise[..., now]
    )
