"""Feature learning in deep networks, sections 8 and 11.2 of the tutorial."""

from itertools import zip_longest
from typing import Annotated, Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Differentiable, Fraction, NonNegative, Positive, at_least, numbers, require, whole


def deep_network(
    net: Any,
    *,
    inputs: Annotated[Any, numbers("P", "D")] = ((1.414, 0.0), (0.424, 1.349)),
    targets: Annotated[Any, numbers("P")] = (1.0, -0.5),
    depth: Annotated[int, whole(1, 100)] = 2,
    gamma: Positive = 1.5,
    rate: NonNegative = 0.2,
    steps: Annotated[int, whole(0, 10_000)] = 12,
    phi: Differentiable = "tanh",
    widths: Annotated[Any, numbers("L", above=0)] | None = None,
    batch: Annotated[int, whole(1)] | None = None,
    weight_decay: Fraction = 0.0,
    momentum: Annotated[float, at_least(0, below=1)] = 0.0,
    feedback: bool = False,
    responses: bool = False,
    outlier_times: Annotated[Any, numbers("n", least=0, empty=True)] | None = None,
) -> None:
    """Deep network trained by gradient descent, with feature learning: kernels and outliers (eqs. 74-86, 108-111).

    h_1 = W_0 x / sqrt(D), h_{l+1} = W_l phi(h_l) / sqrt(N_l), f = w.phi(h_L) / (gamma N_L) minus its initial value,
    loss 1/2 sum (f - y)^2, every weight trained with step rate gamma^2 N_L; ``widths`` are N_l / N.  ``batch`` inputs
    per step, in turn; ``feedback`` sends errors back through fixed random weights; ``responses`` adds R_phi_r, the
    response of phi to the field r of W^T, and R_g_u, that of g to the field u of W (not for relu: its slope jumps).
    Records f, loss, the lists of vectors h, phi and g = phi'(h) W^T g, and, at ``outlier_times`` (the last step if
    None), the outliers of the hidden weights, over matrix.

    Parameters
    ----------
    inputs : an array (P, D) of numbers, default ((1.414, 0.0), (0.424, 1.349))
        P inputs of D components.
    targets : a list of numbers, default (1.0, -0.5)
        One for each input.
    depth : a whole number from 1 to 100, default 2
        Hidden layers L.
    gamma : a number > 0, default 1.5
        Richness: the output is divided by gamma N_L; lazy for small ones.
    rate : a number >= 0, default 0.2
        Learning rate.
    steps : a whole number from 0 to 10,000, default 12
        Steps of gradient descent.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function with a derivative (a Nonlinearity), default 'tanh'
        Nonlinearity.
    widths : a list of numbers > 0 or None, default None
        N_l / N of each hidden layer; all 1 if None.
    batch : a whole number >= 1 or None, default None
        Inputs of a step, in turn; all if None.
    weight_decay : a number from 0 to 1, default 0.0
        Part by which weights shrink in each step.
    momentum : a number >= 0 and < 1, default 0.0
        Part of the last step that is added to the next.
    feedback : True or False, default False
        Send errors back through fixed random weights.
    responses : True or False, default False
        Record responses.
    outlier_times : a list of numbers >= 0 or None, default None
        Steps at which outliers are recorded; the last if None.
    """
    require(len(targets) == len(inputs), f"targets must be as many as inputs, {len(inputs)}, not {len(targets)}")
    given = depth if widths is None else len(widths)
    require(given == depth, f"widths must be as many as hidden layers, {depth}, not {given}")
    late = [] if outlier_times is None else [t for t in outlier_times if t not in range(steps + 1)]
    require(not late, f"outlier_times must be steps from 0 to {steps}, not {late}")
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
