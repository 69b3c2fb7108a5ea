"""Figures of the spherical p-spin glass, section 1.1 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    quantile,
    shades,
    spaced,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Waiting times are the last time over powers of this.
_RATIO = 4


def aging(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the aging of a spin glass below its dynamical temperature, in three panels.

    (a) C(t_w + tau, t_w) over the lag for several waiting times, with the plateau q; (b) the integrated response chi
    against C, with the slopes of equilibrium, 1/T, and of aging, X/T; (c) the energy over time, with its limit.  Theory
    are the closed equations at the time step of the run.  At a finite time step the fast modes, which relax by
    a = 1 - dt lambda in a step, have the temperature 2 a/(1 + a) T; it enters q, X and the slopes.
    """
    from sitesampler.theory import spherical_pspin

    fixed = parameters(sample)
    times, dt, p = sample["time"].values, fixed["dt"], fixed["p"]
    exact = spherical_pspin.solve(p, fixed["temperature"], dt, len(times) - 1)
    a = 1 - dt * float(sample["multiplier"][-2])
    temperature = 2 * a / (1 + a) * fixed["temperature"]
    limit = spherical_pspin.aging(p, temperature)
    with matplotlib.rc_context(STYLE):
        drawn, (decay, fdt, energy) = panels(3)
        waits = [round((len(times) - 1) / 2 / _RATIO**k) for k in range(4)][::-1]
        for wait, colour in zip(waits, shades(len(waits)), strict=True):
            _decay(decay, sample, simulation, exact.C, wait, colour)
        decay.axhline(limit.q, color="0.5", linewidth=1, linestyle=":")
        decay.text(0.8 * times[1], limit.q - 0.015, f"$q$ = {limit.q:.2f}", va="top", color="0.35")
        decay.legend(title="waiting time", loc="lower left")
        decay.set(xscale="log", ylim=(0, 1.02), xlabel=r"lag $\tau$", ylabel=r"$C(t_w + \tau, t_w)$", title="(a) aging")

        # The response of small networks is far too noisy at these times to be shown.
        _parametric(fdt, sample, None, exact)
        corner = (1 - limit.q) / temperature
        fdt.plot([1, limit.q - 0.25], [0, corner + 0.25 / temperature], color=SERIES[3], linewidth=1.2)
        fdt.plot(
            [limit.q + 0.1, 0],
            [corner - 0.1 * limit.X / temperature, corner + limit.q * limit.X / temperature],
            color=SERIES[2],
            linewidth=1.2,
        )
        fdt.text(limit.q - 0.22, corner + 0.19 / temperature, "slope $-1/T$", color=SERIES[3], ha="right", va="center")
        fdt.text(
            0.02, corner + limit.q * limit.X / temperature * 1.12, r"$t \to \infty$: slope $-X/T$", color=SERIES[2]
        )
        top = 1.8 * (corner + limit.q * limit.X / temperature)
        fdt.set(
            xlim=(0, 1),
            ylim=(0, min(top, corner + 0.3 / temperature)),
            xlabel=f"$C(t, t')$, $t$ = {times[-1]:g}",
            ylabel=r"$\chi(t, t') = \int_{t'}^t R(t, s)\, ds$",
            title="(b) fluctuation and dissipation",
        )

        _number(energy, sample, simulation, "energy", exact.energy)
        energy.axhline(limit.E_inf, color="0.5", linewidth=1, linestyle=":")
        energy.text(times[1], limit.E_inf + 0.02, rf"$E_\infty(T)$ = {limit.E_inf:.3f}", color="0.35")
        cold = spherical_pspin.threshold_energy(p)
        energy.axhline(cold, color="0.5", linewidth=1, linestyle=":")
        energy.text(times[1], cold + 0.02, f"threshold $E_\\infty(0)$ = {cold:.3f}", color="0.35")
        energy.set(xscale="log", xlabel="time $t$", ylabel="energy per spin $E$", title="(c) energy")
        world_legend(energy, sample, simulation, "closed equations", loc="upper right")
    return drawn


def equilibrium(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw a spin glass above its dynamical temperature, swept over temperature, in three panels.

    (a) C(t_w + tau, t_w) for two waiting times, one curve when in equilibrium; (b) chi against C, slope -1/T;
    (c) the energy, with -1/T.
    """
    from sitesampler.theory import spherical_pspin

    fixed = parameters(sample)
    times, dt, p = sample["time"].values, fixed["dt"], fixed["p"]
    with matplotlib.rc_context(STYLE):
        drawn, (decay, fdt, energy) = panels(3)
        values = sample["temperature"].values
        for T, colour in zip(values, shades(len(values)), strict=True):
            one = sample.sel(temperature=T)
            other = simulation.sel(temperature=T) if simulation is not None else None
            exact = spherical_pspin.solve(p, float(T), dt, len(times) - 1)
            for wait, style in ((len(times) // 4, "-"), (len(times) // 2, (0, (1, 1.2)))):
                label = f"$T$ = {T:g}" if style == "-" else ""
                _decay(decay, one, other if style == "-" else None, exact.C, wait, colour, label, linestyle=style)
            _parametric(fdt, one, other, exact, colour, colour)
            a = 1 - dt * float(one["multiplier"][-2])
            effective = 2 * a / (1 + a) * T
            fdt.axline(
                (1, 0),
                slope=-1 / effective,
                color="0.5",
                linewidth=4,
                alpha=0.45,
                zorder=1,
                label="slope $-1/T$" if values[0] == T else "",
            )
            _number(energy, one, other, "energy", exact.energy, colour, colour, f"$T$ = {T:g}")
            energy.axhline(-1 / effective, color=colour, linewidth=1, linestyle=":")
        decay.text(
            0.97,
            0.97,
            f"lines: $t_w$ = {times[len(times) // 4]:g}\ndots: $t_w$ = {times[len(times) // 2]:g}",
            transform=decay.transAxes,
            ha="right",
            va="top",
            color="0.35",
        )
        decay.legend(loc="lower left")
        decay.set(
            xscale="log",
            ylim=(-0.02, 1.02),
            xlabel=r"lag $\tau$",
            ylabel=r"$C(t_w + \tau, t_w)$",
            title="(a) equilibrium: no aging",
        )
        fdt.legend()
        fdt.set(
            xlim=(0, 1),
            ylim=(0, None),
            xlabel=f"$C(t, t')$, $t$ = {times[-1]:g}",
            ylabel=r"$\chi(t, t') = \int_{t'}^t R(t, s)\, ds$",
            title="(b) fluctuation and dissipation",
        )
        energy.set(xscale="log", xlabel="time $t$", ylabel="energy per spin $E$", title="(c) energy, dots: $-1/T$")
        world_legend(energy, sample, simulation, "closed equations", loc="upper right")
    return drawn


def _decay(
    axes: Axes,
    sample: xr.Dataset,
    simulation: xr.Dataset | None,
    exact: NDArray[Any],
    wait: int,
    colour: Any,
    label: str | None = None,
    **style: Any,
) -> None:
    times = sample["time"].values
    lags, rows = times[wait + 1 :] - times[wait], slice(wait + 1, None)
    label = f"$t_w$ = {times[wait]:.3g}" if label is None else label
    values, half = with_error(sample, "C_s")
    line(axes, lags, values[rows, wait], half[rows, wait], color=colour, label=label, **style)
    if simulation is not None and simulation.sizes["time"] > wait + 1:
        times = simulation["time"].values
        lags = times[wait + 1 :] - times[wait]
        shown = np.unique(np.searchsorted(lags, np.geomspace(lags[0], lags[-1], 10)).clip(0, len(lags) - 1))
        values, half = with_error(simulation, "C_s")
        circles(axes, lags[shown], values[rows, wait][shown], half[rows, wait][shown], color=colour)
    dashes(axes, times[wait + 1 :] - times[wait], exact[wait + 1 : len(times), wait])


def _parametric(
    axes: Axes,
    sample: xr.Dataset,
    simulation: xr.Dataset | None,
    exact: Any,
    colour: Any = SAMPLE,
    other: Any = SIMULATION,
) -> None:
    """Draw chi(t, t') against C(t, t') at the last time t."""
    dt = float(sample["time"][1] - sample["time"][0])
    for dataset in (simulation, sample):
        if dataset is None:
            continue
        R, error = dataset["R_s"].values[-1], dataset["R_s_stderr"].values[-1]
        C, chi = dataset["C_s"].values[-1], dt * np.cumsum(R[::-1])[::-1]
        half = quantile(dataset) * dt * np.sqrt(np.cumsum(error[::-1] ** 2)[::-1])
        if dataset is sample:
            line(axes, C, chi, half, color=colour)
        else:
            shown = np.unique([np.argmin(np.abs(C - c)) for c in np.linspace(0.1, 1, 10)])
            circles(axes, C[shown], chi[shown], half[shown], color=other)
    C, chi = exact.C[-1], dt * np.cumsum(exact.R[-1][::-1])[::-1]
    dashes(axes, C, chi)


def _number(
    axes: Axes,
    sample: xr.Dataset,
    simulation: xr.Dataset | None,
    name: str,
    exact: Any,
    colour: Any = SAMPLE,
    other: Any = SIMULATION,
    label: str = "",
) -> None:
    for dataset, draw, shade in ((simulation, circles, other), (sample, line, colour)):
        if dataset is not None:
            values, half = with_error(dataset, name)
            times = dataset["time"].values
            part = spaced(times, 14) if dataset is simulation else slice(1, None)
            draw(axes, times[part], values[part], half[part], color=shade, label=label if draw is line else "")
    dashes(axes, sample["time"][1:], exact[1:])
