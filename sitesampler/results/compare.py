"""What a standard error and a difference mean: the interval of one result, and the comparison of two."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, did_you_mean, is_number, listing, shown
from sitesampler.records.names import DEVIATION, DIFFERENCE, STANDARD_ERROR
from sitesampler.results.provenance import facts_of
from sitesampler.results.time_steps import EXTRAPOLATED

if TYPE_CHECKING:
    import xarray as xr


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
        variable without entries that both have is left out.  The attributes name both results, the parameters that
        differ (``parameters_differ``) and what had no partner (``without_partner``).

    Raises
    ------
    InputError
        If one is no result, or the two share no variable or no time.

    Warns
    -----
    RuntimeWarning
        If a swept value is in one of the two only; if the two share random numbers (the same world and seed): errors in
        quadrature are then not those of the difference, and ``shares_noise`` is 1 in the attributes.

    Examples
    --------
    >>> import sitesampler as ss
    >>> a = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, duration=1)
    >>> b = ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, duration=1)
    >>> sorted(ss.compare(a, b).data_vars)[:3]
    ['C_h', 'C_h_deviation', 'C_h_stderr']
    """
    import xarray as xr

    _check_result(dataset, "dataset")
    _check_result(reference, "reference")
    shared = [
        str(name) for name in dataset.data_vars if name in reference and STANDARD_ERROR.name(str(name)) in dataset
    ]
    shared = [name for name in shared if STANDARD_ERROR.name(name) in reference]
    if not shared:
        raise InputError(
            "dataset and reference share no variable with an error; compare takes results of sample or simulate"
        )
    wanted = [*shared, *map(STANDARD_ERROR.name, shared)]
    left, right = xr.align(*same_lengths([dataset[wanted], reference[wanted]]), join="inner")
    met = [name for name in shared if left[name].size and right[name].size]
    if not met:
        # What is empty in one of them would be so whatever the other's coordinates are.
        name = next((name for name in shared if dataset[name].size and reference[name].size), shared[0])
        raise InputError(f"the two datasets have no coordinates of {name!r} in common; run both with the same dt")
    facts, doubts = _said_of(dataset, reference, met)
    out = xr.Dataset(attrs=facts)
    for sentence in doubts:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    for name in met:
        difference = left[name] - right[name]
        error: Any = np.hypot(left[STANDARD_ERROR.name(name)], right[STANDARD_ERROR.name(name)])
        long_name = dataset[name].attrs.get("long_name", name)
        compared = DIFFERENCE.attrs(long_name)
        out[name] = difference.assign_attrs(compared)
        out[STANDARD_ERROR.name(name)] = error.assign_attrs(STANDARD_ERROR.attrs(f"the {compared['long_name']}"))
        deviation = xr.where(difference == 0, 0.0, difference / error.where(error > 0))
        out[DEVIATION.name(name)] = deviation.assign_attrs(DEVIATION.attrs(long_name))
    return out


#: What settles the random numbers of a run: two results that have all of these in common share some.  Not the
#: population, whose first samples are those of a smaller one, nor parameters, of which a sweep compares like with like.
_STREAM = ("world", "seed", "size", "matrix", "start")


def _share_noise(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> bool:
    """Say whether two results have random numbers in common, from their attributes."""
    if "seed" not in left or "world" not in left or ("chunk" in left) != ("chunk" in right):
        return False
    # Iterations from a march and from cold sites run with the same random numbers.
    fresh = [{**attrs, "start": ""} if attrs.get("start") in ("march", "cold") else attrs for attrs in (left, right)]
    return all(str(fresh[0].get(name, "")) == str(fresh[1].get(name, "")) for name in _STREAM)


def _steps(parameters: Mapping[str, Any], steps: Mapping[str, Any]) -> str:
    """Return the scheme and the step of a result in words."""
    dt = steps.get("scheme_dt", parameters.get("dt", "unknown"))
    scheme = steps.get("scheme", "map")
    return f"{scheme}, extrapolated from dt = {dt}" if EXTRAPOLATED in steps else f"{scheme} with dt = {dt}"


def _said_of(dataset: xr.Dataset, reference: xr.Dataset, met: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of a comparison, and sentences on what may not have been meant."""
    both, doubts = (dataset, reference), list[str]()
    facts: dict[str, Any] = {
        name: ds.attrs.get("title", "a result without a title")
        for name, ds in zip(("compared", "reference"), both, strict=True)
    }
    given = [facts_of(ds, "parameters") for ds in both]
    differ = {name: [each.get(name) for each in given] for name in {**given[0], **given[1]}}
    differ = {name: pair for name, pair in differ.items() if pair[0] != pair[1] and name not in {*dataset.dims}}
    if differ and all(given):
        facts["parameters_differ"] = json.dumps(differ)
    steps = [
        {name: ds.attrs[name] for name in ("scheme", "scheme_dt", EXTRAPOLATED) if name in ds.attrs} for ds in both
    ]
    limits = all(EXTRAPOLATED in each for each in steps)
    if all(given) and not limits and ("dt" in differ or steps[0] != steps[1]):
        first, second = (_steps(*each) for each in zip(given, steps, strict=True))
        doubts.append(f"the two results have other time steps: {first} and {second}; they differ by their errors too")
    alone = [
        f"{listing(names)} of the {word}"
        for word, ds, other in (("first", dataset, reference), ("second", reference, dataset))
        if (
            names := [
                n for n in map(str, ds.data_vars) if STANDARD_ERROR.name(n) in ds and (n not in other or n not in met)
            ]
        )
    ]
    swept = {name for ds in both for name in facts_of(ds, "sweep")}
    for dim in map(str, {**dataset.coords, **reference.coords}):
        if all(dim in ds.indexes for ds in both):
            left, right = (ds.indexes[dim] for ds in both)
            lost = [*left.difference(right), *right.difference(left)]
            alone += [f"{len(lost)} of {len(left.union(right))} values of {dim}"] if lost else []
            if lost and dim in swept:
                doubts.append(f"the values {listing(map(str, lost))} of {dim} are in one of the two results only")
    if alone:
        facts["without_partner"] = "; ".join(alone)
    if _share_noise(dataset.attrs, reference.attrs):
        facts["shares_noise"] = 1
        doubts.append(
            f"both results have the seed {dataset.attrs['seed']} and so share random numbers: the error of their "
            "difference is not that of independent results; repeat one of them with another seed"
        )
    return facts, doubts


def same_lengths(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Cut dimensions without coordinates, such as outliers, down to what all datasets have of them."""
    dims = {dim for ds in datasets for dim in ds.dims if not any(dim in other.coords for other in datasets)}
    shortest = {dim: slice(min(ds.sizes[dim] for ds in datasets if dim in ds.sizes)) for dim in dims}
    return [ds.isel(shortest, missing_dims="ignore") for ds in datasets]


def interval(dataset: xr.Dataset, name: str, level: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the ends of the confidence interval of a variable.

    The value plus and minus its standard error times Student's quantile, of one degree of freedom less than there are
    replicas: a standard error that comes from few of them is itself uncertain, and at 8 replicas 95 % need 2.36 of it,
    not 1.96.

    An interval knows the scatter between populations, and what their smaller runs tell of the bias of order
    1/population; not what the time step does, which shifts all replicas alike.

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

    _check_result(dataset, "dataset")
    if not is_number(level) or not 0 < level < 1:
        raise InputError(f"level must be a probability between 0 and 1, such as 0.95, not {shown(level)}")
    known = [str(known) for known in dataset.data_vars if STANDARD_ERROR.name(str(known)) in dataset]
    if not isinstance(name, str):
        raise InputError(f"name must be that of a variable, not {shown(name)}; with errors there are {listing(known)}")
    if name not in dataset:
        raise InputError(
            f"name must be that of a variable, and there is no {name!r}{did_you_mean(name, known)}; with errors the "
            f"dataset has {listing(known)}"
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
    half = float(stdtrit(replicas - 1, (1 + level) / 2)) * dataset[STANDARD_ERROR.name(name)]
    text = f"end of the {100 * level:g} % interval of {dataset[name].attrs.get('long_name', name)}"
    ends = {"lower": dataset[name] - half, "upper": dataset[name] + half}
    low, high = (end.rename(name).assign_attrs(long_name=f"{side} {text}", units="1") for side, end in ends.items())
    return low, high


def _check_result(dataset: Any, word: str) -> None:
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise InputError(f"{word} must be a result of sample or simulate (a dataset of xarray), not {shown(dataset)}")
