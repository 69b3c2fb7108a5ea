"""Linear flow of a GOE matrix, section 4 of the tutorial."""

from typing import Annotated, Any

from sitesampler.parameters import NonNegative, Positive, one_of


def goe_flow(
    net: Any,
    *,
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Positive = 0.05,
    duration: NonNegative = 2.0,
) -> None:
    """Linear flow with a symmetric random matrix: response and correlation give the semicircle (eqs. 28-34).

    dh/dt = -M h + j(t), M a GOE matrix with spectrum [-2, 2]; h(0) ~ N(0, 1).  Records h, with its response to j.

    Parameters
    ----------
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is the map h + dt (j - M h), whose response begins one
        step after the field.
    dt : a number > 0, default 0.05
        Time step, in units in which M has the spectrum [-2, 2].
    duration : a number >= 0, default 2.0
        Time that is run, in the same units: a whole number of steps.
    """
    sites = net.sites()
    M = net.coupling(sites, symmetry=1)
    h = start = sites.normal()
    if scheme == "euler":
        for t in net.clock(duration, dt):
            net.record(t, h=h)
            h = h + dt * (net.source(sites) - M @ h)
        return
    for t, h in net.flow(lambda h: net.source(sites) - M @ h, start, duration, dt, scheme=scheme):
        net.record(t, h=h)
