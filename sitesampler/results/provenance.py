"""Where a result came from, as attributes that every format of file can hold."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.version import __version__

if TYPE_CHECKING:
    import xarray as xr


def provenance(**facts: Any) -> dict[str, Any]:
    """Return attributes that Zarr and NetCDF both store: numbers and strings, nested facts as JSON."""
    versions = {"python": platform.python_version(), "sitesampler": __version__}
    for package in ("numpy", "scipy", "numba", "xarray", "dask"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    out: dict[str, Any] = {"Conventions": "CF-1.11"}
    for name, fact in {**facts, "versions": versions}.items():
        plain = isinstance(fact, (int, float, str)) and not isinstance(fact, bool)
        out[name] = fact if plain else json.dumps(fact, default=_as_text)
    return out


def facts_of(result: xr.Dataset, name: str) -> dict[str, Any]:
    """Return an attribute that holds names and values as JSON; nothing where there is none of ours."""
    try:
        found = json.loads(result.attrs.get(name, "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _as_text(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return getattr(value, "__name__", None) or repr(value)
