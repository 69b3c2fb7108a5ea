"""Every system has one name, and all of its parts: model, theory, figure, rows of ``verify``, study and tests."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def systems(root: Path) -> list[str]:
    return sorted(file.stem for file in (root / "sitesampler/models").glob("*.py") if not file.stem.startswith("_"))


def owner(name: str, names: list[str]) -> str | None:
    """Return the system that a file belongs to: its name is the file's, or begins it; the longest if there are more."""
    return max((one for one in names if f"{name}_".startswith(f"{one}_")), key=len, default=None)


def functions(file: Path) -> dict[str, ast.FunctionDef]:
    """Return the functions of a file, none where there is no file."""
    body = ast.parse(file.read_text(encoding="utf-8")).body if file.exists() else []
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def kinds(file: Path) -> list[str]:
    return [
        name
        for name, function in functions(file).items()
        if any(ast.unparse(mark) == "lines.kind" for mark in function.decorator_list)
    ]


def lacking(root: Path) -> list[str]:
    """Return what systems lack, and which studies do not begin with the name of their system, a sentence each."""
    names, found = systems(root), []
    owned = {
        folder: {owner(file.stem.removeprefix("test_"), names) for file in (root / folder).glob(pattern)}
        for folder, pattern in (("studies", "*.toml"), ("tests/theory", "test_*.py"), ("tests/figures", "test_*.py"))
    }
    for name in names:
        model = functions(root / f"sitesampler/models/{name}.py").get(name)
        parts = {
            f"sitesampler/models/{name}.py: a function {name} with a docstring": model and ast.get_docstring(model),
            f"sitesampler/theory/{name}.py": (root / f"sitesampler/theory/{name}.py").exists(),
            f"sitesampler/figures/{name}.py: a function marked @lines.kind": kinds(
                root / f"sitesampler/figures/{name}.py"
            ),
            f"sitesampler/verification/{name}.py: rows": "rows"
            in functions(root / f"sitesampler/verification/{name}.py"),
            f"studies/{name}.toml or studies/{name}_*.toml": name in owned["studies"],
            f"tests/theory/test_{name}.py or test_{name}_*.py": name in owned["tests/theory"],
            f"tests/figures/test_{name}.py or test_{name}_*.py": name in owned["tests/figures"],
        }
        found += [f"{name} lacks {part}" for part, there in parts.items() if not there]
    for file in sorted((root / "studies").glob("*.toml")):
        program = tomllib.loads(file.read_text(encoding="utf-8"))["program"]
        if owner(file.stem, names) != program:
            found.append(f"studies/{file.name} does not begin with the name of its system, {program}")
    return found


def test_every_system_has_all_its_parts() -> None:
    assert len(systems(ROOT)) >= 16
    found = lacking(ROOT)
    assert not found, "\n".join(["what systems lack:", *found])


# ------------------------------------------------------------------------------------------------------- made-up trees
PARTS = {
    "sitesampler/models/{}.py": 'def {}(net):\n    """Do."""\n',
    "sitesampler/theory/{}.py": "",
    "sitesampler/figures/{}.py": "@lines.kind\ndef look(sample, simulation=None): ...\n",
    "sitesampler/verification/{}.py": "def rows(run): ...\n",
    "studies/{}.toml": 'program = "{}"\n',
    "tests/theory/test_{}.py": "",
    "tests/figures/test_{}.py": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree in which three systems lack nothing; the name of one begins that of another."""
    for system in ("flow", "glass", "flow_exponent"):
        for part, text in PARTS.items():
            file = tmp_path / part.format(system)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(system), encoding="utf-8")
    (tmp_path / "sitesampler/models/__init__.py").touch()
    return tmp_path


def test_a_tree_in_which_nothing_lacks(tree: Path) -> None:
    assert systems(tree) == ["flow", "flow_exponent", "glass"]
    assert lacking(tree) == []


@pytest.mark.parametrize("part", list(PARTS)[1:])
@pytest.mark.parametrize("system", ["flow", "glass"])
def test_a_part_that_is_missing_is_named_with_its_system(tree: Path, part: str, system: str) -> None:
    (tree / part.format(system)).unlink()
    (sentence,) = lacking(tree)
    assert sentence.startswith(f"{system} lacks {part.format(system)}")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("sitesampler/models/flow.py", "def flow(net): ...\n"),
        ("sitesampler/models/flow.py", 'def other(net):\n    """Do."""\n'),
        ("sitesampler/figures/flow.py", "def look(sample, simulation=None): ...\n"),
        ("sitesampler/verification/flow.py", "def row(run): ...\n"),
    ],
)
def test_a_part_that_is_empty_is_missing(tree: Path, part: str, text: str) -> None:
    (tree / part).write_text(text, encoding="utf-8")
    (sentence,) = lacking(tree)
    assert sentence.startswith(f"flow lacks {part}: ")


def test_further_files_of_a_system_count_where_its_name_begins_theirs(tree: Path) -> None:
    (tree / "studies/glass.toml").rename(tree / "studies/glass_aging.toml")
    (tree / "tests/theory/test_glass.py").rename(tree / "tests/theory/test_glass_ages.py")
    assert lacking(tree) == []
    (tree / "studies/flow.toml").unlink()  # what begins with flow_exponent belongs to that system
    assert lacking(tree) == ["flow lacks studies/flow.toml or studies/flow_*.toml"]


def test_a_study_begins_with_the_name_of_its_system(tree: Path) -> None:
    (tree / "studies/ages.toml").write_text('program = "glass"\n', encoding="utf-8")
    assert lacking(tree) == ["studies/ages.toml does not begin with the name of its system, glass"]
