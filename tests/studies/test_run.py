"""Runs of studies that were interrupted, killed, edited or damaged, and how they go on."""

import functools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from files import names

import sitesampler as ss
from sitesampler.cli import main
from sitesampler.errors import InputError, NotFinite, StorageError
from sitesampler.storage.folders import lock_folder
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import StudyError, read_study

OWN = """
from pathlib import Path
import time
import numpy as np

def decay(net, *, rate=1.0):
    while rate > 1.2 and Path(__file__).with_name("hold").exists():  # so that a test can stop a run in this point
        time.sleep(0.01)
    sites = net.sites()
    J, x = net.coupling(sites), sites.normal()
    for t in net.clock(1.0, 0.25):
        net.record(t, x=x)
        x = x + 0.25 * (J @ np.tanh(x) - rate * x)
"""
STUDY = """
title = "Decay"
program = "own.py:decay"
[parameters]
rate = 1.0
[sample]
population = 100
replicas = 2
[simulate]
size = 30
replicas = 2
"""
SWEPT = STUDY.replace("[parameters]\nrate = 1.0", "[sweep]\nrate = [0.5, 1.0, 1.5, 2.0]").partition("[simulate]")[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a study of a program of its own; it leaves its seeds to chance."""
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "decay.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path / "decay.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def words(file: Path, folder: Path, *more: str) -> list[str]:
    """Return the words of a command line."""
    return ["run", str(file), "--output", str(folder), "--no-progress", *more]


def stop(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def interrupted(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a study up to its simulation."""
    with monkeypatch.context() as patch:
        patch.setattr("sitesampler.studies.run.simulate", stop)
        assert main(words(file, folder)) == 130


def without_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call of `sample` fail the test."""

    def unexpected(*_: Any, **__: Any) -> None:
        raise AssertionError("what is complete was computed again")

    monkeypatch.setattr("sitesampler.studies.run.sample", unexpected)


# ----------------------------------------------------------------------------------------------------------- going on
def test_an_interrupted_run_goes_on_with_its_seeds_and_its_complete_datasets(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(file, folder, monkeypatch)
    assert "what was complete is kept, and --resume goes on from it" in capsys.readouterr().err
    sample = ss.open_result(folder / "sample.zarr").load()
    without_sample(monkeypatch)
    result = run_study(read_study(file), folder, resume=True)
    xr.testing.assert_identical(result.sample, sample)
    assert result.simulation is not None
    # The seed that was drawn when the run began is the seed that an uninterrupted run would have used for the rest.
    seed = int(result.simulation.attrs["seed"])
    alone = ss.simulate(read_program(file), rate=1.0, size=30, replicas=2, seed=seed)
    xr.testing.assert_equal(result.simulation, alone)


def read_program(file: Path) -> Callable[..., None]:
    from sitesampler.studies.program import load_program

    return load_program(read_study(file))


def test_a_finished_run_has_nothing_left_to_do_and_says_the_same(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(file, folder)) == 0
    said = capsys.readouterr().out
    assert not (folder / "checkpoint").exists()
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    without_sample(monkeypatch)
    assert main(words(file, folder, "--resume")) == 0
    assert capsys.readouterr().out == said
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == written


def test_a_dataset_that_was_damaged_since_is_computed_again(
    file: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run_study(read_study(file), folder)
    shutil.rmtree(folder / "sample.zarr" / "C_x")
    assert main(words(file, folder, "--resume")) == 0
    assert "sample.zarr is computed again" in capsys.readouterr().err
    xr.testing.assert_identical(ss.open_result(folder / "sample.zarr").load(), before.sample)


def test_a_checkpoint_is_discarded_only_if_that_is_said(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sitesampler.runs.iteration.Iteration.advance", stop)
        assert main(words(file, folder, "--set", "sample.iterations=2")) == 130
    assert (folder / "checkpoint" / "sample" / "journal.npz").exists()
    (folder / "checkpoint" / "notes.txt").touch()
    capsys.readouterr()
    assert main(words(file, folder)) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert main(words(file, folder, "--overwrite")) == 0
    assert "discarded the checkpoint of an earlier run in" in capsys.readouterr().err
    assert names(folder / "checkpoint") == ["notes.txt"], "somebody else's"


@pytest.mark.parametrize("name", ["checkpoint", "figure.png"])
def test_what_a_run_would_take_for_its_own_is_refused_where_no_run_was(
    name: str, file: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    (folder / name).touch()
    assert main(words(file, folder)) == 2
    assert "was not left by a run" in capsys.readouterr().err
    assert names(folder) == [name]


def test_a_run_that_is_resumed_after_a_failure_goes_on_from_the_state_of_sample(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = []

    def fail(*_: Any, checkpoint: Path, resume: bool, **__: Any) -> None:
        options.append((checkpoint.relative_to(folder).as_posix(), resume))
        checkpoint.mkdir(parents=True, exist_ok=True)
        raise NotFinite("x is not finite at time 3")

    monkeypatch.setattr("sitesampler.studies.run.sample", fail)
    study = read_study(file, ["sample.iterations=3"])
    for resume in (False, True):
        with pytest.raises(NotFinite):
            run_study(study, folder, resume=resume)
    assert options == [("checkpoint/sample", False), ("checkpoint/sample", True)]


def test_all_trajectories_go_to_a_store_of_their_own(file: Path, folder: Path) -> None:
    settings = ["sample.keep='all'", "sample.iterations=2", "sample.chunk=20", "sample.seed=0"]
    sample = run_study(read_study(file, settings), folder).sample
    everything = ss.open_result(folder / "trajectories.zarr").load()
    assert everything["trajectory_x"].sizes == {"site": 200, "time": 5}
    assert sample["trajectory_x"].sizes == {"site": 16, "time": 5}
    xr.testing.assert_equal(sample["trajectory_x"], everything["trajectory_x"][:16])
    shutil.rmtree(folder / "trajectories.zarr" / "trajectory_x")
    told: list[str] = []
    again = run_study(read_study(file, settings), folder, resume=True, note=told.append).sample
    assert len(told) == 1 and "sample.zarr is computed again" in told[0] and "trajectories.zarr" in told[0]
    xr.testing.assert_identical(again, sample)
    assert ss.open_result(folder / "trajectories.zarr")["trajectory_x"].equals(everything["trajectory_x"])


# ----------------------------------------------------------------------------------------------------------- refused
def test_nothing_to_resume_is_said_in_one_sentence(
    file: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(file, folder, "--resume")) == 2
    assert capsys.readouterr().err.startswith(f"sitesampler: there is nothing to resume in {folder}: ")
    assert not folder.exists()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_study_that_was_edited_since_is_refused_with_the_difference(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(file, folder, monkeypatch)
    edit(file, "rate = 1.0", "rate = 2.0")
    edit(file, "size = 30", "matrix = false")
    sentence = (
        r"decay.toml is not what the run in .*out was started with: parameters.rate was 1.0 and is 2.0; "
        "simulate.size was 30 and is not set; simulate.matrix was not set and is False; undo that, or start"
    )
    with pytest.raises(StudyError, match=sentence):
        run_study(read_study(file), folder, resume=True)


def test_a_setting_that_was_laid_over_the_file_belongs_to_the_run(file: Path, folder: Path) -> None:
    run_study(read_study(file, ["sample.keep=2"]), folder)
    with pytest.raises(StudyError, match=r"sample\.keep was 2 and is not set"):
        run_study(read_study(file), folder, resume=True)


def test_a_program_that_was_edited_since_is_refused_but_a_comment_in_the_study_is_none(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(file, folder, monkeypatch)
    edit(file, 'title = "Decay"', '# To be shown on Monday.\ntitle = "Decay"')
    run_study(read_study(file), folder, resume=True)
    edit(file.parent / "own.py", "0.25 * (J", "0.26 * (J")
    with pytest.raises(StudyError, match=r"was started with: the function [a-z]+ has changed; undo that"):
        run_study(read_study(file), folder, resume=True)


def test_two_runs_into_one_folder_are_refused(file: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lock_folder(folder):
        assert main(words(file, folder)) == 2
    sentence = capsys.readouterr().err
    assert "out is in use by another run" in sentence and sentence.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_record_that_was_damaged_is_refused(file: Path, folder: Path) -> None:
    run_study(read_study(file), folder)
    record = folder / "journal.npz"
    record.write_bytes(record.read_bytes().replace(b"rate", b"late", 1))
    with pytest.raises(StorageError, match=r"journal\.npz is damaged"):
        run_study(read_study(file), folder, resume=True)


# ------------------------------------------------------------------------------------------------------------ killed
def test_a_sweep_whose_driver_was_killed_goes_on_with_the_same_bits(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(SWEPT, encoding="utf-8")
    hold = file.with_name("hold")
    hold.touch()
    command = [sys.executable, "-m", "sitesampler", *words(file, folder)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    points = folder / "checkpoint" / "sample"
    deadline = time.monotonic() + 120
    while not (points / "point-001.zarr").exists():
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    hold.unlink()
    assert not (points / "point-002.zarr").exists() and not (folder / "sample.zarr").exists()

    computed = []

    @functools.wraps(ss.sample)
    def sample(*program: Any, **options: Any) -> xr.Dataset:
        computed.append(options["rate"])
        return actual(*program, **options)

    actual = ss.sample
    monkeypatch.setattr("sitesampler.studies.run.sample", sample)
    resumed = run_study(read_study(file), folder, resume=True).sample
    assert computed == [1.5, 2.0]
    whole = run_study(read_study(file, [f"sample.seed={resumed.attrs['seed']}"]), folder.with_name("whole")).sample
    xr.testing.assert_identical(resumed.drop_attrs(), whole.drop_attrs())
    assert resumed["C_x"].notnull().all() and resumed.sizes["rate"] == 4
    assert not points.exists()


DEADLY = """
import os, signal, sys
from sitesampler.cli import main
from sitesampler.runs import iteration, march

begun = []

def deadly(function):
    def run(shared, piece, report):
        task = getattr(shared, "task", shared)
        where = task.asked.call, task.parameters["rate"], getattr(shared, "number", None)
        begun.append(where)
        if repr(where) == sys.argv[1] and begun.count(where) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(shared, piece, report=report)
    return run

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {0})  # one piece after the other
march.run_replica, iteration.run_chunk = deadly(march.run_replica), deadly(iteration.run_chunk)
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("text", "settings", "place", "kept"),
    [
        (STUDY, [], ("sample", 1.0, None), "checkpoint/sample/replica-*.npz"),
        pytest.param(STUDY, [], ("simulate", 1.0, None), "checkpoint/simulate/replica-*.npz", marks=pytest.mark.slow),
        (
            STUDY,
            ["sample.iterations=3", "sample.chunk=40"],
            ("sample", 1.0, 2),
            "checkpoint/sample/iteration-002.npz",
        ),
        (SWEPT, [], ("sample", 1.5, None), "checkpoint/sample/point-002/replica-*.npz"),
        pytest.param(
            SWEPT,
            ["sample.iterations=2", "sample.chunk=40"],
            ("sample", 1.5, 1),
            "checkpoint/sample/point-002/iteration-001.npz",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["march", "simulation", "iterations", "sweep", "sweep with iterations"],
)
def test_a_study_killed_within_a_call_goes_on_from_its_pieces_to_the_same_bits(
    text: str, settings: list[str], place: Any, kept: str, file: Path, folder: Path
) -> None:
    file.write_text(text.replace("replicas = 2", "replicas = 4\nseed = 5"), encoding="utf-8")
    more = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-c", DEADLY, repr(place), *words(file, folder, *more)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(list(folder.glob(kept))) == (2 if "*" in kept else 1)
    whole = folder.with_name("whole")
    assert main(words(file, whole, *more)) == 0 and main(words(file, folder, *more, "--resume")) == 0
    assert names(folder) == names(whole) and not (folder / "checkpoint").exists()
    for name in ("sample.zarr", "simulation.zarr"):
        if (whole / name).exists():
            xr.testing.assert_identical(ss.open_result(folder / name).load(), ss.open_result(whole / name).load())


# ----------------------------------------------------------------------------------------------------------- clusters
def test_a_study_runs_on_the_scheduler_that_is_named(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client, LocalCluster

    edit(file, "[sample]", "[sample]\nseed = 1")
    here = run_study(read_study(file), folder.with_name("here")).sample
    left = []
    close = Client.close
    monkeypatch.setattr(Client, "close", lambda self, *args, **more: left.append(self) or close(self, *args, **more))
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp") as on:
        assert main(words(file, folder, "--scheduler", on.scheduler_address)) == 0
        assert len(left) == 1
    xr.testing.assert_identical(ss.open_result(folder / "sample.zarr").load(), here)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--tls-cert", "cert.pem"], "the --tls files are for a scheduler; name it with --scheduler tls://HOST:PORT"),
        (["--scheduler", "10.0.0.1"], "a scheduler's address is tcp://HOST:PORT or tls://HOST:PORT, not '10.0.0.1'"),
        (["--scheduler", "tls://10.0.0.1:8786", "--tls-key", "k"], "needs TLS files, and none is given for"),
    ],
)
def test_a_scheduler_that_cannot_be_meant_is_refused(
    file: Path, folder: Path, more: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(file, folder, *more)) == 2
    assert sentence in capsys.readouterr().err
    assert not folder.exists()


def test_what_a_call_refuses_is_an_input_error_also_without_the_command_line(file: Path, folder: Path) -> None:
    with pytest.raises(InputError, match=r"decay\.toml: population must be"):
        run_study(read_study(file, ["sample.population=1"]), folder)


def test_a_figure_of_another_program_is_said_to_be_one_and_the_datasets_are_complete(file: Path, folder: Path) -> None:
    file.write_text(STUDY + '[figure]\nkind = "student"\n', encoding="utf-8")
    with pytest.raises(StudyError, match=r"the figure .student. cannot show what own\.py:decay has recorded"):
        run_study(read_study(file), folder, progress=False)
    assert "C_x" in ss.open_result(folder / "sample.zarr")


# ------------------------------------------------------------------------------------------------------- not ours
@pytest.mark.parametrize("name", ["sample.zarr", "simulation.zarr", "trajectories.zarr", "partial.zarr"])
def test_what_has_the_name_of_a_store_and_is_none_is_refused_before_any_work(
    name: str, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "notes.txt").write_text("years of work")
    without_sample(monkeypatch)
    with pytest.raises(StorageError, match=rf"{name} is there already and is no store that sitesampler wrote"):
        run_study(read_study(file), folder)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == [name, f"{name}/notes.txt"]


def test_what_somebody_put_in_the_place_of_a_dataset_is_refused_when_the_run_goes_on(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(read_study(file), folder)
    shutil.rmtree(folder / "sample.zarr")
    (folder / "sample.zarr").mkdir()
    (folder / "sample.zarr" / "notes.txt").write_text("years of work")
    without_sample(monkeypatch)
    with pytest.raises(StorageError, match=r"sample\.zarr is there already and is no store that sitesampler wrote"):
        run_study(read_study(file), folder, resume=True)
    assert [path.name for path in (folder / "sample.zarr").iterdir()] == ["notes.txt"]


def test_a_dataset_that_lost_its_manifest_is_computed_again(file: Path, folder: Path) -> None:
    before = run_study(read_study(file), folder)
    shutil.rmtree(folder / "sample.zarr" / ".sitesampler")
    told: list[str] = []
    run_study(read_study(file), folder, resume=True, note=told.append)
    assert len(told) == 1 and "sample.zarr is computed again" in told[0]
    xr.testing.assert_identical(ss.open_result(folder / "sample.zarr").load(), before.sample)


def test_an_empty_record_says_how_to_start_anew(file: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    (folder / "journal.npz").touch()
    assert main(words(file, folder, "--resume")) == 2
    assert "or leave out resume=True (--resume on the command line) to start anew" in capsys.readouterr().err
    assert main(words(file, folder)) == 0
