"""The runs that a system asks for: sizes for a quick table or a full one, and seeds."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.records.names import STDERR
from sitesampler.runs import calls

if TYPE_CHECKING:
    import xarray as xr

    from sitesampler.worlds.execute import Program

#: What the full table multiplies: populations, N of networks, and their replicas.
_LARGER = {"population": 6, "size": 2, "replicas": 3}
#: Tolerances of statistical rows, quick and full: their part of the error stays below the scatter.
_QUICK, _FULL = 1e-3, 5e-4
#: Tolerance at which exact systems are sampled.
_TIGHT = 1e-12


class Runs:
    """Runs programs for one system of the table.

    Parameters
    ----------
    system : str
    seed : int
        Every run of every system has a seed of its own, derived from this one, the system's name and the run's place.
    quick : bool
        Sizes of the quick table; those of the full one are larger.
    """

    def __init__(self, system: str, seed: int = 0, quick: bool = True) -> None:
        self.system, self.quick = system, quick
        self._seeds = np.random.SeedSequence([seed, zlib.crc32(system.encode())])

    def next_seed(self) -> int:
        """Return the seed of the next run."""
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def _larger(self, what: str, number: int) -> int:
        return number if self.quick else number * _LARGER[what]

    def _labelled(self, dataset: xr.Dataset, label: str, started: float, **attrs: Any) -> xr.Dataset:
        return dataset.assign_attrs(system=self.system, label=label, seconds=time.perf_counter() - started, **attrs)

    def sample(
        self, program: Program, label: str = "", population: int = 4_000, replicas: int = 16, **parameters: Any
    ) -> xr.Dataset:
        """Sample at N = infinity, with statistical errors."""
        started = time.perf_counter()
        parameters = {"tolerance": _QUICK if self.quick else _FULL, **parameters}
        result = calls.sample(
            program, population=self._larger("population", population), replicas=replicas, seed=self.next_seed(),
            keep=0, progress=False, **parameters,
        )  # fmt: skip
        return self._labelled(result, label, started)

    def populations(
        self, program: Program, label: str = "", population: int = 2_000, replicas: int = 16, **parameters: Any
    ) -> xr.Dataset:
        """Sample with a population and with one of twice the size, to remove a bias that falls as 1/population."""
        started = time.perf_counter()
        small = self.sample(program, label, population, replicas, **parameters)
        large = self.sample(program, label, 2 * population, replicas, **parameters)
        return self._labelled(_extrapolated(small, large), label, started)

    def exact(self, program: Program, label: str = "", population: int = 500, **parameters: Any) -> xr.Dataset:
        """Sample a Gaussian system, which a small population at a tight tolerance gives to many digits."""
        started = time.perf_counter()
        parameters = {"tolerance": _TIGHT, **parameters}
        result = calls.sample(
            program, population=population, replicas=2, seed=self.next_seed(), keep=0, progress=False, **parameters
        )
        return self._labelled(result, label, started)

    def network(
        self, program: Program, size: int, replicas: int, grow: bool = True, many: bool = True, **parameters: Any
    ) -> xr.Dataset:
        """Simulate networks of N = size; for the full table larger ones if `grow`, and more of them if `many`."""
        started = time.perf_counter()
        size = self._larger("size", size) if grow else size
        result = calls.simulate(
            program, size=size, replicas=self._larger("replicas", replicas) if many else replicas,
            seed=self.next_seed(), keep=0, progress=False, **parameters,
        )  # fmt: skip
        return self._labelled(result, "", started, kind=f"simulation, N = {size:,}")

    def networks(self, program: Program, size: int, replicas: int, **parameters: Any) -> xr.Dataset:
        """Simulate networks of N = size and of twice that; return their limit, lacking what falls as 1/N."""
        started = time.perf_counter()
        small = self.network(program, size, replicas, **parameters)
        large = self.network(program, 2 * size, replicas, **parameters)
        limit = _extrapolated(small, large)
        kind = f"simulation, N = {small.attrs['size']:,} and {large.attrs['size']:,}"
        return self._labelled(limit, "", started, kind=kind)


def _extrapolated(small: xr.Dataset, large: xr.Dataset) -> xr.Dataset:
    """Return the limit of infinite size of two results, the larger of twice the size, that both err as 1/size."""
    limit = large.copy()
    for name in map(str, small.data_vars):
        if name + STDERR in small:
            limit[name] = 2 * large[name] - small[name]
            limit[name + STDERR] = np.hypot(2 * large[name + STDERR], small[name + STDERR])
    return limit
