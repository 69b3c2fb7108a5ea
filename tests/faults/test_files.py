"""Faults of files: damaged ones are refused or say the same, exchanged ones are not taken, ours take nobody's place."""

import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from files import names

import sitesampler as ss
from sitesampler.errors import StorageError
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import open_result, save_result
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import read_study

RESULT = xr.Dataset(
    {"C_h": (("time", "time_"), np.arange(16.0).reshape(4, 4)), "n": ("time", np.full(4, np.nan))},
    coords={"time": np.arange(4.0), "time_": np.arange(4.0), "phi": ("phi", ["tanh", "relu"])},
    attrs={"parameters": '{"g": 1.5}'},
)


def same(path: Path) -> bool:
    return open_result(path).identical(RESULT)


def same_state(path: Path) -> bool:
    arrays, facts = read_state(path)
    return facts == {"g": 1.5} and set(arrays) == {"x"} and bool(np.all(arrays["x"] == np.arange(40.0)))


def written(name: str, folder: Path) -> tuple[Path, Callable[[Path], bool]]:
    if name == "x.npz":
        write_state(folder / name, {"x": np.arange(40.0)}, {"g": 1.5})
        return folder / name, same_state
    return save_result(RESULT, folder / name), same


def damage(path: Path, chance: random.Random) -> None:
    """Flip, cut off, remove or add something somewhere."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    file, kind = chance.choice(files), chance.choice(["flip", "cut", "remove", "add", "swap"])
    content = bytearray(file.read_bytes())
    if kind == "flip" and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
    elif kind == "cut":
        file.write_bytes(content[: chance.randrange(len(content) + 1)])
    elif kind == "remove":
        file.unlink()
    elif kind == "swap":
        other = chance.choice(files)
        theirs = other.read_bytes()
        other.write_bytes(content)
        file.write_bytes(theirs)
    else:
        file.write_bytes(content + bytes(chance.randrange(1, 20)))


@pytest.mark.parametrize("name", ["x.zarr", "x.nc", "x.npz"])
@pytest.mark.parametrize("count", [20, pytest.param(800, marks=pytest.mark.slow)])
def test_what_is_damaged_is_refused_or_says_the_same(tmp_path: Path, name: str, count: int) -> None:
    chance, counts = random.Random(count), Counter[str]()
    for number in range(count):
        (tmp_path / str(number)).mkdir()
        path, unchanged = written(name, tmp_path / str(number))
        damage(path, chance)
        try:
            counts["same numbers" if unchanged(path) else "wrong"] += 1
        except StorageError:
            counts["refused"] += 1
        shutil.rmtree(path.parent)
    print(name, dict(counts))
    assert counts["wrong"] == 0 and counts["refused"] > count // 4


# --------------------------------------------------------------------------------------------------- exchanged pieces
OPTIONS: dict[str, Any] = {"population": 60, "replicas": 2, "seed": 0, "dt": 0.2, "duration": 0.4, "progress": False}


def swept(folder: Path | None = None, **options: Any) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ss.sweep(ss.models.random_rnn, {"g": [0.5, 1.5]}, checkpoint=folder, **{**OPTIONS, **options})


def exchanged(one: Path, other: Path) -> None:
    one.rename(one.with_name("between"))
    other.rename(one)
    one.with_name("between").rename(other)


@pytest.mark.parametrize(
    "change",
    ["swap", pytest.param("copy", marks=pytest.mark.slow), pytest.param("another sweep", marks=pytest.mark.slow)],
)
def test_points_that_were_exchanged_are_computed_again(tmp_path: Path, change: str) -> None:
    whole = swept(tmp_path / "run")
    first, second = (tmp_path / "run" / f"point-00{number}.zarr" for number in (0, 1))
    (tmp_path / "run" / "point-1-notes.txt").write_text("mine")
    if change == "swap":
        exchanged(first, second)
    else:
        source = second
        if change == "another sweep":
            swept(tmp_path / "other", seed=1)
            source = tmp_path / "other" / first.name
        shutil.rmtree(first)
        shutil.copytree(source, first)
    xr.testing.assert_identical(swept(tmp_path / "run", resume=True), whole)
    assert (tmp_path / "run" / "point-1-notes.txt").read_text() == "mine"


STUDY = """
program = "random_rnn"
[parameters]
dt = 0.2
duration = 0.4
[sample]
population = 60
replicas = 2
seed = SEED
[simulate]
size = 60
replicas = 2
seed = SEED
"""


def studied(folder: Path, seed: int = 0, **options: Any) -> tuple[xr.Dataset, xr.Dataset | None, list[str]]:
    file, notes = folder.with_name(f"study-{seed}.toml"), list[str]()
    file.write_text(STUDY.replace("SEED", str(seed)))
    found = run_study(read_study(file), folder, progress=False, note=notes.append, **options)
    return found.sample, found.simulation, notes


@pytest.mark.parametrize("change", ["renamed", pytest.param("another study", marks=pytest.mark.slow)])
def test_datasets_of_a_study_that_were_exchanged_are_computed_again(tmp_path: Path, change: str) -> None:
    sample, simulation, _ = studied(tmp_path / "run")
    if change == "renamed":
        exchanged(tmp_path / "run" / "sample.zarr", tmp_path / "run" / "simulation.zarr")
    else:
        studied(tmp_path / "other", 1)
        exchanged(tmp_path / "run" / "sample.zarr", tmp_path / "other" / "sample.zarr")
    again = studied(tmp_path / "run", resume=True)
    assert "sample.zarr is computed again" in again[2][0]
    xr.testing.assert_identical(again[0], sample)
    xr.testing.assert_identical(again[1], simulation)


def test_a_finished_study_that_is_called_again_is_taken_as_it_is(tmp_path: Path) -> None:
    sample, _, notes = studied(tmp_path / "run")
    assert notes == []
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    again, _, notes = studied(tmp_path / "run")
    assert "holds this run already, complete: nothing is computed; --overwrite computes it anew" in notes[0]
    xr.testing.assert_identical(again, sample)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_an_empty_figure_is_drawn_again_and_one_of_the_users_is_left(tmp_path: Path) -> None:
    studied(tmp_path / "run")
    figure = tmp_path / "run" / "figure.png"
    drawn = figure.read_bytes()
    figure.write_bytes(b"")
    assert "figure.png is empty, and is drawn again" in studied(tmp_path / "run", resume=True)[2][-1]
    assert len(figure.read_bytes()) == len(drawn)
    figure.write_bytes(b"a figure of mine")
    assert "is left as it is" in studied(tmp_path / "run", resume=True)[2][-1]
    with pytest.raises(StorageError, match=r"figure\.png is there already and was not left by a run"):
        studied(tmp_path / "run", overwrite=True)
    assert figure.read_bytes() == b"a figure of mine"


# -------------------------------------------------------------------------------------------------------- names of ours
def test_what_has_the_name_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    for name in ("r.zarr", "r.nc"):
        save_result(RESULT, tmp_path / name)
        with pytest.raises(StorageError, match=rf"{name} is there already, and would be replaced: say overwrite=True"):
            save_result(RESULT + 1, tmp_path / name)
        assert same(tmp_path / name)
        save_result(RESULT.assign(C_h=RESULT.C_h + 1), tmp_path / name, overwrite=True)
        assert not same(tmp_path / name)


@pytest.mark.parametrize("name", ["r.zarr", "r.nc"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_many_threads_that_save_to_one_name_leave_one_of_their_results(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    def save(number: int) -> str:
        try:
            save_result(RESULT.assign(C_h=RESULT.C_h + number), tmp_path / name, overwrite=overwrite)
        except StorageError as error:
            return str(error)
        return "saved"

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(save, range(18)))
    assert said.count("saved") == (18 if overwrite else 1), said
    assert all(each == "saved" or "say overwrite=True" in each for each in said)
    assert open_result(tmp_path / name).C_h[0, 0] in range(18)
    assert names(tmp_path) == [name]


def test_what_somebody_put_into_a_store_is_not_lost(tmp_path: Path) -> None:
    path = save_result(RESULT, tmp_path / "r.zarr")
    (path / "notes.txt").write_text("years of work")
    with pytest.raises(StorageError, match=r"notes\.txt was not written by sitesampler and would be lost"):
        save_result(RESULT, path, overwrite=True)
    assert (path / "notes.txt").read_text() == "years of work"


def test_a_name_with_colons_is_a_file_and_no_chain_of_places(tmp_path: Path) -> None:
    for name in ("a::b.zarr", "simplecache::memory:.zarr"):
        assert same(save_result(RESULT, tmp_path / name))
    assert names(tmp_path) == ["a::b.zarr", "simplecache::memory:.zarr"]


def test_a_relative_path_is_meant_where_the_call_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def moving(net: Any) -> None:
        monkeypatch.chdir("/")
        h = net.sites().normal()
        for n in net.steps(2):
            net.record(n, h=h)

    monkeypatch.chdir(tmp_path)
    options = {"population": 20, "replicas": 2, "seed": 0, "progress": False}
    ss.sample(moving, keep="all", export="paths.zarr", **options)
    assert names(tmp_path) == ["paths.zarr"]


def test_a_link_to_a_folder_may_be_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "scratch")
    whole = swept(tmp_path / "link")
    xr.testing.assert_identical(swept(tmp_path / "link", resume=True), whole)
    swept(tmp_path / "link", overwrite=True, seed=1)
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["...toml", "..toml", "....toml"])
def test_a_study_without_a_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(STUDY.replace("SEED", "0"))
    with pytest.raises(ss.errors.InputError, match="is no name: rename it"):
        read_study(tmp_path / name)
