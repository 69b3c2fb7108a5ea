"""Largest Lyapunov exponent of the random recurrent network, section 1.2 of the tutorial."""

from typing import Annotated, Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Differentiable, NonNegative, above, between, require


def random_rnn_lyapunov(
    net: Any,
    *,
    g: NonNegative = 2.0,
    symmetry: Annotated[float, between(-1, 1)] = 0.0,
    phi: Differentiable = "tanh",
    dt: Annotated[float, above(0, most=2)] = 0.05,
    duration: NonNegative = 100.0,
    transient: NonNegative | None = None,
) -> None:
    """Largest Lyapunov exponent of the random network, from a tangent vector that is renormalised (eq. 9).

    The tangent follows dv/dt = -v + J (phi'(h) v).  Records the number exponent: the mean growth rate of |v| from
    ``transient`` on (NaN before), and the vector h.  At N = infinity it is low by a part of 1/population (1 to 3 %
    at 2,000 samples) and by another of the tolerance (1 to 2 % at 1e-3).

    Parameters
    ----------
    g : a number >= 0, default 2.0
        Gain: entries of J have variance g^2/N.
    symmetry : a number from -1 to 1, default 0.0
        Correlation of J_ij and J_ji: 0 independent, 1 symmetric, -1 antisymmetric.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function with a derivative (a Nonlinearity), default 'tanh'
        Nonlinearity.
    dt : a number > 0 and <= 2, default 0.05
        Time step, in units of the relaxation time.
    duration : a number >= 0, default 100.0
        Time that is run, in the same units: a whole number of steps.
    transient : a number >= 0 or None, default None
        Time before which growth is not counted, below the duration; a fifth of it if None.
    """
    transient = duration / 5 if transient is None else transient
    require(transient < duration, f"transient must be below the duration, {duration}, not {transient}")
    phi = nonlinearity(phi)
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h, v, growth = neurons.normal(), neurons.normal(), 0.0
    for t in net.clock(duration, dt):
        net.record(t, h=h, exponent=growth / (t - transient) if t > transient else np.nan)
        fields = J @ np.stack([phi(h), phi.derivative(h) * v], axis=1)
        h, v = h + dt * (fields[:, 0] - h), v + dt * (fields[:, 1] - v)
        norm = np.sqrt(net.overlap(v, v))
        v, growth = v / norm, growth + (np.log(norm) if t >= transient else 0.0)
