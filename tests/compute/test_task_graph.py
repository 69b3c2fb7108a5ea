"""A call as a graph: the tree of merges, and arguments that are no tasks."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from sitesampler.compute.progress import Progress
from sitesampler.compute.task_graph import FAN_IN
from sitesampler.compute.workers import workers_for


@pytest.fixture
def progress() -> Progress:
    return Progress("test", tasks=4, steps=10, show=False)


def written(_: None, number: int, report: Callable[[int], None]) -> str:
    """Later tasks end first, so that a merge in the order of completion would show."""
    time.sleep(0.002 * (7 - number % 7))
    return str(number)


def bracket(parts: list[str]) -> str:
    return f"({' '.join(parts)})"


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_tree_of_merges_follows_from_the_number_of_tasks_alone(at_once: int, progress: Progress) -> None:
    groups = [[(number,) for number in range(count)] for count in (1, 3, FAN_IN, 2 * FAN_IN + 1)]
    found = workers_for(at_once=at_once).run(written, groups, bracket, None, progress)
    first, second = "(0 1 2 3 4 5 6 7)", "(8 9 10 11 12 13 14 15)"
    assert found == ["0", "(0 1 2)", first, f"({first} {second} 16)"]


def nothing(shared: Any, number: int, report: Callable[[int], None]) -> int:
    return number


@pytest.mark.slow
def test_twenty_thousand_tasks_take_seconds(progress: Progress) -> None:
    """A graph of 20,000 delayed calls would take longer to write down than these take to run."""
    started = time.process_time()
    assert workers_for(at_once=2).run(nothing, [[(i,) for i in range(20_000)]], sum, None, progress) == [199_990_000]
    assert time.process_time() - started < 20


def test_what_is_shared_and_arguments_are_handed_over_as_they_are(progress: Progress) -> None:
    """Neither looks like a task or a graph to dask, whatever it contains."""
    shared = {"a": (len, [1, 2])}

    def compare(given: Any, *arguments: Any, report: Callable[[int], None]) -> bool:
        return given is shared and arguments == ((len, "b"), {"x": []})

    assert workers_for().run(compare, [[((len, "b"), {"x": []})]], None, shared, progress) == [True]


def test_several_tasks_without_a_merge_are_refused(progress: Progress) -> None:
    with pytest.raises(TypeError, match="needs a function that merges"):
        workers_for().run(nothing, [[(1,), (2,)]], None, None, progress)
