"""Schemes of `net.flow`: the order with which errors fall, and error and CPU time beside Euler's.

First table: six systems at three steps each, with the largest error of C(t, t') on the times that all steps share, and
the order that the last two of them show.  Truth is a closed form, the closed equations at dt -> 0, or for the chaotic
network the same matrix at a small step; where a system is Gaussian, matched draws leave no other error.
Second table: the chaotic network (g = 1.5) and the spherical 3-spin model (T = 0.5), both to t = 20.  CPU seconds are
those of a whole call, without imports and compilation.  The last lines ask for an error below 1e-3 in no more CPU time
than Euler takes at dt = 0.1.

    python studies/benchmarks/orders.py [--quick]
"""

import argparse
import time

import numpy as np
from scipy.special import iv

import sitesampler as ss
from sitesampler.theory import spherical_pspin

OPTIONS = {"replicas": 1, "seed": 1, "progress": False}


# --------------------------------------------------------------------------------------------------------- the systems
def linear(net, *, dt, scheme):
    """dh/dt = J h - 1.5 h on a GOE matrix."""
    group = net.sites()
    J = net.coupling(group, gain=0.5, symmetry=1)
    for t, h in net.flow(lambda h: J @ h - 1.5 * h, group.normal(), 2.0, dt, scheme=scheme):
        net.record(t, x=h)


def chaotic(net, *, dt, scheme, duration=4.0):
    """dh/dt = J tanh(h) - h, g = 1.5."""
    group = net.sites()
    J = net.coupling(group, gain=1.5)
    for t, h in net.flow(lambda h: J @ np.tanh(h) - h, group.normal(), duration, dt, scheme=scheme):
        net.record(t, x=h)


def oscillator(net, *, dt, scheme):
    """X'' = -x."""
    group = net.sites()
    start = group.normal(), 0.5 * group.normal()
    for t, (x, _) in net.flow(lambda x, v: (v, -x), start, 2.0, dt, scheme=scheme):
        net.record(t, x=x)


def ornstein_uhlenbeck(net, *, dt, scheme):
    """Dh = -h dt + sqrt(2 + t) dW."""
    group = net.sites()
    start = group.normal()
    for t, h in net.flow(lambda h: -h, start, 2.0, dt, scheme=scheme, noise=lambda t: np.sqrt(2 + t)):
        net.record(t, x=h)


def mean_field_noise(net, *, dt, scheme):
    """Dh = -h dt + sqrt(<h^2>) dW."""
    group = net.sites()

    def noise(h):
        return np.sqrt(net.overlap(h, h))

    for t, h in net.flow(lambda h: -h, group.normal(), 2.0, dt, scheme=scheme, noise=noise):
        net.record(t, x=h)


def spins(net, *, dt, scheme, duration=2.0):
    """Spherical 3-spin model at T = 0.5; by Euler with the projection as its multiplier, as the map has it."""
    group = net.sites()
    K = net.tensor_coupling(group, order=3)

    def drift(s):
        force = K.force(s)
        if scheme == "euler":
            return force
        return force - (net.overlap(s, force) + 0.5) / net.overlap(s, s) * s

    def on_sphere(s):
        return s / np.sqrt(net.overlap(s, s))

    start = on_sphere(group.normal())
    for t, s in net.flow(drift, start, duration, dt, scheme=scheme, noise=1.0, constrain=on_sphere):
        net.record(t, x=s)


# ------------------------------------------------------------------------------------------------------------ the truth
def limit_of_spins(times):
    """Return C of the closed equations at dt -> 0."""
    return spherical_pspin.solve(3, 0.5, times=times).C


def same_matrix(times):
    ds = ss.simulate(chaotic, size=100, dt=1 / 64, scheme="rk4", **OPTIONS)
    return ds.C_x.sel(time=times, time_=times).values


def of_sum_and_first(form):
    """Return a truth that is a function of t and t'."""
    return lambda times: form(*np.meshgrid(times, times, indexing="ij"))


SYSTEMS = {
    "linear network": (linear, of_sum_and_first(
        lambda t, s: np.exp(-1.5 * (t + s)) * np.where(t + s > 0, iv(1, t + s) / np.maximum(t + s, 1e-9) * 2, 1)
    ), ("euler", "heun", "rk4")),
    "one chaotic network": (chaotic, same_matrix, ("euler", "heun", "rk4")),
    "oscillator": (oscillator, of_sum_and_first(
        lambda t, s: np.cos(t) * np.cos(s) + np.sin(t) * np.sin(s) / 4
    ), ("euler", "heun", "rk4")),
    "Ornstein-Uhlenbeck, g(t)": (ornstein_uhlenbeck, of_sum_and_first(
        lambda t, s: np.exp(-t - s) * (
            0.25 + np.expm1(2 * np.minimum(t, s)) + 1 + (np.minimum(t, s) / 2 - 0.25) * np.exp(2 * np.minimum(t, s))
        )
    ), ("euler", "heun")),
    "noise with g^2 = <h^2>": (mean_field_noise, of_sum_and_first(lambda t, s: np.exp(-np.maximum(t, s))),
        ("euler", "platen")),
    "spherical 3-spin": (spins, limit_of_spins, ("euler", "heun")),
}  # fmt: skip


def run(program, dt, scheme, **options):
    """Return a dataset, and the CPU seconds."""
    start = time.process_time()
    if program is chaotic and "duration" not in options:
        dataset = ss.simulate(program, size=100, dt=dt, scheme=scheme, **OPTIONS)
    else:
        size = {"population": 10_000 if program is mean_field_noise else 2_000, "tolerance": 1e-6, **options}
        dataset = ss.sample(program, dt=dt, scheme=scheme, **{**OPTIONS, **size})
    return dataset, time.process_time() - start


def table_of_orders():
    """Print the first table."""
    print("| system | scheme | dt | error of C | order | of the scheme |\n|---|---|---|---|--:|--:|")
    known = {"euler": 1, "heun": 2, "platen": 2, "rk4": 4}
    for name, (program, truth, schemes) in SYSTEMS.items():
        for scheme in schemes:
            late = scheme == "euler" and program in (chaotic, spins)  # is of its order at smaller steps only
            steps = (1 / 16, 1 / 32, 1 / 64) if late else (1 / 4, 1 / 8, 1 / 16)
            found = [run(program, dt, scheme)[0] for dt in steps]
            times = found[0].time.values
            right = truth(times)
            errors = [np.abs(ds.C_x.sel(time=times, time_=times).values - right).max() for ds in found]
            order = np.log2(errors[-2] / errors[-1])
            shown = ", ".join(f"{error:.2g}" for error in errors)
            print(f"| {name} | {scheme} | {steps[0]:g}, ... | {shown} | {order:.2f} | {known[scheme]} |", flush=True)


def table_of_costs(quick):
    """Print the second table; neither system has an error of sampling here."""
    print("\n| system, to t = 20 | scheme | dt | error of C | CPU s | error x CPU s |\n|---|---|--:|--:|--:|--:|")
    times, verdicts = np.arange(0, 20.5, 1.0), []
    cases = {
        "one network of 1,000, g = 1.5": (chaotic, (("euler", 0.1), ("euler", 0.05), ("rk4", 0.5), ("rk4", 0.25))),
        "3-spin, T = 0.5, 2,000 samples": (spins, (("euler", 0.1), ("heun", 0.2), ("heun", 0.1), ("heun", 0.05))),
    }
    for name, (program, runs) in cases.items():
        if program is chaotic:
            options = {"size": 300 if quick else 1_000, "duration": 20.0, **OPTIONS}
            right = ss.simulate(chaotic, dt=1 / 16, scheme="rk4", **options).C_x.sel(time=times, time_=times).values
        else:
            options = {"population": 2_000, "duration": 20.0, "tolerance": 1e-4, **OPTIONS}
            right = limit_of_spins(times)
        found = []
        for scheme, dt in runs:
            start = time.process_time()
            call = ss.simulate if program is chaotic else ss.sample
            C = call(program, dt=dt, scheme=scheme, **options).C_x.sel(time=times, time_=times).values
            seconds, error = time.process_time() - start, np.abs(C - right).max()
            found.append((error, seconds))
            print(f"| {name} | {scheme} | {dt} | {error:.2g} | {seconds:.2f} | {error * seconds:.2g} |", flush=True)
        verdicts.append(f"{name}: {verdict(found)}")
    print("\nError below 1e-3 in at most the CPU time of Euler at dt = 0.1?\n" + "\n".join(verdicts))


def verdict(found):
    """Say what the cheapest run with an error below 1e-3 costs, from (error, seconds), Euler at 0.1 first."""
    good = [run for run in found if run[0] < 1e-3]
    if not good:
        error, seconds = min(found)
        return f"no: {error:.2g} at best, in {seconds / found[0][1]:.2f} times its CPU time."
    error, seconds = min(good, key=lambda run: run[1])
    ratio = seconds / found[0][1]
    return f"{'yes' if ratio <= 1 else 'no'}: {error:.2g} in {ratio:.2f} times its CPU time."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller network")
    arguments = parser.parse_args()
    table_of_orders()
    table_of_costs(arguments.quick)
