"""A Wigner matrix that makes its own spikes, section 11.1 of the tutorial."""

from typing import Annotated, Any

from sitesampler.parameters import Number, whole


def evolving_spikes(
    net: Any,
    *,
    rate: Number = 0.25,
    strength: Number = 1.6,
    spikes: Annotated[int, whole(1, 100)] = 3,
) -> None:
    """Wigner matrix with spikes that its own dynamics makes: outliers beyond the naive BBP formula (eqs. 98-107).

    v_{n+1} = v_n - rate M_n v_n and M_{n+1} = M_n + (strength/N) v_n v_n^T, M_0 a GOE matrix, v_0 ~ N(0, 1).  Records
    the vectors v, and after each spike the outliers of M and their squared overlap with v_0, spike_overlap.

    Parameters
    ----------
    rate : a number, default 0.25
        Step of v along -M v.
    strength : a number, default 1.6
        Strength of each spike; a bulk of radius 2 lets one of more than 1 out.
    spikes : a whole number from 1 to 100, default 3
        Spikes that are made, one in each step.
    """
    sites = net.sites()
    M = net.coupling(sites, symmetry=1)
    first = v = sites.normal()
    for n in net.steps(spikes):
        new = v - rate * (M @ v)
        M.add(v, v, strength)
        outliers = M.outlier_eigenvalues(first)
        net.record(n, v=v, outliers=outliers, spike_overlap=(("outlier",), outliers.overlaps[:, 0]))
        v = new
