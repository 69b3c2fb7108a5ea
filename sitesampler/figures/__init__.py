"""Figures of results: datasets in, a matplotlib Figure (or lines on given Axes) out.

The figures of a system stand in the file of its name; each function that is marked as a kind is one that a study file
can ask for.  Read the pieces that all figures are made of first (``lines``), then what fits any program (``overview``,
``sizes``), then a system.  Nothing here runs a network, and nothing uses pyplot: figures are plain
`matplotlib.figure.Figure` objects that any program can save or embed.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.figures.lines import OF_MAPS, SAMPLE, SIMULATION, THEORY, last_point, quantile, save, world_label
from sitesampler.figures.overview import (
    correlation_figure,
    correlation_theory,
    draw_decay,
    draw_equal_times,
    draw_number,
    draw_trajectories,
    figure,
    numbers_figure,
    recorded_numbers,
    recorded_vectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import xarray as xr
    from matplotlib.figure import Figure

    from sitesampler.figures.lines import Kind

__all__ = [
    "KINDS",
    "SAMPLE",
    "SIMULATION",
    "THEORY",
    "check_kind",
    "check_title",
    "correlation_figure",
    "correlation_theory",
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
    "world_label",
]

#: Kinds of figures by the name that a study file gives: the functions so marked in the files of this folder.
KINDS: dict[str, Kind] = {
    name: function
    for module in iter_modules(__path__)
    for name, function in vars(import_module(f"{__name__}.{module.name}")).items()
    if getattr(function, "is_kind", False)
}


def check_kind(
    kind: str | None, swept: Iterable[str] | None = None, parameters: Mapping[str, Any] | None = None
) -> None:
    """Refuse a kind of figure that does not exist, or that shows a sweep over something else, or no flow.

    Parameters
    ----------
    kind
        One of `KINDS`, or None.
    swept
        The keys that a study sweeps, where that is to be judged too.
    parameters
        Those of the program, its own ones included, likewise.

    Raises
    ------
    InputError
        With the kinds there are, or with what the figure is swept over.
    """
    if kind is None:
        return
    if kind not in KINDS:
        raise InputError(f"there is no figure {kind!r}{did_you_mean(kind, KINDS)}; there are {listing(KINDS)}")
    axes = getattr(KINDS[kind], "axes", ())
    if swept is not None and not set(axes) <= set(swept):
        raise InputError(
            f"the figure {kind!r} shows a sweep over {listing(axes)}, and this study sweeps {listing(swept)}; "
            "add [sweep] to the file, or leave out figure.kind"
        )
    if getattr(KINDS[kind], "of_maps", False) and (parameters or {}).get("scheme", "euler") != "euler":
        raise InputError(f"the figure {kind!r} {OF_MAPS}")


def check_title(title: str) -> None:
    """Refuse a title whose mathematics between dollar signs cannot be set.

    Raises
    ------
    InputError
    """
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser

    for line in title.splitlines():
        try:
            if is_math_text(line):
                MathTextParser("path").parse(line)
        except ValueError as error:
            raise InputError(
                f"the mathematics between dollar signs in the title {line!r} cannot be set: mend it, or write "
                r"\$ for the sign itself"
            ) from error


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
