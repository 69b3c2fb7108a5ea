r"""Gradient descent in the random feature model (eqs. 70-74), width N = nu D, P = alpha D data, D modes.

    h1 = Psi h0/sqrt(D) + eps,   h2 = (sqrt(D)/P) Psi^T h1,   h3 = A h2/sqrt(D),   h4 = (sqrt(D)/N) A^T h3,
    h0 <- h0 - dt h4,            h0(0) = w_*,                 <Psi_{mu k}^2> = lam_k

h0 = w_* - A^T w/sqrt(N) is the error, L_test = (1/D) sum_k lam_k h0_k^2 + noise^2 and L_train = |h1|^2/P.

`solve` marches the closed single-site equations, for any spectrum, exactly at this dt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._linear_flow import poisson, steps_until
from sitesampler.theory._times import times_of

__all__ = ["RandomFeatures", "solve"]

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class RandomFeatures:
    """Order parameters at steps 0..L.

    Attributes
    ----------
    time : ndarray, shape (L + 1,)
        Times k dt.
    C0, C1, C2, C3 : ndarray, shape (L + 1, L + 1)
        (1/D) sum lam h0 h0, <h1 h1>, (1/D) sum h2 h2, <h3 h3>.
    R11, R33 : ndarray, shape (L + 1,)
        Raw responses of h1 and h3 to their own fields, by lag; 1 at lag zero.
    R02, R24 : ndarray, shape (L + 1,)
        Raw responses (1/D) sum lam dh0/du2 and (1/D) sum dh2/du4, by lag; zero at lag zero, negative at small dt.
    R00 : ndarray, shape (L + 1,)
        Response density of h0, (1/D) Tr (1 - dt M)^(lag - 1).
        In the limit dt -> 0 the lags are the times that were asked for, R00 at lag zero is the value just after the
        kick, and the other responses are densities, R11 and R33 without their delta function at lag zero.
    test_loss, train_loss : ndarray, shape (L + 1,)
        C0[k, k] + noise^2 and C1[k, k], before update k.
    """

    time: FloatArray
    C0: FloatArray
    C1: FloatArray
    C2: FloatArray
    C3: FloatArray
    R11: FloatArray
    R33: FloatArray
    R02: FloatArray
    R24: FloatArray
    R00: FloatArray
    test_loss: FloatArray
    train_loss: FloatArray


def solve(
    width_ratio: float,
    data_ratio: float,
    noise: float,
    dt: float | None = None,
    steps: int | None = None,
    spectrum: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
    teacher: ArrayLike = 1.0,
    *,
    times: ArrayLike | None = None,
) -> RandomFeatures:
    """Solve the closed single-site equations of the chain h0..h4 (Problem 15), exactly at this dt or for dt -> 0.

    The limit is a Poisson average over the steps of a map, exact for linear dynamics: no error but rounding, 1e-10.

    Responses depend on the lag only, and every mode enters through one-time functions of its lam; what couples
    two times is one convolution per step, whatever the number of modes.

    Parameters
    ----------
    width_ratio, data_ratio : float
        nu = N/D and alpha = P/D.
    noise : float
        Standard deviation of the label noise.
    dt : float, optional
        Learning rate; none for the limit dt -> 0.
    steps : int, optional
        Number L of updates, with dt.
    spectrum : array_like, shape (modes,)
        Eigenvalues lam_k.
    weights : array_like, shape (modes,), optional
        Fraction of the D modes that has each lam_k; equal by default. For a trace-class spectrum give weights of
        one, with N and P themselves in place of the ratios: all sums over modes are then plain sums, the loss
        sum_k lam_k h_k^2 included (a deterministic equivalent, good to O(1/N, 1/P)).
    teacher : array_like, shape (modes,)
        w_*^2 of each mode.
    times : (L + 1,) array_like, optional
        Any times, in place of dt and steps. They cost as many steps as the fastest mode decays often.

    Raises
    ------
    ValueError
        If a ratio is not positive or the arrays do not match.

    Examples
    --------
    >>> result = solve(0.6, 0.6, noise=0.2, dt=0.05, steps=20)
    >>> f"{result.test_loss[20]:.6f} {result.train_loss[20]:.6f}"
    '0.901409 0.228039'
    >>> two = solve(0.7, 1.3, noise=0.3, dt=0.05, steps=40, spectrum=[1.5, 0.5])
    >>> f"{two.test_loss[40]:.6f} {two.train_loss[40]:.6f}"
    '0.641381 0.275914'
    """
    check_ratios(width_ratio, data_ratio)
    lam = np.atleast_1d(np.asarray(spectrum, dtype=np.float64))
    part = np.full(lam.size, 1 / lam.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if lam.ndim != 1 or part.shape != lam.shape:
        raise ValueError(f"spectrum and weights must be equally long lists, got {lam.shape} and {part.shape}.")
    signal = np.broadcast_to(np.asarray(teacher, dtype=np.float64), lam.shape)
    asked = times_of(dt, steps, times)
    if dt is None or steps is None:
        # One over a bound of the fastest rate: the product of the upper edges of both matrices.
        modes = float(part.sum())
        edges = [1 + np.sqrt(modes / ratio) for ratio in (width_ratio, data_ratio)]
        step = 1 / (float(lam.max()) * (edges[0] * edges[1]) ** 2)
        count = steps_until(asked, step)
        map_ = solve(width_ratio, data_ratio, noise, step, count, lam, part, signal)
        return _limit(map_, noise, asked)

    R11, R33, R02, R24, Q = _responses(width_ratio, data_ratio, dt, steps, lam, part)
    start = np.cumsum(Q, axis=1)  # h0 without fields: Q applied to the constant w_*
    G = np.concatenate([np.zeros((lam.size, 1)), start[:, :-1]], axis=1)  # h0 kicked by h4: Q Theta
    lower11, lower33 = _lower(R11), _lower(R33)
    A = G @ lower11.T
    B = -dt * lam[:, None] * (A @ lower33.T)
    B[:, 0] += 1.0
    passed = G @ lower33.T

    def mean(rows: FloatArray, factor: FloatArray) -> FloatArray:
        return np.asarray((part * factor * rows.T) @ rows)

    learnt = start @ lower11.T
    drift0, drift2 = mean(start, lam * signal), mean(learnt, lam**2 * signal)
    # What a covariance of h3, h1 contributes to that of h0 and h2.
    from3, from1 = mean(G, lam) * dt**2 / width_ratio, mean(passed, lam**2) * dt**2 / data_ratio
    into3, into1 = mean(A, lam**2) * dt**2 / width_ratio, mean(B, lam) / data_ratio

    count = steps + 1
    C0, C1, C2, C3 = np.zeros((4, count, count))
    kernels = [_transform(kernel) for kernel in (from3, from1, into3, into1)]
    seen1, seen3 = np.zeros((2, count, kernels[0].shape[1]), dtype=np.complex128)
    for now in range(count):
        upto, back = slice(0, now + 1), slice(now, None, -1)
        C0[now] = drift0[now] + _row(kernels[0], seen3, now, count) + _row(kernels[1], seen1, now, count)
        C1[now] = lower11 @ (R11[back] @ (C0[upto] + noise**2))
        seen1[now] = _transform(C1[now])
        C2[now] = drift2[now] + _row(kernels[2], seen3, now, count) + _row(kernels[3], seen1, now, count)
        C3[now] = lower33 @ (R33[back] @ C2[upto])
        seen3[now] = _transform(C3[now])
    return RandomFeatures(
        time=asked,
        C0=C0,
        C1=C1,
        C2=C2,
        C3=C3,
        R11=R11,
        R33=R33,
        R02=R02,
        R24=R24,
        R00=np.asarray(part @ G / part.sum()),
        test_loss=np.diag(C0) + noise**2,
        train_loss=np.diag(C1).copy(),
    )


def _limit(at_step: RandomFeatures, noise: float, times: FloatArray) -> RandomFeatures:
    """Return the flow of which this is the map."""
    dt, steps = float(at_step.time[1]), at_step.time.size - 1
    average = poisson(times, dt, steps)
    C0, C1, C2, C3 = (average @ C @ average.T for C in (at_step.C0, at_step.C1, at_step.C2, at_step.C3))
    by_lag = average[:, :-1]
    return RandomFeatures(
        time=times,
        C0=C0,
        C1=C1,
        C2=C2,
        C3=C3,
        R11=by_lag @ at_step.R11[1:] / dt,
        R33=by_lag @ at_step.R33[1:] / dt,
        R02=by_lag @ at_step.R02[1:] / dt,
        R24=by_lag @ at_step.R24[1:] / dt,
        R00=by_lag @ at_step.R00[1:],
        test_loss=np.diag(C0) + noise**2,
        train_loss=np.diag(C1).copy(),
    )


def _responses(
    nu: float, alpha: float, dt: float, steps: int, lam: FloatArray, part: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return R11, R33, R02, R24 by lag and Q by mode and lag; lag n of each needs only smaller lags of the others."""
    count = steps + 1
    R11, R33, R02, R24, loop = np.zeros((5, count))
    Q, G, A = np.zeros((3, lam.size, count))
    R11[0] = R33[0] = 1.0
    Q[:, 0] = 1.0
    for n in range(1, count):
        loop[n] = loop[n - 1] + R11[:n] @ R33[n - 1 :: -1]  # Theta R33 R11
        Q[:, n] = -dt * lam * (Q[:, :n] @ loop[n:0:-1])
        G[:, n] = G[:, n - 1] + Q[:, n - 1]
        A[:, n] = G[:, 1 : n + 1] @ R11[n - 1 :: -1]
        R02[n] = -dt * (part * lam) @ (G[:, 1 : n + 1] @ R33[n - 1 :: -1])
        R24[n] = -dt * (part * lam) @ A[:, n]
        R11[n] = R02[1 : n + 1] @ R11[n - 1 :: -1] / alpha
        R33[n] = R24[1 : n + 1] @ R33[n - 1 :: -1] / nu
    return R11, R33, R02, R24, Q


def _lower(by_lag: FloatArray) -> FloatArray:
    """Return the lower triangular matrix of a function of the lag."""
    times = np.arange(by_lag.size)
    lags = times[:, None] - times
    return np.asarray(np.where(lags >= 0, by_lag[np.maximum(lags, 0)], 0.0))


def _transform(rows: FloatArray) -> ComplexArray:
    """Return the Fourier transform of the last axis, padded so that convolutions do not wrap around."""
    return np.asarray(np.fft.rfft(rows, 2 * rows.shape[-1]))


def _row(kernel: ComplexArray, seen: ComplexArray, now: int, count: int) -> FloatArray:
    """Return row `now` of the causal convolution, in both times, of a kernel with a covariance.

    Rows of `seen` that are not known yet are zero, and so is the kernel row that they would meet.
    """
    product = np.einsum("if,if->f", kernel[: now + 1], seen[now::-1] if now else seen[:1])
    return np.asarray(np.fft.irfft(product, 2 * count)[:count])


def check_ratios(width_ratio: float, data_ratio: float) -> None:
    if not (width_ratio > 0 and data_ratio > 0):
        raise ValueError(f"the ratios N/D and P/D must be positive, got {width_ratio} and {data_ratio}.")
