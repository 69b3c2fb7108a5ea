"""Sampler against direct simulation: scatter squared times CPU seconds, the figure of merit of a Monte Carlo estimate.

The chaotic random network (g = 2, dt = 0.05, duration 50).  For every method the root mean square error of C_h(t, t)
over t in [20, 50] against the closed recursion, bias included, and the CPU seconds of a run with its set-up (rehearsal,
draws, matrices; not the import of Python modules nor the compilation of kernels).  Methods take turns, seed by seed, so
that a machine that changes its speed changes all of them; ratios are printed with their jackknife error over seeds.

    python studies/benchmarks/figure_of_merit.py [--quick] [--seeds 24]
"""

import argparse
import os
import time

import numpy as np

import sitesampler as ss
from sitesampler.theory import random_rnn as theory

NETWORK = {"g": 2.0, "dt": 0.05, "duration": 50.0}
#: Both worlds keep one time in ten of the records: C(t, t) is wanted at a few hundred times, not a table of a million.
EVERY = 10


def run(call, seed, **options):
    """Return the errors of C_h(t, t) over the late times, and the CPU seconds."""
    start = time.process_time()
    dataset = call(ss.models.random_rnn, replicas=1, seed=seed, every=EVERY, progress=False, **options, **NETWORK)
    seconds = time.process_time() - start
    late = dataset.time.values >= 20
    return np.diag(dataset.C_h.values)[late], seconds


def merit(errors, seconds):
    """Mean squared error times mean CPU seconds."""
    return np.mean(np.square(errors)) * np.mean(seconds)


def jackknife_ratio(reference, method):
    """Ratio of the figures of merit, reference over method, and its error over seeds."""
    (a, s), (b, r) = reference, method
    ratio = merit(a, s) / merit(b, r)
    keep = [np.arange(len(s)) != i for i in range(len(s))]
    parts = np.array([merit(a[k], s[k]) / merit(b[k], r[k]) for k in keep])
    return ratio, np.sqrt((len(s) - 1) * np.var(parts))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="four seeds and the small populations only")
    parser.add_argument("--seeds", type=int, default=24)
    options = parser.parse_args()
    seeds = 4 if options.quick else options.seeds
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    methods = {"network of 2,000": (ss.simulate, {"size": 2_000})}
    for population in (2_000, 4_000) if options.quick else (2_000, 4_000, 8_000, 16_000):
        methods[f"sampler, {population:,} samples"] = (ss.sample, {"population": population})
    if not options.quick:
        methods["sampler, 8,000 samples, tolerance 1e-2"] = (ss.sample, {"population": 8_000, "tolerance": 1e-2})
    exact = np.diag(theory.correlation(2.0, dt=0.05, steps=1000)[0])[::EVERY]
    exact = exact[np.arange(len(exact)) * 0.05 * EVERY >= 20]

    for call, sizes in methods.values():  # compile and load what is loaded once
        call(ss.models.random_rnn, replicas=1, seed=0, progress=False, **sizes, **{**NETWORK, "duration": 0.5})
    results = {name: ([], []) for name in methods}
    for seed in range(seeds):
        for name, (call, sizes) in methods.items():
            values, seconds = run(call, seed, **sizes)
            results[name][0].append(values - exact)
            results[name][1].append(seconds)
    results = {name: (np.array(errors), np.array(seconds)) for name, (errors, seconds) in results.items()}

    reference = results["network of 2,000"]
    print(
        f"random_rnn, g = 2, dt = 0.05, duration 50; C_h(t, t) is {exact.mean():.4f} over t in [20, 50]; {seeds} seeds"
    )
    print(f"{'method':40} {'rms error':>10} {'bias':>10} {'CPU s':>7} {'merit of simulation / merit':>28}")
    for name, (errors, seconds) in results.items():
        ratio, error = jackknife_ratio(reference, (errors, seconds))
        rms, bias = np.sqrt(np.mean(errors**2)), np.mean(errors)
        print(f"{name:40} {rms:10.5f} {bias:10.5f} {seconds.mean():7.2f} {ratio:20.0f} +- {error:.0f}")


if __name__ == "__main__":
    main()
