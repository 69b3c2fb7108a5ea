"""The figure of the community: the fixed point where there is one, nothing in chaos."""

from pathlib import Path

import pytest
from drawn import dashes, drawn_by, legend

from sitesampler.theory.lotka_volterra import fixed_point

SETTLED = ("parameters.mean_interaction=4.0", "parameters.heterogeneity=0.8", "parameters.duration=3.0")


def test_a_study_in_chaos_has_no_theory(tmp_path: Path) -> None:
    panels, _ = drawn_by("lotka_volterra", tmp_path, "parameters.duration=2.0")
    assert not any(dashes(axes) for axes in panels)
    assert legend(panels[0]) == [r"sampler, $N = \infty$", "simulation, $N$ = 50"]


def test_below_the_limit_of_stability_the_fixed_point_is_drawn(tmp_path: Path) -> None:
    panels, _ = drawn_by("lotka_volterra", tmp_path, *SETTLED)
    point = fixed_point(4.0, 0.8, 0.0, 1e-4)
    levels = [dashes(axes)[0][1][0] for axes in panels[:3]]
    assert levels == pytest.approx([point.mean, point.mean_square, point.surviving])


def test_growth_without_bound_has_no_theory(tmp_path: Path) -> None:
    unstable = ("parameters.mean_interaction=-3.0", "parameters.heterogeneity=0.1", "parameters.duration=0.3")
    panels, _ = drawn_by("lotka_volterra", tmp_path, *unstable)
    assert not any(dashes(axes) for axes in panels)
