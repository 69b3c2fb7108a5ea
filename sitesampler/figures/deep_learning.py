"""Figures of deep networks: signal propagation (section 1.3), feature learning (section 8) and its outliers (11.2)."""

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
    shades,
    with_error,
    world_legend,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


# -------------------------------------------------------------------------------------------------- signal propagation
def critical_line(phi: str, variances: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return sigma_w and sigma_b of the order-to-chaos line, by the variance q that is stationary there.

    sigma_w^2 <phi'(h)^2> = 1 and q = sigma_w^2 <phi(h)^2> + sigma_b^2, h of variance q.

    Examples
    --------
    >>> sigma_w, sigma_b = critical_line("tanh", np.array([1e-6, 1.0]))
    >>> print(sigma_w.round(3), sigma_b.round(3))
    [1.    1.467] [0.    0.389]
    """
    from sitesampler.nonlinearities import nonlinearity
    from sitesampler.theory.gaussian import average

    function: Any = nonlinearity(phi)
    squares = average(lambda x: function(x) ** 2, variances)
    weight = 1 / average(lambda x: function.derivative(x) ** 2, variances)
    return np.sqrt(weight), np.sqrt(np.maximum(variances - weight * squares, 0))


def depth(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_propagation`, swept over sigma_w: variance and correlation of two inputs over the layers."""
    from sitesampler.theory.deep_propagation import recursion

    fixed, layers = parameters(sample), sample["layer"].values
    with matplotlib.rc_context(STYLE):
        drawn, (variance, correlation) = panels(2, width=5.2, height=4.2)
        weights = sample["sigma_w"].values
        for sigma_w, colour in zip(weights, shades(len(weights)), strict=True):
            q, c = recursion(fixed["correlation"], float(sigma_w), fixed["sigma_b"], fixed["phi"], depth=len(layers))
            for axes, name, exact, unit in ((variance, "q", q, 1.0), (correlation, "c", c / q, q)):
                values, half = (part.sel(sigma_w=sigma_w) / unit for part in with_error(sample, name))
                line(axes, layers, values, half, color=colour, label=rf"$\sigma_w$ = {sigma_w:g}")
                if simulation is not None:
                    values, half = (part.sel(sigma_w=sigma_w) / unit for part in with_error(simulation, name))
                    circles(axes, layers, values, half, color=colour)
                dashes(axes, layers, exact)
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
        world_legend(correlation, sample, simulation, loc="center right", bbox_to_anchor=(1, 0.41))
        for axes in (variance, correlation):
            axes.set_xticks(layers[4::5] if len(layers) > 8 else layers)
    return drawn


def order_to_chaos(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_propagation`, swept over sigma_w and sigma_b, in two panels.

    (a) The correlation of two inputs in the last layer, over the plane, with the order-to-chaos line; (b) its cuts at
    some sigma_b.
    """
    from sitesampler.theory.deep_propagation import recursion

    fixed, last = parameters(sample), int(sample["layer"][-1])
    weights, biases = sample["sigma_w"].values, sample["sigma_b"].values
    final = sample.isel(layer=-1).transpose("sigma_b", "sigma_w", ...)
    with matplotlib.rc_context(STYLE):
        drawn, (plane, cuts) = panels(2, width=5.6, height=4.4)
        image = plane.pcolormesh(
            weights, biases, final["c"] / final["q"], cmap="viridis", vmin=0, vmax=1, shading="nearest"
        )
        bar = drawn.colorbar(image, ax=plane)
        bar.set_label(f"correlation $c/q$ in layer {last}, sampler")
        line_w, line_b = critical_line(fixed["phi"], np.geomspace(1e-4, 6, 200))
        plane.plot(line_w, line_b, color="w", linewidth=4)
        plane.plot(line_w, line_b, color="k", linewidth=1.8)
        plane.grid(False)
        step_w, step_b = np.diff(weights)[0] / 2, np.diff(biases)[0] / 2
        plane.set(
            xlim=(weights[0] - step_w, weights[-1] + step_w),
            ylim=(biases[0] - step_b, biases[-1] + step_b),
            xlabel=r"$\sigma_w$",
            ylabel=r"$\sigma_b$",
            title=r"(a) line: $\sigma_w^2 \langle \phi'(h)^2 \rangle = 1$",
        )
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2}
        plane.text(0.04, 0.95, "order", transform=plane.transAxes, va="top", bbox=box)
        plane.text(0.96, 0.05, "chaos", transform=plane.transAxes, ha="right", bbox=box)
        chosen = biases[np.unique(np.linspace(0, len(biases) - 1, 3).round().astype(int))]
        fine = np.linspace(weights[0], weights[-1], 81)
        for sigma_b, colour in zip(chosen, shades(len(chosen)), strict=True):
            for dataset in (simulation, sample):
                if dataset is None:
                    continue
                one = dataset.isel(layer=-1).sel(sigma_b=sigma_b)
                values, half = with_error(one, "c")
                unit = one["q"].where(one["q"] > 1e-12)
                solid = colour if dataset is sample else "white"
                circles(
                    cuts,
                    weights,
                    values / unit,
                    half / unit,
                    color=colour,
                    most=99,
                    markerfacecolor=solid,
                    markersize=4 if dataset is sample else 8,
                    label=rf"$\sigma_b$ = {sigma_b:g}" if dataset is sample else "",
                )
            exact = [recursion(fixed["correlation"], float(w), float(sigma_b), fixed["phi"], depth=last) for w in fine]
            dashes(cuts, fine, [c[-1] / q[-1] for q, c in exact])
            at = np.interp(sigma_b, line_b, line_w)
            cuts.axvline(at, color=colour, linewidth=1, linestyle=":")
        cuts.legend(loc="lower left")
        cuts.set(
            xlabel=r"$\sigma_w$",
            ylabel=f"correlation $c/q$ in layer {last}",
            ylim=(0, 1.25),
            title="(b) cuts; dotted: the line",
        )
        world_legend(cuts, sample, simulation, dots=True, loc="upper right", fontsize=9)
    return drawn


# ---------------------------------------------------------------------------------------------------- feature learning
def _gram(dataset: xr.Dataset) -> NDArray[Any]:
    inputs = np.asarray(parameters(dataset)["inputs"], float)
    return inputs @ inputs.T / inputs.shape[1]


def alignment(kernel: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
    """Return y K y / (|K| |y|^2), the alignment of kernels (..., input, input) with the targets."""
    aligned = np.einsum("a,...ab,b->...", targets, kernel, targets)
    return np.asarray(aligned / np.sqrt(np.sum(kernel**2, axis=(-2, -1))) / (targets @ targets))


def _equal_times(values: xr.DataArray) -> NDArray[Any]:
    """Return C(layer, t, t, input, input) as an array (layer, time, input, input)."""
    ordered = values.transpose("layer", "time", "time_", "input", "input_").values
    return np.moveaxis(np.diagonal(ordered, axis1=1, axis2=2), -1, 1)


def _alignment_error(dataset: xr.Dataset, name: str, targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the alignment of C_name at equal times, (layer, time), and half its band: entries taken as independent."""
    kernel, half = (_equal_times(part) for part in with_error(dataset, name))
    value, square = alignment(kernel, targets), 0.0
    for a in range(len(targets)):
        for b in range(a, len(targets)):
            moved = kernel.copy()
            step = 1e-6
            moved[..., a, b] += step
            if a != b:
                moved[..., b, a] += step
            square = square + ((alignment(moved, targets) - value) / step * half[..., a, b]) ** 2
    return value, np.sqrt(square)


def feature_learning(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the training of `deep_network`, in six panels.

    (a) Outputs, with the lazy limit; (b) loss; (c) alignment of the kernels C_phi with the targets; (d) C_g, the
    gradient kernels; (e) excess kurtosis of the preactivations; (f) densities of the last preactivations.
    """
    from sitesampler.theory import deep_network_lazy as theory

    fixed, times = parameters(sample), sample["time"].values
    targets = np.asarray(fixed["targets"], float)
    lazy = theory.lazy(_gram(sample), targets, fixed["depth"], fixed["rate"], fixed["steps"], fixed["phi"])
    layers = sample["layer"].values
    with matplotlib.rc_context(STYLE):
        drawn, (output, loss, aligned, gradient, kurtosis, density) = panels(6)
        for mu, colour in enumerate(shades(len(targets))):
            values, half = (part.isel(input=mu) for part in with_error(sample, "f"))
            line(output, times, values, half, color=colour, label=rf"$\mu$ = {mu + 1}")
            output.axhline(targets[mu], color=colour, linewidth=1, linestyle=":")
            output.plot(
                times, lazy.f[:, mu], color="k", linewidth=1.2, linestyle="-.", label="" if mu else "lazy limit (NTK)"
            )
            if simulation is not None:
                values, half = (part.isel(input=mu) for part in with_error(simulation, "f"))
                circles(output, times, values, half, color=colour)
        loss.plot(times, lazy.loss, color="k", linewidth=1.2, linestyle="-.", label="lazy limit (NTK)")
        for dataset, draw, colour in ((simulation, circles, SIMULATION), (sample, line, SAMPLE)):
            if dataset is not None:
                draw(loss, times, *with_error(dataset, "loss"), color=colour)
        for at, (layer, colour) in enumerate(zip(layers, shades(len(layers)), strict=True)):
            for dataset, draw in ((simulation, circles), (sample, line)):
                if dataset is None:
                    continue
                label = f"layer {layer}" if dataset is sample else ""
                value, error = _alignment_error(dataset, "C_phi", targets)
                draw(aligned, times, value[at], error[at], color=colour, label=label)
                values, errors = with_error(dataset, "C_g")
                draw(
                    gradient,
                    times,
                    _equal_times(values)[at, :, 0, 0],
                    _equal_times(errors)[at, :, 0, 0],
                    color=colour,
                    label=label,
                )
                values, errors = (part.sel(layer=layer).isel(input=0) for part in with_error(dataset, "h_kurtosis"))
                draw(kurtosis, times, values, errors, color=colour, label=label)
        aligned.axhline(float(alignment(_gram(sample), targets)), color="0.5", linewidth=1, linestyle=":")
        kurtosis.axhline(0, color="0.6", linewidth=0.8)
        _densities(density, sample)
        output.legend()
        loss.legend(loc="lower left")
        for axes in (aligned, gradient, kurtosis):
            axes.legend()
        output.set(xlabel="step $t$", ylabel=r"output $f_\mu(t)$", title="(a) outputs; dots: targets")
        loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(b) loss")
        aligned.set(
            xlabel="step $t$",
            ylabel=r"$y^T C_\phi\, y\,/\,|C_\phi|\,|y|^2$",
            title="(c) kernel alignment; dots: of the inputs",
        )
        gradient.set(xlabel="step $t$", ylabel=r"$C_g(t, t)$, $\mu$ = 1", title="(d) gradient kernel")
        kurtosis.set(xlabel="step $t$", ylabel="excess kurtosis of $h$", title=r"(e) no longer Gaussian, $\mu$ = 1")
        world_legend(loss, sample, simulation, None, loc="upper right")
    return drawn


def _densities(axes: Axes, sample: xr.Dataset) -> None:
    """Draw histograms of the last layer's preactivations of the first input at both ends, with Gaussians."""
    last = int(sample["layer"][-1])
    kept = sample["trajectory_h"].sel(layer=last).isel(input=0)
    paths = kept.transpose(..., "time").values
    paths = paths.reshape(-1, paths.shape[-1])
    paths = paths[np.isfinite(paths[:, 0])]
    reach = 1.2 * np.abs(paths[:, [0, -1]]).max()
    x = np.linspace(-min(reach, 4.5), min(reach, 4.5), 200)
    for at, colour in ((0, SERIES[4]), (-1, SAMPLE)):
        t = int(sample["time"][at])
        axes.hist(
            paths[:, at], bins=45, range=(x[0], x[-1]), density=True, color=colour, alpha=0.45, label=f"$t$ = {t}"
        )
        width = paths[:, at].std()
        dashes(
            axes,
            x,
            np.exp(-((x / width) ** 2) / 2) / width / np.sqrt(2 * np.pi),
            color=colour,
            linewidth=1.8,
            label="Gaussian of its variance",
        )
    axes.legend(fontsize=9)
    low, high = axes.get_ylim()
    axes.set(
        ylim=(low, 1.35 * high),
        xlabel=f"preactivation $h$, layer {last}, $\\mu$ = 1",
        ylabel="density",
        title=f"(f) {len(paths):,} sites, sampler",
    )


def lazy_to_rich(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_network` with one hidden layer, swept over gamma, in three panels.

    (a) Loss over time, with exact theory and, at the smallest gamma, the tangent kernel; (b) final kernel alignment and
    (c) excess kurtosis against gamma.
    """
    from sitesampler.theory import deep_network_lazy, deep_network_one_layer

    fixed, times, gammas = parameters(sample), sample["time"].values, sample["gamma"].values
    targets, gram = np.asarray(fixed["targets"], float), _gram(sample)
    exact = {
        g: deep_network_one_layer.one_hidden_layer(gram, targets, float(g), fixed["rate"], fixed["steps"], fixed["phi"])
        for g in gammas
    }
    lazy = deep_network_lazy.lazy(gram, targets, 1, fixed["rate"], fixed["steps"], fixed["phi"])
    with matplotlib.rc_context(STYLE):
        drawn, (loss, aligned, kurtosis) = panels(3)
        shown = gammas[np.unique(np.linspace(0, len(gammas) - 1, 4).round().astype(int))]
        loss.plot(times, lazy.loss, color="0.75", linewidth=5, label="tangent kernel", solid_capstyle="round")
        for gamma, colour in zip(shown, shades(len(shown)), strict=True):
            for dataset, draw in ((simulation, circles), (sample, line)):
                if dataset is not None:
                    values, half = (part.sel(gamma=gamma) for part in with_error(dataset, "loss"))
                    label = rf"$\gamma$ = {gamma:g}" if dataset is sample else ""
                    draw(loss, times, values, half, color=colour, label=label)
            dashes(loss, times, exact[gamma].loss)
        for dataset, colour, size in ((simulation, SIMULATION, 8), (sample, SAMPLE, 4)):
            if dataset is None:
                continue
            solid = "white" if dataset is simulation else colour
            ends = [_alignment_error(dataset.sel(gamma=g), "C_phi", targets) for g in gammas]
            value, error = (np.array([end[k][0, -1] for end in ends]) for k in (0, 1))
            circles(aligned, gammas, value, error, color=colour, most=99, markersize=size, markerfacecolor=solid)
            values, errors = (part.isel(layer=0, time=-1, input=0) for part in with_error(dataset, "h_kurtosis"))
            circles(kurtosis, gammas, values, errors, color=colour, most=99, markersize=size, markerfacecolor=solid)
        dashes(aligned, gammas, [alignment(exact[g].C_phi[-1, -1], targets) for g in gammas])
        dashes(kurtosis, gammas, [exact[g].excess_kurtosis[-1, 0] for g in gammas])
        kurtosis.axhline(0, color="0.6", linewidth=0.8)
        loss.legend(loc="lower left")
        last = int(times[-1])
        loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(a) loss, one hidden layer")
        aligned.set(
            xscale="log",
            xlabel=r"richness $\gamma$",
            ylabel=r"$y^T C_\phi\, y\,/\,|C_\phi|\,|y|^2$",
            title=f"(b) kernel alignment, $t$ = {last}",
        )
        kurtosis.set(
            xscale="log",
            xlabel=r"richness $\gamma$",
            ylabel=r"excess kurtosis of $h$, $\mu$ = 1",
            title=f"(c) lazy is Gaussian, rich is not, $t$ = {last}",
        )
        world_legend(aligned, sample, simulation, "exact theory", dots=True, loc="upper left")
    return drawn


def hidden_outliers(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the outlying singular values of a hidden matrix of `deep_network` through training, in two panels.

    (a) Those of the sampler and of the network, with eq. 111 at the sampler's own order parameters, naive theory (no
    responses) and the edge of the bulk; (b) the loss.  Needs ``responses = true``.
    """
    from sitesampler.theory import deep_network_outliers as theory

    fixed, times = parameters(sample), sample["time"].values
    targets = np.asarray(fixed["targets"], float)
    ratios = fixed["widths"] or [1.0] * fixed["depth"]
    scale = fixed["rate"] * fixed["gamma"]
    formula: list[NDArray[Any]] = []
    naive: list[NDArray[Any]] = []

    def kernel(name: str, layer: int, count: int) -> NDArray[Any]:
        found = sample[name].sel(layer=layer).transpose("time", "time_", "input", "input_").values[:count, :count]
        return np.nan_to_num(found)

    for count in times[1:]:
        C_phi, C_g = kernel("C_phi", 1, count), kernel("C_g", 2, count)
        R_phi, R_g = kernel("R_phi_r", 1, count), kernel("R_g_u", 2, count)
        d = scale * (targets - sample["f"].values[:count])
        for found, on in ((formula, 1.0), (naive, 0.0)):
            z = theory.outliers(C_phi, on * R_phi, C_g, on * R_g, d, ratios[1] / ratios[0])
            found.append(np.sqrt(np.pad(z[:2], (0, 2 - len(z[:2])), constant_values=np.nan)))
    with matplotlib.rc_context(STYLE):
        drawn, (values_axes, loss) = panels(2, width=5.6, height=4.2)
        for rank in range(2):
            for dataset, draw, colour in ((simulation, circles, SIMULATION), (sample, line, SAMPLE)):
                if dataset is not None and rank < dataset.sizes["outlier"]:
                    values, half = (part.isel(matrix=0, outlier=rank) for part in with_error(dataset, "outliers"))
                    draw(values_axes, times, values, half, color=colour)
            dashes(values_axes, times[1:], np.array(formula)[:, rank])
            values_axes.plot(
                times[1:],
                np.array(naive)[:, rank],
                color=SERIES[3],
                linewidth=1.3,
                linestyle="-.",
                label="" if rank else "naive: no responses",
            )
        edge = 1 + np.sqrt(ratios[1] / ratios[0])
        values_axes.axhspan(edge - 0.12, edge, color="0.88", zorder=0)
        values_axes.text(times[-1], edge - 0.06, "edge of the bulk", ha="right", va="center", color="0.4", fontsize=9)
        for dataset, draw, colour in ((simulation, circles, SIMULATION), (sample, line, SAMPLE)):
            if dataset is not None:
                draw(loss, times, *with_error(dataset, "loss"), color=colour)
        values_axes.legend(loc="upper left")
        values_axes.set_xlim(-0.3, times[-1] + 0.3)
        values_axes.set(
            xlabel="step $t$", ylabel="singular values of $W_1$", title=rf"(a) outliers, $\gamma$ = {fixed['gamma']:g}"
        )
        loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(b) loss")
        world_legend(loss, sample, simulation, "eq. 111, sampled $C$ and $R$", loc="upper right")
    return drawn
