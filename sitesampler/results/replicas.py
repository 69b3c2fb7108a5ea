"""The replicas that a result has kept: what it would be without one of them, and what they all have in common.

Every variable ``x`` with ``x_replicas`` is the mean of these over the replicas, up to a correction that all of them
share, and the square of its standard error is the scatter of this mean and an error that they share: the floor for
tolerance and rounding, and what is left of a bias.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import InputError
from sitesampler.records.names import REPLICAS, STANDARD_ERROR
from sitesampler.results.bias import mean_and_error

if TYPE_CHECKING:
    import xarray as xr

#: Attribute of what a function of `derive` is given: which replicas it is the average of.
AVERAGE_OF = "average_of"
#: Ways in which what all replicas have in common is tried to be wrong.
COMMON_ERRORS = 4


class Replicas:
    """The replicas of one run.

    Parameters
    ----------
    result : xarray.Dataset
    where : str
        Which point of a sweep it is, in a sentence.

    Raises
    ------
    InputError
        If it has not kept its replicas, or has a single one.
    """

    def __init__(self, result: xr.Dataset, where: str = "") -> None:
        self.names = [str(name) for name in result.data_vars if REPLICAS.name(str(name)) in result]
        if not self.names:
            raise InputError(
                "the result has not kept its replicas, whose scatter the error comes from; run it with "
                "keep_replicas=True"
            )
        self._result = result
        each = [result[REPLICAS.name(name)] for name in self.names]
        known = [values.notnull().any([dim for dim in values.dims if dim != "replica"]).values for values in each]
        #: Places of the replicas that know anything: points of a sweep may differ in their number.
        self.places = [int(place) for place in np.flatnonzero(np.any(known, axis=0))]
        if len(self.places) == 1:
            raise InputError(f"a single replica{where} tells nothing of an error; run at least 2 replicas")

    @property
    def average(self) -> xr.Dataset:
        """The variables as the result has them."""
        return self._dataset({name: self._result[name].values.copy() for name in self.names}, "all replicas")

    def without(self, place: int) -> xr.Dataset:
        """Return the variables as they were without one replica; NaN where no other knows them."""
        values = {}
        for name in self.names:
            deviations, count = self._deviations(name)
            with np.errstate(invalid="ignore", divide="ignore"):
                values[name] = self._result[name].values - deviations[place] / (count - 1)
        return self._dataset(values, f"all replicas but {place}")

    def moved(self, way: int) -> xr.Dataset:
        """Return the variables moved by the error that all replicas share: all alike, or each in a way of its own."""
        values = {}
        for order, name in enumerate(self.names):
            error = self.common_error(name)
            if way == 0:
                signs: Any = 1
            elif way == 1:
                signs = (-1) ** order
            else:
                # The signs of an entry are the same whatever else there is.
                signs = np.random.default_rng([way, zlib.crc32(name.encode())]).choice([-1, 1], error.shape)
            values[name] = self._result[name].values + signs * error
        return self._dataset(values, "all replicas, moved by the error that they have in common")

    def _values(self, name: str) -> np.ndarray:
        """Return a variable of each replica, (replicas, ...)."""
        return self._result[REPLICAS.name(name)].transpose("replica", *self._result[name].dims).values

    def _deviations(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return how far each replica is from their mean, and how many know each entry."""
        values = self._values(name)
        known = ~np.isnan(values)
        return np.where(known, values - mean_and_error(values)[0], 0), known.sum(0)

    def common_error(self, name: str) -> np.ndarray:
        """Return what is in the standard error beside the scatter; zero where neither is known."""
        _, scatter = mean_and_error(self._values(name))
        error = self._result[STANDARD_ERROR.name(name)].transpose(*self._result[name].dims).values
        with np.errstate(invalid="ignore", over="ignore"):
            common = np.sqrt(np.maximum(error**2 - scatter**2, 0))
            # What rounding leaves of a difference is no error.
            return np.where(common > 1e-7 * error, common, 0.0)

    def _dataset(self, values: dict[str, np.ndarray], of: str) -> xr.Dataset:
        names = {name: self._result[name].copy(data=array) for name, array in values.items()}
        empty = self._result.drop_vars(list(self._result.data_vars))
        return empty.assign(names).assign_attrs({AVERAGE_OF: of})
