r"""Two inputs through a deep random network at initialisation (eqs. 21-25).

Each layer has fresh weights of variance sigma_w^2 and biases of variance sigma_b^2, so the variances and the
covariance of the pre-activations obey a map from layer to layer without memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitesampler.nonlinearities import Activation
from sitesampler.theory._hermite import FloatArray
from sitesampler.theory.gaussian import product_average

__all__ = ["recursion"]


def recursion(
    correlation: ArrayLike,
    sigma_w: float,
    sigma_b: float,
    phi: str | Activation = "tanh",
    *,
    depth: int,
    first_variance: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Return the variance q_l and the covariance c_l of the pre-activations of two inputs, layer by layer.

    q_{l+1} = sigma_w^2 F(q_l, q_l, q_l) + sigma_b^2 and c_{l+1} = sigma_w^2 F(q_l, q_l, c_l) + sigma_b^2 with
    F = `gaussian.product_average`: eqs. 24 and 25, for covariances of either sign.

    Parameters
    ----------
    correlation : array_like
        Correlation coefficient of the two inputs, in [-1, 1]; any shape.
    sigma_w, sigma_b : float
        Standard deviations of weights and biases.
    phi : str or callable
        Nonlinearity.
    depth : int
        Number L of layers, at least 1.
    first_variance : float
        q_1, so that c_1 = first_variance * correlation. The default 1 means that the weights into layer 1
        have unit variance; if they have variance sigma_w^2 as all others, this is sigma_w^2.

    Returns
    -------
    q : ndarray, shape (depth,)
        Variances at layers 1..depth.
    c : ndarray, shape (depth, ...)
        Covariances, with the shape of `correlation` after the layer axis.

    Raises
    ------
    ValueError
        If depth < 1 or a correlation lies outside [-1, 1].

    Examples
    --------
    >>> q, c = recursion(0.3, sigma_w=1.3, sigma_b=0.2, phi="tanh", depth=2)
    >>> print(q.round(6), c.round(6))
    [1.       0.706358] [0.3     0.22703]
    """
    start = np.asarray(correlation, dtype=np.float64)
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}.")
    if not np.all(np.abs(start) <= 1):
        raise ValueError("the correlation coefficient of the inputs must lie in [-1, 1].")
    variances = np.empty(depth)
    covariances = np.empty((depth, *start.shape))
    variances[0] = first_variance
    covariances[0] = first_variance * start
    for layer in range(depth - 1):
        q = variances[layer]
        variances[layer + 1] = sigma_w**2 * float(product_average(phi, q, q, q)) + sigma_b**2
        covariances[layer + 1] = sigma_w**2 * product_average(phi, q, q, covariances[layer]) + sigma_b**2
    return variances, covariances
