"""A start that is symmetric and unstable, which the infinite network does not leave and a population does."""

import warnings
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.runs.amplified import FluctuationsGrew
from sitesampler.runs.iteration import NotConverged


def magnet(net: Any, *, coupling: float, start: float = 0.0, duration: float = 10.0) -> None:
    """Units that see their mean activity: at coupling > 1 they magnetise, one way or the other."""
    units = net.sites()
    h = start + units.normal()
    for t in net.clock(duration, 0.2):
        activity = net.mean(np.tanh(h))
        net.record(t, h=h, size=abs(activity))
        h = h + 0.2 * (coupling * activity - h)


def heard(**call: Any) -> list[str]:
    options = {"population": 400, "replicas": 4, "seed": 0, "keep": 0, "progress": False}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ss.sample(magnet, **{**options, **call})
    return [str(each.message) for each in said if issubclass(each.category, FluctuationsGrew)]


@pytest.mark.parametrize("population", [400, 4000])
@pytest.mark.parametrize("replicas", [2, 8])
def test_replicas_that_go_different_ways_are_said_to(population: int, replicas: int) -> None:
    (sentence,) = heard(coupling=2.0, population=population, replicas=replicas, duration=20.0)
    assert sentence.startswith(f"replicas of {population} samples differ by far more than such populations can, in ")
    assert "start from a mean that is not zero" in sentence


def test_iterations_say_so_too() -> None:
    with pytest.warns(NotConverged), pytest.warns(FluctuationsGrew):
        ss.sample(magnet, coupling=2.0, population=800, chunk=400, iterations=2, replicas=4, seed=0, duration=20.0)


@pytest.mark.parametrize(
    "call",
    [{"coupling": 0.9, "duration": 2.0}, {"coupling": 2.0, "start": 0.5}, {"coupling": 2.0, "duration": 1.0}],
    ids=str,
)
def test_what_is_stable_or_starts_on_one_side_is_not(call: dict[str, Any]) -> None:
    assert not heard(**call)
