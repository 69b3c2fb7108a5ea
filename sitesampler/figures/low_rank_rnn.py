"""Figures of the random recurrent network with a low-rank structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sitesampler.figures import lines
from sitesampler.theory import low_rank_rnn as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def condensation(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw how the activity of `low_rank_rnn` condenses on its structures, in three panels.

    (a) The latent variables kappa over time; (b) the projections <m h> on the structures; (c) the variance C_h(t, t).
    Networks condense on either sign of a structure if nothing at the start tells them apart.
    """
    exact = _exact(sample)
    drawn, (kappa, projection, variance) = lines.panels(3)
    count = sample.sizes["structure"]
    for at, colour in enumerate(lines.shades(count)):
        for axes, name in ((kappa, "kappa"), (projection, "projection")):
            for dataset, draw, own in lines.worlds(sample, simulation):
                label = f"structure {at + 1}" if dataset is sample and count > 1 else ""
                value = lines.with_error(dataset.isel(structure=at), name)
                draw(axes, dataset["time"], *value, color=own if count == 1 else colour, label=label)
            if exact:
                lines.dashes(axes, exact.time, getattr(exact, name)[:, at])
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(variance, dataset["time"], *lines.equal_times(dataset, "C_h"), color=colour)
    if exact:
        lines.dashes(variance, exact.time, exact.C_h.diagonal())
    kappa.set(ylabel=r"$\kappa = \langle n\, \phi(h) \rangle$", title="(a) latent variables")
    projection.set(ylabel=r"$\langle m\, h \rangle$", title="(b) projections on the structures")
    variance.set(ylabel="$C_h(t, t)$", title="(c) variance")
    for axes in (kappa, projection, variance):
        axes.set_xlabel("time $t$")
    if count > 1:
        kappa.legend()
    lines.world_legend(projection, sample, simulation, "recursion" if exact else None, loc="lower right")
    return drawn


def _exact(sample: xr.Dataset) -> Any:
    """Return the recursion, of a map at its time step; None for a nonlinearity that it does not know."""
    fixed = lines.parameters(sample)
    try:
        given = (fixed[name] for name in ("g", "overlap", "start", "phi"))
        return theory.recursion(*given, **lines.grid(sample)[0], accuracy=lines.ACCURACY)
    except ValueError:
        return None
