"""Figures of excitatory and inhibitory populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitesampler.figures import lines
from sitesampler.figures.overview import draw_trajectories
from sitesampler.theory import excitatory_inhibitory as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def populations(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw both populations of `excitatory_inhibitory`, in three panels.

    (a) Their rates over time; (b) the second moments C_h(t, t); (c) some excitatory neurons.
    """
    fixed = lines.parameters(sample)
    given = (fixed[name] for name in ("gains", "means", "drive", "fraction", "phi"))
    try:
        exact = theory.recursion(*given, **lines.grid(sample)[0], accuracy=lines.ACCURACY)
    except ValueError:  # a nonlinearity that the recursion does not know
        exact = None
    drawn, (rate, moment, single) = lines.panels(3)
    for at, (name, colour) in enumerate(zip("EI", (lines.SIMULATION, lines.SAMPLE), strict=True)):
        for dataset, draw, _ in lines.worlds(sample, simulation):
            label = ("excitatory", "inhibitory")[at] if dataset is sample else ""
            draw(rate, dataset["time"], *lines.with_error(dataset, f"rate_{name}"), color=colour, label=label)
            draw(moment, dataset["time"], *lines.equal_times(dataset, f"C_h_{name}"), color=colour)
        if exact:
            lines.dashes(rate, exact.time, exact.rate[at])
            lines.dashes(moment, exact.time, exact.C_h[at].diagonal())
    draw_trajectories(single, sample, "h_E")
    rate.set(ylabel=r"rate $\langle r \rangle$", title="(a) rates")
    moment.set(ylabel=r"$C_h(t, t)$", title="(b) second moments")
    single.set(ylabel="$h_E(t)$", title="(c) excitatory neurons, $N = \\infty$")
    for axes in (rate, moment, single):
        axes.set_xlabel("time $t$")
    for axes in (rate, moment):  # room for the legends
        axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    rate.legend(loc="upper left")
    lines.world_legend(moment, sample, simulation, "recursion" if exact else None, loc="upper left")
    return drawn
