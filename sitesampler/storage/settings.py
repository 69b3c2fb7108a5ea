"""Settings: what a run was asked for as plain values, and in which words two of them differ.

Settings are flat tables of what JSON holds, comparable by key, so that a run that was killed goes on only as what it
was started as.  This file imports nothing heavy: study files are read with it before anything else.
"""

from __future__ import annotations

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
    from sitesampler.storage.fingerprint import Fingerprint

    return f"a {type(value).__name__} {Fingerprint(value=value).parts['what value is']}"


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in words which settings differ, or an empty string.

    Examples
    --------
    >>> difference({"g": 0.5, "seed": 3}, {"g": 0.7, "keep": 4})
    'g was 0.5 and is 0.7; seed was 3 and is not set; keep was not set and is 4'
    """
    words = []
    missing = object()

    def text(table: Mapping[str, Any], name: str) -> Any:
        return json.dumps(table[name]) if name in table else missing  # in which NaN is NaN

    differing = [name for name in dict.fromkeys([*before, *now]) if text(before, name) != text(now, name)]
    for name in differing:
        if any(name == f"what {other} is" for other in differing):  # said already
            continue
        old, new = (shown(table[name]) if name in table else "not set" for table in (before, now))
        hidden = old == new or name.startswith(("the ", "what ", "sitesampler itself"))
        words.append(f"{name} has changed" if hidden else f"{name} was {old} and is {new}")
    return "; ".join(words)
