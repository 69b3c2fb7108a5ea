"""The tape of a rehearsal: what each word was given and what it answered, for a few sites of each group.

A replay lets the words answer from it, and compares what they are given.  20,000 steps of a random network take 45 MB;
a tape that is full keeps the beginning of a program only.  It is let go when the replay is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitesampler.vectors.arrays import on_host

Array = NDArray[Any]

#: Bytes after which a tape is full, and those that a number or an array takes beside its values.
_FULL, _OVERHEAD = 256e6, 300
#: Sites of each group that are kept, in two handfuls; their numbers are odd, so that signs cannot cancel in them.
FEW, OTHERS = 13, 11


class Part(NamedTuple):
    """A number or an array that a word was given: its name, if it has one, its shape, and its values at kept sites."""

    label: str
    shape: tuple[int, ...]
    values: Array
    over_sites: bool


class SiteAnswer(NamedTuple):
    """A site vector that a word answered, as rows over the kept sites."""

    rows: Array
    columns: bool


class Tape:
    """What the words of a program were given and answered.

    Attributes
    ----------
    given : list of lists of Part
        By the number of the word, as the events of a plan are.
    answers : list
        `SiteAnswer` for site vectors, else the answer itself.
    ratios : list of float
        Sizes of the groups over N.
    """

    def __init__(self) -> None:
        self.given: list[list[Part]] = []
        self.answers: list[Any] = []
        self.ratios: list[float] = []
        self._sites: dict[int, NDArray[np.intp] | None] = {}
        self._generator = np.random.default_rng(0)
        self._bytes = 0.0

    @property
    def full(self) -> bool:
        """Whether nothing is kept any more."""
        return self._bytes > _FULL

    # ------------------------------------------------------------------------------------------------------- recording
    def meet(self, sites: int, ratio: float) -> None:
        """Take note of a new group, which is told by its number of sites."""
        self._sites[sites] = None
        self.ratios.append(ratio)

    def hear(self, given: Any) -> None:
        """Keep what the next word is given: a copy, since a program may go on to change it in place."""
        if self.full:
            return
        parts = []
        for label, array in parts_of(given):
            sites = self._chosen(array)
            parts.append(Part(label, array.shape, array.copy() if sites is None else array[sites], sites is not None))
            self._bytes += parts[-1].values.nbytes + _OVERHEAD
        self.given.append(parts)
        self.answers.append(None)

    def keep(self, answer: Any, over_sites: bool) -> None:
        """Keep what the newest word answers."""
        if self.full:
            return
        if over_sites and isinstance(answer, np.ndarray):
            rows = np.atleast_2d(on_host(answer).T)[:, self._chosen(on_host(answer))]
            self.answers[-1] = SiteAnswer(rows, answer.ndim > 1)
            self._bytes += rows.nbytes + _OVERHEAD
        else:
            self.answers[-1] = deepcopy(answer)

    def _chosen(self, array: Array) -> NDArray[np.intp] | None:
        """Return the sites that are kept of an array, if it is over the sites of a group.

        One handful has the lower half of the first vector of the group, and the other the upper half: no mean, median,
        extreme or sign of a sum of that vector is the same in both as it is in the whole.
        """
        if array.ndim == 0 or len(array) not in self._sites:
            return None
        sites = self._sites[len(array)]
        if sites is None:
            order = np.argsort(array.reshape(len(array), -1)[:, 0], kind="stable")
            halves = order[: len(order) // 2], order[len(order) // 2 :]
            chosen = [self._generator.permutation(half)[:n] for half, n in zip(halves, (FEW, OTHERS), strict=True)]
            sites = self._sites[len(array)] = np.concatenate(chosen)
        return sites

    # ------------------------------------------------------------------------------------------------------- replaying
    def answer(self, word: int, places: NDArray[np.intp], shaken: np.random.Generator | None = None) -> Any:
        """Return a copy of what a word answered, at some of the kept sites in any order.

        Parameters
        ----------
        word : int
        places : array of int
            Numbers of kept sites; they may repeat.
        shaken : numpy.random.Generator, optional
            Change site vectors as rounding in single precision might.
        """
        kept = self.answers[word]
        if not isinstance(kept, SiteAnswer):
            return deepcopy(kept)
        rows = kept.rows[:, places]
        if shaken is not None:
            rows *= 1 + float(np.finfo(np.float32).eps) * shaken.integers(-2, 3, rows.shape)
        return rows.T if kept.columns else rows[0]  # in memory as every world has them

    def is_same(self, word: int, given: Sequence[Array], places: NDArray[np.intp]) -> bool:
        """Say whether a word is given the same as before, bit by bit."""
        kept = self.given[word]
        if len(given) != len(kept):
            return False
        for part, array in zip(kept, given, strict=True):
            now, then = self._faced(part, array, places)
            if now.shape != then.shape or now.tobytes() != then.tobytes():
                return False
        return True

    def before(self, word: int, places: NDArray[np.intp]) -> list[Array] | None:
        """Return what a word was given in the rehearsal, if the rehearsal came to it."""
        if word >= len(self.given):
            return None
        return [part.values[places] if part.over_sites else part.values for part in self.given[word]]

    def kept(self, word: int) -> list[Array] | None:
        """Return all that is kept of a word, answers over sites included, if the rehearsal came to it."""
        if word >= len(self.given):
            return None
        answer = self.answers[word]
        return [*(part.values for part in self.given[word]), *([answer.rows] if isinstance(answer, SiteAnswer) else [])]

    def differences(self, word: int, given: Sequence[Array], places: NDArray[np.intp]) -> list[float]:
        """Return how far each part that a word is given is from what it was; see `difference`."""
        kept = self.given[word]
        if len(given) != len(kept):
            return [np.inf]
        return [difference(*self._faced(part, array, places)) for part, array in zip(kept, given, strict=True)]

    def _faced(self, part: Part, array: Array, places: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return an array beside what should be equal to it."""
        if not part.over_sites:
            return array, part.values
        if array.shape == part.shape and len(array) != len(places):
            # Numbers that are by chance as many as the group had sites: an array over inner columns, say.
            return array[self._sites[len(array)]], part.values
        return array, part.values[places]


def parts_of(given: Any) -> Iterator[tuple[str, Array]]:
    """Yield the numbers and arrays in what a word is given, each with its name, or an empty one."""
    for label, value in given.items() if isinstance(given, dict) else (("", value) for value in given):
        try:
            leaves = list(_leaves(value))
        except Exception:  # what cannot be an array, which the word itself refuses
            continue
        for array in leaves:
            yield label, array


def _leaves(value: Any) -> Iterator[Array]:
    if isinstance(value, (list, tuple)) and any(np.ndim(item) > 0 for item in value):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, str):
        array = on_host(value)
        if array.dtype.kind in "fiubc":
            yield array


def difference(left: Array, right: Array) -> float:
    """Return the largest difference of two arrays over the largest of their numbers; infinite for other shapes.

    Examples
    --------
    >>> difference(np.array([1.0, np.nan]), np.array([1.0, np.nan])), difference(np.array([4.0, 2]), np.array([4.0, 1]))
    (0.0, 0.25)
    """
    if left.shape != right.shape:
        return float("inf")
    kind = complex if "c" in (left.dtype.kind, right.dtype.kind) else float
    left, right = left.astype(kind), right.astype(kind)
    with np.errstate(all="ignore"):
        apart = ~((left == right) | (np.isnan(left) & np.isnan(right)))
        if not apart.any():
            return 0.0
        sizes = np.abs(np.stack([left, right]))
        size = np.max(sizes, where=np.isfinite(sizes), initial=0.0)
        largest = np.max(np.abs(left[apart] - right[apart]))
    return float(largest / size) if np.isfinite(largest) and size > 0 else float("inf")
