"""Pieces: those that are kept are taken, the others are computed and kept as they come, in any order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.runs.calls import call_inside
from sitesampler.runs.pieces import Piece, States, run_pieces
from sitesampler.storage.journal import Journal, open_journal
from sitesampler.storage.purpose import Inside, Purpose

PIECES = [Piece(name, (number,)) for number, name in enumerate(("a", "b", "c"))]
SHELF = States(lambda value: ({"value": np.array(value)}, {}), lambda arrays, _: float(arrays["value"]))
RNN: dict[str, Any] = {"population": 100, "replicas": 3, "seed": 1, "dt": 0.2, "duration": 1.0}


def backwards(left: Sequence[Piece], done: Callable[[int, Any], None]) -> None:
    for index, piece in reversed(list(enumerate(left))):
        done(index, float(piece.stream(3).generate_state(1)[0]))


def opened(folder: Path, resume: bool, note: Any = print) -> Any:
    return open_journal(
        None if folder is None else Inside(folder, resume, note), Purpose("test", {}, {}, "{folder}{difference}")
    )


def test_results_come_in_the_order_of_the_pieces_whatever_the_order_of_completion(tmp_path: Path) -> None:
    plain = run_pieces(PIECES, Journal({}), SHELF, backwards)
    with opened(tmp_path, False) as journal:
        assert run_pieces(PIECES, journal, SHELF, backwards) == plain
    with opened(tmp_path, True) as journal:
        assert run_pieces(PIECES, journal, SHELF, lambda left, _: left and pytest.fail("computed again")) == plain


def test_what_was_kept_before_a_failure_is_not_computed_again(tmp_path: Path) -> None:
    def failing(left: Sequence[Piece], done: Callable[[int, Any], None]) -> None:
        done(1, 7.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened(tmp_path, False) as journal:
        run_pieces(PIECES, journal, SHELF, failing)
    seen: list[str] = []

    def rest(left: Sequence[Piece], done: Callable[[int, Any], None]) -> None:
        seen.extend(piece.name for piece in left)
        backwards(left, done)

    with opened(tmp_path, True) as journal:
        assert run_pieces(PIECES, journal, SHELF, rest)[1] == 7.0
    assert seen == ["a", "c"]


def test_a_damaged_piece_is_said_to_be_and_computed_again(tmp_path: Path) -> None:
    with opened(tmp_path, False) as journal:
        plain = run_pieces(PIECES, journal, SHELF, backwards)
    (tmp_path / "b.npz").write_bytes(b"")
    told: list[str] = []
    with opened(tmp_path, True, told.append) as journal:
        assert run_pieces(PIECES, journal, SHELF, backwards) == plain
    assert len(told) == 1 and told[0].startswith("b is computed again: ") and "b.npz" in told[0]


@pytest.mark.parametrize("call", [ss.sample, ss.simulate])
def test_replicas_inside_of_a_larger_run_are_kept_one_by_one(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {name: value for name, value in RNN.items() if call is ss.sample or name != "population"}
    options |= {"size": 50} if call is ss.simulate else {}
    inside = Inside(tmp_path, True, lambda sentence: pytest.fail(sentence))
    first = call_inside(call, ss.models.random_rnn, options, inside)
    kept = {path.name for path in tmp_path.glob("replica-*")}
    assert kept >= {"replica-000.npz", "replica-001.npz", "replica-002.npz"}
    # A march comes with smaller runs, in which its bias is seen.
    assert ("replica-000-smaller-0.npz" in kept) == (call is ss.sample)
    monkeypatch.setattr("sitesampler.runs.march.run_replica", lambda *_, **__: pytest.fail("computed again"))
    assert call_inside(call, ss.models.random_rnn, options, inside).identical(first)
    monkeypatch.undo()
    assert call(ss.models.random_rnn, **options).identical(first)


def test_a_piece_has_random_numbers_of_its_own() -> None:
    assert len({tuple(piece.stream(0).generate_state(4)) for piece in PIECES}) == len(PIECES)
