"""Figures of the linear flow with a symmetric random matrix: from a response to the semicircle (sections 2 to 4).

The response of dh/dt = -M h grows exponentially, so its Fourier integral does not exist.  In discrete time it needs
none: R(lag k + 1) is the k-th moment of 1 - dt M; moments give the coefficients of the Jacobi matrix, and its continued
fraction, ended by its last coefficients, the resolvent at lambda + i broadening.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from sitesampler.figures import lines, spectra
from sitesampler.theory import goe_flow as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@lines.kind
@lines.of_maps
@lines.one_point
def density(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw how the response of `goe_flow` turns into the semicircle, in four panels.

    (a) R over the lag; (b) C(t, t') of all pairs of times against t + t' + dt, on R; (c) the Jacobi coefficients b_k, 1
    for the semicircle; (d) the spectral density, with the semicircle at the same broadening.
    """
    drawn, (response, collapse, coefficients, spectrum) = lines.panels(4, columns=2, width=5.2, height=3.9)
    dt, steps = lines.parameters(sample)["dt"], sample.sizes["time"] - 1
    lags, x = dt * np.arange(1, 2 * steps + 2), np.linspace(-2.6, 2.6, 261)
    exact = theory.response(dt, 2 * steps + 1)[1:, 0]
    for dataset, draw, colour in lines.worlds(sample, simulation):
        R, error = _by_lag(dataset, "R_h")
        draw(response, lags[:steps], R, lines.quantile(dataset) * error, color=colour)
        # Networks give one coefficient, errors and all.
        options: dict[str, Any] = {} if dataset is sample else {"count": 2}
        found = spectra.density(R, error, dt, x, **options)
        if found is None:
            continue
        b, b_error = found.coefficients.b, found.coefficients.b_error
        dot = lines.dots if dataset is sample else lines.rings
        dot(coefficients, np.arange(1, len(b) + 1), b, 1.96 * b_error, color=colour)
        if dataset is sample:
            lines.line(spectrum, x, found.density, 1.96 * found.error, color=colour)
            spectrum.set_title(f"(d) density at $\\lambda + {spectra.BROADENING:g}\\,i$, {len(b)} levels")
    lines.dashes(response, lags[:steps], exact[:steps])
    response.set(yscale="log", xlabel=r"lag $\tau$", ylabel=r"$R(\tau)$", title=f"(a) response, $dt$ = {dt:g}")
    lines.world_legend(response, sample, simulation)
    _collapse(collapse, sample, lags, exact)
    coefficients.axhline(1, **lines.THEORY_LINE)
    coefficients.xaxis.set_major_locator(MaxNLocator(integer=True))
    coefficients.set(
        xlabel="level $k$",
        ylabel="Jacobi coefficient $b_k$",
        ylim=(0.88, 1.12),
        title="(c) moments to Jacobi coefficients",
    )
    _semicircle(spectrum, x)
    return drawn


def _by_lag(dataset: xr.Dataset, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean of X(t, t') over pairs of the same lag 1, 2, ..., weighted by their errors, and its error."""
    value, error = dataset[name].values, dataset[f"{name}_stderr"].values
    weights = [np.diagonal(error, -lag) ** -2.0 for lag in range(1, len(value))]
    means = [np.average(np.diagonal(value, -lag), weights=weight) for lag, weight in enumerate(weights, 1)]
    return np.array(means), np.array([weight.sum() ** -0.5 for weight in weights])


def _collapse(axes: Axes, sample: xr.Dataset, lags: NDArray[Any], exact: NDArray[Any]) -> None:
    """Draw C(t, t') of all pairs of times against t + t' + dt, on R."""
    times, dt, (R, _) = sample["time"].values, lags[0], _by_lag(sample, "R_h")
    pairs = np.triu_indices(len(times))
    axes.plot(
        (np.add.outer(times, times) + dt)[pairs],
        sample["C_h"].values[pairs],
        ".",
        color=lines.SERIES[4],
        markersize=9,
        label="sampler, $C(t, t')$, all pairs",
    )
    axes.plot(lags[: len(R)], R, color=lines.SAMPLE, label=r"sampler, $R(\tau)$")
    lines.dashes(axes, lags, exact, label="theory")
    axes.legend()
    axes.set(
        yscale="log",
        xlabel=r"$\tau$, and $t + t' + dt$",
        ylabel="$R$ and $C$",
        title="(b) Hermitian: $C(t, t') = R(t + t' + dt)$",
    )


def _semicircle(axes: Axes, x: NDArray[Any]) -> None:
    """Draw the semicircle, as far from the real axis as the density and on it."""
    lines.dashes(axes, x, theory.resolvent(-x - 1j * spectra.BROADENING).imag / np.pi)
    axes.plot(x, theory.semicircle(x), color="0.6", linewidth=1, zorder=1, label="semicircle, not broadened")
    axes.legend(loc="lower center")
    axes.set(xlabel=r"eigenvalue $\lambda$", ylabel=r"density $\rho(\lambda)$")
