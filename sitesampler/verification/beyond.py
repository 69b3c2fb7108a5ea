"""Systems beyond the tutorial that have a closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitesampler import models
from sitesampler.theory import excitatory_inhibitory as closed_populations
from sitesampler.theory import gaussian_mixture_sgd as closed_mixture
from sitesampler.theory import hopfield as closed_hopfield
from sitesampler.theory import lotka_volterra as closed_ecosystem
from sitesampler.theory import low_rank_rnn as closed_low_rank
from sitesampler.theory import perceptron_flow as closed_perceptron
from sitesampler.verification.rows import Row, of
from sitesampler.verification.runs import Runs


def low_rank_rnn(run: Runs) -> Iterator[Row]:
    """Check activity that condenses on a structure, on its way and at the fixed point; two structures."""
    parameters: dict[str, Any]
    program: Any = models.low_rank_rnn
    for g, overlap, start in ((0.8, 2.0, 0.3), (1.6, (2.5, 1.5), (0.3, 0.4))):
        parameters = {"g": g, "overlap": overlap, "start": start, "dt": 0.1, "duration": 6.0, "every": 10}
        label = f"g = {g:g}, overlap {overlap}"
        ds = run.sample(program, label, population=8_000, **parameters)
        closed = closed_low_rank.recursion(g, overlap, start, dt=0.1, steps=60)
        yield of(ds, "kappa").theory(closed.kappa[::10])
        yield of(ds, "projection").theory(closed.projection[::10])
        yield of(ds, "C_h", time=6, time_=6).theory(closed.C_h[60, 60])
        yield of(ds, "C_h").theory(closed.C_h[::10, ::10])
    network = run.networks(program, size=200, replicas=150, **parameters)
    yield of(ds, "kappa", time=6).simulation(network)
    yield of(ds, "C_h", time=6, time_=3).simulation(network)
    ds = run.sample(program, "g = 0.8, late", population=8_000, every=400, g=0.8, overlap=2.0, dt=0.1, duration=40.0)
    kappa, variance = closed_low_rank.fixed_point(0.8, 2.0)
    yield of(ds, "kappa", time=40).theory(kappa, kind="fixed point")
    yield of(ds, "C_h", time=40, time_=40).theory(variance, kind="fixed point")


def excitatory_inhibitory(run: Runs) -> Iterator[Row]:
    """Check rates and correlations of both populations, which oscillate together."""
    parameters: dict[str, Any]
    program: Any = models.excitatory_inhibitory
    gains, means, drive, fraction = ((2.0, 3.0), (2.0, 3.0)), ((10.0, -10.0), (10.0, -2.0)), (0.4, -4.0), 0.8
    network_of = {"gains": gains, "means": means, "drive": drive, "fraction": fraction}
    closed = closed_populations.recursion(gains, means, drive, fraction, dt=0.1, steps=80)
    parameters = {**network_of, "dt": 0.1, "duration": 8.0, "every": 10}
    ds = run.sample(program, population=10_000, **parameters)
    network = run.networks(program, size=200, replicas=150, **parameters)
    for i, name in enumerate("EI"):
        yield of(ds, f"rate_{name}").theory(closed.rate[i, ::10])
        yield of(ds, f"C_h_{name}", time=8, time_=8).theory(closed.C_h[i, 80, 80])
        yield of(ds, f"C_h_{name}").theory(closed.C_h[i, ::10, ::10])
        yield of(ds, f"rate_{name}", time=8).simulation(network)
        yield of(ds, f"C_h_{name}", time=8, time_=4).simulation(network)


def lotka_volterra(run: Runs) -> Iterator[Row]:
    """Check abundances at the unique fixed point, for three symmetries, and on the way into chaos."""
    parameters: dict[str, Any]
    program: Any = models.lotka_volterra
    for sigma, symmetry in ((0.8, 0.0), (0.6, 0.5), (0.8, -0.7)):
        parameters = {"mean_interaction": 4.0, "heterogeneity": sigma, "symmetry": symmetry, "migration": 1e-4}
        label = f"sigma = {sigma:g}, symmetry {symmetry:g}"
        ds = run.sample(program, label, population=6_000, every=600, dt=0.5, duration=300.0, **parameters)
        point = closed_ecosystem.fixed_point(4.0, sigma, symmetry, 1e-4)
        yield of(ds, "x_mean", time=300).theory(point.mean, kind="cavity fixed point")
        yield of(ds, "C_x", time=300, time_=300).theory(point.mean_square, kind="cavity fixed point")
        yield of(ds, "surviving", time=300).theory(point.surviving, kind="cavity fixed point")
    parameters = {"mean_interaction": 10.0, "heterogeneity": 2.0, "dt": 0.2, "duration": 6.0, "every": 10}
    ds = run.sample(program, "sigma = 2, early", population=10_000, **parameters)
    network = run.networks(program, size=200, replicas=300, **parameters)
    yield of(ds, "x_mean").simulation(network)
    yield of(ds, "C_x", time=6, time_=6).simulation(network)
    yield of(ds, "C_x").simulation(network)


def gaussian_mixture_sgd(run: Runs) -> Iterator[Row]:
    """Check overlaps, loss and error of one-pass training."""
    parameters: dict[str, Any]
    program: Any = models.gaussian_mixture_sgd
    for hidden, phi in ((1, "tanh"), (2, "tanh"), (2, "erf")):
        parameters = {"alpha": 0.5, "separation": 1.5, "hidden": hidden, "phi": phi, "rate": 0.5, "steps": 12}
        ds = run.sample(program, f"K = {hidden}, {phi}", population=8_000, **parameters)
        closed = closed_mixture.recursion(**parameters)
        yield of(ds, "overlap").theory(closed.overlap)
        yield of(ds, "loss").theory(closed.loss)
        yield of(ds, "error").theory(closed.error)
        yield of(ds, "C_w", time=11, time_=11).theory(closed.Q[11])
    network = run.networks(program, size=200, replicas=150, **parameters)
    yield of(ds, "overlap", time=11).simulation(network)
    yield of(ds, "loss").simulation(network)
    yield of(ds, "error").simulation(network)


def perceptron_flow(run: Runs) -> Iterator[Row]:
    """Check first steps from zero by quadrature, the regularised minimum by the replica-symmetric equations."""
    parameters: dict[str, Any]
    program: Any = models.perceptron_flow
    for loss in ("logistic", "square"):
        ds = run.sample(program, f"{loss}, first steps", population=10_000, loss=loss, alpha=2.0, dt=0.5, duration=1.5)
        first = closed_perceptron.first_steps(2.0, 0.5, loss, steps=3)
        yield of(ds, "overlap").theory(first.overlap, kind="quadrature")
        yield of(ds, "C_w", time=1.5, time_=1.5).theory(first.norm[3], kind="quadrature")
        early = ds.sel(time=[0.5, 1.0])
        yield of(early, "train_loss").theory(first.train_loss[1:], kind="quadrature")
        yield of(early, "train_error").theory(first.train_error[1:], kind="quadrature")
    parameters = {"loss": "logistic", "alpha": 2.0, "decay": 0.3, "dt": 1.0, "duration": 40.0, "every": 40}
    ds = run.sample(program, "logistic, end", population=8_000, **parameters)
    end = closed_perceptron.minimum(2.0, 0.3, "logistic")
    for name in ("overlap", "train_loss", "train_error", "test_error"):
        yield of(ds, name, time=40).theory(getattr(end, name), kind="replica theory")
    yield of(ds, "C_w", time=40, time_=40).theory(end.norm, kind="replica theory")
    network = run.networks(program, size=150, replicas=150, **parameters)
    yield of(ds, "overlap", time=40).simulation(network)
    yield of(ds, "train_loss", time=40).simulation(network)
    yield of(ds, "test_error", time=40).simulation(network)


def hopfield(run: Runs) -> Iterator[Row]:
    """Check retrieval: first steps by quadrature, the stationary state of graded neurons, later parallel steps."""
    parameters: dict[str, Any]
    program: Any = models.hopfield
    ds = run.sample(program, "signs, alpha = 0.1", population=20_000, alpha=0.1, overlap=0.5, duration=2.0)
    m, power = closed_hopfield.first_steps(0.1, 0.5)
    yield of(ds, "m").theory(m, kind="quadrature")
    for k in (1, 2):
        yield of(ds, "C_h", time=k, time_=k).theory(power[k], kind="quadrature")
    ds = run.sample(
        program, "graded, late", population=10_000, every=60, alpha=0.05, beta=3.0, overlap=0.8, dt=0.5, duration=30.0
    )
    state = closed_hopfield.retrieval(0.05, 3.0)
    yield of(ds, "m", time=30).theory(state.m, kind="fixed point")
    yield of(ds, "C_s", time=30, time_=30).theory(state.q, kind="fixed point")
    yield of(ds, "C_h", time=30, time_=30).theory(state.power, kind="fixed point")
    parameters = {"alpha": 0.1, "overlap": 0.5, "beta": 3.0, "duration": 5.0}
    ds = run.sample(program, "graded, parallel", population=10_000, **parameters)
    network = run.networks(program, size=300, replicas=200, **parameters)
    yield of(ds, "m").simulation(network)
    yield of(ds, "C_h", time=5, time_=5).simulation(network)
