"""What all tests share: random numbers of their own, and small made-up results where no run is needed."""

import zlib
from typing import Any

import numpy as np
import pytest
import xarray as xr
from made_up import made_up_result


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Return a random generator of the test's own, the same in any order and selection of tests."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


class Calls(list[tuple[str, str, dict[str, Any]]]):
    """The calls that were made: name of the call, name of the program, options and parameters."""

    def sample(self, program: Any, *, replicas: int = 8, population: int = 10_000, **rest: Any) -> xr.Dataset:
        self.append(("sample", program.__name__, {"replicas": replicas, "population": population, **rest}))
        return made_up_result(program.__name__, replicas=replicas, population=population)

    def simulate(self, program: Any, *, replicas: int = 8, size: int = 1_000, **rest: Any) -> xr.Dataset:
        self.append(("simulate", program.__name__, {"replicas": replicas, "size": size, **rest}))
        return made_up_result(program.__name__, replicas=replicas, size=size)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put made-up results in the place of `sitesampler.sample` and `simulate`, and list the calls."""
    made = Calls()
    monkeypatch.setattr("sitesampler.studies.run.sample", made.sample)
    monkeypatch.setattr("sitesampler.studies.run.simulate", made.simulate)
    return made
