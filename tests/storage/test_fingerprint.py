"""Fingerprints: whatever a program reaches and is changed changes it, and nothing else does."""

import functools
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest

import sitesampler as ss
from sitesampler.storage.fingerprint import Fingerprint


def parts(program: Any) -> dict[str, str]:
    found = Fingerprint(program=program)
    assert found.unknown == []
    return found.parts


def module(text: str, name: str = "mine") -> ModuleType:
    """Return a module of the user's with this text."""
    made = ModuleType(name)
    made.__file__ = f"/somewhere/{name}.py"
    exec(compile(textwrap.dedent(text), made.__file__, "exec"), vars(made))
    return made


BODY = """
    import numpy as np
    GAIN, TABLE, UNUSED = {gain}, np.arange({length}), 0
    def inner(x): return {expression}
    def helper(x): return inner(x) * GAIN
    def program(net, *, g={default}):  # a comment
        def local(x): return helper(x) + TABLE[0]
        return local(net) + len({{'a', 'b', 'c'}})
"""
FIRST = {"gain": 1.0, "length": 3, "expression": "x + 1", "default": 0.5}


@pytest.mark.parametrize(
    "change", [{"gain": 1.5}, {"gain": -0.0 + 1}, {"length": 4}, {"expression": "x + 2"}, {"default": 0.6}], ids=str
)
def test_a_change_of_anything_that_a_program_reaches_is_seen(change: dict[str, Any]) -> None:
    before, after = (module(BODY.format(**values)).program for values in (FIRST, FIRST | change))
    assert (parts(before) == parts(after)) is (FIRST | change == FIRST)


def test_lines_comments_and_what_is_not_reached_are_not_seen() -> None:
    moved = "\n\n\n# another comment\n" + textwrap.dedent(BODY.format(**FIRST)).replace(", 0\n", ", 1\n")
    assert parts(module(BODY.format(**FIRST)).program) == parts(module(moved).program)


def make(g: Any) -> Callable[[Any], Any]:
    return lambda net: g


class Callable_:
    def __init__(self, g: Any) -> None:
        self.g = g

    def __call__(self, net: Any) -> Any:
        return self.g

    def method(self, net: Any) -> Any:
        return self.g


class Slotted:
    __slots__ = ("g",)

    def __init__(self, g: Any) -> None:
        self.g = g

    def __call__(self, net: Any) -> Any:
        return self.g


def with_default(net: Any, g: Any = None) -> Any:
    return g


def with_attribute(g: Any) -> Any:
    def program(net: Any) -> Any:
        return program.g  # type: ignore[attr-defined]

    program.g = g  # type: ignore[attr-defined]
    return program


def compiled(g: Any) -> Any:
    inner = numba.njit(lambda x: x * g)
    return lambda net: inner(net)


def wrapped(g: Any) -> Any:
    @functools.lru_cache
    def program(net: Any) -> Any:
        return g

    return program


def vectorised(g: Any) -> Any:
    each = np.vectorize(lambda x: x * g)
    return lambda net: each(net)


@pytest.mark.parametrize(
    "kind",
    [
        make, Callable_, Slotted, lambda g: Callable_(g).method, lambda g: functools.partial(with_default, g=g),
        with_attribute, compiled, wrapped, vectorised, lambda g: make({"deep": [(g,)]}), lambda g: make(make(g)),
    ],
)  # fmt: skip
def test_values_that_are_held_in_any_way_are_seen(kind: Callable[[Any], Any]) -> None:
    assert parts(kind(1.0)) == parts(kind(1.0))
    assert parts(kind(1.0)) != parts(kind(2.0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(3.0), np.array([0, 1, 2 + 4e-16])),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(2, "f4"), np.zeros(2, "f8")),
        (0.0, -0.0), (1, 1.0), (1, True), ("1", b"1"), ((1, 2), [1, 2]), ({1, 2}, frozenset({1, 3})), (np.tanh, np.sin),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}), ([[1], [2]], [[1, 2], []]), (range(3), range(4)),
    ],
)  # fmt: skip
def test_values_that_differ_have_other_fingerprints(one: Any, other: Any) -> None:
    assert parts(make(one)) == parts(make(one))
    assert parts(make(one)) != parts(make(other))


def test_what_reaches_itself_is_followed_once() -> None:
    circle: list[Any] = [1]
    circle.append(circle)

    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    assert parts(make(circle)) == parts(make(circle))
    assert parts(even) == parts(even)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (make(iter([1])).__class__, ""),
        (make(open), ""),
        (make(threading.Lock()), "of type lock"),
        (make(i for i in range(3)), "of type generator"),
        (make(np.frompyfunc(lambda x: x, 1, 1)), "of type ufunc"),
        (module("def program(net): return eval('net')").program, "which runs a text with eval"),
        (module("def program(net): return globals()['g']\ng = 1").program, "looks its names up in globals"),
    ],
)
def test_what_cannot_be_followed_is_said(program: Any, says: str) -> None:
    unknown = Fingerprint(program=program).unknown
    assert (unknown == []) if not says else says in unknown[0]


def test_names_that_are_looked_up_reach_all_of_a_module() -> None:
    def program(text: str) -> Any:
        made = module("def program(net, name='f'): return getattr(helpers, name)(net)")
        made.helpers = module(text, "helpers")  # type: ignore[attr-defined]
        return made.program

    assert parts(program("def f(x): return x")) != parts(program("def f(x): return x + 1"))


def test_other_packages_are_known_by_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parts(make(np.tanh))["numpy"] == np.__version__
    before = parts(ss.models.random_rnn)
    monkeypatch.setattr("sitesampler.storage.fingerprint._own_text", lambda: "another text")
    assert parts(ss.models.random_rnn) != before


def test_another_process_finds_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(textwrap.dedent(BODY.format(**FIRST)) + "program.names = {'x', 'y', 'zz'}\n")
    code = "import mine; from sitesampler.storage.fingerprint import Fingerprint as F; print(F(p=mine.program).parts)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(ss.__file__).parent.parent)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1 and "the global GAIN" in found.pop()
