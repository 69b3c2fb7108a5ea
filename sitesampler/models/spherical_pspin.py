"""Langevin dynamics of the spherical p-spin model, section 1.1 of the tutorial."""

from typing import Annotated, Any

import numpy as np

from sitesampler.parameters import NonNegative, Positive, whole


def spherical_pspin(
    net: Any,
    *,
    p: Annotated[int, whole(2, 8)] = 3,
    temperature: NonNegative = 1.0,
    dt: Positive = 0.05,
    duration: NonNegative = 10.0,
) -> None:
    """Spherical p-spin glass: Langevin dynamics on the sphere (eqs. 1-8).

    ds/dt = -lambda(t) s - dH/ds + thermal noise of variance 2 temperature, by Euler-Maruyama steps that are projected
    on the sphere |s|^2 = N, s <- a (s + ...), a < 1.  Records the vector s with its response, and the numbers
    multiplier = (1 - a)/dt, which plays the part of lambda, and energy, H per spin.

    Parameters
    ----------
    p : a whole number from 2 to 8, default 3
        Spins that interact in each term of H.
    temperature : a number >= 0, default 1.0
        Temperature, in units of the coupling.
    dt : a number > 0, default 0.05
        Time step.
    duration : a number >= 0, default 10.0
        Time that is run: a whole number of steps.
    """
    spins = net.sites()
    K = net.tensor_coupling(spins, order=p)
    s = spins.normal()
    s = s / np.sqrt(net.overlap(s, s))
    for t in net.clock(duration, dt):
        force = K.force(s)
        moved = s + dt * force + np.sqrt(2 * temperature * dt) * spins.normal()
        a = 1 / np.sqrt(net.overlap(moved, moved))
        net.record(t, s=s, multiplier=(1 - a) / dt, energy=-net.overlap(s, force) / p)
        s = a * moved
