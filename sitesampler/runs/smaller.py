"""Smaller runs: pieces of fewer samples, in which the bias of order 1/population is large enough to be seen.

How small they can be follows from the vectors that the draws of a run were matched to: a population must exceed these,
and does so here by a quarter at least.  How the bias is removed is told in `sitesampler.results.bias`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

#: Smaller runs have an eighth of the samples where they can: the difference is then seven times the bias.
_SMALLEST = 8
#: Samples of a smaller run, over the vectors that its draws are matched to; and in any case.
_ABOVE_MATCHED, _LEAST = 1.25, 16
#: Down to so much less they go where they are far above these: that costs less, and makes less noise.
_LESS, _FAR_ABOVE, _MANY = 32, 4, 200
#: Where they cannot be small, their difference is small too, and there are more of them.
_FEW = 4
#: A bias that may be left, in standard errors that contain it: above this it is most of the error.
_DOMINATES = 0.7


class BiasRemains(UserWarning):
    """The bias of order 1/population could not be measured, or what is left of it is most of the error."""


@dataclass(frozen=True)
class Smaller:
    """How much smaller the smaller runs are, and how many of them go with each run.

    Attributes
    ----------
    times : int
        1 where there are none.
    """

    times: int

    @property
    def runs(self) -> int:
        """Smaller runs for each run: one, or as many as have its samples together."""
        if self.times < 2:
            return 0
        return self.times if self.times <= _FEW else 1


def smaller_than(samples: int, matched: int) -> Smaller:
    """Return how small a run can be, of a program whose draws were matched to so many vectors.

    Examples
    --------
    >>> smaller_than(10_000, matched=460), smaller_than(10_000, matched=460).runs
    (Smaller(times=8), 1)
    >>> smaller_than(60_000, matched=20)
    Smaller(times=32)
    >>> smaller_than(200, matched=60), smaller_than(200, matched=60).runs, smaller_than(200, matched=90)
    (Smaller(times=2), 2, Smaller(times=1))
    """
    times = min(_SMALLEST, int(samples / max(_ABOVE_MATCHED * matched, _LEAST)))
    large = min(_LESS, int(samples / max(_FAR_ABOVE * matched, _MANY)))
    return Smaller(max(1, times, large))


def bias_is_small(dataset: xr.Dataset, smaller: Smaller, samples: int, matched: int, of: str, exact: bool) -> bool:
    """Write into a result what is known of its bias; say whether that is enough, and warn if not.

    Parameters
    ----------
    dataset : xarray.Dataset
    smaller : Smaller
    samples, matched : int
        Of a run, and the vectors that its draws were matched to.
    of : str
        What has so many samples: ``population`` or ``chunk``.
    exact : bool
        Whether nothing scatters, so that there is no bias to speak of.
    """
    if smaller.times < 2:
        least = max(int(2 * _ABOVE_MATCHED * matched), 2 * _LEAST) + 1
        text = (
            f"not known: its draws are matched to {matched} vectors, which is too near to a {of} of {samples} for "
            f"smaller runs; use a {of} of at least {least}"
        )
        dataset.attrs["bias"] = text
        if not exact:
            warnings.warn(f"the bias of order 1/{of} is {text}", BiasRemains, stacklevel=7)
        return exact
    from scipy.special import stdtrit

    text = f"of order 1/{of}, measured in runs of {samples // smaller.times} samples, and removed"
    # A standard error of few replicas may be small by chance.
    most_allowed = _DOMINATES * float(stdtrit(dataset.attrs["replicas"] - 1, 0.975)) / 1.96
    most = [name for name, each in dataset.items() if each.attrs.get("bias_left_over_stderr", 0.0) > most_allowed]
    if most:
        names = ", ".join(str(name) for name in most)
        text += f"; what may be left of it is most of the error of {names}"
        warnings.warn(
            f"the bias of order 1/{of} is most of the error of {names}, which may not even fall as 1/{of}: a {of} of "
            f"{samples} and runs of {samples // smaller.times} differ by far more than chance; use a larger {of}",
            BiasRemains,
            stacklevel=7,
        )
    dataset.attrs["bias"] = text
    return not most
