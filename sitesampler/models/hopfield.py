"""Hopfield network that retrieves one of its many patterns."""

from typing import Any

import numpy as np


def hopfield(
    net: Any,
    *,
    alpha: float = 0.1,
    beta: float = np.inf,
    overlap: float = 0.5,
    dt: float = 1.0,
    duration: float = 15.0,
) -> None:
    """Associative memory that retrieves one of alpha N patterns from a corrupted version of it (Hopfield 1982).

    dh_i/dt = -h_i + sum_j J_ij s_j, s = tanh(beta h) (the sign of h for beta = inf), with Hebbian couplings
    J_ij = (1/N) sum_mu xi_i^mu xi_j^mu and J_ii = 0; steps of dt = 1 are parallel dynamics.  One pattern xi of +-1 is
    condensed: h(0) agrees with it on a fraction (1 + overlap)/2 of the sites and is -xi on the others.  The other
    patterns are Gaussian, which for many of them is the same.  Records the vectors h and s, and the number m = <xi s>.
    """
    neurons, patterns = net.sites(name="neuron"), net.sites(alpha, name="pattern")
    X = net.coupling(patterns, neurons)
    xi = neurons.choice([-1, 1])
    h = xi * neurons.choice([1, -1], probabilities=[(1 + overlap) / 2, (1 - overlap) / 2])
    for t in net.clock(duration, dt):
        s = np.sign(h) if beta == np.inf else np.tanh(beta * h)
        m = net.overlap(xi, s)
        net.record(t, h=h, s=s, m=m)
        h = h + dt * (xi * m + X.T @ (X @ s) - alpha * s - h)
