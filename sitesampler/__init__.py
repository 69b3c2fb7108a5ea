"""sitesampler: write the network once, run it at N = infinity.

The public face: `sample` (a site program at N = infinity), `simulate` (the same program in a finite network),
`compare`, the tutorial's systems in ``models``, closed forms in ``theory``, and the errors a user can meet.  Names are
resolved when they are used, so that importing the package is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitesampler import errors, figures, models, nonlinearities, theory
    from sitesampler.results import compare
    from sitesampler.sampler import sample, simulate

__version__ = "0.1.0"

_HOMES = {"sample": "sampler", "simulate": "sampler", "compare": "results"}
_MODULES = ("errors", "figures", "models", "nonlinearities", "theory")

__all__ = ["compare", "errors", "figures", "models", "nonlinearities", "sample", "simulate", "theory"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sitesampler.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"sitesampler.{name}")
    raise AttributeError(f"module 'sitesampler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
