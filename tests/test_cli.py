"""The command line: what it prints, what it leaves, and how it ends."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from made_up import made_up_result

from sitesampler import models
from sitesampler.cli import consistency, headlines, main
from sitesampler.compute.clusters import SchedulerLost
from sitesampler.errors import DiskFull, NotFinite, OutOfMemory, StorageError

STUDY = str(Path(__file__).parents[1] / "studies" / "random_rnn.toml")
SMALL = {
    "parameters.duration": 5,
    "sample.population": 300,
    "sample.replicas": 3,
    "sample.keep": 4,
    "simulate.size": 60,
    "simulate.replicas": 3,
    "simulate.keep": 4,
}


def settings(values: dict[str, Any]) -> list[str]:
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one sentence on stderr."""
    sentence = capsys.readouterr().err
    assert sentence.startswith("sitesampler: ") and sentence.count("\n") == 1
    return sentence


def test_list_names_every_model_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(models.NAMES)
    assert all(len(line.split()) > 2 for line in lines)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"sitesampler \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_run_samples_simulates_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", STUDY, "--no-progress", "--output", str(tmp_path), *settings(SMALL)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith(f"Chaotic random network, g = 2: writing to {tmp_path}\n")
    assert re.search(r"^sampler, N = infinity: C_h\(5, 5\) = [\d.]+ ± [\d.]+$", printed.out, re.MULTILINE)
    assert re.search(r"^simulation, N = 60: C_h\(5, 5\) = [\d.]+ ± [\d.]+$", printed.out, re.MULTILINE)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, attribute, number in (("sample.zarr", "population", 300), ("simulation.zarr", "size", 60)):
            with xr.open_zarr(tmp_path / name) as stored:
                assert {"C_h", "C_h_stderr", "h_mean", "trajectory_h"} <= set(stored.data_vars)
                assert stored.attrs[attribute] == number
                assert stored["C_h"].sel(time=5, time_=5) > 0


@pytest.mark.usefixtures("calls")
def test_results_go_to_a_folder_named_like_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", STUDY]) == 0
    folder = Path("results") / "random_rnn"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"writing to {folder}")
    assert lines[1:4] == [f"wrote {folder / name}" for name in ("sample.zarr", "simulation.zarr", "figure.png")]
    assert "sampler, N = infinity: C_h(5, 5) = 2.000 ± 0.010" in lines


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "none.toml"], "there is no study file none.toml"),
        (["run", STUDY, "--set", "program='random_rn'"], "did you mean 'random_rnn'?"),
        (["run", STUDY, "--set", "parameters.gain=2"], "random_rnn has no such parameter"),
        (["run", STUDY, "--set", "sample.population=0"], "must be a positive integer, got 0"),
        (["run", STUDY, "--output", str(Path(STUDY) / "inside")], "cannot be written: Not a directory"),
    ],
)
def test_a_mistake_ends_with_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert sentence in refusal(capsys)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (NotFinite("h is not finite at time 3"), 1, "h is not finite at time 3"),
        (DiskFull("no room for sample.zarr"), 1, "no room for sample.zarr"),
        (SchedulerLost("the scheduler is lost"), 1, "the scheduler is lost"),
        (OutOfMemory("it needs 3 GiB"), 2, "it needs 3 GiB"),
        (StorageError("the checkpoint is damaged"), 2, "the checkpoint is damaged"),
        (ZeroDivisionError("division by zero"), 1, "the run failed with ZeroDivisionError: division by zero"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_run_that_fails_ends_with_one_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("sitesampler.studies.run.sample", fail)
    assert main(["run", STUDY, "--output", str(tmp_path)]) == code
    assert sentence in refusal(capsys)


def test_the_traceback_is_shown_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("sitesampler.studies.run.sample", fail)
    assert main(["run", STUDY, "--output", str(tmp_path), "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_headlines_are_last_values_with_errors_numbers_first() -> None:
    dataset = made_up_result()
    for name, last, stderr in (
        ("loss", 1234.5, 250.0),
        ("exponent", float("nan"), 0.1),
        ("energy", -0.5, float("nan")),
    ):
        dataset[name] = "time", np.full(dataset.sizes["time"], last)
        dataset[f"{name}_stderr"] = "time", np.full(dataset.sizes["time"], stderr)
    assert headlines(dataset, count=9) == ["loss(5) = 1230 ± 250", "energy(5) = -0.5", "C_h(5, 5) = 2.000 ± 0.010"]


@pytest.mark.parametrize(
    ("residual", "converged", "sentence"),
    [
        (1.13, 1, "self-consistent within its Monte Carlo error (residual 1.1 after 6 iterations)"),
        (8.0, 1, "self-consistent to the tolerance asked for only (residual 8 after 6 iterations; about 1 when"),
        (8.0, 0, "not self-consistent yet (residual 8 after 6 iterations; about 1 when nothing but chance is left)"),
    ],
)
def test_self_consistency_is_judged_in_units_of_its_error(residual: float, converged: int, sentence: str) -> None:
    found = {"self_consistency_residual": residual, "iterations": 6, "converged": converged}
    (line,) = consistency(xr.Dataset(attrs=found))
    assert line.startswith(sentence)


def test_the_self_consistency_of_a_sweep_is_that_of_its_worst_point() -> None:
    points = {"self_consistency_residual": ("g", [1.0, np.nan, 4.0]), "iterations": ("g", [3, np.nan, 6])}
    (line,) = consistency(xr.Dataset(points, attrs={"converged": 0}))
    assert line.startswith("not self-consistent yet (largest residual 4 after 6 iterations;")
    assert consistency(made_up_result()) == []


def test_a_run_with_iterations_says_how_self_consistent_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {**SMALL, "parameters.duration": 0.5, "sample.population": 200, "sample.iterations": 2, "sample.chunk": 100}
    assert main(["run", STUDY, "--no-progress", "--output", str(tmp_path), *settings(small)]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^sampler, N = infinity: .*self-consistent.* \(residual .* after 2 iterations", printed.out, re.M)
    assert printed.err == "" and not (tmp_path / "checkpoint").exists()


def test_options_that_only_make_sense_together_are_refused_with_the_name_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", STUDY, "--output", str(tmp_path), *settings({**SMALL, "sample.chunk": 32})]) == 2
    assert 'random_rnn.toml: chunk says how order parameters are iterated; add iterations="auto"' in refusal(capsys)
