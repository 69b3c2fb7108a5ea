"""Figures of a Wigner matrix that makes its own spikes (sections 10 and 11.1 of the tutorial)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import evolving_spikes as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def evolving(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the outliers that a Wigner matrix grows itself, `evolving_spikes`, in two panels.

    (a) The outlier after each spike: naive theory takes the spikes as independent of the matrix; (b) its distance to
    the correct theory: naive theory, finite network, sampler.
    """
    fixed = lines.parameters(sample)
    spikes = np.arange(1, fixed["spikes"] + 1)

    def largest(outliers: Callable[[float, float, int], np.ndarray]) -> np.ndarray:
        found = [outliers(fixed["rate"], fixed["strength"], int(n)) for n in spikes]
        return np.array([values[0] if len(values) else np.nan for values in found])

    exact, naive = largest(theory.outliers), largest(theory.naive_outliers)
    drawn, (value, deviation) = lines.panels(2, width=5.2, height=4.2)
    squares: dict[str, Any] = {"color": lines.SERIES[3], "marker": "s", "markersize": 5}
    lines.dashes(value, spikes, exact)
    value.plot(spikes, naive, label="naive: independent spikes", **squares)
    apart = np.abs(naive - exact)
    deviation.plot(spikes, np.where(apart > 1e-9, apart, np.nan), **squares)  # none after the first spike
    for dataset, draw, colour in lines.worlds(sample, simulation, dotted=True):
        found, half = (part.isel(outlier=0) for part in lines.with_error(dataset, "outliers"))
        draw(value, spikes, found, half, color=colour)
        draw(deviation, spikes, np.maximum(np.abs(found - exact), 1e-16), color=colour)
        deviation.plot(spikes, half, color=colour, linewidth=1, linestyle=":")
    value.axhspan(1.9, 2, color="0.9", zorder=0)
    value.text(spikes[-1], 1.95, "edge of the bulk", ha="right", va="center", color="0.4", fontsize=9)
    value.legend(loc="lower right", bbox_to_anchor=(1, 0.08))
    value.set(ylim=(1.7, 5.8), xlabel="spikes $S$", ylabel="largest eigenvalue of $M_S$", title="(a) outlier")
    deviation.set(
        yscale="log",
        xlabel="spikes $S$",
        ylabel="distance to the exact outlier",
        title="(b) distance to theory (dots: 95 % error)",
    )
    lines.world_legend(value, sample, simulation, "exact theory", dotted=True, loc="upper left")
    return drawn
