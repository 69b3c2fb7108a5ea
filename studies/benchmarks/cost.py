"""Cost of a step of the sampler against time step, duration and population, with the rank of the basis.

The rank follows the physics (the number of independent directions that the activity explores), not the step size: half
the step doubles the steps, not the rank.  Runs take turns; the ratios are to the first row.

    python studies/benchmarks/cost.py [--quick]
"""

import argparse
import time

import numpy as np

import sitesampler as ss

#: (population, dt, duration); the first row is the reference.
CASES = (
    (4_000, 0.05, 50.0),
    (4_000, 0.1, 50.0),
    (4_000, 0.025, 50.0),
    (4_000, 0.05, 25.0),
    (4_000, 0.05, 100.0),
    (1_000, 0.05, 50.0),
    (16_000, 0.05, 50.0),
    (64_000, 0.05, 50.0),
)


def run(population, dt, duration):
    """Return CPU seconds per step and per (step and sample), and the rank of the basis at the end."""
    couplings = []

    def network(net, *, g, dt, duration):
        neurons = net.sites()
        J = net.coupling(neurons, gain=g)
        couplings.append(J)
        h = neurons.normal()
        for t in net.clock(duration, dt):
            net.record(t, h=h)
            h = h + dt * (J @ np.tanh(h) - h)

    start = time.process_time()
    options = {"population": population, "replicas": 1, "seed": 0, "every": 20, "progress": False}
    ss.sample(network, **options, g=2.0, dt=dt, duration=duration)
    seconds = time.process_time() - start
    return seconds / (duration / dt), len(couplings[-1].matrix.forward.basis)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="one round, without the largest population")
    options = parser.parse_args()
    cases, rounds = (CASES[:-1], 1) if options.quick else (CASES, 3)
    run(500, 0.1, 1.0)
    results = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            results[case].append(run(*case))
    medians = {case: np.median([seconds for seconds, _ in rows]) for case, rows in results.items()}
    reference = medians[cases[0]]
    print(f"{'population':>10} {'dt':>6} {'duration':>9} {'rank':>5} {'CPU ms / step':>14} {'/ reference':>12}", end="")
    print(f" {'per sample and rank':>20}")
    first = reference / (cases[0][0] * results[cases[0]][0][1])
    for case in cases:
        rank = results[case][0][1]
        each = medians[case] / (case[0] * rank) / first
        print(f"{case[0]:10} {case[1]:6} {case[2]:9} {rank:5} {1e3 * medians[case]:14.3f}", end="")
        print(f" {medians[case] / reference:12.2f} {each:20.2f}")


if __name__ == "__main__":
    main()
