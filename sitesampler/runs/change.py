"""The change of order parameters from one iteration to the next, in units of its Monte Carlo error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitesampler.physics.estimates import Coefficients, Estimates, mean_of
from sitesampler.physics.frozen import Tally

#: Changes below this, relative to the order parameters, are rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Measured:
    """What one iteration has measured of one replica.

    Attributes
    ----------
    estimates : Estimates
        The order parameters that it ran with.
    coefficients : Coefficients
        These, frozen.
    tally : Tally
        The new ones.
    """

    estimates: Estimates
    coefficients: Coefficients
    tally: Tally

    def sizes(self) -> tuple[list[float], list[float], list[float]]:
        """Return the norms of all order parameters, of their changes, and of the errors of these."""
        tally, expected = self.tally, self.coefficients.expected(self.estimates)
        changes = [float(np.linalg.norm(new - old)) for old, new in zip(expected, tally.arrays, strict=True)]
        return [float(np.linalg.norm(old)) for old in expected], changes, [error_of(tally, x) for x in tally.scatter]

    def mixed(self, share: float) -> Estimates:
        """Return the order parameters moved by a share of the way to the new ones."""
        return self.estimates.mixed(self.coefficients.measured(self.tally.arrays), share)

    def relative_error(self) -> float:
        """Return the largest relative Monte Carlo error of the overlaps of a direction of a matrix."""
        sizes = np.array([np.linalg.norm(overlaps) for overlaps in self.estimates.overlaps])
        errors = np.array([error_of(self.tally, x) for x in self.tally.scatter[: len(sizes)]])  # overlaps come first
        return max(_ratios(errors, sizes), default=0.0)


def change_of(measured: Sequence[Measured], floor: float, until: float = 0.0) -> float:
    """Return the change of the order parameters that an iteration has measured, in units of its error.

    Zero where it is rounding, or below ``until`` relative to the order parameters.

    Parameters
    ----------
    measured : sequence of Measured
        Of each replica.
    floor : float
        Relative change below which there is nothing but rounding and the tolerance.
    until : float
    """
    least = max(_ROUNDING, floor)
    # Over replicas before the ratio is taken: few chunks may agree by chance.
    sizes, changes, errors = np.sqrt(np.mean(np.square([each.sizes() for each in measured]), axis=0))
    if not sizes.size:
        return 0.0
    # Some averages are the same in all chunks, because draws are matched, or because chunks are few.  They move all
    # the same, and have at least the relative error that is usual.
    relative = errors[sizes > 0] / sizes[sizes > 0]
    noisy = relative[relative > least]
    overlaps = len(measured[0].estimates.overlaps)
    usual = max([float(np.median(noisy)) if noisy.size else 0.0, *_ratios(errors[:overlaps], sizes[:overlaps])])
    rounding = least * (sizes + _ROUNDING * np.max(sizes))
    ratios = changes / np.sqrt(errors**2 + (usual * sizes) ** 2 + rounding**2)
    ratios[changes <= np.maximum(rounding, until * sizes)] = 0.0
    counted = [ratio for ratio, size in zip(ratios, sizes, strict=True) if size or ratio]
    return float(np.sqrt(np.mean(np.square(counted)))) if counted else 0.0


def error_of(tally: Tally, scatter: float) -> float:
    """Return the error of an average over chunks, from their scatter."""
    return float(np.sqrt(scatter / tally.weight / max(tally.chunks - 1, 1)))


def scatter_between(replicas: Sequence[Estimates]) -> float:
    """Return the largest relative error of the overlaps of one replica, from the scatter of several."""
    mean = mean_of(replicas)
    ratios = [0.0]
    for i, centre in enumerate(mean.overlaps):
        squares = sum(float(np.sum((replica.overlaps[i] - centre) ** 2)) for replica in replicas)
        size = float(np.linalg.norm(centre))
        ratios.append(np.sqrt(squares / (len(replicas) - 1)) / size if size else 0.0)
    return float(max(ratios))


def _ratios(errors: np.ndarray, sizes: np.ndarray) -> list[float]:
    return [float(error / size) for error, size in zip(errors, sizes, strict=True) if size]
