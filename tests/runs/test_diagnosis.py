"""Diagnosis: each part of an error is what it is said to be, and what is left after subtracting them is the limit."""

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import stdtrit

import sitesampler as ss
from sitesampler.errors import InputError, PopulationTooSmall, ProgramError
from sitesampler.runs.diagnosis import diagnose
from sitesampler.runs.iteration import NotConverged
from sitesampler.runs.smaller import BiasRemains
from sitesampler.theory import goe_flow, random_rnn, random_rnn_lyapunov


def richardson(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Remove an error of first order."""
    return 2 * fine - coarse


def limit_of_small_steps(correlation: Callable[[float, int], np.ndarray], dt: float, steps: int) -> np.ndarray:
    """Return the correlation at the even times of a run, with an error of second order in a much smaller step."""
    fine = (correlation(dt / k, k * steps)[:: 2 * k, :: 2 * k] for k in (4, 8))
    return richardson(*fine)


# ------------------------------------------------------------------------------------------------- true systems
def test_the_linear_flow_has_an_error_of_its_time_step_and_no_other() -> None:
    """goe_flow has no scatter and no bias: population and tolerance show nothing, the step what the theory says."""
    dt, steps = 0.02, 50
    ds = diagnose(
        ss.models.goe_flow,
        population=1000,
        replicas=2,
        seed=0,
        tolerance=1e-7,
        scheme="euler",
        dt=dt,
        duration=dt * steps,
    )
    for name, law in (("C_h", goe_flow.correlation), ("R_h", goe_flow.response)):
        here, coarse = law(dt, steps)[::2, ::2], law(2 * dt, steps // 2)
        # The response per unit time starts one step after the source, and has a jump there.
        smooth = np.tril_indices(steps // 2 + 1, -1)
        np.testing.assert_allclose(ds[f"{name}_time_step"].values[smooth], (coarse - here)[smooth], atol=1e-5)
        assert float(abs(ds[f"{name}_population"]).max()) < 1e-6 > float(abs(ds[f"{name}_tolerance"]).max())
        assert (abs(ds[f"{name}_population"]) <= ds[f"{name}_population_stderr"]).all()
        np.testing.assert_allclose(
            ds[f"{name}_extrapolated"].values[smooth], richardson(coarse, here)[smooth], atol=1e-5
        )
    limit = limit_of_small_steps(goe_flow.correlation, dt, steps)
    assert float(abs(ds.C_h_extrapolated - limit).max()) < 0.2 * float(abs(ds.C_h - limit).max())
    assert "C_h, R_h: the time step dominates" in ds.summary


def test_the_time_step_of_a_chaotic_network_makes_the_error_that_the_closed_recursion_has() -> None:
    """Within 4.5 standard errors of 16 replicas at each of 55 pairs of times (a false alarm in about 50 seeds)."""
    g, dt, steps = 1.5, 0.2, 20
    ds = diagnose(
        ss.models.random_rnn, population=400, replicas=16, seed=1, scheme="euler", g=g, dt=dt, duration=dt * steps
    )
    here = random_rnn.correlation(g, dt=dt, steps=steps)[0][::2, ::2]
    coarse = random_rnn.correlation(g, dt=2 * dt, steps=steps // 2)[0]
    deviation = (ds.C_h_time_step - (coarse - here)) / ds.C_h_time_step_stderr
    assert float(abs(deviation).max()) < 4.5
    # It is not zero within its error, and it is most of the error that this step really makes.
    limit = limit_of_small_steps(lambda dt, steps: random_rnn.correlation(g, dt=dt, steps=steps)[0], dt, steps)
    assert float(abs(ds.C_h_time_step / ds.C_h_time_step_stderr).max()) > 30
    assert float(((ds.C_h_extrapolated - limit) ** 2).mean()) < 0.4 * float(((ds.C_h - limit) ** 2).mean())
    assert "C_h, C_phi: the time step dominates: halve dt" in ds.summary


def test_intervals_of_extrapolated_values_cover_the_limit_of_small_steps() -> None:
    """Four seeds, 95 % intervals of C(2, 2): one may miss.  Those of the plain values miss, as dt is 0.1."""
    g, dt, steps, replicas = 1.5, 0.1, 20, 16
    limit = limit_of_small_steps(lambda dt, steps: random_rnn.correlation(g, dt=dt, steps=steps)[0], dt, steps)
    half = float(stdtrit(replicas - 1, 0.975))
    missed = {"C_h": 0, "C_h_extrapolated": 0}
    for seed in range(4):
        ds = diagnose(
            ss.models.random_rnn,
            population=400,
            replicas=replicas,
            seed=seed,
            scheme="euler",
            g=g,
            dt=dt,
            duration=dt * steps,
        )
        for name in missed:
            last = {"time": -1, "time_": -1}
            deviation = (ds[name] - limit[-1, -1]) / ds[f"{name}_stderr"]
            missed[name] += bool(abs(deviation.isel(last)) > half)
    assert missed["C_h"] >= 3 and missed["C_h_extrapolated"] <= 1


@pytest.mark.slow
def test_the_lyapunov_exponent_is_low_and_its_extrapolated_value_is_not() -> None:
    """A population of 1,000 and a step of 0.4 make it 5 % low; theory is the limit of both."""
    ds = diagnose(
        ss.models.random_rnn_lyapunov, population=1_000, replicas=64, seed=2, every=10, g=2.0,
        scheme="euler", dt=0.4, duration=32,
        transient=8,
    ).isel(time=-1)  # fmt: skip
    limit = random_rnn_lyapunov.lyapunov_exponent(2.0)
    assert float((limit - ds.exponent) / ds.exponent_stderr) > 2.5
    assert float(ds.exponent_population) < 0 and float(ds.exponent_time_step) < 0
    assert abs(float((limit - ds.exponent_extrapolated) / ds.exponent_extrapolated_stderr)) < 2.5


@pytest.mark.parametrize("scheme", ["euler", "heun", "rk4"])
def test_the_time_step_of_a_flow_counts_with_the_order_of_its_scheme(scheme: str) -> None:
    """Decay, C(1, 1) = e^-2; what is left after extrapolation is of higher order."""

    def decay(net: Any, *, dt: float = 0.125) -> None:
        group = net.sites()
        for t, h in net.flow(lambda h: -h, group.normal(), 1.0, dt, scheme=scheme):
            net.record(t, h=h)

    ds = diagnose(decay, population=100, replicas=2, seed=0).sel(time=1, time_=1)
    error = float(ds.C_h - np.exp(-2))
    assert abs(float(ds.C_h_time_step) - error) < 0.2 * abs(error)
    assert abs(float(ds.C_h_extrapolated) - np.exp(-2)) < 0.2 * abs(error)


def test_a_dt_that_is_not_the_step_of_the_scheme_shows_no_part_of_it() -> None:
    """The step of records, and a factor in a loop over numbers, where the same number is another time."""

    def recorded_by(net: Any, *, dt: float = 0.25) -> None:
        for t, h in net.flow(lambda h: -h, net.sites().normal(), 1.0, 0.125, scheme="heun", record_dt=dt):
            net.record(t, h=h)

    def in_steps(net: Any, *, dt: float = 0.25) -> None:
        h = net.sites().normal()
        for n in net.steps(5):
            net.record(n, h=h)
            h = h - dt * h

    of_records, of_steps = (diagnose(each, population=100, replicas=2, seed=0) for each in (recorded_by, in_steps))
    assert "C_h_time_step" not in of_records and "C_h_time_step" not in of_steps
    assert "both results were made in steps of dt = 0.125" in of_records.attrs["left_out"]
    assert "left_out" not in of_steps.attrs


def test_records_in_steps_of_their_own_do_not_change_the_part_of_the_time_step() -> None:
    def decay(net: Any, *, dt: float = 0.125, record_dt: float = 0.25) -> None:
        for t, h in net.flow(lambda h: -h, net.sites().normal(), 1.0, dt, scheme="heun", record_dt=record_dt):
            net.record(t, h=h)

    for every in (1, 2):
        ds = diagnose(decay, population=100, replicas=2, seed=0, every=every).sel(time=1, time_=0)
        assert float(ds.C_h_time_step) == pytest.approx(float(ds.C_h - np.exp(-1)), rel=0.2)


@pytest.mark.parametrize("updates", [True, False], ids=["learning", "one kick"])
def test_what_a_flow_learns_in_its_steps_is_of_first_order(updates: bool) -> None:
    """The flow of J h - h, with J += dt h h^T/N in each step, or once."""

    def learner(net: Any, *, dt: float = 0.05) -> None:
        group = net.sites()
        J = net.coupling(group, gain=0)
        for t, h in net.flow(lambda h: J @ h - h, group.normal(), 0.8, dt, scheme="rk4"):
            net.record(t, h=h)
            if updates or t == 0.4:
                J.add(h, h, strength=dt if updates else 0.2)

    ds = diagnose(learner, population=100, replicas=2, seed=0, tolerance=1e-8)
    assert json.loads(ds.attrs["scheme_order"]) == [4, 1] if updates else ds.attrs["scheme_order"] == 4
    last = {"time": 0.8, "time_": 0.8}
    truth = ss.sample(learner, dt=0.00625, population=100, replicas=2, seed=0, tolerance=1e-8).C_h
    change = float(ds.C_h.sel(last) - truth.sel(last))
    assert float(ds.C_h_time_step.sel(last)) == pytest.approx(change, rel=0.3)


def test_a_program_in_steps_has_no_part_of_a_time_step() -> None:
    ds = diagnose(ss.models.deep_network, population=200, replicas=4, seed=0, steps=3)
    kinds = {name.removeprefix("loss_") for name in map(str, ds) if name.startswith("loss_")}
    assert {kind for kind in kinds if "stderr" not in kind} == {"population", "tolerance", "extrapolated"}
    assert "time step" not in ds.summary and "left_out" not in ds.attrs
    assert ds.loss.attrs["long_name"] == "loss"
    assert ds.loss_extrapolated.attrs["long_name"] == "loss, extrapolated to infinite population"


# ----------------------------------------------------------------------------------------------------- the runs
def test_the_value_is_that_of_the_run_itself_and_the_attributes_repeat_the_others() -> None:
    call: dict[str, Any] = {"scheme": "euler", "g": 1.5, "duration": 1.0, "dt": 0.25}
    ds = diagnose(ss.models.random_rnn, population=101, replicas=3, seed=4, **call)
    runs = json.loads(ds.attrs["runs"])
    assert len({run["seed"] for run in runs}) == 4 and runs[0]["seed"] == ds.attrs["seed"] == 4
    plain, half, longer, looser = (ss.sample(ss.models.random_rnn, **{**call, **run}) for run in runs)
    even = {"time": slice(None, None, 2), "time_": slice(None, None, 2)}
    for ending in ("", "_stderr"):
        xr.testing.assert_identical(ds[f"C_h{ending}"], plain[f"C_h{ending}"].isel(even))
    np.testing.assert_allclose(ds.C_h_time_step, longer.C_h - ds.C_h)
    np.testing.assert_allclose(ds.C_h_tolerance, (looser.C_h.isel(even) - ds.C_h) / 9)
    assert (half.attrs["population"], half.attrs["replicas"], longer.attrs["replicas"]) == (50, 6, 6)
    # 50 samples have 101/50 times the bias of 101: 51/50 more.
    np.testing.assert_allclose(ds.C_h_population, (half.C_h.isel(even) - ds.C_h) / 1.02)


def test_thinned_records_are_compared_at_the_same_times() -> None:
    ds = diagnose(
        ss.models.random_rnn, population=200, replicas=2, seed=0, every=4, scheme="euler", dt=0.1, duration=1.6
    )
    np.testing.assert_allclose(ds.time, [0, 0.4, 0.8, 1.2, 1.6])
    assert ds.C_h_time_step.notnull().all()


def test_outliers_of_which_runs_find_different_numbers_are_compared_as_far_as_they_go() -> None:
    def noisy(net: Any, *, dt: float = 0.5) -> None:
        sites = net.sites()
        h = sites.normal()
        for t in net.clock(1, dt):
            net.record(t, h=h, outliers=(("outlier",), np.arange(1.0, 1 + round(1 / dt))))

    ds = diagnose(noisy, population=100, replicas=2, seed=0, dt=0.25)
    np.testing.assert_array_equal(ds.outliers.isel(time=0), [1, 2])


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"duration": 3.0}, "is not a whole number of steps of 2.0"),
        ({"duration": 20.0}, "at time 1[0-9].* is not finite any more"),
    ],
    ids=["that does not fit", "that is too long"],
)
def test_a_double_step_is_left_out_and_the_result_says_so(parameters: dict[str, float], reason: str) -> None:
    def cubic(net: Any, *, dt: float = 1.0, duration: float) -> None:
        sites = net.sites()
        h = sites.uniform(low=-1.6, high=1.6)
        for t in net.clock(duration, dt):
            net.record(t, h=h)
            h = h - 0.6 * dt * h**3

    ds = diagnose(cubic, population=100, replicas=2, seed=0, **parameters)
    assert "C_h_population" in ds and "C_h_time_step" not in ds
    assert ds.attrs["left_out"].startswith("time step: ") and ds.summary.endswith(f"left out: {ds.attrs['left_out']}")
    assert re.search(reason, ds.attrs["left_out"]), ds.attrs["left_out"]
    assert ds.C_h_extrapolated.attrs["long_name"].endswith("extrapolated to infinite population, not to zero time step")


@pytest.mark.parametrize(
    ("iterations", "part"), [({}, "population"), ({"iterations": 2, "chunk": 80}, "chunk")], ids=["march", "iterations"]
)
def test_half_a_population_that_is_used_up_is_left_out_and_the_rest_is_kept(
    iterations: dict[str, Any], part: str
) -> None:
    call: dict[str, Any] = {
        "population": 160 if iterations else 80,
        "replicas": 2,
        "scheme": "euler",
        "dt": 0.1,
        "duration": 3,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)  # two iterations of so few samples
        warnings.simplefilter("ignore", BiasRemains)
        ds = diagnose(ss.models.random_rnn, seed=0, tolerance=1e-6, **call, **iterations)
    assert "C_h_time_step" in ds and "C_h_tolerance" in ds and f"C_h_{part}" not in ds
    assert re.match(rf"{part}: in the run at {part}=40, .*too small", ds.attrs["left_out"]), ds.attrs["left_out"]
    labels = ds.C_h_extrapolated.attrs
    assert labels["long_name"] == f"two-time correlation of h, extrapolated to zero time step, not to infinite {part}"
    assert labels["comment"].startswith(f"the part of the {part} is left out: in the run at {part}=40")


def test_without_a_part_to_subtract_there_is_no_extrapolated_value(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = MadeUp()

    def sample(program: Any, **call: Any) -> xr.Dataset:
        if call["population"] < 1000 or call.get("dt"):
            raise PopulationTooSmall("too small")
        return made_up(program, **call)

    monkeypatch.setattr("sitesampler.runs.diagnosis.sample", sample)
    ds = diagnose(program, population=1000, seed=0)
    assert [str(name) for name in ds if "stderr" not in str(name)] == ["x", "x_tolerance"]
    left_out = "in the run at population=500, replicas=16, too small; time step: in the run at dt=0.2, replicas=16, "
    assert ds.attrs["left_out"] == f"population: {left_out}too small"
    assert "x: sampling dominates: use more replicas" in ds.summary


# -------------------------------------------------------------------------------------------- made-up runs
class MadeUp:
    """A sampler whose errors are known: 2, and a part of each kind in units of 0.01."""

    def __init__(self, population: float = 0, time_step: float = 0, tolerance: float = 0, error: float = 0.01) -> None:
        self.sizes, self.error, self.calls = (population, time_step, tolerance), error, list[dict[str, Any]]()

    def __call__(self, program: Any, **call: Any) -> xr.Dataset:
        self.calls.append(call)
        population = call["population"]
        size = -(-population // -(-population // call.get("chunk", population)))  # chunks of a replica are all alike
        worse = (1000 / size, call.get("dt", 0.1) / 0.1, call["tolerance"] / 1e-3)
        x = 2 + 0.01 * sum(size * times for size, times in zip(self.sizes, worse, strict=True))
        labels = {"long_name": "x", "units": "1"}
        attrs = {"program": "made_up", "title": "made up", "tolerance": call["tolerance"]}
        attrs |= {"population": population, "replicas": call["replicas"]}
        attrs |= {"chunk": call["chunk"]} if "chunk" in call else {}
        attrs |= {"scheme": "map", "scheme_order": 1, "scheme_dt": call.get("dt", 0.1)}
        coords = {"time": ("time", [0.0, 1.0], {"long_name": "time"})}
        data = {"x": ("time", [x, x], labels), "x_stderr": ("time", [self.error] * 2, labels)}
        return xr.Dataset(data, coords, attrs)


def program(net: Any, *, dt: float = 0.1) -> None:
    """Never run."""


def test_parts_and_errors_of_made_up_runs() -> None:
    sample = MadeUp(population=3, time_step=-2, tolerance=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sitesampler.runs.diagnosis.sample", sample)
        ds = diagnose(program, population=1000, seed=0).isel(time=0)
    assert ds.x == pytest.approx(2.015)
    found = {kind: float(ds[f"x_{kind}"]) for kind in ("population", "time_step", "tolerance", "extrapolated")}
    # The tolerance is taken to act in first order, and is not subtracted.
    assert found == pytest.approx({"population": 0.03, "time_step": -0.02, "tolerance": 0.005, "extrapolated": 2.005})
    errors = {kind: float(ds[f"x_{kind}_stderr"]) / 0.01 for kind in found}
    root = 2**0.5
    expected = {"population": root, "time_step": root, "tolerance": root / 9, "extrapolated": 11**0.5}
    assert errors == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sizes", "error", "sentence"),
    [
        ((1, 1, 1), 0.02, "x: sampling dominates: use more replicas"),
        ((5, 3, 1), 0.005, "x: the finite population dominates: use a larger one, or the extrapolated value"),
        ((3, -5, 1), 0.005, "x: the time step dominates: halve dt, or use the extrapolated value"),
        ((0, 0, 3), 0.005, "x: the tolerance dominates: lower it"),
        (
            (0, 0, 0),
            0.001,
            "x: the errors are those that the tolerance leaves room for: lower it if they are too large",
        ),
        ((0, 0, 0), 3.0, "x: zero within the error"),
    ],
    ids=["sampling", "population", "time step", "tolerance", "floor", "nothing"],
)
def test_the_summary_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[float, float, float], error: float, sentence: str
) -> None:
    monkeypatch.setattr("sitesampler.runs.diagnosis.sample", MadeUp(*sizes, error))
    assert diagnose(program, population=1000, seed=0).summary.splitlines()[-1] == sentence


def test_the_summary_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.runs.diagnosis.sample", MadeUp(population=20, error=0.02))
    lines = diagnose(program, population=1000, seed=0).summary.splitlines()
    assert lines[1].split() == ["sampling", "population", "time", "step", "tolerance"]
    assert lines[2].split() == ["x", "0.91", "%", "9.1", "%", "(7.1)", "0", "%", "(0)", "0", "%", "(0)"]


@pytest.mark.parametrize(
    ("chunk", "used", "half"),
    [(1_000, 1_000, 500), (70_000, 50_000, 25_000), (99, 100_000 / 1011, 49)],
    ids=["that divides the population", "that is more than half of it", "of an odd size"],
)
def test_of_iterations_it_is_the_chunk_that_is_halved(
    monkeypatch: pytest.MonkeyPatch, chunk: int, used: float, half: int
) -> None:
    sample = MadeUp(population=2)
    monkeypatch.setattr("sitesampler.runs.diagnosis.sample", sample)
    ds = diagnose(program, population=100_000, chunk=chunk, seed=0, iterations=5)
    assert [(call["population"], call["chunk"], call["iterations"]) for call in sample.calls] == [
        (100_000, size, 5) for size in (chunk, half, chunk, chunk)
    ]
    # The bias is 0.02 for a chunk of 1,000, whatever the size of the population.
    np.testing.assert_allclose(ds.x_chunk, 0.02 * 1000 / used, rtol=1e-2)
    assert "x_population" not in ds and "infinite chunk" in ds.x_extrapolated.attrs["long_name"]


def test_true_iterations_have_a_part_of_the_chunk_in_use() -> None:
    """A population of 400 is cut in halves unless told otherwise."""
    ds = diagnose(
        ss.models.goe_flow, population=400, replicas=2, seed=0, iterations="auto", scheme="euler", dt=0.1, duration=0.4
    )
    assert [run.get("chunk") for run in json.loads(ds.attrs["runs"])] == [None, 100, None, None]
    assert float(abs(ds.C_h_chunk / ds.C_h_chunk_stderr).max()) < 1 < float(abs(ds.C_h_time_step / ds.C_h_stderr).max())


# ----------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"population": 3}, "population must be at least 4 to be halved, not 3"),
        ({"chunk": 2}, "chunk must be at least 4 to be halved, not 2"),
        ({"replicas": 1}, "it needs replicas of at least 2, not 1"),
        ({"tolerance": 0.2}, "tolerance must be below 0.1 to be raised 10 times, not 0.2"),
        ({"keep": 3}, "keep is an option of a single run, and a diagnosis makes several"),
        ({"population": 1.5}, "population must be an integer"),
        ({"seed": -1}, "seed must be an integer"),
        ({"tolerance": 2}, "tolerance must be a number between 0 and 1"),
        ({"gain": 2}, "random_rnn has no parameter 'gain'"),
        ({"size": 100}, "size is an option of simulate"),
    ],
    ids=str,
)
def test_refused_before_any_work(call: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.runs.run.march", None)
    with pytest.raises(InputError, match=message):
        diagnose(ss.models.random_rnn, **call)


def test_a_program_that_cannot_be_meant_is_refused_as_by_sample() -> None:
    with pytest.raises(ProgramError, match="is not a whole number of steps"):
        diagnose(ss.models.random_rnn, dt=0.3, duration=1.0)
