"""Figures of the random feature model, section 7 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from sitesampler.figures.lines import (
    SAMPLE,
    SERIES,
    STYLE,
    circles,
    dashes,
    line,
    panels,
    parameters,
    shades,
    spaced,
    ticks,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def double_descent(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `random_features`, swept over the width ratio N/D, in three panels.

    (a), (b) Test and train loss over time; (c) the test loss against N/D early and late: the peak of double descent at
    N = P.
    """
    from sitesampler.theory import random_features as theory
    from sitesampler.theory import random_features_flow as flow_theory

    fixed, widths, times = parameters(sample), sample["width_ratio"].values, sample["time"].values
    dt, steps = fixed["dt"], round(times[-1] / fixed["dt"])
    every = round(steps / (len(times) - 1))
    spectrum = 1.0 if fixed["spectrum"] is None else fixed["spectrum"]
    exact = {w: theory.solve(float(w), fixed["data_ratio"], fixed["noise"], dt, steps, spectrum) for w in widths}
    with matplotlib.rc_context(STYLE):
        drawn, (test, train, descent) = panels(3)
        nearest = widths[np.argmin(np.abs(widths - fixed["data_ratio"]))]
        shown = sorted({widths[0], nearest, widths[-1]})
        for width, colour in zip(shown, shades(len(shown)), strict=True):
            for axes, name in ((test, "test_loss"), (train, "train_loss")):
                values, half = (part.sel(width_ratio=width) for part in with_error(sample, name))
                label = f"$N/D$ = {width:g}" if axes is test else ""
                line(axes, times[1:], values[1:], half[1:], color=colour, label=label)
                if simulation is not None:
                    when = spaced(times)
                    values, half = (part.sel(width_ratio=width)[when] for part in with_error(simulation, name))
                    circles(axes, times[when], values, half, color=colour)
                dashes(axes, times[1:], getattr(exact[width], name)[::every][1:])
        for t, colour in zip((2.0, times[-1]), (SERIES[1], SAMPLE), strict=True):
            at = int(np.argmin(np.abs(times - t)))
            values, half = (part.isel(time=at) for part in with_error(sample, "test_loss"))
            line(descent, widths, values, half, color=colour, label=f"$t$ = {times[at]:g}")
            if simulation is not None:
                values, half = (part.isel(time=at) for part in with_error(simulation, "test_loss"))
                circles(descent, widths, values, half, color=colour, most=99)
            dashes(descent, widths, [exact[w].test_loss[at * every] for w in widths])
        if fixed["spectrum"] is None:
            fine = np.geomspace(widths[0], widths[-1], 300)
            end = [
                flow_theory.late_growth(float(w), fixed["data_ratio"], fixed["noise"])[1] + fixed["noise"] ** 2
                for w in fine
            ]
            descent.plot(fine, end, color="0.6", linewidth=1.2, label=r"$t = \infty$", zorder=1)
        descent.axvline(fixed["data_ratio"], color="0.5", linewidth=1, linestyle=":")
        top = float(np.nanmax(sample["test_loss"].values))
        descent.text(fixed["data_ratio"] * 1.05, top * 1.35, "$N = P$", color="0.35")
        test.legend()
        descent.legend(loc="upper right")
        test.set(
            xscale="log", xlabel="time $t$", ylabel="test loss", title=f"(a) test loss, $P/D$ = {fixed['data_ratio']:g}"
        )
        train.set(xscale="log", yscale="log", xlabel="time $t$", ylabel="train loss", title="(b) train loss")
        descent.set(
            xscale="log", xlabel="width $N/D$", ylabel="test loss", ylim=(0, 1.5 * top), title="(c) double descent"
        )
        ticks(descent.xaxis, [w for w in (0.15, 0.3, 0.6, 1.2, 2.5) if widths[0] <= w <= widths[-1]])
        world_legend(train, sample, simulation, loc="lower left")
    return drawn


def growth(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the late test loss of `random_features`, swept over N/D and P/D, in three panels.

    (a) The cases in which the loss grows, as t^(1/2) (eq. 73) or t^(1/3), with gradient flow continued to late times;
    (b) those in which it settles; (c) C(t, t) against R(2t + dt): equal for symmetric matrices, not here.
    """
    from sitesampler.theory import random_features as theory
    from sitesampler.theory import random_features_flow as flow_theory

    fixed, times = parameters(sample), sample["time"].values
    noise, dt, last = fixed["noise"], fixed["dt"], times[-1]
    steps = round(last / dt)
    every = round(steps / (len(times) - 1))
    late = np.geomspace(last, 1e5, 40)
    with matplotlib.rc_context(STYLE):
        drawn, (grows, settles, normal) = panels(3, height=4.4)
        drawn_at: dict[Any, int] = {grows: 0, settles: 0}
        for width in sample["width_ratio"].values:
            for data in sample["data_ratio"].values:
                exponent, factor = flow_theory.late_growth(float(width), float(data), noise)
                axes = grows if exponent > 0 else settles
                colour = (*SERIES, "#D55E00")[drawn_at[axes] % 6]
                drawn_at[axes] += 1
                point = {"width_ratio": width, "data_ratio": data}
                fate = {0.5: r"$\propto t^{1/2}$", 1 / 3: r"$\propto t^{1/3}$"}.get(exponent, f"→ {factor:.2g}")
                _growth(
                    axes,
                    sample.sel(point),
                    None if simulation is None else simulation.sel(point),
                    noise,
                    colour,
                    f"{width:g}, {data:g}: {fate}",
                )
                flow, _ = flow_theory.flow_losses(float(width), float(data), noise, late)
                exact = theory.solve(float(width), float(data), noise, dt, steps)
                dashes(axes, times[1:], exact.test_loss[::every][1:] - noise**2)
                axes.plot(late, flow - noise**2, color=colour, linewidth=1, linestyle=(0, (1, 1)))
                if exponent == 0.5 and width == data:
                    _normality(normal, sample.sel(point), exact, dt, every)
        for axes, title in ((grows, "(a) growing test loss"), (settles, "(b) settling test loss")):
            place = {"loc": "upper left"} if axes is grows else {"loc": "lower left", "ncols": 2}
            axes.legend(title="$N/D$, $P/D$: late", fontsize=9, **place)
            axes.set(xscale="log", yscale="log", xlabel="time $t$", ylabel=r"test loss $- \sigma^2$", title=title)
        normal.set(xscale="log", xlabel="time $t$", title="(c) not normal: $C(t, t') \\neq R(t + t' + dt)$")
        normal.legend()
        settles.set_ylim(bottom=0.012)
        grows.set_ylim(bottom=0.05)
        world_legend(grows, sample, simulation, loc="lower right", fontsize=9)
    return drawn


def _growth(
    axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, noise: float, colour: str, label: str
) -> None:
    values, half = with_error(sample, "test_loss")
    times = sample["time"].values
    line(axes, times[1:], values[1:] - noise**2, half[1:], color=colour, label=label)
    if simulation is not None:
        at = spaced(times)
        values, half = with_error(simulation, "test_loss")
        circles(axes, times[at], values[at] - noise**2, half[at], color=colour)


def _normality(axes: Axes, sample: xr.Dataset, exact: Any, dt: float, every: int) -> None:
    """Draw C_h(t, t), and what it would be if the matrix were symmetric."""
    times = sample["time"].values
    values, half = (np.diagonal(part.values) for part in with_error(sample, "C_h"))
    line(axes, times[1:], values[1:], half[1:], color=SAMPLE, label="sampler, $C_h(t, t)$")
    dashes(axes, times[1:], np.diagonal(exact.C0)[::every][1:], label="theory")
    lags = np.arange(1, (len(exact.R00) - 1) // 2)
    axes.plot(lags * dt, exact.R00[2 * lags + 1], color=SERIES[1], label="theory, $R(2t + dt)$")
    axes.set_ylabel("$C_h(t, t)$ and $R_h$")
