"""One row of the table: a sampled quantity beside its reference, and how far apart they are.

A system says ``of(ds, "C_h", time=5, time_=5).theory(1.08162)``.  Nothing here runs anything or passes judgement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

if TYPE_CHECKING:
    import xarray as xr

#: Largest difference, relative to the largest reference value, that an exact (Gaussian) system may show.
EXACT = 1e-8


@dataclass(frozen=True)
class Row:
    """A sampled quantity and its reference; of several values, the one that deviates most.

    Attributes
    ----------
    system, quantity : str
    value, stderr : float
        The sampler's.
    reference, reference_stderr : float
    kind : str
        "theory", "simulation", or a citation; what the reference is.
    deviation : float
        In standard errors; for an exact row (where `tolerance` is set) the largest relative difference.
    freedom : float
        Degrees of freedom of the standard error of the difference.
    points : int
        How many values were compared.
    tolerance : float or None
        What an exact row is judged by; None where chance is the judge.
    differs : bool
        The reference is a formula known to be wrong here: the row is right if it deviates.
    seconds : float
        Time of the sampler's run that the row is taken from.
    """

    system: str
    quantity: str
    value: float
    stderr: float
    reference: float
    reference_stderr: float
    kind: str
    deviation: float
    freedom: float = math.inf
    points: int = 1
    tolerance: float | None = None
    differs: bool = False
    seconds: float = 0.0

    @property
    def chance(self) -> float:
        """Probability that one value deviates this much by chance alone; 0 if something is not a number."""
        if math.isnan(self.deviation):
            return 0.0
        return float(2 * stats.t.sf(abs(self.deviation), self.freedom))

    def limit(self, false_alarm: float) -> float:
        """Return the deviation that one value exceeds with the given probability, in standard errors."""
        return float(stats.t.isf(false_alarm / 2, self.freedom))


@dataclass(frozen=True)
class Estimate:
    """Sampled values with their standard errors, to be put beside a reference by one of the methods."""

    system: str
    label: str
    name: Callable[[tuple[int, ...]], str]
    values: np.ndarray
    errors: np.ndarray
    replicas: int
    seconds: float
    shown: tuple[int, ...] = ()
    source: tuple[str, dict[str, Any]] | None = None

    def theory(self, reference: ArrayLike, stderr: ArrayLike = 0.0, kind: str = "theory") -> Row:
        """Compare with a closed form, within the sampler's errors (and those of the numbers, if they have any)."""
        return self._compare(reference, stderr, math.inf, kind)

    def cited(self, citation: str, reference: ArrayLike, stderr: ArrayLike = 0.0, replicas: float = math.inf) -> Row:
        """Compare with numbers from elsewhere: a publication, or a reference run that is too long to repeat here."""
        return self._compare(reference, stderr, replicas, citation)

    def simulation(self, network: xr.Dataset) -> Row:
        """Compare with the same quantity of a direct simulation, both errors counted."""
        assert self.source is not None
        other = of(network, self.source[0], **self.source[1])
        return self._compare(other.values, other.errors, other.replicas, network.attrs["kind"])

    def exactly(self, reference: ArrayLike, tolerance: float = EXACT, kind: str = "theory, exact") -> Row:
        """Demand equality with a closed form, relative to its largest value."""
        reference = np.broadcast_to(np.asarray(reference, float), self.values.shape)
        difference = np.abs(self.values - reference)
        relative = float(np.max(difference) / (np.max(np.abs(reference)) or 1.0))
        return self._row(self.shown, reference, kind, all_of=True, deviation=relative, tolerance=tolerance)

    def not_by(self, reference: float, kind: str, tolerance: float = EXACT) -> Row:
        """Show a formula that is known to be wrong here; the row is right if the difference exceeds the tolerance."""
        relative = abs(float(self.values.flat[0]) - reference) / abs(reference)
        first = np.unravel_index(0, self.values.shape)
        wrong = np.broadcast_to(np.asarray(reference, float), self.values.shape)
        return self._row(first, wrong, kind, deviation=relative, tolerance=tolerance, differs=True, points=1)

    def _compare(self, reference: ArrayLike, stderr: ArrayLike, replicas: float, kind: str) -> Row:
        reference = np.broadcast_to(np.asarray(reference, float), self.values.shape)
        other = np.broadcast_to(np.asarray(stderr, float), self.values.shape)
        difference, error = self.values - reference, np.hypot(self.errors, other)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = np.where(difference == 0, 0.0, difference / error)
        freedom = _welch(self.errors, self.replicas, other, replicas)
        chance = np.where(np.isnan(deviation), -1.0, stats.t.logsf(np.abs(deviation), freedom))
        chance = np.where(np.isnan(deviation), -np.inf, chance)
        worst = np.unravel_index(int(np.argmin(chance)), chance.shape)
        return self._row(
            worst, reference, kind, reference_stderr=float(other[worst]), deviation=float(deviation[worst]),
            freedom=float(freedom[worst]),
        )  # fmt: skip

    def _row(
        self, where: tuple[Any, ...], reference: np.ndarray, kind: str, *, all_of: bool = False, **judged: Any
    ) -> Row:
        """Return the row that shows one of the values, and how it is judged."""
        where = tuple(int(i) for i in where)
        size = self.values.size
        quantity = self.name(where)
        if size > 1:
            quantity += f", all {size:,} values" if all_of else f", worst of {size:,}"
        if self.label:
            quantity = f"{self.label}: {quantity}"
        found = {"reference_stderr": 0.0, "points": size, "seconds": self.seconds} | judged
        return Row(
            system=self.system, quantity=quantity, value=float(self.values[where]), stderr=float(self.errors[where]),
            reference=float(reference[where]), kind=kind, **found,
        )  # fmt: skip


def _welch(a: np.ndarray, replicas: float, b: np.ndarray, other_replicas: float) -> np.ndarray:
    """Return Welch's degrees of freedom for the difference of two means with standard errors a and b."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        share = np.nan_to_num(a**2 / (a**2 + b**2), nan=1.0)
    each = share**2 / max(replicas - 1, 1) + (1 - share) ** 2 / max(other_replicas - 1, 1)
    with np.errstate(divide="ignore"):
        return np.asarray(1 / each)


def of(dataset: xr.Dataset, variable: str, **selection: Any) -> Estimate:
    """Take a variable of a result, at the given coordinates or, for dimensions without any, at the given indices.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `Runs`, which adds label and seconds.
    variable : str
    **selection
        Such as ``time=5, layer=2, input=0``; what is not selected is compared as a whole.
    """
    chosen = {dim: value for dim, value in selection.items() if dim in dataset[variable].dims}
    by_value = {dim: value for dim, value in chosen.items() if dim in dataset.coords}
    by_index = {dim: value for dim, value in chosen.items() if dim not in dataset.coords}

    def pick(array: xr.DataArray) -> xr.DataArray:
        return (
            array.sel(by_value, method="nearest", tolerance=1e-6).isel(by_index) if by_value else array.isel(by_index)
        )

    values, errors = pick(dataset[variable]), pick(dataset[f"{variable}_stderr"])

    def name(where: tuple[int, ...]) -> str:
        place = dict(zip(values.dims, where, strict=True))
        at = {}
        for dim in dataset[variable].dims:
            if dim in place:
                at[str(dim)] = values[dim].values[place[dim]] if dim in values.coords else place[dim]
            else:
                at[str(dim)] = chosen[str(dim)]
        return _named(variable, at)

    return Estimate(
        name=name, values=values.values, errors=errors.values, shown=_shown(values), source=(variable, selection),
        **_run_of(dataset),
    )  # fmt: skip


def derived(
    dataset: xr.Dataset, name: str, values: ArrayLike, errors: ArrayLike = 0.0, replicas: int | None = None
) -> Estimate:
    """Name a quantity that was computed from a result."""
    values = np.asarray(values, float)
    errors = np.broadcast_to(np.asarray(errors, float), values.shape)
    run = _run_of(dataset)
    return Estimate(
        name=lambda where: name + (f"_{','.join(map(str, where))}" if where else ""),
        values=values,
        errors=errors,
        shown=tuple(size - 1 for size in values.shape),
        **(run | {"replicas": replicas or run["replicas"]}),
    )


def _run_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what an estimate takes over from the run."""
    return {name: dataset.attrs[name] for name in ("system", "label", "replicas", "seconds")}


def _shown(values: xr.DataArray) -> tuple[int, ...]:
    """Return which value to show of many that agree: the latest, and of two times the second half way."""
    last = {str(dim): size - 1 for dim, size in values.sizes.items()}
    if "time" in last and "time_" in last:
        last["time_"] //= 2
    return tuple(last.values())


def _named(variable: str, at: dict[str, Any]) -> str:
    """Return a variable with its layer, indices and times: ``C_phi^1_01(12, 12)``.

    Examples
    --------
    >>> _named("C_phi", {"layer": 1, "time": 12, "time_": 12, "input": 0, "input_": 1})
    'C_phi^1_01(12, 12)'
    """
    layer = f"^{at['layer']:g}" if "layer" in at else ""
    index = "".join(f"{value:g}" for dim, value in at.items() if dim not in ("layer", "time", "time_"))
    times = [f"{float(at[dim]):g}" for dim in ("time", "time_") if dim in at]
    return variable + layer + (f"_{index}" if index else "") + (f"({', '.join(times)})" if times else "")
