"""What is no array: groups, couplings and tensor couplings, which refuse what arrays can do and say what is right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from sitesampler.errors import ProgramError, program_line

_SYMBOLS = {
    np.add: "+",
    np.subtract: "-",
    np.multiply: "*",
    np.divide: "/",
    np.negative: "neg",
    np.matmul: "left of @",
    np.dot: "*",
    np.vdot: "*",
}


def _refused(symbol: str) -> Callable[..., Any]:
    def operation(self: NoArray, *others: Any) -> Any:
        self._refuse(symbol, *others)

    return operation


class NoArray(ABC):
    """What a program may take for an array.

    Operators, functions of NumPy, indices and loops end in a sentence that says what is right.
    """

    @abstractmethod
    def _instead(self, symbol: str, others: tuple[Any, ...]) -> str:
        """Return what to write in the place of an operation with others: ``+ - * / neg``, ``left of @`` or any word."""

    def _refuse(self, symbol: str, *others: Any) -> Any:
        raise ProgramError(f"{program_line()}: {self._instead(symbol, others)}")

    __add__ = __radd__ = _refused("+")
    __sub__ = __rsub__ = _refused("-")
    __mul__ = __rmul__ = _refused("*")
    __truediv__ = __rtruediv__ = _refused("/")
    __neg__ = _refused("neg")
    __iadd__, __imul__ = _refused("+="), _refused("*=")
    __call__ = _refused("call")
    __rmatmul__ = _refused("left of @")
    __pos__ = __abs__ = __pow__ = __rpow__ = __mod__ = __floordiv__ = __float__ = __int__ = _refused("other")
    __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = __setitem__ = __iter__ = __len__ = __array__ = _refused("other")

    def __bool__(self) -> bool:
        return True

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Refuse ``np.abs(J)``, and operators with an array on their left."""
        self._refuse(_SYMBOLS.get(ufunc, "other"), *(each for each in inputs if each is not self))

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        """Refuse ``np.dot(J, x)`` and the like."""
        self._refuse(_SYMBOLS.get(function, "other"), *(each for each in inputs if each is not self))
