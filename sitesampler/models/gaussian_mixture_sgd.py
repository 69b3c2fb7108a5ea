"""Two-layer network that classifies a Gaussian mixture, trained by online stochastic gradient descent."""

from typing import Annotated, Any

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Differentiable, NonNegative, Positive, whole


def gaussian_mixture_sgd(
    net: Any,
    *,
    alpha: Positive = 0.5,
    separation: NonNegative = 1.5,
    hidden: Annotated[int, whole(1, 1_000)] = 2,
    phi: Differentiable = "tanh",
    rate: NonNegative = 0.5,
    decay: NonNegative = 0.0,
    steps: Annotated[int, whole(1, 10_000)] = 30,
) -> None:
    """Two-layer network that learns to tell two Gaussian clouds apart, from fresh data in each step.

    Labels y = +-1 with equal chance, inputs x = separation y m/sqrt(N) + standard normal noise, |m|^2 = N, and the
    output f = (1/K) sum_k phi(w_k . x/sqrt(N)), K = hidden.  Each step descends the gradient of the loss (f - y)^2/2,
    averaged over alpha N fresh data: w_k <- (1 - rate decay) w_k - rate K sqrt(N) dloss/dw_k.  Records the vector w,
    and the numbers overlap_k = <m w_k>, loss and error (the fraction misclassified) on the new data of the step.

    Parameters
    ----------
    alpha : a number > 0, default 0.5
        Data of each step, over N.
    separation : a number >= 0, default 1.5
        Half the distance of the clouds, in units of their width.
    hidden : a whole number from 1 to 1,000, default 2
        Hidden units.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function with a derivative (a Nonlinearity), default 'tanh'
        Nonlinearity.
    rate : a number >= 0, default 0.5
        Learning rate.
    decay : a number >= 0, default 0.0
        Weight decay.
    steps : a whole number from 1 to 10,000, default 30
        Steps of gradient descent, each with fresh data.
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
