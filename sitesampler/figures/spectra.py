"""Pieces of figures that show a spectral density: it comes from sampled moments, as far as their errors let it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.theory import density as theory

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Distance from the real axis at which densities are shown.
BROADENING = 0.05


def density(
    moments: NDArray[Any],
    errors: NDArray[Any],
    dt: float,
    x: ArrayLike,
    broadening: float = BROADENING,
    **options: Any,
) -> theory.Density | None:
    """Return the density of M from the moments of 1 - dt M, None if they are too noisy for any."""
    try:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = theory.density(moments, dt, x, broadening, errors, **options)
    except ValueError:
        return None
    return found if np.isfinite(found.error).all() else None
