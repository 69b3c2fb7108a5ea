"""Pieces of figures: intervals, worlds in their order, and what is left out."""

import numpy as np
import pytest
from made_up import made_up_result
from scipy.stats import t as student

from sitesampler.figures import lines

SAMPLE = made_up_result(replicas=8, population=1_000)
SIMULATION = made_up_result(replicas=4, size=100)


def test_half_an_interval_is_by_student() -> None:
    assert lines.quantile(SAMPLE) == pytest.approx(student.ppf(0.975, df=7))
    assert np.isnan(lines.quantile(made_up_result(replicas=1)))
    value, half = lines.equal_times(SAMPLE, "C_h")
    np.testing.assert_allclose(value, 2.0)
    np.testing.assert_allclose(half, 0.01 * lines.quantile(SAMPLE))
    assert np.isnan(lines.with_error(SAMPLE.drop_vars("h_mean_stderr"), "h_mean")[1]).all()


def test_the_sampler_is_drawn_last_and_alone_where_there_is_no_simulation() -> None:
    assert lines.worlds(SAMPLE, None) == [(SAMPLE, lines.line, lines.SAMPLE)]
    (below, circles, _), (above, line, _) = lines.worlds(SAMPLE, SIMULATION)
    assert (below is SIMULATION, above is SAMPLE, circles, line) == (True, True, lines.circles, lines.line)
    assert [draw for _, draw, _ in lines.worlds(SAMPLE, SIMULATION, dotted=True)] == [lines.rings, lines.dots]


def test_circles_leave_out_what_is_not_known_and_do_not_crowd() -> None:
    (axes,) = lines.panels(1)[1]
    values = np.arange(100.0)
    values[::2] = np.nan
    lines.circles(axes, np.arange(100), values, color="k", most=12)
    shown = axes.lines[0].get_ydata()
    assert len(shown) == 12 and np.isfinite(shown).all() and {1.0, 99.0} <= set(shown)


def test_the_legend_of_worlds_stands_beside_the_one_that_is_there() -> None:
    (axes,) = lines.panels(1)[1]
    axes.plot([0, 1], label="a curve")
    axes.legend()
    lines.world_legend(axes, SAMPLE, SIMULATION)
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == [r"sampler, $N = \infty$", "simulation, $N$ = 100", "theory"]
    assert any(
        hasattr(artist, "get_texts") and artist.get_texts()[0].get_text() == "a curve" for artist in axes.artists
    )
