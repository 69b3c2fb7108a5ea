"""The error of anything that follows from a result: the jackknife over its replicas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, SiteSamplerError, is_number, listing, name_of, shown
from sitesampler.records.names import DIMENSIONS, REPLICAS, STANDARD_ERROR
from sitesampler.results.replicas import AVERAGE_OF, COMMON_ERRORS, Replicas

if TYPE_CHECKING:
    import xarray as xr


def derive(result: xr.Dataset, function: Callable[[xr.Dataset], Any]) -> xr.Dataset:
    """Return value and standard error of any function of a result: the jackknife over replicas.

    The function is called with the variables of the result, and again without each of the replicas.  How its values
    scatter is the error, and their mean shows its bias of order 1/replicas, which is removed (Efron 1982).  What all
    replicas have in common (the floor for tolerance and rounding) moves it further.

    Parameters
    ----------
    result : xarray.Dataset
        From `sample`, `simulate` or `sweep`, with ``keep_replicas=True``.
    function : callable
        Takes a dataset that holds ``C_h``, ``h_mean`` and the other variables that have errors, and returns a number,
        a `DataArray`, a `Dataset`, or a dict of numbers and DataArrays.  Where its value jumps, such as at the place of
        a maximum, the error is no more than a rough guess: interpolate.

    Returns
    -------
    xarray.Dataset
        Each ``x`` of the function with ``x_stderr``, for `interval` and `compare`.  A single number or array is called
        like the function, or ``value`` if that has no name.  Of a sweep, each point by itself, on the dimensions of the
        sweep.
        NaN where the function gives NaN for all replicas; the error is NaN where it gives NaN without one of them.

    Raises
    ------
    InputError
        If the result has no replicas, or one; if the function fails, returns something else, or gives values of other
        shapes without one of the replicas.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(
    ...     ss.models.random_rnn, population=500, replicas=4, seed=0, g=1.5, dt=0.1, duration=2, keep_replicas=True
    ... )
    >>> def slowness(d):
    ...     return d.C_h.sel(time=2, time_=2) / d.C_h.sel(time=2, time_=1)
    >>> found = derive(ds, slowness)
    >>> low, high = ss.interval(found, "slowness")
    >>> bool(low < found.slowness < high)
    True
    """
    import xarray as xr

    if not isinstance(result, xr.Dataset):
        raise InputError(f"derive takes a result of sample, simulate or sweep, not {shown(result)}")
    if not callable(function):
        raise InputError(f"derive takes a function of the dataset, not {shown(function)}")
    swept = [str(name) for name in json.loads(result.attrs.get("sweep", "{}")) if name in result.dims]
    parts, counts = [], []
    for point, where in _points(_kept(result), swept):
        replicas = Replicas(point, where)
        if not replicas.places:  # a point of the sweep that failed
            continue
        found = _Jackknife(replicas, function, where).dataset()
        parts.append(found.drop_vars(swept, errors="ignore").assign_coords({name: point[name] for name in swept}))
        counts.append(len(replicas.places))
    if not parts:
        raise InputError("every entry of the result is NaN: there is nothing to derive from")
    whole = parts[0]
    if swept:
        parts = [part.expand_dims(swept) for part in parts]
        whole = xr.combine_by_coords(parts, join="outer", combine_attrs="override")  # type: ignore[assignment]
        whole = whole.reindex({name: result[name] for name in swept})
    for dim in whole.coords:
        if dim in DIMENSIONS:
            whole[dim].attrs = {"long_name": DIMENSIONS[str(dim)], "units": "1"}
    whole.attrs = {**result.attrs, "replicas": min(counts), "derived": name_of(function)}
    return whole


def _kept(result: xr.Dataset) -> xr.Dataset:
    """Return what has replicas, with these and its errors, in memory."""
    names = [str(name) for name in result.data_vars if REPLICAS.name(str(name)) in result]
    wanted = [kind(name) for name in names for kind in (str, STANDARD_ERROR.name, REPLICAS.name)]
    missing = [name for name in wanted if name not in result]
    if missing:
        raise InputError(f"the result has no {missing[0]!r}: derive takes results as sample and simulate return them")
    return result[wanted].compute()


def _points(result: xr.Dataset, swept: list[str]) -> Iterator[tuple[xr.Dataset, str]]:
    """Yield the points of a sweep, each as a single run would be, and which they are in a sentence."""
    if not swept:
        yield result, ""
        return
    for index in np.ndindex(*(result.sizes[name] for name in swept)):
        point = result.isel(dict(zip(swept, index, strict=True)))
        # Times that only other points have are none of this one's.
        for dim in point.dims:
            known = [point[name].notnull() for name in point.data_vars if dim in point[name].dims]
            rows = [each.any([other for other in each.dims if other != dim]).values for each in known]
            if rows and not np.all(some := np.any(rows, axis=0)) and some.any() and dim != "replica":
                point = point.isel({dim: some})
        yield point, " at " + ", ".join(f"{name} = {point[name].item()}" for name in swept)


class _Jackknife:
    """A function of a result, and its values with each replica left out."""

    def __init__(self, replicas: Replicas, function: Callable[[xr.Dataset], Any], where: str) -> None:
        self.replicas, self.function, self.where = replicas, function, where
        name = name_of(function)
        self.name = name if name.isidentifier() and hasattr(function, "__name__") else "value"

    def dataset(self) -> xr.Dataset:
        """Return the values with their errors."""
        import xarray as xr

        whole = self._of(self.replicas.average)
        without = [self._like(whole, self.replicas.without(place)) for place in self.replicas.places]
        moved = [self._like(whole, self.replicas.moved(way)) for way in range(COMMON_ERRORS)]
        out: dict[str, Any] = {}
        for name, found in whole.items():
            value, error = _value_and_error(found.values, np.stack([each[name].values for each in without]))
            common = np.max([np.abs(each[name].values - found.values) for each in moved], axis=0)
            long_name = found.attrs.get("long_name", name.replace("_", " "))
            out[name] = found.copy(data=value).assign_attrs({"long_name": long_name, "units": "1", **found.attrs})
            error_name, attrs = STANDARD_ERROR.name(name), STANDARD_ERROR.attrs(long_name)
            if error_name in whole:
                raise InputError(f"{self._named} gives {name!r} and {error_name!r}, which is the error of the first")
            out[error_name] = found.copy(data=np.hypot(error, common))
            out[error_name].attrs = attrs
        return xr.Dataset(out)

    @property
    def _named(self) -> str:
        return "the function" if self.name == "value" else f"the function {self.name}"

    def _like(self, whole: dict[str, Any], dataset: xr.Dataset) -> dict[str, Any]:
        """Return what the function makes of a dataset, after seeing that it has the entries that it has of all."""
        found, of = self._of(dataset), dataset.attrs[AVERAGE_OF]
        if list(found) != list(whole):
            raise InputError(
                f"{self._named} gives {listing(whole)} of all replicas and {listing(found)} of {of}{self.where}; "
                "it must give the same each time"
            )
        for name, array in found.items():
            same = array.dims == whole[name].dims and array.shape == whole[name].shape
            if not same or any(not array[dim].equals(whole[name][dim]) for dim in array.dims):
                raise InputError(
                    f"{self._named} gives {name!r} on {_labels(whole[name])} of all replicas and on {_labels(array)} "
                    f"of {of}{self.where}; it must give the same entries each time"
                )
        return found

    def _of(self, dataset: xr.Dataset) -> dict[str, Any]:
        """Return what the function makes of a dataset, as arrays by name."""
        import xarray as xr

        of = f"on the average of {dataset.attrs[AVERAGE_OF]}{self.where}"
        try:
            found = self.function(dataset)
        except SiteSamplerError:
            raise
        except Exception as error:
            raise InputError(f"{self._named} fails {of}: {type(error).__name__}: {error}") from error
        if isinstance(found, xr.Dataset):
            parts: Any = {name: found[name] for name in found.data_vars}
        elif isinstance(found, dict):
            parts = found
        else:
            # Arithmetic leaves the name and the meaning of what it started from.
            parts = {self.name: found.copy() if isinstance(found, xr.DataArray) else found}
            if isinstance(found, xr.DataArray):
                parts[self.name].attrs = {}
        arrays = {str(name): self._array(str(name), value, of) for name, value in parts.items()}
        if not arrays:
            raise InputError(f"{self._named} gives nothing {of}")
        return arrays

    def _array(self, name: str, value: Any, of: str) -> xr.DataArray:
        import xarray as xr

        plain = is_number(value) or isinstance(value, complex) or np.shape(value) == ()
        given = value
        if not isinstance(value, xr.DataArray) and plain:
            value = xr.DataArray(np.asarray(value))
        if not isinstance(value, xr.DataArray) or value.dtype.kind not in "biufc":
            raise InputError(
                f"{self._named} gives {shown(given)} for {name!r} {of}; it must give a number, a DataArray, a Dataset, "
                "or a dict of numbers and DataArrays"
            )
        if name in value.coords:
            value = value.drop_vars(name) if name not in value.dims else value
        if name in value.dims:
            raise InputError(f"{self._named} gives {name!r}, which is the name of one of its dimensions too; rename it")
        kept = value.drop_vars([coord for coord in value.coords if coord not in value.dims])
        return kept.astype(np.result_type(kept.dtype, float))


def _labels(array: xr.DataArray) -> str:
    ends = [
        f"{dim} ({len(array[dim])} from {array[dim].values[0]} to {array[dim].values[-1]})"
        if len(array[dim])
        else f"{dim} (0)"
        for dim in array.dims
    ]
    return ", ".join(ends) or "no dimension"


def _value_and_error(whole: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the value without its bias of order 1/replicas, and its standard error (Efron 1982)."""
    count = len(without)
    with np.errstate(all="ignore"):
        average = without.mean(0)
        error = np.sqrt((count - 1) / count * (np.abs(without - average) ** 2).sum(0))
        value = whole + (count - 1) * (whole - average)
    return np.where(np.isfinite(error), value, whole), error
