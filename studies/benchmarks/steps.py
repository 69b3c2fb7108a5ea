"""Steps of the continuous models: their error at the default step against the statistical error of a default run.

For each model and each variable with an error: the root mean square, over the times that all steps have, of what the
step does, at twice, once and half the default step; the order that the last two show; the standard error of a default
run (10,000 samples, 8 replicas), and its ratio to what the default step does, which is to be below a tenth.  What a
step does is seen on one network, where nothing else changes with it; of the spherical model, which has noise, on its
closed equations at dt -> 0, since matched draws leave no other error there.  The row that is printed is that of the
largest ratio.  Then, of the same variable: the error of Euler's map at the step that was the default once, and how
many times more its error times CPU seconds is (a sample of 2,000 to the same time, without compilation).

    python studies/benchmarks/steps.py [--quick] [NAME ...]
"""

import argparse
import inspect
import time

import numpy as np

import sitesampler as ss
from sitesampler.theory import spherical_pspin

MODELS = [
    "random_rnn", "random_rnn_lyapunov", "low_rank_rnn", "excitatory_inhibitory", "spherical_pspin", "goe_flow",
    "regression_flow", "random_features", "lotka_volterra", "perceptron_flow",
]  # fmt: skip
#: Systems without an error of sampling: what they state is the floor of the tolerance, whatever the population.
EXACT = {"goe_flow", "regression_flow", "random_features", "spherical_pspin"}
#: Steps of the maps.
FORMER = {
    "random_rnn": 0.05,
    "random_rnn_lyapunov": 0.05,
    "low_rank_rnn": 0.1,
    "goe_flow": 0.1,
    "regression_flow": 0.25,
}
#: The longest run in which one network is followed: chaos lets any difference grow.
LONGEST = 10.0


def defaults_of(model):
    """Return the default values of the parameters of a model."""
    return {key: given.default for key, given in list(inspect.signature(model).parameters.items())[1:]}


def common(dataset, times):
    """Return what a dataset says at some times, of the variables that have an error."""
    axes = {dim: times for dim in ("time", "time_") if dim in dataset.dims}
    chosen = dataset.sel(axes, method="nearest")
    # Responses of one network are estimates, with random fields of their own at each step.
    names = [str(x) for x in chosen.data_vars if f"{x}_stderr" in chosen and not str(x).startswith("R_")]
    return {name: chosen[name].values for name in names if "kurtosis" not in name}


def limit_of_spins(defaults, duration, times):
    """Return the variables of the spherical model at dt -> 0."""
    found = spherical_pspin.solve(defaults["p"], defaults["temperature"], times=times)
    return {"C_s": found.C, "energy": found.energy, "multiplier": found.multiplier}


def errors_of_steps(model, dt, duration, former):
    """Return, by variable, the error of the steps 2 dt, dt and dt/2, and that of the map at its former step."""
    times = np.arange(0, duration + dt, 2 * dt)
    options = {"replicas": 2, "seed": 5, "progress": False, "duration": duration}
    if model is ss.models.spherical_pspin:
        right = limit_of_spins(defaults_of(model), duration, times)
        call, size = ss.sample, {"population": 3_000, "tolerance": 1e-4}
    else:
        call, size = ss.simulate, {"size": 300}
        right = common(call(model, dt=dt / 8, scheme="rk4", **size, **options), times)
    found = [common(call(model, dt=step * dt, **size, **options), times) for step in (2, 1, 0.5)]
    found.append(common(call(model, dt=former, scheme="euler", **size, **options), times))
    return {
        name: [float(np.sqrt(np.nanmean((one[name] - right[name]) ** 2))) for one in found]
        for name in right
        if np.isfinite(right[name]).any()
    }


def cpu_seconds(model, **options):
    """Return the CPU seconds of a sample; of the second one, since the first may compile."""
    for _ in range(2):
        start = time.process_time()
        ss.sample(model, population=2_000, replicas=1, seed=1, progress=False, **options)
    return time.process_time() - start


def row(name, quick):
    """Print the row of a model."""
    model = getattr(ss.models, name)
    defaults = defaults_of(model)
    dt, duration = defaults["dt"], defaults["duration"]
    size = {"population": 2_500} if quick else {}
    statistical = ss.sample(model, seed=1, progress=False, **size)
    duration = 2 * dt * int(min(duration, LONGEST) / (2 * dt))
    former = FORMER.get(name, dt)
    errors = errors_of_steps(model, dt, duration, former)
    known = {name: float(np.sqrt(np.nanmean(statistical[f"{name}_stderr"].values ** 2))) for name in errors}
    scale = 2 if quick and name not in EXACT else 1
    known = {name: error / scale for name, error in known.items() if error > 0}
    worst = max(known, key=lambda name: errors[name][1] / known[name])
    steps = ", ".join(f"{error:.1e}" for error in errors[worst][:3])
    order = np.log2(errors[worst][1] / errors[worst][2]) if errors[worst][2] > 0 else np.nan
    scheme = statistical.attrs["scheme"]
    ratio = errors[worst][1] / known[worst]
    seconds, slow = (cpu_seconds(model, duration=duration, **how) for how in ({}, {"scheme": "euler", "dt": former}))
    gain = errors[worst][3] * slow / (errors[worst][1] * seconds)
    print(
        f"| {name} | {scheme} | {dt:g} | {worst} | {steps} | {order:.1f} | {known[worst]:.1e} | {ratio:.3f} "
        f"| {former:g} | {errors[worst][3]:.1e} | {slow:.2f}, {seconds:.2f} | {gain:.3g} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the samples, for the error of all")
    parser.add_argument("names", nargs="*", default=MODELS, help="models (all of them)")
    arguments = parser.parse_args()
    print("| model | scheme | dt | variable | error at 2 dt, dt, dt/2 | order | statistical | ratio ", end="")
    print("| Euler at dt | its error | CPU s, old and new | gain |\n|---|---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in arguments.names:
        row(name, arguments.quick)
