"""Figures of the perceptron that learns the labels of a teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import perceptron_flow as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def student(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the training of `perceptron_flow`, in three panels.

    (a) Train loss; (b) train and test error; (c) overlap with the teacher.  Dashes are the first steps of descent,
    by quadrature, and, with weight decay, the level of the minimum.
    """
    first, end = _exact(sample)
    drawn, (loss, error, overlap) = lines.panels(3)
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(loss, dataset["time"], *lines.with_error(dataset, "train_loss"), color=colour)
        draw(overlap, dataset["time"], *lines.with_error(dataset, "overlap"), color=colour)
        for name, shade in (("test_error", lines.SERIES[3]), ("train_error", lines.SERIES[2])):
            label = name.replace("_", " ") if dataset is sample else ""
            draw(error, dataset["time"], *lines.with_error(dataset, name), color=shade, label=label)
    for axes, name in ((loss, "train_loss"), (error, "train_error"), (error, "test_error"), (overlap, "overlap")):
        if first and hasattr(first, name):
            value = getattr(first, name)
            lines.dashes(axes, lines.parameters(sample)["dt"] * np.arange(len(value)), value)
        if end:
            axes.axhline(getattr(end, name), **lines.THEORY_LINE)
    loss.set(ylabel="train loss", title="(a) train loss")
    error.set(ylabel="fraction of wrong signs", title="(b) errors")
    overlap.set(ylabel=r"$\langle w_*\, w \rangle$", title="(c) overlap with the teacher")
    for axes in (loss, error, overlap):
        axes.set_xlabel("time $t$")
    error.legend()
    words = [word for word, there in (("first steps", first), ("minimum", end)) if there]
    lines.world_legend(loss, sample, simulation, " and ".join(words) or None)
    return drawn


def _exact(sample: xr.Dataset) -> tuple[Any, Any]:
    """Return the first steps, and the minimum, each None where it has no closed form."""
    fixed = lines.parameters(sample)
    if fixed["labels"] != "sign" or fixed["noise"] != 0:
        return None, None
    first = end = None
    if fixed["start"] == 0 and lines.map_step(sample) is not None:
        first = theory.first_steps(fixed["alpha"], fixed["dt"], fixed["loss"], fixed["decay"])
    if fixed["decay"] > 0:
        end = theory.minimum(fixed["alpha"], fixed["decay"], fixed["loss"])
    return first, end
