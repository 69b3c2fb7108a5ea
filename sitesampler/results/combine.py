"""Chunks become a population, and independent replicas one labelled dataset with standard errors.

Statistics and labels only: what a variable means was settled where it was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.records.names import DIMENSIONS, REPLICAS, STANDARD_ERROR
from sitesampler.records.variable import Variable

if TYPE_CHECKING:
    import xarray as xr


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


def combine(
    replicas: list[dict[str, Variable]], attrs: dict[str, Any], alike: bool = True, keep: bool = False
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
        Whether the values of each replica stand in the dataset too, as ``_replicas``.  Of the excess kurtosis these are
        the pseudo-values of the jackknife, so that the mean and the scatter over replicas are value and error of every
        variable.

    Returns
    -------
    xarray.Dataset
        Every variable with its ``_stderr``: the standard error of the mean over replicas, never less than the floor
        for tolerance and rounding, and unknown (NaN) for a single replica.  The excess kurtosis, which is not linear
        in what is averaged, is that of all samples together, with bias and error from the jackknife over replicas,
        where they are alike, and their average where they are not.
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
        coords, values = _side_by_side(copies)
        first = replace(first, coords=coords)
        if first.kind == "moments":
            mean, error = _kurtosis_and_error(values) if alike else _mean_and_error(_kurtosis(values))
        else:
            mean, error = _mean_and_error(values)
        floor = np.max(np.stack([np.broadcast_to(copy.floor.max(initial=0.0), ()) for copy in copies]))
        floor = first.floor if first.floor.shape == mean.shape else floor
        error = np.hypot(error, np.broadcast_to(floor, error.shape))
        arrays.append(_array(first, mean, name))
        described = STANDARD_ERROR.attrs(first.attrs["long_name"])
        arrays.append(_array(first, error, STANDARD_ERROR.name(name)).assign_attrs(described))
        if keep:
            if first.kind == "moments":
                values = _pseudo_kurtosis(values) if alike else _kurtosis(values)
            own = replace(first, dims=("replica", *first.dims))
            described = REPLICAS.attrs(first.attrs["long_name"])
            arrays.append(_array(own, values, REPLICAS.name(name)).assign_attrs(described))
    dataset = xr.merge([array.to_dataset() for array in arrays], join="outer", compat="override")
    for dim, text in DIMENSIONS.items():
        if dim in dataset.coords:
            dataset[dim].attrs = {"long_name": text, "units": "1"}
    return dataset.assign_attrs(attrs)


def _side_by_side(copies: list[Variable]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the coordinates that any of the copies has, and the values on these, (copies, ...); NaN where unknown.

    Replicas may have ended early, have fewer outliers, or respond to the fields of other times.
    """
    coords = {dim: np.unique(np.concatenate([copy.coords[dim] for copy in copies])) for dim in copies[0].coords}
    shape = np.max([copy.values.shape for copy in copies], axis=0)
    for axis, dim in enumerate(copies[0].dims):
        shape[axis] = len(coords[dim]) if dim in coords else shape[axis]
    values = np.full((len(copies), *shape), np.nan, np.result_type(*(copy.values for copy in copies)))
    for row, copy in zip(values, copies, strict=True):
        places = [np.arange(length) for length in copy.values.shape]
        for axis, dim in enumerate(copy.dims):
            places[axis] = np.searchsorted(coords[dim], copy.coords[dim]) if dim in coords else places[axis]
        row[np.ix_(*places)] = copy.values
    return coords, values


def _mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(values)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(known, values, 0).sum(0) / count
        # In units of the largest, so that the squares of what grew large do not overflow.
        size = np.max(np.abs(values), axis=0, where=known, initial=np.finfo(float).tiny)
        spread = np.where(known, np.abs((values - mean) / size) ** 2, 0).sum(0)
        return mean, size * np.sqrt(spread / (count - 1) / count)


def _pooled_kurtosis(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which replicas have a kurtosis, the excess kurtosis of these pooled, and that without each of them."""
    known = _has_kurtosis(moments)
    count = known.sum(0)
    centre = np.where(known, moments[..., 0], 0).sum(0) / count
    powers = np.where(known[..., None], _about(moments, centre), 0)
    total = powers.sum(0)
    pooled = _excess_kurtosis(total / count[..., None])
    return known, pooled, _excess_kurtosis((total - powers) / (count - 1)[..., None])


def _pseudo_kurtosis(moments: np.ndarray) -> np.ndarray:
    """Return a value for each replica whose mean and scatter are those of the jackknife."""
    with np.errstate(all="ignore"):
        known, pooled, without = _pooled_kurtosis(moments)
        count = known.sum(0)
        return np.where(known, np.where(count == 1, pooled, count * pooled - (count - 1) * without), np.nan)


def _kurtosis_and_error(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Excess kurtosis of all replicas pooled, corrected for its bias, and its error: the jackknife over replicas."""
    with np.errstate(all="ignore"):  # unknown values, a single replica, or a run about to diverge
        known, pooled, without = _pooled_kurtosis(moments)
        count = known.sum(0)
        average = np.where(known, without, 0).sum(0) / count
        spread = np.where(known, (without - average) ** 2, 0).sum(0)
        estimate = np.where(count == 1, pooled, count * pooled - (count - 1) * average)
        return estimate, np.sqrt(np.where(count > 1, (count - 1) / count * spread, np.nan))


def _kurtosis(moments: np.ndarray) -> np.ndarray:
    """Excess kurtosis of each replica; NaN where it has none."""
    with np.errstate(all="ignore"):
        return np.where(_has_kurtosis(moments), moments[..., 3] / moments[..., 1] ** 2 - 3, np.nan)


def _has_kurtosis(moments: np.ndarray) -> np.ndarray:
    """Say where moments are known and a vector has a variance."""
    mean, variance = moments[..., 0], moments[..., 1]
    return (variance > 1e-20 * (mean**2 + np.finfo(float).tiny)) & np.isfinite(moments).all(-1)


def _excess_kurtosis(powers: np.ndarray) -> np.ndarray:
    _, variance, _, fourth = np.moveaxis(_central(powers), -1, 0)
    return fourth / variance**2 - 3


def _array(variable: Variable, values: np.ndarray, name: str) -> xr.DataArray:
    import xarray as xr

    coords = {dim: (dim, values) for dim, values in variable.coords.items() if dim in variable.dims}
    return xr.DataArray(values, dims=variable.dims, coords=coords, name=name, attrs=variable.attrs)
