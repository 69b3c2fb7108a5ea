"""Extrapolation to dt -> 0: two runs at two time steps make a value whose error falls by one order more.

An error a dt^p of order p is taken away by Richardson's combination x + (x - x')/(r^p - 1) of a run x and one, x', with
steps r times as long.  It is made replica by replica: with the same seed, what chance does to both cancels in the
difference, and the scatter of the combination is its error.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError, is_number, shown
from sitesampler.records.names import REPLICAS, STANDARD_ERROR, TRAJECTORY
from sitesampler.results.bias import mean_and_error
from sitesampler.results.compare import same_lengths
from sitesampler.results.provenance import facts_of
from sitesampler.results.replicas import Replicas
from sitesampler.results.time_steps import EXTRAPOLATED, StepChange, change_of_steps, time_steps

if TYPE_CHECKING:
    import xarray as xr

#: Part of the error of the step that may be left, at least, and for a relative error e of order p: its root e^(1/p),
#: which is about the step over the time in which things change, times the ratio of the steps and this.  A judgement:
#: what is left of ten exact systems is within 1.6 times this (``studies/benchmarks/extrapolation.py``).
_LEFT, _LEFT_PER_ROOT = 0.2, 2.0
#: Relative difference of numbers that are the same but for rounding, in units of the machine precision.
_ROUNDING = 1e3
#: Attributes in which two results that are extrapolated agree.
_SAME = ("program", "world", "size", "matrix", "sweep")
#: Parameters of a program that are its step, or say when it records.
_OF_STEPS = ("dt", "record_dt")


def extrapolate(fine: xr.Dataset, coarse: xr.Dataset) -> xr.Dataset:
    """Return the limit of small time steps from two results at two steps (Richardson), with standard errors.

    Run the program twice with the same seed, at dt and 2 dt, and keep the replicas.  The order is that of the scheme,
    which results say in their attributes: 1 for programs in `net.clock`.

    Parameters
    ----------
    fine, coarse : xarray.Dataset
        From `sample`, `simulate` or `sweep`, with ``keep_replicas=True``: the same but for the time step.

    Returns
    -------
    xarray.Dataset
        For every variable ``x`` with an error, on the coordinates that both results share: ``x``, ``x_stderr`` and
        ``x_replicas``, a result like any other; trajectories are those of the finer run.  The error is the scatter of
        the extrapolated replicas, in quadrature with what all replicas share and with what may be left of the error of
        the step: a fifth of what was taken away, and more for large steps; all of it inside a step of the scheme.
        Attributes are those of the finer run; ``extrapolated`` has both steps, and of each variable
        ``step_over_stderr`` and ``step_left_over_stderr`` say what was taken away, and what may be left (medians, in
        standard errors).

    Raises
    ------
    InputError
        If one is no result, has kept no replicas, or says no step; if both have the same step; if they differ in
        anything else.

    Warns
    -----
    RuntimeWarning
        If their seeds differ: the difference then has the noise of both.

    Examples
    --------
    >>> import sitesampler as ss
    >>> def decay(net, *, dt):
    ...     for t, h in net.flow(lambda h: -h, net.sites().normal(), 1.0, dt, scheme="heun"):
    ...         net.record(t, h=h)
    >>> fine, coarse = (
    ...     ss.sample(decay, dt=dt, population=200, replicas=2, seed=0, keep_replicas=True) for dt in (0.125, 0.25)
    ... )
    >>> found = extrapolate(fine, coarse)
    >>> [f"{ds.C_h.sel(time=1, time_=0):.4f}" for ds in (coarse, fine, found)]  # exp(-1) = 0.3679
    ['0.3725', '0.3689', '0.3677']
    """
    import xarray as xr

    change = _checked(fine, coarse)
    if change.first_is_coarse:
        fine, coarse = coarse, fine
    names = [name for name in Replicas(fine).names if name in Replicas(coarse).names]
    wanted = [kind(name) for name in names for kind in (str, STANDARD_ERROR.name, REPLICAS.name)]
    kept = [result[[name for name in wanted if name in result]].compute() for result in (fine, coarse)]
    one, other = xr.align(*same_lengths(kept), join="inner")
    if not any(one[name].size for name in names):
        what = f"coordinates of {names[0]!r}" if names else "variable with replicas"
        raise InputError(f"fine and coarse have no {what} in common; record the same in both, at the same times")
    swept = list(facts_of(fine, "sweep"))
    whole = xr.merge([_Extrapolated(name, one, other, change, swept).dataset() for name in names], compat="override")
    whole = whole.assign(_trajectories(fine, whole))
    for dim in whole.coords:
        whole[dim].attrs = fine[dim].attrs
    if str(fine.attrs.get("seed")) != str(coarse.attrs.get("seed")):
        warnings.warn(
            f"the two results have the seeds {fine.attrs.get('seed')} and {coarse.attrs.get('seed')}, and their "
            "difference has the noise of both; with one seed, what chance does to both cancels",
            RuntimeWarning,
            stacklevel=2,
        )
    whole.attrs = _attributes(fine, coarse, change)
    return whole


class _Extrapolated:
    """A variable at dt -> 0.

    Parameters
    ----------
    name : str
    fine, coarse : xarray.Dataset
        Both results, on the coordinates that they share.
    change : StepChange
        What their steps differ in.
    swept : sequence of str
        Dimensions along which points are results of their own.
    """

    def __init__(
        self, name: str, fine: xr.Dataset, coarse: xr.Dataset, change: StepChange, swept: Sequence[str]
    ) -> None:
        self._name, self._both, self._change = name, (fine, coarse), change
        self._dims = fine[name].dims
        self._axes = tuple(axis for axis, dim in enumerate(self._dims) if dim not in swept)
        x, other = self._values(name)
        #: What is taken away from the finer result, with its sign turned, and what then remains.
        self._shift = change.weight * (x - other)
        self._limit = x + self._shift

    def dataset(self) -> xr.Dataset:
        """Return the variable with its standard error and its replicas."""
        name, weight, (fine, _) = self._name, self._change.weight, self._both
        x, other = self._values(REPLICAS.name(name), "replica")
        of_fine, of_coarse = (Replicas(result).common_error(name) for result in self._both)
        scatter = mean_and_error(x + weight * (x - other))[1]
        common = np.hypot((1 + weight) * of_fine, weight * of_coarse)
        left = self._left(weight * np.hypot(mean_and_error(x - other)[1], np.hypot(of_fine, of_coarse)))
        error = np.sqrt(scatter**2 + common**2 + left**2)
        out = fine[[name, STANDARD_ERROR.name(name), REPLICAS.name(name)]].copy()
        out[name] = out[name].copy(data=self._limit)
        out[STANDARD_ERROR.name(name)] = out[STANDARD_ERROR.name(name)].transpose(*self._dims).copy(data=error)
        each = out[REPLICAS.name(name)].transpose("replica", *self._dims)
        out[REPLICAS.name(name)] = each.copy(data=x + weight * (x - other))
        out[name].attrs = {key: value for key, value in fine[name].attrs.items() if not key.startswith("bias_")} | {
            "step_over_stderr": _median(np.abs(self._shift) / error),
            "step_left_over_stderr": _median(left / error),
        }
        return out

    def _values(self, name: str, *first: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what both results have under a name."""
        x, other = (result[name].transpose(*first, *self._dims).values for result in self._both)
        return x, other

    def _left(self, uncertain: np.ndarray) -> np.ndarray:
        """Return what may be left of the error of the step, as far as that is seen above its standard error."""
        size, change, inside = np.abs(self._shift), self._change, self._inside_steps()
        with np.errstate(all="ignore"):
            seen = size**2 - np.where(np.isfinite(uncertain), uncertain, 0) ** 2
            at_steps = np.where(inside, np.nan, seen)
            relative = np.sqrt(np.maximum(self._mean(at_steps), 0) / self._mean(np.abs(self._limit) ** 2))
            relative = np.nan_to_num(relative, nan=0.0, posinf=0.0)
            part = np.clip(_LEFT_PER_ROOT * change.ratio * relative ** (1 / change.order), _LEFT, 1)
            # Where the error of the step changes sign, that of the next order does not.
            left = part * np.sqrt(np.maximum(seen, 0) + (relative * np.abs(self._limit)) ** 2)
        left[self._before_steps()] = 0
        return np.where(inside, np.maximum(left, size), left)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of what is known, of each point of a sweep by itself."""
        known = np.isfinite(values)
        return np.asarray(
            np.where(known, values, 0).sum(self._axes, keepdims=True) / known.sum(self._axes, keepdims=True)
        )

    def _before_steps(self) -> np.ndarray:
        """Say where no step has moved anything: at the start, which all replicas of both results have in common."""
        x, other = self._values(REPLICAS.name(self._name), "replica")
        rounding = _ROUNDING * float(np.finfo(self._both[0].attrs.get("dtype", "float64")).eps)
        return np.asarray(np.all(np.isclose(x, other, rtol=rounding, atol=0), axis=0))

    def _inside_steps(self) -> np.ndarray:
        """Say at which times a scheme interpolates, with an error that its order does not tell."""
        inside = np.zeros(self._limit.shape, bool)
        steps = [coarse.dt for _, coarse in self._change.steps if coarse.order > 1]
        for axis, dim in enumerate(self._dims):
            if dim not in ("time", "time_"):
                continue
            times = self._both[0][dim].values
            off = np.array([any(abs(t / dt - round(t / dt)) > 1e-6 for dt in steps) for t in times])
            inside |= np.expand_dims(off, [other for other in range(inside.ndim) if other != axis])
        return inside


def _trajectories(fine: xr.Dataset, whole: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the trajectories of the finer run, at the times of the result."""
    start = TRAJECTORY.name("")
    found = {str(name): each for name, each in fine.data_vars.items() if str(name).startswith(start)}
    found = {name: each for name, each in found.items() if name not in whole}
    for name, each in found.items():
        found[name] = each.sel({dim: whole[dim] for dim in each.dims if dim in whole.coords})
        found[name].attrs = {**each.attrs, "comment": "of the run with the shorter steps, not extrapolated"}
    return found


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(f"{np.median(known) if known.size else 0.0:.3g}")


# ------------------------------------------------------------------------------------------------- two of one kind
def _checked(fine: xr.Dataset, coarse: xr.Dataset) -> StepChange:
    """Return what the steps of two results differ in, after refusing those that differ in anything else."""
    import xarray as xr

    both = {"fine": fine, "coarse": coarse}
    for word, result in both.items():
        if not isinstance(result, xr.Dataset):
            raise InputError(
                f"{word} must be a result of sample, simulate or sweep (a dataset of xarray), not {shown(result)}"
            )
        if EXTRAPOLATED in result.attrs:
            raise InputError(f"{word} is extrapolated already; extrapolate takes results at two time steps")
        if "dt" in facts_of(result, "sweep"):
            raise InputError(f"{word} is a sweep over dt; make one sweep at each of two time steps")
    for name in _SAME:
        one, other = (result.attrs.get(name) for result in (fine, coarse))
        if str(one) != str(other):
            raise InputError(
                f"fine and coarse differ in their {name}, {shown(one)} and {shown(other)}; extrapolate takes results "
                "that differ in their time step alone"
            )
    for word, result in both.items():
        if not time_steps(result):
            raise InputError(
                f"{word} ({result.attrs.get('program', 'of no program')}) says no time step: it comes from no flow and "
                "no clock"
            )
        if not any(REPLICAS.name(str(name)) in result for name in result.data_vars):
            raise InputError(
                f"{word} has not kept its replicas, whose scatter the error comes from; run it with keep_replicas=True"
            )
    change = change_of_steps(fine, coarse)
    _check_parameters(fine, coarse, change)
    counts = [result.sizes["replica"] for result in (fine, coarse)]
    if counts[0] != counts[1]:
        raise InputError(
            f"fine and coarse have {counts[0]} and {counts[1]} replicas, and extrapolate pairs them; run as many"
        )
    return change


def _check_parameters(fine: xr.Dataset, coarse: xr.Dataset, change: StepChange) -> None:
    one, other = (facts_of(result, "parameters") for result in (fine, coarse))
    steps = [{short.dt, long.dt} for short, long in change.steps]
    differ = [
        name
        for name in {**one, **other}
        if one.get(name) != other.get(name)
        and name not in _OF_STEPS
        and not (is_number(one.get(name)) and is_number(other.get(name)) and {one[name], other[name]} in steps)
    ]
    if differ:
        name = differ[0]
        raise InputError(
            f"fine and coarse differ in {name} too, {shown(one.get(name))} and {shown(other.get(name))}; extrapolate "
            "takes results that differ in their time step alone"
        )


def _attributes(fine: xr.Dataset, coarse: xr.Dataset, change: StepChange) -> dict[str, Any]:
    """Return those of the finer run, and the worse of both certificates."""
    steps = [[step.dt for step in pair] for pair in change.steps]
    attrs = {name: value for name, value in fine.attrs.items() if name not in ("keep", "bias")}
    attrs |= {"title": f"{fine.attrs.get('title', 'a result')}, extrapolated to dt = 0"}
    attrs |= {EXTRAPOLATED: json.dumps(steps[0] if len(steps) == 1 else steps)}
    for name, worse in (("converged", min), ("self_consistency_residual", max)):
        both = [result.attrs[name] for result in (fine, coarse) if name in result.attrs]
        attrs |= {name: worse(both)} if both else {}
    bias = list(dict.fromkeys(result.attrs["bias"] for result in (fine, coarse) if "bias" in result.attrs))
    failed = {**facts_of(coarse, "failed"), **facts_of(fine, "failed")}
    attrs |= {"bias": "; ".join(bias)} if bias else {}
    return attrs | ({"failed": json.dumps(failed)} if failed else {})
