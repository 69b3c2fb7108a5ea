"""Figures of spiked random matrices: the BBP transition, and spikes that a matrix makes itself (sections 9 to 11.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from sitesampler.figures.lines import (
    SAMPLE,
    SERIES,
    SIMULATION,
    STYLE,
    circles,
    dashes,
    panels,
    parameters,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def spiked(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the BBP transition of `spiked_wigner`, swept over the strength, in two panels.

    (a) The outliers against the strength, beyond the bulk [-2, 2]; (b) the squared overlap of the eigenvector of each
    outlier with the first spike.
    """
    from sitesampler.theory import spiked_wigner as theory

    sigma = parameters(sample)["overlaps"]
    strengths = sample["strength"].values
    fine = np.unique(np.concatenate([np.linspace(strengths[0], strengths[-1], 401), strengths]))
    with matplotlib.rc_context(STYLE):
        drawn, (value, overlap) = panels(2, width=5.2, height=4.2)
        count = len(sigma)
        exact_values, exact_overlaps = np.full((2, len(fine), count), np.nan)
        for row, strength in enumerate(fine):
            found = theory.outliers(sigma, float(strength))
            exact_values[row, : len(found)] = found
            exact_overlaps[row, : len(found)] = theory.spike_overlap(sigma, float(strength))[:, 0]
        for rank in range(count):
            for dataset, colour in ((simulation, SIMULATION), (sample, SAMPLE)):
                if dataset is None or rank >= dataset.sizes["outlier"]:
                    continue
                last = {"time": -1, "outlier": rank}
                solid = "white" if dataset is simulation else colour
                size = 8 if dataset is simulation else 3.5
                for axes, name in ((value, "outliers"), (overlap, "spike_overlap")):
                    values, half = (part.isel(last) for part in with_error(dataset, name))
                    if "spike" in values.dims:
                        values, half = values.isel(spike=0), half.isel(spike=0)
                    circles(
                        axes,
                        dataset["strength"],
                        values,
                        half,
                        color=colour,
                        most=99,
                        markersize=size,
                        markerfacecolor=solid,
                    )
            dashes(value, fine, exact_values[:, rank])
            dashes(overlap, fine, exact_overlaps[:, rank])
        value.axhspan(-2, 2, color="0.9", zorder=0)
        value.text(0, 0, "bulk", ha="center", va="center", color="0.4")
        thresholds = [sign / lam for lam in np.linalg.eigvalsh(sigma) for sign in (-1, 1)]
        for axes in (value, overlap):
            for threshold in thresholds:
                axes.axvline(threshold, color=SERIES[1], linewidth=1, linestyle=":")
            axes.set_xlabel(r"strength $\gamma$")
        value.set(ylabel="outliers of $M$", title=r"(a) outliers $z = g + 1/g$, $g = \gamma \lambda_a$, $|g| > 1$")
        overlap.set(ylabel="overlap with spike 1, squared", ylim=(-0.03, 1), title="(b) overlaps of their eigenvectors")
        world_legend(value, sample, simulation, dots=True, loc="lower right")
    return drawn


def evolving(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the outliers that a Wigner matrix grows itself, `evolving_spikes`, in two panels.

    (a) The outlier after each spike: naive theory takes the spikes as independent of the matrix; (b) its distance to
    the correct theory: naive theory, finite network, sampler.
    """
    from sitesampler.theory import evolving_spikes as theory

    fixed = parameters(sample)
    spikes = np.arange(1, fixed["spikes"] + 1)

    def largest(route: object) -> np.ndarray:
        found = [route(fixed["rate"], fixed["strength"], int(n)) for n in spikes]  # type: ignore[operator]
        return np.array([values[0] if len(values) else np.nan for values in found])

    exact, naive = largest(theory.outliers), largest(theory.naive_outliers)
    with matplotlib.rc_context(STYLE):
        drawn, (value, deviation) = panels(2, width=5.2, height=4.2)
        dashes(value, spikes, exact)
        value.plot(spikes, naive, "-", color=SERIES[3], marker="s", markersize=5, label="naive: independent spikes")
        apart = np.abs(naive - exact)  # none after the first spike
        deviation.plot(spikes, np.where(apart > 1e-9, apart, np.nan), "-", color=SERIES[3], marker="s", markersize=5)
        for dataset, colour, size in ((simulation, SIMULATION, 8), (sample, SAMPLE, 4)):
            if dataset is None:
                continue
            values, half = (part.isel(outlier=0) for part in with_error(dataset, "outliers"))
            solid = "white" if dataset is simulation else colour
            circles(value, spikes, values, half, color=colour, most=99, markersize=size, markerfacecolor=solid)
            gap = np.abs(values.values - exact)
            circles(
                deviation, spikes, np.maximum(gap, 1e-16), color=colour, most=99, markersize=size, markerfacecolor=solid
            )
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
        world_legend(value, sample, simulation, "exact theory", dots=True, loc="upper left")
    return drawn
