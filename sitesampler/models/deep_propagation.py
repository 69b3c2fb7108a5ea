"""Signal propagation through a deep random network, section 1.3 of the tutorial."""

from typing import Annotated, Any

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Function, NonNegative, between, whole


def deep_propagation(
    net: Any,
    *,
    correlation: Annotated[float, between(-1, 1)] = 0.3,
    sigma_w: NonNegative = 1.3,
    sigma_b: NonNegative = 0.2,
    phi: Function = "tanh",
    depth: Annotated[int, whole(1, 10_000)] = 10,
) -> None:
    """Two inputs sent through the layers of a random deep network (eqs. 21-25).

    h_{l+1} = W_l phi(h_l) + b_l, fresh weights of variance sigma_w^2/N and biases of variance sigma_b^2 in each layer;
    in layer 1 both inputs have variance 1 and the given correlation.  Records the numbers q, the variance of h (mean of
    both inputs), and c, its covariance between the inputs, over the layers.

    Parameters
    ----------
    correlation : a number from -1 to 1, default 0.3
        Correlation of the two inputs.
    sigma_w : a number >= 0, default 1.3
        Size of the weights, of variance sigma_w^2/N.
    sigma_b : a number >= 0, default 0.2
        Size of the biases.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function of arrays, default 'tanh'
        Nonlinearity.
    depth : a whole number from 1 to 10,000, default 10
        Layers.
    """
    phi = nonlinearity(phi)
    neurons = net.sites()
    h = neurons.normal(covariance=[[1, correlation], [correlation, 1]])
    for layer in net.layers(depth):
        C = net.overlap(h, h)
        net.record(layer, q=(C[0, 0] + C[1, 1]) / 2, c=C[0, 1])
        W = net.coupling(neurons, gain=sigma_w)
        h = W @ phi(h) + sigma_b * neurons.normal()[:, None]
