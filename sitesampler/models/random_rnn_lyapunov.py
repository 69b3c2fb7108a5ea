"""Largest Lyapunov exponent of the random recurrent network, section 1.2 of the tutorial."""

from typing import Annotated, Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Differentiable, NonNegative, above, between, one_of, require


def random_rnn_lyapunov(
    net: Any,
    *,
    g: NonNegative = 2.0,
    symmetry: Annotated[float, between(-1, 1)] = 0.0,
    phi: Differentiable = "tanh",
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Annotated[float, above(0, most=2)] = 0.25,
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
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is a network in discrete time, and wants steps of 0.05
        or less.
    dt : a number > 0 and <= 2, default 0.25
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

    def drift(h: Any, v: Any, growth: float) -> Any:
        fields = J @ np.stack([phi(h), phi.derivative(h) * v], axis=1)
        return fields[:, 0] - h, fields[:, 1] - v, 0.0

    def renormalised(h: Any, v: Any, growth: float, t: float) -> Any:
        norm = np.sqrt(net.overlap(v, v))
        return h, v / norm, growth + (np.log(norm) if t > transient else 0.0)

    start = neurons.normal(), neurons.normal(), 0.0
    for t, (h, _, growth) in net.flow(drift, start, duration, dt, scheme=scheme, constrain=renormalised):
        net.record(t, h=h, exponent=growth / (t - transient) if t > transient else np.nan)
