"""What a newcomer relies on: the README's commands, the lists of dependencies, a command line that starts at once."""

import importlib
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: Conda splits off the plotting and collection extras of these two.
CONDA_NAMES = {"dask-core": "dask", "matplotlib-base": "matplotlib"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def bounds(lines: list[str]) -> dict[str, str]:
    requirements = [Requirement(line) for line in lines]
    return {CONDA_NAMES.get(item.name, item.name): str(item.specifier) for item in requirements}


# ----------------------------------------------------------------------------------------------- README and .ci/run
def test_ci_runs_the_readmes_two_commands() -> None:
    study, tests, *_ = (block.strip() for block in blocks("sh"))
    shown = subprocess.run([ROOT / ".ci" / "run", "--dry-run"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == [study, tests]


def test_each_readme_command_is_one_line_that_installs_first() -> None:
    study, tests, *_ = (block.strip() for block in blocks("sh"))
    for command in (study, tests):
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && .venv/bin/python -m pip install -e ")
    assert study.endswith("sitesampler run studies/random_rnn.toml")
    assert tests.endswith("pytest -n 2")


def test_the_readmes_own_model_runs_and_both_worlds_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = blocks("python")
    assert len(code.strip().splitlines()) <= 15
    script = tmp_path / "own_model.py"
    script.write_text(code, encoding="utf-8")
    runpy.run_path(str(script))
    deviation, words = capsys.readouterr().out.split(maxsplit=1)
    assert words.strip() == "standard errors apart"
    assert abs(float(deviation)) < 5


def test_the_readmes_large_population_is_self_consistent_when_it_is_smaller() -> None:
    _, code = blocks("python")
    smaller = code.replace("population=200_000", "population=2_000, seed=0").replace("duration=20.0", "duration=4.0")
    assert smaller.count("2_000") == smaller.count("4.0") == 1
    names: dict[str, Any] = {"ss": importlib.import_module("sitesampler")}
    exec(smaller, names)
    assert 0.3 < names["big"].attrs["self_consistency_residual"] < 3


def test_the_readme_lists_every_model() -> None:
    from sitesampler import models

    listed = re.findall(r"^\| `(\w+)` \|", README.partition("## Models")[2], flags=re.MULTILINE)
    assert sorted(listed) == sorted(models.NAMES)


def test_files_named_in_the_readme_exist() -> None:
    named = re.findall(r"[`(]((?:studies|sitesampler|tests|docs|\.ci)/[\w/.]*)[`)]", README)
    assert "docs/random_rnn.png" in named
    assert [name for name in named if not (ROOT / name).exists()] == []


# -------------------------------------------------------------------------------------------------------- dependencies
def test_environment_yml_equals_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert set(environment) == {"name", "channels", "dependencies"}
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-e ."]}
    expected = bounds(project["dependencies"]) | {"python": project["requires-python"], "pip": ""}
    assert bounds(conda) == expected


def test_dependencies_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(re.fullmatch(r">=[\d.]+", bound) for bound in bounds(project["dependencies"]).values())


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert importlib.import_module("sitesampler").__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------ start-up
def loaded_after(statement: str) -> set[str]:
    """Return the packages that are loaded in a fresh interpreter after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import sitesampler",
        "from sitesampler.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
    ids=["import", "help"],
)
def test_starting_is_light(statement: str) -> None:
    heavy = {"numpy", "scipy", "numba", "xarray", "pandas", "dask", "distributed", "matplotlib", "zarr"}
    assert loaded_after(statement) & heavy == set()


# --------------------------------------------------------------------------------------------------------------- paths
def test_no_file_names_a_place_on_somebodys_machine() -> None:
    home = re.compile(r"(?<![\w.])/(?:" + "|".join(["work", "root", "home/[a-z]", "Users/[A-Za-z]"]) + r")\w*/")
    places = ["*.*", ".ci/run", ".gitignore", "sitesampler/**/*", "tests/**/*", "studies/**/*", "docs/**/*"]
    files = {path for place in places for path in ROOT.glob(place) if path.is_file() and path != Path(__file__)}
    texts = [path for path in files if path.suffix in {"", ".py", ".toml", ".md", ".yml", ".cff", ".csv", ".json"}]
    assert len(texts) > 20
    assert [path for path in texts if home.search(path.read_text(encoding="utf-8"))] == []
