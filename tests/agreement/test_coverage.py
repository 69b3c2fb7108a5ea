"""Errors that can be trusted: 95 % intervals cover the truth in 95 % of repetitions, in the nonlinear systems.

Many results of one system are made at once: the replicas of one long run, which are independent, are dealt out in
fours, and each four goes through the same statistics as the replicas of a short run do.

Two things are kept small here, and shown apart.  The floor for tolerance and rounding only ever widens an interval,
which it does where scatter is no larger (as in the exact systems, ``test_exact_systems.py``).  And order parameters
estimated from M samples shift all replicas alike, by about const/M, which no scatter shows; smaller runs do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import sitesampler as ss
from sitesampler.records.variable import Variable
from sitesampler.results import combine as results
from sitesampler.results.compare import interval
from sitesampler.runs import iteration as iterations
from sitesampler.runs import march as replicas
from sitesampler.runs.calls import DEFAULT_TOLERANCE
from sitesampler.theory import perceptron_flow, random_rnn

REPLICAS, LEVEL = 4, 0.95
#: Samples of a replica.
POPULATION = 1_000
#: A floor well below the scatter.
TOLERANCE = 1e-4
#: Chance that correct intervals fail one comparison of the short test, from below or from above.
FALSE_ALARM = 1e-4

Truths = dict[tuple[str, float, float | None], float]


@dataclass(frozen=True)
class System:
    """A system, and the truth about some of its variables, by name and times.

    Attributes
    ----------
    program, parameters, every
        See `sitesampler.sample`.
    truths : callable
        The closed-form or high-precision values; called when they are needed.
    """

    program: Callable[..., None]
    parameters: dict[str, Any]
    every: int
    truths: Callable[[], Truths]


def chaotic_truths() -> Truths:
    """Solve the closed two-time equations; h is Gaussian, and matched draws leave no scatter in <h> and <h(2) h(0)>."""
    C_h, C_phi = random_rnn.correlation(2.0, dt=0.1, steps=20)
    exact: Truths = {("C_h", t, s): C_h[10 * t, 10 * s] for t, s in [(1, 1), (2, 2), (2, 1)]}
    exact |= {("C_phi", t, s): C_phi[10 * t, 10 * s] for t, s in [(1, 1), (2, 2), (2, 1), (2, 0)]}
    return {**exact, ("phi_mean", 2, None): 0.0, ("h_kurtosis", 1, None): 0.0, ("h_kurtosis", 2, None): 0.0}


def network_with_memory(net: Any, *, g: float, symmetry: float, dt: float, duration: float) -> None:
    """Run `random_rnn`, with a source for the response."""
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h = neurons.normal()
    for t in net.clock(duration, dt):
        activity = np.tanh(h)
        net.record(t, h=h, phi=activity)
        h = h + dt * (J @ activity - h + net.source(neurons))


def memory_truths() -> Truths:
    """Return what large populations give, for no equations close; their errors are a fiftieth of those of a result.

    From ss.sample(network_with_memory, population=200_000, replicas=64, seed=5, tolerance=1e-6, every=5, keep=0,
    g=1.6, symmetry=0.6, dt=0.2, duration=2).
    """
    return {
        ("C_h", 1, 1): 0.606344,  # +- 0.000055
        ("C_h", 2, 2): 1.15719,  # +- 0.00019
        ("C_h", 2, 1): 0.755883,  # +- 0.000096
        ("C_h", 2, 0): 0.408195,  # +- 0.000031
        ("C_phi", 2, 2): 0.434912,  # +- 0.000072
        ("C_phi", 2, 0): 0.155960,  # +- 0.000029
        ("R_h", 1, 0): 0.527286,  # +- 0.000035
        ("R_h", 2, 0): 0.41527,  # +- 0.00011
        ("R_phi", 2, 0): 0.25344,  # +- 0.00016
        ("R_phi", 2, 1): 0.296754,  # +- 0.000094
        ("h_mean", 2, None): 0.0,
        ("h_kurtosis", 1, None): -0.1864,  # +- 0.0011
        ("h_kurtosis", 2, None): -0.32050,  # +- 0.00087
    }


def learning_truths() -> Truths:
    """Do three steps by quadrature over their fresh normals."""
    exact = perceptron_flow.first_steps(2.0, 1.0, steps=3)
    truths: Truths = {("overlap", t, None): exact.overlap[t] for t in (1, 2, 3)}
    truths |= {("C_w", t, t): exact.norm[t] for t in (1, 2, 3)}
    truths |= {("train_loss", t, None): exact.train_loss[t] for t in (1, 2)}
    truths |= {("train_error", t, None): exact.train_error[t] for t in (1, 2)}
    return truths


SYSTEMS = {
    "chaotic": System(
        ss.models.random_rnn, {"scheme": "euler", "g": 2.0, "dt": 0.1, "duration": 2.0}, 10, chaotic_truths
    ),
    "memory": System(network_with_memory, {"g": 1.6, "symmetry": 0.6, "dt": 0.2, "duration": 2.0}, 5, memory_truths),
    "learning": System(
        ss.models.perceptron_flow, {"scheme": "euler", "alpha": 2.0, "dt": 1.0, "duration": 3.0}, 1, learning_truths
    ),
}


Replica = dict[str, Variable]


@dataclass
class Replicas:
    """What the replicas of one run give, with the smaller runs in which its bias is seen."""

    variables: list[Replica]
    smaller: results.SmallerRuns | None

    def of(self, names: set[str], part: slice = slice(None), floor: float = 1.0) -> Replicas:
        """Return some of the variables of some of the replicas, with a part of their floor."""

        def some(variables: Replica) -> Replica:
            return {name: replace(variables[name], floor=floor * variables[name].floor) for name in names}

        smaller = self.smaller
        if smaller is not None:
            runs = [[some(run) for run in runs] for runs in smaller.variables[part]]
            smaller = results.SmallerRuns(runs, smaller.times_smaller)
        return Replicas([some(each) for each in self.variables[part]], smaller)


def many_replicas(
    system: System, count: int, seed: int, monkeypatch: pytest.MonkeyPatch, population: int = POPULATION,
    tolerance: float = TOLERANCE,
) -> Replicas:  # fmt: skip
    """Return what the replicas of one run give; a run for every four would spend its time on starting."""
    found: list[Replicas] = []

    def keep(outcomes: list[Replica], attrs: dict[str, Any], *_: Any, smaller: Any, **__: Any) -> xr.Dataset:
        found.append(Replicas(outcomes, smaller))
        return results.combine(outcomes[:1], attrs)

    monkeypatch.setattr(replicas, "combine", keep)
    options: dict[str, Any] = {
        "population": population,
        "tolerance": tolerance,
        "every": system.every,
        "keep": 0,
        "progress": False,
    }
    ss.sample(system.program, replicas=count, seed=seed, **options, **system.parameters)
    assert len(found[-1].variables) == count
    return found[-1].of({name for name, *_ in system.truths()})


def dealt(found: Replicas, replicas: int = REPLICAS, floor: float = 1.0) -> xr.Dataset:
    """Return the results of so many replicas each, side by side."""
    names = set(found.variables[0])
    starts = range(0, len(found.variables), replicas)
    groups = [found.of(names, slice(start, start + replicas), floor) for start in starts]
    made = [results.combine(each.variables, {"replicas": replicas}, smaller=each.smaller) for each in groups]
    return xr.concat(made, "result", join="override", combine_attrs="override")


def picked(array: xr.DataArray, time: float, time_: float | None) -> np.ndarray:
    """Return the values of all results at one point."""
    return array.sel(time=time).values if time_ is None else array.sel(time=time, time_=time_).values


def coverage(system: System, ds: xr.Dataset) -> dict[str, float]:
    """Return the fraction of intervals that cover the truth, by name and times."""
    fractions = {}
    for (name, time, time_), truth in system.truths().items():
        low, high = (picked(end, time, time_) for end in interval(ds, name, LEVEL))
        fractions[f"{name}({time}, {time_})"] = float(np.mean((low <= truth) & (truth <= high)))
    return fractions


@pytest.mark.parametrize("name", SYSTEMS)
def test_intervals_cover_the_truth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as 100 results can tell: between 85 and 100 %."""
    count, system = 100, SYSTEMS[name]
    least, most = stats.binom.isf([1 - FALSE_ALARM, FALSE_ALARM], count, LEVEL) / count
    found = coverage(system, dealt(many_replicas(system, REPLICAS * count, 1, monkeypatch)))
    assert all(least <= fraction <= most for fraction in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_intervals_of_2000_results_cover_the_truth_in_93_to_97_percent(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured: chaotic 94.2 to 95.2 %, memory 93.9 to 95.6 %, learning 94.8 to 95.7 %, each known to 0.5 %.

    With 1.96 in the place of Student's 3.18 they would cover 84 to 86 %.  At the default tolerance, ten times this one,
    the floor adds up to 2.5 % where scatter is small (train_loss(1) 97.0 %), and 3 % to h_mean (98.2 %).
    """
    system = SYSTEMS[name]
    found = coverage(system, dealt(many_replicas(system, REPLICAS * 2_000, 2, monkeypatch)))
    assert all(0.93 <= fraction <= 0.97 for fraction in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_intervals_of_sweeps_cover_the_truth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as 100 results can tell, like marches: replicas share nothing but the number of iterations."""
    count, system = 100, SYSTEMS[name]
    found: list[Replicas] = []

    def keep(outcomes: list[Replica], attrs: dict[str, Any], *_: Any, smaller: Any, **__: Any) -> xr.Dataset:
        found.append(Replicas(outcomes, smaller))
        return results.combine(outcomes[:1], attrs)

    monkeypatch.setattr(iterations, "combine", keep)
    options: dict[str, Any] = {"tolerance": TOLERANCE, "every": system.every, "keep": 0, "progress": False}
    swept = {"population": 2 * POPULATION, "chunk": POPULATION, "iterations": "auto"}
    ss.sample(system.program, replicas=REPLICAS * count, seed=3, **options, **swept, **system.parameters)
    least, most = stats.binom.isf([1 - FALSE_ALARM, FALSE_ALARM], count, LEVEL) / count
    covered = coverage(system, dealt(found[-1].of({name for name, *_ in system.truths()})))
    assert len(found[-1].variables) == REPLICAS * count
    assert all(least <= fraction <= most for fraction in covered.values()), covered


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_floor_hardly_widens_the_intervals_of_noisy_systems(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a tenth at the default tolerance, and that only where scatter is smallest; by 1 or 2 % as a rule."""
    system = SYSTEMS[name]
    found = many_replicas(system, REPLICAS * 10, 3, monkeypatch, tolerance=DEFAULT_TOLERANCE)
    with_floor, without = (dealt(found, floor=part) for part in (1.0, 0.0))
    widened = {}
    for key, time, time_ in system.truths():
        squares = [np.mean(picked(ds[f"{key}_stderr"], time, time_) ** 2) for ds in (with_floor, without)]
        widened[f"{key}({time}, {time_})"] = float(np.sqrt(squares[0] / squares[1]))
    assert max(widened.values()) < 1.1 and np.median(list(widened.values())) < 1.02, widened


@pytest.mark.slow
def test_the_shift_of_a_small_population_is_seen_in_smaller_runs_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More replicas only narrow the interval; 100 samples shift C_h(2, 2) by 0.008, 1,000 by 0.001.

    Without smaller runs the intervals of 4 replicas do not show it (93 % cover the truth), those of 64 do (64 %).
    """
    system = SYSTEMS["chaotic"]
    found = many_replicas(system, 1_600, 4, monkeypatch, population=100)
    plain = Replicas(found.variables, None)
    shifted, mended = (
        results.combine(each.variables, {}, smaller=each.smaller).sel(time=2, time_=2) for each in (plain, found)
    )
    truth = system.truths()["C_h", 2, 2]
    assert float(shifted.C_h) - truth == pytest.approx(0.008, abs=4 * float(shifted.C_h_stderr))
    assert float(mended.C_h) == pytest.approx(truth, abs=4 * float(mended.C_h_stderr))
    assert float(mended.C_h_stderr) < 0.5 * 0.008
    blind, seeing = (coverage(system, dealt(each, 64))["C_h(2, 2)"] for each in (plain, found))
    assert blind < 0.8 and seeing > 0.8
