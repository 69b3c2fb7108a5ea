"""Figures of linear regression in high dimension, section 6 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines, spectra
from sitesampler.theory import regression_flow as theory
from sitesampler.theory import regression_flow_batches as theory_of_batches

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Distance from the real axis at which the weight of an atom is told.
NEAR = 1e-4


# ----------------------------------------------------------------------------------------------------------- all data
@lines.kind
@lines.sweep_over("alpha")
def regression(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `regression_flow`, swept over alpha = P/N, in three panels.

    (a), (b) Test and train loss over time; (c) the test loss against alpha early, at the last time and after infinite
    time: double descent, which early stopping cures.
    """
    alphas = sample["alpha"].values
    drawn, (test, train, descent) = lines.panels(3)
    shown = [alpha for alpha in (0.25, 0.5, 1.0, 2.0, 8.0) if alpha in alphas]
    for alpha, colour in zip(shown, lines.shades(len(shown)), strict=True):
        other = None if simulation is None else simulation.sel(alpha=alpha)
        _losses(test, train, sample.sel(alpha=alpha), other, float(alpha), colour)
    _descent(descent, sample, simulation)
    test.legend(loc="upper left", ncols=2)
    test.set(ylim=(0.25, 2.6), ylabel="test loss", title="(a) test loss")
    train.set(ylim=(3e-4, 40), ylabel="train loss", title="(b) train loss")
    for axes in (test, train):
        axes.set(xscale="log", yscale="log", xlabel="time $t$")
    lines.ticks(test.yaxis, (0.3, 0.5, 1))
    lines.world_legend(train, sample, simulation, loc="upper right")
    return drawn


def _losses(
    test: Axes, train: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, alpha: float, colour: Any
) -> None:
    """Draw both losses over time, at one amount of data."""
    test_loss, train_loss = _exact(sample, alpha)
    for axes, name, exact in ((test, "test_loss", test_loss), (train, "train_loss", train_loss)):
        for dataset, draw, _ in lines.worlds(sample, simulation):
            at = np.arange(1, dataset.sizes["time"]) if dataset is sample else lines.spaced(dataset["time"])
            value, half = (part[at] for part in lines.with_error(dataset, name))
            label = rf"$\alpha$ = {alpha:g}" if dataset is sample else ""
            draw(axes, value["time"], value, half, color=colour, label=label)
        lines.dashes(axes, sample["time"][1:], exact[1:])


def _exact(sample: xr.Dataset, alpha: float) -> tuple[NDArray[Any], ...]:
    """Return test and train loss at the recorded times."""
    how, every = lines.grid(sample)
    found = theory.spectral_losses(alpha, lines.parameters(sample)["noise"], **how)
    return tuple(loss[::every] for loss in found)


def _descent(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None) -> None:
    """Draw the test loss against the amount of data, early, late and after infinite time."""
    fixed, alphas, times = lines.parameters(sample), sample["alpha"].values, sample["time"].values
    noise = fixed["noise"]
    fine = np.geomspace(alphas[0], alphas[-1], 60)
    curves = np.array([_exact(sample, float(alpha))[0] for alpha in fine])
    early = times[min(int(np.searchsorted(times, 2.0)), len(times) - 1)]
    for t, colour in ((early, lines.SERIES[1]), (times[-1], lines.SAMPLE)):
        for dataset, draw, _ in lines.worlds(sample, simulation, dotted=True):
            value, half = (part.sel(time=t, method="nearest") for part in lines.with_error(dataset, "test_loss"))
            draw(axes, alphas, value, half, color=colour, label=f"$t$ = {t:g}" if dataset is sample else "")
        lines.dashes(axes, fine, curves[:, int(np.argmin(np.abs(times - t)))])
    variance = np.where(fine < 1, fine / np.abs(1 - fine), 1 / np.abs(fine - 1))
    end = np.maximum(1 - fine, 0) + noise**2 * (1 + variance)
    axes.plot(fine, end, color="0.6", linewidth=1.2, label=r"$t = \infty$")
    axes.axhline(noise**2, color="0.6", linewidth=0.8, linestyle=":")
    axes.text(alphas[0], noise**2 * 1.04, r"label noise $\sigma^2$", color="0.35", va="bottom")
    axes.legend()
    axes.set(
        xscale="log",
        yscale="log",
        ylim=(0.8 * noise**2, 4),
        xlabel=r"data per dimension $\alpha = P/N$",
        ylabel="test loss",
        title="(c) double descent",
    )
    lines.ticks(axes.xaxis, (0.25, 0.5, 1, 2, 4, 8))
    lines.ticks(axes.yaxis, (0.3, 0.5, 1, 2, 4))


# ------------------------------------------------------------------------------------------------------------ batches
@lines.kind
@lines.sweep_over("batch")
def batches(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw stochastic gradient descent in `regression_flow`, swept over the kind of batch: test and train loss."""
    fixed, times = lines.parameters(sample), sample["time"].values
    drawn, panes = lines.panels(2, width=5.2)
    for batch, colour in zip(sample["batch"].values, (*lines.SERIES[:4], lines.SIMULATION), strict=False):
        label, *exact = _of_batch(str(batch), fixed, len(times) - 1)
        for axes, name, loss in zip(panes, ("test_loss", "train_loss"), exact, strict=True):
            for dataset, draw, _ in lines.worlds(sample, simulation):
                value = lines.with_error(dataset.sel(batch=batch), name)
                draw(axes, dataset["time"], *value, color=colour, label=label if dataset is sample else "")
            lines.dashes(axes, times, loss)
    test, train = panes
    for axes, name in ((test, "test"), (train, "train")):
        axes.axhline(fixed["noise"] ** 2, color="0.6", linewidth=0.8, linestyle=":")
        axes.set(yscale="log", xlabel="time $t$ = steps $\\times$ rate", ylabel=f"{name} loss")
    test.set_title(rf"(a) test loss, $\alpha$ = {fixed['alpha']:g}, rate {fixed['dt']:g}")
    train.set_title("(b) loss on all data of the step")
    test.legend()
    lines.world_legend(train, sample, simulation)
    return drawn


def _of_batch(batch: str, fixed: dict[str, Any], steps: int) -> tuple[str, NDArray[Any], NDArray[Any]]:
    """Return what a kind of batch is called, and its exact test and train loss."""
    given = fixed["alpha"], fixed["noise"], fixed["dt"], steps
    if batch == "fresh":
        online = theory_of_batches.one_pass(*given)
        return "fresh data", online.test_loss, online.test_loss
    number = float(batch)
    parts = number > 1
    fraction = 1 / number if parts else number
    found = theory_of_batches.multi_pass(*given, fraction, reshuffled=parts)
    some = f"epochs of {number:g} parts" if parts else f"random {fraction:.0%} of the data"
    return "all data" if number == 1 else some, found.test_loss, found.train_loss


# ----------------------------------------------------------------------------------------------------------- spectrum
@lines.kind
@lines.sweep_over("alpha")
@lines.of_maps
def marchenko_pastur(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the spectral density of the data's covariance from C_h(t, 0) of `regression_flow`, swept over alpha.

    C_h(k dt, 0) is the k-th moment of 1 - dt lambda, as R at lag k + 1 is; the density has an atom of weight 1 - alpha
    at 0 if alpha < 1.
    """
    dt, alphas = lines.parameters(sample)["dt"], sample["alpha"].values
    drawn, panes = lines.panels(len(alphas))
    for axes, alpha in zip(panes, alphas, strict=True):
        x = np.linspace(-0.5, (1 + alpha**-0.5) ** 2 + 0.5, 400)
        for dataset, draw, colour in lines.worlds(sample, simulation):
            # Networks give two coefficients, errors and all; the law has its final ones from there on.
            options: dict[str, Any] = {} if dataset is sample else {"count": 2}
            found = spectra.density(*_moments(dataset.sel(alpha=alpha)), dt, x, **options)
            if found is not None:
                style = {} if dataset is sample else {"most": 22}
                draw(axes, x, found.density, 1.96 * found.error, color=colour, **style)
        exact = theory.marchenko_pastur_resolvent(-x - 1j * spectra.BROADENING, float(alpha))
        lines.dashes(axes, x, exact.imag / np.pi)
        axes.set(
            yscale="log",
            ylim=(5e-3, 20),
            xlabel=r"eigenvalue $\lambda$",
            ylabel=r"density $\rho(\lambda + 0.05\,i)$",
            title=rf"$\alpha$ = {alpha:g}: {_atom(sample.sel(alpha=alpha), dt, float(alpha))}",
        )
    lines.world_legend(panes[-1], sample, simulation)
    return drawn


def _moments(dataset: xr.Dataset) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return C_h(t, 0)/C_h(0, 0) and its standard error."""
    value, error = (dataset[name].sel(time_=0).values for name in ("C_h", "C_h_stderr"))
    return value / value[0], error / value[0]


def _atom(sample: xr.Dataset, dt: float, alpha: float) -> str:
    """Return the weight of the atom at 0 in words: of coefficients that are known well, close to the real axis."""
    if alpha >= 1:
        return "no atom"
    found = spectra.density(*_moments(sample), dt, [0.0], NEAR, tolerance=1e-3)
    if found is None:
        return f"theory of the atom at 0: {1 - alpha:g}"
    weight, spread = (np.pi * NEAR * float(part[0]) for part in (found.density, found.error))
    return f"atom at 0: {weight:.4f} ± {max(1.96 * spread, 1e-4):.1g}, theory {1 - alpha:g}"
