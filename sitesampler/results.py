"""Results: replicas become one labelled dataset with errors, and two datasets a comparison.

Statistics and labels only; what a variable means was settled in ``records.py``, storage is the business of
``study.py``.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError
from sitesampler.labels import Variable, padded

if TYPE_CHECKING:
    import xarray as xr

#: Ending of the variable that holds the standard error of another.
STDERR = "_stderr"
#: Ending, in a comparison, of the variable that holds a deviation in standard errors.
DEVIATION = "_deviation"


def combine(replicas: list[dict[str, Variable]], attrs: dict[str, Any]) -> xr.Dataset:
    """Average the variables of independent replicas; standard errors come from their scatter.

    Parameters
    ----------
    replicas : list of dict
        What each replica recorded.  A replica that ended early may have fewer times; the others then stand alone there.
    attrs : dict
        Attributes of the dataset.

    Returns
    -------
    xarray.Dataset
        Every variable with its ``_stderr``: the standard error of the mean over replicas, never less than the floor
        for tolerance and rounding, and unknown (NaN) for a single replica.
    """
    import xarray as xr

    arrays: list[xr.DataArray] = []
    names = list(dict.fromkeys(name for replica in replicas for name in replica))
    for name in names:
        copies = [replica[name] for replica in replicas if name in replica]
        first = max(copies, key=lambda copy: copy.values.size)
        if not first.sampled:
            arrays.append(_array(first, first.values, name))
            continue
        # Replicas may have ended early, or have fewer outliers.
        shape = tuple(np.max([copy.values.shape for copy in copies], axis=0))
        values = np.stack([padded(copy.values, shape) for copy in copies])
        mean, error = _mean_and_error(values)
        floor = np.max(np.stack([np.broadcast_to(copy.floor.max(initial=0.0), ()) for copy in copies]))
        floor = first.floor if first.floor.shape == shape else floor
        error = np.hypot(error, np.broadcast_to(floor, error.shape))
        arrays.append(_array(first, mean, name))
        described = {"long_name": f"standard error of {first.attrs['long_name']}", "units": "1"}
        arrays.append(_array(first, error, name + STDERR).assign_attrs(described))
    dataset = xr.merge([array.to_dataset() for array in arrays], join="outer", compat="override")
    for dim, text in _COORDINATES.items():
        if dim in dataset.coords:
            dataset[dim].attrs = {"long_name": text, "units": "1"}
    return dataset.assign_attrs(attrs)


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


def compare(dataset: xr.Dataset, reference: xr.Dataset) -> xr.Dataset:
    """Compare two results, variable by variable, where their coordinates meet.

    Parameters
    ----------
    dataset, reference : xarray.Dataset
        From `sample` or `simulate`.

    Returns
    -------
    xarray.Dataset
        For every variable ``x`` that both have with its error: the difference ``x`` (dataset minus reference), its
        standard error ``x_stderr`` (in quadrature), and ``x_deviation``, the difference in standard errors.

    Raises
    ------
    InputError
        If the two share no variable or no time.

    Examples
    --------
    >>> import sitesampler as ss
    >>> a = ss.sample(ss.models.random_rnn, population=500, replicas=2, seed=0, duration=1)
    >>> b = ss.simulate(ss.models.random_rnn, size=100, replicas=2, seed=0, duration=1)
    >>> sorted(ss.compare(a, b).data_vars)[:3]
    ['C_h', 'C_h_deviation', 'C_h_stderr']
    """
    import xarray as xr

    shared = [str(name) for name in dataset.data_vars if name in reference and f"{name}{STDERR}" in dataset]
    shared = [name for name in shared if f"{name}{STDERR}" in reference]
    if not shared:
        raise InputError(
            "the two datasets share no variable with an error; compare takes results of sample or simulate"
        )
    left, right = xr.align(dataset, reference, join="inner")
    out = xr.Dataset()
    for name in shared:
        if left[name].size == 0:
            raise InputError(f"the two datasets have no coordinates of {name!r} in common; run both with the same dt")
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
