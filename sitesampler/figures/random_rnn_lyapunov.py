"""Figures of the transition to chaos of the random recurrent network, section 1.2 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.figures.random_rnn import solved
from sitesampler.theory import random_rnn as theory
from sitesampler.theory.random_rnn_lyapunov import lyapunov_exponent

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@lines.kind
@lines.sweep_over("g")
def transition(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the transition to chaos of `random_rnn_lyapunov`, swept over g, in four panels.

    (a) The potential V(c) for a few g: the decaying orbit starts at rest at c_0, V(c_0) = 0, and ends on the hill at
    c = 0; (b) C(T, T - tau) of the sampler along that orbit, with theory for the same time T; (c) the variance C(T, T)
    against g, with theory for T; (d) the largest Lyapunov exponent against g, with that of the stationary state.
    """
    fixed, gains = lines.parameters(sample), sample["g"].values
    phi, dt = fixed["phi"], lines.map_step(sample)
    drawn, (well, orbit, variance, exponent) = lines.panels(4, columns=2, width=5.2, height=3.9)
    chaotic = gains[gains > 1.5]
    few = chaotic[np.unique(np.linspace(0, len(chaotic) - 1, 3).round().astype(int))]
    _potential(well, few, phi)
    _orbit(orbit, sample, simulation, few)
    for axes, name in ((variance, "C_h"), (exponent, "exponent")):
        for dataset, draw, colour in lines.worlds(sample, simulation, dotted=True):
            late = [part.isel({dim: -1 for dim in part.dims if dim != "g"}) for part in lines.with_error(dataset, name)]
            draw(axes, dataset["g"], *late, color=colour)
        axes.axvline(1, color=lines.SERIES[1], linewidth=1.2, linestyle=":")
        axes.set_xlabel("gain $g$")
    fine = np.unique(np.concatenate([gains, np.linspace(gains[0], gains[-1], 16), [1.0, 1.05]]))
    fine = fine[fine <= gains[-1]]
    last = sample["time"].values[[-1]]
    lines.dashes(variance, fine, [float(solved(float(g), phi, dt, last)[0][0, 0]) for g in fine])
    lines.dashes(exponent, fine, [lyapunov_exponent(float(g), phi, dt=dt) for g in fine])
    exponent.axhline(0, color="0.6", linewidth=0.8)
    variance.set(ylabel="variance $C_h(T, T)$", title="(c) transition at $g$ = 1")
    exponent.set(ylabel=r"Lyapunov exponent $\lambda$", title="(d) largest Lyapunov exponent")
    lines.world_legend(variance, sample, simulation, "theory", dotted=True, loc="upper left")
    return drawn


def _potential(axes: Axes, gains: Any, phi: str) -> None:
    """Draw the potential at these gains, and where the orbits start."""
    for g, colour in zip(gains, lines.shades(len(gains)), strict=True):
        c0 = theory.stationary_variance(float(g), phi)
        c = np.linspace(-1, 1, 201) * c0
        axes.plot(c / c0, theory.potential(float(g), c0, c, phi) / c0**2, color=colour, label=f"$g$ = {g:g}")
        axes.plot([1], [0], "o", color=colour, markersize=7)
    axes.annotate(
        "starts at rest at $c_0$",
        (1, 0.0002),
        (0.45, 0.0022),
        color="0.25",
        ha="center",
        va="center",
        arrowprops={"arrowstyle": "->", "color": "0.4"},
    )
    axes.set_ylim(top=0.0035)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.legend(loc="lower center", title="potential")
    axes.set(
        xticks=(-1, -0.5, 0, 0.5, 1),
        xlabel="$c/c_0$",
        ylabel="$V(c)/c_0^2$",
        title="(a) potential and orbit: double well, $V''(0) < 0$",
    )


def _orbit(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, gains: Any) -> None:
    """Draw the correlation over the lag at these gains, as far as it decays."""
    fixed, last = lines.parameters(sample), float(sample["time"][-1])
    lags = (last - sample["time"].values)[::-1]
    for g, colour in zip(gains, lines.shades(len(gains)), strict=True):
        c0 = theory.stationary_variance(float(g), fixed["phi"])
        for dataset, draw, _ in lines.worlds(sample, simulation):
            value, half = (part.values[-1, ::-1] / c0 for part in lines.with_error(dataset.sel(g=g), "C_h"))
            shown = slice(None) if dataset is sample else lags < 0.4 * lags[-1]
            style: dict[str, Any] = {"label": f"$g$ = {g:g}"} if dataset is sample else {"most": 9}
            draw(axes, lags[shown], value[shown], half[shown], color=colour, **style)
        exact, _ = solved(float(g), fixed["phi"], lines.map_step(sample), sample["time"].values)
        lines.dashes(axes, lags, exact[-1, ::-1] / c0)
    axes.legend()
    axes.set(
        xlim=(0, 0.4 * lags[-1]),
        ylim=(-0.35, 1.2),
        xlabel=r"lag $\tau$",
        ylabel=r"$C_h(T, T-\tau)/c_0$",
        title=f"(b) the orbit, $T$ = {last:g}",
    )
