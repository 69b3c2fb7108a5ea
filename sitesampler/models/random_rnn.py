"""Random recurrent network, section 1.2 of the tutorial."""

from collections.abc import Callable
from typing import Any

from sitesampler.nonlinearities import nonlinearity


def random_rnn(
    net: Any,
    *,
    g: float = 2.0,
    symmetry: float = 0.0,
    phi: str | Callable[..., Any] = "tanh",
    dt: float = 0.05,
    duration: float = 50.0,
) -> None:
    """Chaotic random recurrent network, with partially symmetric couplings on request (eqs. 9-20).

    dh_i/dt = -h_i + sum_j J_ij phi(h_j), with J_ij of variance g^2/N and <J_ij J_ji> = symmetry g^2/N; h(0) ~ N(0, 1).
    Records the vectors h and phi(h).
    """
    phi = nonlinearity(phi)
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h = neurons.normal()
    for t in net.clock(duration, dt):
        activity = phi(h)
        net.record(t, h=h, phi=activity)
        h = h + dt * (J @ activity - h)
