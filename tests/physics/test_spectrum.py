"""Outliers: one routine for every mixture of products and updates, against closed forms and real matrices."""

from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.errors import ProgramError
from sitesampler.physics.spectrum import LowRank, bulk_edges, rectangular_outliers, square_outliers
from sitesampler.theory import evolving_spikes as evolving_theory
from sitesampler.theory import spiked_wigner as spiked_theory

EXACT = {"replicas": 2, "seed": 1, "tolerance": 1e-12, "progress": False}


@pytest.mark.parametrize(
    ("rate", "strength", "spikes"), [(0.25, 1.6, 3), (-0.7, 2.1, 2), (0.9, -1.4, 4), (0.4, 0.9, 5)]
)
def test_spikes_that_the_dynamics_makes(rate: float, strength: float, spikes: int) -> None:
    """Eq. (107), to far better than the 0.3 % by which some wrong versions differ."""
    ds = ss.sample(ss.models.evolving_spikes, population=60, rate=rate, strength=strength, spikes=spikes, **EXACT)
    exact = np.sort(evolving_theory.outliers(rate, strength, spikes))
    found = ds.outliers.isel(time=-1).values
    np.testing.assert_allclose(np.sort(found[~np.isnan(found)]), exact, rtol=1e-9)


@pytest.mark.parametrize("strength", [1.8, -1.8, 0.9])
def test_exogenous_spikes_and_their_overlaps(strength: float) -> None:
    """Eqs. (92)-(94): both signs; below the threshold of either spike there is no outlier."""
    overlaps = np.array([[1, 0.3], [0.3, 1.5]])
    ds = ss.sample(
        ss.models.spiked_wigner, population=80, overlaps=overlaps, strength=strength, duration=0.5, **EXACT
    ).isel(time=-1)
    exact = spiked_theory.outliers(overlaps, strength)
    np.testing.assert_allclose(np.sort(ds.outliers.values), np.sort(exact), rtol=1e-9)
    if strength == 0.9:
        assert len(exact) == 1


def test_overlap_of_one_spike() -> None:
    """(u.v)^2 / |v|^2 = 1 - 1/g^2."""
    ds = ss.sample(ss.models.spiked_wigner, population=80, strength=1.6, duration=0.5, **EXACT).isel(time=-1)
    np.testing.assert_allclose(ds.spike_overlap.values, [[1 - 1 / 1.6**2]], rtol=1e-9)


def learning(net: Any, *, symmetry: float = 0.4, gain: float = 1.2) -> None:
    """Products and updates in turn, with a nonlinearity that is not odd."""
    sites = net.sites(ratio=1.5)
    J = net.coupling(sites, gain=gain, symmetry=symmetry)
    x = sites.normal()
    x = x / np.sqrt(net.overlap(x, x))  # the largest part of what differs between small networks
    for _ in net.steps(3):
        y = J @ x
        J.add(np.tanh(y + 0.3), x, 3.0)
        x = 0.7 * x + np.tanh(y) + 0.2
    found = J.outlier_eigenvalues(x)
    net.record(2, outliers=found, overlap=(("outlier",), found.overlaps[:, 0]))


@pytest.mark.parametrize("symmetry", [1.0, 0.4, 0.0, -0.4])
def test_a_learning_matrix_of_any_symmetry(symmetry: float) -> None:
    """The leading eigenvalue and its overlap, against real matrices, extrapolated in N.

    Thresholds are five standard errors, a false alarm in 10^4 with the replicas at hand.
    """
    options: dict[str, Any] = {"seed": 2, "progress": False, "symmetry": symmetry}
    limit = ss.sample(learning, population=4000, replicas=8, **options).isel(time=0, outlier=0)
    small, large = (
        ss.simulate(learning, size=size, replicas=24, **options).isel(time=0, outlier=0) for size in (120, 240)
    )
    for name in ("outliers", "overlap"):
        value = 2 * large[name] - small[name]
        error = np.sqrt(4 * large[f"{name}_stderr"] ** 2 + small[f"{name}_stderr"] ** 2 + limit[f"{name}_stderr"] ** 2)
        deviation = np.abs(limit[name] - value) / error
        assert deviation < 5, (name, float(np.abs(limit[name])), float(np.abs(value)), float(error))
        assert error < 0.05 * np.abs(value)


def test_the_law_without_the_matrix_has_the_outliers_of_the_matrix() -> None:
    """matrix=False knows its outliers from the products, as the ensemble does."""
    options: dict[str, Any] = {"size": 200, "replicas": 24, "seed": 4, "progress": False}
    for symmetry in (0.0, 0.4, 1.0):
        real = ss.simulate(learning, symmetry=symmetry, **options).isel(time=0, outlier=0)
        law = ss.simulate(learning, symmetry=symmetry, matrix=False, **options).isel(time=0, outlier=0)
        error = np.hypot(real.outliers_stderr, law.outliers_stderr)
        assert np.abs(real.outliers - law.outliers) < 4.5 * error


def rotating(net: Any) -> None:
    """Make an update that is not symmetric: two complex outliers."""
    sites = net.sites()
    J = net.coupling(sites, gain=0.5, symmetry=0)
    left, right = sites.normal(), sites.normal()
    J.add(left, right, 2.0)
    J.add(right, left, -2.0)
    for t in net.steps(1):
        net.record(t, outliers=J.outlier_eigenvalues())


def test_complex_outliers() -> None:
    """Eigenvalues of the update itself, +-2i, as products have not been taken (circular law)."""
    ds = ss.sample(rotating, population=50, **EXACT)
    np.testing.assert_allclose(np.sort_complex(ds.outliers.values[0]), [-2j, 2j], atol=1e-9)


def layers(net: Any, *, ratio: float = 2.0) -> None:
    """Multiply a rectangular coupling both ways, and update it."""
    inputs, outputs = net.sites(), net.sites(ratio)
    W = net.coupling(outputs, inputs, gain=0.8)
    x, y = inputs.normal(), outputs.normal()
    for t in net.steps(2):
        h = W @ np.tanh(x)
        g = np.tanh(h + y)
        x = x + np.tanh(W.T @ g + 0.2)
        W.add(g, np.tanh(x), 1.5)
        found = W.outlier_singular_values(left=[g], right=[x])
        net.record(t, outliers=found, overlaps=(("outlier", "side"), found.overlaps))


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_singular_values_of_a_rectangular_coupling(ratio: float) -> None:
    """Values and overlaps on both sides against real matrices, extrapolated in N; five standard errors."""
    options: dict[str, Any] = {"seed": 5, "progress": False, "ratio": ratio}
    limit = ss.sample(layers, population=4000, replicas=8, **options).isel(time=1, outlier=0)
    small, large = (ss.simulate(layers, size=n, replicas=40, **options).isel(time=1, outlier=0) for n in (150, 300))
    for name in ("outliers", "overlaps"):
        value = 2 * large[name] - small[name]
        error = np.sqrt(4 * large[f"{name}_stderr"] ** 2 + small[f"{name}_stderr"] ** 2 + limit[f"{name}_stderr"] ** 2)
        assert np.all(np.abs(limit[name] - value) < 5 * error), (name, limit[name].values, value.values, error.values)


def test_replicas_with_fewer_outliers_are_filled_up() -> None:
    """Before the first update there is no outlier, after it one: the record is as long as the longest."""
    ds = ss.sample(ss.models.evolving_spikes, population=60, strength=0.8, rate=0.3, spikes=4, **EXACT)
    assert ds.outliers.dims == ("time", "outlier")
    assert np.isnan(ds.outliers.values[0]).all() and not np.isnan(ds.outliers.values[-1]).all()


def test_a_spike_without_products_is_the_textbook_case(rng: np.random.Generator) -> None:
    """Rank-one signal in noise: z = sqrt((1 + theta^2)(c + theta^2))/theta (Benaych-Georges & Nadakuditi 2012)."""
    u, v, theta, ratio = np.ones((1, 4)), np.ones((1, 4)), 1.7, 0.5
    none = np.empty((0, 4))
    found = rectangular_outliers(none, none, [LowRank(u, v, np.array([theta]))], 1.0, (ratio, 1.0), u, v)
    exact = np.sqrt((1 + theta**2) * (ratio + theta**2)) / theta
    np.testing.assert_allclose(found.values, [exact], rtol=1e-10)
    left = 1 - (ratio + theta**2) / (theta**2 * (theta**2 + 1))
    right = 1 - (ratio * (1 + theta**2)) / (theta**2 * (theta**2 + ratio))
    np.testing.assert_allclose(np.sort(found.overlaps[0]), np.sort([left, right]), rtol=1e-5)
    assert exact > bulk_edges(1.0, ratio, 1.0)[1]


def test_nothing_known_means_no_outliers() -> None:
    """A fresh matrix has none."""
    none = np.empty((0, 4))
    assert len(square_outliers(none, [], 1.0, 1.0, none).values) == 0
    assert len(rectangular_outliers(none, none, [], 1.0, (1.0, 1.0), none, none).values) == 0


def test_refusals() -> None:
    """Rectangular couplings have singular values, and what is not known is said."""

    def rectangular(net: Any) -> None:
        J = net.coupling(net.sites(2.0), net.sites())
        net.record(0, outliers=J.outlier_eigenvalues())

    def both_ways(net: Any) -> None:
        sites = net.sites()
        J = net.coupling(sites, symmetry=0.5)
        x = sites.normal()
        for t in net.steps(1):
            net.record(t, x=J.T @ (J @ x), outliers=J.outlier_eigenvalues())

    with pytest.raises(ProgramError, match="has singular values, not eigenvalues"):
        ss.sample(rectangular, population=50, replicas=1)
    with pytest.raises(ProgramError, match="multiplied both ways are not known"):
        ss.sample(both_ways, population=50, replicas=1)
