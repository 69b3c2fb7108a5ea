"""Figures of the Hopfield network that retrieves a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.figures import lines
from sitesampler.theory import hopfield as theory

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@lines.kind
@lines.one_point
def retrieval(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
    """Draw retrieval by `hopfield`, in two panels: the overlap with the pattern, and the power C_h(t, t) of the fields.

    Dashes are the first steps, by quadrature, and, for graded neurons, the level of the stationary state.
    """
    dt, (first, state) = lines.parameters(sample)["dt"], _exact(sample)
    drawn, (overlap, power) = lines.panels(2, width=5.2)
    for dataset, draw, colour in lines.worlds(sample, simulation):
        draw(overlap, dataset["time"], *lines.with_error(dataset, "m"), color=colour)
        draw(power, dataset["time"], *lines.equal_times(dataset, "C_h"), color=colour)
    for axes, steps in zip((overlap, power), first or (), strict=False):
        lines.dashes(axes, dt * np.arange(len(steps)), steps)
    for axes, level in ((overlap, state.m), (power, state.power)) if state else ():
        axes.axhline(level, **lines.THEORY_LINE)
    overlap.set(xlabel="time $t$", ylabel=r"overlap $m = \langle \xi s \rangle$", title="(a) overlap with the pattern")
    power.set(xlabel="time $t$", ylabel="$C_h(t, t)$", title="(b) power of the fields")
    words = [word for word, there in (("first steps", first), ("stationary state", state)) if there]
    lines.world_legend(power, sample, simulation, " and ".join(words) or None)
    return drawn


def _exact(sample: xr.Dataset) -> tuple[Any, Any]:
    """Return overlap and power of the first steps, and the stationary state, each None where it has no closed form."""
    fixed = lines.parameters(sample)
    beta, first, state = float(fixed["beta"]), None, None
    try:
        steps = 2 if np.isinf(beta) else 3
        first = theory.first_steps(fixed["alpha"], fixed["overlap"], beta, fixed["dt"], steps=steps)
        state = None if np.isinf(beta) else theory.retrieval(fixed["alpha"], beta)
    except ValueError:  # no retrieval here
        pass
    return first, state
