"""Connecting to a cluster: addresses, TLS files, and the versions that have to be the same everywhere.

What runs on the cluster is said in ``workers.py``; how clusters are started is in docs/clusters.md.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
from typing import Any

from sitesampler.errors import InputError
from sitesampler.version import __version__

#: Seconds until a scheduler that does not answer is given up.
ANSWER_WITHIN = 10.0


def connect(address: str, *, ca: str | None = None, cert: str | None = None, key: str | None = None) -> Any:
    """Connect to the scheduler of a cluster, and refuse one that could give other results.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.1:8786``, or ``tls://...`` for an encrypted connection.
    ca, cert, key : str, optional
        PEM files for ``tls://``: the certificate of the authority, this user's certificate and its key.

    Returns
    -------
    dask.distributed.Client

    Raises
    ------
    InputError
        If the scheduler does not answer, files are missing, or scheduler or workers have other versions.
    """
    from distributed import Client, Security

    files = {"CA": ca, "certificate": cert, "key": key}
    encrypted = address.startswith("tls://")
    if not encrypted and not address.startswith("tcp://"):
        raise InputError(f"a scheduler's address is tcp://HOST:PORT or tls://HOST:PORT, not {address!r}")
    missing = [name for name, path in files.items() if path is None]
    if encrypted and missing:
        raise InputError(f"{address} needs TLS files, and none is given for: {', '.join(missing)}")
    if not encrypted and len(missing) < len(files):
        raise InputError(f"TLS files are given, but {address} is not encrypted; its address would be tls://...")
    for name, path in files.items():
        if path is not None and not os.access(path, os.R_OK):
            raise InputError(f"the TLS {name} file {path} does not exist or cannot be read")
    try:
        security = (
            Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True)
            if encrypted
            else None
        )
        client = Client(address, security=security, timeout=ANSWER_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:  # a bad port, a broken certificate
        raise InputError(
            f"no scheduler answers at {address} within {ANSWER_WITHIN:.0f} s ({_innermost(error)}); is it running, "
            "and does it use the same encryption?"
        ) from None
    try:
        try:  # the scheduler takes the graph apart, and so imports what it names
            there = client.run_on_scheduler(versions)
        except Exception as error:
            there = error
        refuse_other_versions(f"the scheduler at {address}", there, versions())
        for worker, there in client.run(versions, on_error="return").items():
            refuse_other_versions(f"the worker at {worker}", there, versions())
    except BaseException:
        client.close()
        raise
    return client


def _innermost(error: BaseException) -> str:
    """Return the words of the error that is behind an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".split())


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions that results depend on: bugfix releases of the libraries keep the bits, as far as known."""
    found = {"sitesampler": __version__, "python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("numpy", "numba"):
        found[package] = ".".join(importlib.metadata.version(package).split(".")[:2])
    return found


def refuse_other_versions(who: str, there: dict[str, str] | BaseException, here: dict[str, str]) -> None:
    """Raise `InputError` unless a process, named as in ``the worker at tcp://...``, has the versions of this one."""
    if isinstance(there, BaseException):
        raise InputError(f"{who} cannot import sitesampler {here['sitesampler']} ({there})")
    for package, version in here.items():
        if there.get(package) != version:
            raise InputError(
                f"{who} has {package} {there.get(package)} and this process {version}; install the "
                "same versions of sitesampler, python, numpy and numba everywhere"
            )
