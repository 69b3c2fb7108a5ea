r"""Linear regression by stochastic gradient descent; not in the tutorial, which has full batches (eqs. 52-69).

`one_pass` draws B = beta N fresh data at every step. `multi_pass` uses a fraction f of P = alpha N fixed data,

    h_{k+1} = h_k - dt (sqrt(N)/(f P)) Psi^T (s_k o Delta_k),      Delta_k = Psi h_k/sqrt(N) + eps,

with masks s_k in {0, 1}: a fresh random subset at every step ("independent"), or every datum once per epoch of 1/f
steps in a new random order ("reshuffled"). The masks are part of the randomness of a data site: Delta is then a
mixture of Gaussians, yet its correlations close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.regression_flow import Descent

__all__ = ["MultiPass", "OnePass", "multi_pass", "one_pass"]

# How far 1/fraction may be from a whole number.
WHOLE = 1e-9


@dataclass(frozen=True)
class OnePass(Descent):
    """A descent with fresh data at every step: the test loss is also that on the batch before it is used."""


@dataclass(frozen=True)
class MultiPass(Descent):
    """A descent with a fixed data set; all matrices have shape (L + 1, L + 1).

    Attributes
    ----------
    C_D : ndarray
        Correlation <D_k D_l> of the errors that are used, D_k = s_k Delta_k/f.
    R_h : ndarray
        Response density d h_k/d(dt u_h(l)), zero for k <= l.
    R_D : ndarray
        Raw response d D_k/d u_Delta(l), with unit diagonal.
    train_loss : ndarray, shape (L + 1,)
        <Delta_k^2> over all data, before update k.
    """

    C_D: FloatArray
    R_h: FloatArray
    R_D: FloatArray
    train_loss: FloatArray


def one_pass(batch_ratio: float, noise: float, dt: float, steps: int, size: float = np.inf) -> OnePass:
    """Solve one-pass SGD, a recursion for one number, exactly at this dt.

    Stable for dt < 2/(1 + 1/batch_ratio).

    Parameters
    ----------
    batch_ratio : float
        beta = B/N.
    noise : float
        Standard deviation of the label noise.
    dt : float
        Learning rate.
    steps : int
        Number L of updates.
    size : float
        N: a finite number gives the exact average over data at that N.

    Raises
    ------
    ValueError
        If `batch_ratio` is not positive.

    Examples
    --------
    >>> print(one_pass(batch_ratio=1.5, noise=0.3, dt=0.4, steps=10).test_loss[[1, 4, 10]].round(6))
    [0.566267 0.154573 0.108481]
    """
    if not batch_ratio > 0:
        raise ValueError(f"batch_ratio = B/N must be positive, got {batch_ratio}.")
    square = np.ones(steps + 1)
    # <|Psi^T Psi h|^2> of B fresh rows: |h|^2 times B^2 + B (N + 1).
    fed_back = (1 + 1 / size) / batch_ratio
    for k in range(steps):
        square[k + 1] = ((1 - dt) ** 2 + dt**2 * fed_back) * square[k] + dt**2 * noise**2 / batch_ratio
    times = np.arange(steps + 1)
    lag = np.abs(times[:, None] - times)
    return OnePass(
        time=np.asarray(dt * times, dtype=np.float64),
        C_h=np.asarray((1 - dt) ** lag * square[np.minimum(times[:, None], times)]),
        test_loss=square + noise**2,
    )


def multi_pass(
    alpha: float, noise: float, dt: float, steps: int, fraction: float, reshuffled: bool = False
) -> MultiPass:
    """Solve multi-pass SGD step by step, exactly at this dt; fraction 1 is full-batch `regression_flow.solve`.

    Parameters
    ----------
    alpha : float
        Data per dimension, P/N.
    noise : float
        Standard deviation of the label noise.
    dt : float
        Learning rate.
    steps : int
        Number L of updates.
    fraction : float
        f, the part of the data in a batch; with `reshuffled` 1/f must be a whole number.
    reshuffled : bool
        Use every datum once per epoch of 1/f steps, in a new order each time; otherwise draw a random subset
        at every step (of fixed size or by a coin per datum: the limit is the same).

    Raises
    ------
    ValueError
        If alpha or fraction make no sense.

    Examples
    --------
    >>> result = multi_pass(alpha=1.5, noise=0.3, dt=0.25, steps=20, fraction=1 / 3, reshuffled=True)
    >>> f"{result.test_loss[20]:.6f} {result.train_loss[20]:.6f}"
    '0.230666 0.046387'
    """
    if not alpha > 0:
        raise ValueError(f"alpha = P/N must be positive, got {alpha}.")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie in (0, 1], got {fraction}.")
    epoch = round(1 / fraction) if reshuffled else 1
    if reshuffled and abs(epoch * fraction - 1) > WHOLE:
        raise ValueError(f"reshuffled epochs need 1/fraction to be a whole number, got fraction = {fraction}.")
    count = steps + 1
    R_h, R_D, K = np.zeros((3, count, count))
    C_h, C_D, X, V = np.zeros((4, count, count))
    seen = np.zeros((count, count))  # C_h + noise^2, what Delta sees of h and of its label
    drift = np.ones(count)  # h without the field u_h
    train_loss = np.zeros(count)
    for now in range(count):
        upto, before = slice(0, now + 1), slice(0, now)
        earlier = slice(0, epoch * (now // epoch))  # earlier epochs
        own, own_upto = slice(earlier.stop, now), slice(earlier.stop, now + 1)
        if now:
            last = now - 1
            R_h[now, before] = R_h[last, before] - dt * (R_D[last, before] @ R_h[before, before])
            R_h[now, last] += 1.0
            drift[now] = drift[last] - dt * (R_D[last, before] @ drift[before])
        kicked = R_h[now, before] @ C_D[before, before]
        row = drift[now] * drift[upto] + dt**2 / alpha * (R_h[upto, before] @ kicked)
        C_h[now, upto] = C_h[upto, now] = row
        seen[now, upto] = seen[upto, now] = row + noise**2
        # Responses average over the mask, which is independent of Delta except for the epoch's own earlier steps:
        # a datum used there is not used now.
        K[now, before] = dt / alpha * R_h[now, before]
        R_D[now, earlier] = -K[now, earlier] @ R_D[earlier, earlier]
        R_D[now, now] = 1.0
        # X, the covariance of Delta without its epoch's own steps, is the same sum as C_D with V = 0 there.
        row = R_D[upto, upto] @ ((seen[upto, upto] + V[upto, upto]) @ R_D[now, upto])
        X[now, own_upto] = X[own_upto, now] = row[own_upto]
        used = K[now, own]
        train_loss[now] = X[now, now] - 2 * used @ X[now, own] + used**2 @ np.diag(X)[own] / fraction
        V[now, own] = V[own, now] = -X[now, own]
        V[now, now] = (1 / fraction - 1) * X[now, now]
        row[own_upto] += V[now, own_upto]
        C_D[now, upto] = C_D[upto, now] = row
    times = np.arange(count)
    return MultiPass(
        time=np.asarray(dt * times, dtype=np.float64),
        C_h=C_h,
        C_D=C_D,
        R_h=R_h,
        R_D=R_D,
        test_loss=np.diag(seen).copy(),
        train_loss=train_loss,
    )
