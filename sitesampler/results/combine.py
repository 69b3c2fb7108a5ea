"""Chunks become a population, and independent replicas one labelled dataset with standard errors.

Statistics and labels only: what a variable means was settled where it was recorded, and how a bias is measured in
smaller runs is told in `bias`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.records.names import DIMENSIONS, REPLICAS, STANDARD_ERROR
from sitesampler.records.variable import Variable
from sitesampler.results.bias import estimate, mean_and_error

if TYPE_CHECKING:
    import xarray as xr

#: Scatter up to so many floors for tolerance and rounding is theirs.
_EXACT = 2.0


def merged(parts: Sequence[tuple[float, dict[str, Variable]]]) -> tuple[float, dict[str, Variable]]:
    """Merge chunks of one population into what the population would have given in one piece, up to rounding.

    Plain arrays, and associative up to rounding, so that a tree of such merges reduces any number of chunks.

    Parameters
    ----------
    parts : sequence of (float, dict)
        The number of samples of each chunk, and its variables.  All chunks have run to the same time: one that ended
        early is left out by the caller.

    Returns
    -------
    samples : float
        Of all parts together.
    variables : dict
        What each kind of variable does is told at `sitesampler.records.variable.Kind`.
    """
    samples = float(sum(weight for weight, _ in parts))
    shares = [weight / samples for weight, _ in parts]
    out = {}
    for name, first in parts[0][1].items():
        if first.kind in ("number", "paths"):
            out[name] = first
            continue
        copies = [variables[name] for _, variables in parts]
        merge = _pooled if first.kind == "moments" else _weighted
        floor = _weighted([copy.floor for copy in copies], shares)
        out[name] = replace(first, values=merge([copy.values for copy in copies], shares), floor=floor)
    return samples, out


def _weighted(values: list[np.ndarray], shares: list[float]) -> np.ndarray:
    # One after the other: neither a copy of all chunks nor a sum whose order depends on a library.
    return np.asarray(sum(share * value for share, value in zip(shares, values, strict=True)))


def _pooled(moments: list[np.ndarray], shares: list[float]) -> np.ndarray:
    """Moments of several sets of samples taken together (Chan, Golub & LeVeque 1983; Pebay 2008)."""
    # About their common mean nothing cancels, however far from zero it is.
    with np.errstate(invalid="ignore", over="ignore"):  # a run about to diverge
        centre = _weighted([part[..., 0] for part in moments], shares)
        return _central(_weighted([_about(part, centre) for part in moments], shares), centre)


def _about(moments: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Averages of the first four powers of x - centre, from mean and central moments of x."""
    mean, m2, m3, m4 = np.moveaxis(moments, -1, 0)
    d = mean - centre
    return np.stack([d, m2 + d**2, m3 + 3 * d * m2 + d**3, m4 + 4 * d * m3 + 6 * d**2 * m2 + d**4], -1)


def _central(powers: np.ndarray, centre: np.ndarray | float = 0.0) -> np.ndarray:
    """Mean and central moments, from averages of the first four powers of x - centre."""
    m1, m2, m3, m4 = np.moveaxis(powers, -1, 0)
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    return np.stack([centre + m1, m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3, fourth], -1)


@dataclass(frozen=True)
class SmallerRuns:
    """What runs of smaller populations have recorded, from which the bias of order 1/population is known.

    Attributes
    ----------
    variables : list of lists of dicts
        For each replica, those of one or more such runs.
    times_smaller : int
    """

    variables: list[list[dict[str, Variable]]]
    times_smaller: int


def combine(
    replicas: list[dict[str, Variable]],
    attrs: dict[str, Any],
    alike: bool = True,
    keep: bool = False,
    smaller: SmallerRuns | None = None,
) -> xr.Dataset:
    """Average the variables of independent replicas; standard errors come from their scatter.

    Parameters
    ----------
    replicas : list of dict
        What each replica recorded.  A replica may have fewer times, because it ended early or because a tensor
        coupling made no field of its own at some; the others then stand alone there.
    attrs : dict
        Attributes of the dataset.
    alike : bool
        Whether replicas are samples of one law, so that their moments may be pooled.  Finite networks are not: each has
        matrices, and a law, of its own.
    keep : bool
        Whether the values of each replica stand in the dataset too, as ``_replicas``, without the bias that is removed.
        Of the excess kurtosis these are the pseudo-values of the jackknife, so that the mean and the scatter over
        replicas are value and error of every variable.
    smaller : SmallerRuns, optional
        Where the bias of order 1/population is seen, to be removed.

    Returns
    -------
    xarray.Dataset
        Every variable with its ``_stderr``: the standard error of the mean over replicas, never less than the floor
        for tolerance and rounding, and unknown (NaN) for a single replica.  The excess kurtosis, which is not linear
        in what is averaged, is that of all samples together, with bias and error from the jackknife over replicas,
        where they are alike, and their average where they are not.  With smaller runs, the attribute ``bias_removed``
        says which part of the bias that they show was removed, ``bias_over_stderr`` how large that is, and
        ``bias_left_over_stderr`` what of it may be left.
    """
    import xarray as xr

    arrays: list[xr.DataArray] = []
    names = list(dict.fromkeys(name for replica in replicas for name in replica))
    for name in names:
        copies = [replica[name] for replica in replicas if name in replica]
        first = max(copies, key=lambda copy: copy.values.size)
        if first.kind == "paths":
            arrays.append(_array(first, first.values, name))
            continue
        fewer = _copies_of(name, copies, replicas, smaller)
        coords, values, others = _side_by_side(copies, fewer)
        first = replace(first, coords=coords)
        if first.kind == "moments":
            values, others = _of_kurtosis(values, others) if alike else (_kurtosis(values), None)
        elif others is not None:
            others = others.mean(1)
        floor = np.max(np.stack([np.broadcast_to(copy.floor.max(initial=0.0), ()) for copy in copies]))
        floor = first.floor if first.floor.shape == values.shape[1:] else floor
        found = estimate(
            values, others, smaller.times_smaller if smaller else 1, np.broadcast_to(floor, values[0].shape)
        )
        arrays.append(_array(first, found.value, name))
        if others is not None:
            told = {"bias_removed": found.removed, "bias_over_stderr": found.size, "bias_left_over_stderr": found.left}
            arrays[-1].attrs |= {key: float(f"{value:.3g}") for key, value in told.items()}
        described = STANDARD_ERROR.attrs(first.attrs["long_name"])
        arrays.append(_array(first, found.error, STANDARD_ERROR.name(name)).assign_attrs(described))
        if keep:
            own = replace(first, dims=("replica", *first.dims))
            described = REPLICAS.attrs(first.attrs["long_name"])
            arrays.append(_array(own, found.replicas, REPLICAS.name(name)).assign_attrs(described))
    dataset = xr.merge([array.to_dataset() for array in arrays], join="outer", compat="override")
    for dim, text in DIMENSIONS.items():
        if dim in dataset.coords:
            dataset[dim].attrs = {"long_name": text, "units": "1"}
    return dataset.assign_attrs(attrs)


def is_exact(replicas: list[dict[str, Variable]]) -> bool:
    """Say whether averages and numbers of replicas are all the same, but for tolerance and rounding.

    Matched draws make Gaussian systems so; where nothing scatters, nothing is shifted either.
    """
    for name, first in replicas[0].items():
        if first.kind in ("average", "number"):
            copies = [replica[name] for replica in replicas if name in replica]
            _, values, _ = _side_by_side(copies, [])
            _, error = mean_and_error(values)
            if np.any(error > _EXACT * max(float(copy.floor.max(initial=0.0)) for copy in copies)):
                return False
    return True


def _copies_of(
    name: str, copies: list[Variable], replicas: list[dict[str, Variable]], smaller: SmallerRuns | None
) -> list[list[Variable]]:
    """Return a variable of the smaller runs of each replica; nothing unless all of them have it."""
    if smaller is None or len(copies) < len(replicas) or len(replicas) < 2:
        return []
    if not all(name in run for runs in smaller.variables for run in runs):
        return []
    return [[run[name] for run in runs] for runs in smaller.variables]


def _side_by_side(
    copies: list[Variable], smaller: list[list[Variable]]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
    """Return the coordinates that any of the copies has, and the values on these, (copies, ...); NaN where unknown.

    Replicas may have ended early, have fewer outliers, or respond to the fields of other times.  Those of smaller
    runs, (copies, runs, ...), come on the same coordinates.
    """
    coords = {dim: np.unique(np.concatenate([copy.coords[dim] for copy in copies])) for dim in copies[0].coords}
    shape = np.max([copy.values.shape for copy in copies], axis=0)
    for axis, dim in enumerate(copies[0].dims):
        shape[axis] = len(coords[dim]) if dim in coords else shape[axis]
    values = np.stack([_spread(copy, coords, shape) for copy in copies])
    if not smaller:
        return coords, values, None
    return coords, values, np.stack([[_spread(copy, coords, shape) for copy in runs] for runs in smaller])


def _spread(copy: Variable, coords: dict[str, np.ndarray], shape: np.ndarray) -> np.ndarray:
    """Return the values of a copy on common coordinates; NaN where it has none."""
    if all(np.array_equal(copy.coords[dim], coords[dim]) for dim in coords) and copy.values.shape == tuple(shape):
        return copy.values
    out = np.full(tuple(shape), np.nan, np.result_type(copy.values, float))
    here, there = [], []
    for axis, dim in enumerate(copy.dims):
        length = copy.values.shape[axis]
        if dim in coords:
            _, at, to = np.intersect1d(copy.coords[dim], coords[dim], assume_unique=True, return_indices=True)
        else:
            at = to = np.arange(min(length, shape[axis]))
        here.append(at)
        there.append(to)
    out[np.ix_(*there)] = copy.values[np.ix_(*here)]
    return out


def _of_kurtosis(moments: np.ndarray, smaller: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values for each replica, and for its smaller runs, whose mean is the excess kurtosis of all of them."""
    with np.errstate(all="ignore"):
        known = _has_kurtosis(moments)
        centre = np.where(known, moments[..., 0], 0).sum(0) / known.sum(0)
        values = _pseudo_values(_about(moments, centre), known)
        if smaller is None:
            return values, None
        return values, _pseudo_values(_about(smaller, centre).mean(1), np.asarray(_has_kurtosis(smaller).all(1)))


def _pseudo_values(powers: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the pseudo-values of the jackknife over replicas: their mean has no bias, their scatter is its error."""
    count, powers = known.sum(0), np.where(known[..., None], powers, 0)
    total = powers.sum(0)
    pooled = _excess_kurtosis(total / count[..., None])
    without = _excess_kurtosis((total - powers) / (count - 1)[..., None])
    return np.where(known, np.where(count == 1, pooled, count * pooled - (count - 1) * without), np.nan)


def _kurtosis(moments: np.ndarray) -> np.ndarray:
    """Excess kurtosis of each replica; NaN where it has none."""
    with np.errstate(all="ignore"):
        return np.where(_has_kurtosis(moments), moments[..., 3] / moments[..., 1] ** 2 - 3, np.nan)


def _has_kurtosis(moments: np.ndarray) -> np.ndarray:
    """Say where moments are known and a vector has a variance."""
    mean, variance = moments[..., 0], moments[..., 1]
    return np.asarray((variance > 1e-20 * (mean**2 + np.finfo(float).tiny)) & np.isfinite(moments).all(-1))


def _excess_kurtosis(powers: np.ndarray) -> np.ndarray:
    _, variance, _, fourth = np.moveaxis(_central(powers), -1, 0)
    return fourth / variance**2 - 3


def _array(variable: Variable, values: np.ndarray, name: str) -> xr.DataArray:
    import xarray as xr

    coords = {dim: (dim, values) for dim, values in variable.coords.items() if dim in variable.dims}
    return xr.DataArray(values, dims=variable.dims, coords=coords, name=name, attrs=variable.attrs)
