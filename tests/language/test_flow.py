"""The word ``net.flow``: what it takes, refuses and yields, in every world; its orders stand in ``tests/agreement``."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.errors import ProgramError, SiteSamplerError

#: All the ways in which a program runs.
WAYS: dict[str, Callable[..., xr.Dataset]] = {
    "march": lambda program, **options: ss.sample(program, population=300, **options),
    "iterations": lambda program, **options: ss.sample(program, population=600, chunk=300, iterations=2, **options),
    "matrix": lambda program, **options: ss.simulate(program, size=60, **options),
    "law": lambda program, **options: ss.simulate(program, size=60, matrix=False, **options),
}
OPTIONS: dict[str, Any] = {"replicas": 2, "seed": 3}
not_converged = pytest.mark.filterwarnings("ignore::sitesampler.runs.iteration.NotConverged")


def decay(drift: Any = lambda h: -h, state: Any = None, body: Any = None, **options: Any) -> Callable[..., None]:
    """Return a program whose state flows from 0 to 1, by default h' = -h."""

    def program(net: Any) -> None:
        group = net.sites()
        start = group.normal() if state is None else state(net, group)
        for t, h in net.flow(drift, start, **{"duration": 1.0, "dt": 0.25, **options}):
            if body is not None:
                body(net, h)
            net.record(t, h=h[0] if isinstance(h, tuple) else h)

    return program


def sampled(program: Callable[..., None], **options: Any) -> xr.Dataset:
    return ss.sample(program, population=60, **OPTIONS, **options)


def refused(program: Callable[..., None]) -> str:
    with pytest.raises(ProgramError) as error:
        sampled(program)
    return str(error.value)


# --------------------------------------------------------------------------------------------------------------- bits
def by_clock(net: Any, *, dt: float = 0.1) -> None:
    neurons = net.sites()
    J = net.coupling(neurons, gain=1.5, symmetry=0.3)
    h = neurons.normal()
    for t in net.clock(2.0, dt):
        net.record(t, h=h, square=net.mean(h**2))
        h = h + dt * (J @ np.tanh(h) - h)


def by_flow(net: Any, *, dt: float = 0.1, scheme: str | None = "euler", record_dt: float | None = None) -> None:
    neurons = net.sites()
    J = net.coupling(neurons, gain=1.5, symmetry=0.3)
    flow = net.flow(lambda h: J @ np.tanh(h) - h, neurons.normal(), 2.0, dt, scheme=scheme, record_dt=record_dt)
    for t, h in flow:
        net.record(t, h=h, square=net.mean(h**2))


@not_converged
@pytest.mark.parametrize("way", WAYS)
def test_eulers_scheme_is_the_program_of_a_clock_bit_by_bit(way: str) -> None:
    map_, flow = WAYS[way](by_clock, **OPTIONS), WAYS[way](by_flow, **OPTIONS)
    xr.testing.assert_identical(map_.drop_attrs(), flow.drop_attrs())


@not_converged
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", [None, "heun"])
@pytest.mark.parametrize("record_dt", [None, 0.05, 0.4])
def test_every_world_runs_flows_and_the_result_says_how(way: str, scheme: str | None, record_dt: float | None) -> None:
    ds = WAYS[way](by_flow, scheme=scheme, dt=0.2, record_dt=record_dt, **OPTIONS)
    np.testing.assert_allclose(ds.time, np.arange(0, 2.01, record_dt or 0.2), atol=1e-12)
    assert np.isfinite(ds.C_h).all()
    told = [ds.attrs[name] for name in ("scheme", "scheme_order", "scheme_dt")]
    assert told == (["rk4", 4, 0.2] if scheme is None else ["heun", 2, 0.2])


def test_records_of_coarser_and_finer_times_are_those_of_the_steps_where_they_meet() -> None:
    steps, finer, coarser = (
        WAYS["march"](by_flow, scheme="rk4", dt=0.2, record_dt=dt, **OPTIONS) for dt in (None, 0.05, 0.4)
    )
    for other in (finer, coarser):
        common = np.intersect1d(steps.time, other.time)
        at = {"time": common, "time_": common}
        np.testing.assert_allclose(steps.C_h.sel(at), other.C_h.sel(at), rtol=1e-3)


# -------------------------------------------------------------------------------------------------------------- states
def test_a_state_may_have_vectors_of_several_groups_inner_columns_and_numbers() -> None:
    def program(net: Any) -> None:
        neurons, inputs = net.sites(), net.sites(0.5, name="input_neuron")
        J = net.coupling(neurons, inputs)

        def drift(h: Any, x: Any, m: Any, q: Any, t: float) -> Any:
            return J @ x - h, np.cos(t) * x, net.mean(h[:, 0] ** 2) - m, -q

        start = (neurons.normal(2), inputs.normal(2), 0, np.array([1.0, 2.0]))
        for t, (h, x, m, q) in net.flow(drift, start, 1.0, 0.25):
            net.record(t, h=h, x=x, m=m, q=q)

    for way in ("march", "matrix", "law"):
        ds = WAYS[way](program, **OPTIONS)
        assert ds.C_h.dims == ("time", "time_", "input", "input_") and ds.m.dims == ("time",)
        np.testing.assert_allclose(ds.q.sel(time=1), np.exp(-1) * np.array([1, 2]), rtol=1e-4)
        growth = ds.C_x.sel(time=1, time_=0) / ds.C_x.sel(time=0, time_=0)
        np.testing.assert_allclose(np.diag(growth), np.exp(np.sin(1)), rtol=1e-4)


@pytest.mark.parametrize("kind", ["bool", "int", "float32"])
def test_a_state_of_another_type_becomes_one_of_numbers(kind: str) -> None:
    ds = sampled(decay(state=lambda net, group: np.isfinite(group.normal()).astype(kind)))
    np.testing.assert_allclose(ds.C_h.sel(time=1, time_=1), np.exp(-2), rtol=1e-3)


def test_what_a_drift_returns_is_a_copy() -> None:
    """The argument itself, a view of it, or an array that it uses again."""
    kept: list[Any] = []

    def again(h: Any) -> Any:
        if not kept or kept[0].shape != h.shape:
            kept[:] = [np.empty_like(h)]
        np.negative(h, out=kept[0])
        return kept[0]

    np.testing.assert_array_equal(sampled(decay(again)).C_h, sampled(decay()).C_h)
    grown = sampled(decay(lambda h: h)).C_h
    np.testing.assert_array_equal(grown, sampled(decay(lambda h: h[:])).C_h)
    np.testing.assert_allclose(grown.sel(time=1, time_=0), np.e, rtol=1e-4)


def test_drifts_may_have_defaults_any_number_of_parts_or_no_signature() -> None:
    plain = sampled(decay()).C_h
    for drift in (lambda h, rate=1.0: -rate * h, lambda h, t, k=1: -h, lambda *parts: -parts[0], np.negative):
        np.testing.assert_array_equal(sampled(decay(drift)).C_h, plain)
    assert sampled(decay(noise=lambda t, size=0.1: size * t)).attrs["scheme"] == "heun"


def test_a_flow_of_no_duration_yields_its_start() -> None:
    assert sampled(decay(duration=0.0)).C_h.sizes == {"time": 1, "time_": 1}


def test_flows_follow_each_other_stand_in_loops_and_may_be_left() -> None:
    def program(net: Any) -> None:
        group = net.sites()
        h = group.normal()
        for n in net.steps(3):
            for t, moved in net.flow(lambda h: -h, h, 1.0, 0.25):
                if t == 0.5:
                    h = moved
                    break
            net.record(n, h=h)
        list(net.flow(lambda h: h, h, 1.0, 0.5, scheme="heun"))
        for t, g in net.flow(lambda g: -g, h, 1.0, 0.25):
            net.record(t, g=g)

    ds = sampled(program)
    np.testing.assert_allclose(ds.C_h.sel(time=2, time_=2), np.exp(-3), rtol=1e-3)
    assert ds.attrs["scheme"] == '["rk4", "heun"]'


def test_outliers_are_those_of_the_recorded_times() -> None:
    def program(net: Any) -> None:
        group = net.sites()
        J, v = net.coupling(group, gain=0.1, symmetry=1), group.normal()
        J.add(v, v, strength=2.0)
        for t, h in net.flow(lambda h: J @ h - h, group.normal(), 1.0, 0.5):
            net.record(t, h=h, outliers=J.outlier_eigenvalues())

    ds = ss.sample(program, population=400, **OPTIONS)
    np.testing.assert_allclose(ds.outliers.squeeze(), 2 + 0.1**2 / 2, rtol=1e-3)


# -------------------------------------------------------------------------------------------------- noise, constraints
def test_ito_noise_leaves_the_mean_alone() -> None:
    """Dx = x dW: <x> = 1 and <x^2> = e^t; in the sense of Stratonovich <x> would be e^(t/2)."""

    def program(net: Any, *, record_dt: float | None = None) -> None:
        group = net.sites()
        for t, x in net.flow(lambda x: 0 * x, group.values(1.0), 1.0, 0.125, noise=lambda x: x, record_dt=record_dt):
            net.record(t, x=x)

    for record_dt in (None, 0.03125):
        ds = ss.sample(program, population=20_000, replicas=8, seed=1, record_dt=record_dt)
        assert ds.attrs["scheme"] == "platen"
        assert abs(ds.x_mean.sel(time=1) - 1) < 5 * ds.x_mean_stderr.sel(time=1) + 1e-3
        deviation = ds.C_x.sel(time=1, time_=1) - np.e
        assert abs(deviation) < 5 * ds.C_x_stderr.sel(time=1, time_=1) + 0.01


def test_noise_between_steps_is_a_bridge_with_the_correlation_of_its_path() -> None:
    """Dh = dW between the steps: C(t, t') = min(t, t')."""

    def program(net: Any) -> None:
        group = net.sites()
        for t, h in net.flow(lambda h: 0 * h, group.values(0.0), 1.0, 0.5, noise=1.0, record_dt=0.125):
            net.record(t, h=h)

    ds = ss.sample(program, population=400, **OPTIONS)
    np.testing.assert_allclose(ds.C_h, np.minimum.outer(ds.time.values, ds.time.values), atol=1e-12)


def test_parts_have_noise_of_their_own_and_numbers_none() -> None:
    pair = decay(lambda h, v: (v, -h), lambda net, group: (group.normal(), group.normal()), noise=(None, 0.5))
    assert sampled(pair).attrs["scheme"] == "heun"
    counted = decay(lambda h, m: (-h, -m), lambda net, group: (group.normal(), 1.0), noise=(0.5, 0.5))
    assert "a number has no noise" in refused(counted)


def test_a_constraint_holds_after_every_step_and_between_them() -> None:
    floor = decay(lambda x: -1 + 0 * x, lambda net, group: group.uniform(), constrain=lambda x: np.maximum(x, 0))
    assert sampled(floor, keep=60).trajectory_h.min() == 0

    def on_sphere(net: Any) -> None:
        group = net.sites()
        J = net.coupling(group, symmetry=1)
        s = group.normal()
        for t, s in net.flow(
            lambda s: J @ s, s, 1.0, 0.25, constrain=lambda s: s / np.sqrt(net.overlap(s, s)), record_dt=0.125
        ):
            net.record(t, s=s)

    for way in ("march", "matrix", "law"):
        C = WAYS[way](on_sphere, **OPTIONS).C_s.values
        np.testing.assert_allclose(np.diag(C)[1:], 1, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------ learning
def test_a_coupling_changes_in_the_body_before_the_next_step() -> None:
    """J of gain 0 is nothing at first, and h h^T/N after J.add: h' = J h moves by h from the first step on."""

    def program(net: Any) -> None:
        group = net.sites()
        J = net.coupling(group, gain=0.0)
        for t, h in net.flow(lambda h: J @ h, group.normal(), 1.0, 0.5, scheme="euler"):
            net.record(t, h=h)
            if t == 0:
                J.add(h, h)

    for way in ("march", "matrix", "law"):
        ds = WAYS[way](program, **OPTIONS)
        q = float(ds.C_h.sel(time=0, time_=0))
        np.testing.assert_allclose(ds.C_h.sel(time=0.5, time_=0), q * (1 + q / 2), rtol=2e-2)


@pytest.mark.parametrize("word", ["add", "scale"])
def test_a_coupling_that_changes_elsewhere_is_refused(word: str) -> None:
    def program(net: Any, inside: bool) -> None:
        group = net.sites()
        J = net.coupling(group)

        def change(h: Any) -> Any:
            if word == "add":
                J.add(h, h)
            else:
                J.scale(0.5)
            return J @ h - h

        drift = change if inside else (lambda h: J @ h - h)
        for t, h in net.flow(drift, group.normal(), 1.0, 0.5, record_dt=None if inside else 0.25):
            net.record(t, h=h)
            change(h)

    said = refused(lambda net: program(net, inside=True))
    assert "in change, line " in said and f"J.{word} stands in the body of the loop, between steps" in said
    assert "record_dt is shorter than a step" in refused(lambda net: program(net, inside=False))


# ----------------------------------------------------------------------------------------------------------- bad input
def in_place(h: Any) -> Any:
    h *= -1
    return h


def test_a_drift_that_returns_something_else_is_refused_with_its_line() -> None:
    said = "in <lambda>, line [0-9]+ .*: the drift must return a site vector of 'site', not "
    for drift, what in (
        (lambda h: -h[:, None], "one with 1 inner columns"),
        (lambda h: 0.0, "0.0"),
        (lambda h: (h, h), "an array"),
        (lambda h: None, "None"),
        (lambda h: 1j * h, "complex numbers"),
        (lambda h: "h", "'h'"),
    ):
        assert re.search(said + re.escape(what), refused(decay(drift)))
    pair = lambda net, group: (group.normal(), group.normal())  # noqa: E731
    assert "a tuple of 2 parts, as the state has, not 1 parts" in refused(decay(lambda h, v: (v,), pair))
    assert "a tuple of 2 parts, as the state has, not a list" in refused(decay(lambda h, v: [v, h], pair))
    assert "in in_place, line " in refused(decay(in_place)) and "write h - x" in refused(decay(in_place))


def test_a_drift_that_takes_something_else_is_refused_with_its_line() -> None:
    for drift, what in (
        (lambda t, h: -h, "takes the time t after the parts of the state"),
        (lambda h, v: -h, "must take the state, and t if it needs the time; it takes h, v"),
        (lambda: 0.0, "must take the state, and t if it needs the time; it takes nothing"),
        (3, "must be a function, not 3"),
    ):
        assert what in refused(decay(drift))


def test_words_that_have_no_meaning_in_a_stage_are_refused_with_their_line() -> None:
    def program(net: Any, word: str) -> None:
        group = net.sites()
        J = net.coupling(group)
        words: dict[str, Callable[[Any], Any]] = {
            "normal": lambda h: group.normal(),
            "record": lambda h: net.record(0.0, x=h),
            "steps": lambda h: list(net.steps(2)),
            "values": lambda h: group.values([1, 2]),
            "coupling": lambda h: net.coupling(group) @ h,
            "flow": lambda h: list(net.flow(lambda h: -h, h, 1.0, 0.5)),
        }

        def drift(h: Any) -> Any:
            words[word](h)
            return J @ h - h

        for t, h in net.flow(drift, group.normal(), 1.0, 0.25):
            net.record(t, h=h)

    for word, what in (
        ("normal", "draws random numbers"),
        ("record", "records, at times that are stages"),
        ("steps", "says net.steps"),
        ("values", "says group.values"),
        ("coupling", "says net.coupling"),
        ("flow", "says net.clock"),
    ):
        said = refused(lambda net, word=word: program(net, word))
        assert f"the drift {what}" in said and f'"{word}": lambda' in said


def test_sites_do_not_mix_in_a_drift_a_constraint_or_an_amplitude() -> None:
    for program in (
        decay(lambda h: h.mean() - h),
        decay(constrain=lambda h: np.sort(h)),
        decay(noise=lambda h: h.std() + 0 * h),
    ):
        assert re.search("mixes the sites|order of the sites", refused(program))


def test_the_body_does_not_change_the_state_in_its_place() -> None:
    assert "the body of this loop changes the state" in refused(decay(body=lambda net, h: in_place(h)))


def test_states_schemes_noise_and_steps_that_cannot_be_meant_are_refused() -> None:
    for options, what in (
        ({"state": lambda net, group: [group.normal()]}, "a site vector, a number, or a tuple of them, not a list"),
        ({"state": lambda net, group: group}, "a site vector, a number, or a tuple of them"),
        ({"state": lambda net, group: ()}, "has no parts"),
        ({"scheme": "rk45"}, "did you mean 'rk4'?"),
        ({"scheme": 4}, "one of euler, heun, rk4, platen, not 4"),
        ({"scheme": "rk4", "noise": 0.1}, "has no order with noise; use 'heun'"),
        ({"scheme": "heun", "noise": lambda h: h}, "use 'platen', or 'euler'"),
        ({"noise": "a"}, "an amplitude"),
        ({"noise": np.nan}, "an amplitude"),
        ({"noise": (0.1, 0.2)}, "an amplitude"),
        ({"noise": lambda h: h[:3]}, "the noise must return a number or a site vector"),
        ({"constrain": lambda h: None}, "the constraint must return a site vector"),
        ({"duration": 0.1}, "not a whole number of steps of 0.25"),
        ({"duration": -1.0}, "a finite duration >= 0"),
        ({"dt": 0.0}, "a finite dt > 0"),
        ({"dt": 0.3}, "not a whole number of steps of 0.3"),
        ({"record_dt": 0.1}, "neither a whole number of steps of dt=0.25 nor a whole part"),
        ({"record_dt": 0.75}, "not a whole number of steps of record_dt=0.75"),
        ({"record_dt": -1.0}, "must be positive"),
        ({"record_dt": 1e-320}, "must be positive"),
        ({"record_dt": "x"}, "must be a number"),
    ):
        assert what in refused(decay(**options)), options


@pytest.mark.parametrize("scheme", ["heun", "rk4"])
def test_a_step_too_long_for_the_fastest_rate_is_said_with_one_that_would_do(scheme: str) -> None:
    """Tanh keeps what grows finite, and hides it."""
    stiff = decay(lambda h: -20 * np.tanh(h), duration=5.0, scheme=scheme)
    said = refused(stiff)
    assert f"dt=0.25 is too long in the scheme {scheme!r}" in said
    enough = float(re.search("use dt=([0-9.e-]+) or less", said).group(1))  # type: ignore[union-attr]
    assert 0.01 < enough < 0.1
    with pytest.raises(SiteSamplerError):
        sampled(decay(lambda h: -100 * h**3, scheme=scheme))
    sampled(decay(lambda h: -2 * h, scheme=scheme))


def test_where_the_state_runs_away_the_step_that_would_do_is_that_of_the_first_step_too_long() -> None:
    said = refused(decay(lambda h: -3 * h**3, duration=5.0, scheme="heun"))
    enough = float(re.search("use dt=([0-9.e-]+) or less", said).group(1))  # type: ignore[union-attr]
    assert 1e-3 < enough < 0.1
    sampled(decay(lambda h: -3 * h**3, duration=1.0, dt=1 / 128, scheme="heun"))


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("chunk", [None, 150])
def test_a_product_of_the_state_is_made_once_for_a_record_and_the_step(changed: bool, chunk: int | None) -> None:
    """The same numbers as from a copy of the state; and what changes the coupling in between is not missed."""

    def program(net: Any, again: bool) -> None:
        group = net.sites()
        J = net.coupling(group, gain=1.5, symmetry=0.5)

        def drift(h: Any) -> Any:
            return J @ (h.copy() if again else h) + J.T @ np.tanh(h) - h

        for t, h in net.flow(drift, group.normal(), 1.0, 0.25):
            field = J @ h
            net.record(t, h=h, field=field)
            if changed:
                J.scale(0.9)
                J.add(field, h, 0.1)

    options = {**OPTIONS, "population": 300, "tolerance": 1e-6}
    options |= {} if chunk is None else {"chunk": chunk, "iterations": 2}
    once, anew = (ss.sample(program, again=again, **options) for again in (False, True))
    for name in ("C_h", "C_field"):
        np.testing.assert_allclose(once[name], anew[name], rtol=1e-4, atol=1e-5)


def test_a_force_on_the_state_is_made_once_for_a_record_and_the_step_and_others_anew() -> None:
    def program(net: Any, again: bool) -> None:
        group = net.sites()
        K = net.tensor_coupling(group, order=3)
        kept: list[Any] = []

        def drift(s: Any) -> Any:
            if again:  # an array that is used for other states
                if not kept or kept[0].shape != s.shape:
                    kept[:] = [np.empty_like(s)]
                np.copyto(kept[0], s)
                s = kept[0]
            return K.force(s) - s

        for t, s in net.flow(drift, group.normal(), 1.0, 0.25, scheme="heun", noise=0.5):
            net.record(t, s=s, energy=-net.overlap(s, K.force(s)) / 3)

    once, anew = (ss.sample(program, population=300, again=again, **OPTIONS) for again in (False, True))
    for name in ("C_s", "energy", "R_s"):
        np.testing.assert_allclose(once[name], anew[name], rtol=1e-6, atol=1e-8)


def test_a_step_too_long_for_spins_is_said_too() -> None:
    def program(net: Any) -> None:
        group = net.sites()
        K = net.tensor_coupling(group, order=3)

        def drift(s: Any) -> Any:
            force = K.force(s)
            return force - net.overlap(s, force) / net.overlap(s, s) * s

        for t, s in net.flow(drift, group.normal(), 10.0, 1.0, scheme="heun"):
            net.record(t, s=s)

    with pytest.raises(ProgramError, match="a step of dt=1 is too long in the scheme 'heun'"):
        ss.sample(program, population=500, **OPTIONS)


# ----------------------------------------------------------------------------------------------------------- responses
def test_sources_of_flows_stand_in_the_drift_and_act_at_its_steps() -> None:
    def program(net: Any, at: Any = None, inside: bool = True, record_dt: float | None = None) -> None:
        group = net.sites()
        drift = (lambda h: net.source(group, at=at) - h) if inside else (lambda h: -h)
        for t, h in net.flow(drift, group.normal(), 1.0, 0.25, record_dt=record_dt):
            net.record(t, h=h)
            if not inside:
                net.source(group)

    R = sampled(program, at=[0, 0.5]).R_h
    assert R.attrs["per_unit_time"] == R.attrs["equal_times_count"] == 1
    np.testing.assert_allclose(R.sel(time=1, time_=[0, 0.5]), np.exp([-1, -0.5]), rtol=1e-4)
    np.testing.assert_allclose(R.sel(time=[0.25, 0.5], time_=0.5), [0, 1], atol=1e-9)
    between = sampled(program, record_dt=0.125).R_h
    np.testing.assert_allclose(between.sel(time=[0.125, 0.25, 0.375], time_=0.25), [0, 1, np.exp(-0.125)], atol=1e-4)
    assert "stands in its drift" in refused(lambda net: program(net, inside=False))
    assert "inside of one" in refused(lambda net: program(net, at=0.375, record_dt=0.125))
    assert "not a time of the loop" in refused(lambda net: program(net, at=0.1))
