"""A cluster for the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest
from processes import Processes

from sitesampler.compute.clusters import connect


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    cluster = Processes(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.end()


@pytest.fixture
def client(processes: Processes) -> Iterator[Any]:
    if processes.scheduler.poll() is not None:
        processes.start_scheduler()
    with connect(processes.address) as connected:
        yield connected
