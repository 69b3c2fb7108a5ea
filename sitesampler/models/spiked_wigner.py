"""Spiked Wigner matrices, section 9 of the tutorial."""

from typing import Annotated, Any

import numpy as np

from sitesampler.parameters import NonNegative, Number, Positive, numbers, require


def spiked_wigner(
    net: Any,
    *,
    overlaps: Annotated[Any, numbers("k", "k")] = ((1.0,),),
    strength: Number = 1.6,
    dt: Positive = 0.1,
    duration: NonNegative = 2.0,
) -> None:
    """Spiked Wigner matrix: outliers and their overlaps with the spikes, the BBP transition (eqs. 87-94).

    M = M_0 + (strength/N) sum_a v_a v_a^T, M_0 a GOE matrix, with <v_a v_b> the matrix ``overlaps``; dh/dt = M h.
    Records the vector h, and at the end of the flow the outliers of M with the squared overlaps of their eigenvectors
    with the spikes, spike_overlap, and overlap, <h v_a>, over time.

    Parameters
    ----------
    overlaps : an array (k, k) of numbers, default ((1.0,),)
        Overlaps <v_a v_b> of the k spikes: symmetric and positive semidefinite.
    strength : a number, default 1.6
        Strength of the spikes.
    dt : a number > 0, default 0.1
        Time step, in units in which M_0 has the spectrum [-2, 2].
    duration : a number >= 0, default 2.0
        Time that is run, in the same units: a whole number of steps.
    """
    overlaps = np.asarray(overlaps, float)
    require(np.allclose(overlaps, overlaps.T), f"overlaps must be a symmetric matrix, not {overlaps.tolist()}")
    lowest = np.linalg.eigvalsh(overlaps)[0]
    require(lowest > -1e-10, f"overlaps must be positive semidefinite, and have the eigenvalue {lowest:.3g}")
    sites = net.sites()
    M = net.coupling(sites, symmetry=1)
    v = sites.normal(covariance=overlaps)
    M.add(v, v, strength)
    h = sites.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h, overlap=(("spike",), net.overlap(h, v)))
        h = h + dt * (M @ h)
    outliers = M.outlier_eigenvalues(*v.T)
    net.record(duration, outliers=outliers, spike_overlap=(("outlier", "spike"), outliers.overlaps))
