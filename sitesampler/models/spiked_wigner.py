"""Spiked Wigner matrices, section 9 of the tutorial."""

from typing import Any

import numpy as np


def spiked_wigner(
    net: Any, *, overlaps: Any = ((1.0,),), strength: float = 1.6, dt: float = 0.1, duration: float = 2.0
) -> None:
    """Spiked Wigner matrix: outliers and their overlaps with the spikes, the BBP transition (eqs. 87-94).

    M = M_0 + (strength/N) sum_a v_a v_a^T, M_0 a GOE matrix, with <v_a v_b> the matrix ``overlaps``; dh/dt = M h.
    Records the vector h, and at the end of the flow the outliers of M with the squared overlaps of their eigenvectors
    with the spikes, spike_overlap, and overlap, <h v_a>, over time.
    """
    sites = net.sites()
    M = net.coupling(sites, symmetry=1)
    v = sites.normal(covariance=np.asarray(overlaps, float))
    M.add(v, v, strength)
    h = sites.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h, overlap=(("spike",), net.overlap(h, v)))
        h = h + dt * (M @ h)
    outliers = M.outlier_eigenvalues(*v.T)
    net.record(duration, outliers=outliers, spike_overlap=(("outlier", "spike"), outliers.overlaps))
