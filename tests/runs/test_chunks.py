"""Chunks: what one leaves behind, for memory to be bounded by a chunk whatever the population."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from iterated import chunk_of, start_of, task_of

import sitesampler as ss
from sitesampler.runs import task as tasks
from sitesampler.vectors.table import Table
from sitesampler.worlds.ensemble import SiteEnsemble


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("program", [ss.models.random_rnn, ss.models.goe_flow, ss.models.spherical_pspin])
@pytest.mark.usefixtures("without_collector")
def test_a_finished_chunk_leaves_no_table_of_samples(program: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a source, one with a source and its twins, one with a tensor."""
    worlds: list[weakref.ref[SiteEnsemble]] = []
    tables: list[weakref.ref[Table]] = []

    class Watched(SiteEnsemble):
        def _draws(self, ratio: float):  # type: ignore[no-untyped-def]
            draws, ratio = super()._draws(ratio)
            worlds.append(weakref.ref(self))
            tables.append(weakref.ref(draws._own))
            return draws, ratio

    monkeypatch.setattr(tasks, "SiteEnsemble", Watched)
    task = task_of(program, 200, duration=0.5, dt=0.1)
    chunk_of(task, start_of(task))
    assert len(worlds) == 2
    assert [world() for world in worlds] == [None, None]
    assert [table() for table in tables] == [None, None]
