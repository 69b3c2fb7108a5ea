"""Generalised Lotka-Volterra ecosystem with random interactions."""

from typing import Annotated, Any

import numpy as np

from sitesampler.parameters import NonNegative, Number, Positive, between, one_of


def lotka_volterra(
    net: Any,
    *,
    mean_interaction: Number = 10.0,
    heterogeneity: NonNegative = 2.0,
    symmetry: Annotated[float, between(-1, 1)] = 0.0,
    migration: NonNegative = 1e-4,
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Positive = 0.1,
    duration: NonNegative = 50.0,
) -> None:
    """Lotka-Volterra community of many species: one fixed point, or chaos kept alive by migration (Bunin 2017).

    dx_i/dt = x_i (1 - x_i - mu <x> - sigma sum_j a_ij x_j) + migration, with a_ij of variance 1/N, a_ij and a_ji of the
    given symmetry, mu = mean_interaction, sigma = heterogeneity; x(0) is uniform in (0, 1).  The fixed point is unique
    for sigma < sqrt(2)/(1 + symmetry).  Records the vector x, and the number surviving: the fraction of species above
    sqrt(migration), which separates those that live on their own from those that immigrants replace.

    Parameters
    ----------
    mean_interaction : a number, default 10.0
        mu: sum of the mean interactions of a species with all others.
    heterogeneity : a number >= 0, default 2.0
        sigma: entries sigma a_ij have variance sigma^2/N.
    symmetry : a number from -1 to 1, default 0.0
        Correlation of a_ij and a_ji.
    migration : a number >= 0, default 0.0001
        Immigration rate of each species.
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' multiplies x by the exponential of its growth, so that
        abundances stay positive at any dt.
    dt : a number > 0, default 0.1
        Time step, in units of the growth time of a species alone.
    duration : a number >= 0, default 50.0
        Time that is run, in the same units: a whole number of steps.
    """
    species = net.sites(name="species")
    a = net.coupling(species, symmetry=symmetry)
    x = start = species.uniform()

    def growth(x: Any) -> Any:
        return 1 - x - mean_interaction * net.mean(x) - heterogeneity * (a @ x)

    if scheme == "euler":
        for t in net.clock(duration, dt):
            net.record(t, x=x, surviving=net.mean(x > np.sqrt(migration)))
            x = x * np.exp(dt * growth(x)) + dt * migration
        return
    for t, x in net.flow(lambda x: x * growth(x) + migration, start, duration, dt, scheme=scheme):
        net.record(t, x=x, surviving=net.mean(x > np.sqrt(migration)))
