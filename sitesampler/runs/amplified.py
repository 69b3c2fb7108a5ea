"""Fluctuations of order 1/sqrt(population) that a run has amplified, until its replicas are no more of one limit.

At infinite N a start that is symmetric and unstable (a ferromagnet at m = 0) stays as it is for ever; a population
leaves it by its own fluctuations, after a time that grows as log(population), and its replicas go different ways at
different times.  Then neither their mean nor what smaller runs differ by says anything of the limit; that their scatter
is not of order 1/sqrt(population) does.
"""

from __future__ import annotations

import warnings

import numpy as np

from sitesampler.records.variable import Variable

#: Scatter between replicas, over the size of what is averaged: usual systems have up to 2.6/sqrt(population), and a
#: balanced network of excitation and inhibition 9/sqrt(population); what was amplified is 20/sqrt(population) and more,
#: and of the order of the size itself.
_LARGE, _LARGE_FOR_ITS_SIZE = 0.3, 6.0


class FluctuationsGrew(UserWarning):
    """Replicas differ by far more than populations of their size can: their own fluctuations were amplified."""


def warn_of_amplified(replicas: list[dict[str, Variable]], samples: int, relative_floor: float) -> None:
    """Warn where means, numbers or correlations of replicas differ by far more than so many samples can.

    Responses are left out: they may grow without bound, and so may their scatter.

    Parameters
    ----------
    replicas : list of dict
        What each has recorded.
    samples : int
        Of each replica.
    relative_floor : float
        Floor of the errors, relative to the size of what is averaged.
    """
    least = max(_LARGE, _LARGE_FOR_ITS_SIZE / samples**0.5)
    found = {}
    for name, first in replicas[0].items():
        copies = [replica[name] for replica in replicas if name in replica]
        averaged = (first.kind == "average" and "per_unit_time" not in first.attrs) or first.kind == "number"
        if not averaged or len(copies) < 2 or any(copy.values.shape != first.values.shape for copy in copies):
            continue
        values = np.stack([copy.values for copy in copies])
        sizes = np.max([np.broadcast_to(copy.floor, copy.values.shape) for copy in copies], axis=0) / relative_floor
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            scatter = np.where(sizes > 0, values.std(0, ddof=1) / sizes, 0.0)
        worst = float(np.max(scatter, where=np.isfinite(scatter), initial=0.0))
        if worst > least:
            found[name] = worst
    if found:
        named = ", ".join(f"{name} ({100 * worst:.0f} % of its size)" for name, worst in found.items())
        warnings.warn(
            f"replicas of {samples} samples differ by far more than such populations can, in {named}: their own "
            "fluctuations were amplified, as after a start that is symmetric and unstable, which the infinite network "
            "does not leave; start from a mean that is not zero, or use a larger population",
            FluctuationsGrew,
            stacklevel=6,
        )
