"""sitesampler: write the network once, run it at N = infinity.

The public face: `sample` (a site program at N = infinity), `simulate` (the same program in a finite network), `sweep`
(one of them at every combination of parameters), `compare` and `interval` (what a difference or an error means),
`diagnose` (what part of an error is due to what), `save_result` and `open_result` (a stored result, verified), the
tutorial's systems in ``models``, closed forms in ``theory``, and the errors a user can meet.  Names are resolved when
they are used, so that importing the package is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sitesampler.version import __version__

if TYPE_CHECKING:
    from sitesampler import errors, figures, models, nonlinearities, theory
    from sitesampler.results.compare import compare, interval
    from sitesampler.runs.calls import sample, simulate
    from sitesampler.runs.diagnosis import diagnose
    from sitesampler.storage.stores import open_result, save_result
    from sitesampler.studies.sweep import sweep

_HOMES = {
    "compare": "results.compare",
    "diagnose": "runs.diagnosis",
    "interval": "results.compare",
    "open_result": "storage.stores",
    "sample": "runs.calls",
    "save_result": "storage.stores",
    "simulate": "runs.calls",
    "sweep": "studies.sweep",
}
_MODULES = ("errors", "figures", "models", "nonlinearities", "theory")

__all__ = [
    "__version__",
    "compare",
    "diagnose",
    "errors",
    "figures",
    "interval",
    "models",
    "nonlinearities",
    "open_result",
    "sample",
    "save_result",
    "simulate",
    "sweep",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sitesampler.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"sitesampler.{name}")
    raise AttributeError(f"module 'sitesampler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
