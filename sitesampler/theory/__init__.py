"""Reference solutions that need no sampling: closed recursions, spectral integrals, exact constants.

The theory of a system stands in the file of its name, further parts of it in files that begin with that name; in
discrete time wherever the equations close, so that a sampler or a finite network at the same time step must agree to
within its statistical error.  `gaussian` has averages of phi over one or two Gaussian variables, for all of them, and
`moments`, `density` and `resolvent` lead from the response of a linear system to its spectrum.  The first line of each
file says what it solves, and which equations of the tutorial.

Conventions: time in units of the single-site relaxation time; `t_n = n dt`; two-time arrays have the later
(row) time first; a *response density* is the derivative with respect to the source times dt and vanishes for
n <= m, a *raw response* has no dt divided out and a unit diagonal.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

__all__ = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
