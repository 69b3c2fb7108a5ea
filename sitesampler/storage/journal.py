"""The journal: what a run was asked for, what it was given, and which of its pieces are complete.

A run is made of pieces, each with a name: replicas, the state after an iteration, points of a grid, datasets of a
study.  Its journal is a folder with one sealed file, ``journal.npz``, and the pieces in files beside it.  The sealed
file says what kind of run this is, its settings (flat, plain values), its seeds, and of each piece that is complete
the name and what tells its file from any other.  Folder None is a journal that keeps nothing.

**Kept** is a piece that the journal names and whose file is the one that it names and verifies.  Files are complete
when they get their names, and no file that the journal names is written again.  So a kill at any line can be reasoned
about: `_Folder.keep` first writes the piece under its own name, then the journal with the piece in it.  Before the
first, nothing has happened; between the two there is a file that no journal names, which is written again when its
piece is computed again; after the second, the piece is kept.  A piece that takes the place of another one (a later
iteration) is named, and the other one unnamed, by the same write of the journal; what is not needed any more is then
removed, and as that may be cut short, it stays listed (``gone``) until the next write and is removed by who resumes.

**Inside**: a piece that is itself a run keeps its own pieces in a journal in a folder inside (`Journal.inside`), which
is listed (``begun``) before anything is written there, and removed once the piece is kept.

**One resume**: a run goes on from a journal only if kind, settings and seeds are its own, else it is refused with what
differs.  A piece that is damaged is said to be, and computed again.  **Starting anew** where an earlier run has kept
something is refused, unless that may be overwritten: then its pieces, and the journals inside, are removed when the
first new piece is kept, and a run that is refused before puts the old journal back.  A kill in between leaves fewer
pieces.  Nothing else in the folder is touched, and the journal of another kind of run is refused.  A journal inside of
another one's folder is that one's: what does not fit there is computed again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitesampler.errors import InputError, StorageError
from sitesampler.storage.folders import lock_folder
from sitesampler.storage.manifest import refuse_foreign, voucher
from sitesampler.storage.purpose import (
    JOURNAL,
    Inside,
    Note,
    Purpose,
    discard_unsealed,
    facts_of,
    goes_on,
    remove,
    say_unknown,
    what_differs,
)
from sitesampler.storage.sealed import read_state, write_state
from sitesampler.storage.stores import open_result, publish
from sitesampler.version import __version__

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


class Journal:
    """A journal that keeps nothing; `open_journal` returns one that does where it has a folder.

    Attributes
    ----------
    seeds : dict
        Those that the run started with.
    resumed : bool
        Whether there was something to go on from.
    """

    def __init__(self, seeds: Mapping[str, int], resumed: bool = False, note: Note = lambda _: None) -> None:
        self.seeds, self.resumed, self.note = dict(seeds), resumed, note

    def has(self, name: str) -> bool:
        """Say whether a file is named and is the one that was kept."""
        return False

    def latest(self, stem: str) -> str | None:
        """Return the last piece named whose name begins so."""
        return None

    def state(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Return arrays and facts of a piece, if the journal names it and it is there.

        Raises
        ------
        StorageError
            If its file is damaged.
        """
        return None

    def dataset(self, name: str) -> xr.Dataset | None:
        """Return the dataset of a piece, loaded, if the journal names it and it is there.

        Raises
        ------
        StorageError
            If its store is damaged.
        """
        return None

    def keep_state(
        self, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], instead_of: Sequence[str] = ()
    ) -> None:
        """Keep arrays of numbers and what JSON can say, in the place of other states."""

    def keep_dataset(self, name: str, dataset: xr.Dataset, inside: str | None = None) -> None:
        """Keep a dataset, and let go of what the piece kept inside."""

    def keep_file(self, name: str) -> None:
        """Keep a file that was written, or the fact that there is none."""

    def forget(self, *files: str) -> None:
        """Name files no more; stores without a manifest, which nobody could tell to be ours any more, are removed.

        Raises
        ------
        StorageError
            If something else has the name of a store now.
        """

    def inside(self, *names: str) -> list[Inside | None]:
        """Return where pieces keep pieces of their own."""
        return [None] * len(names)


class _Folder(Journal):
    """A journal in a folder that this run holds."""

    def __init__(
        self, folder: Path, facts: dict[str, Any], resumed: bool, note: Note, replaced: Sequence[str] = ()
    ) -> None:
        super().__init__(facts["seeds"], resumed, note)
        self._folder, self._facts, self._lock = folder, facts, threading.RLock()
        self._replaced = list(replaced)  # of an earlier run, until something of this one is there

    @property
    def empty(self) -> bool:
        """Whether nothing was kept yet."""
        return not self._facts["done"]

    def _start_anew(self) -> None:
        """Remove what an earlier run has kept."""
        with self._lock:
            replaced, self._replaced = self._replaced, []
            remove(self._folder, [name for name in replaced if name not in self._facts["begun"]])

    def has(self, name: str) -> bool:
        return name in self._facts["done"] and self._facts["done"][name]["voucher"] == voucher(self._folder / name)

    def latest(self, stem: str) -> str | None:
        names = [Path(file).stem for file in self._facts["done"] if file.startswith(stem)]
        return max(names, default=None)

    def state(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        file = f"{name}.npz"
        if not self._named(file):
            return None
        found = read_state(self._folder / file)
        self._check(file)
        return found

    def dataset(self, name: str) -> xr.Dataset | None:
        file = f"{name}.zarr"
        if not self._named(file):
            return None
        with open_result(self._folder / file) as stored:
            self._check(file)
            # A store has an order of its own.
            return stored[self._facts["done"][file]["variables"]].load().drop_encoding()

    def _named(self, file: str) -> bool:
        return file in self._facts["done"] and (self._folder / file).exists()

    def _check(self, file: str) -> None:
        if not self.has(file):
            raise StorageError(f"{self._folder / file} is not the one that this run has kept")

    def keep_state(
        self, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], instead_of: Sequence[str] = ()
    ) -> None:
        path = self._folder / f"{name}.npz"
        self._start_anew()
        if path.name not in self._facts["done"]:
            refuse_foreign(path, file=True)
        write_state(path, arrays, facts)
        self._keep(path.name, {}, [f"{other}.npz" for other in instead_of])

    def keep_dataset(self, name: str, dataset: xr.Dataset, inside: str | None = None) -> None:
        path = self._folder / f"{name}.zarr"
        self._start_anew()
        if path.name in self._facts["done"]:
            discard_unsealed(path)
        publish(dataset, path)
        variables = [str(variable) for variable in dataset.data_vars]
        self._keep(path.name, {"variables": variables}, [] if inside is None else [inside])

    def keep_file(self, name: str) -> None:
        self._keep(name, {}, [])

    def forget(self, *files: str) -> None:
        with self._lock:
            named = [file for file in files if file in self._facts["done"]]
            for file in named:
                del self._facts["done"][file]
            if named:
                self._write([])
            for store in (self._folder / file for file in named if file.endswith(".zarr")):
                discard_unsealed(store)
                refuse_foreign(store)

    def inside(self, *names: str) -> list[Inside | None]:
        with self._lock:
            if new := [name for name in names if name not in self._facts["begun"]]:
                self._facts["begun"] += new
                self._facts["gone"] = [name for name in self._facts["gone"] if name not in new]
                self._write([])
        return [Inside(self._folder / name, self.resumed, self.note) for name in names]

    def _keep(self, file: str, facts: Mapping[str, Any], gone: Sequence[str]) -> None:
        with self._lock:
            self._facts["done"][file] = {"voucher": voucher(self._folder / file), **facts}
            for name in gone:
                self._facts["done"].pop(name, None)
            self._facts["begun"] = [name for name in self._facts["begun"] if name not in gone]
            self._write(gone)

    def _write(self, gone: Sequence[str]) -> None:
        self._facts["gone"] = [name for name in (*self._facts["gone"], *gone) if (self._folder / name).exists()]
        write_state(self._folder / JOURNAL, {}, self._facts)
        remove(self._folder, self._facts["gone"])


@contextmanager
def open_journal(place: Inside | None, purpose: Purpose) -> Iterator[Journal]:
    """Hold a folder for one run and read its journal, or start a new one.

    Parameters
    ----------
    place : Inside or None
        None keeps nothing.
    purpose : Purpose

    Raises
    ------
    InputError
        If the folder is that of another run; the message says what differs.
    StorageError
        If another run holds the folder, or the journal is damaged and should be resumed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> purpose = Purpose("sums", {"terms": 3}, {"seed": 7}, "{folder} holds other sums: {difference}")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for resume in (False, True):
    ...         with open_journal(Inside(Path(place), resume, print), purpose) as journal:
    ...             print(journal.state("first"))
    ...             journal.keep_state("first", {"sum": np.array(6)}, {})
    None
    ({'sum': array(6)}, {})
    """
    settings = {"sitesampler": __version__, **purpose.settings}
    new = {name: secrets.randbits(128) if seed is None else seed for name, seed in purpose.seeds.items()}
    if place is None:
        yield Journal(new)
        return
    folder, note = place.folder, place.note
    with lock_folder(folder, purpose.folder_is):
        old = facts_of(folder, purpose.kind, place.resume)
        differs = "" if old is None else what_differs(old, purpose, settings)
        if purpose.unknown:
            say_unknown(purpose, folder, place.resume and old is not None, note)
        if old is not None and goes_on(place, purpose, old, differs):
            remove(folder, old["gone"])
            yield _Folder(folder, old, True, note)
            return
        replaced = []
        if old is not None:
            replaced = [*old["begun"], *old["gone"], *([] if purpose.results else old["done"])]
            if purpose.results and any((folder / name).exists() for name in old["begun"]):
                note(f"discarded the checkpoint of an earlier run in {folder}; --resume would have gone on")
        facts = {"kind": purpose.kind, "settings": settings, "seeds": new, "done": {}, "begun": [], "gone": []}
        write_state(folder / JOURNAL, {}, facts)
        journal = _Folder(folder, facts, False, note, replaced)
        try:
            yield journal
        except InputError:
            if old is not None and journal.empty:  # refused: the earlier run is what is there
                write_state(folder / JOURNAL, {}, old)
            raise
