"""Gradient descent for linear regression, section 6 of the tutorial."""

from typing import Any


def regression_flow(
    net: Any,
    *,
    alpha: float = 1.5,
    noise: float = 0.3,
    dt: float = 0.25,
    duration: float = 20.0,
    batch: float | str | None = None,
) -> None:
    """Gradient flow, or stochastic gradient descent, of linear regression on random data with label noise (eqs. 52-57).

    Errors delta = Psi h / sqrt(N) + noise on P = alpha N data, dh/dt = -(sqrt(N)/P) Psi^T delta on the features;
    h = w_* - w starts with |h|^2 = N.  ``batch``: None takes all data in each step, "fresh" alpha N new ones, a
    fraction of 1 a random part of them, and a whole number n > 1 goes through them in n parts, reshuffled each epoch.
    Records the vectors h and delta, and the numbers test_loss = |h|^2/N + noise^2 and train_loss = |delta|^2/P, before
    each step.
    """
    features, data = net.sites(name="feature"), net.sites(alpha, name="datum")
    Psi = net.coupling(data, features)
    h, label_noise = features.normal(), noise * data.normal()
    fraction, mask, epoch = 1.0, 1.0, 0.0
    for step, t in enumerate(net.clock(duration, dt)):
        if batch == "fresh" and step > 0:
            Psi, label_noise = net.coupling(data, features), noise * data.normal()
        delta = Psi @ h + label_noise
        test_loss, train_loss = net.overlap(h, h) + noise**2, net.overlap(delta, delta)
        net.record(t, h=h, delta=delta, test_loss=test_loss, train_loss=train_loss)
        if isinstance(batch, float):
            fraction, mask = batch, data.bernoulli(batch)
        elif isinstance(batch, int):
            part = step % batch
            epoch = data.uniform() if part == 0 else epoch
            fraction, mask = 1 / batch, (batch * epoch >= part) & (batch * epoch < part + 1)
        h = h - dt / (alpha * fraction) * (Psi.T @ (mask * delta))
