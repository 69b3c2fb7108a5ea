"""Figures of one program at several sizes: how what finite networks show scatters from one to the next (section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@lines.kind
@lines.sweep_over("simulate.size")
def fluctuations(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw how C(t, t) fluctuates between networks of size N, swept, in three panels.

    (a) C(t, t) of single sizes and of N = infinity; (b) N times its variance over networks, over time; (c) its standard
    deviation at the last time against N.  The linear GOE flow has a closed form.
    """
    if simulation is None or "size" not in simulation.dims:
        raise ValueError("this figure needs simulations swept over simulate.size.")
    name = next(str(name) for name in sample.data_vars if str(name).startswith("C_"))
    times, sizes, replicas = sample["time"].values, simulation["size"].values, int(simulation.attrs["replicas"])
    C, half = lines.equal_times(simulation, name)
    variance = (half / lines.quantile(simulation)) ** 2 * replicas
    relative = 1.96 * np.sqrt(2 / (replicas - 1))  # half the interval of a variance, as a part of it
    exact = _closed_form(sample)
    drawn, (mean, over_time, scaling) = lines.panels(3)
    _scatter(mean, sample, name, sizes, C, variance)
    shift = np.linspace(-0.2, 0.2, len(sizes)) * (times[1] - times[0])  # so that bars do not hide each other
    for size, spread, moved, colour in zip(sizes, variance, shift, lines.shades(len(sizes)), strict=True):
        bars, label = size * spread * relative, f"$N$ = {size:,}"
        lines.circles(over_time, times + moved, size * spread, bars, color=colour, most=99, label=label)
    last = np.sqrt(variance[:, -1])
    lines.circles(scaling, sizes, last, last * relative / 2, color=lines.SIMULATION)
    if exact is not None:
        lines.dashes(over_time, times, exact, label="theory, " + _words(sample))
        lines.dashes(scaling, sizes, np.sqrt(exact[-1] / sizes), label="theory")
        over_time.set_yscale("log")
    else:
        pooled = np.exp(np.mean(np.log(sizes * last**2)))
        scaling.plot(sizes, np.sqrt(pooled / sizes), color="0.5", linewidth=1, label=r"$\propto N^{-1/2}$")
    symbol = f"C_{{{name[2:]}}}"
    mean.set(xlabel="time $t$", ylabel=f"${symbol}(t, t)$", title="(a) mean and scatter of networks")
    over_time.set(xlabel="time $t$", ylabel=f"$N\\,$Var$\\,{symbol}(t, t)$", title="(b) variance, times $N$")
    scaling.set(
        xscale="log",
        yscale="log",
        xlabel="size $N$",
        ylabel=f"s.d. of ${symbol}(T, T)$",
        title=f"(c) scatter against size, $T$ = {times[-1]:g}",
    )
    mean.legend(loc="upper left")
    over_time.legend()
    scaling.legend()
    lines.ticks(scaling.xaxis, sizes)
    low, high = scaling.get_ylim()
    lines.ticks(scaling.yaxis, [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2) if low < tick < high])
    return drawn


def _closed_form(sample: xr.Dataset) -> NDArray[Any] | None:
    """Return N Var C(t, t) at the times of a dataset, where the program has a closed form."""
    if sample.attrs["program"] != "goe_flow":
        return None
    from sitesampler.theory.goe_flow_fluctuations import correlation_covariance

    dt = lines.map_step(sample)
    return np.array([correlation_covariance(float(t), float(t), dt=dt) for t in sample["time"].values])


def _words(sample: xr.Dataset) -> str:
    """Return the closed form as a formula."""
    decay = "e^{-4tx}" if lines.map_step(sample) is None else r"(1 - dt\, x)^{4t/dt}"
    return rf"$2 \int \rho_{{sc}}(x)\, {decay} dx$"


def _scatter(
    axes: Axes, sample: xr.Dataset, name: str, sizes: NDArray[Any], C: NDArray[Any], variance: NDArray[Any]
) -> None:
    """Draw C(t, t) at N = infinity, and mean and standard deviation over the smallest and the largest networks."""
    times = sample["time"].values
    lines.line(axes, times, *lines.equal_times(sample, name), color="k", label=r"sampler, $N = \infty$")
    colours = lines.shades(len(sizes))
    for at in (0, -1):
        spread = np.sqrt(variance[at])
        axes.plot(times, C[at], color=colours[at], linewidth=1, label=f"$N$ = {sizes[at]:,}: mean ± s.d.")
        axes.fill_between(times, C[at] - spread, C[at] + spread, color=colours[at], alpha=0.3, linewidth=0)
