"""Figures of spiked Wigner matrices: the BBP transition (section 9 of the tutorial)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import spiked_wigner as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@lines.kind
@lines.sweep_over("strength")
def spiked(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the BBP transition of `spiked_wigner`, swept over the strength, in two panels.

    (a) Outliers of the matrix, beyond the bulk [-2, 2]; (b) the squared overlap of the eigenvector of each
    outlier with the first spike.
    """
    sigma = lines.parameters(sample)["overlaps"]
    drawn, (value, overlap) = lines.panels(2, width=5.2, height=4.2)
    for dataset, draw, colour in lines.worlds(sample, simulation, dotted=True):
        for rank in range(min(len(sigma), dataset.sizes["outlier"])):
            last = dataset.isel(time=-1, outlier=rank)
            draw(value, dataset["strength"], *lines.with_error(last, "outliers"), color=colour)
            first = last.isel(spike=0, missing_dims="ignore")
            draw(overlap, dataset["strength"], *lines.with_error(first, "spike_overlap"), color=colour)
    _theory(value, overlap, sigma, sample["strength"].values)
    value.axhspan(-2, 2, color="0.9", zorder=0)
    value.text(0, 0, "bulk", ha="center", va="center", color="0.4")
    for axes in (value, overlap):
        for threshold in [sign / lam for lam in np.linalg.eigvalsh(sigma) for sign in (-1, 1)]:
            axes.axvline(threshold, color=lines.SERIES[1], linewidth=1, linestyle=":")
        axes.set_xlabel(r"strength $\gamma$")
    value.set(ylabel="outliers of $M$", title=r"(a) outliers $z = g + 1/g$, $g = \gamma \lambda_a$, $|g| > 1$")
    overlap.set(ylabel="overlap with spike 1, squared", ylim=(-0.03, 1), title="(b) overlaps of their eigenvectors")
    lines.world_legend(value, sample, simulation, dotted=True, loc="lower right")
    return drawn


def _theory(value: Axes, overlap: Axes, sigma: list[list[float]], strengths: np.ndarray) -> None:
    """Draw outliers and overlaps of the theory against the strength, with gaps where there are none."""
    fine = np.unique(np.concatenate([np.linspace(strengths[0], strengths[-1], 401), strengths]))
    values, overlaps = np.full((2, len(fine), len(sigma)), np.nan)
    for row, strength in enumerate(fine):
        found = theory.outliers(sigma, float(strength))
        values[row, : len(found)] = found
        overlaps[row, : len(found)] = theory.spike_overlap(sigma, float(strength))[:, 0]
    for rank in range(len(sigma)):
        lines.dashes(value, fine, values[:, rank])
        lines.dashes(overlap, fine, overlaps[:, rank])
