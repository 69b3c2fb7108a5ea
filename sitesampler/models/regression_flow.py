"""Gradient descent for linear regression, section 6 of the tutorial."""

from typing import Annotated, Any, Literal

from sitesampler.parameters import NonNegative, Positive, above, one_of, require, whole


def regression_flow(
    net: Any,
    *,
    alpha: Positive = 1.5,
    noise: NonNegative = 0.3,
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] | None = None,
    dt: Positive = 0.125,
    duration: NonNegative = 20.0,
    batch: Literal["fresh"] | Annotated[float, above(0, most=1)] | Annotated[int, whole(1)] | None = None,
) -> None:
    """Gradient flow, or stochastic gradient descent, of linear regression on random data with label noise (eqs. 52-57).

    Errors delta = Psi h / sqrt(N) + noise on P = alpha N data, dh/dt = -(sqrt(N)/P) Psi^T delta on the features;
    h = w_* - w starts with |h|^2 = N.  ``batch``: None takes all data in each step, "fresh" alpha N new ones, a
    fraction of 1 a random part of them, and a whole number n > 1 goes through them in n parts, reshuffled each epoch.
    Records the vectors h and delta, and the numbers test_loss = |h|^2/N + noise^2 and train_loss = |delta|^2/P, before
    each step.

    Parameters
    ----------
    alpha : a number > 0, default 1.5
        Data, over N.
    noise : a number >= 0, default 0.3
        Label noise, of variance noise^2.
    scheme : 'euler', 'heun' or 'rk4' or None, default None
        Scheme of the steps, of order 1, 2 or 4 in dt: 'rk4' if None, and 'euler', which is gradient descent, with
        batches.
    dt : a number > 0, default 0.125
        Time step, or learning rate of descent.
    duration : a number >= 0, default 20.0
        Time that is run: a whole number of steps.
    batch : 'fresh', a number > 0 and <= 1, a whole number >= 1 or None, default None
        Data of a step, as above.
    """
    require(
        batch is None or scheme in (None, "euler"), f"batches are taken in steps of descent; scheme={scheme!r} has none"
    )
    features, data = net.sites(name="feature"), net.sites(alpha, name="datum")
    Psi = net.coupling(data, features)
    start, label_noise = features.normal(), noise * data.normal()

    def losses(h: Any, delta: Any) -> dict[str, float]:
        return {"test_loss": net.overlap(h, h) + noise**2, "train_loss": net.overlap(delta, delta)}

    if batch is None and scheme != "euler":

        def drift(h: Any) -> Any:
            return -(Psi.T @ (Psi @ h + label_noise)) / alpha

        for t, h in net.flow(drift, start, duration, dt, scheme=scheme):
            delta = Psi @ h + label_noise
            net.record(t, h=h, delta=delta, **losses(h, delta))
        return
    h, fraction, mask, epoch = start, 1.0, 1.0, 0.0
    for step, t in enumerate(net.clock(duration, dt)):
        if batch == "fresh" and step > 0:
            Psi, label_noise = net.coupling(data, features), noise * data.normal()
        delta = Psi @ h + label_noise
        net.record(t, h=h, delta=delta, **losses(h, delta))
        if isinstance(batch, float):
            fraction, mask = batch, data.bernoulli(batch)
        elif isinstance(batch, int):
            part = step % batch
            epoch = data.uniform() if part == 0 else epoch
            fraction, mask = 1 / batch, (batch * epoch >= part) & (batch * epoch < part + 1)
        h = h - dt / (alpha * fraction) * (Psi.T @ (mask * delta))
