"""Kinds of figures are found by what the folder holds, have names of their own and a study each."""

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from drawn import STUDIES
from made_up import made_up_result
from matplotlib.figure import Figure

from sitesampler import figures
from sitesampler.errors import InputError
from sitesampler.figures import KINDS, draw, lines
from sitesampler.studies.study_file import read_study


def test_every_kind_of_figure_has_a_study() -> None:
    shown = {read_study(file).figure.kind for file in STUDIES.glob("*.toml")} - {None}
    assert shown == set(KINDS)


def test_every_function_that_is_marked_is_a_kind_and_no_name_stands_twice() -> None:
    folder = Path(str(figures.__file__)).parent
    nodes = [node for file in folder.glob("*.py") for node in ast.parse(file.read_text(encoding="utf-8")).body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    marked = [f.name for f in functions if any(ast.unparse(mark) == "lines.kind" for mark in f.decorator_list)]
    assert Counter(marked) == Counter(list(KINDS))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"there is no figure 'agng' \(did you mean 'aging'\?\)"):
        draw(None, kind="agng")  # type: ignore[arg-type]


def test_a_figure_of_a_single_run_shows_the_last_point_of_a_sweep() -> None:
    shown: list[Any] = []

    @lines.kind
    @lines.one_point
    def look(sample: object, simulation: object = None) -> Figure:
        """Look."""
        shown.extend([sample, simulation])
        return lines.panels(1)[0]

    one = made_up_result(replicas=2, population=100)
    swept = one.expand_dims(g=[1.0, 2.0]).assign_attrs(sweep='{"g": [1.0, 2.0]}')
    look(swept, None)
    assert shown[0].attrs["sweep"] == "{}" and "g" not in shown[0].dims and shown[1] is None
    assert look.__doc__ == "Look."
