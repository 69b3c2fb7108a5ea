r"""Two-time equations in continuous time, dt -> 0: correlations and responses by collocation in panels of time.

    dC(t, t')/dt = -l(t) C(t, t') + int_0^t ds K(t, s) C(s, t') + int_0^t' ds D(t, s) R(t', s)
    dR(t, t')/dt = -l(t) R(t, t') + int_t'^t ds K(t, s) R(s, t'),                R(t', t') = 1

D is the covariance of the noise and K the kernel of the memory, both functions of C, R and of one-time means, dm/dt =
-m + drive. The leak l is 1, or what keeps the spins on a sphere, C(t, t) = 1, at a temperature.

Time is cut into panels of equal length. In every pair of panels C and R, taken at t >= t', are polynomials in both
times through Chebyshev points: smooth where they have their cusp or jump, at t = t', because there each is continued
from its own side, by the same equations with integrals that run backwards. The panels are marched through; within one
the integral equations are iterated until they stand still, which takes about as many passes as a Taylor series.
The error falls exponentially with the points of a panel, so `solve` finds it from two numbers of points.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.polynomial import legendre

from sitesampler.theory._hermite import FloatArray
from sitesampler.vectors.threads import one_blas_thread

#: Relative error that is asked for: a larger one deserves a warning.
AIM = 1e-6
#: Points of a panel at that error, more for each decade, and fewer in the solution that it is compared with.
POINTS, PER_DECADE, FEWER = 13, 2, 3
#: How often panels are halved.
HALVINGS = 3
#: Panels whose columns of a triangular matrix are multiplied at once.
CHUNK = 24
#: Passes over a panel: change at which they end, relative and over the error, and how many at most.
STILL, PASSES = 1e-2, 200


@dataclass(frozen=True)
class Equations:
    """What distinguishes a system.

    Attributes
    ----------
    close : callable
        From the points `here`, a slice, the means there, (k, points), and the correlations of them with all points up
        to their last, (populations, points, all), to the averages of products, shaped like the latter, of which the
        noise is made, and to the drives of the means.
    start : ndarray, shape (populations,)
        C(0, 0).
    mixing : ndarray, shape (populations, populations)
        D = mixing @ products.
    means : ndarray, shape (k,)
        At time zero.
    memory : callable, optional
        From C and R to the kernel K, of one population; none without it.
    temperature : float, optional
        On the sphere; without it the leak is 1.
    panel : float
        Longest panel to begin with.
    """

    close: Callable[[slice, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    start: FloatArray
    mixing: FloatArray
    means: FloatArray = field(default_factory=lambda: np.zeros(0))
    memory: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    temperature: float | None = None
    panel: float = 1.0


@dataclass(frozen=True)
class Solution:
    """Order parameters at the times that were asked for, in their order.

    Attributes
    ----------
    C : ndarray, shape (populations, times, times)
    products : ndarray, shape (populations, times, times)
    R : ndarray, shape (times, times)
        One at equal times, zero before.
    means, drives : ndarray, shape (k, times)
    power : ndarray, shape (populations, times)
        <h F> of the state with all forces but the leak, without white noise.
    error : float
        Largest difference to the solution with fewer points, over the largest value, of any of these.
    """

    C: FloatArray
    products: FloatArray
    R: FloatArray
    means: FloatArray
    drives: FloatArray
    power: FloatArray
    error: float = 0.0


def solve(build: Callable[[], Equations], times: FloatArray, accuracy: float = AIM) -> Solution:
    """Solve the equations up to the last of the times, with panels halved until the error is below the accuracy.

    Raises
    ------
    ValueError
        If the accuracy is not between 1e-9 and 0.01.

    Warns
    -----
    RuntimeWarning
        If the error remains above the accuracy; the message states it.
    """
    if not 1e-9 <= accuracy <= 0.01:
        raise ValueError(f"the accuracy must be a number from 1e-9 to 0.01, not {accuracy}.")
    many, still = POINTS + round(PER_DECADE * np.log10(AIM / accuracy)), STILL * accuracy
    duration = float(times.max())
    for halving in range(HALVINGS + 1):
        equations = build()
        panels = max(1, int(np.ceil(duration / equations.panel))) * 2**halving
        length = duration / panels or equations.panel
        # Passes may diverge, and the panel is halved; threads wait for each other longer than a product takes.
        with np.errstate(over="ignore", invalid="ignore"), one_blas_thread():
            rough = _March(equations, panels, length, many - FEWER, still).at(times)
            fine = _March(build(), panels, length, many, still).at(times)
        error = max(_difference(getattr(fine, name), getattr(rough, name)) for name in ("C", "products", "R", "means"))
        if error <= accuracy:
            break
    if not error <= accuracy:
        warnings.warn(
            f"the two-time equations are solved to a relative error of {error:.1e} only: shorter times have less.",
            RuntimeWarning,
            stacklevel=3,
        )
    return Solution(**{**vars(fine), "error": error})


def _difference(fine: FloatArray, rough: FloatArray) -> float:
    return float(np.max(np.abs(fine - rough), initial=0.0) / np.max(np.abs(fine), initial=1e-300))


class _March:
    """The solution at the points of all panels, one panel after the other.

    Rows of a panel are complete up to its own columns. `weighted_*` hold C and R times weights of integration over the
    inner time, rows: int K(t, s) C(s, t') ds = K @ weighted_C, and so on.
    """

    def __init__(self, equations: Equations, panels: int, length: float, points: int, still: float) -> None:
        self.equations, self.length, self.points, self.panels = equations, length, points, panels
        self.still = still
        x = -np.cos(np.pi * np.arange(points) / (points - 1))
        self.to_legendre = np.linalg.inv(legendre.legvander(x, points - 1))
        table = legendre.legvander(x, points)
        degree = np.arange(1, points)
        integrals = np.column_stack([x + 1, (table[:, 2:] - table[:, :-2]) / (2 * degree + 1)])
        # From the beginning of the panel to each point, and to its end.
        self.upto = length / 2 * integrals @ self.to_legendre
        self.full = self.upto[-1]
        self.nodes = ((np.arange(panels)[:, None] + (x + 1) / 2) * length).ravel()
        size, populations = self.nodes.size, equations.start.size
        self.C, self.products = np.zeros((2, populations, size, size))
        self.R, self.weighted_response, self.weighted_R = np.zeros((3, size, size))
        self.weighted_C = np.zeros_like(self.C)
        self.means, self.drives = np.zeros((2, equations.means.size, size))
        self.power = np.zeros((populations, size))
        for panel in range(panels):
            self._advance(slice(panel * points, (panel + 1) * points))

    def _advance(self, here: slice) -> None:
        """Iterate the equations in one panel, from the last values before it."""
        every, points = slice(0, here.stop), self.points
        if here.start:
            before, last = slice(0, here.start), here.start - 1
            first_C, first_R, first_means = self.C[:, last, before], self.R[last, before], self.means[:, last]
            first_square = self.C[:, last, last]
        else:
            first_square, first_means = self.equations.start, self.equations.means
            first_C, first_R = np.zeros((first_square.size, 0)), np.zeros(0)
        C = np.concatenate([first_C, np.tile(first_square[:, None], points)], axis=-1)[:, None] + np.zeros((points, 1))
        R = np.concatenate([first_R, np.ones(points)]) + np.zeros((points, 1))
        means = first_means[:, None] + np.zeros(points)
        temperature = self.equations.temperature
        for _ in range(PASSES):
            products, drive, force, push = self._forces(here, means, C, R)
            power = np.diagonal(force[..., here], axis1=-2, axis2=-1)
            leak = np.ones(points) if temperature is None else temperature + power[0]
            if temperature is None:
                lost = power - leak * np.diagonal(C[..., here], axis1=-2, axis2=-1)
                square = first_square[:, None] + 2 * lost @ self.upto.T
            else:
                square = np.ones((1, points))
            new_C = self._integrated(first_C, square, force, leak)
            new_R = self._integrated(first_R, np.ones(points), push, leak)
            new_means = first_means[:, None] + (drive - means) @ self.upto.T
            change = max(_difference(*pair) for pair in ((new_C, C), (new_R, R), (new_means, means)))
            C, R, means = new_C, new_R, new_means
            if not change > self.still:
                break
        self.C[:, here, every], self.R[here, every], self.products[:, here, every] = C, R, products
        self.means[:, here], self.drives[:, here], self.power[:, here] = means, drive, power
        self._weigh(here)

    def _forces(
        self, here: slice, means: FloatArray, C: FloatArray, R: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return products and drives, and what drives C and R: the integrals of the equations."""
        before, start, upto = slice(0, here.start), here.start, self.upto
        weights = np.tile(self.full, start // self.points)
        products, drive = self.equations.close(here, means, C)
        noise = np.tensordot(self.equations.mixing, products, 1)
        C_past, C_now, R_past, R_now = C[..., :start], C[..., start:], R[:, :start], R[:, start:]
        past, now = noise[..., :start], noise[..., start:]
        force = np.empty_like(C)
        force[..., :start] = self._triangular(past, self.weighted_response, upper=True)
        force[..., start:] = past @ (weights * R_past).T + now @ (upto * R_now).T
        push = np.zeros_like(R)
        if self.equations.memory is not None:
            kernel = self.equations.memory(C[0], R)
            past, now = kernel[:, :start], kernel[:, start:]
            partly = upto * now
            force[..., :start] += past @ self.weighted_C[:, before, before] + partly @ C_past
            force[..., start:] += past @ np.swapaxes(weights * C_past, -1, -2) + now @ np.swapaxes(upto * C_now, -1, -2)
            force[..., start:] += partly @ C_now - now @ (upto.T * C_now)
            push[:, :start] = self._triangular(past, self.weighted_R, upper=False) + partly @ R_past
            push[:, start:] = partly @ R_now - now @ (upto.T * R_now)
        return products, drive, force, push

    def _triangular(self, past: FloatArray, matrix: FloatArray, upper: bool) -> FloatArray:
        """Return past @ matrix, whose rows after the panel of a column are zero, or those before it."""
        found = np.empty_like(past)
        size = past.shape[-1]
        for first in range(0, size, CHUNK * self.points):
            last = min(first + CHUNK * self.points, size)
            rows = slice(0, last) if upper else slice(first, size)
            found[..., first:last] = past[..., rows] @ matrix[rows, first:last]
        return found

    def _integrated(self, first: FloatArray, diagonal: FloatArray, force: FloatArray, leak: FloatArray) -> FloatArray:
        """Solve dx/dt = force - leak x in the later time, from the panel's beginning or, within it, from t = t'."""
        known = first.shape[-1]
        one = np.eye(self.points)
        solved = np.empty_like(force)
        started = first[..., None, :] + self.upto @ force[..., :known]
        solved[..., :known] = np.linalg.inv(one + self.upto * leak) @ started
        # Integrals from t_l, one matrix for each column l.
        inner = self.upto @ force[..., known:]
        inner += (diagonal - np.diagonal(inner, axis1=-2, axis2=-1))[..., None, :]
        matrices = np.linalg.inv(one + (self.upto - self.upto[:, None, :]) * leak)
        solved[..., known:] = np.einsum("lim,...ml->...il", matrices, inner)
        return solved

    def _weigh(self, here: slice) -> None:
        """Add the panel to the matrices of integrals over the inner time."""
        before, full, upto = slice(0, here.start), self.full, self.upto
        weights = np.tile(full, here.start // self.points)
        R = self.R[here, here]
        self.weighted_response[before, here] = (weights * self.R[here, before]).T
        self.weighted_response[here, here] = (upto * R).T
        if self.equations.memory is None:
            return
        rest = (full - upto).T
        C, C_past = self.C[:, here, here], self.C[:, here, before]
        self.weighted_R[here, before] = full[:, None] * self.R[here, before]
        self.weighted_R[here, here] = rest * R
        self.weighted_C[:, here, before] = full[:, None] * C_past
        self.weighted_C[:, before, here] = np.swapaxes(weights * C_past, -1, -2)
        self.weighted_C[:, here, here] = np.swapaxes(upto * C, -1, -2) + rest * C

    def at(self, times: FloatArray) -> Solution:
        """Return the solution at any times of the panels, by its own polynomials."""
        panel = np.clip((times / self.length).astype(int), 0, self.panels - 1)
        rows = legendre.legvander(2 * (times / self.length - panel) - 1, self.points - 1) @ self.to_legendre
        values = np.zeros((times.size, self.nodes.size))
        for index, row in enumerate(rows):
            values[index, panel[index] * self.points : (panel[index] + 1) * self.points] = row
        later = times[:, None] >= times

        def both(table: FloatArray) -> FloatArray:
            found = values @ table @ values.T
            return np.where(later, found, np.swapaxes(found, -1, -2))

        return Solution(
            C=both(self.C),
            products=both(self.products),
            R=np.where(later, values @ self.R @ values.T, 0.0),
            means=self.means @ values.T,
            drives=self.drives @ values.T,
            power=self.power @ values.T,
        )
