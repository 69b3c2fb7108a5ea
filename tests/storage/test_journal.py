"""The journal: a run that was killed goes on to the same bits, and nothing else is continued."""

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from files import names
from iterated import identical

import sitesampler as ss
from sitesampler.errors import DiskFull, InputError, StorageError
from sitesampler.runs.iteration import Iteration, NotConverged
from sitesampler.runs.states import sealed_state, unsealed_state
from sitesampler.storage import journal
from sitesampler.storage.folders import LOCK
from sitesampler.storage.journal import Journal, open_journal
from sitesampler.storage.purpose import Inside, Purpose
from sitesampler.storage.sealed import read_state, write_state

RNN: dict[str, Any] = {"scheme": "euler", "g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 1.0}
SMALL: dict[str, Any] = {"population": 400, "chunk": 100, "replicas": 2, "seed": 1, "iterations": 5, "progress": False}


def iterated(folder: Path | None = None, program: Any = ss.models.random_rnn, **changes: Any) -> xr.Dataset:
    options = {**SMALL, **(RNN if program is ss.models.random_rnn else {}), "checkpoint": folder, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return ss.sample(program, **options)


def kept_by(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arrays and facts of the state that a run keeps."""
    (path,) = folder.glob("iteration-*.npz")
    return read_state(path)


def facts_of(folder: Path) -> dict[str, Any]:
    return read_state(folder / "journal.npz")[1]


class Killed(BaseException):
    """Stands for the end of a process."""


def killed_after(iterations: int, monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: Any) -> None:
    """Run until so many iterations are done, and end in the middle of the next one."""
    advance = Iteration.advance

    def until(self: Iteration, state: Any) -> Any:
        if len(state.changes) == iterations:
            raise Killed
        return advance(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(Iteration, "advance", until)
        with pytest.raises(Killed):
            iterated(folder, **changes)


# --------------------------------------------------------------------------------------------------- the same bits
@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_interrupted(
    iterations: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether it was still moving or already averaging, with all that its records hold."""
    killed_after(iterations, monkeypatch, tmp_path)
    assert names(tmp_path) == [f"iteration-{iterations:03}.npz", "journal.npz"]
    assert identical(iterated(), iterated(tmp_path, resume=True))


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
    assert kept_by(tmp_path)[1]["records"] == 2, "records were not there yet"
    assert identical(iterated(**options), iterated(tmp_path, resume=True, **options))


def test_a_run_without_a_seed_is_resumed_with_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed_after(2, monkeypatch, tmp_path, seed=None)
    seed = facts_of(tmp_path)["seeds"]["seed"]
    assert seed > 2**64
    resumed = iterated(tmp_path, seed=None, resume=True)
    assert resumed.attrs["seed"] == str(seed)
    assert identical(resumed, iterated(seed=seed))


def test_a_finished_run_is_resumed_by_its_last_iteration_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = iterated(tmp_path)
    monkeypatch.setattr(Iteration, "advance", lambda *_: pytest.fail("an iteration was repeated"))
    assert identical(first, iterated(tmp_path, resume=True))


def test_resume_without_a_checkpoint_yet_starts_from_the_beginning(tmp_path: Path) -> None:
    """So that one command can be put into a job that is started again and again."""
    assert identical(iterated(), iterated(tmp_path / "new" / "folder", resume=True))


def test_what_an_earlier_run_has_kept_is_replaced_only_if_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed_after(3, monkeypatch, tmp_path, g=1.2)
    for changes, way in (({}, r"other settings \(g was 1.2 and is 1.5\)"), ({"g": 1.2}, "resume=True goes on with it")):
        with pytest.raises(InputError, match=rf"kept \(iteration-003\.npz\), with .*{way}; overwrite=True replaces it"):
            iterated(tmp_path, **changes)
    assert facts_of(tmp_path)["settings"]["g"] == 1.2
    assert identical(iterated(), iterated(tmp_path, overwrite=True))
    assert facts_of(tmp_path)["settings"]["g"] == 1.5


PROGRAM = """
    import os, signal, sys, warnings
    import numpy as np
    import sitesampler as ss
    from sitesampler.runs import iteration as iterations
    from sitesampler.runs.iteration import NotConverged

    iteration, chunk, options = int(sys.argv[1]), int(sys.argv[2]), {options}
    run_chunk = iterations.run_chunk

    def deadly(shared, piece, report):
        if shared.number == iteration and piece.arguments[:2] == (1, chunk):
            os.kill(os.getpid(), signal.SIGKILL)
        return run_chunk(shared, piece, report=report)

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
    assert len(kept_by(tmp_path)[0]["changes"]) == 3
    resumed = iterated(tmp_path, seed=seed, resume=True)
    assert identical(resumed, iterated(seed=int(resumed.attrs["seed"])))


# ------------------------------------------------------------------------------------------------- what is refused
def tilted(h: Any) -> Any:
    return np.tanh(h + 0.1)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"g": 1.6}, "g was 1.5 and is 1.6"),
        ({"phi": "erf"}, "phi was 'tanh' and is 'erf'"),
        ({"phi": tilted}, "phi was 'tanh' and is 'tilted'; the function tilted has changed"),
        ({"population": 500}, "population was 400 and is 500"),
        ({"chunk": 80}, "chunk was 100 and is 80"),
        ({"replicas": 3}, "replicas was 2 and is 3"),
        ({"iterations": "auto"}, "iterations was 5 and is 'auto'"),
        ({"order_parameters": "cold"}, "order_parameters was 'march' and is 'cold'"),
        ({"damping": 0.5}, "damping was 0.0 and is 0.5"),
        ({"until": 0.1}, "until was None and is 0.1"),
        ({"keep_going": True}, "keep_going was False and is True"),
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"keep": 4}, "keep was 16 and is 4"),
        ({"every": 2}, "every was 1 and is 2"),
        ({"tolerance": 1e-4}, "tolerance was 0.001 and is 0.0001"),
        ({"dtype": "float32"}, "dtype was 'float64' and is 'float32'"),
        ({"g": 1.6, "seed": 2}, "seed was 1 and is 2; g was 1.5 and is 1.6"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(
    changes: dict[str, Any], difference: str, checkpoint: Path
) -> None:
    with pytest.raises(InputError) as caught:
        iterated(checkpoint, resume=True, **changes)
    assert str(caught.value) == (
        f"the checkpoint in {checkpoint} was made by another run: {difference}; go back to those settings, or start "
        "anew in another folder"
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run; tests only read it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    iterated(folder)
    return folder


def test_every_setting_that_numbers_depend_on_is_in_a_checkpoint(checkpoint: Path) -> None:
    """Whoever adds an option to `sample` must say here whether it changes the numbers."""
    import inspect

    options = set(inspect.signature(ss.sample).parameters)
    harmless = {"client", "progress", "checkpoint", "resume", "overwrite", "export"}
    facts = facts_of(checkpoint)
    reached = {
        name for name in facts["settings"] if name.startswith(("the ", "what ", "sitesampler", "Python", "numpy"))
    }
    settings = {*facts["settings"], *facts["seeds"]} - reached
    program = {*list(inspect.signature(ss.models.random_rnn).parameters)[1:]}
    assert settings - program == options - harmless - {"parameters"}


def test_a_program_that_was_edited_since_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "def relaxing(net, *, g=0.5):\n    s = net.sites()\n    h = s.normal()\n    for n in net.steps(2):\n"
    text += "        net.record(n, h=h)\n        h = RATE * h\n"
    for rate in ("0.5", "0.25"):
        (tmp_path / f"edited_{rate[2:]}.py").write_text(text.replace("RATE", rate))
    import edited_5  # type: ignore[import-not-found]
    import edited_25  # type: ignore[import-not-found]

    iterated(tmp_path / "run", edited_5.relaxing)
    iterated(tmp_path / "run", edited_5.relaxing, resume=True)
    with pytest.raises(InputError, match=r"by another run: the function relaxing has changed; go back"):
        iterated(tmp_path / "run", edited_25.relaxing, resume=True)


def test_arrays_and_earlier_results_among_the_settings_are_compared_too(tmp_path: Path) -> None:
    def relaxing(net: Any, *, rates: Any) -> None:
        sites = net.sites()
        h, rates = sites.normal(), sites.values(rates)
        for n in net.steps(2):
            net.record(n, h=h)
            h = rates * h

    rates = np.linspace(0, 1, 50)
    start = iterated(None, relaxing, rates=rates)
    iterated(tmp_path, relaxing, rates=rates, order_parameters=start)
    iterated(tmp_path, relaxing, rates=rates, order_parameters=start, resume=True)
    with pytest.raises(InputError, match=r"another run: rates has changed; go back") as caught:
        iterated(tmp_path, relaxing, rates=rates + 1e-9, order_parameters=start, resume=True)
    other = start.assign(order_parameters=start.order_parameters + 1e-9) if start.order_parameters.size else start
    assert other is start, "a program without couplings has no order parameters"
    folder = tmp_path / "coupled"
    start = iterated()
    iterated(folder, order_parameters=start)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000
    with pytest.raises(
        InputError, match=r"order_parameters was 'result [0-9a-f]{16}' and is 'result [0-9a-f]{16}'; go"
    ) as caught:
        iterated(folder, order_parameters=start.assign(order_parameters=start.order_parameters + 1e-9), resume=True)
    assert "\n" not in str(caught.value)


def test_a_parameter_that_is_not_a_number_does_not_keep_a_run_from_being_resumed(tmp_path: Path) -> None:
    def relaxing(net: Any, *, unused: float) -> None:
        sites = net.sites()
        h = sites.normal()
        for n in net.steps(2):
            net.record(n, h=h)

    iterated(tmp_path, relaxing, unused=float("nan"))
    iterated(tmp_path, relaxing, unused=float("nan"), resume=True)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "newer", "not one"])
@pytest.mark.parametrize("file", ["journal.npz", "iteration-005.npz"])
def test_a_damaged_checkpoint_is_refused(file: str, damage: str, checkpoint: Path, tmp_path: Path) -> None:
    for path in checkpoint.glob("*.npz"):
        shutil.copy(path, tmp_path)
    data = bytearray((checkpoint / file).read_bytes())
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
    (tmp_path / file).write_bytes(data)
    for seed in (1, None):
        with pytest.raises(StorageError) as caught:
            iterated(tmp_path, seed=seed, resume=True)
        assert file in str(caught.value) and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------- full disks
def test_a_full_disk_leaves_the_earlier_checkpoint_from_which_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written, write = [], write_state

    def full(path: Path, arrays: Any, facts: Any) -> None:
        if path.name == "iteration-003.npz":
            monkeypatch.setattr(os, "fsync", no_space)
        written.append(path)
        write(path, arrays, facts)

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_state", full)
        with pytest.raises(DiskFull, match=r"iteration-003\.npz") as caught:
            iterated(tmp_path)
        assert "\n" not in str(caught.value)
        monkeypatch.undo()
    assert names(tmp_path) == ["iteration-002.npz", "journal.npz"], "half a file was left"
    assert len(kept_by(tmp_path)[0]["changes"]) == 2
    assert identical(iterated(), iterated(tmp_path, resume=True))


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
    iterated(tmp_path)
    (last,) = tmp_path.glob("iteration-*.npz")
    whole = last.stat().st_size
    for path in tmp_path.iterdir():
        path.unlink()
    ended = run_in_another_process(LIMITED.format(options=options), whole - 1000)
    assert ended.returncode == 0 and "iteration-" in ended.stdout, ended.stderr
    assert ended.stdout.count("\n") == 1
    done = len(kept_by(tmp_path)[0]["changes"])
    assert 0 < done < 5
    assert identical(iterated(), iterated(tmp_path, resume=True))


# --------------------------------------------------------------------------------------------------------- the file
def test_a_state_comes_back_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    actual = Iteration.advance
    monkeypatch.setattr(Iteration, "advance", lambda *given: states.append(actual(*given)) or states[-1])
    iterated()
    state = states[-1]
    assert state.averaged > 0 and state.records
    write_state(tmp_path / "state.npz", *sealed_state(state))
    again = unsealed_state(*read_state(tmp_path / "state.npz"))
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
        if (tmp_path / LOCK).exists() and not refused:
            refused.append("")
            with pytest.raises(StorageError) as caught:
                iterated(tmp_path, nested)
            refused[0] = str(caught.value)
        for n in net.steps(2):
            net.record(n, h=h)

    iterated(tmp_path, nested)
    assert f"the checkpoint folder {tmp_path} is in use by another run (process {os.getpid()} on " in refused[0]
    assert names(tmp_path) == ["iteration-005.npz", "journal.npz"]


def test_a_torn_checkpoint_says_how_to_start_anew(tmp_path: Path) -> None:
    (tmp_path / "journal.npz").touch()
    with pytest.raises(StorageError, match=r"or leave out resume=True \(--resume on the command line\) to start anew"):
        iterated(tmp_path, resume=True)
    assert identical(iterated(), iterated(tmp_path))


# ------------------------------------------------------------------------------------------------- a kill at any line
PURPOSE = Purpose("sums", {"terms": 3}, {"seed": 7}, "{folder} holds other sums: {difference}")


def count(folder: Path, resume: bool, deadly: int | None = None) -> tuple[dict[str, float], list[str]]:
    """Do a run of pieces with states, a chain and a piece inside; return its results and what it computed."""
    computed: list[str] = []
    lines = itertools.count()

    def trace(frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(("journal.py", "sealed.py", "folders.py")):
            return None
        if event == "line" and next(lines) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def piece(journal: Journal, name: str, value: float, instead_of: Sequence[str] = ()) -> float:
        if (kept := journal.state(name)) is not None:
            return float(kept[0]["value"])
        computed.append(name)
        journal.keep_state(name, {"value": np.array(value)}, {}, instead_of)
        return value

    sys.settrace(trace if deadly is not None else None)
    found = {}
    try:
        with open_journal(Inside(folder, resume, lambda _: None), PURPOSE) as journal:
            latest = journal.latest("step-")
            found["first"] = piece(journal, "first", 1.0)
            if latest is None:
                piece(journal, "second", 2.0)
            for step in range(0 if latest is None else int(latest[-1]), 3):
                before = [f"step-{step - 1}"] if step else ["second"]
                found["step"] = piece(journal, f"step-{step}", step, before)
            if not journal.has("part.zarr"):
                (place,) = journal.inside("deep/part")
                assert place is not None
                with open_journal(place, PURPOSE) as inner:
                    found["part"] = piece(inner, "third", 3.0)
                journal.keep_dataset("part", xr.Dataset(), inside="deep/part")
            found["part"] = 3.0
    finally:
        sys.settrace(None)
    return found, computed


def test_a_run_killed_at_any_line_goes_on_to_the_same_results_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at one line after the other, resumed, and started anew."""

    def stand_in(dataset: xr.Dataset, path: Path) -> Path:
        (path / ".sitesampler").mkdir(parents=True, exist_ok=True)
        (path / ".sitesampler" / ".zattrs").touch()
        return path

    monkeypatch.setattr(journal, "publish", stand_in)  # stores have kills of their own, and threads, which fork minds
    whole, _ = count(tmp_path / "whole", False)
    left, line = names(tmp_path / "whole"), 0
    assert left == ["first.npz", "journal.npz", "part.zarr", "step-2.npz"]
    while True:
        folder = tmp_path / str(line)
        child = os.fork()
        if child == 0:
            count(folder, False, line)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        kept = list(facts_of(folder)["done"]) if (folder / "journal.npz").exists() else []
        found, computed = count(folder, True)
        assert found == whole and not {Path(file).stem for file in kept} & {*computed}, line
        assert names(folder) == left, line
        shutil.rmtree(folder)
        if not killed:
            break
        line += 11
    assert line > 300
    assert count(tmp_path / "whole", False)[1] == ["first", "second", "step-0", "step-1", "step-2", "third"]


def test_the_journal_of_another_kind_of_run_is_refused_and_nothing_of_it_touched(tmp_path: Path) -> None:
    count_of = {"sums": PURPOSE, "products": replace(PURPOSE, kind="products")}
    with open_journal(Inside(tmp_path, False, print), count_of["sums"]) as one:
        one.keep_state("first", {}, {})
    for resume in (False, True):
        with (
            pytest.raises(InputError, match="holds a sums, and this is a products; choose another folder"),
            open_journal(Inside(tmp_path, resume, print), count_of["products"]),
        ):
            pass
    assert names(tmp_path) == ["first.npz", "journal.npz"]


def test_starting_anew_removes_what_the_journal_names_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_text("years of work")
    for name in ("first", "second"):
        with open_journal(Inside(tmp_path, False, print), PURPOSE) as one:
            with pytest.raises(StorageError, match=r"mine\.npz is there already and is no file that sitesampler wrote"):
                one.keep_state("mine", {}, {})
            one.keep_state(name, {}, {})
            assert names(tmp_path) == sorted([LOCK, "journal.npz", "mine.npz", f"{name}.npz"])


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_is_refused_leaves_the_journal_of_the_one_before(tmp_path: Path, overwrite: bool) -> None:
    with open_journal(Inside(tmp_path, False, print, led=False), PURPOSE) as one:
        one.keep_state("first", {}, {"of": "the first"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = replace(PURPOSE, settings={"another": 1})
    with (
        pytest.raises(InputError, match=r"refused|other settings"),
        open_journal(Inside(tmp_path, False, print, overwrite, led=False), other),
    ):
        raise InputError("refused")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with open_journal(Inside(tmp_path, True, print, led=False), PURPOSE) as one:
        assert one.state("first") == ({}, {"of": "the first"})


def test_a_journal_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "journal.npz").write_text("a diary")
    with (
        pytest.raises(StorageError, match=r"journal\.npz is there already and is no file that sitesampler wrote"),
        open_journal(Inside(tmp_path, False, print), PURPOSE),
    ):
        pass
    assert (tmp_path / "journal.npz").read_text() == "a diary"


def test_a_file_that_is_not_the_one_that_was_kept_is_told(tmp_path: Path) -> None:
    for place, value in (("one", 1.0), ("other", 2.0)):
        with open_journal(Inside(tmp_path / place, False, print), PURPOSE) as one:
            one.keep_state("first", {"value": np.array(value)}, {})
    shutil.copy(tmp_path / "other" / "first.npz", tmp_path / "one")
    with (
        open_journal(Inside(tmp_path / "one", True, print), PURPOSE) as one,
        pytest.raises(StorageError, match=r"first\.npz is not the one that this run has kept"),
    ):
        one.state("first")
