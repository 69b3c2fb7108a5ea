"""Flows: the error of correlations and responses falls with the order of the scheme, and to what is right."""

from typing import Any

import numpy as np
import pytest
from scipy.special import iv
from threshold import assert_agreement

import sitesampler as ss
from sitesampler.theory import spherical_pspin

#: At the points (t, t') of these, C and R are looked at.
POINTS = [(2.0, 1.0), (2.0, 2.0), (1.0, 0.5), (2.0, 0.0)]
QUIET: dict[str, Any] = {"replicas": 2, "seed": 1}


def orders(errors: list[Any]) -> np.ndarray:
    """Return the powers with which errors fall that belong to steps halved each time."""
    return np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))


def at(array: Any, points: list[tuple[float, float]] = POINTS) -> np.ndarray:
    return np.array([float(array.sel(time=t, time_=s)) for t, s in points])


# ------------------------------------------------------------------------------------------- linear: all digits known
def linear(net: Any, *, dt: float, scheme: str, record_dt: float | None = None) -> None:
    """dh/dt = J h - 1.5 h + field on a GOE matrix."""
    group = net.sites()
    J = net.coupling(group, gain=0.5, symmetry=1)

    def drift(h: Any) -> Any:
        return J @ h - 1.5 * h + net.source(group)

    for t, h in net.flow(drift, group.normal(), 2.0, dt, scheme=scheme, record_dt=record_dt):
        net.record(t, h=h)


def propagator(t: Any) -> Any:
    """Return <exp((J - 1.5) t)> on the semicircle of radius 1: R(t - t'), and C(t, t') of the sum of times."""
    t = np.maximum(t, 1e-9)
    return np.exp(-1.5 * t) * iv(1, t) / (t / 2)


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_correlations_and_responses_of_a_linear_network_have_the_order_of_the_scheme(scheme: str, order: int) -> None:
    times = np.array(POINTS).T
    errors = []
    for dt in (0.25, 0.125, 0.0625):
        ds = ss.sample(linear, population=300, tolerance=1e-10, dt=dt, scheme=scheme, **QUIET)
        errors.append([at(ds.C_h) - propagator(times[0] + times[1]), at(ds.R_h) - propagator(times[0] - times[1])])
        np.testing.assert_allclose(np.diag(ds.R_h), 1, rtol=1e-6)
        assert np.abs(np.triu(ds.R_h, 1)).max() < 1e-8
    C, R = (orders([np.abs(error[i]).max() for error in errors]) for i in range(2))
    np.testing.assert_allclose(C[-1], order, atol=0.3)
    np.testing.assert_allclose(R[-1], order, atol=0.3)


@pytest.mark.parametrize("scheme", ["heun", "rk4"])
def test_between_steps_correlations_and_responses_have_the_order_too(scheme: str) -> None:
    errors = []
    for dt in (0.5, 0.25):
        ds = ss.sample(linear, population=300, tolerance=1e-10, dt=dt, scheme=scheme, record_dt=dt / 4, **QUIET)
        t, s = np.meshgrid(ds.time, ds.time, indexing="ij")
        kicks = np.isclose(ds.time / dt, np.round(ds.time / dt))
        right = np.where(t >= s, propagator(t - s), 0)
        assert np.isnan(ds.R_h[:, ~kicks]).all()
        errors.append([np.abs(ds.C_h - propagator(t + s)).max(), np.abs((ds.R_h - right).values[:, kicks]).max()])
    assert orders(errors).min() > {"heun": 1.7, "rk4": 3.7}[scheme]


def test_finite_networks_respond_as_the_limit_does() -> None:
    for matrix in (True, False):
        ds = ss.simulate(linear, size=300, matrix=matrix, replicas=16, seed=1, dt=0.25, scheme="rk4")
        lags = np.array([t - s for t, s in POINTS])
        assert_agreement(at(ds.R_h), at(ds.R_h_stderr), propagator(lags), replicas=16, error_below=0.05)


# ------------------------------------------------------------------------------------------------- several parts, noise
@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_oscillators_and_their_energy_as_a_number(scheme: str, order: int) -> None:
    """X'' = -x, and e' = <x v>, so that e = <x^2>/2 is that at the start plus what was integrated."""

    def program(net: Any, *, dt: float) -> None:
        group = net.sites()
        start = (group.normal(), 0.5 * group.normal(), 0.5)
        flow = net.flow(lambda x, v, e: (v, -x, net.overlap(x, v)), start, 2.0, dt, scheme=scheme)
        for t, (x, v, e) in flow:
            net.record(t, x=x, v=v, e=e)

    errors = []
    for dt in (0.25, 0.125, 0.0625):
        ds = ss.sample(program, population=100, dt=dt, **QUIET)
        square = np.cos(2) ** 2 + 0.25 * np.sin(2) ** 2
        errors.append([float(ds.C_x.sel(time=2, time_=2)) - square, float(ds.e.sel(time=2)) - square / 2])
    np.testing.assert_allclose(orders(errors)[-1], order, atol=0.35)


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("heun", 2), ("platen", 2)])
def test_the_correlation_of_ornstein_and_uhlenbeck(scheme: str, order: int) -> None:
    """Dh = -h dt + g(t) dW with g^2 = 2 + t: C(t, t') = e^-(t + t') (1 + int g^2 e^2s ds), exact at any population."""

    def program(net: Any, *, dt: float) -> None:
        group = net.sites()
        noise = lambda t: np.sqrt(2 + t)  # noqa: E731
        for t, h in net.flow(lambda h: -h, group.normal(), 2.0, dt, scheme=scheme, noise=noise):
            net.record(t, h=h)

    def truth(t: float, s: float) -> float:
        first = min(t, s)
        driven = np.expm1(2 * first) + (first / 2 - 0.25) * np.exp(2 * first) + 0.25
        return float(np.exp(-(t + s)) * (1 + driven))

    errors = []
    for dt in (0.25, 0.125, 0.0625):
        ds = ss.sample(program, population=200, dt=dt, **QUIET)
        errors.append(np.abs(at(ds.C_h) - [truth(*point) for point in POINTS]).max())
    np.testing.assert_allclose(orders(errors)[-1], order, atol=0.3)


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("platen", 2)])
def test_noise_whose_amplitude_is_an_average_of_the_state(scheme: str, order: int) -> None:
    """Dh = -h dt + g dW with g^2 = <h^2>: Gaussian, with d<h^2>/dt = -<h^2> and C(t, t') = e^-max(t, t')."""

    def program(net: Any, *, dt: float) -> None:
        group = net.sites()

        def noise(h: Any) -> Any:
            return np.sqrt(net.overlap(h, h))

        for t, h in net.flow(lambda h: -h, group.normal(), 2.0, dt, scheme=scheme, noise=noise):
            net.record(t, h=h)

    errors = []
    for dt in (0.25, 0.125, 0.0625):
        ds = ss.sample(program, population=10_000, dt=dt, **QUIET)
        errors.append(np.abs(at(ds.C_h) - [np.exp(-max(t, s)) for t, s in POINTS]).max())
    np.testing.assert_allclose(orders(errors)[-1], order, atol=0.3)


# ------------------------------------------------------------------------------------------------- nonlinear networks
def chaotic(net: Any, *, dt: float, symmetry: float = 0.0, scheme: str | None = None, at: Any = None) -> None:
    neurons = net.sites()
    J = net.coupling(neurons, gain=2.0, symmetry=symmetry)

    def drift(h: Any) -> Any:
        return J @ np.tanh(h) - h + net.source(neurons, at=at)

    for t, h in net.flow(drift, neurons.normal(), 2.0, dt, scheme=scheme):
        net.record(t, h=h, phi=np.tanh(h))


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
@pytest.mark.parametrize("symmetry", [0.0, 0.5])
def test_one_chaotic_network_has_the_order_of_the_scheme(scheme: str, order: int, symmetry: float) -> None:
    """The matrix, the start and the fields of one seed are the same at every step, and so the error is the step's."""

    def run(dt: float, scheme: str) -> np.ndarray:
        ds = ss.simulate(chaotic, size=60, dt=dt, scheme=scheme, symmetry=symmetry, at=[0, 1], **QUIET)
        return np.concatenate([at(ds.C_h), at(ds.R_phi, [(2.0, 0.0), (2.0, 1.0), (1.5, 1.0)])])

    reference = run(1 / 64, "rk4")
    steps = (1 / 8, 1 / 16, 1 / 32) if scheme == "euler" else (1 / 4, 1 / 8, 1 / 16)
    errors = [np.sqrt(np.mean((run(dt, scheme) - reference) ** 2)) for dt in steps]
    np.testing.assert_allclose(orders(errors)[-1], order, atol=0.35)


@pytest.mark.parametrize("symmetry", [0.5, pytest.param(-0.5, marks=pytest.mark.slow)])
def test_responses_of_a_partially_symmetric_network_agree_with_direct_simulation(symmetry: float) -> None:
    points = [(1.0, 0.5), (1.5, 0.5), (2.0, 0.5), (0.5, 0.5)]
    options: dict[str, Any] = {"dt": 0.25, "symmetry": symmetry, "at": [0.5]}
    limit = ss.sample(chaotic, population=4_000, replicas=8, seed=2, **options)
    network = ss.simulate(chaotic, size=400, replicas=32, seed=3, **options)
    for name in ("R_h", "R_phi"):
        assert_agreement(
            at(limit[name], points), at(limit[f"{name}_stderr"], points), at(network[name], points),
            reference_stderr=at(network[f"{name}_stderr"], points), replicas=8, error_below=0.02,
        )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- the p-spin
def pspin(net: Any, *, dt: float, temperature: float = 0.5, duration: float = 2.0, named: bool = False) -> None:
    spins = net.sites()
    K = net.tensor_coupling(spins, order=3)

    def drift(s: Any) -> Any:
        force = K.force(s)
        field = net.source(spins, name="kick") if named else 0
        return force + field - (net.overlap(s, force) + temperature) / net.overlap(s, s) * s

    def on_sphere(s: Any) -> Any:
        return s / np.sqrt(net.overlap(s, s))

    start, noise = on_sphere(spins.normal()), np.sqrt(2 * temperature)
    for t, s in net.flow(drift, start, duration, dt, noise=noise, constrain=on_sphere):
        net.record(t, s=s, energy=-net.overlap(s, K.force(s)) / 3)


def closed_pspin(points: list[tuple[float, float]]) -> np.ndarray:
    """Return C, R and energy at dt -> 0: the closed equations at three steps, extrapolated."""
    found = []
    for dt in (0.025, 0.0125, 0.00625):
        solved = spherical_pspin.solve(3, 0.5, dt, round(2 / dt))
        places = [(round(t / dt), round(s / dt)) for t, s in points]
        # The kick of a map's step is there from the next time on.
        found.append([(solved.C[n, m], solved.R[n, m - 1], solved.energy[n]) for n, m in places])
    first, second = 2 * np.array(found[1]) - found[0], 2 * np.array(found[2]) - found[1]
    return (4 * second - first) / 3


def test_the_spherical_spin_glass_meets_its_closed_equations_with_order_two() -> None:
    points = [(1.0, 0.5), (2.0, 0.5), (2.0, 1.0)]
    right, errors = closed_pspin(points), []
    for dt in (0.125, 0.0625):
        ds = ss.sample(pspin, population=1_200, dt=dt, tolerance=1e-4, **QUIET)
        energy = [float(ds.energy.sel(time=t)) for t, _ in points]
        errors.append(np.abs(np.stack([at(ds.C_s, points), at(ds.R_s, points), energy], 1) - right).max(0))
    assert orders(errors).min() > 1.7
    assert errors[-1].max() < 0.007
    np.testing.assert_allclose(np.diag(ds.R_s)[1:], 1, atol=1e-3)
    assert np.isnan(ds.R_s.sel(time_=0)).all()


def test_kicks_of_spins_by_a_source_are_those_that_their_forces_show() -> None:
    ds = ss.sample(pspin, population=1_500, dt=0.125, tolerance=1e-4, named=True, duration=1.0, **QUIET)
    points = [(1.0, 0.5), (1.0, 0.125), (0.5, 0.5), (0.75, 0.5)]
    np.testing.assert_allclose(at(ds.R_s_kick, points), at(ds.R_s_force, points), atol=2e-3)
    np.testing.assert_allclose(ds.R_s_kick.sel(time=0, time_=0), 1, atol=1e-6)


def test_real_tensors_respond_as_the_limit_does() -> None:
    points = [(0.5, 0.25), (0.5, 0.5), (1.0, 0.5)]
    options: dict[str, Any] = {"dt": 0.125, "duration": 1.0}
    limit = ss.sample(pspin, population=1_200, **QUIET, **options)
    network = ss.simulate(pspin, size=100, replicas=16, seed=4, **options)
    np.testing.assert_allclose(at(network.R_s, points), at(limit.R_s, points), atol=0.06)


# ------------------------------------------------------------------------------------------------------- soft spins
def soft_spins(net: Any, *, dt: float, temperature: float = 0.8, scheme: str = "heun", duration: float = 1.0) -> None:
    """Ds = (s - s^3 + J s + field) dt + sqrt(2 T) dW, J symmetric."""
    spins = net.sites()
    J = net.coupling(spins, symmetry=1)

    def drift(s: Any) -> Any:
        return s - s**3 + J @ s + net.source(spins, at=[0.5])

    noise = np.sqrt(2 * temperature)
    for t, s in net.flow(drift, spins.normal(), duration, dt, scheme=scheme, noise=noise):
        net.record(t, s=s)


def test_soft_spins_agree_with_networks_at_twice_the_step() -> None:
    """Correlations and the response to a kick; Euler's map at the same step is another network."""
    points = [(1.0, 0.5), (0.75, 0.5), (1.0, 1.0), (1.0, 0.0)]
    limit = ss.sample(soft_spins, population=3_000, replicas=8, seed=2, dt=1 / 64, every=16)
    network = ss.simulate(soft_spins, size=200, replicas=32, seed=3, dt=1 / 32, every=8)
    for name, chosen in (("C_s", points), ("R_s", points[:2])):
        assert_agreement(
            at(limit[name], chosen), at(limit[f"{name}_stderr"], chosen), at(network[name], chosen),
            reference_stderr=np.hypot(at(network[f"{name}_stderr"], chosen), 0.005), replicas=8, error_below=0.03,
        )  # fmt: skip
    euler = ss.sample(soft_spins, population=3_000, replicas=8, seed=5, dt=1 / 32, scheme="euler", every=8)
    apart = at(euler.C_s, points) - at(limit.C_s, points)
    assert np.abs(apart / np.hypot(at(euler.C_s_stderr, points), at(limit.C_s_stderr, points))).max() > 5
