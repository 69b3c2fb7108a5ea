"""Figures that fit the results of any program: correlations of a site vector, or recorded numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sitesampler.errors import InputError, listing
from sitesampler.figures.lines import (
    SAMPLE,
    SIMULATION,
    STYLE,
    THEORY_LINE,
    TIMES,
    draw_decay,
    draw_equal_times,
    draw_number,
    draw_trajectories,
    world_label,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: (lags, stationary correlation at these lags)
Theory = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


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
        `correlation_figure` where a site vector was recorded, with the stationary theory where the program has one;
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
        drawn = correlation_figure(sample, simulation, stationary_theory(sample, vector), vector)
    elif recorded_numbers(sample):
        drawn = numbers_figure(sample, simulation)
    else:
        return None
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=13)
    return drawn


def correlation_figure(
    sample: xr.Dataset, simulation: xr.Dataset | None = None, theory: Theory | None = None, vector: str = "h"
) -> Figure:
    """Draw the correlation function of a site vector in three panels.

    (a) The equal-time correlation C(t, t) over t, on one axis for sampler, simulation and stationary theory; (b) its
    decay C(T, T - tau) over the lag, from the last time T; (c) some single-site trajectories of the sampler.

    Parameters
    ----------
    sample, simulation
        Results with ``C_<vector>(time, time_)`` and its standard error.  Of inner columns and layers the last is shown.
    theory
        Lags and the stationary correlation at them, starting at lag 0.
    vector
        Name of the recorded site vector.

    Returns
    -------
    Figure
        13 by 4 inches.
    """
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(13, 4.1), layout=ConstrainedLayoutEngine(w_pad=0.1))
        equal, decay, single = drawn.subplots(1, 3)
        for dataset, colour in ((simulation, SIMULATION), (sample, SAMPLE)):
            if dataset is not None and f"C_{vector}" in dataset:
                draw_equal_times(equal, dataset, vector, color=colour, label=world_label(dataset))
                draw_decay(decay, dataset, vector, color=colour, label=world_label(dataset))
        if theory is not None:
            lags, correlation = theory
            equal.axhline(correlation[0], label="stationary theory", **THEORY_LINE)
            decay.plot(lags, correlation, label="stationary theory", **THEORY_LINE)
            _decay_on_log_scale(decay, {SIMULATION: simulation, SAMPLE: sample}, theory, vector)
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
    axes: Axes, datasets: dict[str, xr.Dataset | None], theory: Theory, vector: str, least: float = 1e-2
) -> None:
    """Draw the decay on a logarithmic inset, as far as the theory stays above `least` of its value at lag 0."""
    lags, correlation = theory
    shown = correlation > least * correlation[0]
    if shown.sum() < 3:
        return
    inset = axes.inset_axes((0.45, 0.42, 0.55, 0.55))
    for colour, dataset in datasets.items():
        if dataset is not None and f"C_{vector}" in dataset:
            draw_decay(inset, dataset, vector, color=colour, label="")
    inset.plot(lags[shown], correlation[shown], **THEORY_LINE)
    inset.set(yscale="log", ylim=(least * correlation[0], 1.5 * correlation[0]), xlim=(0, lags[shown][-1]))
    inset.tick_params(labelsize=9)


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
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(1 + 4 * columns, 0.4 + 3.6 * rows), layout="constrained")
        panels = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            for dataset, colour in ((simulation, SIMULATION), (sample, SAMPLE)):
                if dataset is not None and name in dataset:
                    draw_number(axes, dataset, name, color=colour, label=world_label(dataset))
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        panels[0].legend(title="bands: 95 %")
    return drawn


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


# ------------------------------------------------------------------------------------------------------------- theory
def _random_rnn(sample: xr.Dataset, vector: str, parameters: dict[str, Any]) -> Theory | None:
    if vector != "h" or parameters.get("symmetry", 0.0) != 0:
        return None
    from sitesampler.theory.random_rnn import stationary_correlation

    times = sample["time"].values
    lags = (times[-1] - times)[::-1]
    try:  # at the time step of the run: the sampler is exact for the discrete-time network
        return lags, stationary_correlation(parameters["g"], lags, parameters["phi"], dt=parameters["dt"])
    except ValueError:  # a nonlinearity that is not odd, not bounded, or the user's own
        return None


#: Stationary solutions by program: a function of the dataset, the vector and the parameters, None where there is none.
THEORIES: dict[str, Callable[[xr.Dataset, str, dict[str, Any]], Theory | None]] = {"random_rnn": _random_rnn}


def stationary_theory(sample: xr.Dataset, vector: str) -> Theory | None:
    """Return lags and stationary correlation of a recorded vector, where the program has a stationary theory."""
    solution = THEORIES.get(str(sample.attrs.get("program")))
    return solution(sample, vector, json.loads(sample.attrs.get("parameters", "{}"))) if solution else None
