"""Figures of linear systems: from a sampled response to a spectral density, and fluctuations at finite size.

Sections 2 to 5 of the tutorial.  The response of dh/dt = -M h grows exponentially, so its Fourier integral does not
exist.  In discrete time it needs none: R(lag k + 1) is the k-th moment of 1 - dt M; moments give the coefficients of
the Jacobi matrix, and its continued fraction, ended by its last coefficients, the resolvent at lambda + i broadening.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.ticker import MaxNLocator

from sitesampler.figures.lines import (
    SAMPLE,
    SERIES,
    SIMULATION,
    STYLE,
    THEORY_LINE,
    circles,
    dashes,
    line,
    panels,
    parameters,
    quantile,
    shades,
    ticks,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Distance from the real axis at which densities are evaluated.
BROADENING = 0.05
#: Coefficients of a Jacobi matrix are used up to the first one that is more uncertain than this part of it.
_TRUSTED = 0.05
#: Random moments, within their errors, from which the band of a density comes.
_DRAWS = 200


# -------------------------------------------------------------------------------------------------- moments to density
def jacobi_coefficients(moments: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a_0.. and b_1.. of the Jacobi matrix of a measure, as many as its moments 0..2n fix, n each or fewer.

    The moments must be those of a variable of order one.  Fewer come out where errors make the Hankel matrix singular.

    Examples
    --------
    >>> a, b = jacobi_coefficients(np.array([1.0, 0, 1, 0, 2, 0, 5]))  # the semicircle on [-2, 2]
    >>> print(a, b)
    [0. 0. 0.] [1. 1. 1.]
    """
    size = (len(moments) + 1) // 2
    hankel = moments[np.add.outer(np.arange(size), np.arange(size))]
    upper = np.zeros_like(hankel)
    kept = 0
    for i in range(size):  # Cholesky, as far as it goes
        left = hankel[i, i:] - upper[:i, i] @ upper[:i, i:]
        if not left[0] > 0:
            break
        upper[i, i:] = left / np.sqrt(left[0])
        kept = i + 1
    diagonal = np.diag(upper)[:kept]
    ratio = np.diag(upper, 1)[: kept - 1] / diagonal[: kept - 1]
    return np.diff(ratio, prepend=0.0), diagonal[1:] / diagonal[:-1]


def density_of(x: NDArray[Any], a: NDArray[Any], b: NDArray[Any], broadening: float) -> NDArray[Any]:
    """Return the density at x + i broadening of a Jacobi matrix that goes on with its last coefficients."""
    z = x + 1j * broadening
    centred = (z - a[-1]) / b[-1]
    root = np.sqrt(centred - 2) * np.sqrt(centred + 2)
    G = (centred - root) / 2 / b[-1]
    for level in reversed(range(len(a))):
        G = 1 / (z - a[level] - b[level] ** 2 * G)
    return np.asarray(-G.imag / np.pi)


def by_lag(dataset: xr.Dataset, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean of X(t, t') over pairs of the same lag 0, 1, ..., weighted by their errors, and its error."""
    values, errors = dataset[name].values, dataset[f"{name}_stderr"].values
    found = []
    for lag in range(len(values)):
        value, weight = np.diagonal(values, -lag), np.diagonal(errors, -lag) ** -2.0
        found.append((np.average(value, weights=weight), weight.sum() ** -0.5))
    means, spreads = np.array(found).T
    return means, spreads


def sampled_density(
    x: NDArray[Any], moments: NDArray[Any], errors: NDArray[Any], dt: float, levels: int, broadening: float = BROADENING
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the density of M from moments of 1 - dt M, half its 95 % band, and b_1, b_2, ... of M with theirs."""
    used = 2 * levels + 1

    def found(given: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        a, b = jacobi_coefficients(given[:used])
        if len(a) == 0:
            return np.full(len(x), np.nan), np.full(levels, np.nan)
        a, b = (1 - a) / dt, b / dt
        return density_of(x, a, b, broadening), np.pad(b, (0, levels - len(b)), constant_values=np.nan)

    rng = np.random.default_rng(0)
    drawn = [
        found(moments + errors * rng.normal(size=len(moments)) * (np.arange(len(moments)) > 0)) for _ in range(_DRAWS)
    ]
    density, b = found(moments)
    return density, 1.96 * _spread([d for d, _ in drawn]), b, 1.96 * _spread([c for _, c in drawn])


def _spread(draws: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the standard deviation of each entry over the draws that have it, NaN where fewer than two have."""
    values = np.array(draws)
    known = np.isfinite(values)
    count = known.sum(0)
    mean = np.where(known, values, 0).sum(0) / np.maximum(count, 1)
    square = np.where(known, (values - mean) ** 2, 0).sum(0) / np.maximum(count, 1)
    return np.where(count > 1, np.sqrt(square), np.nan)


def trusted_levels(b: NDArray[Any], half: NDArray[Any], part: float = _TRUSTED) -> int:
    """Return how many coefficients come before the first one that is more uncertain than a part of it."""
    return int(np.argmin(np.append(half < part * b, False)))


# ------------------------------------------------------------------------------------------------------------- figures
def density(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw how the response of `goe_flow` turns into the semicircle, in four panels.

    (a) R over the lag; (b) C(t, t') of all pairs of times against t + t' + dt, on R; (c) the Jacobi coefficients b_k, 1
    for the semicircle; (d) the spectral density, with the semicircle at the same broadening.
    """
    from sitesampler.theory import goe_flow as goe

    dt, times = parameters(sample)["dt"], sample["time"].values
    steps = len(times) - 1
    levels = (steps - 1) // 2
    x = np.linspace(-2.6, 2.6, 261)
    with matplotlib.rc_context(STYLE):
        drawn, (response, collapse, coefficients, spectrum) = panels(4, columns=2, width=5.2, height=3.9)
        lags = dt * np.arange(1, 2 * steps + 2)
        exact = goe.response(dt, 2 * steps + 1)
        exact = exact[1:, 0] if exact.ndim == 2 else exact[1:]
        for dataset, colour in ((simulation, SIMULATION), (sample, SAMPLE)):
            if dataset is None:
                continue
            R, error = by_lag(dataset, "R_h")
            half = quantile(dataset) * error
            draw = circles if dataset is simulation else line
            draw(response, lags[:steps], R[1:], half[1:], color=colour)
            b, bars = sampled_density(x, R[1:], error[1:], dt, levels)[2:]
            trusted = trusted_levels(b, bars)
            k = np.arange(1, trusted + 1)
            circles(
                coefficients,
                k,
                b[:trusted],
                bars[:trusted],
                color=colour,
                most=99,
                markerfacecolor=colour if dataset is sample else "white",
            )
            if dataset is sample:
                rho, band, _, _ = sampled_density(x, R[1:], error[1:], dt, trusted)
                line(spectrum, x, rho, band, color=colour)
                spectrum.set_title(f"(d) density at $\\lambda + {BROADENING:g}\\,i$, {trusted} levels")
        dashes(response, lags[:steps], exact[:steps])
        first, second = np.meshgrid(times, times, indexing="ij")
        pairs = np.triu_indices(len(times))
        collapse.plot(
            (first + second + dt)[pairs],
            sample["C_h"].values[pairs],
            ".",
            color=SERIES[4],
            markersize=9,
            label="sampler, $C(t, t')$, all pairs",
        )
        R, _ = by_lag(sample, "R_h")
        collapse.plot(lags[:steps], R[1:], color=SAMPLE, label=r"sampler, $R(\tau)$")
        dashes(collapse, lags, exact, label="theory")
        collapse.legend()
        coefficients.axhline(1, **THEORY_LINE)
        coefficients.xaxis.set_major_locator(MaxNLocator(integer=True))
        coefficients.set(
            xlabel="level $k$",
            ylabel="Jacobi coefficient $b_k$",
            ylim=(0.88, 1.12),
            title="(c) moments to Jacobi coefficients",
        )
        broad = np.linspace(-2, 2, 4001)
        smeared = [
            np.trapezoid(goe.semicircle(broad) * BROADENING / np.pi / ((v - broad) ** 2 + BROADENING**2), broad)
            for v in x
        ]
        dashes(spectrum, x, smeared)
        spectrum.plot(x, goe.semicircle(x), color="0.6", linewidth=1, zorder=1, label="semicircle, not broadened")
        spectrum.legend(loc="lower center")
        response.set(yscale="log", xlabel=r"lag $\tau$", ylabel=r"$R(\tau)$", title=f"(a) response, $dt$ = {dt:g}")
        collapse.set(
            yscale="log",
            xlabel=r"$\tau$, and $t + t' + dt$",
            ylabel="$R$ and $C$",
            title="(b) Hermitian: $C(t, t') = R(t + t' + dt)$",
        )
        spectrum.set(xlabel=r"eigenvalue $\lambda$", ylabel=r"density $\rho(\lambda)$")
        world_legend(response, sample, simulation)
    return drawn


def fluctuations(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw how C(t, t) fluctuates between networks of size N, swept, in three panels.

    (a) C(t, t) of single sizes and of N = infinity; (b) N times its variance over networks, over time; (c) its standard
    deviation at the last time against N.  The linear GOE flow has a closed form.
    """
    from sitesampler.theory import goe_flow_fluctuations as finite_size

    if simulation is None or "size" not in simulation.dims:
        raise ValueError("this figure needs simulations swept over simulate.size.")
    name = next(str(name) for name in sample.data_vars if str(name).startswith("C_"))
    times, replicas, dt = sample["time"].values, int(simulation.attrs["replicas"]), parameters(sample)["dt"]
    sizes = simulation["size"].values
    C = np.diagonal(simulation[name].transpose("size", "time", "time_").values, axis1=1, axis2=2)
    error = np.diagonal(simulation[f"{name}_stderr"].transpose("size", "time", "time_").values, axis1=1, axis2=2)
    variance = error**2 * replicas
    relative = 1.96 * np.sqrt(2 / (replicas - 1))
    closed = sample.attrs["program"] == "goe_flow"
    with matplotlib.rc_context(STYLE):
        drawn, (mean, over_time, scaling) = panels(3)
        limit, half = (np.diagonal(part.values) for part in with_error(sample, name))
        line(mean, times, limit, half, color="k", label=r"sampler, $N = \infty$")
        shift = np.linspace(-0.2, 0.2, len(sizes)) * (times[1] - times[0])  # so that bars do not hide each other
        for k, (size, values, spread, colour) in enumerate(zip(sizes, C, variance, shades(len(sizes)), strict=True)):
            if size in (sizes[0], sizes[-1]):
                label = f"$N$ = {size:,}: mean ± s.d."
                mean.plot(times, values, color=colour, linewidth=1, label=label)
                mean.fill_between(
                    times, values - spread**0.5, values + spread**0.5, color=colour, alpha=0.3, linewidth=0
                )
            circles(
                over_time,
                times + shift[k],
                size * spread,
                size * spread * relative,
                color=colour,
                most=99,
                label=f"$N$ = {size:,}",
            )
        at = -1
        circles(scaling, sizes, np.sqrt(variance[:, at]), np.sqrt(variance[:, at]) * relative / 2, color=SIMULATION)
        pooled = np.exp(np.mean(np.log(sizes * variance[:, at])))
        if closed:
            exact = np.array([finite_size.correlation_covariance(float(t), float(t), dt=dt) for t in times])
            dashes(over_time, times, exact, label=r"theory, $2 \int \rho_{sc}(x)(1 - dt\, x)^{4t/dt} dx$")
            dashes(scaling, sizes, np.sqrt(exact[at] / sizes), label="theory")
            over_time.set_yscale("log")
        else:
            scaling.plot(sizes, np.sqrt(pooled / sizes), color="0.5", linewidth=1, label=r"$\propto N^{-1/2}$")
        symbol = name[2:]
        mean.legend(loc="upper left")
        over_time.legend()
        scaling.legend()
        mean.set(xlabel="time $t$", ylabel=f"$C_{symbol}(t, t)$", title="(a) mean and scatter of networks")
        over_time.set(xlabel="time $t$", ylabel=f"$N\\,$Var$\\,C_{symbol}(t, t)$", title="(b) variance, times $N$")
        scaling.set(
            xscale="log",
            yscale="log",
            xlabel="size $N$",
            ylabel=f"s.d. of $C_{symbol}(T, T)$",
            title=f"(c) scatter against size, $T$ = {times[-1]:g}",
        )
        ticks(scaling.xaxis, sizes)
        low, high = scaling.get_ylim()
        ticks(scaling.yaxis, [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2) if low < tick < high])
    return drawn
