"""Pieces: the independent parts of a run, and the one way in which they are computed, kept and taken up again.

A *piece* has a name, under which a journal keeps it, and a seed of its own, so that its bits depend neither on the
other pieces nor on where, when and how often it runs.  Pieces are

- the replicas of a march or of a simulation, and the marches that iterations start from: kept one by one;
- the chunks of an iteration: what they measure is merged before it comes home, and the iteration is kept as a whole;
- the points of a grid, and the runs of a diagnosis: runs of their own, whose pieces are kept inside of them.

`run_pieces` is how all of them run: those that the journal has are taken from there, the others go to a scheduler,
which hands each over as soon as it is complete, and it is kept then.  After a kill at any line the same call computes
what the journal does not have, and returns the same bits.

Where all trajectories are stored (``keep="all"``), the replicas of a march are not kept: their store is abandoned if
the run is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sitesampler.compute.progress import Progress
from sitesampler.compute.workers import Workers
from sitesampler.errors import StorageError
from sitesampler.storage.journal import Journal

#: Arrays and facts, as a sealed file holds them.
Sealed = tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Piece:
    """An independent part of a run.

    Attributes
    ----------
    name : str
    key : tuple of ints
        Of its random numbers, below the seed of the run: world or stream first, then replica and so on.
    arguments : tuple
        What its task is given beside what all share.
    words : str
        What it is called in a sentence, if not by its name.
    """

    name: str
    key: tuple[int, ...] = ()
    arguments: tuple[Any, ...] = ()
    words: str = ""

    def stream(self, seed: int) -> np.random.SeedSequence:
        """Return the root of its random numbers."""
        return np.random.SeedSequence(seed, spawn_key=self.key)


class Shelf(Protocol):
    """How a journal keeps a kind of pieces."""

    def find(self, journal: Journal, piece: Piece) -> Any:
        """Return a piece that is kept, or None."""

    def keep(self, journal: Journal, piece: Piece, result: Any) -> Any:
        """Keep a result, if it is worth it, and return it."""


@dataclass(frozen=True)
class Means:
    """What a run works with: who does the work, what is shown, what is kept."""

    workers: Workers
    progress: Progress
    journal: Journal

    def run(self, function: Callable[..., Any], pieces: Sequence[Piece], shared: Any, shelf: Shelf) -> list[Any]:
        """Run pieces that are one task each, ``function(shared, piece, report=report)``; return their results."""

        def schedule(left: Sequence[Piece], done: Callable[[int, Any], None]) -> None:
            for _ in range(len(pieces) - len(left)):
                self.progress.task_done()
            if left:
                self.workers.run(function, [[(piece,)] for piece in left], None, shared, self.progress, done)

        return run_pieces(pieces, self.journal, shelf, schedule)


def run_pieces(
    pieces: Sequence[Piece],
    journal: Journal,
    shelf: Shelf,
    schedule: Callable[[Sequence[Piece], Callable[[int, Any], None]], object],
) -> list[Any]:
    """Take pieces from a journal, compute the others, keep each as it completes, and return all in order.

    Parameters
    ----------
    pieces : sequence of Piece
    journal : Journal
    shelf : Shelf
    schedule : callable
        ``schedule(left, done)`` computes the pieces that are left and calls ``done(index, result)`` once for each of
        them, as they come.

    Examples
    --------
    >>> class Shelves:
    ...     def find(self, journal, piece):
    ...         return {"b": "kept"}.get(piece.name)
    ...     def keep(self, journal, piece, result):
    ...         return result
    >>> def schedule(left, done):
    ...     for index, piece in enumerate(left):
    ...         done(index, f"made of {piece.name}")
    >>> run_pieces([Piece("a"), Piece("b")], Journal({}), Shelves(), schedule)
    ['made of a', 'kept']
    """
    found: dict[int, Any] = {}
    for index, piece in enumerate(pieces):
        try:
            kept = shelf.find(journal, piece)
        except StorageError as error:
            journal.note(f"{piece.words or piece.name} is computed again: {error}")
            continue
        if kept is not None:
            found[index] = kept
    left = [index for index in range(len(pieces)) if index not in found]

    def done(place: int, result: Any) -> None:
        found[left[place]] = shelf.keep(journal, pieces[left[place]], result)

    schedule([pieces[index] for index in left], done)
    return [found[index] for index in range(len(pieces))]


@dataclass(frozen=True)
class States:
    """Pieces that are kept as sealed files.

    Attributes
    ----------
    sealed : callable
        Returns arrays and facts of a result; None if it is not kept.
    unsealed : callable
        Undoes it.
    """

    sealed: Callable[[Any], Sealed | None]
    unsealed: Callable[[Mapping[str, NDArray[Any]], Mapping[str, Any]], Any]

    def find(self, journal: Journal, piece: Piece) -> Any:
        """Return what is kept of a piece, or None."""
        state = journal.state(piece.name)
        return None if state is None else self.unsealed(*state)

    def keep(self, journal: Journal, piece: Piece, result: Any) -> Any:
        """Keep a result."""
        if (state := self.sealed(result)) is not None:
            journal.keep_state(piece.name, *state)
        return result


class Datasets:
    """Pieces that are kept as stores; an error in the place of a dataset is not kept."""

    def find(self, journal: Journal, piece: Piece) -> Any:
        """Return the dataset of a piece, or None."""
        return journal.dataset(piece.name)

    def keep(self, journal: Journal, piece: Piece, result: Any) -> Any:
        """Keep a dataset, and return it as it will be found."""
        if isinstance(result, Exception):
            return result
        journal.keep_dataset(piece.name, result, inside=piece.name)
        found = journal.dataset(piece.name)
        return result if found is None else found
