"""Figures of deep networks: feature learning (section 8) and the outliers of hidden weights (section 11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory.deep_network_lazy import lazy
from sitesampler.theory.deep_network_one_layer import one_hidden_layer
from sitesampler.theory.deep_network_outliers import outliers

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_ALIGNMENT = r"$y^T C_\phi\, y\,/\,|C_\phi|\,|y|^2$"
_LAZY: dict[str, Any] = {"color": "k", "linewidth": 1.2, "linestyle": "-."}


# ---------------------------------------------------------------------------------------------------- feature learning
@lines.kind
@lines.one_point
def feature_learning(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the training of `deep_network`, in six panels.

    (a) Outputs, with the lazy limit; (b) loss; (c) alignment of the kernels C_phi with the targets; (d) C_g, the
    gradient kernels; (e) excess kurtosis of the preactivations; (f) densities of the last preactivations.
    """
    fixed, times = lines.parameters(sample), sample["time"].values
    targets = np.asarray(fixed["targets"], float)
    limit = lazy(_gram(sample), targets, fixed["depth"], fixed["rate"], fixed["steps"], fixed["phi"])
    drawn, (output, loss, aligned, gradient, kurtosis, density) = lines.panels(6)
    _outputs(output, sample, simulation, limit.f)
    loss.plot(times, limit.loss, label="lazy limit (NTK)", **_LAZY)
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(loss, dataset["time"], *lines.with_error(dataset, "loss"), color=colour)
    loss.legend(loc="lower left")
    loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(b) loss")
    _layers(aligned, gradient, kurtosis, sample, simulation)
    _densities(density, sample)
    lines.world_legend(loss, sample, simulation, None, loc="upper right")
    return drawn


def _outputs(axes: Axes, sample: xr.Dataset, simulation: xr.Dataset | None, lazy: NDArray[Any]) -> None:
    """Draw the outputs on all inputs over time, with their targets and the lazy limit."""
    times, targets = sample["time"].values, lines.parameters(sample)["targets"]
    for mu, colour in enumerate(lines.shades(len(targets))):
        axes.axhline(targets[mu], color=colour, linewidth=1, linestyle=":")
        axes.plot(times, lazy[:, mu], label="" if mu else "lazy limit (NTK)", **_LAZY)
        for dataset, draw, _ in lines.worlds(sample, simulation):
            value, half = (part.isel(input=mu) for part in lines.with_error(dataset, "f"))
            draw(
                axes,
                dataset["time"],
                value,
                half,
                color=colour,
                label=rf"$\mu$ = {mu + 1}" if dataset is sample else "",
            )
    axes.legend()
    axes.set(xlabel="step $t$", ylabel=r"output $f_\mu(t)$", title="(a) outputs; dots: targets")


def _layers(aligned: Axes, gradient: Axes, kurtosis: Axes, sample: xr.Dataset, simulation: xr.Dataset | None) -> None:
    """Draw, over time and for each layer, kernel alignment, gradient kernel and excess kurtosis."""
    targets = np.asarray(lines.parameters(sample)["targets"], float)
    layers = sample["layer"].values
    for at, (layer, colour) in enumerate(zip(layers, lines.shades(len(layers)), strict=True)):
        for dataset, draw, _ in lines.worlds(sample, simulation):
            label = f"layer {layer}" if dataset is sample else ""
            value, half = (part[at] for part in _alignment_of(dataset, targets))
            draw(aligned, dataset["time"], value, half, color=colour, label=label)
            value, half = (part[at, 0, 0] for part in _kernels(dataset, "C_g"))
            draw(gradient, dataset["time"], value, half, color=colour, label=label)
            moments = (part.sel(layer=layer).isel(input=0) for part in lines.with_error(dataset, "h_kurtosis"))
            draw(kurtosis, dataset["time"], *moments, color=colour, label=label)
    aligned.axhline(float(alignment(_gram(sample), targets)), color="0.5", linewidth=1, linestyle=":")
    kurtosis.axhline(0, color="0.6", linewidth=0.8)
    for axes in (aligned, gradient, kurtosis):
        axes.legend()
    aligned.set(xlabel="step $t$", ylabel=_ALIGNMENT, title="(c) kernel alignment; dots: of the inputs")
    gradient.set(xlabel="step $t$", ylabel=r"$C_g(t, t)$, $\mu$ = 1", title="(d) gradient kernel")
    kurtosis.set(xlabel="step $t$", ylabel="excess kurtosis of $h$", title=r"(e) no longer Gaussian, $\mu$ = 1")


def _densities(axes: Axes, sample: xr.Dataset) -> None:
    """Draw histograms of the last layer's preactivations of the first input at both ends, with Gaussians."""
    last = int(sample["layer"][-1])
    kept = sample["trajectory_h"].sel(layer=last).isel(input=0)
    paths = kept.transpose(..., "time").values
    paths = paths.reshape(-1, paths.shape[-1])
    paths = paths[np.isfinite(paths[:, 0])]
    reach = min(1.2 * np.abs(paths[:, [0, -1]]).max(), 4.5)
    x = np.linspace(-reach, reach, 200)
    for at, colour in ((0, lines.SERIES[4]), (-1, lines.SAMPLE)):
        label = f"$t$ = {int(sample['time'][at])}"
        axes.hist(paths[:, at], bins=45, range=(-reach, reach), density=True, color=colour, alpha=0.45, label=label)
        width = paths[:, at].std()
        gaussian = np.exp(-((x / width) ** 2) / 2) / width / np.sqrt(2 * np.pi)
        lines.dashes(axes, x, gaussian, color=colour, linewidth=1.8, label="Gaussian of its variance")
    axes.legend(fontsize=9)
    low, high = axes.get_ylim()
    axes.set(
        ylim=(low, 1.35 * high),
        xlabel=f"preactivation $h$, layer {last}, $\\mu$ = 1",
        ylabel="density",
        title=f"(f) {len(paths):,} sites, sampler",
    )


@lines.kind
@lines.sweep_over("gamma")
def lazy_to_rich(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw `deep_network` with one hidden layer, swept over gamma, in three panels.

    (a) Loss over time, with exact theory and, at the smallest gamma, the tangent kernel; (b) final kernel alignment and
    (c) excess kurtosis against gamma.
    """
    fixed, times, gammas = lines.parameters(sample), sample["time"].values, sample["gamma"].values
    targets, gram, last = np.asarray(fixed["targets"], float), _gram(sample), int(times[-1])
    drawn, (loss, aligned, kurtosis) = lines.panels(3)
    exact = {g: one_hidden_layer(gram, targets, float(g), fixed["rate"], fixed["steps"], fixed["phi"]) for g in gammas}
    limit = lazy(gram, targets, 1, fixed["rate"], fixed["steps"], fixed["phi"])
    loss.plot(times, limit.loss, color="0.75", linewidth=5, label="tangent kernel", solid_capstyle="round")
    shown = gammas[np.unique(np.linspace(0, len(gammas) - 1, 4).round().astype(int))]
    for gamma, colour in zip(shown, lines.shades(len(shown)), strict=True):
        for dataset, draw, _ in lines.worlds(sample, simulation):
            label = rf"$\gamma$ = {gamma:g}" if dataset is sample else ""
            draw(loss, dataset["time"], *lines.with_error(dataset.sel(gamma=gamma), "loss"), color=colour, label=label)
        lines.dashes(loss, times, exact[gamma].loss)
    for dataset, draw, colour in lines.worlds(sample, simulation, dotted=True):
        ends = [_alignment_of(dataset.sel(gamma=g), targets) for g in gammas]
        draw(aligned, gammas, *(np.array([end[k][0, -1] for end in ends]) for k in (0, 1)), color=colour)
        last_input = dataset.isel(layer=0, time=-1, input=0)
        draw(kurtosis, gammas, *lines.with_error(last_input, "h_kurtosis"), color=colour)
    lines.dashes(aligned, gammas, [alignment(exact[g].C_phi[-1, -1], targets) for g in gammas])
    lines.dashes(kurtosis, gammas, [exact[g].excess_kurtosis[-1, 0] for g in gammas])
    kurtosis.axhline(0, color="0.6", linewidth=0.8)
    loss.legend(loc="lower left")
    loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(a) loss, one hidden layer")
    aligned.set(xscale="log", ylabel=_ALIGNMENT, title=f"(b) kernel alignment, $t$ = {last}")
    kurtosis.set(
        xscale="log",
        ylabel=r"excess kurtosis of $h$, $\mu$ = 1",
        title=f"(c) lazy is Gaussian, rich is not, $t$ = {last}",
    )
    for axes in (aligned, kurtosis):
        axes.set_xlabel(r"richness $\gamma$")
    lines.world_legend(aligned, sample, simulation, "exact theory", dotted=True, loc="upper left")
    return drawn


def _gram(dataset: xr.Dataset) -> NDArray[Any]:
    inputs = np.asarray(lines.parameters(dataset)["inputs"], float)
    return inputs @ inputs.T / inputs.shape[1]


def alignment(kernel: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
    """Return y K y / (|K| |y|^2), the alignment of kernels (..., input, input) with the targets."""
    aligned = np.einsum("a,...ab,b->...", targets, kernel, targets)
    return np.asarray(aligned / np.sqrt(np.sum(kernel**2, axis=(-2, -1))) / (targets @ targets))


def _kernels(dataset: xr.Dataset, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return C(t, t) as an array (layer, input, input, time), and half the width of its interval."""
    return lines.equal_times(dataset.transpose("layer", "input", "input_", ..., missing_dims="ignore"), name)


def _alignment_of(dataset: xr.Dataset, targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the alignment of C_phi at equal times, (layer, time), and half its band: entries taken as independent."""
    kernel, half = (np.moveaxis(part, -1, 1) for part in _kernels(dataset, "C_phi"))
    value, square, step = alignment(kernel, targets), 0.0, 1e-6
    for a in range(len(targets)):
        for b in range(a, len(targets)):
            moved = kernel.copy()
            moved[..., a, b] += step
            if a != b:
                moved[..., b, a] += step
            square = square + ((alignment(moved, targets) - value) / step * half[..., a, b]) ** 2
    return value, np.sqrt(square)


# ------------------------------------------------------------------------------------------------------------ outliers
@lines.kind
@lines.one_point
def hidden_outliers(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the outlying singular values of a hidden matrix of `deep_network` through training, in two panels.

    (a) Those of the sampler and of the network, with eq. 111 at the sampler's own order parameters, naive theory (no
    responses) and the edge of the bulk; (b) the loss.  Needs ``responses = true``.
    """
    fixed, times = lines.parameters(sample), sample["time"].values
    widths = fixed["widths"] or [1.0] * fixed["depth"]
    drawn, (value, loss) = lines.panels(2, width=5.6, height=4.2)
    formula, naive = (_formula(sample, widths[1] / widths[0], responses) for responses in (True, False))
    for rank in range(2):
        for dataset, draw, colour in lines.worlds(sample, simulation):
            if rank < dataset.sizes["outlier"]:
                one = dataset.isel(matrix=0, outlier=rank)
                draw(value, dataset["time"], *lines.with_error(one, "outliers"), color=colour)
        lines.dashes(value, times[1:], formula[:, rank])
        label = "" if rank else "naive: no responses"
        value.plot(times[1:], naive[:, rank], color=lines.SERIES[3], linewidth=1.3, linestyle="-.", label=label)
    edge = 1 + np.sqrt(widths[1] / widths[0])
    value.axhspan(edge - 0.12, edge, color="0.88", zorder=0)
    value.text(times[-1], edge - 0.06, "edge of the bulk", ha="right", va="center", color="0.4", fontsize=9)
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(loss, dataset["time"], *lines.with_error(dataset, "loss"), color=colour)
    value.legend(loc="upper left")
    value.set(
        xlim=(-0.3, times[-1] + 0.3),
        xlabel="step $t$",
        ylabel="singular values of $W_1$",
        title=rf"(a) outliers, $\gamma$ = {fixed['gamma']:g}",
    )
    loss.set(yscale="log", xlabel="step $t$", ylabel="loss", title="(b) loss")
    lines.world_legend(loss, sample, simulation, "eq. 111, sampled $C$ and $R$", loc="upper right")
    return drawn


def _formula(sample: xr.Dataset, ratio: float, responses: bool) -> NDArray[Any]:
    """Return the two largest singular values after each step by eq. 111, with sampled order parameters."""
    fixed = lines.parameters(sample)
    scale, targets = fixed["rate"] * fixed["gamma"], np.asarray(fixed["targets"], float)

    def kernel(name: str, layer: int, count: int) -> NDArray[Any]:
        found = sample[name].sel(layer=layer).transpose("time", "time_", "input", "input_").values[:count, :count]
        return np.nan_to_num(found)

    found = np.full((sample.sizes["time"] - 1, 2), np.nan)
    for count in range(1, len(found) + 1):
        d = scale * (targets - sample["f"].values[:count])
        R_phi, R_g = (responses * kernel(name, layer, count) for name, layer in (("R_phi_r", 1), ("R_g_u", 2)))
        z = outliers(kernel("C_phi", 1, count), R_phi, kernel("C_g", 2, count), R_g, d, ratio)[:2]
        found[count - 1, : len(z)] = np.sqrt(z)
    return found
