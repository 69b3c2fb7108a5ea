"""Settings: what a run was asked for as plain values, and in which words two of them differ.

Settings are flat tables of what JSON holds, comparable by key, so that a run that was killed goes on only as what it
was started as.  This file imports nothing heavy: study files are read with it before anything else.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from typing import Any

from sitesampler.errors import shown


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: a function by its name, an object without JSON by a digest of what it is.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.float64(0.5)), plain((1, np.arange(2))), plain(len)
    (0.5, [1, [0, 1]], 'len')
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    if type(value).__module__ == "numpy":
        return value.tolist()
    from dask.base import tokenize

    return f"{shown(value)} {tokenize(value)}"


def sources(*values: Any) -> dict[str, str]:
    """Return digests of the source texts of the functions among the values."""
    found = {}
    functions = (inspect.unwrap(getattr(value, "func", value)) for value in values if callable(value))
    for function in filter(inspect.isfunction, functions):
        try:
            found[f"the source of {function.__name__}"] = digest(inspect.getsource(function))
        except (OSError, TypeError):  # typed at a prompt
            continue
    return found


def digest(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in words which settings differ, or an empty string.

    Examples
    --------
    >>> difference({"g": 0.5, "seed": 3}, {"g": 0.7, "keep": 4})
    'g was 0.5 and is 0.7; seed was 3 and is not set; keep was not set and is 4'
    """
    words = []
    for name in dict.fromkeys([*before, *now]):
        # As text, in which NaN is NaN.
        if name in before and name in now and json.dumps(before[name]) == json.dumps(now[name]):
            continue
        old, new = (shown(table[name]) if name in table else "not set" for table in (before, now))
        hidden = old == new or name.startswith("the source of ")
        words.append(f"{name} has changed" if hidden else f"{name} was {old} and is {new}")
    return "; ".join(words)
