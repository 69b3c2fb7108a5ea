"""Imports point down: the layers of the package, read from the source and held against one table."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sitesampler"

#: From the ground up.  A module may import from its own folder and from lower lines; what stands on one line does not
#: know each other.
LAYERS = (
    ("errors", "version"),
    ("nonlinearities",),
    ("parameters",),
    ("signatures",),
    ("models",),
    ("vectors",),
    ("physics", "records"),
    ("language",),
    ("worlds", "results"),
    ("theory",),
    ("figures",),
    ("storage",),
    ("compute",),
    ("runs",),
    ("studies",),
    ("verification",),
    ("cli",),
    ("__main__",),
)
#: Models speak to ``net``: of the package they know the nonlinearities, and what parameters may be.
ONLY = {"models": {"models", "nonlinearities", "parameters"}}


@dataclass(frozen=True)
class Import:
    """A module that imports another, and the line where it does."""

    module: str
    imported: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.text}"


def modules_of(package: Path) -> dict[str, Path]:
    """Return the modules of a package by their names: ``sitesampler.runs.options``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(package: Path) -> Iterator[Import]:
    """Yield every import of a module of the package: under TYPE_CHECKING and inside functions too."""
    modules = modules_of(package)
    for module, path in modules.items():
        lines = path.read_text(encoding="utf-8").splitlines()
        inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse("\n".join(lines))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = inside.split(".")[: len(inside.split(".")) + 1 - node.level] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                # Of ``from package import name`` the name may be a module.
                names = [f"{source}.{alias.name}" for alias in node.names]
                names = [name if name in modules else source for name in names]
            for name in dict.fromkeys(names):
                if name in modules and name != module:
                    yield Import(module, name, node.lineno, lines[node.lineno - 1].strip())


def floor_of(module: str) -> int:
    """Return the number of the layer of a module."""
    part = module.partition(".")[2].partition(".")[0]
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def upward(imports: list[Import]) -> list[Import]:
    """Return the imports that point up, or sideways into another folder."""
    found = []
    for each in imports:
        if each.module.count(".") == 0:  # the public face knows everything below, lazily
            continue
        here, there = (name.partition(".")[2].partition(".")[0] for name in (each.module, each.imported))
        allowed = ONLY.get(here)
        if here == there or (allowed is not None and there in allowed):
            continue
        if not there or allowed is not None or floor_of(each.imported) >= floor_of(each.module):
            found.append(each)
    return found


def circle(imports: list[Import]) -> list[Import]:
    """Return the imports of a circle of modules, or nothing.  A folder's __init__ is one of its modules."""
    below: dict[str, list[Import]] = {}
    for each in imports:
        if each.module.count("."):
            below.setdefault(each.module, []).append(each)
    done: set[str] = set()

    def walk(module: str, path: list[Import]) -> list[Import]:
        for each in below.get(module, []):
            seen = [step.module for step in path] + [module]
            if each.imported in seen:
                return [*path, each][seen.index(each.imported) :]
            if each.imported not in done and (found := walk(each.imported, [*path, each])):
                return found
        done.add(module)
        return []

    for module in below:
        if module not in done and (found := walk(module, [])):
            return found
    return []


def listed(imports: list[Import]) -> str:
    return "\n".join(map(str, imports))


def test_every_module_has_a_layer() -> None:
    known = {part for layer in LAYERS for part in layer}
    parts = {module.split(".")[1] for module in modules_of(PACKAGE) if "." in module}
    assert parts <= known, f"no layer is named for {sorted(parts - known)}"


def test_imports_point_down() -> None:
    found = upward(list(imports_of(PACKAGE)))
    assert not found, f"imports that point up or sideways:\n{listed(found)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = circle(list(imports_of(PACKAGE)))
    assert not found, f"a circle of imports:\n{listed(found)}"


# ------------------------------------------------------------------------------------------------- a made-up tree
@pytest.fixture
def tree(tmp_path: Path) -> Path:
    package = tmp_path / "sitesampler"
    for name, text in {
        "__init__.py": "from sitesampler.runs import calls",
        "errors.py": "",
        "vectors/__init__.py": "",
        "vectors/table.py": "from sitesampler.errors import InputError",
        "physics/__init__.py": "",
        "physics/matrix.py": "from sitesampler.vectors import table",
        "records/__init__.py": "",
        "records/recorder.py": "import sitesampler.vectors.table",
        "runs/__init__.py": "",
        "runs/calls.py": "from sitesampler.physics.matrix import Matrix",
        "models/__init__.py": "",
        "models/random_rnn.py": "import numpy",
    }.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package


def test_a_tree_whose_imports_point_down_passes(tree: Path) -> None:
    imports = list(imports_of(tree))
    assert len(imports) == 5 and not upward(imports) and not circle(imports)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("vectors/table.py", "from sitesampler.physics.matrix import Matrix"),
        ("vectors/table.py", "import sitesampler.runs.calls"),
        ("vectors/table.py", "from ..runs import calls"),
        ("physics/matrix.py", "from sitesampler.records.recorder import Recorder"),
        ("physics/matrix.py", "from sitesampler.records import recorder"),
        ("physics/matrix.py", "from sitesampler import runs"),
        ("runs/calls.py", "from sitesampler import __version__"),
        ("models/random_rnn.py", "from sitesampler.vectors import table"),
    ],
)
@pytest.mark.parametrize(
    "place", ["{}", "def work():\n    {}", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}"]
)
def test_an_upward_import_is_found_with_its_line(tree: Path, module: str, line: str, place: str) -> None:
    (tree / module).write_text(place.format(line), encoding="utf-8")
    found = upward(list(imports_of(tree)))
    number = 1 + place.count("\n", 0, place.index("{"))
    name = "sitesampler." + module.removesuffix(".py").replace("/", ".")
    assert listed(found) == f"{name}, line {number}: {line}"


def test_a_circle_inside_a_folder_is_found(tree: Path) -> None:
    (tree / "physics" / "tensor.py").write_text("def f():\n    import sitesampler.physics.matrix", encoding="utf-8")
    (tree / "physics" / "matrix.py").write_text("from sitesampler.physics.tensor import Tensor", encoding="utf-8")
    assert listed(circle(list(imports_of(tree)))).splitlines() == [
        "sitesampler.physics.matrix, line 1: from sitesampler.physics.tensor import Tensor",
        "sitesampler.physics.tensor, line 2: import sitesampler.physics.matrix",
    ]
