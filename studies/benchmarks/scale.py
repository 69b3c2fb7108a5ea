"""What a population of any size costs: per sample, per chunk, per task, per worker, in bytes, and on 1,000 workers.

Tables, in Markdown, for docs/scaling.md, which says how to read them.  What is compared takes turns in the same run, so
that a machine that changes its speed changes all of it.  Peaks of memory are read from /proc, so on Linux only.

    python studies/benchmarks/scale.py [--small]
"""

import argparse
import contextlib
import math
import multiprocessing
import tempfile
import time
import tracemalloc
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from distributed import Client
from distributed.deploy.subprocess import SubprocessCluster
from distributed.protocol.pickle import dumps

import sitesampler as ss
from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import workers_for
from sitesampler.physics.estimates import factorised
from sitesampler.runs.change import Measured, change_of
from sitesampler.runs.chunks import Chunks, chunks_of, merged_outcomes, run_chunk, run_start, start_of
from sitesampler.runs.iteration import Iteration, NotConverged
from sitesampler.runs.options import Iterated, Sampled
from sitesampler.runs.pieces import Means
from sitesampler.runs.states import State, sealed_state
from sitesampler.runs.task import prepare
from sitesampler.storage.journal import Journal
from sitesampler.storage.sealed import write_state
from sitesampler.vectors.threads import one_blas_thread

#: The short program of most tables: two inputs, two layers, ten steps.
DEEP = (ss.models.deep_network, {"steps": 10, "outlier_times": ()})
#: Programs with 200 and 1,000 products of a matrix with a vector.
RNN = (ss.models.random_rnn, {"g": 2.0, "dt": 0.05, "duration": 10.0})
LONG_RNN = (ss.models.random_rnn, {"g": 2.0, "dt": 0.05, "duration": 50.0})
CHUNK = 8192

# What the estimate on paper is made for, and the one thing that it assumes and does not measure.
SAMPLES, WORKERS, REPLICAS, BANDWIDTH = 10**9, 1000, 8, 1e9
#: Memory of a worker that a chunk may take, in bytes.
ROOM = 2e9


# ------------------------------------------------------------------------------------------------- pieces of an engine
def quiet(steps: int) -> None:
    """Report no progress."""


def task_of(case, chunk, every=1):
    """Return a task of a call with iterations: a program and the size of a chunk."""
    program, parameters = case
    asked = Sampled(population=2 * chunk, replicas=1, seed=0, keep=0, every=every, tolerance=1e-3)
    return prepare(program, parameters, asked, chunk)


def iteration_of(case, chunk, recording=False, every=1):
    """Return the first iteration after a march of one chunk, with one replica, and its order parameters."""
    task = task_of(case, chunk, every)
    with one_blas_thread():
        estimates = run_start((task, True), start_of(0), quiet)
        return Chunks(task, [factorised(estimates, 1e-3)], 0, recording), estimates


def once(iteration, population, chunk, at_once=1, client=None):
    """Run all chunks of a population once; return the seconds, and what they bring home."""
    chunks = chunks_of(population, chunk)
    progress = Progress("iteration", len(chunks), 1, False)
    start = time.perf_counter()
    outcome = workers_for(client, at_once).run(
        run_chunk, [[(iteration.piece(0, *each),) for each in chunks]], merged_outcomes, iteration, progress
    )[0]
    seconds = time.perf_counter() - start
    progress.close()
    assert outcome.samples == population
    return seconds, outcome


def usage() -> tuple[float, float]:
    """Return CPU seconds and peak memory (bytes) of this process."""
    from pathlib import Path  # sent to workers and scheduler by value

    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return time.process_time(), 1024.0 * int(peak.split()[1])


@contextlib.contextmanager
def cluster(workers):
    """Start a scheduler and workers, each in a process of its own."""
    options = {"dashboard_address": None, "worker_kwargs": {"memory_limit": 0, "dashboard": False}}
    with (
        SubprocessCluster(n_workers=workers, threads_per_worker=1, **options) as processes,
        Client(processes, set_as_default=False) as client,
    ):
        client.wait_for_workers(workers)
        yield client


def used(client):
    """Return (CPU seconds, peak memory) of driver, scheduler and workers; of workers the sum and the largest."""
    parts = list(client.run(usage).values())
    return np.array(
        [usage(), client.run_on_scheduler(usage), (sum(cpu for cpu, _ in parts), max(peak for _, peak in parts))]
    )


def table(title, header, rows):
    """Print a table in Markdown, padded so that it reads as it stands."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines = [f"| {line} |" for line in lines]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    print(f"\n**{title}**\n", *lines, sep="\n", flush=True)


def number(value, digits=3):
    """Write a number with so many digits, and no exponent where it can be helped."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    text = f"{float(f'{value:.{digits}g}'):,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return text if abs(value) >= 1e-4 else f"{value:.{digits}g}"


def size(count):
    """Write a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{number(count)} {unit}"
        count /= 1000
    return f"{number(count)} GB"


def duration(seconds):
    """Write a time."""
    for unit, scale in (("s", 1), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{number(seconds / scale)} {unit}"
    return f"{number(seconds / 1e-6)} µs"


# ------------------------------------------------------------------------------------------------------------- memory
def memory(small):
    """Print peaks of the processes of a whole call, each in a fresh cluster."""
    population = 2 * 8192 if small else 16 * 8192
    cases = [] if small else [(2048, population), (32768, population), (131072, 2 * 131072)]
    rows = []
    for chunk, samples in [*cases, (8192, population), (8192, 10 * population)]:
        with cluster(1) as client:
            before = used(client)[:, 1]
            options = {
                "population": samples,
                "chunk": chunk,
                "replicas": 1,
                "iterations": 1,
                "seed": 0,
                "progress": False,
            }
            ss.sample(DEEP[0], **options, client=client, **DEEP[1])
            driver, scheduler, worker = used(client)[:, 1]
        peaks = (worker, worker - before[2], driver, scheduler)
        rows.append([f"{chunk:,}", f"{samples:,}", *map(size, peaks)])
    header = [
        "chunk",
        "population",
        "peak of a worker",
        "above an idle one",
        "peak of the driver so far",
        "of the scheduler",
    ]
    table("Memory: a whole call of `deep_network` with one worker process", header, rows)


# ---------------------------------------------------------------------------------------------------- per sample, chunk
def chunks(small):
    """Print the CPU time per sample of chunks of different sizes."""
    sizes, turns = ((512, 2048, 8192), 2) if small else ((512, 2048, 8192, 32768, 131072), 5)
    cases = {("deep_network", chunk): iteration_of(DEEP, chunk)[0] for chunk in sizes}
    if not small:
        cases |= {("random_rnn, 200 products", chunk): iteration_of(RNN, chunk)[0] for chunk in sizes[:-1]}
    times = {key: [] for key in cases}
    with one_blas_thread():
        for turn in range(turns):
            for (name, chunk), iteration in cases.items():
                start = time.process_time()
                run_chunk(iteration, iteration.piece(0, turn, 0, chunk), quiet)
                times[name, chunk].append((time.process_time() - start) / chunk)
    medians = {key: float(np.median(values)) for key, values in times.items()}
    rows = [
        [name, f"{chunk:,}", number(1e6 * each), number(each / medians[name, 8192]), duration(each * chunk)]
        for (name, chunk), each in medians.items()
    ]
    header = ["program", "chunk", "CPU µs per sample", "over that at 8,192", "CPU per chunk"]
    table(f"Chunks: one iteration on one core, median of {turns} turns", header, rows)


def flat(small):
    """Print the time per sample and iteration against the population."""
    measured = {}
    for population in [10**power for power in range(3, 6 if small else 8)]:
        chunk = min(CHUNK, -(-population // 2))
        iteration = iteration_of(DEEP, chunk)[0]
        times = []
        for _ in range(max(1, min(9, 300_000 // population))):
            cpu = time.process_time()
            seconds, _ = once(iteration, population, chunk, 2)
            times.append((seconds, time.process_time() - cpu))
        measured[population] = (chunk, len(times), *np.median(times, 0))
    reference = measured[100_000][3] / 100_000
    rows = []
    for population, (chunk, turns, seconds, cpu) in measured.items():
        each = cpu / population
        rows.append([f"{population:,}", f"{-(-population // chunk):,}", turns, duration(seconds)])
        rows[-1] += [number(1e6 * seconds / population), number(1e6 * each), number(each / reference)]
    header = ["population", "chunks", "iterations timed", "time of an iteration", "µs per sample", "CPU µs per sample"]
    table("Population: iterations of `deep_network` in two threads", [*header, "CPU over that of 100,000"], rows)


# ----------------------------------------------------------------------------------------------------- two against one
def plain(iteration, chunk, numbers):
    """Run chunks in this process, without any scheduler; return the CPU seconds."""
    start = time.process_time()
    with one_blas_thread():
        for each in numbers:
            run_chunk(iteration, iteration.piece(0, each, 0, chunk), quiet)
    return time.process_time() - start


def in_processes(pool, iteration, chunk, count, at_once):
    """Return seconds and CPU seconds of so many chunks in processes that know nothing of each other."""
    shares = [(iteration, chunk, range(first, count, at_once)) for first in range(at_once)]
    start = time.perf_counter()
    cpu = sum(pool.starmap(plain, shares, chunksize=1))
    return time.perf_counter() - start, cpu


def in_threads(iteration, chunk, count, at_once):
    """Return the same in threads."""
    cpu = time.process_time()
    seconds = once(iteration, count * chunk, chunk, at_once)[0]
    return seconds, time.process_time() - cpu


def in_cluster(client, iteration, chunk, count):
    """Return the same on the workers of a cluster, and the CPU seconds of its driver and scheduler."""
    before = used(client)[:, 0]
    seconds = once(iteration, count * chunk, chunk, client=client)[0]
    driver, scheduler, workers = used(client)[:, 0] - before
    return seconds, workers, driver + scheduler


def pairs(iteration, chunk, count, one, two, pool):
    """Return, for each kind of worker, what runs so many chunks on one and on two of them."""
    return {
        "independent processes": [lambda n=n: in_processes(pool, iteration, chunk, count, n) for n in (1, 2)],
        "threads": [lambda n=n: in_threads(iteration, chunk, count, n) for n in (1, 2)],
        "worker processes": [lambda c=c: in_cluster(c, iteration, chunk, count) for c in (one, two)],
    }


def two_against_one(small, one, two):
    """Print the throughput of two threads, worker processes and independent processes over that of one."""
    cases = [("deep_network", DEEP, 8192, 8)]
    if not small:
        cases = [("deep_network", DEEP, 2048, 128), ("deep_network", DEEP, 8192, 32), ("deep_network", DEEP, 32768, 8)]
        cases += [("random_rnn, 200 products", RNN, 8192, 8)]
    rows = []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for name, case, chunk, count in cases:
            kinds = pairs(iteration_of(case, chunk)[0], chunk, count, one, two, pool)
            turns = {kind: [] for kind in kinds}
            for turn in range(-1, 2 if small else 5):  # the first one loads and compiles, and is not counted
                for kind, runs in kinds.items():
                    both = [run() for run in runs]
                    if turn >= 0:
                        turns[kind].append(both)
            for kind, both in turns.items():
                single, double = np.array(both).transpose(1, 2, 0)
                ratios, busy = single[0] / double[0], np.median(double[1] / double[0]) / 2
                row = [name, f"{chunk:,}", kind, f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"]
                row += [f"{100 * busy:.0f} %", f"{np.median(double[1] / single[1]):.2f}"]
                rows.append([*row, f"{100 * np.median(double[2] / double[0]):.0f} %" if len(double) > 2 else ""])
    header = ["program", "chunk", "kind", "throughput of two over one", "both busy", "CPU per sample over one"]
    table("Two workers against one, median of turns (and range)", [*header, "driver and scheduler, of a core"], rows)


# --------------------------------------------------------------------------------------------------------------- tasks
def idle(net):
    """Draw one vector, and do nothing."""
    neurons = net.sites()
    h = neurons.normal()
    for t in net.steps(1):
        net.record(t, norm=net.overlap(h, h))


@dataclass
class Overhead:
    """CPU seconds and bytes per task."""

    driver: float
    scheduler: float
    worker: float
    driver_memory: float
    scheduler_memory: float
    wall: float


def tasks(small, client):
    """Print and return what dask needs per task, from the difference of many and few tasks that do nothing."""
    few, many = (200, 1_000) if small else (1_000, 8_000)
    iteration = iteration_of((idle, {}), 4)[0]
    once(iteration, 4 * 64, 4, client=client)
    found = []
    for count in (few, many):
        before = used(client)
        seconds, _ = once(iteration, 4 * count, 4, client=client)
        after = used(client)
        found.append(np.array([*(after - before)[:, 0], *after[:2, 1], seconds]))
    overhead = Overhead(*((found[1] - found[0]) / (many - few)).tolist())
    rows = []
    for process, seconds, count in (
        ("driver", overhead.driver, size(overhead.driver_memory)),
        ("scheduler", overhead.scheduler, size(overhead.scheduler_memory)),
        ("worker, with a chunk of 4 samples", overhead.worker, ""),
    ):
        rows.append([process, duration(seconds), number(1 / seconds), count])
    header = ["process", "CPU per task", "tasks per second", "memory per task"]
    title = f"Tasks: {many:,} chunks that do nothing, with their merges; {duration(overhead.wall)} each on two workers"
    table(title, header, rows)
    return overhead


def moved(client):
    """Print what two workers send to each other in an iteration."""
    iteration, _ = iteration_of(DEEP, 512, recording=True)
    before = sum(client.run(sent).values())
    once(iteration, 128 * 512, 512, client=client)
    between = sum(client.run(sent).values()) - before
    outcome = len(dumps(run_chunk(iteration, iteration.piece(0, 0, 0, 512), quiet)))
    print(
        f"\nIn an iteration of 128 chunks of `deep_network` two workers send {size(between)} to each other, and the ",
        end="",
    )
    print(f"driver receives {size(outcome)} per replica, where the chunks have made {size(128 * outcome)}.")


def sent(dask_worker):
    """Return the bytes that a worker has sent to others so far, as long as these were few messages."""
    return sum(message["compressed"] for message in dask_worker.transfer_outgoing_log)


# --------------------------------------------------------------------------------------------------------- serial parts
@dataclass
class Parts:
    """What one program costs per replica (seconds, bytes) where there is nothing to be shared out."""

    name: str
    per_sample: float
    seconds: dict = field(default_factory=dict)
    bytes: dict = field(default_factory=dict)


def timed(function, rounds=3):
    """Return the result and the median of the seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, float(np.median(times))


def parts_of(name, case, chunk):
    """Measure the parts of a call that do not grow with the population."""
    seconds, counts = {}, {}
    task, seconds["rehearsal"] = timed(lambda: task_of(case, chunk), 1)
    estimates, seconds["march"] = timed(lambda: run_start((task, True), start_of(0), quiet), 1)
    coefficients, seconds["factorisation"] = timed(lambda: factorised(estimates, 1e-3))
    bare = Chunks(task, [coefficients], 0, recording=False)
    payload, seconds["payload"] = timed(lambda: dumps(bare))
    counts["sent out"] = len(payload)
    outcomes, cpu = [], []
    for turn in range(2):
        start = time.process_time()
        outcomes.append(run_chunk(bare, bare.piece(0, turn, 0, chunk), quiet))
        cpu.append(time.process_time() - start)
    tracemalloc.start()
    run_chunk(bare, bare.piece(0, 2, 0, chunk), quiet)
    counts["memory per sample"] = tracemalloc.get_traced_memory()[1] / chunk
    tracemalloc.stop()
    counts["chunk, no records"] = len(dumps(outcomes[0]))
    counts["merged, no records"] = len(dumps(merged_outcomes(outcomes)))
    for every in (10, 1):
        again = Chunks(task_of(case, chunk, every), [coefficients], 0)
        outcome = run_chunk(again, again.piece(0, 0, 0, chunk), quiet)
        merged, seconds["merge of 8"] = timed(lambda one=outcome: merged_outcomes([one] * 8))
        counts[f"chunk, every={every}"] = len(dumps(outcome))
        counts[f"merged, every={every}"] = len(dumps(merged))
    progress = Progress("parts", 1, 1, False)
    led = Iteration(task, Iterated(iterations=1, chunk=chunk), Means(workers_for(), progress, Journal({})))
    measured = Measured(estimates, coefficients, merged.tally)
    state = State([estimates], [1.0], 1, [(merged.samples, merged.variables)], [], [0.0])

    def update():
        change_of([measured], 1e-6)
        return measured.mixed(0.5)

    _, seconds["update"] = timed(update)
    with tempfile.TemporaryDirectory() as folder:
        _, seconds["checkpoint"] = timed(lambda: write_state(Path(folder) / "state.npz", *sealed_state(state)))
    _, seconds["dataset"] = timed(lambda: led.dataset([merged.variables] * 2, state, {}), 1)
    progress.close()
    return Parts(name, min(cpu) / chunk, seconds, counts)


def serial_parts(small):
    """Print and return what does not grow with the population: times and bytes."""
    cases = [("deep_network, 10 steps", DEEP, 8192), ("random_rnn, 200 products", RNN, 2048 if small else 8192)]
    if not small:
        cases.append(("random_rnn, 1,000 products", LONG_RNN, 4096))
    with one_blas_thread():
        found = [parts_of(*case) for case in cases]
    names = ["rehearsal", "march", "factorisation", "update", "checkpoint", "merge of 8", "dataset"]
    rows = [[parts.name, *(duration(parts.seconds[name]) for name in names)] for parts in found]
    header = ["program", *(f"{name}, once" if name in ("rehearsal", "march", "dataset") else name for name in names)]
    table("Fixed costs of a replica, per iteration unless once (records of every step)", header, rows)
    names = [
        "sent out",
        "chunk, no records",
        "chunk, every=10",
        "chunk, every=1",
        "merged, every=1",
        "memory per sample",
    ]
    rows = [[parts.name, *(size(parts.bytes[name]) for name in names)] for parts in found]
    for row, parts in zip(rows, found, strict=True):
        row += [number(parts.bytes[name] / CHUNK) for name in ("chunk, no records", "chunk, every=1")]
    header = ["program", *names, "no records, bytes per sample", "every=1, bytes per sample"]
    table(f"Bytes of a replica per iteration, pickled; per sample for chunks of {CHUNK:,}", header, rows)
    return found


# ---------------------------------------------------------------------------------------------------------- uncertainty
def uncertainty(small):
    """Print variance times CPU seconds of iterations over that of a march of as many samples."""
    population, chunk, seeds = (512, 128, 2) if small else (16384, 4096, 4)
    rows = []
    for symmetry in (0.0, 0.6):
        network = {"g": 2.0, "symmetry": symmetry, "dt": 0.1, "duration": 1.0 if small else 5.0}
        # A tolerance with a floor of the errors that does not show.
        options = {"replicas": 8, "tolerance": 3e-4, "keep": 0, "progress": False, **network}
        turns = {}
        for seed in range(seeds):
            for each in (chunk // 2, chunk, 2 * chunk):
                how = {"population": population, "chunk": each, "iterations": "auto"}
                turns.setdefault(f'iterations="auto", chunk {each:,}', []).append(merit_of(seed, **how, **options))
            many = turns[f'iterations="auto", chunk {chunk:,}'][-1][2]
            turns.setdefault("march", []).append(merit_of(seed, population=int(many), **options))
        turns = {name: np.array(each) for name, each in turns.items()}
        for name, each in turns.items():
            ratio, error = ratio_of(each, turns["march"])
            variance, seconds, samples = each.mean(0)
            row = [symmetry, name, f"{8 * samples:,.0f}", f"{100 * variance**0.5:.3f} %", number(seconds)]
            rows.append([*row, "1" if name == "march" else f"{ratio:.2f} ± {error:.2f}"])
    header = [
        "symmetry",
        "method",
        "samples of all iterations",
        "scatter of C_h(t, t)",
        "CPU s",
        "scatter² CPU over that of the march",
    ]
    table(f"Uncertainty: `random_rnn`, population {population:,}, 8 replicas, {seeds} seeds", header, rows)


def merit_of(seed, **options):
    """Return the variance of C_h(t, t), relative and of the late half, CPU seconds, and samples of all iterations."""
    start = time.process_time()
    ds = ss.sample(ss.models.random_rnn, seed=seed, **options)
    seconds = time.process_time() - start
    late = ds.time.values >= ds.time.values[-1] / 2
    relative = np.diag(ds.C_h_stderr.values)[late] / np.diag(ds.C_h.values)[late]
    return np.mean(relative**2), seconds, options["population"] * (ds.attrs.get("iterations", 0) + 1)


def ratio_of(method, reference):
    """Ratio of mean variance times mean seconds, and its jackknife error over seeds."""

    def merit(a):
        return a[:, 0].mean() * a[:, 1].mean()

    parts = [merit(np.delete(method, i, 0)) / merit(np.delete(reference, i, 0)) for i in range(len(method))]
    return merit(method) / merit(reference), np.sqrt((len(parts) - 1) * np.var(parts))


# ------------------------------------------------------------------------------------------------------------- on paper
def on_paper(parts, overhead):
    """Print what 1e9 samples on 1,000 workers would cost, and where it would stop scaling."""
    columns = {}
    for each in parts:
        s, b, t = each.seconds, each.bytes, each.per_sample
        busy = max(overhead.driver, overhead.scheduler)  # per task, of the one process that all tasks pass
        chunk = max(CHUNK, 2 ** math.ceil(math.log2(2 * WORKERS * busy / t)))
        count = math.ceil(SAMPLES / chunk)
        outcome, payload = b["chunk, every=1"], REPLICAS * b["sent out"]
        merge = s["merge of 8"] + 7 * outcome / BANDWIDTH
        serial = {
            "factorisation": REPLICAS * s["factorisation"],
            "update": REPLICAS * s["update"],
            "checkpoint": REPLICAS * s["checkpoint"],
            "order parameters out": REPLICAS * s["payload"] + math.log2(WORKERS) * payload / BANDWIDTH,
            "levels of the tree": math.ceil(math.log(count / REPLICAS, 8)) * merge,
            "results to the driver": REPLICAS * outcome / BANDWIDTH,
        }
        total, work, queue = sum(serial.values()), SAMPLES * t / WORKERS, count * busy
        # Some workers have a chunk less to do than others; merges are spread over all of them.
        parallel = math.ceil(count / WORKERS) * chunk * t + count / 7 * merge / WORKERS
        whole = max(parallel, queue) + total
        largest = ROOM / b["memory per sample"]
        columns[each.name] = {
            "CPU time of an iteration, hours": number(SAMPLES * t / 3600),
            f"the same over {WORKERS:,} workers": duration(work),
            f"chunk with which the scheduler is half busy, at least {CHUNK:,}": f"{chunk:,}",
            "memory that it needs": size(chunk * b["memory per sample"]),
            "tasks of an iteration": f"{count:,}",
            "tasks per second": number(count / work),
            "time of the scheduler for them": duration(queue),
            "memory of the scheduler for them": size(count * overhead.scheduler_memory),
            "memory of the driver for them": size(count * overhead.driver_memory),
            **{f"serial: {name}": duration(value) for name, value in serial.items()},
            "serial parts together": duration(total),
            "bytes into the driver": size(REPLICAS * outcome),
            "bytes out to all workers": size(WORKERS * payload),
            "time of an iteration": duration(whole),
            "efficiency": f"{100 * work / whole:.0f} %",
            "workers at which serial parts take half of the time": f"{SAMPLES * t / total:,.0f}",
            f"workers that one scheduler feeds, chunk {CHUNK:,}": f"{CHUNK * t / busy:,.0f}",
            f"the same, chunk of {size(ROOM)}": f"{largest * t / busy:,.0f} ({largest:,.0f} samples)",
        }
    names = list(next(iter(columns.values())))
    title = (
        f"On paper: {SAMPLES:.0e} samples in {REPLICAS} replicas, {WORKERS:,} workers, {size(BANDWIDTH)}/s between two"
    )
    table(title, ["", *columns], [[name, *(column[name] for column in columns.values())] for name in names])


def machine(when):
    """Print what else the machine does."""
    print(f"load {when}: " + ", ".join(f"{load:.1f}" for load in psutil.getloadavg()), flush=True)


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--small", action="store_true", help="small populations and few turns, in less than a minute")
    small = parser.parse_args().small
    warnings.simplefilter("ignore", NotConverged)  # single iterations are timed, not believed
    cores, threads = psutil.cpu_count(logical=False), psutil.cpu_count()
    print(f"{cores} cores ({threads} logical), {size(psutil.virtual_memory().total)} of memory")
    machine("at the start")
    start = time.perf_counter()
    memory(small)  # first, while the driver has done nothing else
    with cluster(1) as one, cluster(2) as two:
        moved(two)  # early, for workers remember their last messages only
        overhead = tasks(small, two)
        two_against_one(small, one, two)
    chunks(small)
    flat(small)
    parts = serial_parts(small)
    uncertainty(small)
    on_paper(parts, overhead)
    print(f"\n{time.perf_counter() - start:.0f} s")
    machine("at the end")


if __name__ == "__main__":
    main()
