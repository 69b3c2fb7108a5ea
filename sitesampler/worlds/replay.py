"""Replays: a program that is not legal is caught before it runs.

A site knows its own values and what the words of ``net`` answer, nothing else.  So a program that was rehearsed runs
again with some of its sites, in another order, while the words answer what they answered before; it must hand the same
to every word.  What hands something else is run a few times more, to find out of which kind it is.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, SiteSamplerError, program_line
from sitesampler.language.groups import Group
from sitesampler.language.script import Plan, Said, Script
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.physics.tensor import Tensor
from sitesampler.records.contents import Inspector
from sitesampler.vectors.draws import Draws, PlainDraws
from sitesampler.vectors.layout import Layout
from sitesampler.worlds.execute import Program, run_program
from sitesampler.worlds.finite import FiniteNetwork
from sitesampler.worlds.generators import GlobalGenerators
from sitesampler.worlds.rehearsal import LenientStage, SurrogateTensor, rehearse
from sitesampler.worlds.tape import FEW, OTHERS, Array, Tape, difference, parts_of

Places = NDArray[np.intp]

#: What a word is given may differ by this much, relative to its largest number: more than rounding and iterations
#: that stop at a precision of their own make, less than anything that a statistical error lets one see.
_SAME = 1e-9
#: A difference counts when it is this many times larger than what rounding of the answers in single precision makes.
_BEYOND_ROUNDING = 30
#: What rounding alone makes, before anything amplifies it.
_ROUNDING = 1e-12
#: The second replay has many sites, an even number where the first has an odd one, and the beginning of the program
#: only: it is there for ``h[:500]`` and ``len(h)``.
_MANY, _WORDS = 184 * OTHERS, 48
#: So many times a program must be seen to use a global generator.
_TIMES = 5
#: Answers that are drawn from a list, and may be compared with ``==``, are not shaken.
_DISCRETE = ("choice", "bernoulli", "values")

_AGAIN = (
    "when the program runs again: it draws random numbers of its own, or keeps something outside of itself from run to "
    "run; draw with the words of a group, such as group.normal(), and let each run begin anew"
)
_GLOBAL = (
    "by this line the program has used the global generator of NumPy or of Python, which everything that runs at the "
    "same time shares; draw with the words of a group, such as group.normal()"
)
_PLACE = (
    "depends on where in the array a site stands, or on random numbers of the program's own; draw with the words of a "
    "group, such as group.normal(), and deal given values to the sites with group.values(table)"
)
_ORDER = (
    "depends on the order of the sites, which have none: they cannot be sorted, shifted, added up one after the other, "
    "or picked out by an index; sites mix through net.mean(x), net.overlap(x, y) and couplings only"
)
_NUMBER = (
    "depends on the number of sites, which is no part of a model: net.mean(x) and net.overlap(x, y) have their 1/N, "
    "and the entries of a coupling their variance gain^2/N"
)
_MIXED = (
    "mixes the sites or counts them; a site knows its own values and what the words of net answer, so write "
    "net.mean(x) in place of x.mean(), net.overlap(x, y) for sums of products and norms, and group.ratio for a size "
    "over N"
)
_COURSE = (
    "the program goes on in another way with other sites; np.where(condition, a, b) decides for each site by itself, "
    "and what is decided for all of them can depend on net.mean(x)"
)


def replay(program: Program, parameters: dict[str, Any], plan: Plan, tape: Tape) -> None:
    """Run a rehearsed program again on some of its sites, and refuse it if it then hands something else to a word.

    Parameters
    ----------
    program : callable
    parameters : dict
    plan : Plan
    tape : Tape
        Of its rehearsal.

    Raises
    ------
    ProgramError
        If sites know of each other, of their number or place, or of anything outside the program that changes.
    """
    replays = _Replays(program, parameters, plan, tape)
    last = len(tape.given) - 1 if tape.full else None  # a full tape may lack the answer to its last word
    replays.check(np.arange(FEW), until=last)
    many = np.resize(np.arange(FEW, FEW + OTHERS), _MANY)
    replays.check(np.random.default_rng(0).permutation(many), until=_WORDS if last is None else min(last, _WORDS))


@dataclass
class _Heard:
    """What was heard in a replay.

    Attributes
    ----------
    words : int
        How many words were said.
    odd : dict
        What those words were given that were not given the same as before, to the last bit.
    line : str
        Where the last word stands, if the replay was to end there or took another course.
    error : str
        What went wrong, or nothing.
    """

    words: int = 0
    odd: dict[int, list[Array]] = field(default_factory=dict)
    line: str = ""
    error: str = ""


class _Enough(BaseException):
    """Ends a replay; no error, so that no program takes it for one."""


class _ReplayStage(LenientStage):
    """A stage where words answer from the tape."""

    def __init__(
        self, script: Script, tape: Tape, places: Places, until: int | None, shaken: np.random.Generator | None
    ) -> None:
        super().__init__(script, LiveOrderParameters(1e-3))
        self._tape, self._places, self._until, self._shaken = tape, places, until, shaken
        self.heard = _Heard()

    def say(self, word: str, *groups: str, detail: tuple[Any, ...] = (), columns: int = 0, given: Any = ()) -> None:
        """Compare the word, and what it is given, with the tape."""
        heard = self.heard
        try:
            super().say(word, *groups, detail=detail, columns=columns)
        except ProgramError as error:
            heard.error, heard.line = str(error), program_line()  # here, since a program may catch errors
            raise
        if given:
            arrays = [array for _, array in parts_of(given)]
            if heard.words == self._until or not self._tape.is_same(heard.words, arrays, self._places):
                heard.odd[heard.words] = [array.copy() for array in arrays]
        if heard.words == self._until:
            heard.line = program_line()
            raise _Enough
        heard.words += 1

    def ask(self, answer: Any) -> Any:
        """Return what the word answered in the rehearsal."""
        word = self.heard.words - 1
        shaken = None if self.plan.events[word].word in _DISCRETE else self._shaken
        return self._tape.answer(word, self._places, shaken)


class _ReplayedNetwork(FiniteNetwork):
    """A network of a few sites that draws and multiplies nothing."""

    def __init__(self, stage: _ReplayStage, sites: int, ratios: list[float]) -> None:
        super().__init__(stage, Inspector(Plan()), np.random.SeedSequence(0), Layout(sites), matrix=False)
        self._ratios = iter(ratios)

    def _needs_twins(self, plan: Plan) -> bool:
        return False

    def _draws(self, ratio: float) -> tuple[Draws, float]:
        return PlainDraws(self._layout, self._stream()), next(self._ratios)

    def _tensor(self, group: Group, p: int) -> Tensor:
        return SurrogateTensor(group.draws, p)


class _Replays:
    """Replays of one program, and what follows from them."""

    def __init__(self, program: Program, parameters: dict[str, Any], plan: Plan, tape: Tape) -> None:
        self._program, self._parameters, self._plan, self._tape = program, parameters, plan, tape

    def hear(self, places: Places, until: int | None = None, shaken: bool = False) -> _Heard:
        """Run the program on some of the kept sites, up to a word."""
        generator = np.random.default_rng(0) if shaken else None
        stage = _ReplayStage(Script(self._plan), self._tape, places, until, generator)
        net = _ReplayedNetwork(stage, len(places), self._tape.ratios)
        try:
            run_program(self._program, net, stage.script, dict(self._parameters))
        except _Enough:
            pass
        except SiteSamplerError as error:
            stage.heard.error = stage.heard.error or str(error)
        return stage.heard

    def check(self, places: Places, until: int | None = None) -> None:
        """Refuse the program if it hands something else to a word than in its rehearsal."""
        with GlobalGenerators() as generators:
            heard = self.hear(places, until)
        suspects = [word for word in heard.odd if self._difference(heard, word, places) > _SAME]
        if suspects or heard.error:
            first = suspects[0] if suspects else heard.words
            if self._changes():
                kind = f"is another {_AGAIN}" if suspects else _AGAIN
                raise ProgramError(self._sentence(first, places, heard, kind))
            self._check_rounding(suspects, heard, places, until)
        elif generators.moved:
            self._check_generators(heard.words, places)

    def _changes(self) -> bool:
        """Say whether another rehearsal goes otherwise, all at once: what rounding makes would grow to it."""
        tape = Tape()
        try:
            rehearse(self._program, dict(self._parameters), tape=tape)
        except SiteSamplerError:
            return True
        largest = 0.0
        for word in range(max(len(self._tape.given), len(tape.given))):
            apart = _apart(self._tape.kept(word), tape.kept(word))
            if apart > _SAME:
                return largest < _ROUNDING
            largest = max(largest, apart)
        return False

    def _check_rounding(self, suspects: list[int], heard: _Heard, places: Places, until: int | None) -> None:
        """Refuse what depends on the other sites, or differs by more than rounding may.

        The rounding of a product with inner columns depends on the place and the number of the sites, and may be one of
        single precision, but it does not depend on what the other sites are.
        """
        swapped, odd = places.copy(), places[1::2]
        swapped[1::2] = np.resize(self._away(places), len(odd))
        shaken, swapped_heard = self.hear(places, until, shaken=True), self.hear(swapped, until)
        for word in suspects:
            here = heard.odd[word]
            noise = _apart(self._given(shaken, word, places), here)
            leak = _apart(_every_other(self._given(swapped_heard, word, swapped), places), _every_other(here, places))
            if leak > _SAME or self._difference(heard, word, places) > _SAME + _BEYOND_ROUNDING * noise:
                raise ProgramError(self._sentence(word, places, heard, self._kind(word, places, heard)))
        if heard.error and shaken.words == heard.words and shaken.error:
            if heard.line:
                raise ProgramError(f"{heard.line}: {_COURSE}")
            raise ProgramError(
                f"{heard.error}, when the program runs with {len(places)} of its sites in another order; neither "
                "number nor order of the sites is part of a model"
            )

    def _check_generators(self, words: int, places: Places) -> None:
        """Refuse a program that moves a global generator, even where it seeds it first."""

        def moved(word: int) -> bool:
            with GlobalGenerators() as generators:
                self.hear(places, until=word)
            return generators.moved

        word = bisect_left(range(words), True, key=moved)
        # Something else in this process may have moved it, but not time and again before the same word only.
        if word < words and all(moved(word) and not (word and moved(word - 1)) for _ in range(_TIMES)):
            raise ProgramError(f"{self.hear(places, until=word).line}: {_GLOBAL}")

    # ------------------------------------------------------------------------------------------------- of which kind
    def _kind(self, word: int, places: Places, heard: _Heard) -> str:
        """Return what is wrong with what a word is given, from what it is given with other sites."""
        part = self._part(word, places, heard)
        here = heard.odd[word][part]
        over_sites = here.ndim > 0 and len(here) == len(places)

        def given(others: Places) -> Array | None:
            found = self.hear(others, until=word).odd.get(word)
            return None if found is None or len(found) <= part else found[part]

        copies = given(np.full(_MANY, places[0]))
        if over_sites and copies is not None and copies.ndim and _spread(copies) > _SAME:
            return _PLACE
        order = np.random.default_rng(1).permutation(len(places))
        other = given(places[order])
        if other is not None and difference(other, here[order] if over_sites else here) > _SAME:
            return _ORDER
        others = given(np.concatenate([places[:1], np.resize(self._away(places), len(places) - 1)]))
        number = given(np.unique(places) if len(places) > FEW else np.tile(places, _MANY // FEW))
        first = slice(1) if over_sites else ...
        same, resized = (None if x is None else difference(x[first], here[first]) for x in (others, number))
        return _NUMBER if same is not None and same <= _SAME and resized != 0 else _MIXED

    @staticmethod
    def _away(places: Places) -> Places:
        """Return the kept sites that are not among some."""
        return np.setdiff1d(np.arange(FEW + OTHERS), places)

    def _part(self, word: int, places: Places, heard: _Heard) -> int:
        """Return the number of the part that differs most of what a word is given."""
        return int(np.argmax(self._tape.differences(word, heard.odd[word], places)))

    def _sentence(self, word: int, places: Places, heard: _Heard, kind: str) -> str:
        line = self.hear(places, until=word).line or heard.line or "in the program"
        if word not in heard.odd:
            return f"{heard.error}, {kind}"
        part = self._part(word, places, heard)
        kept = self._tape.given[word]
        return f"{line}: {_what(self._plan.events[word], kept[part].label if part < len(kept) else '')} {kind}"

    # ------------------------------------------------------------------------------------------------ what was given
    def _difference(self, heard: _Heard, word: int, places: Places) -> float:
        return max(self._tape.differences(word, heard.odd[word], places), default=0.0)

    def _given(self, heard: _Heard, word: int, places: Places) -> list[Array] | None:
        if word >= heard.words and word not in heard.odd:
            return None
        return heard.odd.get(word, self._tape.before(word, places))


def _spread(copies: Array) -> float:
    """Return how far what copies of one site have is apart."""
    return difference(copies, np.broadcast_to(copies[:1], copies.shape))


def _every_other(given: list[Array] | None, places: Places) -> list[Array] | None:
    """Return what a word is given at every other place, and numbers."""
    if given is None:
        return None
    return [array[::2] if array.shape[:1] == places.shape else array for array in given]


def _apart(left: list[Array] | None, right: list[Array] | None) -> float:
    """Return how far two lists of arrays are apart; infinitely, if only one is there."""
    if left is None or right is None:
        return 0.0 if left is right else float("inf")
    if len(left) != len(right):
        return float("inf")
    return max((difference(a, b) for a, b in zip(left, right, strict=True)), default=0.0)


def _what(event: Said, label: str) -> str:
    """Return what a word is given, in words."""
    if event.word == "record":
        return f"the record {label!r}"
    owners = {"J @": "J", "J.T @": "J.T", "force": "K.force"}
    if event.word in owners:
        return f"what {owners[event.word]} is given"
    draws = ("normal", "uniform", "bernoulli", "choice", "values")
    of = "group" if event.word in draws else "J" if event.word.startswith(("add", "scale", "outlier")) else "net"
    return f"what {of}.{event.word} is given"
