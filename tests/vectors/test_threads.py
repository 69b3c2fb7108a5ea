"""Threads: every block is worked on once, errors come through, and BLAS is given its threads back."""

import threading

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # has a BLAS of its own, to be there before threads are counted
from threadpoolctl import threadpool_info

from sitesampler.vectors.threads import Lanes, one_blas_thread


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("blocks", [0, 1, 2, 7])
def test_lanes_cover_all_blocks_once(count: int, blocks: int) -> None:
    lanes, visits, lock = Lanes(count), np.zeros(blocks, int), threading.Lock()

    def work(first: int, last: int) -> None:
        with lock:
            visits[first:last] += 1

    lanes.run(work, blocks)
    lanes.close()
    np.testing.assert_array_equal(visits, 1)


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_in_a_lane_reaches_the_caller(count: int) -> None:
    lanes = Lanes(count)

    def work(first: int, last: int) -> None:
        raise ZeroDivisionError("in a lane")

    with pytest.raises(ZeroDivisionError, match="in a lane"):
        lanes.run(work, 4)
    lanes.close()


def test_a_single_lane_stays_in_the_callers_thread() -> None:
    threads = []
    Lanes().run(lambda first, last: threads.append(threading.get_ident()), 5)
    assert threads == [threading.get_ident()]


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_has_one_thread_until_the_last_holder_leaves() -> None:
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_blas_threads_come_back_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(ValueError, match="stop"), one_blas_thread():
        raise ValueError("stop")
    assert blas_threads() == before
