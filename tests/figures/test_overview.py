"""Figures: the right numbers on the right axes, an error band on every curve that has an error."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up import made_up_result
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from scipy.stats import t as student

from sitesampler.errors import InputError
from sitesampler.figures import correlation_figure, figure, quantile, recorded_vectors, save

SAMPLE = made_up_result(replicas=8, population=1_000)
SIMULATION = made_up_result(replicas=4, size=100)


def curve(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in axes.lines if str(line.get_label()).startswith(label)]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_correlation_figure_shows_both_worlds_and_theory_on_one_axis() -> None:
    grid = np.linspace(0, 5, 20)
    theory = (grid, (2 + 0.1 * grid[:, None]) * np.exp(-abs(grid[:, None] - grid)), "some theory")
    equal, decay, _ = correlation_figure(SAMPLE, SIMULATION, theory, "h").axes[:3]
    for label in ("sampler", "simulation"):
        times, values = curve(equal, label)
        np.testing.assert_allclose(values, 2.0)
        np.testing.assert_allclose(times, SAMPLE["time"])
        lag, values = curve(decay, label)
        np.testing.assert_allclose(values, 2 * np.exp(-lag))
    np.testing.assert_allclose(curve(equal, "some theory"), (grid, 2 + 0.1 * grid))
    np.testing.assert_allclose(curve(decay, "some theory"), (grid, 2.5 * np.exp(-grid)), atol=1e-12)
    assert [text.get_text() for text in equal.get_legend().get_texts()] == [
        "simulation, $N$ = 100",
        r"sampler, $N = \infty$",
        "some theory",
    ]


def test_bands_are_95_percent_intervals_by_student() -> None:
    assert quantile(SAMPLE) == pytest.approx(student.ppf(0.975, df=7))
    equal, decay, _ = correlation_figure(SAMPLE).axes[:3]
    for axes in (equal, decay):
        (band,) = [item for item in axes.collections if isinstance(item, PolyCollection)]
        edges = band.get_paths()[0].vertices[:, 1]
        assert np.ptp(edges[np.isclose(np.abs(edges - 2.0), quantile(SAMPLE) * 0.01)]) == pytest.approx(
            2 * quantile(SAMPLE) * 0.01
        )


def test_one_replica_has_no_band() -> None:
    equal = correlation_figure(made_up_result(replicas=1, population=1_000)).axes[0]
    assert not equal.collections


def test_trajectories_are_those_of_single_sites() -> None:
    single = correlation_figure(SAMPLE).axes[2]
    assert len(single.lines) == 5
    np.testing.assert_allclose(single.lines[1].get_ydata(), SAMPLE["trajectory_h"][1])


def test_inner_columns_and_layers_show_their_last() -> None:
    layered = xr.concat([SAMPLE, 2 * SAMPLE], "layer", join="exact").assign_attrs(SAMPLE.attrs)
    equal, _, single = correlation_figure(layered).axes[:3]
    np.testing.assert_allclose(curve(equal, "sampler")[1], 4.0)
    np.testing.assert_allclose(single.lines[0].get_ydata(), 2 * SAMPLE["trajectory_h"][0])


def test_figure_takes_the_first_vector_and_names_those_there_are() -> None:
    assert recorded_vectors(SAMPLE) == ["h"]
    drawn = figure(SAMPLE, SIMULATION, title="A network")
    assert drawn is not None
    assert drawn.get_suptitle() == "A network"
    with pytest.raises(InputError, match="records no site vector 'x'; it records h"):
        figure(SAMPLE, vector="x")


def test_programs_that_record_only_numbers_show_these() -> None:
    numbers = xr.Dataset(
        {
            "q": ("layer", [1.0, 0.5]),
            "q_stderr": ("layer", [0.1, 0.1]),
            "loss": ("time", [1.0, 0.5, 0.2]),
            "loss_stderr": ("time", [0.1, 0.1, 0.1]),
        },
        coords={"layer": [1, 2], "time": [0.0, 0.5, 1.0]},
        attrs={"program": "own", "replicas": 4, "population": 100},
    )
    drawn = figure(numbers)
    assert drawn is not None
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in drawn.axes] == [("layer", "q"), ("time $t$", "loss")]
    assert all(len(axes.collections) == 1 for axes in drawn.axes)
    assert figure(numbers[[]]) is None


def test_the_png_has_150_dots_per_inch(tmp_path: Path) -> None:
    drawn = correlation_figure(SAMPLE)
    header = save(drawn, tmp_path / "figure.png").read_bytes()[:24]
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == tuple(np.floor(drawn.get_size_inches() * 150).astype(int))
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_figures_do_not_need_pyplot() -> None:
    code = "import sys, sitesampler.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
