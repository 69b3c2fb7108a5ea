"""Pieces of figures: style, colours, curves with their error bands, legends.

Every figure of this package follows one convention, so that a reader learns it once: a line with a band is the sampler
at N = infinity, circles with bars are direct simulation, thin dashes on top are theory.  Bands and bars are 95 %
intervals by Student's quantile over replicas.  Colours tell worlds apart where a panel shows one quantity, and
parameter values where it shows several.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator
from scipy.special import stdtrit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

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
TIMES = ("time", "time_")
INNER = ("input", "input_", "layer")


def draw_equal_times(axes: Axes, dataset: xr.Dataset, vector: str, **style: Any) -> None:
    """Draw C(t, t) over t with its error band."""
    values, errors = correlation_of(dataset, vector)
    band(axes, dataset["time"].values, np.diagonal(values), np.diagonal(errors), quantile(dataset), **style)


def draw_decay(axes: Axes, dataset: xr.Dataset, vector: str, **style: Any) -> None:
    """Draw C(T, T - tau) over the lag tau, from the last time T, with its error band."""
    values, errors = correlation_of(dataset, vector)
    lags = float(dataset["time"][-1]) - dataset["time_"].values
    band(axes, lags[::-1], values[-1, ::-1], errors[-1, ::-1], quantile(dataset), **style)


def draw_trajectories(axes: Axes, dataset: xr.Dataset, vector: str, count: int = 5) -> None:
    """Draw the first kept trajectories of a site vector."""
    name = f"trajectory_{vector}"
    if name in dataset:
        paths = last_of(dataset[name]).transpose(..., "time")[:count].values
        for path, colour in zip(paths, SERIES, strict=False):
            axes.plot(dataset["time"].values, path, color=colour, linewidth=1.1)


def draw_number(axes: Axes, dataset: xr.Dataset, name: str, **style: Any) -> None:
    """Draw a recorded number over time or layer with its error band."""
    values = dataset[name]
    along = str(values.dims[0])
    errors = dataset.get(f"{name}_stderr", values * np.nan)
    band(axes, dataset[along].values, values.values, errors.values, quantile(dataset), **style)
    axes.set(xlabel="time $t$" if along == "time" else along, ylabel=name.replace("_", " "))
    if along == "layer":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def band(
    axes: Axes, x: NDArray[Any], y: NDArray[Any], stderr: NDArray[Any], quantile: float, label: str, color: str
) -> None:
    """Draw a curve and, where its error is known, its band."""
    axes.plot(x, y, color=color, label=label)
    half = quantile * stderr
    if np.isfinite(half).any():
        axes.fill_between(x, y - half, y + half, color=color, alpha=0.25, linewidth=0)


def quantile(dataset: xr.Dataset) -> float:
    """Return Student's 97.5 % quantile for the replicas of a dataset (NaN for a single one)."""
    replicas = int(dataset.attrs.get("replicas", 1))
    return float(stdtrit(replicas - 1, 0.975)) if replicas > 1 else float("nan")


def world_label(dataset: xr.Dataset) -> str:
    """Return how a legend names a dataset: its world, and the size of a finite one."""
    if "population" in dataset.attrs:
        return r"sampler, $N = \infty$"
    return f"simulation, $N$ = {int(dataset.attrs['size']):,}" if "size" in dataset.attrs else "simulation"


def last_of(values: xr.DataArray) -> xr.DataArray:
    """Return the last of the inner columns and of the layers."""
    return values.isel({dim: -1 for dim in values.dims if dim in INNER})


def correlation_of(dataset: xr.Dataset, vector: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the two-time correlation and its standard error, each (time, time_)."""
    values = last_of(dataset[f"C_{vector}"]).transpose(*TIMES)
    name = f"C_{vector}_stderr"
    errors = last_of(dataset[name]).transpose(*TIMES) if name in dataset else values * np.nan
    return values.values, errors.values


def save(drawn: Figure, path: Path) -> Path:
    """Write a figure as PNG at 150 dots per inch; the name appears when the file is complete."""
    writing = path.with_name(f".{path.name}.writing.png")
    drawn.savefig(writing, dpi=150)
    writing.replace(path)
    return path


# ------------------------------------------------------------------------------------------- several curves on one axis
def panels(
    count: int, width: float = 4.4, height: float = 4.0, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels in rows; call it, and draw, inside ``matplotlib.rc_context(STYLE)``."""
    columns = columns or min(count, 3)
    rows = -(-count // columns)
    drawn = Figure(figsize=(width * columns, height * rows), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = list(drawn.subplots(rows, columns, squeeze=False).ravel())
    for empty in axes[count:]:
        empty.set_axis_off()
    return drawn, axes[:count]


def shades(count: int) -> list[Any]:
    """Return colours for ordered values of a parameter, dark to light, told apart in grey as well."""
    return [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


def parameters(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the parameters that a dataset was made with; those that were swept are coordinates instead."""
    found: dict[str, Any] = json.loads(dataset.attrs.get("parameters", "{}"))
    return found


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


def with_error(dataset: xr.Dataset, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a variable and half the width of its 95 % interval."""
    errors = dataset.get(f"{name}_stderr", dataset[name] * np.nan)
    return dataset[name], errors * quantile(dataset)


def line(axes: Axes, x: Any, y: Any, half: Any = None, *, color: Any, label: str = "", **style: Any) -> None:
    """Draw a curve of the sampler with its band, half the width of its interval to each side."""
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


def dashes(axes: Axes, x: Any, y: Any, *, label: str = "", **style: Any) -> None:
    """Draw a theory curve."""
    axes.plot(np.asarray(x), np.asarray(y), **(THEORY_LINE | {"label": label} | style))


def world_legend(
    axes: Axes,
    sample: xr.Dataset,
    simulation: xr.Dataset | None,
    theory: str | None = "theory",
    *,
    dots: bool = False,
    **style: Any,
) -> None:
    """Add the legend that says what lines, circles and dashes are, beside the legend that is there."""
    first = axes.get_legend()
    band_and_line: Any = (Patch(color="0.4", alpha=0.25), Line2D([], [], color="0.4"))
    dot: Any = Line2D([], [], color="0.4", marker="o", markersize=5, linestyle="")
    entries: list[tuple[Any, str]] = [(dot if dots else band_and_line, world_label(sample))]
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
