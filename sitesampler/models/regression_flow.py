"""Gradient flow of linear regression, section 6 of the tutorial."""

from typing import Any


def regression_flow(
    net: Any, *, alpha: float = 1.5, noise: float = 0.3, dt: float = 0.25, duration: float = 20.0
) -> None:
    """Gradient flow of linear regression on alpha N random data points with label noise (eqs. 52-57).

    Errors delta = Psi h / sqrt(N) + noise on the data, dh/dt = -(sqrt(N)/P) Psi^T delta on the features, P = alpha N;
    h = w_* - w starts with |h|^2 = N.  Records the vectors h and delta, and the numbers test_loss = |h|^2/N + noise^2
    and train_loss = |delta|^2/P, before each step.
    """
    features, data = net.sites(name="feature"), net.sites(alpha, name="datum")
    Psi = net.coupling(data, features)
    h, label_noise = features.normal(), noise * data.normal()
    for t in net.clock(duration, dt):
        delta = Psi @ h + label_noise
        test_loss, train_loss = net.overlap(h, h) + noise**2, net.overlap(delta, delta)
        net.record(t, h=h, delta=delta, test_loss=test_loss, train_loss=train_loss)
        h = h - dt / alpha * (Psi.T @ delta)
