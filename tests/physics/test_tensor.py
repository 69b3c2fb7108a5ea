"""The p-spin coupling: a real tensor is -dH/ds of eq. (1); at N = infinity it is coloured noise and memory."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import reference
from reference import open_world

import sitesampler as ss
from sitesampler.errors import InputError, ProgramError
from sitesampler.theory.spherical_pspin import solve
from sitesampler.vectors.threads import one_blas_thread


@pytest.fixture(autouse=True)
def _one_blas_thread() -> Iterator[None]:
    with one_blas_thread():
        yield


def forces(net: Any, p: int, steps: int, noise: float = 0.5) -> tuple[Any, np.ndarray, np.ndarray]:
    """Run a little dynamics; return the tensor, the states and the forces at them."""
    spins = net.sites()
    K, s = net.tensor_coupling(spins, order=p), spins.normal()
    states, found = [], []
    for _ in net.clock(0.1 * (steps - 1), 0.1):
        force = K.force(s)
        states.append(s)
        found.append(force)
        s = 0.9 * s + 0.1 * np.tanh(force) + noise * spins.normal()
    return K, np.array(states), np.array(found)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_force_equals_its_naive_twin(p: int) -> None:
    """Noise L z with the covariance p C^{p-1} and memory p(p-1) R C^{p-2}, from the same normals."""
    K, states, found = forces(open_world("ensemble", 300), p, 8)
    for step in range(1, 9):
        expected = reference.pspin_force(states[:step], K.tensor.images.rows[:step], p)
        np.testing.assert_allclose(found[step - 1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_first_forces_have_exact_covariance(p: int) -> None:
    """Without a response there is noise alone: states that no force has touched."""
    net = open_world("ensemble", 300)
    spins = net.sites()
    K, x = net.tensor_coupling(spins, order=p), spins.normal(3)
    states = [x[:, 0], 0.6 * x[:, 0] + 0.8 * x[:, 1], x[:, 2] - 0.5 * x[:, 0]]
    fields = np.stack([K.force(s) for _, s in zip(net.clock(2, 1), states, strict=True)], axis=1)
    C = net.overlap(np.stack(states, axis=1), np.stack(states, axis=1))
    np.testing.assert_allclose(net.overlap(fields, fields), p * C ** (p - 1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("p", [2, 3])
def test_repeated_states_have_the_same_force_and_zero_has_none(p: int) -> None:
    net = open_world("ensemble", 300)
    spins = net.sites()
    K, s = net.tensor_coupling(spins, order=p), spins.normal()
    found = [K.force(x) for _, x in zip(net.clock(3, 1), [s, s, 0 * s, s], strict=True)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-10)
    np.testing.assert_allclose(found[3], found[0], atol=1e-10)
    assert not np.any(found[2])


@pytest.mark.parametrize("p", [2, 3, 4])
def test_a_real_tensor_is_the_gradient_of_its_energy(p: int) -> None:
    """Force against -dH/ds of eq. (1) by central differences, H from the tensor before it was symmetrised.

    H is a polynomial in each spin of degree p: differences of step 1e-3 are exact to 1e-6.
    """
    n = 7
    net = open_world("matrix", n, seed=1)
    spins = net.sites()
    K, s = net.tensor_coupling(spins, order=p), spins.normal()
    # The tensor draws its entries from the third stream of the seed: group, tensor.
    stream = np.random.SeedSequence(1).spawn(2)[1]
    tensor = np.random.Generator(np.random.SFC64(stream)).standard_normal((n,) * p)
    step, expected = 1e-3, np.empty(n)
    for i, unit in enumerate(np.eye(n)):
        plus, minus = (reference.pspin_energy(tensor, s + sign * step * unit) for sign in (1, -1))
        expected[i] = -(plus - minus) / (2 * step)
    for _ in net.clock(0, 1):
        np.testing.assert_allclose(K.force(s), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_forces_of_real_tensors_have_the_covariance_of_the_theory(p: int) -> None:
    """Cov F_i(s) F_i(s') = p C^{p-1} + p(p-1) C^{p-2} s'_i s_i / N, from Cov H = N (s.s'/N)^p.

    Over 400 tensors; the average over sites of the products, with Student's quantiles: false alarms 1e-3.
    """
    n = {2: 60, 3: 24, 4: 12}[p]
    rng = np.random.default_rng(0)
    x, y = np.linalg.qr(rng.standard_normal((n, 2)))[0].T * np.sqrt(n)
    states, products = np.array([x, 0.9 * x + 0.5 * y]), []
    for seed in range(400):
        net = open_world("matrix", n, seed=seed)
        K = net.tensor_coupling(net.sites(), order=p)
        fields = np.array([K.force(s) for _, s in zip(net.clock(1, 1), states, strict=True)])
        products.append(fields @ fields.T / n)
    C = states @ states.T / n
    expected = p * C ** (p - 1) + p * (p - 1) * C ** (p - 2) * C / n
    mean, error = np.mean(products, 0), np.std(products, 0, ddof=1) / np.sqrt(400)
    assert np.max(error / np.abs(expected)) < 0.1
    assert reference.worst_p_value(mean - expected, (error,), (399,)) > 1e-3


def test_response_of_a_gaussian_dynamics_equals_the_derivative() -> None:
    """Of the spherical model, R = <s z> L^{-1} is exact: a linear map with known coefficients.

    s(t+1) = 0.8 s(t) + dt F(t), without memory for p = 2 and one step: R(1, 0) = dt exactly.
    """

    def one_step(net: Any, *, p: int) -> None:
        spins = net.sites()
        K, s = net.tensor_coupling(spins, order=p), spins.normal()
        for t in net.clock(0.2, 0.1):
            net.record(t, s=s)
            s = 0.8 * s + 0.1 * K.force(s)

    for p in (2, 3):
        ds = ss.sample(one_step, population=100, replicas=2, seed=0, keep=0, p=p)
        assert float(ds.R_s.sel(time=0.1, time_=0)) == pytest.approx(1, abs=1e-10)
        assert not ds.R_s.where(ds.time <= ds.time_, 0).any()
        assert ds.R_s.attrs["per_unit_time"] == 1 and ds.R_s.attrs["equal_times_count"] == 0


@pytest.mark.slow
def test_response_of_a_real_tensor_agrees_with_n_infinity() -> None:
    """The perturbed twins of a network against Stein's lemma: p = 3, nonlinear, correlation and response.

    Extrapolated in 1/N from N = 40 and 80.  Probability of a false alarm 1e-3.
    """

    def clipped(net: Any, *, steps: int = 6) -> None:
        spins = net.sites()
        K, s = net.tensor_coupling(spins, order=3), spins.normal()
        for t in net.clock(0.2 * steps, 0.2):
            net.record(t, s=s)
            s = 0.8 * s + 0.2 * np.tanh(K.force(s) + 0.3) + 0.3 * spins.normal()

    limit = ss.sample(clipped, population=4000, replicas=8, seed=0, keep=0)
    small = ss.simulate(clipped, size=40, replicas=300, seed=1, keep=0)
    large = ss.simulate(clipped, size=80, replicas=300, seed=2, keep=0)
    differences, errors, freedoms = [], [], (7, 299, 299)
    for name, pairs in {"C_s": np.tril_indices(7), "R_s": np.tril_indices(7, -1)}.items():
        size = limit[name].shape[1]
        rows, columns = pairs[0][pairs[1] < size], pairs[1][pairs[1] < size]
        value = [ds[name].values[rows, columns] for ds in (limit, large, small)]
        error = [ds[name + "_stderr"].values[rows, columns] for ds in (limit, large, small)]
        differences.append(value[0] - (2 * value[1] - value[2]))
        errors.append([error[0], 2 * error[1], error[2]])
    joined = tuple(np.concatenate(parts) for parts in zip(*errors, strict=True))
    assert np.max(np.sqrt(sum(e**2 for e in joined))) < 0.06
    assert reference.worst_p_value(np.concatenate(differences), joined, freedoms) > 1e-3


# ------------------------------------------------------------------------------------- several forces in one step
def langevin(net: Any, *, p: int, scheme: str = "Euler", dt: float = 0.1, duration: float = 0.8) -> None:
    """Relax in the field of the tensor, with noise; the scheme of Heun takes two forces in each step."""
    spins = net.sites()
    K, s = net.tensor_coupling(spins, order=p), spins.normal()
    for t in net.clock(duration, dt):
        net.record(t, s=s)
        noise = np.sqrt(dt) * spins.normal()
        slope = 0.5 * K.force(s) - s
        if scheme == "Heun":
            there = s + dt * slope + noise
            slope = (slope + 0.5 * K.force(there) - there) / 2
        if scheme == "twice the same":
            slope = (slope + 0.5 * K.force(s) - s) / 2
        s = s + dt * slope + noise


@pytest.mark.parametrize("p", [2, 3])
def test_the_response_of_a_step_with_two_forces_is_that_to_a_field_in_both(p: int) -> None:
    """The scheme of Heun against small steps of Euler, both with the error of their steps and no scatter."""
    heun = ss.sample(langevin, population=400, replicas=2, seed=0, keep=0, p=p, scheme="Heun")
    euler = ss.sample(langevin, population=400, replicas=2, seed=0, keep=0, p=p, dt=0.02, every=5)
    np.testing.assert_allclose(heun.time_, np.arange(9) / 10)
    assert heun.R_s.dims == ("time", "time_") and heun.R_s.shape == (9, 9)
    assert heun.R_s.attrs["equal_times_count"] == 0 and not heun.R_s.where(heun.time <= heun.time_, 0).any()
    assert float(abs(heun.R_s - euler.R_s.assign_coords(heun.coords)).max()) < 0.02
    # After one step, exactly: half of the field of each force, of which the first is damped through the second slope.
    first = 0.5 * (1 - 0.1 / 2)
    np.testing.assert_allclose(np.diag(heun.R_s, -1), first, atol=1e-9)


@pytest.mark.parametrize("p", [2, 3])
def test_a_force_taken_twice_at_one_state_responds_as_one(p: int) -> None:
    call: dict[str, Any] = {"seed": 0, "keep": 0, "p": p}
    once, twice = (
        ss.sample(langevin, population=400, replicas=2, scheme=scheme, **call) for scheme in ("Euler", "twice the same")
    )
    np.testing.assert_allclose(twice.R_s, once.R_s, atol=1e-9)
    # In a finite network each force has a perturbation of its own: equal to 4.5 standard errors at 36 pairs of times.
    once, twice = (
        ss.simulate(langevin, size=60, replicas=32, scheme=scheme, **{**call, "seed": seed})
        for seed, scheme in enumerate(("Euler", "twice the same"))
    )
    assert float(np.nanmax(abs(ss.compare(twice, once).R_s_deviation))) < 4.5
    assert float(twice.R_s_stderr.max()) < 0.06


@pytest.mark.parametrize("temperature", [1e-3, 1e-5, 1e-7, 0.0])
def test_a_response_to_forces_that_are_not_told_apart_is_not_known(temperature: float) -> None:
    """Without noise the spins move smoothly, and soon their forces follow from those before within the tolerance."""
    call: dict[str, Any] = {
        "scheme": "euler",
        "temperature": temperature,
        "dt": 0.1,
        "duration": 2.0,
        "population": 400,
        "replicas": 2,
    }
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        ds = ss.sample(ss.models.spherical_pspin, seed=0, keep=0, progress=False, **call)
    exact = solve(3, temperature, 0.1, 20).R
    error = np.abs(ds.R_s - exact[:, np.rint(ds.time_.values / 0.1).astype(int)])
    assert float(error.max()) < 1e-4, "what is told is right"
    unknown = bool(ds.R_s.isnull().any())
    assert unknown == (temperature < 1e-6)
    assert unknown == any("R_s is NaN where it is not known: some of the forces" in str(each.message) for each in heard)
    assert not ds.C_s.isnull().any()


def test_a_force_that_is_the_same_for_ever_has_no_response_of_one_time() -> None:
    def driven(net: Any, resting: bool) -> None:
        spins = net.sites()
        K, pattern, s = net.tensor_coupling(spins, order=3), spins.normal(), spins.normal()
        for t in net.clock(0.3, 0.1):
            net.record(t, s=s)
            s = 0.9 * s + 0.1 * K.force(pattern if resting else s)

    with pytest.warns(RuntimeWarning, match="R_s is NaN where it is not known"):
        ds = ss.sample(driven, population=400, replicas=2, seed=0, keep=0, resting=True)
    assert ds.R_s.sel(time=[0.2, 0.3]).isnull().all() and float(ds.R_s.sel(time=0.1, time_=0)) == pytest.approx(1)
    assert not ss.sample(driven, population=400, replicas=2, seed=0, keep=0, resting=False).R_s.isnull().any()


def test_a_force_that_starts_again_at_earlier_times_is_refused() -> None:
    def again(net: Any) -> None:
        spins = net.sites()
        K, s = net.tensor_coupling(spins, order=3), spins.normal()
        for repeat in range(2):
            for t in net.clock(0.2, 0.1):
                if repeat:
                    net.record(t, s=s)
                s = 0.8 * s + 0.1 * K.force(s) + 0.3 * spins.normal()

    with pytest.raises(ProgramError, match=r"acts at 0.0 after it has acted at 0.2, .*; let it act in one loop"):
        ss.sample(again, population=100, replicas=1, seed=0)


def test_no_exact_law_without_the_tensor() -> None:
    with pytest.raises(InputError, match=r"spherical_pspin has a tensor coupling, which has no exact law"):
        ss.simulate(ss.models.spherical_pspin, size=20, matrix=False)
