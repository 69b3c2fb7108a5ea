"""Two-layer network that classifies a Gaussian mixture, trained by online stochastic gradient descent."""

from typing import Any

from sitesampler.nonlinearities import nonlinearity


def gaussian_mixture_sgd(
    net: Any,
    *,
    alpha: float = 0.5,
    separation: float = 1.5,
    hidden: int = 2,
    phi: Any = "tanh",
    rate: float = 0.5,
    decay: float = 0.0,
    steps: int = 30,
) -> None:
    """Two-layer network that learns to tell two Gaussian clouds apart, from fresh data in each step.

    Labels y = +-1 with equal chance, inputs x = separation y m/sqrt(N) + standard normal noise, |m|^2 = N, and the
    output f = (1/K) sum_k phi(w_k . x/sqrt(N)), K = hidden.  Each step descends the gradient of the loss (f - y)^2/2,
    averaged over alpha N fresh data: w_k <- (1 - rate decay) w_k - rate K sqrt(N) dloss/dw_k.  Records the vector w,
    and the numbers overlap_k = <m w_k>, loss and error (the fraction misclassified) on the new data of the step.
    """
    phi = nonlinearity(phi)
    features, batch = net.sites(name="feature"), net.sites(alpha, name="datum")
    m, w = features.normal(), features.normal(hidden)
    for step in net.steps(steps):
        y = batch.choice([-1, 1])
        X = net.coupling(batch, features)
        X.add(y, m, strength=separation)
        h = X @ w
        residual = phi(h).mean(axis=1) - y
        error = net.mean(residual * y < -1)
        overlap = (("hidden",), net.overlap(m, w))
        net.record(step, w=w, overlap=overlap, loss=net.overlap(residual, residual) / 2, error=error)
        gradient = X.T @ (residual[:, None] * phi.derivative(h)) / alpha
        w = (1 - rate * decay) * w - rate * gradient
