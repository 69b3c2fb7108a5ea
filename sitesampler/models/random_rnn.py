"""Random recurrent network, section 1.2 of the tutorial."""

from typing import Annotated, Any

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Function, NonNegative, above, between, one_of


def random_rnn(
    net: Any,
    *,
    g: NonNegative = 2.0,
    symmetry: Annotated[float, between(-1, 1)] = 0.0,
    phi: Function = "tanh",
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Annotated[float, above(0, most=2)] = 0.25,
    duration: NonNegative = 50.0,
) -> None:
    """Chaotic random recurrent network, with partially symmetric couplings on request (eqs. 9-20).

    dh_i/dt = -h_i + sum_j J_ij phi(h_j), with J_ij of variance g^2/N and <J_ij J_ji> = symmetry g^2/N; h(0) ~ N(0, 1).
    Records the vectors h and phi(h).

    Parameters
    ----------
    g : a number >= 0, default 2.0
        Gain: entries of J have variance g^2/N.
    symmetry : a number from -1 to 1, default 0.0
        Correlation of J_ij and J_ji: 0 independent, 1 symmetric, -1 antisymmetric.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function of arrays, default 'tanh'
        Nonlinearity.
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is a network in discrete time, and wants steps of 0.05
        or less.
    dt : a number > 0 and <= 2, default 0.25
        Time step, in units of the relaxation time.
    duration : a number >= 0, default 50.0
        Time that is run, in the same units: a whole number of steps.
    """
    phi = nonlinearity(phi)
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    for t, h in net.flow(lambda h: J @ phi(h) - h, neurons.normal(), duration, dt, scheme=scheme):
        net.record(t, h=h, phi=phi(h))
