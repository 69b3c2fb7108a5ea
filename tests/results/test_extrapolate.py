"""Extrapolation to dt -> 0: truths of closed equations and exact solutions, coverage over seeds, and refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import iv, stdtrit

import sitesampler as ss
from sitesampler.errors import InputError
from sitesampler.theory import random_rnn, spherical_pspin

KEPT: dict[str, Any] = {"keep_replicas": True, "keep": 2}


def linear(net: Any, *, dt: float, scheme: str = "heun", record_dt: float | None = None) -> None:
    """dh/dt = J h - 1.5 h on a GOE matrix, which matched draws leave no error but that of the step."""
    group = net.sites()
    J = net.coupling(group, gain=0.5, symmetry=1)
    flow = net.flow(lambda h: J @ h - 1.5 * h, group.normal(), 2.0, dt, scheme=scheme, record_dt=record_dt)
    for t, h in flow:
        net.record(t, h=h)


def correlation(times: np.ndarray) -> np.ndarray:
    """Return <h(t) h(t')> of the linear network: a Bessel function of imaginary argument."""
    both = np.add.outer(times, times)
    return np.asarray(np.exp(-1.5 * both) * np.where(both > 0, 2 * iv(1, both) / np.maximum(both, 1e-9), 1))


def by_clock(net: Any, *, dt: float, g: float = 1.5, duration: float = 2.0) -> None:
    """Chaotic network, a map."""
    group = net.sites()
    J, h = net.coupling(group, gain=g), group.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h)
        h = h + dt * (J @ np.tanh(h) - h)


def spins(net: Any, *, dt: float, duration: float = 20.0) -> None:
    """Spherical 3-spin model at T = 0.5, with the multiplier in its drift."""
    group = net.sites()
    K = net.tensor_coupling(group, order=3)

    def drift(s: Any) -> Any:
        force = K.force(s)
        return force - (net.overlap(s, force) + 0.5) / net.overlap(s, s) * s

    def on_sphere(s: Any) -> Any:
        return s / np.sqrt(net.overlap(s, s))

    flow = net.flow(
        drift, on_sphere(group.normal()), duration, dt, scheme="heun", noise=1.0, constrain=on_sphere, record_dt=1.0
    )
    for t, s in flow:
        net.record(t, s=s)


def pair(program: Any, dt: float, call: Any = ss.sample, **options: Any) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a run at dt and one at 2 dt with the same seed."""
    fine, coarse = (call(program, dt=step, **{"seed": 0, "replicas": 2, **KEPT, **options}) for step in (dt, 2 * dt))
    return fine, coarse


def exact(dt: float, scheme: str, **options: Any) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a pair of runs of the linear network."""
    return pair(linear, dt, population=100, tolerance=1e-7, scheme=scheme, **options)


def deviation(ds: xr.Dataset, truth: np.ndarray, name: str = "C_h") -> np.ndarray:
    """Return how far a variable is from the truth, in standard errors."""
    return np.asarray(((ds[name] - truth) / ds[f"{name}_stderr"]).values)


# --------------------------------------------------------------------------------------------------------------- truth
@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_the_error_falls_by_one_order_more_and_is_within_what_is_stated(scheme: str, order: int) -> None:
    largest = []
    for dt in (0.125, 0.0625):
        fine, coarse = exact(dt, scheme)
        found = ss.extrapolate(fine, coarse)
        times = np.arange(0, 2.1, 0.25)
        truth, here = correlation(times), {"time": times, "time_": times}
        largest.append(float(abs(found.C_h.sel(here) - truth).max()))
        assert largest[-1] < 0.4 * float(abs(fine.C_h.sel(here) - truth).max())
        assert np.nanmax(np.abs(deviation(found.sel(here), truth))) < 1
    # In a pair of finite steps the order is larger by a few tenths, as is that of the schemes themselves.
    assert order + 0.7 < np.log2(largest[0] / largest[1]) < order + 1.7


def test_a_map_is_extrapolated_to_the_closed_equations_which_its_plain_values_miss() -> None:
    """C(2, 2) and C(2, 1) of the chaotic network: the coarse and the fine run are off by many standard errors."""
    fine, coarse = pair(by_clock, 0.1, population=1_000, replicas=8)
    found = ss.extrapolate(fine, coarse)
    truth = random_rnn.correlation(1.5, times=found.time.values)[0]
    assert np.abs(deviation(found, truth)).max() < 3.5
    here = {"time": found.time, "time_": found.time_}
    assert np.abs(deviation(fine.sel(here), truth)).max() > 5 < np.abs(deviation(coarse.sel(here), truth)).max()


def test_intervals_cover_the_truth_over_seeds() -> None:
    """95 % intervals of two averages at t = 1 over 20 seeds: 5 misses are one in 400, and plain values miss most."""

    def saturating(net: Any, *, dt: float) -> None:
        h = net.sites().normal()
        for t in net.clock(1.0, dt):
            net.record(t, h=h)
            h = h - dt * np.tanh(h)

    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    later = np.arcsinh(np.exp(-1) * np.sinh(nodes))
    truth = np.array([later * nodes, later**2]) @ weights / weights.sum()
    half, missed, missed_by_fine = float(stdtrit(7, 0.975)), np.zeros(2), np.zeros(2)
    for seed in range(20):
        fine, coarse = pair(saturating, 0.1, ss.simulate, size=10_000, replicas=8, seed=seed, every=5)
        found, fine = (ds.sel(time=1.0, time_=[0.0, 1.0]) for ds in (ss.extrapolate(fine, coarse), fine))
        missed += np.abs(deviation(found, truth)) > half
        missed_by_fine += np.abs(deviation(fine, truth)) > half
    assert missed.max() <= 4 and missed_by_fine.min() > 10


@pytest.mark.slow
def test_intervals_of_a_sampled_network_cover_the_limit_over_seeds() -> None:
    """95 % intervals of C(2, 2) and C(2, 1) over 24 seeds: more than 4 misses of 24 have a probability of 1 in 150."""
    truth = random_rnn.correlation(1.5, times=[1.0, 2.0])[0]
    half, missed = float(stdtrit(7, 0.975)), np.zeros(2)
    for seed in range(24):
        found = ss.extrapolate(*pair(by_clock, 0.1, population=200, replicas=8, seed=seed, every=5))
        at = found.sel(time=2.0, time_=[1.0, 2.0])
        missed += np.abs(deviation(at, truth[1])) > half
    assert missed.max() <= 4


@pytest.mark.slow
def test_the_spherical_3_spin_model_is_known_to_a_thousandth() -> None:
    """Up to t = 20, from steps of 0.05 and 0.1, and 0.1297 for C(20, 0)."""
    fine, coarse = pair(spins, 0.05, population=2_000, tolerance=1e-4)
    found = ss.extrapolate(fine, coarse)
    truth = spherical_pspin.solve(3, 0.5, times=found.time.values).C
    assert float(abs(found.C_s - truth).max()) < 1e-3 < float(abs(fine.C_s - truth).max())
    assert np.nanmax(np.abs(deviation(found, truth, "C_s"))) < 2
    assert float(found.C_s.sel(time=20, time_=0)) == pytest.approx(0.129682, abs=1e-3)


# ----------------------------------------------------------------------------------------------- what is common cancels
@pytest.mark.parametrize(("call", "size"), [(ss.sample, {"population": 400}), (ss.simulate, {"size": 60})])
def test_the_difference_is_quiet_where_both_runs_have_one_seed(call: Any, size: dict[str, int]) -> None:
    fine, coarse = pair(by_clock, 0.1, call, replicas=16, **size)
    quiet = ss.extrapolate(fine, coarse)
    with pytest.warns(RuntimeWarning, match="the seeds 0 and 1, and their difference has the noise of both"):
        loud = ss.extrapolate(fine, call(by_clock, dt=0.2, seed=1, replicas=16, **size, **KEPT))
    scatter = [float((ds.C_h_replicas.std("replica") ** 2).mean() ** 0.5) for ds in (quiet, loud, fine)]
    assert scatter[0] < 1.3 * scatter[2] and scatter[1] > 1.8 * scatter[2]


def test_values_and_replicas_are_those_of_richardson_and_the_order_of_arguments_does_not_matter() -> None:
    fine, coarse = exact(0.25, "heun")
    found = ss.extrapolate(fine, coarse)
    xr.testing.assert_identical(found, ss.extrapolate(coarse, fine))
    here = {"time": found.time, "time_": found.time_}
    for name in ("C_h", "C_h_replicas"):
        x, other = fine[name].sel(here), coarse[name]
        np.testing.assert_allclose(found[name], x + (x - other) / 3, atol=1e-14)


def test_any_ratio_of_steps_will_do() -> None:
    fine, coarse = (ss.sample(linear, dt=dt, population=100, replicas=2, seed=0, tolerance=1e-7, **KEPT)
                    for dt in (0.125, 0.5))  # fmt: skip
    found = ss.extrapolate(fine, coarse)
    assert np.nanmax(np.abs(deviation(found, correlation(found.time.values)))) < 1
    assert json.loads(found.attrs["extrapolated"]) == [0.125, 0.5]


def test_the_start_is_known_and_records_inside_of_steps_have_all_of_the_change_in_their_error() -> None:
    """Between steps the error is that of the cubic too, which does not fall as that of the scheme."""
    found = ss.extrapolate(*exact(0.25, "rk4", record_dt=0.125))
    np.testing.assert_allclose(found.time, np.arange(0, 2.01, 0.125))
    assert float(found.C_h_stderr[0, 0]) < 1e-6
    assert np.nanmax(np.abs(deviation(found, correlation(found.time.values)))) < 2


def test_what_is_noise_is_not_made_larger_by_what_may_be_left() -> None:
    found = ss.extrapolate(*pair(by_clock, 0.1, population=400, replicas=16))
    late = found.isel(time=slice(1, None))
    scatter = late.h_kurtosis_replicas.std("replica", ddof=1) / 4
    assert float((late.h_kurtosis_stderr / scatter).median()) < 1.5


# ---------------------------------------------------------------------------------------------- a result like any other
def test_it_is_a_result_like_any_other(tmp_path: Path) -> None:
    fine, coarse = pair(ss.models.random_rnn, 0.25, population=200, replicas=4, scheme="rk4", g=1.5, duration=2.0)
    found = ss.extrapolate(fine, coarse)
    told = {name: found.attrs[name] for name in ("scheme", "scheme_order", "scheme_dt", "extrapolated", "replicas")}
    assert told == {"scheme": "rk4", "scheme_order": 4, "scheme_dt": 0.25, "extrapolated": "[0.25, 0.5]", "replicas": 4}
    assert found.attrs["title"] == "random_rnn, single-site ensemble, extrapolated to dt = 0"
    ss.save_result(found, tmp_path / "found.zarr")
    xr.testing.assert_identical(ss.open_result(tmp_path / "found.zarr").load(), found)
    low, high = ss.interval(found, "C_h")
    assert (low <= found.C_h).all() and (found.C_h <= high).all()
    last = ss.derive(found, lambda d: d.C_h.isel(time=-1, time_=-1))
    np.testing.assert_allclose(last["value_stderr"], found.C_h_stderr[-1, -1])
    ss.figures.random_rnn.chaos(found)
    with pytest.warns(RuntimeWarning) as told_by_compare:  # that they have the seed in common, too
        ss.compare(found, fine)
    sentence = "rk4, extrapolated from dt = 0.25 and rk4 with dt = 0.25"
    assert any(sentence in str(each.message) for each in told_by_compare)


def test_points_of_a_sweep_and_iterations_are_extrapolated_too() -> None:
    options = {"population": 200, "replicas": 3, "seed": 0, "keep_replicas": True}
    swept = [ss.sweep(by_clock, {"g": [0.5, 1.5]}, dt=dt, **options) for dt in (0.25, 0.5)]
    alone = pair(by_clock, 0.25, population=200, replicas=3, g=1.5, seed=0)
    found = ss.extrapolate(*swept)
    assert found.C_h.dims == swept[0].C_h.dims and json.loads(found.attrs["sweep"]) == {"g": [0.5, 1.5]}
    one = ss.extrapolate(*alone)
    assert found.C_h_stderr.sel(g=1.5).shape == one.C_h_stderr.shape
    iterated = ss.extrapolate(*pair(ss.models.goe_flow, 0.125, population=200, iterations=1, duration=0.5))
    assert "self_consistency_residual" in iterated.attrs and "order_parameters" not in iterated


def test_two_schemes_in_one_program_count_with_the_lower_order() -> None:
    """A flow and a clock: dt of both, and of the first alone."""

    def both(net: Any, *, dt: float, step: float = 0.25) -> None:
        for t, h in net.flow(lambda h: -h, net.sites().normal(), 1.0, dt, scheme="heun"):
            net.record(t, h=h)
        for t in net.clock(1.0, step):
            net.record(t, x=h)
            h = h - step * h

    options: dict[str, Any] = {"population": 100, "replicas": 2, "seed": 0, **KEPT}
    fine, coarse = (ss.sample(both, dt=dt, step=dt, **options) for dt in (0.125, 0.25))
    assert json.loads(fine.attrs["scheme"]) == ["heun", "map"] and json.loads(fine.attrs["scheme_order"]) == [2, 1]
    found, here = ss.extrapolate(fine, coarse), {"time": 1.0, "time_": 0.0}
    assert float(found.C_h.sel(here)) == pytest.approx(2 * float(fine.C_h.sel(here)) - float(coarse.C_h.sel(here)))
    other = ss.sample(both, dt=0.25, step=0.125, **options)
    of_flow = ss.extrapolate(fine, other)
    assert float(of_flow.C_h.sel(here)) == pytest.approx(np.exp(-1), abs=1e-3)


# ----------------------------------------------------------------------------------------------------------- refusals
@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    return ss.sample(by_clock, dt=0.25, population=100, replicas=2, seed=0, **KEPT)


def other(**changed: Any) -> xr.Dataset:
    """Return the run at twice the step, with something changed."""
    call, program = changed.pop("call", ss.sample), changed.pop("program", by_clock)
    size = {} if call is ss.simulate else {"population": 100}
    options: dict[str, Any] = {"dt": 0.5, "replicas": 2, "seed": 0, **KEPT, **size, **changed}
    return call(program, **options)


def recorded_by(net: Any, *, dt: float) -> None:
    """Flow in steps of its own: dt is that of its records."""
    for t, h in net.flow(lambda h: -h, net.sites().normal(), 2.0, 0.25, record_dt=dt):
        net.record(t, h=h)


def in_steps(net: Any, *, dt: float) -> None:
    h = net.sites().normal()
    for n in net.steps(5):
        net.record(n, h=h)
        h = h - dt * h


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"dt": 0.25}, "both results were made in steps of dt = 0.25, and only results at two steps tell"),
        ({"g": 1.0}, "differ in g too, 1.5 and 1.0; extrapolate takes results that differ in their time step alone"),
        ({"duration": 3.0}, "differ in duration too, 2.0 and 3.0"),
        ({"program": linear, "scheme": "euler"}, "differ in their program, 'by_clock' and 'linear'"),
        ({"call": ss.simulate, "size": 50}, "differ in their world"),
        ({"replicas": 3}, "have 2 and 3 replicas, and extrapolate pairs them; run as many"),
        ({"keep_replicas": False}, "coarse has not kept its replicas, whose scatter the error comes from"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_two_results_of_different_things_are_refused(fine: xr.Dataset, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ss.extrapolate(fine, other(**changed))


@pytest.mark.parametrize(
    ("program", "schemes", "sentence"),
    [
        (linear, ("heun", "rk4"), "the two results come from other schemes: heun and rk4; use one scheme at two steps"),
        (recorded_by, None, "both results were made in steps of dt = 0.25"),
        (in_steps, None, r"fine \(in_steps\) says no time step: it comes from no flow and no clock"),
    ],
    ids=["schemes", "records", "steps"],
)
def test_results_that_do_not_tell_what_the_step_does_are_refused(
    program: Any, schemes: tuple[str, str] | None, sentence: str
) -> None:
    more: list[dict[str, Any]] = [{"scheme": scheme} for scheme in schemes] if schemes else [{}, {}]
    both = [other(program=program, dt=dt, **each) for dt, each in zip((0.25, 0.5), more, strict=True)]
    with pytest.raises(InputError, match=sentence):
        ss.extrapolate(*both)


def test_what_is_no_result_or_extrapolated_already_is_refused(fine: xr.Dataset) -> None:
    coarse = other()
    found = ss.extrapolate(fine, coarse)
    with pytest.raises(InputError, match="fine is extrapolated already"):
        ss.extrapolate(found, coarse)
    with pytest.raises(
        InputError, match="fine must be a result of sample, simulate or sweep \\(a dataset of xarray\\), not "
    ):
        ss.extrapolate(by_clock, coarse)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fine is a sweep over dt; make one sweep at each of two time steps"):
        ss.extrapolate(ss.sweep(by_clock, {"dt": [0.25, 0.5]}, population=100, replicas=2, seed=0, **KEPT), coarse)
    with pytest.raises(InputError, match="a single replica tells nothing"):
        ss.extrapolate(*(other(dt=dt, replicas=1) for dt in (0.25, 0.5)))
