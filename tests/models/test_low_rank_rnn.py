"""Low-rank random network against its recursion, its fixed point and direct simulation."""

from typing import Any

import numpy as np
import pytest
from reference import worst_p_value

import sitesampler as ss
from sitesampler.models.low_rank_rnn import low_rank_rnn
from sitesampler.theory.low_rank_rnn import fixed_point, recursion


@pytest.mark.parametrize(("g", "overlap", "start"), [(0.8, 2.0, 0.3), (1.8, 3.5, 0.5), (0.8, [2.0, 2.5], [0.6, 0.2])])
def test_equals_the_recursion(g: float, overlap: Any, start: Any) -> None:
    parameters = {"g": g, "overlap": overlap, "start": start}
    options = {"scheme": "euler", "dt": 0.1, "duration": 12}
    ds = ss.sample(low_rank_rnn, population=8000, replicas=8, seed=1, every=10, keep=0, **options, **parameters)
    exact = recursion(**parameters, dt=0.1, steps=120)
    k = np.size(overlap)
    for name, reference in (
        ("kappa", exact.kappa[::10]),
        ("projection", exact.projection[::10]),
        ("C_h", exact.C_h[::10, ::10]),
    ):
        values, errors = (ds[name + end].values.reshape(reference.shape) for end in ("", "_stderr"))
        scale = np.abs(reference).max()
        assert errors.max() < 0.01 * scale
        assert worst_p_value(values - reference, (errors,), (7,)) > 1e-4, name
    assert exact.kappa.shape[1] == k


def test_condenses_on_the_fixed_point() -> None:
    ds = ss.sample(low_rank_rnn, population=8000, replicas=8, seed=2, keep=0, every=50, duration=25, g=0.8, overlap=2.0)
    kappa, variance = fixed_point(0.8, 2.0)
    last = ds.isel(time=-1, time_=-1)
    assert float(last.kappa.squeeze()) == pytest.approx(kappa, rel=0.01)
    assert float(last.C_h) == pytest.approx(variance, rel=0.015)


@pytest.mark.slow
def test_agrees_with_direct_simulation_extrapolated_in_size() -> None:
    parameters = {"g": 1.8, "overlap": 3.5, "start": 0.5, "dt": 0.2, "duration": 6.0, "scheme": "euler"}
    options = {"every": 10, "keep": 0}
    sampled = ss.sample(low_rank_rnn, population=8000, replicas=8, seed=3, **options, **parameters)
    small = ss.simulate(low_rank_rnn, size=100, replicas=150, seed=4, **options, **parameters)
    large = ss.simulate(low_rank_rnn, size=200, replicas=150, seed=5, **options, **parameters)
    for name in ("kappa", "C_h"):
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        assert float(error.max() / np.abs(sampled[name]).max()) < 0.08
        errors = (sampled[name + "_stderr"].values, error.values)
        assert worst_p_value((sampled[name] - extrapolated).values, errors, (7, 149)) > 1e-3, name


def test_outliers_are_the_overlaps_beyond_the_bulk() -> None:
    parameters = {"g": 0.8, "overlap": [2.0, -1.5, 0.3], "duration": 3.0}
    ds = ss.sample(low_rank_rnn, population=1000, replicas=2, seed=6, **parameters)
    np.testing.assert_allclose(ds.outliers.isel(time=-1), [2.0, -1.5], rtol=1e-6)
    network = ss.simulate(low_rank_rnn, size=300, replicas=16, seed=7, **parameters)
    last = network.isel(time=-1).outliers.values[:2]
    np.testing.assert_allclose(last, [2.0, -1.5], atol=0.1)
