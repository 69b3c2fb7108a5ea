"""Checks of what a program hands to the words of ``net``: one for each kind of argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, SiteSamplerError, is_integer, is_number, program_line, shown
from sitesampler.vectors import arrays

#: The most inner columns: at the smallest populations they still fill a gigabyte.
_MOST_COLUMNS = 100_000


def check_number(value: Any, word: str, finite: bool = False) -> None:
    """Refuse what is not a single real number."""
    if not is_number(value):
        raise ProgramError(f"{program_line()}: {word} must be a number, not {shown(value)}")
    if finite and not math.isfinite(value):
        raise ProgramError(f"{program_line()}: {word} must be finite, not {value}")


def check_columns(k: Any) -> None:
    """Refuse what is not a number of inner columns."""
    if k is not None and not is_integer(k, least=1):
        raise ProgramError(
            f"{program_line()}: the number k of inner columns must be an integer above 0, not {shown(k)}"
        )
    if k is not None and k > _MOST_COLUMNS:
        raise ProgramError(
            f"{program_line()}: the number k of inner columns must be at most {_MOST_COLUMNS:,}, not {k}"
        )


def check_name(name: Any, of: str, such_as: str, taken: Sequence[str] = ()) -> None:
    """Refuse what cannot be a name in a result."""
    if not isinstance(name, str) or not name.isidentifier() or name in taken:
        raise ProgramError(
            f"{program_line()}: {shown(name)} cannot be the name of a {of}; give it one like {such_as!r}"
        )


def array_of_numbers(value: Any, word: str, axes: int, dtype: Any = float) -> NDArray[Any]:
    """Return finite numbers as an array, after refusing what is none, or has more axes than so many."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        given = np.asarray(value)
        if given.dtype.kind not in "fiub" or given.ndim > axes:
            raise TypeError
    except SiteSamplerError:
        raise
    except Exception:  # whatever an object does that is asked to be an array
        raise ProgramError(
            f"{program_line()}: {word} must be {('a number', 'numbers in a list', 'numbers in a table')[axes]}, not "
            f"{shown(value)}"
        ) from None
    if not np.all(np.isfinite(given)):
        raise ProgramError(f"{program_line()}: {word} must be finite, not {shown(value)}")
    return given.astype(dtype)


def array_given(x: Any, word: str, what: str) -> NDArray[Any]:
    """Return what is given in the place of a site vector as an array, after refusing what cannot be one."""
    try:
        return arrays.array_of(x)
    except SiteSamplerError:
        raise
    except Exception:  # rows of different lengths, or an object that does not want to be an array
        raise ProgramError(f"{program_line()}: {word} {what}, not {shown(x)}") from None


def check_vectors(vectors: Any, word: str) -> Sequence[Any]:
    """Return a list of site vectors, after refusing what is no list; what each of them is shows later."""
    if not isinstance(vectors, (list, tuple)):
        raise ProgramError(f"{program_line()}: {word} must be a list of site vectors, not {shown(vectors)}")
    return vectors
