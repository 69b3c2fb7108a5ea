"""What the parameters of a program may be, as its signature says it.

A parameter says by its annotation what it may be: ``g: NonNegative = 1.5`` or
``symmetry: Annotated[float, between(-1, 1)] = 0.0``.  Plain ``float``, ``int``, ``bool``, ``str``, ``Literal`` and
unions of them are taken at their word too, but for a default, which need not fit; any other annotation says nothing.

Where that is read and checked is no business of this file.
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from sitesampler.errors import InputError, is_number
from sitesampler.nonlinearities import NAMES, nonlinearity

__all__ = [
    "Differentiable",
    "Fraction",
    "Function",
    "Kind",
    "NonNegative",
    "Number",
    "Positive",
    "above",
    "at_least",
    "between",
    "numbers",
    "one_of",
    "require",
    "whole",
]


@dataclass(frozen=True)
class Kind:
    """What a parameter may be.

    Attributes
    ----------
    words : str
        In words, as they stand after "must be".
    fits : callable
        Whether a value is of the kind.
    value : callable
        What the program gets for it: numbers of NumPy become those of Python, which keep the precision of vectors.
    choices : tuple of str
        Words among which a misspelt one is sought.
    """

    words: str
    fits: Callable[[Any], bool]
    value: Callable[[Any], Any] = lambda value: value
    choices: tuple[str, ...] = ()


def _in_python(value: Any) -> Any:
    """Return a number of NumPy as one of Python, and an integer that no array holds as a float."""
    value = value.item() if getattr(value, "shape", None) == () else value
    return float(value) if isinstance(value, int) and value.bit_length() > 63 else value


@dataclass(frozen=True)
class _Range:
    """Finite numbers between two ends, of which either may be left out."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def holds(self, value: Any) -> bool:
        return bool(math.isfinite(value) and self.least <= value <= self.most and self.above < value < self.below)

    def of(self, noun: str) -> str:
        """Return in words what of a kind is inside: ``a number > 0``."""
        if self.least > -math.inf and self.most < math.inf:
            return f"{noun} from {self.least:,} to {self.most:,}"
        ends = {">=": self.least, ">": self.above, "<=": self.most, "<": self.below}
        return f"{noun} {' and '.join(f'{sign} {end:,}' for sign, end in ends.items() if math.isfinite(end))}".strip()


def _number(inside: _Range) -> Kind:
    return Kind(inside.of("a number"), lambda value: is_number(value) and inside.holds(value), _in_python)


def at_least(least: float, below: float = math.inf) -> Kind:
    """Return the kind of a number from one on, and below another."""
    return _number(_Range(least=least, below=below))


def above(limit: float, *, most: float = math.inf, below: float = math.inf) -> Kind:
    """Return the kind of a number above one, and at most or below another."""
    return _number(_Range(above=limit, most=most, below=below))


def between(least: float, most: float) -> Kind:
    """Return the kind of a number in an interval, its ends included."""
    return _number(_Range(least, most))


def whole(least: float = -math.inf, most: float = math.inf) -> Kind:
    """Return the kind of a whole number in an interval; 3.0 is one, and becomes 3."""
    inside = _Range(least, most)
    return Kind(
        inside.of("a whole number"),
        lambda value: is_number(value) and inside.holds(value) and int(value) == value,
        lambda value: int(value),
    )


def one_of(*choices: Any) -> Kind:
    """Return the kind of what is one of a few values."""
    return Kind(
        _either(repr(choice) for choice in choices),
        lambda value: any(
            type(_in_python(value)) is type(choice) and _in_python(value) == choice for choice in choices
        ),
        _in_python,
        choices=tuple(choice for choice in choices if isinstance(choice, str)),
    )


def numbers(*shape: int | str, least: float = -math.inf, above: float = -math.inf, empty: bool = False) -> Kind:
    """Return the kind of a list or array of finite numbers, with lengths along its axes, or letters for any length.

    Examples
    --------
    >>> numbers("P", 2, least=0).words
    'an array (P, 2) of numbers >= 0'
    """
    inside = _Range(least, above=above)

    def fits(value: Any) -> bool:
        import numpy as np

        if isinstance(value, (str, bytes, Mapping, set, frozenset)):
            return False
        try:
            array = np.asarray(value)
        except (TypeError, ValueError):  # rows of different lengths, or no array at all
            return False
        lengths = len(array.shape) == len(shape) and all(
            size == asked if isinstance(asked, int) else size or empty
            for size, asked in zip(array.shape, shape, strict=True)
        )
        return lengths and array.dtype.kind in "fiu" and all(map(inside.holds, array.ravel()))

    if len(shape) == 1:
        what = "a list of" if isinstance(shape[0], str) else f"{shape[0]}"
    else:
        what = f"an array ({', '.join(map(str, shape))}) of"
    return Kind(f"{what} {inside.of('numbers')}", fits)


def _either(words: Iterator[str] | list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _is_function(value: Any) -> bool:
    return value in NAMES if isinstance(value, str) else callable(value) and not isinstance(value, type)


def _is_differentiable(value: Any) -> bool:
    return _is_function(value) and callable(getattr(nonlinearity(value), "derivative", None))


_NAMED = ", ".join(map(repr, NAMES))
#: Kinds that many programs need.
Number = Annotated[float, _number(_Range())]
Positive = Annotated[float, above(0)]
NonNegative = Annotated[float, at_least(0)]
Fraction = Annotated[float, between(0, 1)]
#: A nonlinearity by its name, or any function that acts on each element of an array by itself.
Function = Annotated[Any, Kind(f"{_NAMED} or a function of arrays", _is_function, choices=NAMES)]
#: The same where its derivative is needed too.
Differentiable = Annotated[
    Any,
    Kind(f"{_NAMED} or a function with a derivative (a Nonlinearity)", _is_differentiable, choices=NAMES),
]


# ------------------------------------------------------------------------------------------------------- annotations
_PLAIN = {
    float: Kind("a number", is_number, _in_python),
    int: whole(),
    bool: Kind(
        "True or False",
        lambda value: isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b",
        _in_python,
    ),
    str: Kind("a string", lambda value: isinstance(value, str), str),
    type(None): Kind("None", lambda value: value is None),
}


def kind_of(annotation: Any) -> Kind | None:
    """Return what an annotation says of a parameter, or None if that is nothing to go by.

    Examples
    --------
    >>> kind_of(Positive).words, kind_of(int | None).words, kind_of(Literal["a", "b"]).words, kind_of(Any)
    ('a number > 0', 'a whole number or None', "'a' or 'b'", None)
    """
    if isinstance(annotation, Kind):
        return annotation
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return next((each for each in inner[1:] if isinstance(each, Kind)), kind_of(inner[0]))
    if origin is Literal:
        return one_of(*inner)
    if origin in (Union, types.UnionType):
        kinds = [kind_of(each) for each in inner]
        return _any_of([kind for kind in kinds if kind is not None]) if None not in kinds else None
    plain = type(None) if annotation is None else annotation
    return _PLAIN.get(plain) if isinstance(plain, type) else None


def _any_of(kinds: list[Kind]) -> Kind:
    def value(given: Any) -> Any:
        return next(kind.value(given) for kind in kinds if kind.fits(given))

    choices = tuple(choice for kind in kinds for choice in kind.choices)
    return Kind(
        _either([kind.words for kind in kinds]), lambda given: any(kind.fits(given) for kind in kinds), value, choices
    )


def require(holds: Any, sentence: str) -> None:
    """Refuse parameters of a program that do not go together; said before its first word.

    Parameters
    ----------
    holds : bool
        What has to be true.
    sentence : str
        What would be right, and what is given.

    Raises
    ------
    InputError
        The sentence, with the name of the program.

    Examples
    --------
    >>> def flow(net, *, steps=3, last=5):
    ...     require(last <= steps, f"last must be at most steps, {steps}, not {last}")
    >>> flow(None)
    Traceback (most recent call last):
    sitesampler.errors.InputError: flow: last must be at most steps, 3, not 5
    """
    if not holds:
        raise InputError(f"{sys._getframe(1).f_code.co_name}: {sentence}")
