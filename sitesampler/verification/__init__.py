"""``sitesampler verify``: every system against closed forms and against direct simulation, in one table.

A system's rows are a generator in one of the chapters, which reads like the physics: it runs the program with sizes
from `Runs`, takes quantities with `of`, and puts a reference beside each.  `judge` then says whether the whole table
deviates more than chance allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sitesampler.errors import InputError, did_you_mean, listing
from sitesampler.verification import beyond, disorder, learning, linear, spikes
from sitesampler.verification.rows import EXACT, Estimate, Row, derived, of
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

#: The rows of each system, by the name of its model.
SYSTEMS: dict[str, Callable[[Runs], Iterator[Row]]] = {
    rows.__name__: rows
    for rows in (
        disorder.spherical_pspin,
        disorder.random_rnn,
        disorder.random_rnn_lyapunov,
        disorder.deep_propagation,
        linear.goe_flow,
        linear.regression_flow,
        linear.random_features,
        learning.deep_network,
        spikes.spiked_wigner,
        spikes.evolving_spikes,
        beyond.lotka_volterra,
        beyond.low_rank_rnn,
        beyond.excitatory_inhibitory,
        beyond.gaussian_mixture_sgd,
        beyond.perceptron_flow,
        beyond.hopfield,
    )
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
