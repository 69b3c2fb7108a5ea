"""The way to a cluster: addresses, TLS files, versions that have to be the same everywhere, schedulers that are lost.

How clusters are started is in docs/clusters.md.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from sitesampler.errors import InputError, SiteSamplerError, shown
from sitesampler.version import __version__

#: Seconds until a scheduler that does not answer is given up.
ANSWER_WITHIN = 10.0
#: Seconds until a scheduler that was lost is given up.
RETURN_WITHIN = 600.0
#: Seconds between two attempts to reach a scheduler that was lost.
_RETRY_EVERY = 1.0


class SchedulerLost(SiteSamplerError, ConnectionError):
    """The scheduler of a cluster went away and did not come back in time, or was lost again and again."""


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


# ------------------------------------------------------------------------------------------------------ lost schedulers
def check_client(client: Any) -> None:
    """Refuse, before any work starts, what is neither a `dask.distributed.Client` nor None.

    Examples
    --------
    >>> check_client("tcp://10.0.0.1:8786")
    Traceback (most recent call last):
    sitesampler.errors.InputError: client must be a dask.distributed.Client, not 'tcp://10.0.0.1:8786'
    """
    if client is None:
        return
    # Whoever has a client has imported it; an executor has `submit` too, but no scheduler.
    known = getattr(sys.modules.get("distributed"), "Client", None)
    if known is None or not isinstance(client, known):
        raise InputError(f"client must be a dask.distributed.Client, not {shown(client)}")
    if client.asynchronous:
        raise InputError(
            "the client is asynchronous, and a call waits for its results; connect Client(address) without "
            "asynchronous=True, outside of coroutines"
        )


class Connection:
    """A user's client, and the one that takes its place after it has given its scheduler up.

    Parameters
    ----------
    given : dask.distributed.Client

    Attributes
    ----------
    client : dask.distributed.Client
        The one that is in use now.
    address : str
        Of the scheduler.
    """

    def __init__(self, given: Any) -> None:
        check_client(given)
        self._given, self.client = given, _successors.get(given, given)
        if self.client.scheduler is None:
            raise InputError("the client is closed; connect a new dask.distributed.Client to the scheduler")
        self.address, self._security = self.client.scheduler.address, self.client.security

    def was_lost(self, error: Exception) -> bool:
        """Say whether an error means that the scheduler does not know the computation any more."""
        from concurrent.futures import CancelledError

        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError

        if isinstance(error, (CancelledError, CommClosedError, ClosedClientError)):
            return True
        return isinstance(error, OSError) and self.client.status != "running"

    def restore(self, say: Callable[[str], object]) -> None:
        """Return once the scheduler answers: a client tries again by itself, but not for long.

        Raises
        ------
        SchedulerLost
            If it does not in time.
        """
        started, told = time.monotonic(), False
        while self.client.status != "running":
            waited = time.monotonic() - started
            if waited > RETURN_WITHIN:
                raise SchedulerLost(f"the scheduler at {self.address} is lost and did not return within {waited:.0f} s")
            if waited > _RETRY_EVERY and not told:
                say(f"waiting up to {RETURN_WITHIN:.0f} s for a scheduler at {self.address}")
                told = True
            if self.client.status == "closed":
                with contextlib.suppress(OSError):
                    self._succeed()
                    continue
            time.sleep(_RETRY_EVERY)

    def _succeed(self) -> None:
        """Take the client that another call has connected in the place of the given one, or connect it."""
        from distributed import Client

        with _reconnecting:
            known = _successors.get(self._given)
            if known is None or known.status == "closed":
                known = Client(self.address, security=self._security, timeout=ANSWER_WITHIN, set_as_default=False)
                _successors[self._given] = known
            self.client = known


#: Clients that took the place of one that gave its scheduler up; later calls with that one use them too.
_successors: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_reconnecting = threading.Lock()
