"""sitesampler: write the network once, run it at N = infinity.

The public face: `sample` (a site program at N = infinity), `simulate` (the same program in a finite network), `sweep`
(one of them at every combination of parameters), `compare` and `interval` (what a difference or an error means),
`derive` (value and error of any function of a result; `stationary`, `spectrum`, `fdt` and `relaxation_time` are some),
`diagnose` (what part of an error is due to what), `extrapolate` (the limit of small time steps, from two of them),
`save_result` and `open_result` (a stored result, verified), the tutorial's systems in ``models``, closed forms in
``theory``, and the errors a user can meet.  Names are resolved when they are used, so that importing the package is
instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sitesampler.version import __version__

if TYPE_CHECKING:
    from sitesampler import errors, figures, models, nonlinearities, parameters, theory
    from sitesampler.results.compare import compare, interval
    from sitesampler.results.derive import derive
    from sitesampler.results.extrapolate import extrapolate
    from sitesampler.results.stationary import fdt, relaxation_time, spectrum, stationary
    from sitesampler.runs.calls import sample, simulate
    from sitesampler.runs.diagnosis import diagnose
    from sitesampler.storage.stores import open_result, save_result
    from sitesampler.studies.sweep import sweep

_HOMES = {
    "compare": "results.compare",
    "derive": "results.derive",
    "diagnose": "runs.diagnosis",
    "extrapolate": "results.extrapolate",
    "fdt": "results.stationary",
    "interval": "results.compare",
    "open_result": "storage.stores",
    "relaxation_time": "results.stationary",
    "sample": "runs.calls",
    "save_result": "storage.stores",
    "simulate": "runs.calls",
    "spectrum": "results.stationary",
    "stationary": "results.stationary",
    "sweep": "studies.sweep",
}
_MODULES = ("errors", "figures", "models", "nonlinearities", "parameters", "theory")

__all__ = [
    "__version__",
    "compare",
    "derive",
    "diagnose",
    "errors",
    "extrapolate",
    "fdt",
    "figures",
    "interval",
    "models",
    "nonlinearities",
    "open_result",
    "parameters",
    "relaxation_time",
    "sample",
    "save_result",
    "simulate",
    "spectrum",
    "stationary",
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
