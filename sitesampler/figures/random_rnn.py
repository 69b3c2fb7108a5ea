"""Figures of the random recurrent network, section 1.2 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitesampler.figures import lines
from sitesampler.figures.overview import Theory, correlation_figure
from sitesampler.theory import random_rnn as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def chaos(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the correlation of `random_rnn` at equal times and over the lag, with theory, and some trajectories."""
    return correlation_figure(sample, simulation, stationary(sample, "h"), "h")


def stationary(sample: xr.Dataset, vector: str) -> Theory | None:
    """Return lags and the stationary correlation of h at them, None where there is no closed form."""
    fixed = lines.parameters(sample)
    if vector != "h" or fixed.get("symmetry", 0.0) != 0:
        return None
    times = sample["time"].values
    lags = (times[-1] - times)[::-1]
    try:  # at the time step of the run: the sampler is exact for the discrete-time network
        return lags, theory.stationary_correlation(fixed["g"], lags, fixed["phi"], dt=fixed["dt"])
    except ValueError:  # a nonlinearity that is not odd, not bounded, or the user's own
        return None
