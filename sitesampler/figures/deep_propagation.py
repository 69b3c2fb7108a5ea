"""Figures of two inputs on their way through a deep random network, section 1.3 of the tutorial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.nonlinearities import nonlinearity
from sitesampler.theory.deep_propagation import recursion
from sitesampler.theory.gaussian import average

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@lines.kind
@lines.sweep_over("sigma_w")
def depth(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_propagation`, swept over sigma_w: variance and correlation of two inputs over the layers."""
    fixed, layers, weights = lines.parameters(sample), sample["layer"].values, sample["sigma_w"].values
    drawn, (variance, correlation) = lines.panels(2, width=5.2, height=4.2)
    for sigma_w, colour in zip(weights, lines.shades(len(weights)), strict=True):
        q, c = recursion(fixed["correlation"], float(sigma_w), fixed["sigma_b"], fixed["phi"], depth=len(layers))
        for axes, name, exact, unit in ((variance, "q", q, 1.0), (correlation, "c", c / q, q)):
            for dataset, draw, _ in lines.worlds(sample, simulation):
                label = rf"$\sigma_w$ = {sigma_w:g}" if dataset is sample else ""
                value, half = (part.sel(sigma_w=sigma_w) / unit for part in lines.with_error(dataset, name))
                draw(axes, layers, value, half, color=colour, label=label)
            lines.dashes(axes, layers, exact)
    variance.legend(loc="center right", bbox_to_anchor=(1, 0.55))
    variance.set(
        ylim=(0, 1.25 * float(sample["q"].max())),
        xlabel=r"layer $\ell$",
        ylabel=r"variance $q_\ell$",
        title=rf"(a) variance, $\sigma_b$ = {fixed['sigma_b']:g}",
    )
    correlation.set(
        ylim=(0, 1.05),
        xlabel=r"layer $\ell$",
        ylabel=r"correlation $c_\ell/q_\ell$",
        title="(b) correlation of two inputs",
    )
    lines.world_legend(correlation, sample, simulation, loc="center right", bbox_to_anchor=(1, 0.41))
    for axes in (variance, correlation):
        axes.set_xticks(layers[4::5] if len(layers) > 8 else layers)
    return drawn


@lines.kind
@lines.sweep_over("sigma_w", "sigma_b")
def order_to_chaos(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_propagation`, swept over sigma_w and sigma_b, in two panels.

    (a) The correlation of two inputs in the last layer, over the plane, with the order-to-chaos line; (b) its cuts at
    some sigma_b.
    """
    drawn, (plane, cuts) = lines.panels(2, width=5.6, height=4.4)
    fixed, last, biases = lines.parameters(sample), int(sample["layer"][-1]), sample["sigma_b"].values
    critical = critical_line(fixed["phi"], np.geomspace(1e-4, 6, 200))
    _plane(drawn, plane, sample.isel(layer=-1), critical, f"correlation $c/q$ in layer {last}, sampler")
    chosen = biases[np.unique(np.linspace(0, len(biases) - 1, 3).round().astype(int))]
    for sigma_b, colour in zip(chosen, lines.shades(len(chosen)), strict=True):
        _cut(cuts, sample, simulation, sigma_b, colour)
        cuts.axvline(np.interp(sigma_b, *critical[::-1]), color=colour, linewidth=1, linestyle=":")
    cuts.legend(loc="lower left")
    cuts.set(
        xlabel=r"$\sigma_w$",
        ylabel=f"correlation $c/q$ in layer {last}",
        ylim=(0, 1.25),
        title="(b) cuts; dotted: the line",
    )
    lines.world_legend(cuts, sample, simulation, dotted=True, loc="upper right", fontsize=9)
    return drawn


def _plane(
    drawn: Figure, axes: Axes, last: xr.Dataset, critical: tuple[NDArray[Any], NDArray[Any]], meaning: str
) -> None:
    """Draw the correlation in the last layer over the plane of weights and biases, and the order-to-chaos line."""
    weights, biases = last["sigma_w"].values, last["sigma_b"].values
    ordered = last.transpose("sigma_b", "sigma_w", ...)
    image = axes.pcolormesh(
        weights, biases, ordered["c"] / ordered["q"], cmap="viridis", vmin=0, vmax=1, shading="nearest"
    )
    drawn.colorbar(image, ax=axes).set_label(meaning)
    axes.plot(*critical, color="w", linewidth=4)
    axes.plot(*critical, color="k", linewidth=1.8)
    axes.grid(False)
    step_w, step_b = np.diff(weights)[0] / 2, np.diff(biases)[0] / 2
    axes.set(
        xlim=(weights[0] - step_w, weights[-1] + step_w),
        ylim=(biases[0] - step_b, biases[-1] + step_b),
        xlabel=r"$\sigma_w$",
        ylabel=r"$\sigma_b$",
        title=r"(a) line: $\sigma_w^2 \langle \phi'(h)^2 \rangle = 1$",
    )
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2}
    axes.text(0.04, 0.95, "order", transform=axes.transAxes, va="top", bbox=box)
    axes.text(0.96, 0.05, "chaos", transform=axes.transAxes, ha="right", bbox=box)


def _cut(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, sigma_b: float, colour: Any) -> None:
    """Draw the correlation in the last layer against sigma_w, at one sigma_b."""
    fixed, weights = lines.parameters(sample), sample["sigma_w"].values
    for dataset, draw, _ in lines.worlds(sample, simulation, dotted=True):
        one = dataset.isel(layer=-1).sel(sigma_b=sigma_b)
        unit = one["q"].where(one["q"] > 1e-12)
        value, half = (part / unit for part in lines.with_error(one, "c"))
        draw(axes, weights, value, half, color=colour, label=rf"$\sigma_b$ = {sigma_b:g}" if dataset is sample else "")
    fine = np.linspace(weights[0], weights[-1], 81)
    last = sample.sizes["layer"]
    exact = [recursion(fixed["correlation"], float(w), float(sigma_b), fixed["phi"], depth=last) for w in fine]
    lines.dashes(axes, fine, [c[-1] / q[-1] for q, c in exact])


def critical_line(phi: str, variances: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return sigma_w and sigma_b of the order-to-chaos line, by the variance q that is stationary there.

    sigma_w^2 <phi'(h)^2> = 1 and q = sigma_w^2 <phi(h)^2> + sigma_b^2, h of variance q.

    Examples
    --------
    >>> sigma_w, sigma_b = critical_line("tanh", np.array([1e-6, 1.0]))
    >>> print(sigma_w.round(3), sigma_b.round(3))
    [1.    1.467] [0.    0.389]
    """
    function: Any = nonlinearity(phi)
    squares = average(lambda x: function(x) ** 2, variances)
    weight = 1 / average(lambda x: function.derivative(x) ** 2, variances)
    return np.sqrt(weight), np.sqrt(np.maximum(variances - weight * squares, 0))
