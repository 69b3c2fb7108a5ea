"""Pieces of figures: style, colours, curves with their error bands, legends.

Every figure of this package follows one convention, so that a reader learns it once: a line with a band is the sampler
at N = infinity, circles with bars are direct simulation, thin dashes on top are theory.  Bands and bars are 95 %
intervals by Student's quantile over replicas.  Colours tell worlds apart where a panel shows one quantity, and
parameter values where it shows several.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from scipy.special import stdtrit

from sitesampler.errors import InputError
from sitesampler.results.time_steps import EXTRAPOLATED

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    #: A kind of figure: a function of the sampler's dataset and of the simulation's, where there is one.
    Kind: TypeAlias = Callable[[xr.Dataset, xr.Dataset | None], Figure]
    #: What a panel shows of one world: its dataset, how to draw it, and its colour.
    World: TypeAlias = tuple[xr.Dataset, Callable[..., None], str]

# Okabe and Ito's colours, told apart with every kind of colour vision.
SAMPLE, SIMULATION, THEORY = "#0072B2", "#D55E00", "#000000"
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")

STYLE: Any = {
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.92",
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "savefig.dpi": 150,
}
# Thin and on top, so that a curve that coincides with the theory shows between its dashes.
THEORY_LINE: Any = {"color": THEORY, "linestyle": (0, (4, 4)), "linewidth": 1.3, "zorder": 3}


# ------------------------------------------------------------------------------------------------------ whole figures
def kind(draw: Kind) -> Kind:
    """Make a function a kind of figure: drawn in the style of this package, and there for study files by its name."""
    drawn: Kind = matplotlib.rc_context(STYLE)(draw)
    drawn.is_kind = True  # type: ignore[attr-defined]
    return drawn


def sweep_over(*axes: str) -> Callable[[Kind], Kind]:
    """Say of a figure that it shows a sweep, and over which keys of a study file."""

    def marked(draw: Kind) -> Kind:
        draw.axes = axes  # type: ignore[attr-defined]
        return draw

    return marked


def one_point(draw: Kind) -> Kind:
    """Let a figure of a single run take a sweep as well, of which it shows the last point."""

    @wraps(draw)
    def drawn(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
        return draw(last_point(sample), None if simulation is None else last_point(simulation))

    return drawn


#: What a figure of moments needs, after its name.
OF_MAPS = 'reads moments of a matrix off the steps of a map; run the program with scheme="euler"'


def of_maps(draw: Kind) -> Kind:
    """Say of a figure that it reads moments of a matrix off the steps of a map, and refuse a flow."""

    @wraps(draw)
    def drawn(sample: xr.Dataset, simulation: xr.Dataset | None = None) -> Figure:
        if map_step(sample) is None:
            raise InputError(f"the figure {draw.__name__!r} {OF_MAPS}")
        return draw(sample, simulation)

    drawn.of_maps = True  # type: ignore[attr-defined]
    return drawn


def panels(
    count: int, width: float = 4.4, height: float = 4.0, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels in rows."""
    columns = columns or min(count, 3)
    rows = -(-count // columns)
    drawn = Figure(figsize=(width * columns, height * rows), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = list(drawn.subplots(rows, columns, squeeze=False).ravel())
    for empty in axes[count:]:
        empty.set_axis_off()
    return drawn, axes[:count]


#: What stands in a figure that a study has left, by which it is known from figures of other origin.
MARK = "sitesampler study"


def save(drawn: Figure, path: Path) -> Path:
    """Write the figure of a study as PNG at 150 dots per inch."""
    drawn.savefig(path, dpi=150, format="png", metadata={"Software": MARK})
    return path


# ------------------------------------------------------------------------------------------------------------- curves
def line(axes: Axes, x: Any, y: Any, half: Any = None, *, color: Any, label: str = "", **style: Any) -> None:
    """Draw a curve of the sampler with its band, half the width of its interval to each side, where that is known."""
    x, y = np.asarray(x), np.asarray(y)
    axes.plot(x, y, color=color, label=label, **style)
    if half is not None and np.isfinite(half).any():
        half = np.asarray(half)
        axes.fill_between(x, y - half, y + half, color=color, alpha=0.25, linewidth=0)


def circles(
    axes: Axes, x: Any, y: Any, half: Any = None, *, color: Any, label: str = "", most: int = 12, **style: Any
) -> None:
    """Draw values of a simulation as open circles with bars, at most so many of them."""
    x, y = np.asarray(x), np.asarray(y)
    known = np.flatnonzero(np.isfinite(y))
    if len(known) > most:
        known = known[np.unique(np.linspace(0, len(known) - 1, most).round().astype(int))]
    bars = None if half is None else np.nan_to_num(np.asarray(half)[known])
    look: Any = {"marker": "o", "markersize": 5, "linestyle": "", "markerfacecolor": "white", "elinewidth": 1.2} | style
    axes.errorbar(x[known], y[known], bars, color=color, label=label, zorder=2.5, **look)


def rings(axes: Axes, x: Any, y: Any, half: Any = None, *, color: Any, **style: Any) -> None:
    """Draw every value of a simulation, as circles so large that dots fit into them."""
    circles(axes, x, y, half, color=color, **({"most": 999, "markersize": 8} | style))


def dots(axes: Axes, x: Any, y: Any, half: Any = None, *, color: Any, **style: Any) -> None:
    """Draw every value of the sampler as a dot, where there are too few for a line."""
    circles(axes, x, y, half, color=color, **({"most": 999, "markersize": 4, "markerfacecolor": color} | style))


def dashes(axes: Axes, x: Any, y: Any, *, label: str = "", **style: Any) -> None:
    """Draw a theory curve."""
    axes.plot(np.asarray(x), np.asarray(y), **(THEORY_LINE | {"label": label} | style))


def worlds(sample: xr.Dataset, simulation: xr.Dataset | None, *, dotted: bool = False) -> list[World]:
    """Return what there is to draw, the sampler last and so on top: dataset, how to draw it, colour.

    The sampler is a line and the simulation circles on it; or dots in larger circles.
    """
    below: list[World] = [(simulation, rings if dotted else circles, SIMULATION)] if simulation is not None else []
    return [*below, (sample, dots if dotted else line, SAMPLE)]


# ------------------------------------------------------------------------------------------------------- axes, legends
def shades(count: int) -> list[Any]:
    """Return colours for ordered values of a parameter, dark to light, told apart in grey as well."""
    return [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


def world_label(dataset: xr.Dataset) -> str:
    """Return how a legend names a dataset: its world, and the size of a finite one."""
    if "population" in dataset.attrs:
        return r"sampler, $N = \infty$"
    return f"simulation, $N$ = {int(dataset.attrs['size']):,}" if "size" in dataset.attrs else "simulation"


def world_legend(
    axes: Axes,
    sample: xr.Dataset,
    simulation: xr.Dataset | None,
    theory: str | None = "theory",
    *,
    dotted: bool = False,
    **style: Any,
) -> None:
    """Add the legend that says what lines, circles and dashes are, beside the legend that is there."""
    first = axes.get_legend()
    band_and_line: Any = (Patch(color="0.4", alpha=0.25), Line2D([], [], color="0.4"))
    dot: Any = Line2D([], [], color="0.4", marker="o", markersize=5, linestyle="")
    entries: list[tuple[Any, str]] = [(dot if dotted else band_and_line, world_label(sample))]
    if simulation is not None:
        circle = Line2D([], [], color="0.4", marker="o", markersize=5, linestyle="", markerfacecolor="white")
        entries.append((circle, world_label(simulation)))
    if theory is not None:
        entries.append((Line2D([], [], **THEORY_LINE), theory))
    axes.legend(*zip(*entries, strict=True), **style)
    if first is not None:
        axes.add_artist(first)


def ticks(axis: Any, values: Iterable[float]) -> None:
    """Put plain numbers at these places of an axis, and nothing between them."""
    axis.set_ticks(list(values), [f"{value:,g}" for value in values])
    axis.set_minor_locator(NullLocator())


def spaced(times: Any, count: int = 9) -> NDArray[np.intp]:
    """Return places of about so many times, evenly spaced on a logarithmic axis, without time zero."""
    times = np.asarray(times)
    found = np.searchsorted(times, np.geomspace(times[1], times[-1], count)).clip(1, len(times) - 1)
    return np.unique(found)


# ------------------------------------------------------------------------------------------------------ what is drawn
def parameters(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the parameters that a dataset was made with; those that were swept are coordinates instead."""
    found: dict[str, Any] = json.loads(dataset.attrs.get("parameters", "{}"))
    return found


def map_step(dataset: xr.Dataset) -> float | None:
    """Return the time step of a run that is a map; of a flow, whose theory is that of continuous time, None.

    What is extrapolated to small steps has that theory too.
    """
    if EXTRAPOLATED in dataset.attrs:
        return None
    return parameters(dataset)["dt"] if dataset.attrs.get("scheme", "map") in ("map", "euler") else None


#: Relative error of equations that are solved for a figure, which is less than a line is wide.
ACCURACY = 1e-3


def grid(dataset: xr.Dataset) -> tuple[dict[str, Any], int]:
    """Return what theory is asked for the times of a run, and which of its times are those of the records.

    Theory of a map goes step by step, of which every so many are recorded; that of a flow is asked for the records.
    """
    times, dt = dataset["time"].values, map_step(dataset)
    if dt is None:
        return {"times": times}, 1
    steps = round(float(times[-1]) / dt)
    return {"dt": dt, "steps": steps}, max(1, round(steps / max(1, len(times) - 1)))


def last_point(dataset: xr.Dataset) -> xr.Dataset:
    """Return the last point of a swept dataset, as if it had been run alone; any other dataset as it is."""
    swept: dict[str, list[Any]] = json.loads(dataset.attrs.get("sweep", "{}"))
    if not swept:
        return dataset
    values = {name: listed[-1] for name, listed in swept.items()}
    one = dataset.isel(dict.fromkeys(swept, -1), drop=True)
    options = {name: values[name] for name in values.keys() & {"size", "population"}}
    fixed = parameters(dataset) | {name: value for name, value in values.items() if name not in options}
    return one.assign_attrs(parameters=json.dumps(fixed), sweep="{}", **options)


def quantile(dataset: xr.Dataset) -> float:
    """Return Student's 97.5 % quantile for the replicas of a dataset (NaN for a single one)."""
    replicas = int(dataset.attrs.get("replicas", 1))
    return float(stdtrit(replicas - 1, 0.975)) if replicas > 1 else float("nan")


def with_error(dataset: xr.Dataset, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a variable and half the width of its 95 % interval."""
    errors = dataset.get(f"{name}_stderr", dataset[name] * np.nan)
    return dataset[name], errors * quantile(dataset)


def equal_times(dataset: xr.Dataset, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return X(..., t, t) as an array (..., time), and half the width of its 95 % interval."""
    value, half = (
        np.diagonal(part.transpose(..., "time", "time_").values, axis1=-2, axis2=-1)
        for part in with_error(dataset, name)
    )
    return value, half
