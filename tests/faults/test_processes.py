"""Faults of processes and disks: killed, starved, doubled and forked runs end with the same bits or a refusal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sitesampler

PROGRAM = Path(__file__).parent.parent / "faulty.py"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


def counts_of(what: str, count: int, folder: Path) -> dict[str, int]:
    """Return what happened, after seeing that nothing went wrong and nothing is left half written."""
    root = str(Path(sitesampler.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), what, str(count), "7", str(folder)],
        env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True, timeout=3000,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    print(what, counts)
    assert not [name for name in counts if name.startswith("wrong")], counts
    assert counts.pop("left half written", 0) == 0
    return counts


@pytest.mark.parametrize("count", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_run_that_is_resumed_has_the_same_bits(tmp_path: Path, count: int) -> None:
    counts = counts_of("kills", count, tmp_path)
    assert counts["same bits"] == 4 * count
    assert counts["killed"] >= 2 * count, "half of them came in time, or more"


@pytest.mark.parametrize("count", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_full_disk_refuses_or_leaves_something_whole(tmp_path: Path, count: int) -> None:
    counts = counts_of("disks", count, tmp_path)
    assert counts["same bits"] == 4 * count and counts["refused"] > 0


@pytest.mark.parametrize("count", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_of_two_drivers_in_one_folder_the_second_is_refused(tmp_path: Path, count: int) -> None:
    counts = counts_of("drivers", count, tmp_path)
    assert sum(counts.values()) == 2 * count and counts["done"] >= count


def test_a_call_in_a_fork_has_the_same_bits(tmp_path: Path) -> None:
    assert counts_of("forks", 3, tmp_path) == {"same bits": 3}
