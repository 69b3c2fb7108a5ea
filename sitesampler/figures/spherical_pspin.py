"""Figures of the spherical p-spin glass, section 1.1 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import spherical_pspin as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Waiting times are the last time over powers of this.
_RATIO = 4


@lines.kind
@lines.one_point
def aging(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the aging of a spin glass below its dynamical temperature, in three panels.

    (a) C(t_w + tau, t_w) over the lag for several waiting times, with the plateau q; (b) the integrated response chi
    against C, with the slopes of equilibrium, 1/T, and of aging, X/T; (c) the energy over time, with its limit.  Theory
    are the closed equations, of a map at its time step.  The fast modes of a map, which relax by a = 1 - dt lambda in a
    step, have the temperature 2 a/(1 + a) T; it enters q, X and the slopes.
    """
    fixed, times = lines.parameters(sample), sample["time"].values
    exact = theory.solve(fixed["p"], fixed["temperature"], **lines.grid(sample)[0], accuracy=lines.ACCURACY)
    temperature = _effective(sample, fixed["temperature"])
    limit = theory.aging(fixed["p"], temperature)
    drawn, (decay, fdt, energy) = lines.panels(3)
    waits = [round((len(times) - 1) / 2 / _RATIO**k) for k in range(4)][::-1]
    for wait, colour in zip(waits, lines.shades(len(waits)), strict=True):
        _decay(decay, sample, simulation, exact, wait, colour, f"$t_w$ = {times[wait]:.3g}")
    decay.axhline(limit.q, color="0.5", linewidth=1, linestyle=":")
    decay.text(0.8 * times[1], limit.q - 0.015, f"$q$ = {limit.q:.2f}", va="top", color="0.35")
    decay.legend(title="waiting time", loc="lower left")
    decay.set(ylim=(0, 1.02), title="(a) aging")
    # The response of small networks is far too noisy at these times to be shown.
    _parametric(fdt, sample, None, exact)
    _slopes(fdt, limit, temperature)
    _energy(energy, sample, simulation, exact)
    cold = theory.threshold_energy(fixed["p"])
    for level, name in ((limit.E_inf, r"$E_\infty(T)$"), (cold, r"threshold $E_\infty(0)$")):
        energy.axhline(level, color="0.5", linewidth=1, linestyle=":")
        energy.text(times[1], level + 0.02, f"{name} = {level:.3f}", color="0.35")
    energy.set_title("(c) energy")
    lines.world_legend(energy, sample, simulation, "closed equations", loc="upper right")
    return drawn


@lines.kind
@lines.sweep_over("temperature")
def equilibrium(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw a spin glass above its dynamical temperature, swept over temperature, in three panels.

    (a) C(t_w + tau, t_w) for two waiting times, one curve when in equilibrium; (b) chi against C, slope -1/T;
    (c) the energy, with -1/T.
    """
    fixed, times, temperatures = lines.parameters(sample), sample["time"].values, sample["temperature"].values
    early, late = len(times) // 4, len(times) // 2
    drawn, (decay, fdt, energy) = lines.panels(3)
    for T, colour in zip(temperatures, lines.shades(len(temperatures)), strict=True):
        one, other = sample.sel(temperature=T), None if simulation is None else simulation.sel(temperature=T)
        exact = theory.solve(fixed["p"], float(T), **lines.grid(sample)[0], accuracy=lines.ACCURACY)
        _decay(decay, one, other, exact, early, colour, f"$T$ = {T:g}")
        _decay(decay, one, None, exact, late, colour, linestyle=(0, (1, 1.2)))
        _parametric(fdt, one, other, exact, colour)
        effective = _effective(one, T)
        label = "slope $-1/T$" if temperatures[0] == T else ""
        fdt.axline((1, 0), slope=-1 / effective, color="0.5", linewidth=4, alpha=0.45, zorder=1, label=label)
        _energy(energy, one, other, exact, colour, f"$T$ = {T:g}")
        energy.axhline(-1 / effective, color=colour, linewidth=1, linestyle=":")
    note = f"lines: $t_w$ = {times[early]:g}\ndots: $t_w$ = {times[late]:g}"
    decay.text(0.97, 0.97, note, transform=decay.transAxes, ha="right", va="top", color="0.35")
    decay.legend(loc="lower left")
    decay.set(ylim=(-0.02, 1.02), title="(a) equilibrium: no aging")
    fdt.legend()
    fdt.set(ylim=(0, None))
    energy.set_title("(c) energy, dots: $-1/T$")
    lines.world_legend(energy, sample, simulation, "closed equations", loc="upper right")
    return drawn


def _effective(sample: xr.Dataset, temperature: float) -> float:
    """Return the temperature of the fast modes, which a finite time step changes in a map."""
    a = 1 - (lines.map_step(sample) or 0) * float(sample["multiplier"][-2])
    return 2 * a / (1 + a) * temperature


def _decay(
    axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, exact: Any, wait: int, colour: Any, label: str = "",
    **style: Any,
) -> None:  # fmt: skip
    """Draw C(t_w + tau, t_w) over the lag tau."""
    for dataset, draw, _ in lines.worlds(sample, simulation):
        times = dataset["time"].values
        if len(times) <= wait + 1:
            continue
        lags = times[wait + 1 :] - times[wait]
        shown = np.arange(len(lags))
        if dataset is not sample:
            shown = np.unique(np.searchsorted(lags, np.geomspace(lags[0], lags[-1], 10)).clip(0, len(lags) - 1))
        value, half = (part.values[wait + 1 :, wait][shown] for part in lines.with_error(dataset, "C_s"))
        look = {"label": label, **style} if dataset is sample else {}
        draw(axes, lags[shown], value, half, color=colour, **look)
    times = sample["time"].values
    lines.dashes(axes, times[wait + 1 :] - times[wait], exact.C[wait + 1 : len(times), wait])
    axes.set(xscale="log", xlabel=r"lag $\tau$", ylabel=r"$C(t_w + \tau, t_w)$")


def _parametric(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, exact: Any, colour: Any = None) -> None:
    """Draw chi(t, t') against C(t, t') at the last time t, in the colours of the worlds or in one."""
    weights = _weights(sample)
    for dataset, draw, own in lines.worlds(sample, simulation):
        R, error = dataset["R_s"].values[-1], dataset["R_s_stderr"].values[-1]
        C, chi = dataset["C_s"].values[-1], np.where(weights > 0, weights * R, 0).sum(1)
        half = lines.quantile(dataset) * np.sqrt(np.where(weights > 0, (weights * error) ** 2, 0).sum(1))
        shown = np.arange(len(C))
        if dataset is not sample:
            shown = np.unique([np.argmin(np.abs(C - c)) for c in np.linspace(0.1, 1, 10)])
        draw(axes, C[shown], chi[shown], half[shown], color=own if colour is None else colour)
    lines.dashes(axes, exact.C[-1], weights @ exact.R[-1])
    axes.set(
        xlim=(0, 1),
        xlabel=f"$C(t, t')$, $t$ = {float(sample['time'][-1]):g}",
        ylabel=r"$\chi(t, t') = \int_{t'}^t R(t, s)\, ds$",
        title="(b) fluctuation and dissipation",
    )


def _weights(sample: xr.Dataset) -> NDArray[Any]:
    """Return with which weights R(t, s) enters chi(t, t'), (t', s): sums over the steps of a map, else trapezoids."""
    dt, size = float(sample["time"][1] - sample["time"][0]), sample.sizes["time"]
    weights = dt * np.triu(np.ones((size, size)))
    if lines.map_step(sample) is None:
        weights[:, -1] /= 2
        np.fill_diagonal(weights, np.diag(weights) / 2)
        weights[-1, -1] = 0
    return weights


def _slopes(axes: Axes, limit: Any, temperature: float) -> None:
    """Draw the slopes of equilibrium and of aging, which meet at C = q."""
    corner = (1 - limit.q) / temperature
    end = corner + limit.q * limit.X / temperature
    fast, slow = lines.SERIES[3], lines.SERIES[2]
    axes.plot([1, limit.q - 0.25], [0, corner + 0.25 / temperature], color=fast, linewidth=1.2)
    axes.plot([limit.q + 0.1, 0], [corner - 0.1 * limit.X / temperature, end], color=slow, linewidth=1.2)
    axes.text(limit.q - 0.22, corner + 0.19 / temperature, "slope $-1/T$", color=fast, ha="right", va="center")
    axes.text(0.02, end * 1.12, r"$t \to \infty$: slope $-X/T$", color=slow)
    axes.set_ylim(0, min(1.8 * end, corner + 0.3 / temperature))


def _energy(
    axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, exact: Any, colour: Any = None, label: str = ""
) -> None:
    """Draw the energy over time, in the colours of the worlds or in one."""
    for dataset, draw, own in lines.worlds(sample, simulation):
        times = dataset["time"].values
        part = slice(1, None) if dataset is sample else lines.spaced(times, 14)
        value, half = (found[part] for found in lines.with_error(dataset, "energy"))
        name = label if dataset is sample else ""
        draw(axes, times[part], value, half, color=own if colour is None else colour, label=name)
    lines.dashes(axes, sample["time"][1:], exact.energy[1:])
    axes.set(xscale="log", xlabel="time $t$", ylabel="energy per spin $E$")
