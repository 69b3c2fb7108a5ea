"""Figures of results: datasets in, a matplotlib Figure (or lines on given Axes) out.

Nothing here runs a network, and nothing uses pyplot: figures are plain `matplotlib.figure.Figure` objects that any
program can save or embed.  ``overview`` has the figures that fit any program, one module per chapter the others, and
``lines`` the pieces that all of them are made of.  `KINDS` names those that a study file can ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.figures import (
    deep_learning,
    random_features,
    random_matrices,
    recurrent,
    regression,
    spikes,
    spin_glass,
)
from sitesampler.figures.lines import (
    SAMPLE,
    SIMULATION,
    THEORY,
    draw_decay,
    draw_equal_times,
    draw_number,
    draw_trajectories,
    last_point,
    quantile,
    save,
    world_label,
)
from sitesampler.figures.overview import (
    THEORIES,
    correlation_figure,
    figure,
    numbers_figure,
    recorded_numbers,
    recorded_vectors,
    stationary_theory,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

#: Figures by the name that a study file gives as ``kind``: functions of the sampler's dataset and the simulation's.
KINDS: dict[str, Callable[[xr.Dataset, xr.Dataset | None], Figure]] = {
    "aging": spin_glass.aging,
    "equilibrium": spin_glass.equilibrium,
    "transition": recurrent.transition,
    "depth": deep_learning.depth,
    "order_to_chaos": deep_learning.order_to_chaos,
    "density": random_matrices.density,
    "fluctuations": random_matrices.fluctuations,
    "regression": regression.regression,
    "batches": regression.batches,
    "marchenko_pastur": regression.marchenko_pastur,
    "double_descent": random_features.double_descent,
    "growth": random_features.growth,
    "feature_learning": deep_learning.feature_learning,
    "lazy_to_rich": deep_learning.lazy_to_rich,
    "hidden_outliers": deep_learning.hidden_outliers,
    "spiked": spikes.spiked,
    "evolving": spikes.evolving,
}

__all__ = [
    "KINDS",
    "SAMPLE",
    "SIMULATION",
    "THEORIES",
    "THEORY",
    "check_kind",
    "correlation_figure",
    "draw",
    "draw_decay",
    "draw_equal_times",
    "draw_number",
    "draw_trajectories",
    "figure",
    "numbers_figure",
    "quantile",
    "recorded_numbers",
    "recorded_vectors",
    "save",
    "stationary_theory",
    "world_label",
]


def check_kind(kind: str | None) -> None:
    """Refuse a kind of figure that does not exist.

    Raises
    ------
    InputError
        With the kinds there are.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"there is no figure {kind!r}{did_you_mean(kind, KINDS)}; there are {listing(KINDS)}")


def draw(
    sample: xr.Dataset,
    simulation: xr.Dataset | None = None,
    *,
    kind: str | None = None,
    vector: str | None = None,
    title: str | None = None,
) -> Figure | None:
    """Draw a kind of figure, or what fits the results of any program if none is named.

    Without a kind, a sweep shows its last point.

    Parameters
    ----------
    sample, simulation
        Results of `sitesampler.sample` and `sitesampler.simulate`, as a study leaves them.
    kind
        One of `KINDS`.
    vector
        Without a kind: the recorded site vector to show.
    title
        Title of the figure.

    Raises
    ------
    InputError
        If there is no such kind or vector.
    """
    check_kind(kind)
    if kind is None:
        other = None if simulation is None else last_point(simulation)
        return figure(last_point(sample), other, vector=vector, title=title)
    drawn = KINDS[kind](sample, simulation)
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=13)
    return drawn
