"""Figures that fit the results of any program: correlations of a site vector, or recorded numbers."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from sitesampler.errors import InputError, listing
from sitesampler.figures import lines

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Times t, C(t, t') at these, (times, times), and what to call it.
Theory = tuple["NDArray[np.float64]", "NDArray[np.float64]", str]

TIMES = ("time", "time_")
INNER = ("input", "input_", "layer")


# ------------------------------------------------------------------------------------------------------------ figures
def figure(
    sample: xr.Dataset, simulation: xr.Dataset | None = None, *, vector: str | None = None, title: str | None = None
) -> Figure | None:
    """Draw what fits the results of any program.

    Parameters
    ----------
    sample
        Result of `sitesampler.sample`.
    simulation
        Result of `sitesampler.simulate` of the same program.
    vector
        The recorded site vector to show; the first one if None.
    title
        Title of the figure.

    Returns
    -------
    Figure or None
        `correlation_figure` where a site vector was recorded, with its theory where the program has one;
        `numbers_figure` where only numbers were; None where there is nothing to draw.

    Raises
    ------
    InputError
        If the program recorded no such vector.
    """
    vectors = recorded_vectors(sample)
    if vector is not None and vector not in vectors:
        raise InputError(f"figure: the program records no site vector {vector!r}; it records {listing(vectors)}")
    if vectors:
        vector = vector or vectors[0]
        drawn = correlation_figure(sample, simulation, correlation_theory(sample, vector), vector)
    elif recorded_numbers(sample):
        drawn = numbers_figure(sample, simulation)
    else:
        return None
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=13)
    return drawn


@matplotlib.rc_context(lines.STYLE)
def correlation_figure(
    sample: xr.Dataset, simulation: xr.Dataset | None = None, theory: Theory | None = None, vector: str = "h"
) -> Figure:
    """Draw the correlation function of a site vector in three panels.

    (a) The equal-time correlation C(t, t) over t, on one axis for sampler, simulation and theory; (b) its
    decay C(T, T - tau) over the lag, from the last time T; (c) some single-site trajectories of the sampler.

    Parameters
    ----------
    sample, simulation
        Results with ``C_<vector>(time, time_)`` and its standard error.  Of inner columns and layers the last is shown.
    theory
        Times, the correlation between them, and what to call it.
    vector
        Name of the recorded site vector.

    Returns
    -------
    Figure
        13 by 4 inches.
    """
    drawn = Figure(figsize=(13, 4.1), layout=ConstrainedLayoutEngine(w_pad=0.1))
    equal, decay, single = drawn.subplots(1, 3)
    shown = [(dataset, colour) for dataset, colour in _both(sample, simulation) if f"C_{vector}" in dataset]
    for dataset, colour in shown:
        draw_equal_times(equal, dataset, vector, color=colour, label=lines.world_label(dataset))
        draw_decay(decay, dataset, vector, color=colour, label=lines.world_label(dataset))
    if theory is not None:
        times, correlation, label = theory
        lags, decayed = (times[-1] - times)[::-1], correlation[-1, ::-1]
        lines.dashes(equal, times, np.diagonal(correlation), label=label)
        lines.dashes(decay, lags, decayed, label=label)
        _decay_on_log_scale(decay, shown, (lags, decayed), vector)
    draw_trajectories(single, sample, vector)
    equal.set(xlabel="time $t$", ylabel=f"$C_{{{vector}}}(t, t)$", title="(a) equal times")
    decay.set(xlabel=r"lag $\tau$", ylabel=rf"$C_{{{vector}}}(T, T - \tau)$")
    last = float(sample["time"][-1])
    decay.set_title(f"(b) decay over the lag, $T$ = {last:g}")
    decay.axhline(0, color="0.6", linewidth=0.8)
    single.set(xlabel="time $t$", ylabel=f"${vector}(t)$", title="(c) single-site trajectories, $N = \\infty$")
    equal.legend(title="bands: 95 %")
    return drawn


def _decay_on_log_scale(
    axes: Axes,
    shown: list[tuple[xr.Dataset, str]],
    theory: tuple[NDArray[np.float64], NDArray[np.float64]],
    vector: str,
    least: float = 1e-2,
) -> None:
    """Draw the decay on a logarithmic inset, as far as the theory stays above `least` of its value at lag 0."""
    lags, correlation = theory
    large = correlation > least * correlation[0]
    if large.sum() < 3:
        return
    inset = axes.inset_axes((0.45, 0.42, 0.55, 0.55))
    for dataset, colour in shown:
        draw_decay(inset, dataset, vector, color=colour)
    lines.dashes(inset, lags[large], correlation[large])
    inset.set(yscale="log", ylim=(least * correlation[0], 1.5 * correlation[0]), xlim=(0, lags[large][-1]))
    inset.tick_params(labelsize=9)


@matplotlib.rc_context(lines.STYLE)
def numbers_figure(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the recorded numbers over time or layer, one panel each, with error bands.

    Returns
    -------
    Figure
        Up to three panels to a row.
    """
    names = recorded_numbers(sample)
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    drawn = Figure(figsize=(1 + 4 * columns, 0.4 + 3.6 * rows), layout="constrained")
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        for dataset, colour in _both(sample, simulation):
            if name in dataset:
                draw_number(axes, dataset, name, color=colour, label=lines.world_label(dataset))
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    panels[0].legend(title="bands: 95 %")
    return drawn


# ------------------------------------------------------------------------------------------------------------- curves
def draw_equal_times(axes: Axes, dataset: xr.Dataset, vector: str, **style: Any) -> None:
    """Draw C(t, t) over t with its error band."""
    value, half = lines.equal_times(_last_of(dataset), f"C_{vector}")
    lines.line(axes, dataset["time"], value, half, **style)


def draw_decay(axes: Axes, dataset: xr.Dataset, vector: str, **style: Any) -> None:
    """Draw C(T, T - tau) over the lag tau, from the last time T, with its error band."""
    value, half = (part.isel(time=-1)[::-1] for part in lines.with_error(_last_of(dataset), f"C_{vector}"))
    lines.line(axes, float(dataset["time"][-1]) - value["time_"], value, half, **style)


def draw_trajectories(axes: Axes, dataset: xr.Dataset, vector: str, count: int = 5) -> None:
    """Draw the first kept trajectories of a site vector."""
    name = f"trajectory_{vector}"
    if name in dataset:
        paths = _last_of(dataset)[name].transpose(..., "time")[:count].values
        for path, colour in zip(paths, lines.SERIES, strict=False):
            axes.plot(dataset["time"].values, path, color=colour, linewidth=1.1)


def draw_number(axes: Axes, dataset: xr.Dataset, name: str, **style: Any) -> None:
    """Draw a recorded number over time or layer with its error band."""
    along = str(dataset[name].dims[0])
    lines.line(axes, dataset[along], *lines.with_error(dataset, name), **style)
    axes.set(xlabel="time $t$" if along == "time" else along, ylabel=name.replace("_", " "))
    if along == "layer":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _both(sample: xr.Dataset, simulation: xr.Dataset | None) -> list[tuple[xr.Dataset, str]]:
    """Return what there is to draw, each as a line with a band, and its colour."""
    return [(dataset, colour) for dataset, _, colour in lines.worlds(sample, simulation)]


def _last_of(dataset: xr.Dataset) -> xr.Dataset:
    """Return the last of the inner columns and of the layers."""
    return dataset.isel({dim: -1 for dim in dataset.dims if dim in INNER})


# ------------------------------------------------------------------------------------------------------- what is there
def recorded_vectors(dataset: xr.Dataset) -> list[str]:
    """Return the names of the recorded site vectors that have a correlation over two times, in order of record."""
    names = (str(name) for name in dataset.data_vars)
    return [
        name[2:]
        for name in names
        if name.startswith("C_") and not name.endswith("_stderr") and set(TIMES) <= set(dataset[name].dims)
    ]


def recorded_numbers(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables with an error that depend on time alone or layer alone."""
    return [
        str(name)
        for name, values in dataset.data_vars.items()
        if f"{name}_stderr" in dataset and values.dims in (("time",), ("layer",))
    ]


def correlation_theory(sample: xr.Dataset, vector: str) -> Theory | None:
    """Return the correlation of a recorded vector in theory, at the times of the run, where the program has one.

    It has one if the file of its figures holds a function ``correlation`` of the dataset and the vector.
    """
    name = str(sample.attrs.get("program"))
    home = f"{__package__}.{name}"
    if not name.isidentifier() or find_spec(home) is None:
        return None
    solution = getattr(import_module(home), "correlation", None)
    return solution(sample, vector) if solution else None
