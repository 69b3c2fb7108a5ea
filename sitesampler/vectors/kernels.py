"""The Numba kernels, and nothing else: what is done at every step on arrays as large as the population.

A history is a table of site vectors, one contiguous row per vector.  Two passes over it are all that the engine needs
(Gram-Schmidt, coloured noise, memory, overlaps and matched draws are made of them): its overlaps with one vector, and
a linear combination of its rows.  Each reads the history once and works on whole blocks of samples, so that callers
can hand blocks to threads and still add up in one fixed order.  Four to eight rows are read together, because the
vector then stays in registers; at the default block these passes run at the speed of memory (see
``studies/benchmarks/``).

For several vectors at once (inner columns) a matrix product of BLAS per block is faster: tables choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

#: Samples per block.  A block of one vector (32 kB in double precision) stays in the first two cache levels.
BLOCK = 4096

# Sums may be reordered (which lets the compiler use vector registers); NaN and infinity keep their meaning.
_FLAGS = {"contract", "reassoc", "nsz", "arcp"}


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel at its first call, and keep it for other processes where there is a folder for that."""
    try:
        return njit(cache=True, nogil=True, fastmath=_FLAGS)(function)
    except RuntimeError:  # neither the installation nor the user's home can be written to
        return njit(nogil=True, fastmath=_FLAGS)(function)


@_compiled
def _dot_four(history, row, start, count, vector, partial, block):  # type: ignore[no-untyped-def]
    first, second = history[row, start : start + count], history[row + 1, start : start + count]
    third, fourth = history[row + 2, start : start + count], history[row + 3, start : start + count]
    part = vector[start : start + count]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for j in range(count):
        # In double precision, or the squares of small numbers would be none.
        value = np.float64(part[j])
        a += first[j] * value
        b += second[j] * value
        c += third[j] * value
        d += fourth[j] * value
    partial[block, row] = a
    partial[block, row + 1] = b
    partial[block, row + 2] = c
    partial[block, row + 3] = d


@_compiled
def _dot_one(history, row, start, count, vector, partial, block):  # type: ignore[no-untyped-def]
    only, part = history[row, start : start + count], vector[start : start + count]
    total = 0.0
    for j in range(count):
        total += np.float64(only[j]) * part[j]
    partial[block, row] = total


@_compiled
def project_blocks(history, rank, vector, first, last, partial):  # type: ignore[no-untyped-def]
    """Write the sum over the samples of each block of history[i] * vector to partial[block, i], for i < rank."""
    size = vector.size
    for block in range(first, last):
        start = block * BLOCK
        count = min(BLOCK, size - start)
        row = 0
        while row + 4 <= rank:
            _dot_four(history, row, start, count, vector, partial, block)
            row += 4
        while row < rank:
            _dot_one(history, row, start, count, vector, partial, block)
            row += 1


@_compiled
def _add_four(history, row, start, count, weights, out):  # type: ignore[no-untyped-def]
    first, second = history[row, start : start + count], history[row + 1, start : start + count]
    third, fourth = history[row + 2, start : start + count], history[row + 3, start : start + count]
    a, b, c, d = weights[row], weights[row + 1], weights[row + 2], weights[row + 3]
    part = out[start : start + count]
    for j in range(count):
        part[j] += (a * first[j] + b * second[j]) + (c * third[j] + d * fourth[j])


@_compiled
def _add_eight(history, row, start, count, weights, out):  # type: ignore[no-untyped-def]
    h0, h1 = history[row, start : start + count], history[row + 1, start : start + count]
    h2, h3 = history[row + 2, start : start + count], history[row + 3, start : start + count]
    h4, h5 = history[row + 4, start : start + count], history[row + 5, start : start + count]
    h6, h7 = history[row + 6, start : start + count], history[row + 7, start : start + count]
    a0, a1, a2, a3 = weights[row], weights[row + 1], weights[row + 2], weights[row + 3]
    a4, a5, a6, a7 = weights[row + 4], weights[row + 5], weights[row + 6], weights[row + 7]
    part = out[start : start + count]
    for j in range(count):
        low = (a0 * h0[j] + a1 * h1[j]) + (a2 * h2[j] + a3 * h3[j])
        part[j] += low + ((a4 * h4[j] + a5 * h5[j]) + (a6 * h6[j] + a7 * h7[j]))


@_compiled
def combine_blocks(history, rank, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Add the sum over i < rank of weights[i] * history[i] to out, for the samples of blocks first to last - 1."""
    size = out.size
    for block in range(first, last):
        start = block * BLOCK
        count = min(BLOCK, size - start)
        row = 0
        while row + 8 <= rank:
            _add_eight(history, row, start, count, weights, out)
            row += 8
        while row + 4 <= rank:
            _add_four(history, row, start, count, weights, out)
            row += 4
        while row < rank:
            only, part, weight = history[row, start : start + count], out[start : start + count], weights[row]
            for j in range(count):
                part[j] += weight * only[j]
            row += 1


@_compiled
def moments(rows, out):  # type: ignore[no-untyped-def]
    """Write mean, variance, third and fourth central moment of each row to out[row], in double precision."""
    size = rows.shape[1]
    for row in range(rows.shape[0]):
        total = 0.0
        for start in range(0, size, BLOCK):
            part = rows[row, start : min(start + BLOCK, size)]
            block = 0.0
            for j in range(part.size):
                block += part[j]
            total += block
        shift = total / size
        m1, m2, m3, m4 = 0.0, 0.0, 0.0, 0.0
        for start in range(0, size, BLOCK):
            part = rows[row, start : min(start + BLOCK, size)]
            first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
            for j in range(part.size):
                value = part[j] - shift
                square = value * value
                first += value
                second += square
                third += square * value
                fourth += square * square
            m1 += first
            m2 += second
            m3 += third
            m4 += fourth
        m1, m2, m3, m4 = m1 / size, m2 / size, m3 / size, m4 / size
        # The shift is the mean but for rounding, which is no small part of the spread where that is small (m1 is).
        out[row, 0] = shift + m1
        out[row, 1] = m2 - m1**2
        out[row, 2] = m3 - 3 * m1 * m2 + 2 * m1**3
        out[row, 3] = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4


def blocks(size: int) -> int:
    """Return how many blocks of samples a vector over ``size`` sites has."""
    return -(-size // BLOCK)
