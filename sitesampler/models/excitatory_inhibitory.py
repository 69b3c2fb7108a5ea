"""Excitatory and inhibitory populations with random block couplings."""

from typing import Annotated, Any

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Function, NonNegative, above, numbers, one_of


def excitatory_inhibitory(
    net: Any,
    *,
    gains: Annotated[Any, numbers(2, 2, least=0)] = ((2.0, 3.0), (2.0, 3.0)),
    means: Annotated[Any, numbers(2, 2)] = ((10.0, -10.0), (10.0, -2.0)),
    drive: Annotated[Any, numbers(2)] = (0.4, -4.0),
    fraction: Annotated[float, above(0, below=1)] = 0.8,
    phi: Function = "tanh",
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Annotated[float, above(0, most=2)] = 0.1,
    duration: NonNegative = 30.0,
) -> None:
    """Excitatory and inhibitory neurons, whose block couplings have means and gains of their own.

    dh_a/dt = -h_a + drive_a + sum_b (means_ab <r_b> + J_ab r_b) for a, b = E, I, with rates r = (1 + phi(h))/2 and
    entries of J_ab of variance gains_ab^2/N; the given fraction of the N neurons is excitatory.  h(0) ~ N(0, 1).  With
    the default values both populations oscillate together, each neuron at a level of its own.
    Records the vectors h_E and h_I, and the numbers rate_E and rate_I, averages over the populations.

    Parameters
    ----------
    gains : an array (2, 2) of numbers >= 0, default ((2.0, 3.0), (2.0, 3.0))
        Gains of the blocks, to population a from b, in the order E, I.
    means : an array (2, 2) of numbers, default ((10.0, -10.0), (10.0, -2.0))
        Means of the blocks, likewise.
    drive : 2 numbers, default (0.4, -4.0)
        Constant inputs of the populations.
    fraction : a number > 0 and < 1, default 0.8
        Excitatory part of the neurons.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function of arrays, default 'tanh'
        Nonlinearity; rates are (1 + phi)/2.
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is a network in discrete time, and wants steps of 0.02
        or less.
    dt : a number > 0 and <= 2, default 0.1
        Time step, in units of the relaxation time.
    duration : a number >= 0, default 30.0
        Time that is run, in the same units: a whole number of steps.
    """
    phi = nonlinearity(phi)
    groups = net.sites(fraction, name="excitatory"), net.sites(1 - fraction, name="inhibitory")
    J = [[net.coupling(groups[a], groups[b], gain=gains[a][b]) for b in (0, 1)] for a in (0, 1)]

    def drift(*h: Any) -> Any:
        r = [(1 + phi(x)) / 2 for x in h]
        fields = [sum(means[a][b] * net.mean(r[b]) + J[a][b] @ r[b] for b in (0, 1)) for a in (0, 1)]
        return tuple(drive[a] + fields[a] - h[a] for a in (0, 1))

    start = tuple(group.normal() for group in groups)
    for t, h in net.flow(drift, start, duration, dt, scheme=scheme):
        rate_E, rate_I = (net.mean((1 + phi(x)) / 2) for x in h)
        net.record(t, h_E=h[0], h_I=h[1], rate_E=rate_E, rate_I=rate_I)
