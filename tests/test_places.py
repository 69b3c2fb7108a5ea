"""Places it must run in: no folder to write to, terminals that know few letters, pipes that close, files that wait."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.cli import main
from sitesampler.compute.clusters import check_client
from sitesampler.errors import InputError, OutOfMemory, ProgramError, StorageError
from sitesampler.language import loops

NO_CACHE = """
from numba.core import caching
caching.CacheImpl._locator_classes = []  # as numba finds it: no folder for a cache
import sitesampler as ss
print(float(ss.sample(ss.models.goe_flow, population=50, replicas=2, seed=0, duration=0.2).C_h[-1, -1]))
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, errors="replace", timeout=120
    )


@pytest.mark.slow
def test_without_a_folder_for_compiled_kernels() -> None:
    done = run("-c", NO_CACHE, HOME="/nowhere")
    here = float(ss.sample(ss.models.goe_flow, population=50, replicas=2, seed=0, duration=0.2).C_h[-1, -1])
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == here


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_letters_that_the_output_does_not_know(encoding: str, tmp_path: Path) -> None:
    say = "import sys; from sitesampler import cli; cli._list = lambda: print('α ±') or 0; sys.exit(cli.main(['list']))"
    done = run("-c", say, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("? ")


def test_a_pipe_that_closes() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sitesampler", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert main(["run", str(tmp_path / "pipe.toml")]) == 2
    assert "pipe.toml is not a file" in capsys.readouterr().err
    assert main(["verify", "goe_flow", "--output", str(tmp_path / "pipe.toml")]) == 2


@pytest.mark.parametrize("words", [["run", "a\0b"], ["run", "x.toml", "--output", ""], ["verify", "--output", ""]])
def test_paths_that_are_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_clients_that_would_never_answer() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor, pytest.raises(InputError, match=r"must be a dask\.distributed\.Client"):
        check_client(executor)
    from distributed import Client

    class Waiting(Client):
        asynchronous = True

        def __init__(self) -> None: ...

        def __del__(self) -> None: ...

    with pytest.raises(InputError, match="the client is asynchronous"):
        check_client(Waiting())


# ----------------------------------------------------------------------------------------------- loops without an end
@pytest.mark.parametrize(
    "parameters", [{"duration": 1e9, "dt": 0.5}, {"duration": 1.0, "dt": 1e-9}, {"duration": 1e300}]
)
def test_a_loop_that_no_run_could_end_is_refused_at_its_word(parameters: dict[str, Any]) -> None:
    with pytest.raises(ProgramError, match="more than the 10,000,000 steps of the longest loop"):
        ss.sample(ss.models.random_rnn, **parameters)


def test_a_million_steps_are_no_reason_to_refuse() -> None:
    loop = loops.clock(50_000.0, 0.05)
    assert len(loop.values) == 1_000_001 and loop.values[-1] == 50_000.0 and loop.values[3] == 0.15
    assert loop.holds(0.15) and loop.holds(50_000) and not loop.holds(0.17) and not loop.holds(-0.05)
    assert list(loops.clock(1.0, 0.25).values) == [0.0, 0.25, 0.5, 0.75, 1.0] == loops.clock(1.0, 0.25).values[0:]


def test_records_that_cannot_fit_end_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    from sitesampler.records import contents

    def program(net: Any) -> None:
        h = net.sites().normal()
        for t in net.steps(10**6):
            net.record(t, h=h, size=float(np.sum(0.0)))

    monkeypatch.setattr(contents, "_free_memory", lambda: 2 * 16 * 1_000**2)
    with pytest.raises(ss.errors.OutOfMemory, match=r"'h' is recorded 2,000 times and more, .* thin the records"):
        ss.sample(program)


# ----------------------------------------------------------------------------------------------------- large numbers
def test_seeds_of_128_bits_are_swept_and_stored(tmp_path: Path) -> None:
    seeds = [2**127 + 1, 2**127 + 2]
    swept = ss.sweep(ss.models.goe_flow, {"seed": seeds}, population=50, replicas=2, duration=0.2)
    stored = ss.open_result(ss.save_result(swept, tmp_path / "swept.zarr"))
    assert stored.seed.values.tolist() == [str(seed) for seed in seeds]
    alone = ss.sample(ss.models.goe_flow, seed=seeds[1], population=50, replicas=2, duration=0.2)
    np.testing.assert_array_equal(stored.C_h[1], alone.C_h)


def test_a_whole_float_is_a_count() -> None:
    few = {"replicas": 2, "seed": 0, "duration": 0.2}
    ds = ss.sample(ss.models.goe_flow, population=5e1, **few)
    assert ds.identical(ss.sample(ss.models.goe_flow, population=50, **few)) and ds.attrs["population"] == 50


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder that nobody can write to, not even root")
@pytest.mark.parametrize("name", ["x.zarr", "x.nc"])
def test_a_place_that_cannot_be_written(name: str) -> None:
    call: dict[str, Any] = {"population": 40, "replicas": 2, "seed": 0, "duration": 0.2, "progress": False}
    place = Path("/proc") / name
    with pytest.raises(StorageError, match=rf"^/proc/{name} cannot be written: "):
        ss.save_result(ss.sample(ss.models.goe_flow, **call), place)
    with pytest.raises(InputError, match=rf"^the checkpoint folder /proc/{name} cannot be written: "):
        ss.sample(ss.models.goe_flow, checkpoint=place, iterations=1, **call)
    with pytest.raises(InputError, match=r"^the folder of the export, /proc cannot be written: "):
        ss.sample(ss.models.goe_flow, keep="all", export=place.with_suffix(".zarr"), **call)
    with pytest.raises(InputError, match=rf"folder /proc/{name} cannot be written: "):
        ss.sweep(ss.models.goe_flow, {"dt": [0.1]}, checkpoint=place, **call)


def test_a_system_that_starts_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OutOfMemory, match="the system starts no more threads: its limit of memory or of processes"):
        ss.sample(ss.models.goe_flow, population=40, replicas=2, seed=0, duration=0.2, progress=False)


def test_a_name_that_no_file_can_have() -> None:
    def program(net: Any) -> None:
        h = net.sites().normal()
        for t in net.steps(2):
            net.record(t, **{"a" * 300: h})

    with pytest.raises(ProgramError, match=r"the name of a record becomes that of files, and aaa.* has 300 letters"):
        ss.sample(program, population=40, replicas=2, seed=0)
