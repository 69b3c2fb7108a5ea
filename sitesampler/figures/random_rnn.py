"""Figures of the random recurrent network, section 1.2 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sitesampler.figures import lines
from sitesampler.figures.overview import Theory, correlation_figure
from sitesampler.theory import random_rnn as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Steps of the longest run whose equations are solved for a figure, in about 5 s; later the network is stationary.
_MOST_STEPS = 2_000
#: The longest time for which the equations in continuous time are, in about 20 s.
_LONGEST = 50.0


@lines.kind
@lines.one_point
def chaos(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the correlation of `random_rnn` at equal times and over the lag, with theory, and some trajectories."""
    return correlation_figure(sample, simulation, correlation(sample, "h"), "h")


def correlation(sample: xr.Dataset, vector: str) -> Theory | None:
    """Return times, the correlation of h or phi(h) between them, and its name; None where there is no closed form."""
    fixed, times = lines.parameters(sample), sample["time"].values
    if vector not in ("h", "phi") or fixed.get("symmetry", 0.0) != 0:
        return None
    try:
        return times, *solved(fixed["g"], fixed["phi"], lines.map_step(sample), times, vector)
    except ValueError:  # a nonlinearity of the user's own
        return None


def solved(
    g: float, phi: str, dt: float | None, times: NDArray[np.float64], vector: str = "h"
) -> tuple[NDArray[np.float64], str]:
    """Return C(t, t') at the times of a run and what to call it: of runs of very many steps the stationary one.

    Raises
    ------
    ValueError
        If the equations do not close for this nonlinearity, or not in the stationary state.
    """
    steps = None if dt is None else np.rint(times / dt).astype(int)
    if steps is None and times[-1] <= _LONGEST:
        return theory.correlation(g, phi, times=times, accuracy=lines.ACCURACY)[vector == "phi"], "theory"
    if steps is not None and steps[-1] <= _MOST_STEPS:
        both = theory.correlation(g, phi, dt=dt, steps=int(steps[-1]))
        return both[vector == "phi"][np.ix_(steps, steps)], "theory"
    if vector == "phi":
        raise ValueError("the stationary theory is one of h")
    lags = np.abs(times[:, None] - times)
    known, place = np.unique(lags.round(9), return_inverse=True)
    return theory.stationary_correlation(g, known, phi, dt=dt)[place].reshape(lags.shape), "stationary theory"
