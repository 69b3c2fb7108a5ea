"""Linear flow of a GOE matrix, section 4 of the tutorial."""

from typing import Any

from sitesampler.parameters import NonNegative, Positive


def goe_flow(
    net: Any,
    *,
    dt: Positive = 0.1,
    duration: NonNegative = 2.0,
) -> None:
    """Linear flow with a symmetric random matrix: response and correlation give the semicircle (eqs. 28-34).

    dh/dt = -M h + j(t), M a GOE matrix with spectrum [-2, 2]; h(0) ~ N(0, 1).  Records h, with its response to j.

    Parameters
    ----------
    dt : a number > 0, default 0.1
        Time step, in units in which M has the spectrum [-2, 2].
    duration : a number >= 0, default 2.0
        Time that is run, in the same units: a whole number of steps.
    """
    sites = net.sites()
    M = net.coupling(sites, symmetry=1)
    h = sites.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h)
        h = h + dt * (net.source(sites) - M @ h)
