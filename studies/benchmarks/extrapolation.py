"""Two steps, extrapolated: the error that `ss.extrapolate` removes, what is left of it, and what its errors say.

First table: exact systems, where matched draws leave no other error.  Largest error of C(t, t') of the finer run and
of the extrapolated value against the truth at dt -> 0; the order of the latter from two pairs of steps; and how large
it is in units of the error that is stated, as a root mean square and at most.
Second table: how quiet the difference of two steps with one seed is.  Scatter of the extrapolated replicas over that of
those of the finer run, root mean square over all pairs of times, with the same seed and with two.
Third table: the spherical 3-spin model (T = 0.5) to t = 20.

    python studies/benchmarks/extrapolation.py
"""

import warnings

import numpy as np
from orders import SYSTEMS, chaotic, of_sum_and_first, spins

import sitesampler as ss
from sitesampler.theory import spherical_pspin

ORDERS = {"euler": 1, "heun": 2, "rk4": 4}


def decay(net, *, dt, scheme):
    """dh/dt = -h."""
    for t, h in net.flow(lambda h: -h, net.sites().normal(), 8.0, dt, scheme=scheme):
        net.record(t, x=h)


def damped(net, *, dt, scheme):
    """X'' = -4 x - x'/2."""
    group = net.sites()
    for t, (x, _) in net.flow(lambda x, v: (v, -4 * x - v / 2), (group.normal(), 0 * group.normal()), 8.0, dt,
                              scheme=scheme):  # fmt: skip
        net.record(t, x=x)


def logistic(net, *, dt, scheme):
    """Logistic growth, m' = m (1 - m), from 0.02."""
    group = net.sites()
    ones = group.normal()
    for t, m in net.flow(lambda m: m * (1 - m), 0.02, 10.0, dt, scheme=scheme):
        net.record(t, x=m * ones)


def _damped(t):
    frequency = np.sqrt(4 - 1 / 16)
    return np.exp(-t / 4) * (np.cos(frequency * t) + np.sin(frequency * t) / 4 / frequency)


def _logistic(t):
    return 1 / (1 + 49 * np.exp(-t))


MORE = {
    "decay": (decay, of_sum_and_first(lambda t, s: np.exp(-t - s)), ("euler", "heun", "rk4")),
    "damped oscillator": (damped, of_sum_and_first(lambda t, s: _damped(t) * _damped(s)), ("euler", "heun", "rk4")),
    "logistic growth": (logistic, of_sum_and_first(lambda t, s: _logistic(t) * _logistic(s)), ("euler", "heun", "rk4")),
}


def pair(call, program, dt, seeds=(1, 1), **options):
    """Return a result at dt, and one at 2 dt."""
    return [
        call(program, dt=step, seed=seed, keep_replicas=True, progress=False, **options)
        for step, seed in zip((dt, 2 * dt), seeds, strict=True)
    ]


def at(dataset, times, name="C_x"):
    return dataset[name].sel(time=times, time_=times).values


def table_of_what_is_left():
    """Print the first table."""
    print("| system | scheme | dt | error of C | extrapolated | order | over the stated error, rms and largest |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, (program, truth, schemes) in {**SYSTEMS, **MORE}.items():
        exact = {"replicas": 2, "population": 200, "tolerance": 1e-7}
        call, options = (ss.simulate, {"size": 100, "replicas": 2}) if program is chaotic else (ss.sample, exact)
        for scheme in schemes:
            if scheme == "platen":
                continue  # it scatters
            steps = (1 / 32, 1 / 16) if scheme == "euler" else (1 / 16, 1 / 8)
            errors = []
            for dt in steps:
                fine, coarse = pair(call, program, dt, scheme=scheme, **options)
                found = ss.extrapolate(fine, coarse)
                times = np.arange(0, found.time.values[-1] + 0.1, 0.25)
                if program is chaotic:  # one matrix: the limit is that of the same one, and replicas are its errors
                    limit = call(program, dt=1 / 64, seed=1, scheme="rk4", keep_replicas=True, **options)
                    right, value = (at(ds.isel(replica=0), times, "C_x_replicas") for ds in (limit, found))
                    plain, stated = at(fine.isel(replica=0), times, "C_x_replicas"), np.full(value.shape, np.nan)
                else:
                    right, value, plain = truth(times), at(found, times), at(fine, times)
                    stated = at(found, times, "C_x_stderr")
                left = np.abs(value - right)
                errors.append((dt, np.abs(plain - right).max(), left.max(), left / stated))
            order = np.log2(errors[1][2] / errors[0][2])
            for dt, error, left, units in reversed(errors):
                shown = f"{np.sqrt(np.mean(units**2)):.2f}, {units.max():.1f}" if np.isfinite(units).all() else ""
                print(f"| {name} | {scheme} | {dt:g} | {error:.2g} | {left:.2g} | {order:.2f} | {shown} |", flush=True)


def table_of_quiet():
    """Print the second table."""
    print("\n| system | world | scheme | dt | one seed | two seeds |\n|---|---|---|--:|--:|--:|")
    systems = [(chaotic, "chaotic network, g = 1.5", scheme, dt) for scheme, dt in
               (("euler", 0.05), ("heun", 0.1), ("rk4", 0.25))] + [(spins, "3-spin, T = 0.5", "heun", 0.1)]  # fmt: skip
    for program, name, scheme, dt in systems:
        size = 100 if program is spins else 300
        for call, options in ((ss.sample, {"population": 1_000}), (ss.simulate, {"size": size})):
            ratios = []
            for seeds in ((1, 1), (1, 2)):
                fine, coarse = pair(call, program, dt, seeds, scheme=scheme, duration=10.0, replicas=32, **options)
                found = ss.extrapolate(fine, coarse)
                spreads = [ds.C_x_replicas.sel(time=found.time, time_=found.time_).std("replica", ddof=1)
                           for ds in (found, fine)]  # fmt: skip
                ratios.append(float(np.sqrt((spreads[0] ** 2).mean() / (spreads[1] ** 2).mean())))
            print(f"| {name} | {call.__name__} | {scheme} | {dt:g} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


def table_of_spins():
    """Print what the spherical 3-spin model needs to be known to 1e-3 up to t = 20."""
    print("\n| 3-spin, T = 0.5, t <= 20 | dt | error of C | extrapolated | stated, largest |\n|---|---|--:|--:|--:|")
    times = np.arange(0, 20.5, 1.0)
    right = spherical_pspin.solve(3, 0.5, times=times).C
    for dt in (0.1, 0.05):
        options = {"population": 2_000, "replicas": 2, "duration": 20.0, "tolerance": 1e-4, "scheme": "heun"}
        fine, coarse = pair(ss.sample, spins, dt, **options)
        found = ss.extrapolate(fine, coarse)
        errors = [np.abs(at(ds, times) - right).max() for ds in (fine, found)]
        stated = at(found, times, "C_x_stderr").max()
        print(f"| heun | {dt:g} | {errors[0]:.2g} | {errors[1]:.2g} | {stated:.2g} |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    table_of_what_is_left()
    table_of_quiet()
    table_of_spins()
