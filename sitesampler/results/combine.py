"""Results: chunks become a replica, replicas one labelled dataset with errors; its intervals, and comparisons of two.

Statistics and labels only; what a variable means was settled in ``records.py``, storage is the business of
``study.py``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, did_you_mean, listing, shown
from sitesampler.records.variable import Variable

if TYPE_CHECKING:
    import xarray as xr

#: Ending of the variable that holds the standard error of another.
STDERR = "_stderr"
#: Ending, in a comparison, of the variable that holds a deviation in standard errors.
DEVIATION = "_deviation"


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


def combine(replicas: list[dict[str, Variable]], attrs: dict[str, Any], alike: bool = True) -> xr.Dataset:
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
        described = {"long_name": f"standard error of {first.attrs['long_name']}", "units": "1"}
        arrays.append(_array(first, error, name + STDERR).assign_attrs(described))
    dataset = xr.merge([array.to_dataset() for array in arrays], join="outer", compat="override")
    for dim, text in _COORDINATES.items():
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


_COORDINATES = {"time": "time", "time_": "second time", "layer": "layer", "layer_": "second layer"}


def _mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(values)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(known, values, 0).sum(0) / count
        # In units of the largest, so that the squares of what grew large do not overflow.
        size = np.max(np.abs(values), axis=0, where=known, initial=np.finfo(float).tiny)
        spread = np.where(known, np.abs((values - mean) / size) ** 2, 0).sum(0)
        return mean, size * np.sqrt(spread / (count - 1) / count)


def _kurtosis_and_error(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Excess kurtosis of all replicas pooled, corrected for its bias, and its error: the jackknife over replicas."""
    with np.errstate(all="ignore"):  # unknown values, a single replica, or a run about to diverge
        known = _has_kurtosis(moments)
        count = known.sum(0)
        centre = np.where(known, moments[..., 0], 0).sum(0) / count
        powers = np.where(known[..., None], _about(moments, centre), 0)
        total = powers.sum(0)
        pooled = _excess_kurtosis(total / count[..., None])
        without = _excess_kurtosis((total - powers) / (count - 1)[..., None])
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


def provenance(**facts: Any) -> dict[str, Any]:
    """Return attributes that Zarr and NetCDF both store: numbers and strings, nested facts as JSON."""
    versions = {"python": platform.python_version()}
    for package in ("sitesampler", "numpy", "scipy", "numba", "xarray", "dask"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    out: dict[str, Any] = {"Conventions": "CF-1.11"}
    for name, fact in {**facts, "versions": versions}.items():
        plain = isinstance(fact, (int, float, str)) and not isinstance(fact, bool)
        out[name] = fact if plain else json.dumps(fact, default=_as_text)
    return out


def _as_text(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return getattr(value, "__name__", None) or repr(value)


def interval(dataset: xr.Dataset, name: str, level: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the ends of the confidence interval of a variable.

    The value plus and minus its standard error times Student's quantile, of one degree of freedom less than there are
    replicas: a standard error that comes from few of them is itself uncertain, and at 8 replicas 95 % need 2.36 of it,
    not 1.96.

    An interval knows the scatter between populations, not what they all have in common: order parameters estimated
    from M samples shift a result by about const/M.  On the chaotic `random_rnn` at g = 2 that is 3e-3 of C_h(5, 5) at
    M = 1,000, a third of the standard error of 8 replicas; it falls as 1/M, the error as 1/sqrt(M), so that it stops
    mattering from some thousand samples on.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `sample` or `simulate`.  All replicas its attribute ``replicas`` counts are taken to have reached every
        entry; where some diverged before or are NaN, the interval is too narrow.
    name : str
        A variable with a standard error.
    level : float
        Probability that the interval covers the limit of many replicas.

    Returns
    -------
    low, high : xarray.DataArray

    Raises
    ------
    InputError
        If it is no result, or there is no such variable, no error of it, or a single replica.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(ss.models.random_rnn, population=500, replicas=4, seed=0, g=1.5, dt=0.1, duration=2)
    >>> low, high = interval(ds, "C_h")
    >>> here = {"time": 2, "time_": 1}
    >>> round(float((high - low).sel(here) / ds.C_h_stderr.sel(here) / 2), 2)
    3.18
    """
    from scipy.special import stdtrit

    _check_result(dataset, "interval")
    if isinstance(level, bool) or not isinstance(level, (int, float, np.number)) or not 0 < level < 1:
        raise InputError(f"level must be a probability between 0 and 1, such as 0.95, not {level!r}")
    known = [str(known) for known in dataset.data_vars if f"{known}{STDERR}" in dataset]
    if name not in dataset:
        raise InputError(
            f"the dataset has no variable {name!r}{did_you_mean(name, known)}; with errors it has {listing(known)}"
        )
    if name not in known:
        raise InputError(f"{name!r} has no standard error, and so no interval; with errors there are {listing(known)}")
    replicas = dataset.attrs.get("replicas")
    if replicas is None:
        raise InputError(
            "the dataset does not say how many replicas its errors come from (attribute 'replicas'); interval takes "
            "results of sample or simulate"
        )
    if replicas < 2:
        raise InputError("a single replica tells nothing of its error; run at least 2 replicas for an interval")
    half = float(stdtrit(replicas - 1, (1 + level) / 2)) * dataset[name + STDERR]
    text = f"end of the {100 * level:g} % interval of {dataset[name].attrs.get('long_name', name)}"
    ends = {"lower": dataset[name] - half, "upper": dataset[name] + half}
    low, high = (end.rename(name).assign_attrs(long_name=f"{side} {text}", units="1") for side, end in ends.items())
    return low, high


def _check_result(dataset: Any, word: str) -> None:
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise InputError(f"{word} takes results of sample or simulate (datasets of xarray), not {shown(dataset)}")


def same_lengths(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Cut dimensions without coordinates, such as outliers, down to what all datasets have of them."""
    dims = {dim for ds in datasets for dim in ds.dims if not any(dim in other.coords for other in datasets)}
    shortest = {dim: slice(min(ds.sizes[dim] for ds in datasets if dim in ds.sizes)) for dim in dims}
    return [ds.isel(shortest, missing_dims="ignore") for ds in datasets]


def compare(dataset: xr.Dataset, reference: xr.Dataset) -> xr.Dataset:
    """Compare two results, variable by variable, where their coordinates meet.

    Only what both have with a standard error is looked at, so that the results may differ in replicas, in the
    trajectories that they keep, and in iterations.  Along a dimension without coordinates, such as the outliers, the
    first ones are compared, as many as both have.

    Parameters
    ----------
    dataset, reference : xarray.Dataset
        From `sample` or `simulate`.

    Returns
    -------
    xarray.Dataset
        For every variable ``x`` that both have with its error: the difference ``x`` (dataset minus reference), its
        standard error ``x_stderr`` (in quadrature), and ``x_deviation``, the difference in standard errors.  A
        variable without entries that both have is left out.

    Raises
    ------
    InputError
        If one is no result, or the two share no variable or no time.

    Examples
    --------
    >>> import sitesampler as ss
    >>> a = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, duration=1)
    >>> b = ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, duration=1)
    >>> sorted(ss.compare(a, b).data_vars)[:3]
    ['C_h', 'C_h_deviation', 'C_h_stderr']
    """
    import xarray as xr

    for result in (dataset, reference):
        _check_result(result, "compare")
    shared = [str(name) for name in dataset.data_vars if name in reference and f"{name}{STDERR}" in dataset]
    shared = [name for name in shared if f"{name}{STDERR}" in reference]
    if not shared:
        raise InputError(
            "the two datasets share no variable with an error; compare takes results of sample or simulate"
        )
    wanted = [name + end for name in shared for end in ("", STDERR)]
    left, right = xr.align(*same_lengths([dataset[wanted], reference[wanted]]), join="inner")
    met = [name for name in shared if left[name].size and right[name].size]
    if not met:
        # What is empty in one of them would be so whatever the other's coordinates are.
        name = next((name for name in shared if dataset[name].size and reference[name].size), shared[0])
        raise InputError(f"the two datasets have no coordinates of {name!r} in common; run both with the same dt")
    out = xr.Dataset()
    for name in met:
        difference = left[name] - right[name]
        error: Any = np.hypot(left[name + STDERR], right[name + STDERR])
        long_name = dataset[name].attrs.get("long_name", name)
        out[name] = difference.assign_attrs(long_name=f"difference of {long_name}", units="1")
        out[name + STDERR] = error.assign_attrs(long_name=f"standard error of the difference of {long_name}", units="1")
        deviation = xr.where(difference == 0, 0.0, difference / error.where(error > 0))
        out[name + DEVIATION] = deviation.assign_attrs(
            long_name=f"difference of {long_name} in standard errors", units="1"
        )
    return out
