"""Time steps: which schemes, orders and steps a result says that it was made with, and what two results differ in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, listing
from sitesampler.language.script import STEP, Plan, Said

if TYPE_CHECKING:
    import xarray as xr

#: Attribute of a result at dt -> 0: the two steps that it comes from.
EXTRAPOLATED = "extrapolated"
_NAMES = ("scheme", "scheme_order", "scheme_dt")
#: Scheme of what is no flow.
_MAP = "map"
#: Words that change a matrix: in so many of the steps of a flow they are what it learns, a map in its steps.
_UPDATES, _LEARNS = ("add", "scale"), 0.5


@dataclass(frozen=True)
class TimeSteps:
    """The steps of a scheme, or of a map.

    Attributes
    ----------
    scheme : str
        Of a flow; "map" of a clock, or of what the body of a flow does in each of its steps.
    order : int
        The error falls as dt to this power.
    dt : float
    """

    scheme: str
    order: int
    dt: float


@dataclass(frozen=True)
class StepChange:
    """In what the steps of two results differ.

    Attributes
    ----------
    ratio : float
        The longer ones over the shorter ones.
    order : int
        Least order of what has other steps.
    steps : tuple of (TimeSteps, TimeSteps)
        The shorter and the longer ones, of all that differs.
    first_is_coarse : bool
        Whether the first of the two results has the longer ones.
    """

    ratio: float
    order: int
    steps: tuple[tuple[TimeSteps, TimeSteps], ...]
    first_is_coarse: bool

    @property
    def weight(self) -> float:
        """Error of the result with the shorter steps, over its difference from the other one."""
        return 1 / (self.ratio**self.order - 1)


def steps_said(plan: Plan) -> dict[str, Any]:
    """Return the attributes that say which steps a program makes: one value each, or lists of them."""
    steps = list(dict.fromkeys(_said(plan)))
    if not steps:
        return {}
    told = zip(_NAMES, zip(*map(astuple, steps), strict=True), strict=True)
    return {name: values[0] if len(steps) == 1 else list(values) for name, values in told}


def _said(plan: Plan) -> Iterator[TimeSteps]:
    """Yield the steps of each flow and each clock, and those in which a flow learns."""
    flow: float | None = None
    updates = count = 0
    steps = iter(plan.time_steps)
    for event, after in pairwise([*plan.events, Said("end")]):
        if event.word == "clock" and after.word == "flow":
            flow = next(steps)
            yield TimeSteps(*after.detail[:3])
        elif event.word == "clock":
            yield TimeSteps(_MAP, 1, next(steps))
        elif flow is not None:
            updates += event.word in _UPDATES
            count += event.word == STEP
    if flow is not None and updates > _LEARNS * count:
        yield TimeSteps(_MAP, 1, flow)


def time_steps(result: xr.Dataset) -> list[TimeSteps]:
    """Return the steps that a result was made with; none where nothing in it goes on in steps of time.

    Examples
    --------
    >>> import sitesampler as ss
    >>> time_steps(ss.sample(ss.models.random_rnn, population=100, replicas=2, scheme="rk4", dt=0.5, duration=1))
    [TimeSteps(scheme='rk4', order=4, dt=0.5)]
    """
    if not all(name in result.attrs for name in _NAMES):
        return []
    values: list[Any] = [result.attrs[name] for name in _NAMES]
    if isinstance(values[1], str):  # of several the lists, as JSON
        return [TimeSteps(*each) for each in zip(*map(json.loads, values), strict=True)]
    return [TimeSteps(values[0], int(values[1]), float(values[2]))]


def change_of_steps(one: xr.Dataset, other: xr.Dataset) -> StepChange:
    """Return in what the steps of two results differ.

    Raises
    ------
    InputError
        If in nothing, in their schemes, or if some become longer by another factor than others.
    """
    both = [time_steps(one), time_steps(other)]
    schemes = [[step.scheme for step in steps] for steps in both]
    if schemes[0] != schemes[1]:
        raise InputError(
            f"the two results come from other schemes: {_listed(schemes[0])} and {_listed(schemes[1])}; use one scheme "
            "at two steps"
        )
    pairs = [pair for pair in zip(*both, strict=True) if pair[0].dt != pair[1].dt]
    if not pairs:
        steps = listing(f"{step.dt:g}" for step in both[0])
        raise InputError(
            f"both results were made in steps of dt = {steps}, and only results at two steps tell what the step does"
        )
    ratios = [long.dt / short.dt for short, long in pairs]
    if max(ratios) - min(ratios) > 1e-9 * max(ratios):
        raise InputError(
            "the steps of the two results differ by several factors, "
            f"{listing(f'{ratio:.4g}' for ratio in ratios)}: make all of them longer by the same"
        )
    coarse_first = ratios[0] < 1
    if coarse_first:
        pairs, ratios = [(short, long) for long, short in pairs], [1 / ratio for ratio in ratios]
    return StepChange(ratios[0], min(short.order for short, _ in pairs), tuple(pairs), coarse_first)


def _listed(schemes: list[str]) -> str:
    return " and ".join(schemes) or "none"
