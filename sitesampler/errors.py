"""The errors a user can meet, what refusals have in common, and the search for the line of a program that caused one.

Every message is one sentence that says what is wrong, where, and what would be right.  Nothing here decides what is
an error; the layers that know do that.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import math
import numbers
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_PACKAGE = str(Path(__file__).parent)
_MODELS = str(Path(__file__).parent / "models")


class SiteSamplerError(Exception):
    """Base class of every error that sitesampler raises on purpose.

    Attributes
    ----------
    partial : xarray.Dataset or None
        What a run had recorded before it went wrong, where there is something to keep.
    """

    partial: Any = None


class InputError(SiteSamplerError, ValueError):
    """An argument of a call is refused before any work starts."""


class ProgramError(SiteSamplerError, ValueError):
    """A site program says something that cannot be meant; the message names the line of the program."""


class PopulationTooSmall(SiteSamplerError, ValueError):
    """A population has fewer samples than there are vectors that its draws must be orthogonal to."""


class NotFinite(SiteSamplerError, FloatingPointError):
    """A site vector or a recorded number became infinite or not a number; the message says at which time.

    Attributes
    ----------
    site : int or None
        The first site or sample of the vector that did, counting perturbed twins after the sites.
    """

    site: int | None = None


class OutOfMemory(SiteSamplerError, MemoryError):
    """A run needs more memory than the machine has left."""


class StorageError(InputError):
    """A stored result, checkpoint or output folder is refused: missing, incomplete, damaged, too new, or in use."""


class DiskFull(SiteSamplerError, OSError):
    """Something does not fit on the disk; what had its name before is still there."""


def is_integer(value: Any, least: float = -math.inf) -> bool:
    """Say whether a value is an integer, of Python or NumPy and no truth value, and not below the least.

    Examples
    --------
    >>> is_integer(3), is_integer(3, 4), is_integer(True), is_integer(3.0)
    (True, False, False, False)
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or _kind(value) == "m":
        return False
    return int(value) >= least


def is_number(value: Any) -> bool:
    """Say whether a value is a single real number, of Python or NumPy and no truth value; NaN and infinity are.

    Examples
    --------
    >>> is_number(0.5), is_number(3), is_number(True), is_number("3"), is_number([0.5])
    (True, True, False, False, False)
    """
    if isinstance(value, int):  # as large as a float may be
        return not isinstance(value, bool) and value.bit_length() < sys.float_info.max_exp
    return isinstance(value, float) or (getattr(value, "shape", None) == () and _kind(value) in ("f", "i", "u"))


def _kind(value: Any) -> str:
    """Return the letter of a type of NumPy: of durations ``m``, which call themselves integers."""
    return getattr(getattr(value, "dtype", None), "kind", "")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest of the choices, or an empty string."""
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def listing(names: Iterable[str]) -> str:
    """Return names as they stand in a sentence: ``a, b, c`` or ``none``."""
    return ", ".join(names) or "none"


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence: itself where it is short, else what it is."""
    kind = type(value).__name__
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and shape:
        return f"an array of shape {shape}"
    try:
        text = repr(value)
    except Exception:  # of a class of the user's, or an integer of thousands of digits
        text = ""
    if text and len(text) <= 40 and text.isprintable() and " at 0x" not in text:
        return text
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def name_of(program: Any) -> str:
    """Return what a program is called."""
    return getattr(program, "__name__", type(program).__name__)


def _is_program(filename: str) -> bool:
    return filename.startswith(_MODELS) or not filename.startswith(_PACKAGE)


def _describe(filename: str, line: int, function: str) -> str:
    source = linecache.getline(filename, line).strip()
    return f"in {function}, line {line}" + (f" (`{source}`)" if source else "")


def program_line() -> str:
    """Return where the running site program stands: function, line number and the line itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_program(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return "in the program"
    return _describe(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def line_of(function: Any) -> str:
    """Return where a function of the user's begins; where that is not known, where the running program stands."""
    code = getattr(inspect.unwrap(getattr(function, "func", function)), "__code__", None)
    return program_line() if code is None else _describe(code.co_filename, code.co_firstlineno, code.co_name)


def raised_line(trace: TracebackType | None, filename: str) -> str:
    """Return where in the file of a site program an exception came through last."""
    found = "in the program"
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == filename:
            found = _describe(code.co_filename, trace.tb_lineno, code.co_name)
        trace = trace.tb_next
    return found
