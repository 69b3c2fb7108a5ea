"""Reference solutions that need no sampling: closed recursions, spectral integrals, exact constants.

The file of a system has the name of its program, and further files of the same system begin with that name. Each
works in the discrete time of the system's Euler scheme wherever the equations close, so that a sampler or a finite
network at the same time step must agree to within its statistical error. What serves several systems has the name of
its subject: `gaussian` averages nonlinearities over Gaussian variables; `moments`, `resolvent` and `density` lead, in
this order, from the response of a linear system to the spectrum of its matrix. How a program is sampled or simulated
does not stand here, nor any number that came out of either.

Conventions: time in units of the single-site relaxation time; `t_n = n dt`; two-time arrays have the later
(row) time first; a *response density* is the derivative with respect to the source times dt and vanishes for
n <= m, a *raw response* has no dt divided out and a unit diagonal.

Examples
--------
>>> from sitesampler import theory
>>> f"{theory.random_rnn.stationary_variance(1.8):.6f}"
'1.405601'
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

__all__ = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
