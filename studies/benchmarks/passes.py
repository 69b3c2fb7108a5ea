"""The engine's products against bare BLAS calls that move the same bytes.

A product J @ x inside the span of its basis reads the basis and the images once; a second direction (memory) reads
two more tables.  BLAS does the same with one matrix-vector (or matrix-matrix) product per table.  Both take turns;
ratios of medians are printed.

    python studies/benchmarks/passes.py [--quick]
"""

import argparse
import time

import numpy as np

from sitesampler.physics.matrix import GaussianMatrix
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.vectors.draws import MatchedDraws
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.threads import one_blas_thread


def medians(functions, rounds):
    """Median seconds of each function; they take turns."""
    times = np.zeros((rounds, len(functions)))
    for turn in range(rounds):
        for which, function in enumerate(functions):
            start = time.perf_counter()
            function()
            times[turn, which] = time.perf_counter() - start
    return np.median(times[rounds // 4 :], 0)


def case(population, rank, columns, memory, dtype, rounds):
    """Return the ratio of one product to bare BLAS, and the BLAS seconds."""
    draws = [MatchedDraws(Layout(population, np.dtype(dtype)), np.random.SeedSequence(i)) for i in range(2)]
    order = LiveOrderParameters(1e-3)
    matrix = GaussianMatrix(draws[0], draws[1], (1.0, 1.0), 1.0, 0.0, order)
    nothing = np.zeros(rank)
    x = draws[1].normal(rank)
    matrix.times(x, nothing)
    if memory:
        matrix.transposed_times(draws[0].normal(rank), nothing)
    vector = np.ascontiguousarray(np.linspace(0.5, 1.5, rank * columns).reshape(columns, rank).astype(dtype) @ x)
    tables = [(matrix.forward.basis.rows, matrix.forward.images.rows)]
    if memory:
        tables.append((matrix.backward.images.rows, matrix.backward.basis.rows))

    def engine():
        matrix.times(vector, nothing[:columns])

    def blas():
        for into, out in tables:
            if columns == 1:
                np.dot(np.dot(into, vector[0]), out)
            else:
                np.dot(np.dot(into, vector.T).T, out)

    fast, bare = medians([engine, blas], rounds)
    return fast / bare, bare


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="small cases only")
    options = parser.parse_args()
    print(f"{'population':>10} {'rank':>5} {'columns':>8} {'memory':>7} {'dtype':>8} {'BLAS ms':>8} {'ratio':>6}")
    with one_blas_thread():
        for population in (2_000, 8_000) if options.quick else (2_000, 8_000, 32_000):
            for rank in (60, 240):
                for columns, memory, dtype in ((1, False, "f8"), (1, True, "f8"), (4, False, "f8"), (1, False, "f4")):
                    ratio, bare = case(population, rank, columns, memory, dtype, 20 if options.quick else 60)
                    row = f"{population:10} {rank:5} {columns:8} {memory!s:>7} {np.dtype(dtype).name:>8}"
                    print(f"{row} {1e3 * bare:8.3f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
