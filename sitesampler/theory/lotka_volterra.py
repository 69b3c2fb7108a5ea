r"""Cavity solution of the random Lotka-Volterra community (Bunin 2017, Phys. Rev. E 95, 042414).

At a fixed point each species sees the Gaussian field k and its own reflection by the others,

    0 = x (k - a x) + migration,     k = 1 - mu <x> + sigma sqrt(<x^2>) z,     a = 1 - symmetry sigma^2 chi,

with chi = <dx/dk>. It is the only fixed point, and stable, below `stability_limit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root
from scipy.special import ndtr

from sitesampler.theory._hermite import FloatArray
from sitesampler.theory._quadrature import panels

__all__ = ["FixedPoint", "fixed_point", "stability_limit"]

# The normal field z is cut here, and integrated in panels that end where a species starts to live on its own.
RANGE, PANELS, NODES = 9.0, 40, 24


@dataclass(frozen=True)
class FixedPoint:
    """Averages over the species at the unique fixed point.

    Attributes
    ----------
    mean, mean_square : float
        <x> and <x^2>.
    susceptibility : float
        chi = <dx/dk>.
    surviving : float
        Fraction of species above sqrt(migration); of those above zero without migration.
    """

    mean: float
    mean_square: float
    susceptibility: float
    surviving: float


def fixed_point(
    mean_interaction: float, heterogeneity: float, symmetry: float = 0.0, migration: float = 0.0
) -> FixedPoint:
    """Solve the self-consistency of <x>, <x^2> and chi.

    Parameters
    ----------
    mean_interaction, heterogeneity, symmetry, migration : float
        mu, sigma, the correlation of a_ij and a_ji, and the immigration per unit of time.

    Raises
    ------
    ValueError
        If no solution is found: abundances grow without bound.

    Examples
    --------
    >>> point = fixed_point(4.0, 0.8)
    >>> f"{point.mean:.6f} {point.mean_square:.6f} {point.surviving:.6f}"
    '0.205077 0.074930 0.794054'
    """

    def unknowns(mean: float, square: float, response: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        slope = 1 - symmetry * heterogeneity**2 * response
        centre, width = 1 - mean_interaction * mean, heterogeneity * np.sqrt(square)
        z, weights = panels(_towards(-centre / width), NODES)
        k = centre + width * z
        root_term = np.sqrt(k**2 + 4 * slope * migration)
        # The two forms of the positive root of a x^2 - k x - migration = 0; each is accurate for one sign of k.
        small = 2 * migration / np.where(k < 0, root_term - k, 1.0)
        x = np.where(k < 0, small, (k + root_term) / (2 * slope))
        slopes = x / np.where(root_term > 0, root_term, 1.0)
        return x, slopes, weights

    def mismatch(logs: FloatArray) -> FloatArray:
        mean, square, response = np.exp(logs)
        x, slopes, weights = unknowns(mean, square, response)
        return np.asarray(np.log([weights @ x, weights @ x**2, weights @ slopes]) - logs)

    guess = 1 / (1 + max(mean_interaction, 0.0))
    with np.errstate(all="ignore"):
        solution = root(mismatch, np.log([guess, 2 * guess**2, 0.8]), tol=1e-13)
        found = bool(np.max(np.abs(mismatch(solution.x))) < 1e-9)
    if not found:
        raise ValueError("the cavity equations have no solution here: abundances grow without bound.")
    mean, square, response = (float(value) for value in np.exp(solution.x))
    slope = 1 - symmetry * heterogeneity**2 * response
    # x = sqrt(migration) where k = (a - 1) sqrt(migration).
    threshold = ((slope - 1) * np.sqrt(migration) - 1 + mean_interaction * mean) / (heterogeneity * np.sqrt(square))
    return FixedPoint(mean, square, response, float(ndtr(-threshold)))


def stability_limit(symmetry: float = 0.0) -> float:
    """Return the heterogeneity up to which the fixed point is unique and stable, sqrt(2)/(1 + symmetry).

    Half of the species survive there, whatever the mean interaction (without migration).

    Examples
    --------
    >>> limit = stability_limit(0.5)
    >>> f"{limit:.6f} {fixed_point(4.0, limit, 0.5).surviving:.6f}"
    '0.942809 0.500000'
    """
    return float(np.sqrt(2) / (1 + symmetry))


def _towards(kink: float) -> FloatArray:
    """Return borders of panels for the normal field, one of them at the kink, finer towards it."""
    kink = float(np.clip(kink, -RANGE, RANGE))
    near = np.concatenate([[0.0], np.geomspace(1e-7, 1.0, PANELS)])
    return np.concatenate([kink - near[::-1] * (kink + RANGE), kink + near[1:] * (RANGE - kink)])
