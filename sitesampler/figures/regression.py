"""Figures of linear regression in high dimension, section 6 of the tutorial."""

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
    spaced,
    ticks,
    with_error,
    world_legend,
)
from sitesampler.figures.random_matrices import BROADENING, sampled_density, trusted_levels

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def regression(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `regression_flow`, swept over alpha = P/N, in three panels.

    (a), (b) Test and train loss over time; (c) the test loss against alpha early, at the last time and after infinite
    time: double descent, which early stopping cures.
    """
    from sitesampler.theory.regression_flow import spectral_losses

    fixed, alphas, times = parameters(sample), sample["alpha"].values, sample["time"].values
    noise, dt = fixed["noise"], fixed["dt"]
    steps = round(times[-1] / dt)
    every = round(steps / (len(times) - 1))
    with matplotlib.rc_context(STYLE):
        drawn, (test, train, descent) = panels(3)
        shown = [alpha for alpha in (0.25, 0.5, 1.0, 2.0, 8.0) if alpha in alphas]
        for alpha, colour in zip(shown, shades(len(shown)), strict=True):
            exact = spectral_losses(float(alpha), noise, dt, steps)
            for axes, name, theory in ((test, "test_loss", exact[0]), (train, "train_loss", exact[1])):
                values, half = (part.sel(alpha=alpha) for part in with_error(sample, name))
                label = rf"$\alpha$ = {alpha:g}" if axes is test else ""
                line(axes, times[1:], values[1:], half[1:], color=colour, label=label)
                if simulation is not None:
                    at = spaced(times)
                    values, half = (part.sel(alpha=alpha)[at] for part in with_error(simulation, name))
                    circles(axes, times[at], values, half, color=colour)
                dashes(axes, times[1:], theory[::every][1:])
        fine = np.geomspace(alphas[0], alphas[-1], 60)
        curves = np.array([spectral_losses(float(alpha), noise, dt, steps)[0] for alpha in fine])
        for t, colour in zip((times[np.searchsorted(times, 2.0)], times[-1]), (SERIES[1], SAMPLE), strict=True):
            values, half = (part.sel(time=t, method="nearest") for part in with_error(sample, "test_loss"))
            circles(
                descent,
                alphas,
                values,
                half,
                color=colour,
                marker=".",
                markersize=10,
                markerfacecolor=colour,
                most=99,
                label=f"$t$ = {t:g}",
            )
            if simulation is not None:
                values, half = (part.sel(time=t, method="nearest") for part in with_error(simulation, "test_loss"))
                circles(descent, alphas, values, half, color=colour, most=99, markersize=8, markerfacecolor="none")
            dashes(descent, fine, curves[:, round(t / dt)])
        variance = np.where(fine < 1, fine / np.abs(1 - fine), 1 / np.abs(fine - 1))
        end = np.maximum(1 - fine, 0) + noise**2 * (1 + variance)
        descent.plot(fine, end, color="0.6", linewidth=1.2, label=r"$t = \infty$")
        descent.axhline(noise**2, color="0.6", linewidth=0.8, linestyle=":")
        descent.text(alphas[0], noise**2 * 1.04, r"label noise $\sigma^2$", color="0.35", va="bottom")
        test.legend(loc="upper left", ncols=2)
        descent.legend()
        test.set(
            xscale="log", yscale="log", ylim=(0.25, 2.6), xlabel="time $t$", ylabel="test loss", title="(a) test loss"
        )
        train.set(
            xscale="log", yscale="log", ylim=(3e-4, 40), xlabel="time $t$", ylabel="train loss", title="(b) train loss"
        )
        descent.set(
            xscale="log",
            yscale="log",
            ylim=(0.8 * noise**2, 4),
            xlabel=r"data per dimension $\alpha = P/N$",
            ylabel="test loss",
            title="(c) double descent",
        )
        world_legend(train, sample, simulation, loc="upper right")
        ticks(descent.xaxis, (0.25, 0.5, 1, 2, 4, 8))
        ticks(descent.yaxis, (0.3, 0.5, 1, 2, 4))
        ticks(test.yaxis, (0.3, 0.5, 1))
    return drawn


#: What a value of `batch` means, and which theory it has.
_BATCHES = {"1.0": "all data", "fresh": "fresh data"}


def batches(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw stochastic gradient descent in `regression_flow`, swept over the kind of batch: test and train loss."""
    from sitesampler.theory import regression_flow_batches as sgd

    fixed, times = parameters(sample), sample["time"].values
    alpha, noise, dt, steps = fixed["alpha"], fixed["noise"], fixed["dt"], len(times) - 1
    with matplotlib.rc_context(STYLE):
        drawn, (test, train) = panels(2, width=5.2)
        for batch, colour in zip(sample["batch"].values, (*SERIES[:4], SIMULATION), strict=False):
            label = _BATCHES.get(str(batch), "")
            if batch == "fresh":
                online = sgd.one_pass(alpha, noise, dt, steps)
                exact = {"test_loss": online.test_loss, "train_loss": online.test_loss}
            else:
                number = float(batch)
                split = number > 1
                fraction = 1 / number if split else number
                found = sgd.multi_pass(alpha, noise, dt, steps, fraction, reshuffled=split)
                exact = {"test_loss": found.test_loss, "train_loss": found.train_loss}
                label = label or (f"epochs of {number:g} parts" if split else f"random {fraction:.0%} of the data")
            for axes, name in ((test, "test_loss"), (train, "train_loss")):
                values, half = (part.sel(batch=batch) for part in with_error(sample, name))
                line(axes, times, values, half, color=colour, label=label)
                if simulation is not None:
                    values, half = (part.sel(batch=batch) for part in with_error(simulation, name))
                    circles(axes, times, values, half, color=colour)
                dashes(axes, times, exact[name])
        for axes, name in ((test, "test"), (train, "train")):
            axes.axhline(noise**2, color="0.6", linewidth=0.8, linestyle=":")
            axes.set(yscale="log", xlabel="time $t$ = steps $\\times$ rate", ylabel=f"{name} loss")
        test.set_title(rf"(a) test loss, $\alpha$ = {alpha:g}, rate {dt:g}")
        train.set_title("(b) loss on all data of the step")
        test.legend()
        world_legend(train, sample, simulation)
    return drawn


def marchenko_pastur(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the spectral density of the data's covariance from C_h(t, 0) of `regression_flow`, swept over alpha.

    C_h(k dt, 0) is the k-th moment of 1 - dt lambda; the density has an atom of weight 1 - alpha at 0 if alpha < 1.
    """
    from sitesampler.theory.regression_flow import marchenko_pastur_density

    dt, alphas = parameters(sample)["dt"], sample["alpha"].values
    levels = (sample.sizes["time"] - 1) // 2
    with matplotlib.rc_context(STYLE):
        drawn, panes = panels(len(alphas))
        for axes, alpha in zip(panes, alphas, strict=True):
            low, high = (1 - alpha**-0.5) ** 2, (1 + alpha**-0.5) ** 2
            x = np.linspace(-0.5, high + 0.5, 400)
            for dataset, colour, used in ((simulation, SIMULATION, 2), (sample, SAMPLE, levels)):
                if dataset is None:
                    continue
                moments, errors = (dataset[name].sel(alpha=alpha, time_=0).values for name in ("C_h", "C_h_stderr"))
                moments, errors = moments / moments[0], errors / moments[0]
                found = sampled_density(np.zeros(1), moments, errors, dt, used)[2:]
                used = trusted_levels(*found, part=0.05 if dataset is sample else 0.6)
                if used < 2:  # the law has its final coefficients from level 2 on
                    continue
                rho, half, _, _ = sampled_density(x, moments, errors, dt, used)
                if dataset is sample:
                    line(axes, x, rho, half, color=colour)
                    sure = trusted_levels(*found, part=1e-3)
                    atom, error, _, _ = sampled_density(np.zeros(1), moments, errors, dt, sure, 1e-4)
                    weight, error = np.pi * 1e-4 * atom[0], np.pi * 1e-4 * error[0]
                else:
                    circles(axes, x, rho, half, color=colour, most=22)
            fine = np.linspace(low, high, 8001)[1:-1]
            bulk = marchenko_pastur_density(fine, float(alpha))
            kernel = BROADENING / np.pi / ((x[:, None] - fine) ** 2 + BROADENING**2)
            atom_there = max(1 - alpha, 0.0)
            smeared = np.trapezoid(kernel * bulk, fine, axis=1) + atom_there * BROADENING / np.pi / (
                x**2 + BROADENING**2
            )
            dashes(axes, x, smeared)
            note = (
                f"atom at 0: {weight:.4f} ± {max(error, 1e-4):.1g}, theory {atom_there:g}" if alpha < 1 else "no atom"
            )
            axes.set(
                yscale="log",
                ylim=(5e-3, 20),
                xlabel=r"eigenvalue $\lambda$",
                ylabel=r"density $\rho(\lambda + 0.05\,i)$",
                title=rf"$\alpha$ = {alpha:g}: {note}",
            )
        world_legend(panes[-1], sample, simulation)
    return drawn
