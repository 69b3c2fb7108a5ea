"""Figures of the random feature model, section 7 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import random_features as theory
from sitesampler.theory.random_features_flow import flow_losses, late_growth

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# ----------------------------------------------------------------------------------------------------- double descent
@lines.kind
@lines.sweep_over("width_ratio")
def double_descent(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `random_features`, swept over the width ratio N/D, in three panels.

    (a), (b) Test and train loss over time; (c) the test loss against N/D early and late: the peak of double descent at
    N = P.
    """
    fixed, widths, times = lines.parameters(sample), sample["width_ratio"].values, sample["time"].values
    data, (how, every) = fixed["data_ratio"], lines.grid(sample)
    spectrum = 1.0 if fixed["spectrum"] is None else fixed["spectrum"]
    exact = {w: theory.solve(float(w), data, fixed["noise"], spectrum=spectrum, **how) for w in widths}
    drawn, (test, train, descent) = lines.panels(3)
    shown = sorted({widths[0], widths[np.argmin(np.abs(widths - data))], widths[-1]})
    for width, colour in zip(shown, lines.shades(len(shown)), strict=True):
        for axes, name in ((test, "test_loss"), (train, "train_loss")):
            for dataset, draw, _ in lines.worlds(sample, simulation):
                at = np.arange(1, len(times)) if dataset is sample else lines.spaced(times)
                value, half = (part.sel(width_ratio=width)[at] for part in lines.with_error(dataset, name))
                label = f"$N/D$ = {width:g}" if dataset is sample else ""
                draw(axes, times[at], value, half, color=colour, label=label)
            lines.dashes(axes, times[1:], getattr(exact[width], name)[::every][1:])
    _descent(descent, sample, simulation, {w: found.test_loss[::every] for w, found in exact.items()})
    test.legend()
    test.set(xscale="log", xlabel="time $t$", ylabel="test loss", title=f"(a) test loss, $P/D$ = {data:g}")
    train.set(xscale="log", yscale="log", xlabel="time $t$", ylabel="train loss", title="(b) train loss")
    lines.world_legend(train, sample, simulation, loc="lower left")
    return drawn


def _descent(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, exact: dict[float, Any]) -> None:
    """Draw the test loss against the width, early, late and, for equal modes, after infinite time."""
    fixed, widths, times = lines.parameters(sample), sample["width_ratio"].values, sample["time"].values
    data, noise = fixed["data_ratio"], fixed["noise"]
    for t, colour in zip((2.0, times[-1]), (lines.SERIES[1], lines.SAMPLE), strict=True):
        at = int(np.argmin(np.abs(times - t)))
        for dataset, draw, _ in lines.worlds(sample, simulation):
            style = {"label": f"$t$ = {times[at]:g}"} if dataset is sample else {"most": 99}
            draw(axes, widths, *lines.with_error(dataset.isel(time=at), "test_loss"), color=colour, **style)
        lines.dashes(axes, widths, [exact[w][at] for w in widths])
    if fixed["spectrum"] is None:
        fine = np.geomspace(widths[0], widths[-1], 300)
        end = [late_growth(float(w), data, noise)[1] + noise**2 for w in fine]
        axes.plot(fine, end, color="0.6", linewidth=1.2, label=r"$t = \infty$", zorder=1)
    axes.axvline(data, color="0.5", linewidth=1, linestyle=":")
    top = float(np.nanmax(sample["test_loss"].values))
    axes.text(data * 1.05, top * 1.35, "$N = P$", color="0.35")
    axes.legend(loc="upper right")
    axes.set(xscale="log", xlabel="width $N/D$", ylabel="test loss", ylim=(0, 1.5 * top), title="(c) double descent")
    lines.ticks(axes.xaxis, [w for w in (0.15, 0.3, 0.6, 1.2, 2.5) if widths[0] <= w <= widths[-1]])


# -------------------------------------------------------------------------------------------------------- late growth
@lines.kind
@lines.sweep_over("width_ratio", "data_ratio")
def growth(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the late test loss of `random_features`, swept over N/D and P/D, in three panels.

    (a) The cases in which the loss grows, as t^(1/2) (eq. 73) or t^(1/3), with gradient flow continued to late times;
    (b) those in which it settles; (c) C(t, t) against R(2t): equal for symmetric matrices, not here.
    """
    noise, (how, every) = lines.parameters(sample)["noise"], lines.grid(sample)
    drawn, (grows, settles, normal) = lines.panels(3, height=4.4)
    drawn_at: dict[Any, int] = {grows: 0, settles: 0}
    for width in sample["width_ratio"].values:
        for data in sample["data_ratio"].values:
            exponent, factor = late_growth(float(width), float(data), noise)
            fate = {0.5: r"$\propto t^{1/2}$", 1 / 3: r"$\propto t^{1/3}$"}.get(exponent, f"→ {factor:.2g}")
            axes = grows if exponent > 0 else settles
            colour = (*lines.SERIES, lines.SIMULATION)[drawn_at[axes] % 6]
            drawn_at[axes] += 1
            point = {"width_ratio": width, "data_ratio": data}
            one, other = sample.sel(point), None if simulation is None else simulation.sel(point)
            exact = theory.solve(float(width), float(data), noise, **how)
            _growth(axes, one, other, exact.test_loss[::every], colour, f"{width:g}, {data:g}: {fate}")
            if exponent == 0.5 and width == data:
                _normality(normal, one, exact, every)
    for axes, title in ((grows, "(a) growing test loss"), (settles, "(b) settling test loss")):
        place: dict[str, Any] = {"loc": "upper left"} if axes is grows else {"loc": "lower left", "ncols": 2}
        axes.legend(title="$N/D$, $P/D$: late", fontsize=9, **place)
        axes.set(xscale="log", yscale="log", xlabel="time $t$", ylabel=r"test loss $- \sigma^2$", title=title)
    normal.set(xscale="log", xlabel="time $t$", title="(c) not normal: $C(t, t') \\neq R(t + t')$")
    normal.legend()
    settles.set_ylim(bottom=0.012)
    grows.set_ylim(bottom=0.05)
    lines.world_legend(grows, sample, simulation, loc="lower right", fontsize=9)
    return drawn


def _growth(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, exact: Any, colour: str, label: str) -> None:
    """Draw the test loss above the label noise at one size, with gradient flow beyond the last time."""
    fixed, times = lines.parameters(sample), sample["time"].values
    floor = fixed["noise"] ** 2
    for dataset, draw, _ in lines.worlds(sample, simulation):
        at = np.arange(1, len(times)) if dataset is sample else lines.spaced(times)
        value, half = (part[at] for part in lines.with_error(dataset, "test_loss"))
        draw(axes, times[at], value - floor, half, color=colour, label=label if dataset is sample else "")
    lines.dashes(axes, times[1:], exact[1:] - floor)
    late = np.geomspace(times[-1], 1e5, 40)
    width, data = float(sample["width_ratio"]), float(sample["data_ratio"])
    flow, _ = flow_losses(width, data, fixed["noise"], late)
    axes.plot(late, flow - floor, color=colour, linewidth=1, linestyle=(0, (1, 1)))


def _normality(axes: Axes, sample: xr.Dataset, exact: Any, every: int) -> None:
    """Draw C_h(t, t), and what it would be if the matrix were symmetric."""
    times = sample["time"].values
    value, half = lines.equal_times(sample, "C_h")
    lines.line(axes, times[1:], value[1:], half[1:], color=lines.SAMPLE, label="sampler, $C_h(t, t)$")
    lines.dashes(axes, times[1:], np.diagonal(exact.C0)[::every][1:], label="theory")
    shift = 0 if lines.map_step(sample) is None else 1  # the response of a map begins one step after the field
    lags = np.arange(1, (len(exact.R00) - 1) // 2)
    label = "theory, $R(2t + dt)$" if shift else "theory, $R(2t)$"
    axes.plot(exact.time[lags], exact.R00[2 * lags + shift], color=lines.SERIES[1], label=label)
    axes.set_ylabel("$C_h(t, t)$ and $R_h$")
