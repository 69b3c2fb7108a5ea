"""Random recurrent network with a low-rank structure on top of its disorder."""

from typing import Annotated, Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity
from sitesampler.parameters import Function, NonNegative, Number, above, numbers, one_of, require


def low_rank_rnn(
    net: Any,
    *,
    g: NonNegative = 0.8,
    overlap: Number | Annotated[Any, numbers("r")] = 2.0,
    start: Number | Annotated[Any, numbers("r")] = 0.3,
    phi: Function = "tanh",
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Annotated[float, above(0, most=2)] = 0.25,
    duration: NonNegative = 30.0,
) -> None:
    """Random network plus a low-rank structure that its activity condenses on (Mastrogiuseppe & Ostojic 2018).

    dh/dt = -h + (J + sum_r m_r n_r^T / N) phi(h), with J_ij of variance g^2/N, m_r normal and n_r = overlap_r m_r plus
    an independent normal vector: one structure, or one for each entry of ``overlap``.  h(0) = sum_r start_r m_r + a
    normal vector.  Records the vector h, the latent variables kappa_r = <n_r phi(h)>, projection_r = <m_r h>, and, at
    the end, the outliers of the connectivity: the overlaps that are larger than g.

    Parameters
    ----------
    g : a number >= 0, default 0.8
        Gain: entries of J have variance g^2/N.
    overlap : a number or a list of numbers, default 2.0
        Overlap <m_r n_r> of each structure.
    start : a number or a list of numbers, default 0.3
        h(0) along each m_r: one number, or as many as there are structures.
    phi : 'tanh', 'relu', 'erf', 'linear' or a function of arrays, default 'tanh'
        Nonlinearity.
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is a network in discrete time, and wants steps of 0.1 or
        less.
    dt : a number > 0 and <= 2, default 0.25
        Time step, in units of the relaxation time.
    duration : a number >= 0, default 30.0
        Time that is run, in the same units: a whole number of steps.
    """
    phi = nonlinearity(phi)
    overlaps, k = np.atleast_1d(overlap), np.size(overlap)
    given = np.size(start)
    require(given in (1, k), f"start must be one number, or one for each of the {k} structures, not {given}")
    neurons = net.sites()
    J = net.coupling(neurons, gain=g)
    m = neurons.normal(k)
    n = overlaps * m + neurons.normal(k)
    J.add(m, n)
    first = np.sum(np.broadcast_to(start, k) * m, axis=1) + neurons.normal()
    for t, h in net.flow(lambda h: J @ phi(h) - h, first, duration, dt, scheme=scheme):
        kappa, projection = net.overlap(n, phi(h)), net.overlap(m, h)
        net.record(t, h=h, kappa=(("structure",), kappa), projection=(("structure",), projection))
    net.record(duration, outliers=J.outlier_eigenvalues())
