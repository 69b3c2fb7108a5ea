"""Figures of the Lotka-Volterra community of many species."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sitesampler.figures import lines
from sitesampler.figures.overview import draw_trajectories
from sitesampler.theory import lotka_volterra as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def abundances(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw the community `lotka_volterra` over time, in four panels.

    (a) Mean abundance; (b) its second moment C_x(t, t); (c) the fraction of species that survive; (d) some species.
    Dashes are the unique fixed point, where there is one.
    """
    point = _fixed_point(sample)
    drawn, (mean, moment, surviving, single) = lines.panels(4, columns=2, width=5.2, height=3.6)
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(mean, dataset["time"], *lines.with_error(dataset, "x_mean"), color=colour)
        draw(moment, dataset["time"], *lines.equal_times(dataset, "C_x"), color=colour)
        draw(surviving, dataset["time"], *lines.with_error(dataset, "surviving"), color=colour)
    if point:
        for axes, level in ((mean, point.mean), (moment, point.mean_square), (surviving, point.surviving)):
            axes.axhline(level, **lines.THEORY_LINE)
    draw_trajectories(single, sample, "x")
    single.set_yscale("log")
    mean.set(ylabel=r"$\langle x \rangle$", title="(a) mean abundance")
    moment.set(ylabel="$C_x(t, t)$", title="(b) second moment")
    surviving.set(ylabel="fraction surviving", title="(c) species that live on their own")
    single.set(ylabel="abundance $x(t)$", title="(d) single species, $N = \\infty$")
    for axes in (mean, moment, surviving, single):
        axes.set_xlabel("time $t$")
    lines.world_legend(mean, sample, simulation, "cavity fixed point" if point else None)
    return drawn


def _fixed_point(sample: xr.Dataset) -> Any:
    """Return the fixed point, None where the community does not settle in it."""
    fixed = lines.parameters(sample)
    if fixed["heterogeneity"] >= theory.stability_limit(fixed["symmetry"]):
        return None
    names = ("mean_interaction", "heterogeneity", "symmetry", "migration")
    try:
        return theory.fixed_point(*(fixed[name] for name in names))
    except ValueError:
        return None
