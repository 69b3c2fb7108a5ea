"""Study files: what they may say, how they are refused, what they call and what they leave."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import sitesampler as ss
from sitesampler.errors import InputError, NotFinite
from sitesampler.studies.program import load_program
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import StudyError, read_study

WHOLE = """
title = "A weak network"
program = "random_rnn"
[parameters]
g = 0.5
phi = "relu"
[sample]
population = 2_000
seed = 0
[simulate]
size = 300
matrix = false
"""

#: What a run of it leaves.
FILES = ["figure.png", "journal.npz", "sample.zarr", "simulation.zarr"]


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a study file, ``weak.toml``."""

    def write(text: str) -> Path:
        file = tmp_path / "weak.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


# ------------------------------------------------------------------------------------------------------------- reading
def test_a_study_is_read_into_its_tables(study_file: Callable[[str], Path]) -> None:
    study = read_study(study_file(WHOLE))
    assert (study.name, study.title, study.program) == ("weak", "A weak network", "random_rnn")
    assert study.parameters == {"g": 0.5, "phi": "relu"}
    assert study.sample == {"population": 2_000, "seed": 0}
    assert study.simulate is not None
    assert study.simulate == {"size": 300, "matrix": False}


def test_what_a_study_leaves_out_is_left_to_the_call(study_file: Callable[[str], Path]) -> None:
    study = read_study(study_file('program = "random_rnn"'))
    assert (study.title, study.sample, study.simulate) == ("weak", {}, None)


def test_settings_are_laid_over_the_file(study_file: Callable[[str], Path]) -> None:
    settings = ["sample.population=10", "parameters.phi = 'tanh'", "simulate.matrix=true", 'title="Other"']
    study = read_study(study_file(WHOLE), settings)
    assert study.sample["population"] == 10
    assert study.parameters["phi"] == "tanh"
    assert study.simulate is not None and study.simulate["matrix"] is True
    assert study.title == "Other"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("programm = 'random_rnn'", r"weak.toml: programm: unknown key \(did you mean 'program'\?\)"),
        ("title = 'none'", "weak.toml: program is missing"),
        ("program = 3", "weak.toml: program must be a string, got 3"),
        ("program = 'p'\nsample = 3", "weak.toml: sample must be a table, got 3"),
        ("program = 'p'\n[sample]\npopulaton = 3", r"sample.populaton: unknown key \(did you mean 'population'\?\)"),
        ("program = 'p'\n[sample]\nsize = 3", "weak.toml: sample.size: unknown key"),
        ("program = 'p'\n[sample]\npopulation = -3", "sample.population must be a positive integer, got -3"),
        ("program = 'p'\n[sample]\nreplicas = true", "sample.replicas must be a positive integer, got True"),
        ("program = 'p'\n[sample]\nseed = 1.5", "sample.seed must be an integer that is not negative, got 1.5"),
        ("program = 'p'\n[sample]\ntolerance = 2", "sample.tolerance must be a number between 0 and 1, got 2"),
        ("program = 'p'\n[sample]\ndtype = 'int'", 'sample.dtype must be either "float64" or "float32", got \'int\''),
        ("program = 'p'\n[simulate]\nmatrix = 1", "simulate.matrix must be true or false, got 1"),
        ("program = 'p'\n[figure]\nvector = 1", "figure.vector must be a string, got 1"),
        ("program = 'p'\n[sample\n", r"weak.toml is not valid TOML: .*\(at line 2, column 8\)"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(study_file: Callable[[str], Path], text: str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence) as refused:
        read_study(study_file(text))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("sample.populaton=3", r"^--set sample.populaton: unknown key \(did you mean 'population'\?\)"),
        ("sample.population=-3", "^--set sample.population must be a positive integer, got -3"),
        ("parameters.phi=tanh", "'tanh' is not a TOML value .a string needs its quotes"),
        ("sample.seed=1\nx=2", "is not a TOML value"),
        ("sample.population", "write KEY=VALUE"),
        ("title.x=1", "title is not a table"),
    ],
)
def test_a_mistake_in_a_setting_is_named(study_file: Callable[[str], Path], setting: str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        read_study(study_file(WHOLE), [setting])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"there is no study file .*none\.toml"):
        read_study(tmp_path / "none.toml")
    with pytest.raises(StudyError, match="cannot be read: Is a directory"):
        read_study(tmp_path)
    (tmp_path / "latin.toml").write_bytes("title = 'Schr\xf6dinger'".encode("latin-1"))
    with pytest.raises(StudyError, match="not a text file in UTF-8"):
        read_study(tmp_path / "latin.toml")


# ------------------------------------------------------------------------------------------------------------- program
def test_a_program_is_a_model_or_a_function_of_a_file(study_file: Callable[[str], Path], tmp_path: Path) -> None:
    assert load_program(read_study(study_file(WHOLE))) is ss.models.random_rnn
    (tmp_path / "own.py").write_text("def decay(net, *, rate=1.0):\n    pass\n", encoding="utf-8")
    own = load_program(read_study(study_file("program = 'own.py:decay'\n[parameters]\nrate = 2")))
    assert own.__name__ == "decay"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("program = 'random_rn'", r"there is no model 'random_rn' \(did you mean 'random_rnn'\?\)"),
        ("program = 'random_rnn'\n[parameters]\ngg = 2", r"parameters.gg: .* no such parameter \(did you mean 'g'\?\)"),
        ("program = 'random_rnn'\n[parameters]\nnet = 2", "parameters.net: random_rnn has no such parameter"),
        ("program = 'random_rnn'\n[parameters]\nseed = 2", "parameters.seed is an option of the call and belongs into"),
        ("program = 'none.py:decay'", "there is no file .*none.py"),
        ("program = 'own.py:decoy'", r"own.py has no function 'decoy' \(did you mean 'decay'\?\)"),
        ("program = 'broken.py:decay'", "broken.py cannot be imported: NameError: name 'nothing' is not defined"),
        ("program = 'notes.txt:decay'", "notes.txt is not a Python file"),
    ],
)
def test_a_program_that_is_not_there_is_named(
    study_file: Callable[[str], Path], tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "own.py").write_text("def decay(net, *, rate=1.0):\n    pass\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("nothing\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(StudyError, match=sentence):
        load_program(read_study(study_file(text)))


# ------------------------------------------------------------------------------------------------------------- running
def test_a_study_calls_sample_and_simulate_with_its_options(
    study_file: Callable[[str], Path], tmp_path: Path, calls: list[tuple[str, str, dict[str, Any]]]
) -> None:
    run_study(read_study(study_file(WHOLE), ["simulate.seed=4"]), tmp_path / "out", progress=False)
    parameters = {"g": 0.5, "phi": "relu", "progress": False}
    assert calls == [
        ("sample", "random_rnn", {"population": 2_000, "replicas": 8, "seed": 0, **parameters}),
        ("simulate", "random_rnn", {"size": 300, "replicas": 8, "matrix": False, "seed": 4, **parameters}),
    ]


def test_a_study_hands_what_belongs_to_its_folder_to_sample(
    study_file: Callable[[str], Path], tmp_path: Path, calls: list[tuple[str, str, dict[str, Any]]]
) -> None:
    settings = [
        "sample.iterations='auto'",
        "sample.chunk=500",
        "sample.damping=0",
        "sample.until=0.1",
        "sample.keep='all'",
    ]
    file = study_file(WHOLE)
    xr.Dataset().to_zarr(file.parent / "before.zarr", zarr_format=2)
    settings += ["sample.order_parameters='before.zarr'", "sample.keep_going=true"]
    run_study(read_study(file, settings), tmp_path / "out")
    (_, _, options), _ = calls
    given = {name: options[name] for name in ("iterations", "chunk", "damping", "until", "keep", "keep_going")}
    assert given == {"iterations": "auto", "chunk": 500, "damping": 0, "until": 0.1, "keep": "all", "keep_going": True}
    assert options["order_parameters"] == file.parent / "before.zarr"  # relative to the study file
    assert options["export"] == tmp_path / "out" / "trajectories.zarr"
    assert (options["checkpoint"], options["resume"]) == (tmp_path / "out" / "checkpoint" / "sample", False)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("sample.iterations='many'", "--set sample.iterations must be a positive integer or \"auto\", got 'many'"),
        ("sample.damping=1", "--set sample.damping must be a number from 0 to below 1, got 1"),
        ("sample.until=0", "--set sample.until must be a positive number, got 0"),
        ("sample.keep=-1", '--set sample.keep must be an integer that is not negative, or "all", got -1'),
        ("simulate.keep='all'", "--set simulate.keep must be an integer that is not negative, got 'all'"),
        (
            "sample.order_parameters='warm'",
            '--set sample.order_parameters must be "march", "cold" or a stored result, and there is no .*warm',
        ),
    ],
)
def test_a_mistake_in_the_options_of_iterations_is_named(
    study_file: Callable[[str], Path], tmp_path: Path, setting: str, sentence: str
) -> None:
    with pytest.raises(StudyError, match=f"^{sentence}"):
        run_study(read_study(study_file(WHOLE), [setting]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_only_sample_can_refuse_is_said_with_the_name_of_the_file(
    study_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise InputError("chunk is an option of iterations; set iterations as well")

    monkeypatch.setattr("sitesampler.studies.run.sample", refuse)
    with pytest.raises(InputError, match=r"weak\.toml: chunk is an option of iterations; set iterations as well$"):
        run_study(read_study(study_file(WHOLE), ["sample.chunk=10"]), tmp_path / "out")


@pytest.mark.usefixtures("calls")
def test_a_study_leaves_datasets_and_figure_under_results(
    study_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = read_study(study_file(WHOLE), ["sample.seed=3"])
    result = run_study(study)
    folder = Path("results") / "weak"
    assert result.paths == (folder / "sample.zarr", folder / "simulation.zarr", folder / "figure.png")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_zarr(folder / "sample.zarr") as stored:
            xr.testing.assert_identical(stored.load(), result.sample)
    assert stored.attrs["study"] == study.text
    assert stored.attrs["study_overrides"] == '["sample.seed=3"]'


@pytest.mark.usefixtures("calls")
def test_results_are_replaced_and_left_overs_swept(study_file: Callable[[str], Path], tmp_path: Path) -> None:
    study, folder = read_study(study_file(WHOLE)), tmp_path / "out"
    run_study(study, folder)
    (folder / ".sample.zarr.00000000000000aa.sitesampler-writing").mkdir()
    second = read_study(study.path, ["title='Second'"])
    with pytest.raises(StudyError, match=r"kept \(sample\.zarr, simulation\.zarr, figure\.png\), with other settings"):
        run_study(second, folder)
    run_study(second, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    with xr.open_zarr(folder / "sample.zarr") as stored:
        assert stored.attrs["title"] == "Second"


def test_a_run_that_goes_wrong_leaves_what_it_had(
    study_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any, **__: Any) -> None:
        error = NotFinite("h is not finite at time 3")
        error.partial = xr.Dataset({"h_mean": ("time", [0.0, 1.0])})
        raise error

    monkeypatch.setattr("sitesampler.studies.run.sample", explode)
    with pytest.raises(NotFinite, match=r"h is not finite at time 3; .* is in .*partial.zarr"):
        run_study(read_study(study_file(WHOLE)), tmp_path / "out")
    with xr.open_zarr(tmp_path / "out" / "partial.zarr") as partial:
        assert partial.sizes["time"] == 2


def test_the_studies_of_the_repository_are_valid() -> None:
    files = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))
    assert files
    for file in files:
        load_program(read_study(file))


# ------------------------------------------------------------------------------------------------------------ sweeping
SWEPT = WHOLE.replace("g = 0.5\n", "") + "[sweep]\ng = [0.5, 1.5]\nsimulate.size = [50, 100]\n"


def test_a_sweep_is_read_with_its_options(study_file: Callable[[str], Path]) -> None:
    study = read_study(study_file(SWEPT))
    assert study.sweep == {"g": (0.5, 1.5), "simulate.size": (50, 100)}
    assert read_study(study.path, ["sweep.g=[0.7]"]).sweep["g"] == (0.7,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sweep]\ng = 3", "weak.toml: sweep.g must be a list of values, got 3"),
        ("[sweep]\ng = []", "weak.toml: sweep.g must be a list of values"),
        ("[sweep]\ng = [1, 1.0]", "weak.toml: sweep.g names a value twice"),
        ("[parameters]\ng = 1.0\n[sweep]\ng = [1, 2]", r"weak.toml: sweep.g is fixed in \[parameters\] as well"),
        ("[sample]\nkeep = 'all'\n[sweep]\ng = [1, 2]", 'weak.toml: sample.keep: "all" is for one run; of the points'),
        ("[sweep]\nsimulate.size = [-1]", "weak.toml: sweep.simulate.size must be a positive integer, got -1"),
        ("[sweep]\nsimulate.sise = [1]", r"sweep.simulate.sise: unknown key \(did you mean 'size'\?\)"),
        ("[sweep]\nsize = [1]", "sweep.size is an option of the call: sweep it as sample.size or simulate.size"),
        ("[sweep]\ngg = [1]", r"sweep.gg: random_rnn has no such parameter \(did you mean 'g'\?\)"),
        ("[figure]\nkind = 'agin'", r"weak.toml: figure.kind: there is no figure 'agin' \(did you mean 'aging'\?\)"),
        ("[figure]\nkind = 'transition'", "figure.kind: .* shows a sweep over g, and this study sweeps none"),
        ("title = '$\\frac{$'", r"title: the mathematics between dollar signs in the title .* cannot be set"),
    ],
)
def test_a_mistake_in_a_sweep_is_named(
    study_file: Callable[[str], Path], tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(StudyError, match=sentence):
        run_study(read_study(study_file("program = 'random_rnn'\n" + text)), tmp_path / "out")


def test_a_swept_parameter_is_a_dimension(
    study_file: Callable[[str], Path], tmp_path: Path, calls: list[tuple[str, str, dict[str, Any]]]
) -> None:
    result = run_study(read_study(study_file(SWEPT)), tmp_path / "out", progress=False)
    assert [(world, options["g"], options.get("size")) for world, _, options in calls] == [
        ("sample", 0.5, None),
        ("sample", 1.5, None),
        ("simulate", 0.5, 50),
        ("simulate", 0.5, 100),
        ("simulate", 1.5, 50),
        ("simulate", 1.5, 100),
    ]
    assert result.sample["g"].values.tolist() == [0.5, 1.5]
    assert result.simulation is not None
    assert result.simulation["C_h"].dims == ("g", "size", "time", "time_")
    assert "g" not in result.sample.attrs["parameters"]


def test_a_failed_point_of_a_sweep_is_nan_and_says_why(
    study_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: Any, g: float, **__: Any) -> xr.Dataset:
        if g > 1:
            raise NotFinite("h is not finite at time 3")
        values = {"q": ("layer", [g, g]), "outliers": ("outlier", [g] * round(4 * g))}
        return xr.Dataset(values, {"layer": [1, 2]}, {"parameters": '{"phi": "tanh"}'})

    monkeypatch.setattr("sitesampler.studies.run.sample", call)
    text = "program = 'random_rnn'\n[sweep]\ng = [0.5, 2.0, 0.25]"
    sample = run_study(read_study(study_file(text)), tmp_path / "out").sample
    assert sample["q"].isel(layer=0).values.tolist()[::2] == [0.5, 0.25]
    assert sample["q"].sel(g=2.0).isnull().all()
    assert sample["outliers"].shape == (3, 2) and "outlier" not in sample.coords
    assert "h is not finite" in sample.attrs["failed"]
    with pytest.raises(NotFinite):
        run_study(read_study(study_file(text), ["sweep.g=[2, 3]"]), tmp_path / "other")
