"""What a tolerance costs in accuracy: errors of truncation against exact theory, and against statistical errors.

    python studies/benchmarks/tolerance.py [--quick]

Matched draws make Gaussian systems exact but for the tolerance, so their deviation from the closed equations is the
error of truncation alone.  Each is the largest over both times, relative to sqrt(C(t,t) C(t',t')) for correlations and
to the largest response for responses, and printed over the tolerance too: that ratio is what the floor of reported
errors stands for (``_FLOOR_PER_TOLERANCE`` in ``sitesampler/sampler.py``).  The chaotic network has statistical errors
besides; there the root mean square deviation is printed in units of them, beside that of a much smaller tolerance.
"""

import argparse
from typing import Any

import numpy as np

import sitesampler as ss
from sitesampler.theory import goe_flow, random_rnn, regression_flow

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-6)


def linear_rnn(net: Any, *, g: float, symmetry: float, dt: float, duration: float) -> None:
    """Linear network with a leak and a source."""
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h = neurons.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h)
        h = h + dt * (J @ h - h + net.source(neurons))


def gaussian_systems(quick: bool) -> list[tuple[str, Any, dict[str, float], dict[str, np.ndarray]]]:
    """Return name, program, parameters and exact results of systems without scatter."""
    long = 1 if quick else 2
    systems: list[tuple[str, Any, dict[str, float], dict[str, np.ndarray]]] = []
    for dt, steps in ((0.1, 20 * long), (0.05, 40 * long)):
        exact = {"C_h": goe_flow.correlation(dt, steps), "R_h": goe_flow.response(dt, steps)}
        systems.append((f"GOE flow, dt={dt}", ss.models.goe_flow, {"dt": dt, "duration": dt * steps}, exact))
    for alpha in (0.6, 1.5):
        dt, steps = 0.25, 40 * long
        solved = regression_flow.solve(alpha, 0.3, dt, steps)
        exact = {"C_h": solved.C_h, "C_delta": solved.C_delta}
        parameters = {"alpha": alpha, "noise": 0.3, "dt": dt, "duration": dt * steps}
        systems.append((f"regression, alpha={alpha}", ss.models.regression_flow, parameters, exact))
    for g, symmetry in ((1.2, 0.3), (1.2, -0.5), (0.8, 0.0)):
        dt, steps = 0.1, 50 * long
        C, R = random_rnn.linear_correlation_and_response(g, symmetry, dt, steps)
        parameters = {"g": g, "symmetry": symmetry, "dt": dt, "duration": dt * steps}
        systems.append((f"linear RNN, g={g}, symmetry={symmetry}", linear_rnn, parameters, {"C_h": C, "R_h": R}))
    return systems


def deviation(name: str, values: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest deviation, relative as the floor of errors is."""
    if name.startswith("R_"):
        return float(np.abs(values - exact).max() / np.abs(exact).max())
    size = np.sqrt(np.diag(exact))
    return float((np.abs(values - exact) / np.outer(size, size)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="Error of truncation against tolerance.")
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    quick = parser.parse_args().quick
    print("Gaussian systems: largest relative error, and over the tolerance\n")
    print(f"{'system':34}{'':8}" + "".join(f"{f'tolerance {tolerance:g}':>22}" for tolerance in TOLERANCES))
    ratios: dict[float, list[float]] = {tolerance: [] for tolerance in TOLERANCES}
    for title, program, parameters, exact in gaussian_systems(quick):
        runs = [
            ss.sample(program, population=900, replicas=2, seed=0, tolerance=tolerance, progress=False, **parameters)
            for tolerance in TOLERANCES
        ]
        for name, reference in exact.items():
            row = ""
            for tolerance, run in zip(TOLERANCES, runs, strict=True):
                error = deviation(name, run[name].values, reference)
                ratios[tolerance].append(error / tolerance)
                row += f"{error:12.1e} ({error / tolerance:7.4f})"
            print(f"{title:34}{name:8}{row}")
    print(f"{'median':42}" + "".join(f"{'':12} ({np.median(ratios[tolerance]):7.4f})" for tolerance in TOLERANCES))
    print(f"{'largest':42}" + "".join(f"{'':12} ({np.max(ratios[tolerance]):7.4f})" for tolerance in TOLERANCES))

    g, dt, duration = 2.0, 0.1, 10.0 if quick else 20.0
    population, replicas, steps = (4_000, 8, round(duration / dt)) if quick else (10_000, 12, round(duration / dt))
    reference = random_rnn.correlation(g, dt=dt, steps=steps)[0]
    size = np.sqrt(np.outer(np.diag(reference), np.diag(reference)))
    print(f"\nchaotic random RNN, g={g}, dt={dt}, duration={duration}, {replicas} replicas of {population} samples\n")
    print(f"{'tolerance':>12}{'rms deviation':>16}{'rms stderr':>14}{'rms in stderr':>16}")
    for tolerance in TOLERANCES:
        run = ss.sample(
            ss.models.random_rnn, population=population, replicas=replicas, seed=1, tolerance=tolerance,
            progress=False, g=g, dt=dt, duration=duration,
        )  # fmt: skip
        off, error = (run.C_h.values - reference) / size, run.C_h_stderr.values / size
        later = np.s_[10:, 10:]  # the first column is exact
        rms = [float(np.sqrt(np.mean(x[later] ** 2))) for x in (off, error, off / error)]
        print(f"{tolerance:12g}{rms[0]:16.2e}{rms[1]:14.2e}{rms[2]:16.2f}")


if __name__ == "__main__":
    main()
