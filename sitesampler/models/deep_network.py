"""Feature learning in deep networks, sections 8 and 11.2 of the tutorial."""

from itertools import zip_longest
from typing import Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity


def deep_network(
    net: Any,
    *,
    inputs: Any = ((1.414, 0.0), (0.424, 1.349)),
    targets: Any = (1.0, -0.5),
    depth: int = 2,
    gamma: float = 1.5,
    rate: float = 0.2,
    steps: int = 12,
    phi: Any = "tanh",
    widths: Any = None,
    batch: int | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    feedback: bool = False,
    responses: bool = False,
    outlier_times: Any = None,
) -> None:
    """Deep network trained by gradient descent, with feature learning: kernels and outliers (eqs. 74-86, 108-111).

    h_1 = W_0 x / sqrt(D), h_{l+1} = W_l phi(h_l) / sqrt(N_l), f = w.phi(h_L) / (gamma N_L) minus its initial value,
    loss 1/2 sum (f - y)^2, every weight trained with step rate gamma^2 N_L; ``widths`` are N_l / N.  ``batch`` inputs
    per step, in turn; ``feedback`` sends errors back through fixed random weights; ``responses`` adds R_phi_r, the
    response of phi to the field r of W^T, and R_g_u, that of g to the field u of W (not for relu: its slope jumps).
    Records f, loss, the lists of vectors h, phi and g = phi'(h) W^T g, and, at ``outlier_times`` (the last step if
    None), the outliers of the hidden weights, over matrix.
    """
    phi, targets = nonlinearity(phi), np.asarray(targets, float)
    K, P, L = np.asarray(inputs) @ np.transpose(inputs) / np.shape(inputs)[1], len(targets), depth
    ratios = [1.0] * L if widths is None else list(widths)
    groups = [net.sites(ratio, name=f"neuron_{i + 1}") for i, ratio in enumerate(ratios)]
    sizes = [ratio**-0.5 for ratio in ratios[:-1]]
    W = [net.coupling(groups[i + 1], groups[i], gain=sizes[i]) for i in range(L - 1)]
    B = [net.coupling(groups[i + 1], groups[i], gain=sizes[i]) for i in range(L - 1)] if feedback else W
    V = [net.coupling(groups[i + 1], groups[i], gain=0) for i in range(L - 1)]
    first, w, start = groups[0].normal(covariance=K), groups[-1].normal(), None
    velocity_first, velocity_w = 0 * first, 0 * w
    source = (lambda group, name: net.source(group, P, name=name)) if responses else (lambda group, name: 0.0)
    for t in net.steps(steps + 1):
        h = [first + source(groups[0], "u")]
        for i in range(L - 1):
            h.append(W[i] @ phi(h[i]) + source(groups[i + 1], "u"))
        output = net.overlap(w, phi(h[-1])) / gamma
        start = output if start is None else start
        error = targets - (output - start)
        g = [phi.derivative(h[-1]) * (w[:, None] + source(groups[-1], "r"))]
        for i in reversed(range(L - 1)):
            g.insert(0, phi.derivative(h[i]) * (B[i].T @ g[0] + source(groups[i], "r")))
        net.record(t, f=output - start, loss=np.sum(error**2) / 2, h=h, phi=[phi(x) for x in h], g=g)
        if L > 1 and t in ([steps] if outlier_times is None else outlier_times):
            found = [coupling.outlier_singular_values().values for coupling in W]
            table = np.reshape(list(zip_longest(*found, fillvalue=np.nan)), (-1, L - 1)).T
            net.record(t, outliers=(("matrix", "outlier"), table))
        step = rate * gamma * error * (1.0 if batch is None else (np.arange(P) - t * batch) % P < batch)
        velocity_first = momentum * velocity_first + (g[0] * step) @ K
        velocity_w = momentum * velocity_w + phi(h[-1]) @ step
        first, w = (1 - weight_decay) * first + velocity_first, (1 - weight_decay) * w + velocity_w
        for i in range(L - 1):
            W[i].scale(1 - weight_decay)
            V[i].scale(momentum)
            V[i].add(g[i + 1] * step, phi(h[i]), 1 / ratios[i])
            W[i].add(V[i])
