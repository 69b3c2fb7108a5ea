"""Figures for tests: a study of the repository made small and drawn, and the curves of a panel by what they are."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitesampler import figures
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import read_study

STUDIES = Path(__file__).parents[1] / "studies"
SMALL = ("sample.replicas=2", "sample.population=200", "sample.keep=4")
SMALL_NETWORK = ("simulate.replicas=2", "simulate.size=50", "simulate.keep=4")

Curve = tuple[np.ndarray, np.ndarray]


def drawn_by(name: str, folder: Path, *settings: str) -> tuple[list[Axes], xr.Dataset]:
    """Run a study, made small, and return the panels of its figure, which must be sound, and the sampler's result."""
    study = read_study(STUDIES / f"{name}.toml")
    network = [setting for setting in SMALL_NETWORK if not ("simulate.size" in study.sweep and "size" in setting)]
    kept: list[Figure] = []

    def keep(drawn: Figure, path: Path) -> Path:  # rather than save, which takes longer than to draw
        kept.append(drawn)
        path.touch()
        return path

    with mock.patch.object(figures, "save", keep):
        result = run_study(read_study(study.path, [*SMALL, *network, *settings]), folder, progress=False)
    assert result.paths[-1].name == "figure.png" and result.sample is not None
    (drawn,) = kept
    assert drawn.get_suptitle() == study.title
    return sound(drawn), result.sample


def sound(drawn: Figure) -> list[Axes]:
    """Return the panels of a figure: each has labels, and theory that is shown is a number somewhere."""
    for axes in drawn.axes:
        assert axes.get_xlabel() or axes.get_ylabel()
        assert not dashes(axes) or any(np.isfinite(y).any() for _, y in dashes(axes))
    return list(drawn.axes)


def dashes(axes: Axes) -> list[Curve]:
    """Return the curves of the theory in a panel."""
    return [_points(line) for line in axes.lines if line.get_linestyle() == "--" and line.get_color() == "#000000"]


def curves(axes: Axes, colour: Any = None) -> list[Curve]:
    """Return the solid curves of a panel, of one colour or of any, in the order in which they were drawn."""
    solid = [line for line in axes.lines if line.get_linestyle() == "-" and len(np.asarray(line.get_xdata())) > 1]
    return [_points(line) for line in solid if colour is None or line.get_color() == colour]


def legend(axes: Axes) -> list[str]:
    """Return the words of all legends of a panel."""
    found = [axes.get_legend(), *axes.artists]
    return [text.get_text() for one in found if hasattr(one, "get_texts") for text in one.get_texts()]


def _points(line: Any) -> Curve:
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def grid_of(scheme: str, dt: float, steps: int, **options: Any) -> dict[str, Any]:
    """Return what theory is asked for a run of so many steps: those of a map, or times in the limit dt -> 0."""
    return {"dt": dt, "steps": steps} if scheme == "euler" else {"times": dt * np.arange(steps + 1), **options}
