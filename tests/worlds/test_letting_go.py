"""What a run has used is let go when it is over, without the collector of circles and without anybody clearing it."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.language.network import Network
from sitesampler.vectors.table import Table
from sitesampler.worlds.rehearsal import rehearse


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Any]]]:
    """Collect references to all tables and networks that are made, with the collector off."""
    made: list[weakref.ref[Any]] = []
    for kind in (Table, Network):
        begin = kind.__init__

        def watched(self: Any, *args: Any, begin: Any = begin, **options: Any) -> None:
            begin(self, *args, **options)
            made.append(weakref.ref(self))

        monkeypatch.setattr(kind, "__init__", watched)
    gc.collect()
    gc.disable()
    yield made
    gc.enable()


def learning(net: Any, *, wrong: bool = False) -> None:
    """Products both ways, updates, a source, a tensor, averages, records of all kinds."""
    sites = net.sites()
    J, K = net.coupling(sites, symmetry=0.4), net.tensor_coupling(sites, order=3)
    h = sites.normal()
    for t in net.clock(0.3, 0.1):
        y = J @ np.tanh(h) + net.source(sites, name="input")
        net.record(t, h=h, m=net.mean(h), layers=[h, y])
        h = 0.9 * h + 0.1 * (J.T @ y) + 0.01 * K.force(h) + (np.inf if wrong and t > 0.1 else 0.0)
        J.add(y, np.tanh(h), 0.1)


CALLS = {
    "march": lambda **p: ss.sample(learning, population=100, replicas=2, seed=0, **p),
    "iterations": lambda **p: ss.sample(learning, population=200, chunk=100, replicas=2, seed=0, iterations=1, **p),
    "network": lambda **p: ss.simulate(learning, size=30, replicas=2, seed=0, **p),
    "rehearsal": lambda **p: rehearse(learning, p),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("call", CALLS)
def test_no_table_and_no_network_outlives_a_run(call: str, alive: list[weakref.ref[Any]]) -> None:
    CALLS[call]()
    assert alive and not [ref() for ref in alive if ref() is not None]


@pytest.mark.parametrize("call", ["march", "network"])
def test_nor_one_that_diverged(call: str, alive: list[weakref.ref[Any]]) -> None:
    with pytest.raises(ss.errors.NotFinite):
        CALLS[call](wrong=True)
    assert alive and not [ref() for ref in alive if ref() is not None]
