"""What an option may hold: in a study file, in a call, and the sentence that refuses anything else."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sitesampler.errors import is_integer, is_number, shown
from sitesampler.storage.writing import absolute

#: The largest count that means anything: a million times the largest populations that have been run.
_MOST = 10**15


@dataclass(frozen=True)
class Kind:
    """What an option may hold.

    Attributes
    ----------
    words : str
        In a study file, in words; empty for what no study file says.
    written : callable
        Whether a study file may say so.  A call knows better, and may refuse more.
    allowed : callable
        Whether a call takes a value.
    refusal : callable
        The sentence for one that it does not take, from the name of the option and the value.
    value : callable
        What the value becomes.
    """

    words: str
    written: Callable[[Any], bool]
    allowed: Callable[[Any], bool]
    refusal: Callable[[str, Any], str]
    value: Callable[[Any], Any] = lambda value: value


def count(least: int, most: float = _MOST) -> Kind:
    """Return the kind of an integer in a range; 1e4 is one."""

    def allowed(value: Any, least: int = least) -> bool:
        whole = is_integer(value) or (is_number(value) and math.isfinite(value) and int(value) == value)
        return whole and least <= value <= most

    def refusal(name: str, value: Any) -> str:
        large = (is_integer(value) or is_number(value)) and value > most
        return f"{name} must be an integer of at {f'most {most:,}' if large else f'least {least}'}, not {shown(value)}"

    return Kind(
        "a positive integer" if least else "an integer that is not negative",
        lambda value: allowed(value, min(least, 1)),
        allowed,
        refusal,
        int,
    )


def natural() -> Kind:
    """Return the kind of a natural number of any size: a seed."""
    return Kind(
        "an integer that is not negative",
        lambda value: is_integer(value, 0),
        lambda value: is_integer(value, 0),
        lambda name, value: f"{name} must be an integer of at least 0, not {shown(value)}",
        int,
    )


def count_or(word: str, least: int, what: str, most: float = _MOST) -> Kind:
    """Return the kind of an integer or one word."""
    integer = count(least, most)

    def refusal(name: str, value: Any) -> str:
        return f"{name} must be {what}, not {shown(value)}" if isinstance(value, str) else integer.refusal(name, value)

    return Kind(
        f'{integer.words}, or "{word}"' if not least else f'{integer.words} or "{word}"',
        lambda value: (isinstance(value, str) and value == word) or integer.written(value),
        lambda value: (isinstance(value, str) and value == word) or integer.allowed(value),
        refusal,
        lambda value: value if isinstance(value, str) else int(value),
    )  # fmt: skip


def number(words: str, test: Callable[[Any], bool], refusal: str, written: Callable[[Any], bool] | None = None) -> Kind:
    """Return the kind of a number that passes a test."""
    return Kind(
        words,
        lambda value: is_number(value) and (written or test)(value),
        lambda value: is_number(value) and test(value),
        lambda name, value: f"{name} {refusal}, not {shown(value)}",
        float,
    )


def flag() -> Kind:
    """Return the kind of a truth value."""

    def is_flag(value: Any) -> bool:
        return isinstance(value, bool) or (
            getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") == "b"
        )

    return Kind(
        "true or false", is_flag, is_flag, lambda name, value: f"{name} must be True or False, not {shown(value)}", bool
    )


def path() -> Kind:
    """Return the kind of a path of a file or folder."""

    def refusal(name: str, value: Any) -> str:
        if not isinstance(value, (str, os.PathLike)):
            return f"{name} must be a path, not {shown(value)}"
        return f"{name} must be a path, not {'one with a null character' if os.fspath(value) else 'an empty one'}"

    def allowed(value: Any) -> bool:
        if not isinstance(value, (str, os.PathLike)):
            return False
        text = os.fspath(value)
        return isinstance(text, str) and bool(text) and "\0" not in text

    return Kind("", allowed, allowed, refusal, absolute)


def precision() -> Kind:
    """Return the kind of the precision of site vectors."""

    def name_of_type(value: Any) -> str:
        import numpy as np

        try:
            return np.dtype(object if value is None else value).name
        except Exception:  # whatever NumPy says of what is no type
            return ""

    return Kind(
        'either "float64" or "float32"',
        lambda value: isinstance(value, str) and value in ("float64", "float32"),
        lambda value: name_of_type(value) in ("float64", "float32"),
        lambda name, value: f"{name} must be 'float64' or 'float32', not {shown(value)}",
        name_of_type,
    )


TOLERANCE = number(
    "a number between 0 and 1", lambda value: 0 < value < 1, "must be a number between 0 and 1, such as 1e-3"
)
DAMPING = number(
    "a number from 0 to below 1", lambda value: 0 <= value < 1,
    "is the share of the old order parameters, from 0 to below 1",
)  # fmt: skip
UNTIL = number(
    "a positive number", lambda value: 0 < value < 1,
    "is a relative change of the order parameters between 0 and 1", lambda value: value > 0,
)  # fmt: skip
#: What is opened only when the program is known.
START = Kind("a string", lambda value: isinstance(value, str), lambda _: True, lambda *_: "")
ANYTHING = Kind("", lambda _: False, lambda _: True, lambda *_: "")
