"""Generalised Lotka-Volterra ecosystem with random interactions."""

from typing import Any

import numpy as np


def lotka_volterra(
    net: Any,
    *,
    mean_interaction: float = 10.0,
    heterogeneity: float = 2.0,
    symmetry: float = 0.0,
    migration: float = 1e-4,
    dt: float = 0.1,
    duration: float = 50.0,
) -> None:
    """Lotka-Volterra community of many species: one fixed point, or chaos kept alive by migration (Bunin 2017).

    dx_i/dt = x_i (1 - x_i - mu <x> - sigma sum_j a_ij x_j) + migration, with a_ij of variance 1/N, a_ij and a_ji of the
    given symmetry, mu = mean_interaction, sigma = heterogeneity.  Steps multiply x by the exponential of its growth, so
    that abundances stay positive at any dt; x(0) is uniform in (0, 1).  The fixed point is unique for
    sigma < sqrt(2)/(1 + symmetry).  Records the vector x, and the number surviving: the fraction of species above
    sqrt(migration), which separates those that live on their own from those that immigrants replace.
    """
    species = net.sites(name="species")
    a = net.coupling(species, symmetry=symmetry)
    x = species.uniform()
    for t in net.clock(duration, dt):
        net.record(t, x=x, surviving=net.mean(x > np.sqrt(migration)))
        growth = 1 - x - mean_interaction * net.mean(x) - heterogeneity * (a @ x)
        x = x * np.exp(dt * growth) + dt * migration
