"""What one asks of a process that has become stationary, with errors: C(tau), spectrum, fluctuation and dissipation.

Each of these takes a result that has kept its replicas and gives values with standard errors (`derive`); or the dataset
that a function of `derive` is given, and then gives the values alone, so that functions can be built from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, did_you_mean, is_number, listing, shown
from sitesampler.records.names import (
    CORRELATION,
    FDT_RATIO,
    INTEGRATED_RESPONSE,
    OF_KICKS,
    RELAXATION_TIME,
    RESPONSE,
    SPECTRUM,
    STDERR,
    UNRESOLVED,
    rounded,
)
from sitesampler.results.derive import derive
from sitesampler.results.replicas import AVERAGE_OF

if TYPE_CHECKING:
    import xarray as xr


#: No run goes so far.
_LONG_AGO = 1e300


def stationary(result: xr.Dataset, record: str, *, start: float, longest: float | None = None) -> xr.Dataset:
    """Return C(tau) and R(tau) of a process that is stationary from some time on, with their errors.

    C(tau) is the average of C(t' + tau, t') over all t' from ``start`` on for which it was recorded, and so is R(tau).

    Parameters
    ----------
    result : xarray.Dataset
        From `sample`, `simulate` or `sweep`, with ``keep_replicas=True``.
    record : str
        The site vector: ``"h"``.
    start : float
        Time from which on it is stationary, in the units of the program.
    longest : float, optional
        Longest time between the two times; by default all.  Few pairs of times are so far apart.

    Returns
    -------
    xarray.Dataset
        ``C_h(lag)`` and each ``R_h(lag)``, with their ``_stderr``.

    Raises
    ------
    InputError
        If there is no such record, window or error; see `derive`.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(
    ...     ss.models.random_rnn, population=500, replicas=4, seed=0, g=1.5, dt=0.1, duration=4, keep_replicas=True
    ... )
    >>> found = stationary(ds, "h", start=3)
    >>> sorted(found.data_vars), found.lag.values[:3].tolist()
    (['C_h', 'C_h_stderr'], [0.0, 0.1, 0.2])
    """
    return _derived("stationary", result, lambda d: _stationary(d, record, start, longest))


def spectrum(result: xr.Dataset, record: str, *, start: float, longest: float | None = None) -> xr.Dataset:
    r"""Return the power spectrum of a stationary process, with its error.

    S(omega) = integral of C(tau) exp(-i omega tau) over all tau, C being even (Wiener & Khinchin); in discrete time
    dt [C(0) + 2 sum_k C(k dt) cos(omega k dt)], so that C(0) is the integral of S over omega/(2 pi), from -pi/dt to
    pi/dt.  The sum ends at the longest time between two times: where C has not decayed by then, S has ripples.

    Parameters
    ----------
    result, record, start, longest
        See `stationary`.

    Returns
    -------
    xarray.Dataset
        ``S_h(frequency)`` with ``S_h_stderr``, at the angular frequencies 2 pi k/((2n - 1) dt) of n lags.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(
    ...     ss.models.random_rnn, population=500, replicas=4, seed=0, g=1.5, dt=0.1, duration=4, keep_replicas=True
    ... )
    >>> ss.spectrum(ds, "h", start=2).sizes["frequency"]
    21
    """
    return _derived("spectrum", result, lambda d: _spectrum(d, record, start, longest))


def fdt(
    result: xr.Dataset, record: str, *, temperature: float, waiting: float, source: str | None = None
) -> xr.Dataset:
    """Return integrated response and fluctuation-dissipation ratio after a waiting time, with their errors.

    chi(tau) is the integral of R(t_w + tau, s) over s from the waiting time t_w to t_w + tau, and the ratio X(tau) =
    temperature chi(tau) / [C(t, t) - C(t, t_w)] with t = t_w + tau: 1 in equilibrium, and the slope of the plot of chi
    against C in a system that ages (Cugliandolo & Kurchan 1993).  The integral is a sum over the recorded times, as
    Euler steps have it, with an error of first order in their distance; of the kicks in a flow it is a trapezoid sum,
    of second order.

    Parameters
    ----------
    result : xarray.Dataset
        See `stationary`; of a program with a source.
    record : str
        The site vector that responds.
    temperature : float
        Of the heat bath: thermal noise of variance 2 temperature per unit time.
    waiting : float
        Waiting time t_w.
    source : str, optional
        Name of the source, where there are several.

    Returns
    -------
    xarray.Dataset
        ``chi_h(lag)`` and ``X_h(lag)`` with their ``_stderr``; X is NaN at lag 0.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(
    ...     ss.models.spherical_pspin, population=500, replicas=4, seed=0, duration=2, keep_replicas=True
    ... )
    >>> found = ss.fdt(ds, "s", temperature=1.0, waiting=1)
    >>> sorted(found.data_vars), found.sizes["lag"]
    (['X_s', 'X_s_stderr', 'chi_s', 'chi_s_stderr'], 21)
    """
    if not is_number(temperature) or not 0 < temperature < math.inf:
        raise InputError(f"temperature must be a positive number, not {shown(temperature)}")
    return _derived("fdt", result, lambda d: _fdt(d, record, temperature, waiting, source))


def relaxation_time(
    result: xr.Dataset, record: str, *, start: float, level: float = math.exp(-1), longest: float | None = None
) -> xr.Dataset:
    """Return the time after which C(tau)/C(0) of a stationary process has fallen to a level, with its error.

    The usual definition of the relaxation time of a glass, with the level 1/e.  Between recorded times C is
    interpolated linearly.

    Parameters
    ----------
    result, record, start, longest
        See `stationary`.
    level : float
        Between 0 and 1.

    Returns
    -------
    xarray.Dataset
        ``relaxation_time_h`` with its ``_stderr``; NaN where C does not fall so far in the window.

    Examples
    --------
    >>> import sitesampler as ss
    >>> ds = ss.sample(
    ...     ss.models.random_rnn, population=500, replicas=4, seed=0, g=1.5, dt=0.1, duration=8, keep_replicas=True
    ... )
    >>> found = ss.relaxation_time(ds, "h", start=2)
    >>> bool(found.relaxation_time_h_stderr < 0.2 * found.relaxation_time_h)
    True
    """
    if not is_number(level) or not 0 < level < 1:
        raise InputError(f"level must be a number between 0 and 1, such as 1/e, not {shown(level)}")
    return _derived("relaxation_time", result, lambda d: _relaxation_time(d, record, start, level, longest))


def _derived(name: str, result: xr.Dataset, function: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    """Return values with errors of a result, and without of what a function of `derive` is given."""
    inside = AVERAGE_OF in getattr(result, "attrs", {})
    return function(result) if inside else derive(result, function).assign_attrs(derived=name)


def _stationary(dataset: xr.Dataset, record: str, start: float, longest: float | None, least: int = 1) -> xr.Dataset:
    import xarray as xr

    C = _correlation(dataset, record)
    times = _window(C, "start", start)
    lags = times - times[0]
    if longest is not None:
        if not is_number(longest) or not longest >= 0:
            raise InputError(f"longest must be a time between two times, at least 0, not {shown(longest)}")
        lags = lags[lags <= longest * (1 + 1e-9)]
    if len(lags) < least:
        raise InputError(
            f"longest={longest:g} is shorter than the distance of two recorded times, {times[1] - times[0]:g}: this "
            "needs a longer one"
        )
    out = {}
    meaning = RESPONSE.attrs(record)["long_name"]
    responses = [
        name for name in dataset if dataset[name].attrs.get("long_name") == meaning and "time_" in dataset[name].dims
    ]
    for name in (CORRELATION.name(record), *map(str, responses)):
        array = dataset[name].sel(time=times).reindex(time_=times).transpose("time", "time_", ...)
        with np.errstate(invalid="ignore"):
            rows = [_average(np.diagonal(array.values, -lag, 0, 1)) for lag in range(len(lags))]
        dims = ["lag" if dim == "time" else dim for dim in dataset[name].dims if dim != "time_"]
        coords = {dim: array[dim] for dim in array.dims[2:] if dim in array.coords}
        made = xr.DataArray(np.stack(rows), dims=("lag", *array.dims[2:]), coords={**coords, "lag": _rounded(lags)})
        out[name] = made.transpose(*dims).assign_attrs(dataset[name].attrs)
    return xr.Dataset(out)


def _average(values: np.ndarray) -> np.ndarray:
    """Return the average along the last axis of what is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(-1) / known.sum(-1))


def _spectrum(dataset: xr.Dataset, record: str, start: float, longest: float | None) -> xr.Dataset:
    import xarray as xr

    C = _stationary(dataset, record, start, longest, 2)[CORRELATION.name(record)]
    count = C.sizes["lag"]
    dt = float(C.lag[1] - C.lag[0])
    frequencies = 2 * np.pi * np.arange(count) / ((2 * count - 1) * dt)
    weights = 2 * np.cos(frequencies[:, None] * (dt * np.arange(count)))
    weights[:, 0] = 1
    waves = xr.DataArray(dt * weights, dims=("frequency", "lag"), coords={"frequency": frequencies, "lag": C.lag})
    dims = ["frequency" if dim == "lag" else dim for dim in C.dims]
    S = xr.dot(C, waves, dim="lag").transpose(*dims)
    return xr.Dataset({SPECTRUM.name(record): S.assign_attrs(SPECTRUM.attrs(record))})


def _fdt(dataset: xr.Dataset, record: str, temperature: float, waiting: float, source: str | None) -> xr.Dataset:
    import xarray as xr

    C, R = _correlation(dataset, record), dataset[_response(dataset, record, source)]
    if "input" in C.dims:
        raise InputError(f"fdt takes site vectors without inner columns, and {record!r} has some; derive it by hand")
    times = _window(C, "waiting", waiting)
    if R.attrs.get(OF_KICKS):  # the kicks of a flow are at its steps, where its records may be closer
        kicks = times[np.isin(times, R.time_.values[R.notnull().any([dim for dim in R.dims if dim != "time_"]).values])]
        times = kicks if len(kicks) > 1 and np.allclose(np.diff(kicks), kicks[1] - kicks[0]) else times
    t_w = times[0]
    C, R = C.sel(time=times), R.sel(time=times, time_=R.time_[R.time_ >= t_w - 1e-9 * abs(t_w)])
    step = float(times[1] - times[0]) if R.attrs.get("per_unit_time") else 1.0
    # R is zero where the field comes later; it is NaN where none was recorded, and where it could not be told.
    chi = step * R.sum("time_", skipna=UNRESOLVED not in R.attrs, min_count=1)
    if R.attrs.get(OF_KICKS):  # where R is continuous up to equal times: the trapezoid has half the ends
        ends = R.isel(time_=xr.DataArray(_places(R.time_.values, times), dims="time"))
        chi = chi - step / 2 * (R.sel(time_=t_w) + ends.isel(time=xr.DataArray(np.arange(len(times)), dims="time")))
    now = C.isel(
        time_=xr.DataArray(_places(C.time_.values, times), dims="time"),
        time=xr.DataArray(np.arange(len(times)), dims="time"),
    )
    fallen = (now - C.sel(time_=t_w)).where(C.time > t_w)
    lag = _rounded(times - t_w)
    out = {
        INTEGRATED_RESPONSE.name(record): chi.assign_attrs(INTEGRATED_RESPONSE.attrs(record)),
        FDT_RATIO.name(record): (temperature * chi / fallen).assign_attrs(FDT_RATIO.attrs(record)),
    }
    return xr.Dataset(
        {
            name: each.drop_vars("time_", errors="ignore").assign_coords(time=lag).rename(time="lag")
            for name, each in out.items()
        }
    )


def _relaxation_time(dataset: xr.Dataset, record: str, start: float, level: float, longest: float | None) -> xr.Dataset:
    C = _stationary(dataset, record, start, longest, 2)[CORRELATION.name(record)].transpose("lag", ...)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (C / C.isel(lag=0)).values
    below = share <= level
    first = np.maximum(below.argmax(0), 1)
    before, after = (np.take_along_axis(share, (first - back)[None], 0)[0] for back in (1, 0))
    lags = C.lag.values
    with np.errstate(invalid="ignore", divide="ignore"):
        times = lags[first - 1] + (lags[first] - lags[first - 1]) * (before - level) / (before - after)
    times = np.where(below.any(0), times, np.nan)
    made = C.isel(lag=0, drop=True).copy(data=times)
    made.attrs = RELAXATION_TIME.attrs(record)
    return made.to_dataset(name=RELAXATION_TIME.name(record))


# ------------------------------------------------------------------------------------------------- what they start from
def _correlation(dataset: xr.Dataset, record: Any) -> xr.DataArray:
    known = [
        str(name)[2:]
        for name in dataset
        if str(name).startswith(CORRELATION.name(""))
        and {"time", "time_"} <= set(dataset[name].dims)
        and not str(name).endswith(STDERR)
    ]
    if not isinstance(record, str) or record not in known:
        hint = did_you_mean(record, known) if isinstance(record, str) else ""
        raise InputError(
            f"record must be a site vector whose correlation in time the result has, and {shown(record)} is none{hint}"
            f"; it has {listing(known)}"
        )
    return dataset[CORRELATION.name(record)]


def _response(dataset: xr.Dataset, record: str, source: str | None) -> str:
    meaning, bare = RESPONSE.attrs(record)["long_name"], RESPONSE.name(record)
    names = {
        str(name)[len(bare) + 1 :]: str(name) for name in dataset if dataset[name].attrs.get("long_name") == meaning
    }
    if not names:
        raise InputError(f"the result has no response of {record!r}; give the program a source, net.source(group)")
    if source is None and len(names) > 1:
        raise InputError(f"{record!r} responds to several sources: say to which, source= one of {listing(names)}")
    chosen = next(iter(names)) if source is None else source
    if not isinstance(chosen, str) or chosen not in names:
        raise InputError(f"{record!r} has no response to a source {shown(source)}; it has to {listing(names)}")
    return names[chosen]


def _window(C: xr.DataArray, word: str, start: Any) -> np.ndarray:
    """Return the times from the start of a window on, after seeing that they are some, and evenly spaced."""
    times = C["time"].values
    if not is_number(start) or not abs(start) < _LONG_AGO:
        raise InputError(f"{word} must be a time, not {shown(start)}")
    chosen = times[times >= start - 1e-9 * abs(start)]
    if len(chosen) < 2:
        raise InputError(
            f"{word}={start:g} leaves {len(chosen)} of the recorded times, which end at {times[-1]:g}; at least 2 are "
            "needed"
        )
    steps = np.diff(chosen)
    if np.ptp(steps) > 1e-6 * steps[0]:
        raise InputError(
            f"the times from {word}={start:g} on are not evenly spaced, as what depends on their distance needs"
        )
    return np.asarray(chosen)


def _places(among: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.searchsorted(among, times)


def _rounded(lags: np.ndarray) -> np.ndarray:
    """Return lags with the digits that times have, so that ``sel(lag=0.3)`` finds 0.3."""
    return np.array([rounded(lag) for lag in lags])
