"""What a journal is opened for, and what becomes of the run that had its folder before.

How pieces are kept is told in `sitesampler.storage.journal`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitesampler.errors import InputError, StorageError, listing
from sitesampler.storage.folders import lock_folder
from sitesampler.storage.manifest import is_ours, refuse_foreign
from sitesampler.storage.sealed import read_state
from sitesampler.storage.settings import difference
from sitesampler.storage.stores import discard

#: Name of the sealed file of a journal.
JOURNAL = "journal.npz"

#: Takes a sentence on what is not as expected, but no reason to stop.
Note = Callable[[str], object]


@dataclass(frozen=True)
class Purpose:
    """What a journal is opened for.

    Attributes
    ----------
    kind : str
        Such as ``"sweep"``.
    settings : dict
        Everything that the bits of the run depend on, but for its seeds: flat, and plain.
    seeds : dict
        Seeds by name; None draws one when the run starts, and takes that one when it is resumed.
    refusal : str
        Sentence for the folder of another run, with its ``{folder}`` and the ``{difference}``.
    folder_is : str
        What the folder is called in messages.
    error : type
        Of the refusal.
    results : bool
        Whether the pieces are results, which a new run leaves there until it replaces them.
    unknown : sequence of str
        What the run reaches and nobody can compare: it cannot be resumed.
    whole : sequence of str
        The pieces that make the run complete, if it may then be called again to say so.
    words : (str, str)
        What is said for going on, and for starting anew.
    """

    kind: str
    settings: Mapping[str, Any]
    seeds: Mapping[str, int | None]
    refusal: str
    folder_is: str = "checkpoint folder"
    error: type[InputError] = InputError
    results: bool = False
    unknown: Sequence[str] = ()
    whole: Sequence[str] = ()
    words: tuple[str, str] = ("resume=True", "overwrite=True")


@dataclass(frozen=True)
class Inside:
    """The place of a journal; ``led`` where that is inside of another one's folder."""

    folder: Path
    resume: bool
    note: Note
    overwrite: bool = True
    led: bool = True


def what_differs(old: Mapping[str, Any], purpose: Purpose, settings: Mapping[str, Any]) -> str:
    """Return in words what an earlier run has differently."""
    given = {name: seed for name, seed in purpose.seeds.items() if seed is not None}
    before = {name: old["seeds"].get(name) for name in given}
    return difference({**before, **old["settings"]}, {**given, **settings})


def goes_on(place: Inside, purpose: Purpose, old: Mapping[str, Any], differs: str) -> bool:
    """Say whether to go on from an earlier run; if not, its pieces may be removed.

    Raises
    ------
    InputError
        If it may neither be gone on from nor replaced.
    """
    folder, (resume, overwrite) = place.folder, purpose.words
    if place.resume and not differs:
        return True
    if place.resume:
        sentence = purpose.refusal.format(folder=folder, difference=differs)
        if not place.led:
            raise purpose.error(sentence)
        place.note(f"{folder} is not used: {sentence}")
        return False
    kept = [name for name in (*old["done"], *old["begun"]) if (folder / name).exists()]
    if place.overwrite or not kept:
        return False
    if purpose.whole and not differs and all(name in old["done"] for name in purpose.whole):
        place.note(f"{folder} holds this run already, complete: nothing is computed; {overwrite} computes it anew")
        return True
    found = f"what an earlier run has kept ({listing(kept[:5])}{', ...' if len(kept) > 5 else ''})"
    way = f"other settings ({differs})" if differs else f"the same settings; {resume} goes on with it"
    raise purpose.error(f"{folder} holds {found}, with {way}; {overwrite} replaces it, or choose another folder")


def say_unknown(purpose: Purpose, folder: Path, resumes: bool, note: Note) -> None:
    """Say that a run cannot be resumed, and refuse to resume it."""
    sentence = (
        f"the run in {folder} cannot be resumed, because nobody can say later whether {purpose.unknown[0]} is what it "
        "was; let the program use functions, numbers, texts and arrays only"
    )
    if resumes:
        raise purpose.error(f"{sentence}, and start anew with {purpose.words[1]}")
    note(sentence)


def facts_of(folder: Path, kind: str, strictly: bool) -> dict[str, Any] | None:
    """Return the facts of the journal in a folder; what is damaged is refused, or taken for nothing."""
    path = folder / JOURNAL
    if not os.path.lexists(path):
        return None
    try:
        facts = read_state(path)[1]
        if not {"kind", "settings", "seeds", "done", "begun", "gone"} <= facts.keys():
            raise StorageError(f"{path} is no journal of sitesampler: choose another folder or move it away")
    except StorageError:
        if strictly:
            raise
        if path.is_symlink() or path.stat().st_size:  # a power failure may leave an empty file of ours
            refuse_foreign(path, file=True)
        return None
    if facts["kind"] != kind:
        raise InputError(f"{folder} holds a {facts['kind']}, and this is a {kind}; choose another folder")
    return facts


def remove(folder: Path, names: Sequence[str]) -> None:
    """Remove pieces, and journals inside with theirs; what is not of a journal stays."""
    for name in names:
        path = folder / name
        if path.is_file():
            path.unlink()
        elif path.suffix == ".zarr":
            if is_ours(path):
                discard(path)
            discard_unsealed(path)
        elif path.is_dir():
            with lock_folder(path, "checkpoint folder"), suppress(StorageError, KeyError):
                facts = read_state(path / JOURNAL)[1]
                remove(path, [*facts["done"], *facts["begun"], *facts["gone"]])
                (path / JOURNAL).unlink()
            for emptied in (path, *list(path.parents)[: len(Path(name).parts) - 1]):
                with suppress(OSError):  # what somebody else put there stays
                    emptied.rmdir()


def discard_unsealed(store: Path) -> None:
    """Remove a store that a journal names, if it is one still, but has lost its manifest."""
    if not store.is_symlink() and (store / ".zgroup").is_file() and not is_ours(store):
        discard(store)
