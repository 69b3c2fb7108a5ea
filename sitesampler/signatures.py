"""The signature of a program: its parameters, checked once before it runs, and described by its docstring.

What a parameter may be is told in `sitesampler.parameters`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sitesampler.errors import InputError, did_you_mean, name_of, shown
from sitesampler.parameters import Kind, kind_of


def signature_of(program: Any) -> Mapping[str, inspect.Parameter]:
    """Return all that a program takes, the network first.

    Raises
    ------
    InputError
        If it is no program: not a function, or one of Python's own.
    """
    try:
        if isinstance(program, type) or inspect.isbuiltin(program):
            raise TypeError
        return inspect.signature(program).parameters
    except (TypeError, ValueError):
        raise InputError(f"a program is a function that takes net, not {shown(program)}") from None


def kinds_of(program: Callable[..., Any]) -> dict[str, Kind]:
    """Return what the signature of a program says of its parameters, for those of which it says anything."""
    try:
        known = inspect.signature(program).parameters
    except (TypeError, ValueError):
        return {}
    names = getattr(inspect.unwrap(getattr(program, "func", program)), "__globals__", {})
    found = {}
    for name, parameter in list(known.items())[1:]:
        annotation = parameter.annotation
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or annotation is parameter.empty:
            continue
        if isinstance(annotation, str):  # ``from __future__ import annotations`` stands in the program's file
            try:
                annotation = eval(annotation, dict(names))
            except Exception:  # a name that only a type checker knows
                continue
        if (kind := kind_of(annotation)) is not None:
            found[name] = kind
    return found


# ------------------------------------------------------------------------------------------------------------ checks
def check_parameters(program: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a program gets them, after refusing those that are not what its signature says.

    Parameters
    ----------
    program : callable
    given : dict
        Its parameters, by name; names are not checked here.

    Raises
    ------
    InputError
        With the name of the program and of the parameter, what it must be, and what it is.

    Examples
    --------
    >>> from sitesampler.parameters import Positive
    >>> def flow(net, *, rate: Positive = 0.1): ...
    >>> check_parameters(flow, {"rate": 1})
    {'rate': 1}
    >>> check_parameters(flow, {"rate": "fast"})
    Traceback (most recent call last):
    sitesampler.errors.InputError: flow: rate must be a number > 0, not 'fast'
    """
    own: Any = program
    bound: dict[str, Any] = {}
    while isinstance(own, partial):
        own, bound = own.func, {**own.keywords, **bound}
    kinds, checked = kinds_of(own), dict(given)
    for name, value in {**bound, **given}.items():
        kind = kinds.get(name)
        if kind is None or _is_default(own, name, value):
            continue
        if not _fits(kind, value):
            hint = did_you_mean(value, kind.choices) if isinstance(value, str) else ""
            raise InputError(f"{name_of(own)}: {name} must be {kind.words}, not {shown(value)}{hint}")
        if name in given:
            checked[name] = kind.value(value)
    return checked


def _fits(kind: Kind, value: Any) -> bool:
    try:
        return bool(kind.fits(value))
    except Exception:  # what cannot even be compared, whatever it says to that
        return False


def _is_default(program: Callable[..., Any], name: str, value: Any) -> bool:
    return value is inspect.signature(program).parameters[name].default


# ------------------------------------------------------------------------------------------------------ in docstrings
@dataclass(frozen=True)
class Described:
    """A parameter of a program: its name, what it may be, its default, and what it means."""

    name: str
    words: str
    default: Any
    meaning: str


def described(program: Callable[..., Any]) -> list[Described]:
    """Return the parameters of a program, with what the section "Parameters" of its docstring says of each.

    Examples
    --------
    >>> from sitesampler.models import random_rnn
    >>> [parameter.name for parameter in described(random_rnn)]
    ['g', 'symmetry', 'phi', 'scheme', 'dt', 'duration']
    """
    kinds, meanings = kinds_of(program), _meanings(inspect.getdoc(program) or "")
    return [
        Described(name, kinds[name].words if name in kinds else "anything", given.default, meanings.get(name, ""))
        for name, given in list(inspect.signature(program).parameters.items())[1:]
    ]


def _meanings(docstring: str) -> dict[str, str]:
    """Return the paragraphs of the section "Parameters" of a docstring in NumPy's style, by name."""
    _, _, section = docstring.partition("\nParameters\n----------\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line.startswith("---"):  # of the next section
            break
        if line.startswith(" "):
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
        else:
            name = line.partition(" :")[0].strip()
    return found
