"""Langevin dynamics of the spherical p-spin model, section 1.1 of the tutorial."""

from typing import Annotated, Any

import numpy as np

from sitesampler.parameters import NonNegative, Positive, one_of, whole


def spherical_pspin(
    net: Any,
    *,
    p: Annotated[int, whole(2, 8)] = 3,
    temperature: NonNegative = 1.0,
    scheme: Annotated[str, one_of("euler", "heun")] = "heun",
    dt: Positive = 0.05,
    duration: NonNegative = 10.0,
) -> None:
    """Spherical p-spin glass: Langevin dynamics on the sphere (eqs. 1-8).

    ds/dt = -lambda(t) s - dH/ds + thermal noise of variance 2 temperature on the sphere |s|^2 = N, where Ito's formula
    gives the multiplier lambda = temperature - <s dH/ds>.  Records the vector s with its response, and the numbers
    multiplier and energy, H per spin.

    Parameters
    ----------
    p : a whole number from 2 to 8, default 3
        Spins that interact in each term of H.
    temperature : a number >= 0, default 1.0
        Temperature, in units of the coupling.
    scheme : 'euler' or 'heun', default 'heun'
        Scheme of the steps, of order 1 or 2 in dt; 'euler' is a map, s <- a (s + dt force + noise) with the a < 1 that
        projects on the sphere, and (1 - a)/dt for the multiplier.
    dt : a number > 0, default 0.05
        Time step.
    duration : a number >= 0, default 10.0
        Time that is run: a whole number of steps.
    """
    spins = net.sites()
    K = net.tensor_coupling(spins, order=p)
    s = spins.normal()
    s = start = s / np.sqrt(net.overlap(s, s))
    if scheme == "euler":
        for t in net.clock(duration, dt):
            force = K.force(s)
            moved = s + dt * force + np.sqrt(2 * temperature * dt) * spins.normal()
            a = 1 / np.sqrt(net.overlap(moved, moved))
            net.record(t, s=s, multiplier=(1 - a) / dt, energy=-net.overlap(s, force) / p)
            s = a * moved
        return

    def drift(s: Any) -> Any:
        force = K.force(s)
        return force - (net.overlap(s, force) + temperature) / net.overlap(s, s) * s

    def on_sphere(s: Any) -> Any:
        return s / np.sqrt(net.overlap(s, s))

    noise = np.sqrt(2 * temperature)
    for t, s in net.flow(drift, start, duration, dt, scheme=scheme, noise=noise, constrain=on_sphere):
        work = net.overlap(s, K.force(s))
        net.record(t, s=s, multiplier=temperature + work, energy=-work / p)
