"""``sitesampler verify``: every system against closed forms and against direct simulation, in one table.

The file of a system holds a generator ``rows``, which reads like the physics: it runs the program with sizes from
`Runs`, takes quantities with `of`, and puts a reference beside each, which makes a `Row`.  `judge` then says whether
the whole table deviates more than chance allows.  Read a system first, then the row, the runs and the verdict.  The
references are those of the theory; none is worked out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.verification.row import EXACT, Estimate, Row, derived, of
from sitesampler.verification.runs import Runs
from sitesampler.verification.verdict import FALSE_ALARM, Verdict, judge, table

__all__ = [
    "EXACT",
    "FALSE_ALARM",
    "SYSTEMS",
    "Estimate",
    "Row",
    "Runs",
    "Verdict",
    "chosen",
    "derived",
    "judge",
    "of",
    "rows_of",
    "table",
]

#: The rows of each system, by the name of its model: the ``rows`` of every file of this folder that has some.
SYSTEMS: dict[str, Callable[[Runs], Iterator[Row]]] = {
    name: module.rows
    for name in sorted(found.name for found in iter_modules(__path__))
    if hasattr(module := import_module(f"{__name__}.{name}"), "rows")
}


def chosen(names: Sequence[str]) -> list[str]:
    """Return the systems of these names, in the order of the table; all of them if no name is given.

    Raises
    ------
    InputError
        If there is no such system.
    """
    for name in names:
        if name not in SYSTEMS:
            raise InputError(f"there is no system {name!r}{did_you_mean(name, SYSTEMS)}; they are {listing(SYSTEMS)}")
    return [name for name in SYSTEMS if not names or name in names]


def rows_of(system: str, quick: bool = True, seed: int = 0) -> Iterator[Row]:
    """Run a system and yield its rows as they are ready.

    Parameters
    ----------
    system : str
    quick : bool
        Small populations and networks; the full table takes about ten times as long.
    seed : int
    """
    yield from SYSTEMS[system](Runs(system, seed, quick))
