"""Checkpoints: a run that was killed goes on to the same bits, and nothing else is continued."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from swept import identical

import sitesampler as ss
from sitesampler.errors import DiskFull, InputError, StorageError
from sitesampler.runs import checkpoints
from sitesampler.runs.iteration import NotConverged, Sweeps
from sitesampler.storage.sealed import read_state, write_state

RNN: dict[str, Any] = {"g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 1.0}
SMALL: dict[str, Any] = {"population": 400, "chunk": 100, "replicas": 2, "seed": 1, "iterations": 5, "progress": False}


def swept(folder: Path | None = None, program: Any = ss.models.random_rnn, **changes: Any) -> xr.Dataset:
    options = {**SMALL, **(RNN if program is ss.models.random_rnn else {}), "checkpoint": folder, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return ss.sample(program, **options)


class Killed(BaseException):
    """Stands for the end of a process."""


def killed_after(iterations: int, monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: Any) -> None:
    """Run until so many iterations are done, and end in the middle of the next one."""
    advance = Sweeps.advance

    def until(self: Sweeps, state: Any) -> Any:
        if len(state.changes) == iterations:
            raise Killed
        return advance(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(Sweeps, "advance", until)
        with pytest.raises(Killed):
            swept(folder, **changes)


# --------------------------------------------------------------------------------------------------- the same bits
@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_interrupted(
    iterations: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether it was still moving or already averaging, with all that its records hold."""
    killed_after(iterations, monkeypatch, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["iteration.npz"]
    assert identical(swept(), swept(tmp_path, resume=True))


@pytest.mark.parametrize(
    ("program", "parameters"),
    [
        ("deep_network", {"depth": 2, "steps": 2, "responses": True}),
        ("spherical_pspin", {"dt": 0.1, "duration": 0.4}),
        ("evolving_spikes", {"spikes": 2, "strength": 2.5}),
    ],
)
def test_a_checkpoint_keeps_layers_responses_outliers_and_numbers(
    program: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = {"program": getattr(ss.models, program), **parameters}
    killed_after(4, monkeypatch, tmp_path, **options)
    assert len(read_state(tmp_path / "iteration.npz")[1]["samples"]) == 2, "records were not there yet"
    assert identical(swept(**options), swept(tmp_path, resume=True, **options))


def test_a_run_without_a_seed_is_resumed_with_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed_after(2, monkeypatch, tmp_path, seed=None)
    seed = checkpoints.seed_of(tmp_path)
    assert seed is not None and seed > 2**64
    resumed = swept(tmp_path, seed=None, resume=True)
    assert resumed.attrs["seed"] == str(seed)
    assert identical(resumed, swept(seed=seed))


def test_a_finished_run_is_resumed_by_its_last_sweep_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = swept(tmp_path)
    monkeypatch.setattr(Sweeps, "advance", lambda *_: pytest.fail("an iteration was repeated"))
    assert identical(first, swept(tmp_path, resume=True))


def test_resume_without_a_checkpoint_yet_starts_from_the_beginning(tmp_path: Path) -> None:
    """So that one command can be put into a job that is started again and again."""
    assert identical(swept(), swept(tmp_path / "new" / "folder", resume=True))


def test_without_resume_a_run_starts_anew_and_replaces_the_checkpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed_after(3, monkeypatch, tmp_path, g=1.2)
    assert identical(swept(), swept(tmp_path))
    assert read_state(tmp_path / "iteration.npz")[1]["settings"]["g"] == 1.5


PROGRAM = """
    import os, signal, sys, warnings
    import numpy as np
    import sitesampler as ss
    from sitesampler.runs import iteration as iterations
    from sitesampler.runs.iteration import NotConverged

    iteration, chunk, options = int(sys.argv[1]), int(sys.argv[2]), {options}
    run_chunk = iterations.run_chunk

    def deadly(shared, replica, number, *rest, report):
        if shared.number == iteration and replica == 1 and number == chunk:
            os.kill(os.getpid(), signal.SIGKILL)
        return run_chunk(shared, replica, number, *rest, report=report)

    iterations.run_chunk = deadly
    warnings.simplefilter("ignore", NotConverged)
    ss.sample(ss.models.random_rnn, **options)
"""


def run_in_another_process(text: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("seed", [1, None])
def test_a_process_killed_in_the_middle_of_an_iteration_is_resumed_to_the_same_bits(
    seed: int | None, tmp_path: Path
) -> None:
    options = {**SMALL, **RNN, "seed": seed, "checkpoint": str(tmp_path)}
    ended = run_in_another_process(PROGRAM.format(options=options), 3, 2)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(read_state(tmp_path / "iteration.npz")[0]["changes"]) == 3
    resumed = swept(tmp_path, seed=seed, resume=True)
    assert identical(resumed, swept(seed=int(resumed.attrs["seed"])))


# ------------------------------------------------------------------------------------------------- what is refused
def tilted(h: Any) -> Any:
    return np.tanh(h + 0.1)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"g": 1.6}, "g was 1.5 and is 1.6"),
        ({"phi": "erf"}, "phi was 'tanh' and is 'erf'"),
        ({"phi": tilted}, "phi was 'tanh' and is 'tilted'; the source of tilted has changed"),
        ({"population": 500}, "population was 400 and is 500"),
        ({"chunk": 80}, "chunk was 100 and is 80"),
        ({"replicas": 3}, "replicas was 2 and is 3"),
        ({"iterations": "auto"}, "iterations was 5 and is 'auto'"),
        ({"order_parameters": "cold"}, "order_parameters was 'march' and is 'cold'"),
        ({"damping": 0.5}, "damping was 0.0 and is 0.5"),
        ({"until": 0.1}, "until was 0.0 and is 0.1"),
        ({"keep_going": True}, "keep_going was False and is True"),
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"keep": 4}, "keep was 16 and is 4"),
        ({"every": 2}, "every was 1 and is 2"),
        ({"tolerance": 1e-4}, "tolerance was 0.001 and is 0.0001"),
        ({"dtype": "float32"}, "dtype was 'float64' and is 'float32'"),
        ({"g": 1.6, "seed": 2}, "g was 1.5 and is 1.6; seed was 1 and is 2"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(
    changes: dict[str, Any], difference: str, checkpoint: Path
) -> None:
    with pytest.raises(InputError) as caught:
        swept(checkpoint, resume=True, **changes)
    assert str(caught.value) == (
        f"the checkpoint in {checkpoint} was made by another run: {difference}; go back to those settings, or start "
        "anew in another folder"
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run; tests only read it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    swept(folder)
    return folder


def test_every_setting_that_numbers_depend_on_is_in_a_checkpoint(checkpoint: Path) -> None:
    """Whoever adds an option to `sample` must say here whether it changes the numbers."""
    import inspect

    options = set(inspect.signature(ss.sample).parameters)
    harmless = {"client", "progress", "checkpoint", "resume", "export"}
    settings = set(read_state(checkpoint / "iteration.npz")[1]["settings"])
    program = {"the source of random_rnn", *list(inspect.signature(ss.models.random_rnn).parameters)[1:]}
    assert settings - program == options - harmless - {"parameters"}


def test_a_program_that_was_edited_since_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "def relaxing(net, *, g=0.5):\n    s = net.sites()\n    h = s.normal()\n    for n in net.steps(2):\n"
    text += "        net.record(n, h=h)\n        h = RATE * h\n"
    for rate in ("0.5", "0.25"):
        (tmp_path / f"edited_{rate[2:]}.py").write_text(text.replace("RATE", rate))
    import edited_5  # type: ignore[import-not-found]
    import edited_25  # type: ignore[import-not-found]

    swept(tmp_path / "run", edited_5.relaxing)
    swept(tmp_path / "run", edited_5.relaxing, resume=True)
    with pytest.raises(InputError, match=r"by another run: the source of relaxing has changed; go back"):
        swept(tmp_path / "run", edited_25.relaxing, resume=True)


def test_arrays_and_earlier_results_among_the_settings_are_compared_too(tmp_path: Path) -> None:
    def relaxing(net: Any, *, rates: Any) -> None:
        sites = net.sites()
        h, rates = sites.normal(), sites.values(rates)
        for n in net.steps(2):
            net.record(n, h=h)
            h = rates * h

    rates = np.linspace(0, 1, 50)
    start = swept(None, relaxing, rates=rates)
    swept(tmp_path, relaxing, rates=rates, order_parameters=start)
    swept(tmp_path, relaxing, rates=rates, order_parameters=start, resume=True)
    with pytest.raises(InputError, match=r"another run: rates has changed; go back") as caught:
        swept(tmp_path, relaxing, rates=rates + 1e-9, order_parameters=start, resume=True)
    other = start.assign(order_parameters=start.order_parameters + 1e-9) if start.order_parameters.size else start
    assert other is start, "a program without couplings has no order parameters"
    folder = tmp_path / "coupled"
    start = swept()
    swept(folder, order_parameters=start)
    assert (folder / "iteration.npz").stat().st_size < 60_000
    with pytest.raises(
        InputError, match=r"order_parameters was 'result [0-9a-f]{16}' and is 'result [0-9a-f]{16}'; go"
    ) as caught:
        swept(folder, order_parameters=start.assign(order_parameters=start.order_parameters + 1e-9), resume=True)
    assert "\n" not in str(caught.value)


def test_a_parameter_that_is_not_a_number_does_not_keep_a_run_from_being_resumed(tmp_path: Path) -> None:
    def relaxing(net: Any, *, unused: float) -> None:
        sites = net.sites()
        h = sites.normal()
        for n in net.steps(2):
            net.record(n, h=h)

    swept(tmp_path, relaxing, unused=float("nan"))
    swept(tmp_path, relaxing, unused=float("nan"), resume=True)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "newer", "not one"])
def test_a_damaged_checkpoint_is_refused(damage: str, checkpoint: Path, tmp_path: Path) -> None:
    data = bytearray((checkpoint / "iteration.npz").read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 3] ^= 4
    elif damage == "empty":
        data = bytearray()
    elif damage == "newer":
        data = bytearray(bytes(data).replace(b'"format": 1', b'"format": 9'))
    else:
        data = bytearray(b"something else altogether")
    (tmp_path / "iteration.npz").write_bytes(data)
    for seed in (1, None):
        with pytest.raises(StorageError) as caught:
            swept(tmp_path, seed=seed, resume=True)
        assert "iteration.npz" in str(caught.value) and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------- full disks
def test_a_full_disk_leaves_the_earlier_checkpoint_from_which_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written, write = [], write_state

    def full(path: Path, arrays: Any, facts: Any) -> None:
        if len(written) == 3:
            monkeypatch.setattr(os, "fsync", no_space)
        written.append(path)
        write(path, arrays, facts)

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_state", full)
        with pytest.raises(DiskFull, match=r"iteration\.npz") as caught:
            swept(tmp_path)
        assert "\n" not in str(caught.value)
        monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["iteration.npz"], "half a file was left"
    assert len(read_state(tmp_path / "iteration.npz")[0]["changes"]) == 2
    assert identical(swept(), swept(tmp_path, resume=True))


LIMITED = """
    import resource, signal, sys, warnings
    import sitesampler as ss
    from sitesampler.errors import DiskFull

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    warnings.simplefilter("ignore")
    try:
        ss.sample(ss.models.random_rnn, **{options})
    except DiskFull as error:
        print(error)
"""


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    """The first states, without records, fit; the records of an averaged iteration do not."""
    options = {**SMALL, **RNN, "checkpoint": str(tmp_path)}
    swept(tmp_path)
    whole = (tmp_path / "iteration.npz").stat().st_size
    (tmp_path / "iteration.npz").unlink()
    ended = run_in_another_process(LIMITED.format(options=options), whole - 1000)
    assert ended.returncode == 0 and "iteration.npz" in ended.stdout, ended.stderr
    assert ended.stdout.count("\n") == 1
    done = len(read_state(tmp_path / "iteration.npz")[0]["changes"])
    assert 0 < done < 5
    assert identical(swept(), swept(tmp_path, resume=True))


# --------------------------------------------------------------------------------------------------------- the file
def test_a_state_comes_back_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    save = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda folder, settings, state: states.append((settings, state)))
    swept(tmp_path)
    settings, state = states[-1]
    assert state.averaged > 0 and state.records
    save(tmp_path, settings, state)
    again = checkpoints.load(tmp_path, json.loads(json.dumps(settings)))
    assert again is not None
    assert (again.changes, again.averaged, again.failures) == (state.changes, state.averaged, state.failures)
    for one, other in zip(state.estimates, again.estimates, strict=True):
        assert one.structure == other.structure and one.flat().tobytes() == other.flat().tobytes()
    for (weight, variables), (same_weight, same) in zip(state.records, again.records, strict=True):
        assert weight == same_weight and list(variables) == list(same)
        for name, variable in variables.items():
            other = same[name]
            assert (variable.dims, variable.attrs, variable.kind) == (other.dims, other.attrs, other.kind)
            assert variable.values.tobytes() == other.values.tobytes()
            assert variable.floor.tobytes() == other.floor.tobytes()
            assert all(variable.coords[dim].tobytes() == other.coords[dim].tobytes() for dim in variable.coords)


# ------------------------------------------------------------------------------------------------------ the folder
def test_a_second_run_with_the_same_checkpoint_is_refused(tmp_path: Path) -> None:
    """A second call, from within the first one."""
    refused: list[str] = []

    def nested(net: Any) -> None:
        h = net.sites().normal()
        if (tmp_path / ".lock").exists() and not refused:
            refused.append("")
            with pytest.raises(StorageError) as caught:
                swept(tmp_path, nested)
            refused[0] = str(caught.value)
        for n in net.steps(2):
            net.record(n, h=h)

    swept(tmp_path, nested)
    assert f"the checkpoint folder {tmp_path} is in use by another run (process {os.getpid()} on " in refused[0]
    assert [path.name for path in tmp_path.iterdir()] == ["iteration.npz"]


def test_a_torn_checkpoint_says_how_to_start_anew(tmp_path: Path) -> None:
    (tmp_path / "iteration.npz").touch()
    with pytest.raises(StorageError, match=r"or leave out resume=True \(--resume on the command line\) to start anew"):
        swept(tmp_path, resume=True)
    assert identical(swept(), swept(tmp_path))
