"""Hopfield network that retrieves one of its many patterns."""

from typing import Annotated, Any

import numpy as np

from sitesampler.parameters import NonNegative, Positive, above, between, one_of


def hopfield(
    net: Any,
    *,
    alpha: Positive = 0.1,
    beta: Annotated[float, above(0)] | Annotated[float, one_of(np.inf)] = np.inf,
    overlap: Annotated[float, between(-1, 1)] = 0.5,
    dt: Annotated[float, above(0, most=2)] = 1.0,
    duration: NonNegative = 15.0,
) -> None:
    """Associative memory that retrieves one of alpha N patterns from a corrupted version of it (Hopfield 1982).

    dh_i/dt = -h_i + sum_j J_ij s_j, s = tanh(beta h) (the sign of h for beta = inf), with Hebbian couplings
    J_ij = (1/N) sum_mu xi_i^mu xi_j^mu and J_ii = 0; steps of dt = 1 are parallel dynamics.  One pattern xi of +-1 is
    condensed: h(0) agrees with it on a fraction (1 + overlap)/2 of the sites and is -xi on the others.  The other
    patterns are Gaussian, which for many of them is the same.  Records the vectors h and s, and the number m = <xi s>.

    Parameters
    ----------
    alpha : a number > 0, default 0.1
        Patterns, over N.
    beta : a number > 0 or inf, default inf
        Slope of tanh(beta h); inf for signs.
    overlap : a number from -1 to 1, default 0.5
        Overlap of h(0) with the condensed pattern.
    dt : a number > 0 and <= 2, default 1.0
        Time step, in units of the relaxation time.  1 is parallel dynamics.
    duration : a number >= 0, default 15.0
        Time that is run, in the same units: a whole number of steps.
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
