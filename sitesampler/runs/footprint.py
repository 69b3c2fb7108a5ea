"""How much memory a run will need, so that one that cannot fit is refused before it starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import psutil

from sitesampler.errors import OutOfMemory, PopulationTooSmall
from sitesampler.language.script import Plan
from sitesampler.runs.task import Task
from sitesampler.worlds.finite import sites_of

#: Rank that a long smooth run is likely to reach; beyond it memory is checked as the tables grow.
_LIKELY_RANK = 250


def _groups_bytes(plan: Plan, sizes: list[int], itemsize: int, twins: bool, kept_draws: bool, bases: bool) -> int:
    """Bytes of the tables of site vectors of one replica."""
    copies = 2 if twins else 1
    total = 0
    for index, size in enumerate(sizes):
        vectors = 16 + copies * (2 * plan.updates[index] if bases else 0)
        vectors += plan.draws[index] if kept_draws else 0
        # A basis vector, its image, and what it adds to the directions that draws are matched against.
        vectors += 3 * min(copies * plan.products[index], _LIKELY_RANK) if bases else 0
        for name, record in plan.records.items():
            vectors += plan.times.get(name, 0) * record.columns * record.groups.count(index)
        total += vectors * size * itemsize
    return total


def _tables_bytes(plan: Plan) -> int:
    """Bytes of the two-time tables of one replica."""
    total = 0
    for name, record in plan.records.items():
        responses = 1 if plan.sources + plan.tensors else 0
        layers = len(record.groups)
        total += (1 + responses) * 2 * 8 * layers * (plan.times.get(name, 0) * record.columns) ** 2
    return total


def _kept_bytes(task: Task) -> int:
    """Bytes of the replicas that a result keeps: their values, once more while they are put together."""
    return task.asked.replicas * _tables_bytes(task.plan) if task.asked.keep_replicas else 0


def _refuse(needed: Callable[[int], int], size: int, replicas: int, at_once: int, word: str) -> None:
    """Raise `OutOfMemory` with the number, and what would fit."""
    available = psutil.virtual_memory().available
    if needed(size) <= available:
        return
    low, high = 0, size
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if needed(middle) <= available else (low, middle)
    if low:
        advice = f"a {word} of about {int(float(f'{low:.2g}'))} would fit"
    else:
        advice = "thin the records with every= (the two-time tables alone do not fit)"
    pieces = "chunks" if word == "chunk" else "replicas"
    raise OutOfMemory(
        f"{at_once} of {replicas} {pieces} at a time with a {word} of {size} need {needed(size) / 2**30:.1f} GiB, and "
        f"{available / 2**30:.1f} GiB are free; {advice}"
    )


def check_population(task: Task, pieces: int, at_once: int) -> None:
    """Refuse a population, or a chunk of one, that is too small for its draws, or too large for the memory.

    Raises
    ------
    PopulationTooSmall
        If the draws of a group, which must be orthogonal to each other, outnumber the samples.
    OutOfMemory
        If the replicas that run at the same time do not fit.
    """
    plan, population, itemsize = task.plan, task.size, np.dtype(task.asked.dtype).itemsize
    word = "chunk" if population < task.asked.size else "population"
    needed = 1 + max(plan.draws, default=0)
    if population < needed:
        raise PopulationTooSmall(
            f"a {word} of {population} samples is too small: the program draws {needed - 1} vectors, which must be "
            f"orthogonal to each other; use a {word} above {needed}, and more for what its couplings draw"
        )
    groups = len(plan.ratios)

    def total(size: int) -> int:
        one = _groups_bytes(plan, [size] * groups, itemsize, plan.sources > 0, True, True)
        if word == "chunk":  # which keeps every vector that a matrix is multiplied with
            one += (2 if plan.sources else 1) * sum(plan.products) * size * itemsize
        return at_once * (one + _tables_bytes(plan)) + pieces * _tables_bytes(plan) // 2 + _kept_bytes(task)

    _refuse(total, population, pieces, at_once, word)


def check_network(task: Task, at_once: int) -> None:
    """Refuse a finite network that does not fit the memory.

    Raises
    ------
    OutOfMemory
        If the replicas that run at the same time do not fit.
    """
    matrix = task.asked.matrix
    plan, replicas, itemsize = task.plan, task.asked.replicas, np.dtype(task.asked.dtype).itemsize
    pairs = [event.groups for event in plan.said("coupling")]
    orders = [event.detail[0] for event in plan.said("tensor_coupling")]

    def total(n: int) -> int:
        sizes = [sites_of(ratio, n) for ratio in plan.ratios]
        twins = plan.sources + plan.tensors > 0
        one = _groups_bytes(plan, sizes, itemsize, twins, False, not matrix or twins)
        if matrix:
            by_name = dict(zip(plan.groups, sizes, strict=True))
            one += sum(by_name[rows] * by_name[cols] * itemsize for rows, cols in pairs)
            # While it is symmetrised, a tensor stands beside its copy.
            one += sum(2 * 8 * max(sizes) ** order for order in orders)
        return at_once * (one + _tables_bytes(plan)) + replicas * _tables_bytes(plan) // 2 + _kept_bytes(task)

    _refuse(total, task.size, replicas, at_once, "size")
