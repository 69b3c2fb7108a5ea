"""Figures of the two-layer network that learns to classify a Gaussian mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from sitesampler.figures import lines
from sitesampler.theory import gaussian_mixture_sgd as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def one_pass(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the training of `gaussian_mixture_sgd`, in three panels: error, loss, and overlaps with the centre."""
    exact = _exact(sample)
    drawn, (error, loss, overlap) = lines.panels(3)
    for axes, name in ((error, "error"), (loss, "loss")):
        for dataset, draw, colour in lines.worlds(sample, simulation):
            draw(axes, dataset["time"], *lines.with_error(dataset, name), color=colour)
        if exact:
            lines.dashes(axes, np.arange(len(exact.loss)), getattr(exact, name))
    units = sample.sizes["hidden"]
    for unit, colour in enumerate(lines.shades(units)):
        for dataset, draw, _ in lines.worlds(sample, simulation):
            value = lines.with_error(dataset.isel(hidden=unit), "overlap")
            draw(overlap, dataset["time"], *value, color=colour, label=f"unit {unit + 1}" if dataset is sample else "")
        if exact:
            lines.dashes(overlap, np.arange(len(exact.loss)), exact.overlap[:, unit])
    error.set(yscale="log", ylabel="fraction misclassified", title="(a) error on new data")
    loss.set(yscale="log", ylabel="loss", title="(b) loss on new data")
    overlap.set(ylabel=r"$\langle m\, w_k \rangle$", title="(c) overlaps with the centre")
    for axes in (error, loss, overlap):
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    overlap.legend()
    lines.world_legend(error, sample, simulation, "recursion" if exact else None)
    return drawn


def _exact(sample: xr.Dataset) -> Any:
    """Return the recursion of the order parameters; None where it does not reach."""
    fixed = lines.parameters(sample)
    if fixed["hidden"] > 2:  # averages over as many normal variables
        return None
    names = ("alpha", "separation", "hidden", "phi", "rate", "decay", "steps")
    try:
        return theory.recursion(**{name: fixed[name] for name in names})
    except (ValueError, TypeError):  # a nonlinearity of the user's own
        return None
