"""Figures of the random recurrent network, section 1.2 of the tutorial."""

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
    line,
    panels,
    parameters,
    shades,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def transition(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the transition to chaos of `random_rnn_lyapunov`, swept over g, in four panels.

    (a) The potential V(c) for a few g: the decaying orbit starts at rest at c_0, V(c_0) = 0, and ends on the hill at
    c = 0; (b) C(T, T - tau) of the sampler along that orbit; (c) the variance C(T, T) against g; (d) the largest
    Lyapunov exponent against g.
    """
    from sitesampler.theory import random_rnn

    fixed, gains, last = parameters(sample), sample["g"].values, float(sample["time"][-1])
    phi, dt = fixed["phi"], fixed["dt"]
    with matplotlib.rc_context(STYLE):
        drawn, (well, orbit, variance, exponent) = panels(4, columns=2, width=5.2, height=3.9)
        chaotic = gains[gains > 1.5]
        few = chaotic[np.unique(np.linspace(0, len(chaotic) - 1, 3).round().astype(int))]
        for g, colour in zip(few, shades(len(few)), strict=True):
            c0 = random_rnn.stationary_variance(float(g), phi)
            c = np.linspace(-1, 1, 201) * c0
            well.plot(c / c0, random_rnn.potential(float(g), c0, c, phi) / c0**2, color=colour, label=f"$g$ = {g:g}")
            well.plot([1], [0], "o", color=colour, markersize=7)
            values, half = (part.sel(g=g)[-1].values[::-1] for part in with_error(sample, "C_h"))
            lags = (last - sample["time"].values)[::-1]
            line(orbit, lags, values / c0, half / c0, color=colour, label=f"$g$ = {g:g}")
            theory = random_rnn.stationary_correlation(float(g), lags, phi, dt=dt)
            dashes(orbit, lags, theory / c0)
            if simulation is not None:
                values, half = (part.sel(g=g)[-1].values[::-1] for part in with_error(simulation, "C_h"))
                early = lags < 0.4 * lags[-1]
                circles(orbit, lags[early], values[early] / c0, half[early] / c0, color=colour, most=9)
        well.annotate(
            "starts at rest at $c_0$",
            (1, 0.0002),
            (0.45, 0.0022),
            color="0.25",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "->", "color": "0.4"},
        )
        well.set_ylim(top=0.0035)
        well.axhline(0, color="0.6", linewidth=0.8)
        well.legend(loc="lower center", title="potential")
        well.set(
            xticks=(-1, -0.5, 0, 0.5, 1),
            xlabel="$c/c_0$",
            ylabel="$V(c)/c_0^2$",
            title="(a) potential and orbit: double well, $V''(0) < 0$",
        )
        orbit.set(
            xlim=(0, 0.4 * lags[-1]),
            ylim=(-0.35, 1.2),
            xlabel=r"lag $\tau$",
            ylabel=r"$C_h(T, T-\tau)/c_0$",
            title=f"(b) the orbit, $T$ = {last:g}",
        )
        orbit.legend()
        fine = np.unique(np.concatenate([gains, np.linspace(gains[0], gains[-1], 16), [1.0, 1.05]]))
        fine = fine[fine <= gains[-1]]
        for axes, name in ((variance, "C_h"), (exponent, "exponent")):
            for dataset, draw, colour in ((simulation, circles, SIMULATION), (sample, _dots, SAMPLE)):
                if dataset is not None:
                    found = with_error(dataset, name)
                    last_values = [part.isel({dim: -1 for dim in part.dims if dim != "g"}) for part in found]
                    draw(axes, dataset["g"], last_values[0], last_values[1], color=colour)
            axes.axvline(1, color=SERIES[1], linewidth=1.2, linestyle=":")
            axes.set_xlabel("gain $g$")
        dashes(variance, fine, [random_rnn.stationary_variance(float(g), phi) for g in fine])
        dashes(exponent, fine, [_exponent(float(g), phi, dt) for g in fine])
        exponent.axhline(0, color="0.6", linewidth=0.8)
        variance.set(ylabel="variance $C_h(T, T)$", title="(c) transition at $g$ = 1")
        exponent.set(ylabel=r"Lyapunov exponent $\lambda$", title="(d) largest Lyapunov exponent")
        world_legend(variance, sample, simulation, "stationary theory", dots=True, loc="upper left")
    return drawn


def _dots(axes: object, x: object, y: object, half: object, color: str) -> None:
    circles(axes, x, y, half, color=color, most=99, marker=".", markersize=9, markerfacecolor=color)  # type: ignore[arg-type]


def _exponent(g: float, phi: str, dt: float) -> float:
    from sitesampler.theory import random_rnn_lyapunov

    return random_rnn_lyapunov.lyapunov_exponent(g, phi, dt=dt)
