"""The vocabulary of site programs: what each word returns, in every world, and what its records become."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import WORLDS, open_world
from scipy import stats

import sitesampler as ss
from sitesampler.errors import NotFinite
from sitesampler.vectors.threads import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_blas_thread() -> Iterator[None]:
    with one_blas_thread():
        yield


every_world = pytest.mark.parametrize("world", WORLDS)


def run_everywhere(program: Any, *, population: int = 60, **options: Any) -> list[Any]:
    """Run a program in the three worlds, two replicas each."""
    options = {"replicas": 2, "seed": 0, "keep": 3, **options}
    return [
        ss.sample(program, population=population, **options),
        ss.simulate(program, size=40, **options),
        ss.simulate(program, size=40, matrix=False, **options),
    ]


# ------------------------------------------------------------------------------------------------------------- groups
def test_a_ratio_is_a_size_in_a_network_and_a_weight_at_n_infinity() -> None:
    finite, infinite = open_world("matrix", 100), open_world("ensemble", 100)
    assert [finite.sites(ratio).size for ratio in (1.0, 0.5, 1.501, 1e-9)] == [100, 50, 150, 1]
    assert [infinite.sites(ratio).size for ratio in (1.0, 0.5, 1.501)] == [100, 100, 100]
    # A finite network counts the sites it really has.
    assert [net.sites(1.501).ratio for net in (finite, infinite)] == [1.5, 1.501]


def test_groups_of_the_same_name_are_told_apart() -> None:
    def twice(net: Any) -> None:
        first, second = net.sites(), net.sites(0.5)
        for t in net.steps(2):
            net.record(t, a=first.normal(), b=second.normal())

    for ds in run_everywhere(twice):
        assert ds.trajectory_a.dims == ("site", "time") and ds.trajectory_b.dims == ("site2", "time")


# -------------------------------------------------------------------------------------------------------------- draws
@every_world
def test_draws_have_one_number_per_site_or_k_columns(world: str) -> None:
    net = open_world(world, 50)
    group = net.sites()
    for draw in (
        group.normal,
        group.uniform,
        lambda k=None: group.bernoulli(0.5, k),
        lambda k=None: group.choice([1, 2], k),
    ):
        assert draw().shape == (50,) and draw(1).shape == (50, 1) and draw(3).shape == (50, 3)


def test_draws_at_n_infinity_are_normal_exactly_in_mean_and_covariance() -> None:
    group = open_world("ensemble", 200).sites()
    x = group.normal(3)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-13)
    np.testing.assert_allclose(x.T @ x / 200, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_given_covariance_is_exact_at_n_infinity_even_if_singular(rank: int) -> None:
    root = np.array([[1.0, 0.2, 0.1], [0.3, 1, 0], [0.5, -1, 2]])[:, :rank]
    covariance = root @ root.T
    group = open_world("ensemble", 200).sites()
    x = group.normal(covariance=covariance)
    np.testing.assert_allclose(x.T @ x / 200, covariance, atol=1e-12)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-13)
    assert group.normal(covariance=np.zeros((2, 2))).tolist() == np.zeros((200, 2)).tolist()


def test_a_given_covariance_holds_on_average_in_a_network() -> None:
    """5 standard deviations of an estimate from 20,000 sites: false alarms below 1e-5."""
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    x = open_world("matrix", 20_000).sites().normal(covariance=covariance)
    error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / 20_000)
    assert np.all(np.abs(x.T @ x / 20_000 - covariance) < 5 * error)


@every_world
def test_marginals_of_the_other_draws(world: str) -> None:
    """Kolmogorov-Smirnov and binomial tests over 5,000 numbers; false alarms 1e-4 each.

    Stratified draws of an ensemble pass more easily: they are nearer to the distribution than chance.
    """
    group = open_world(world, 5000, seed=2).sites()
    u = group.uniform(low=-1, high=3)
    assert stats.kstest((u + 1) / 4, "uniform").pvalue > 1e-4 and u.min() >= -1 and u.max() < 3
    ones = group.bernoulli(0.3)
    assert set(np.unique(ones)) == {0.0, 1.0}
    assert stats.binomtest(int(ones.sum()), 5000, 0.3).pvalue > 1e-4
    three = group.choice([-1, 0.5, 4], probabilities=[0.2, 0.5, 0.3])
    values, counts = np.unique(three, return_counts=True)
    np.testing.assert_array_equal(values, [-1, 0.5, 4])
    assert stats.chisquare(counts, [1000, 2500, 1500]).pvalue > 1e-4
    assert not group.bernoulli(0).any() and group.bernoulli(1).all()
    assert set(np.unique(group.choice([7]))) == {7}


@every_world
def test_values_are_dealt_in_equal_shares_and_stay_paired(world: str) -> None:
    group = open_world(world, 12).sites()
    np.testing.assert_array_equal(group.values([5, 6, 7]), np.repeat([5, 6, 7], 4))
    np.testing.assert_array_equal(group.values(2.5), np.full(12, 2.5))
    table = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    np.testing.assert_array_equal(group.values(table), np.repeat(table, 3, axis=0))
    np.testing.assert_array_equal(np.unique(group.values(np.arange(5)), return_counts=True)[1], [3, 2, 3, 2, 2])


def test_draws_are_orthogonal_to_dealt_values_at_n_infinity() -> None:
    group = open_world("ensemble", 100).sites()
    labels = group.values([-1, 1, 3])
    assert abs(np.mean(labels * group.normal())) < 1e-13


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dealt_zeros_spoil_nothing(dtype: str) -> None:
    group = open_world("ensemble", 100, dtype=dtype).sites()
    assert not group.values([[0, 0], [0, 0]]).any()
    assert np.mean(group.normal() ** 2) == pytest.approx(1, abs=1e-5)


# ----------------------------------------------------------------------------------------------------------- averages
@every_world
def test_shapes_and_values_of_averages(world: str) -> None:
    net = open_world(world, 80)
    group = net.sites()
    x, y, z = group.normal() + 1, group.normal(2) - 2, group.normal(3)
    assert np.ndim(net.mean(x)) == 0 and net.mean(y).shape == (2,)
    assert np.ndim(net.overlap(x, x)) == 0
    assert net.overlap(x, y).shape == net.overlap(y, x).shape == (2,)
    assert net.overlap(y, z).shape == (2, 3)
    np.testing.assert_allclose(net.mean(y), y.mean(0))
    np.testing.assert_allclose(net.overlap(y, z), y.T @ z / 80, atol=1e-14)
    np.testing.assert_allclose(net.overlap(x, y), x @ y / 80, atol=1e-14)
    assert net.mean(x > 0) == np.mean(x > 0)


@every_world
def test_averages_leave_the_perturbed_twins_out(world: str) -> None:
    net = open_world(world, 80, twins=True)
    group = net.sites()
    x = group.normal()
    moved = np.concatenate([x[:80], x[80:] + 5])
    assert net.mean(moved) == pytest.approx(x[:80].mean(), abs=1e-14)
    assert net.overlap(moved, moved) == pytest.approx(np.mean(x[:80] ** 2))


# -------------------------------------------------------------------------------------------------------------- loops
@pytest.mark.parametrize(
    ("duration", "dt", "expected"), [(50, 0.05, 1001), (0.3, 0.1, 4), (0, 0.1, 1), (2, 1 / 3, 7), (1e-3, 1e-4, 11)]
)
def test_a_clock_yields_both_ends_free_of_rounding(duration: float, dt: float, expected: int) -> None:
    net = open_world("ensemble", 10)
    times = list(net.clock(duration, dt))
    assert len(times) == expected and times[0] == 0 and times[-1] == duration
    np.testing.assert_allclose(np.diff(times), dt, rtol=1e-9)


def test_steps_and_layers() -> None:
    net = open_world("ensemble", 10)
    assert list(net.steps(3)) == [0, 1, 2] and list(net.layers(3)) == [1, 2, 3] and list(net.steps(0)) == []


def test_round_times_can_be_selected() -> None:
    def still(net: Any) -> None:
        h = net.sites().normal()
        for t in net.clock(50, 0.05):
            net.record(t, h=h, two=2.0)

    for ds in run_everywhere(still, every=50):
        assert float(ds.C_h.sel(time=50, time_=7.5)) == pytest.approx(float(ds.C_h.sel(time=0, time_=0)))
        assert float(ds.two.sel(time=50)) == 2.0
        assert ds.sizes["time"] == ds.sizes["time_"] == 21


# ------------------------------------------------------------------------------------------------------------ records
def test_records_of_numbers_vectors_and_arrays() -> None:
    def everything(net: Any) -> None:
        group, data = net.sites(name="neuron"), net.sites(0.5, name="datum")
        h, x, y = group.normal(), group.normal(2), data.normal(2)
        for t in net.clock(1, 0.5):
            table = (("row", "column"), np.arange(6).reshape(2, 3) + t)
            net.record(t, h=h, x=x, y=y, stack=[x, 2 * x, 3 * x], number=t**2)
            net.record(t, means=net.mean(x), matrix=net.overlap(x, x), table=table, named=("output", [t, 2 * t]))

    for ds in run_everywhere(everything):
        assert ds.C_h.dims == ("time", "time_") and ds.h_mean.dims == ds.h_kurtosis.dims == ("time",)
        assert ds.C_x.dims == ("time", "time_", "input", "input_") and ds.x_mean.dims == ("time", "input")
        assert ds.C_stack.dims == ("layer", "time", "time_", "input", "input_")
        assert ds.stack_mean.dims == ("layer", "time", "input")
        assert ds.trajectory_h.dims == ("neuron", "time") and ds.trajectory_y.dims[0] == "datum"
        assert ds.number.dims == ("time",) and ds.means.dims == ("time", "input")
        assert ds.matrix.dims == ("time", "input", "input_") and ds.table.dims == ("time", "row", "column")
        assert ds.named.dims == ("time", "output")
        np.testing.assert_array_equal(ds.layer, [1, 2, 3])
        np.testing.assert_array_equal(ds.number, [0, 0.25, 1])
        np.testing.assert_array_equal(ds.table.sel(time=1), np.arange(6).reshape(2, 3) + 1)
        np.testing.assert_allclose(ds.C_stack.sel(layer=3), 9 * ds.C_x, atol=1e-12)
        np.testing.assert_allclose(ds.trajectory_stack.sel(layer=2), 2 * ds.trajectory_x, atol=1e-12)
        inner = ds.C_x.isel(time=0, time_=0).transpose("input", "input_")
        np.testing.assert_allclose(ds.matrix.isel(time=0), inner, atol=1e-12)
        for name in ds.data_vars:
            assert str(name).startswith("trajectory") or str(name).endswith("stderr") or f"{name}_stderr" in ds


def test_records_equal_the_averages_of_the_vectors_themselves() -> None:
    """One network in which the vectors are kept aside."""
    kept: list[np.ndarray] = []

    def remembered(net: Any) -> None:
        kept.clear()
        group = net.sites()
        for t in net.steps(4):
            x = np.exp(0.3 * group.normal(2))
            kept.append(x)
            net.record(t, x=x)

    ds = ss.simulate(remembered, size=9000, replicas=1, seed=0, keep=4)
    table = np.array(kept)
    np.testing.assert_allclose(ds.C_x, np.einsum("tik,sil->tskl", table, table) / 9000, rtol=1e-12)
    np.testing.assert_allclose(ds.x_mean, table.mean(1), rtol=1e-12)
    np.testing.assert_allclose(ds.x_kurtosis, stats.kurtosis(table, axis=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(ds.trajectory_x.transpose("time", "site", "input"), table[:, [0, 2250, 4500, 6750]])


def test_a_record_that_fails_half_way_is_left_out() -> None:
    """The second of two layers diverges first; what was recorded before is kept, with its response."""

    def lopsided(net: Any) -> None:
        group = net.sites()
        x, y = group.normal(), group.normal()
        for t in net.steps(5):
            net.record(t, layers=[x, y])
            x = 0.5 * x + net.source(group)
            y = np.where(t == 2, np.nan, 1.0) * y

    with pytest.raises(NotFinite, match=r"at time 3, in lopsided, line \d+ .* is not finite any more") as caught:
        ss.sample(lopsided, population=50, replicas=1, seed=0)
    partial = caught.value.partial
    np.testing.assert_array_equal(partial.time, [0, 1, 2])
    assert partial.C_layers.notnull().all() and partial.trajectory_layers.sizes["time"] == 3
    np.testing.assert_allclose(np.diag(partial.R_layers.sel(layer=1), -1), 1, atol=1e-8)


def test_a_vector_without_variance_has_no_kurtosis() -> None:
    def constant(net: Any) -> None:
        group = net.sites()
        for t in net.steps(2):
            net.record(t, one=group.values(1.0), zero=0 * group.values(1.0))

    for ds in run_everywhere(constant):
        assert ds.one_kurtosis.isnull().all() and ds.zero_kurtosis.isnull().all()
        np.testing.assert_allclose(ds.one_mean, 1)


def test_the_state_after_the_loop_can_be_recorded() -> None:
    def after(net: Any) -> None:
        group = net.sites()
        J, h = net.coupling(group, gain=0.5), group.normal()
        for layer in net.layers(3):
            net.record(layer, q=net.overlap(h, h))
            h = np.tanh(J @ h)
        net.record(4, q=net.overlap(h, h))

    for ds in run_everywhere(after):
        np.testing.assert_array_equal(ds.layer, [1, 2, 3, 4])
        assert ds.q.dims == ("layer",) and ds.q.notnull().all()


def test_nested_loops() -> None:
    """Each record belongs to the loop whose time it is given."""

    def nested(net: Any) -> None:
        group = net.sites()
        W = net.coupling(group)
        for t in net.clock(1, 0.5):
            h = group.normal()
            for layer in net.layers(2):
                h = np.tanh(W @ h) + 0 * layer
            net.record(t, h=h, q=net.overlap(h, h))
        for layer in net.layers(3):
            net.record(layer, other=float(layer))

    for ds in run_everywhere(nested):
        np.testing.assert_array_equal(ds.time, [0, 0.5, 1])
        np.testing.assert_array_equal(ds.other, [1, 2, 3])
        assert ds.q.dims == ("time",) and ds.other.dims == ("layer",)


@pytest.mark.parametrize("every", [2, 3, 7])
def test_thinned_records_equal_the_full_ones(every: int) -> None:
    call = {"population": 200, "replicas": 1, "seed": 0, "duration": 2, "dt": 0.1}
    full = ss.sample(ss.models.random_rnn, **call)
    thin = ss.sample(ss.models.random_rnn, every=every, **call)
    chosen = np.arange(0, 21, every)
    np.testing.assert_array_equal(thin.time, full.time[chosen])
    for name in ("C_h", "C_phi"):
        np.testing.assert_allclose(thin[name], full[name].isel(time=chosen, time_=chosen), rtol=1e-12)
    np.testing.assert_array_equal(thin.trajectory_h, full.trajectory_h.isel(time=chosen))


def test_thinned_responses_equal_the_full_ones() -> None:
    """The system is Gaussian and matched draws make it exact: the other perturbations change nothing."""
    call = {
        "population": 100,
        "replicas": 2,
        "seed": 0,
        "duration": 2,
        "dt": 0.1,
        "scheme": "euler",
        "tolerance": 1e-10,
    }
    full, thin = ss.sample(ss.models.goe_flow, **call), ss.sample(ss.models.goe_flow, every=5, **call)
    chosen = np.arange(0, 21, 5)
    np.testing.assert_allclose(thin.R_h, full.R_h.isel(time=chosen, time_=chosen), rtol=0, atol=1e-7)


# ------------------------------------------------------------------------------------------------------------ sources
def leaky(net: Any, *, kind: str = "clock", at: Any = None, decay: float = 0.7) -> None:
    """h(t+1) = decay h(t) + source(t): the response is decay^(t - t' - 1), per unit time divided by dt."""
    group = net.sites()
    h = group.normal()
    for t in net.clock(2, 0.5) if kind == "clock" else net.steps(5):
        net.record(t, h=h)
        h = decay * h + net.source(group, at=at)


def expected_decay(decay: float = 0.7) -> np.ndarray:
    lag = np.subtract.outer(np.arange(5), np.arange(5))
    return np.where(lag > 0, decay ** (lag - 1.0), 0)


def test_responses_per_unit_time_and_raw() -> None:
    for clock, steps in zip(run_everywhere(leaky), run_everywhere(leaky, kind="steps"), strict=True):
        for ds, dt in ((clock, 0.5), (steps, 1.0)):
            # A finite network draws its perturbations at random: exact only at N = infinity.
            atol = 1e-8 if "population" in ds.attrs else 5 / np.sqrt(40) / dt
            np.testing.assert_allclose(ds.R_h, expected_decay() / dt, rtol=0, atol=atol)
            assert not ds.R_h.values[expected_decay() == 0].any()
            assert ds.R_h.attrs["per_unit_time"] == (dt == 0.5) and ds.R_h.attrs["equal_times_count"] == 0
        assert "per unit time" in clock.R_h.attrs["comment"] and "raw" in steps.R_h.attrs["comment"]


@pytest.mark.parametrize("at", [1.0, [0.5, 1.5], [0.0]])
def test_sources_at_chosen_times(at: Any) -> None:
    for ds in run_everywhere(leaky, at=at):
        assert ds.R_h.sizes["time_"] <= 5
        known = ds.R_h.dropna("time_", how="all")
        np.testing.assert_array_equal(known.time_, np.atleast_1d(at))
        if "population" in ds.attrs:
            full = expected_decay()[:, [int(2 * t) for t in np.atleast_1d(at)]] / 0.5
            np.testing.assert_allclose(known, full, rtol=0, atol=1e-8)


def test_sources_have_names_where_a_group_has_several_and_equal_times_count_where_they_do() -> None:
    """The algebraic delta = J h + s feels its source at once, h one step later: each of its two sources by a factor."""

    def three(net: Any) -> None:
        features, data = net.sites(name="feature"), net.sites(name="datum")
        J, h = net.coupling(data, features), features.normal()
        for t in net.steps(4):
            delta = J @ h + net.source(data)
            net.record(t, h=h, delta=delta)
            drift = net.source(features, name="drift") - 3 * net.source(features, name="pull")
            h = 0.5 * h - 0.1 * (J.T @ delta) + drift

    for ds in run_everywhere(three, population=100):
        responses = {name for name in ds if str(name).startswith("R_") and not str(name).endswith("stderr")}
        assert responses == {"R_h_drift", "R_h_pull", "R_delta"}
        assert ds.R_delta.attrs["equal_times_count"] == 1 and ds.R_h_drift.attrs["equal_times_count"] == 0
        atol = 1e-7 if "population" in ds.attrs else 1.5
        np.testing.assert_allclose(np.diag(ds.R_delta), 1, atol=atol)
        np.testing.assert_allclose(np.diag(ds.R_h_drift, -1), 1, atol=atol)
        np.testing.assert_allclose(np.diag(ds.R_h_pull, -1), -3, atol=3 * atol)
        # h -> J.T (J h) of mean h: two steps later 0.5 - 0.1.
        np.testing.assert_allclose(np.diag(ds.R_h_drift, -2), 0.4, atol=atol)


def test_sources_with_inner_columns() -> None:
    mixing = np.array([[0.5, 0.2], [-0.3, 0.8]])

    def columns(net: Any) -> None:
        group = net.sites()
        x = group.normal(2)
        for t in net.steps(3):
            net.record(t, x=x, first=x[:, 0])
            x = x @ mixing + net.source(group, 2)

    ds = ss.sample(columns, population=60, replicas=2, seed=0)
    assert ds.R_x.dims == ("time", "time_", "input", "input_") and ds.R_first.dims == ("time", "time_", "input_")
    np.testing.assert_allclose(ds.R_x.sel(time=1, time_=0), np.eye(2), atol=1e-8)
    np.testing.assert_allclose(ds.R_x.sel(time=2, time_=0), mixing.T, atol=1e-8)
    np.testing.assert_allclose(ds.R_first.sel(time=2, time_=0), mixing[:, 0], atol=1e-8)


def test_a_nonlinear_response_is_the_derivative() -> None:
    """Of h = tanh(h + source): R = <1 - h^2>, from the recorded second moment, within the noise of the probe.

    The scatter of <f'(h) w w> over a population of 4,000 is 1.4 <f'^2>^(1/2)/sqrt(4000) = 0.015; five of them.
    """

    def squashed(net: Any) -> None:
        group = net.sites()
        h = group.normal()
        for t in net.steps(2):
            net.record(t, h=h)
            h = np.tanh(h + net.source(group))

    ds = ss.sample(squashed, population=4000, replicas=4, seed=0)
    expected = 1 - float(ds.C_h.sel(time=1, time_=1))
    assert float(ds.R_h.sel(time=1, time_=0)) == pytest.approx(expected, abs=5 * 0.015 / 2)


def test_perturbed_twins_are_those_of_the_naive_difference() -> None:
    """The response of a network is what repeating the run with a displaced source would give."""
    net = open_world("matrix", 30, seed=3, twins=True)
    group = net.sites()
    J, h = net.coupling(group, gain=1.2, symmetry=0.4), group.normal()
    small = group.layout.perturbation
    start, w = h[:30].copy(), small * np.random.default_rng(0).standard_normal(30)
    h[30:] += w
    alone = open_world("matrix", 30, seed=3)
    J_alone = alone.coupling(alone.sites(), gain=1.2, symmetry=0.4)
    x, y = start, start + w
    for _ in range(4):
        h, x, y = np.tanh(J @ h), np.tanh(J_alone @ x), np.tanh(J_alone @ y)
    np.testing.assert_allclose(h[:30], x, atol=1e-12)
    np.testing.assert_allclose((h[30:] - h[:30]) / small, (y - x) / small, rtol=1e-4, atol=1e-6)
