"""Random recurrent network with a low-rank structure on top of its disorder."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sitesampler.nonlinearities import nonlinearity


def low_rank_rnn(
    net: Any,
    *,
    g: float = 0.8,
    overlap: float | Sequence[float] = 2.0,
    start: float | Sequence[float] = 0.3,
    phi: str | Callable[..., Any] = "tanh",
    dt: float = 0.1,
    duration: float = 30.0,
) -> None:
    """Random network plus a low-rank structure that its activity condenses on (Mastrogiuseppe & Ostojic 2018).

    dh/dt = -h + (J + sum_r m_r n_r^T / N) phi(h), with J_ij of variance g^2/N, m_r normal and n_r = overlap_r m_r plus
    an independent normal vector: one structure, or one for each entry of ``overlap``.  h(0) = sum_r start_r m_r + a
    normal vector.  Records the vector h, the latent variables kappa_r = <n_r phi(h)>, projection_r = <m_r h>, and, at
    the end, the outliers of the connectivity: the overlaps that are larger than g.
    """
    phi = nonlinearity(phi)
    overlaps, k = np.atleast_1d(overlap), np.size(overlap)
    neurons = net.sites()
    J = net.coupling(neurons, gain=g)
    m = neurons.normal(k)
    n = overlaps * m + neurons.normal(k)
    J.add(m, n)
    h = np.sum(np.broadcast_to(start, k) * m, axis=1) + neurons.normal()
    for t in net.clock(duration, dt):
        activity = phi(h)
        kappa, projection = net.overlap(n, activity), net.overlap(m, h)
        net.record(t, h=h, kappa=(("structure",), kappa), projection=(("structure",), projection))
        h = h + dt * (J @ activity - h)
    net.record(duration, outliers=J.outlier_eigenvalues())
