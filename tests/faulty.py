"""Runs that are killed, forked, starved of disk or set on each other: children of one process that has all imports.

``python faulty.py WHAT COUNT SEED FOLDER`` prints what happened as JSON.  Each child is a fork, so that many runs cost
no imports, and what a fork must not break is tried all along.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

import sitesampler as ss
from sitesampler.errors import SiteSamplerError
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import read_study

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RNN: dict[str, Any] = {"scheme": "euler", "g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 1.0, "progress": False}
ITERATED: dict[str, Any] = {**RNN, "population": 400, "chunk": 100, "replicas": 2, "seed": 1, "iterations": 5}
STUDY = """
program = "random_rnn"
[parameters]
dt = 0.2
duration = 1.0
[sweep]
g = [0.5, 1.5]
[sample]
population = 200
replicas = 3
seed = 3
"""


def digest(dataset: xr.Dataset) -> str:
    """Return what tells one dataset's numbers from another's."""
    from hashlib import sha256

    found = sha256()
    for name in sorted(map(str, dataset.variables)):
        found.update(name.encode() + dataset[name].values.tobytes())
    return found.hexdigest()


def iterated(folder: Path, resume: bool) -> str:
    return digest(ss.sample(ss.models.random_rnn, checkpoint=folder, resume=resume, **ITERATED))


def swept(folder: Path, resume: bool) -> str:
    options = {**RNN, "population": 200, "replicas": 3, "seed": 3}
    del options["g"]
    return digest(ss.sweep(ss.models.random_rnn, {"g": [0.5, 1.5]}, checkpoint=folder, resume=resume, **options))


def studied(folder: Path, resume: bool) -> str:
    file = folder.with_name("faulty.toml")
    file.write_text(STUDY)
    there = (folder / "journal.npz").exists()
    return digest(run_study(read_study(file), folder, progress=False, resume=resume and there).sample)


def saved(folder: Path, resume: bool) -> str:
    folder.mkdir(exist_ok=True)
    result = ss.sample(ss.models.random_rnn, population=100, replicas=2, seed=0, **RNN)
    for _ in range(2):
        ss.save_result(result, folder / "r.zarr", overwrite=True)
        ss.save_result(result, folder / "r.nc", overwrite=True)
    assert digest(ss.open_result(folder / "r.nc")) == digest(ss.open_result(folder / "r.zarr"))
    return digest(ss.open_result(folder / "r.zarr"))


RUNS = {"iterated": iterated, "swept": swept, "studied": studied, "saved": saved}


def child(work: Callable[[], str]) -> tuple[int, int]:
    """Start work in a fork; return its process and where it says how that went."""
    reading, writing = os.pipe()
    if process := os.fork():
        os.close(writing)
        return process, reading
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        os.close(reading)
        os.write(writing, work().encode())
        code = 0
    except SiteSamplerError as error:
        os.write(writing, f"refused: {error}".encode()[:4000])
        code = 2
    except BaseException as error:
        os.write(writing, f"broken: {type(error).__name__}: {error}".encode()[:4000])
    os._exit(code)


def ended(process: int, reading: int) -> tuple[int, str]:
    """Wait for a fork; return its status and what it said."""
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said


def of(work: Callable[[], str]) -> tuple[int, str]:
    return ended(*child(work))


def hidden(folder: Path) -> list[str]:
    """Return what is half written in a folder."""
    return [path.name for path in folder.rglob(".*") if path.name.endswith("-writing")]


def kills(count: int, chance: random.Random, folder: Path) -> Counter[str]:
    """Kill runs at random moments, resume them, and compare their bits."""
    counts: Counter[str] = Counter()
    for name, run in RUNS.items():
        started = time.perf_counter()
        code, whole = of(lambda run=run: run(folder / "whole", False))
        assert code == 0, whole
        length = time.perf_counter() - started
        for number in range(count):
            place = folder / f"{name}-{number}"
            process, reading = child(lambda run=run, place=place: run(place, False))
            time.sleep(chance.random() * length)
            os.kill(process, SIGNALS[number % len(SIGNALS)])
            code, _ = ended(process, reading)
            counts["killed" if code else "too late"] += 1
            code, again = of(lambda run=run, place=place: run(place, True))
            counts["same bits" if (code, again) == (0, whole) else f"wrong: {name}: {again}"] += 1
            counts["left half written"] += len(hidden(place))
        shutil.rmtree(folder / "whole")
    return counts


def disks(count: int, chance: random.Random, folder: Path) -> Counter[str]:
    """Let no file grow beyond a limit, as on a full disk; then resume without one."""
    counts: Counter[str] = Counter()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = [1 << 10, 8 << 10, 40 << 10, *(chance.randrange(1 << 16) for _ in range(count))][:count]
    for name, run in RUNS.items():
        whole = of(lambda run=run: run(folder / "whole", False))[1]
        for number, limit in enumerate(limits):
            place = folder / f"{name}-{number}"

            def starved(run: Any = run, place: Path = place, limit: int = limit) -> str:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                return str(run(place, False))

            code, said = of(starved)
            if code == 0:
                counts["whole" if said == whole else f"wrong: {said}"] += 1
            else:
                counts["refused" if code == 2 else f"wrong: {name}: {said}"] += 1
            again = of(lambda run=run, place=place: run(place, True))
            counts["same bits" if again == (0, whole) else f"wrong: {name}: {again[1]}"] += 1
            counts["left half written"] += len(hidden(place))
        shutil.rmtree(folder / "whole")
    return counts


def drivers(count: int, _: random.Random, folder: Path) -> Counter[str]:
    """Start two drivers in one folder at a time."""
    counts: Counter[str] = Counter()
    whole = of(lambda: iterated(folder / "whole", False))[1]
    for number in range(count):
        both = [child(lambda number=number: iterated(folder / str(number), True)) for _ in range(2)]
        for code, said in (ended(*one) for one in both):
            right = said == whole if code == 0 else code == 2 and "in use by another run" in said
            counts[("done" if code == 0 else "refused") if right else f"wrong: {said}"] += 1
    return counts


def forks(count: int, _: random.Random, folder: Path) -> Counter[str]:
    """Call again in a fork of a process whose threads have worked."""
    counts: Counter[str] = Counter()
    signal.alarm(100)
    for number, run in enumerate((iterated, saved, swept)[:count]):
        whole = run(folder / f"parent-{number}", False)
        code, said = of(lambda run=run, number=number: run(folder / f"child-{number}", False))
        counts["same bits" if (code, said) == (0, whole) else f"wrong: {said}"] += 1
    return counts


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    what, count, seed, where = sys.argv[1:]
    for name, run in RUNS.items():  # so that no fork has to load what all of them need
        run(Path(where) / f"first-{name}", False)
    found = {"kills": kills, "disks": disks, "drivers": drivers, "forks": forks}[what](
        int(count), random.Random(int(seed)), Path(where)
    )
    print(json.dumps(found))
