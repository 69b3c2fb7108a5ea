"""Single files: a checkpoint that exists is complete, whatever happened while it was written."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from files import names

from sitesampler.errors import StorageError
from sitesampler.storage.folders import LOCK, lock_folder
from sitesampler.storage.sealed import read_state, write_state


def test_a_state_comes_back_bit_for_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    arrays = {
        "C/h h": rng.normal(size=(3, 4)),
        "file": np.array([np.nan, -0.0, np.inf, 5e-324, np.uint64(0x7FF8000000000123).view(float)]),
        "complex": np.array([1 + 2j, complex(np.nan, -0.0)]),
        "empty": np.empty((0, 3)),
        "scalar": np.array(2.5, dtype=np.float32),
        "facts.json": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "flags": np.array([True, False]),
    }
    facts = {"iteration": 3, "residual": 0.1 + 0.2, "seed": 2**70, "names": ["h", "φ"], "none": None}
    write_state(tmp_path / "state.npz", arrays, facts)
    found, said = read_state(tmp_path / "state.npz")
    assert said == facts
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
    first = (tmp_path / "state.npz").read_bytes()
    write_state(tmp_path / "state.npz", arrays, facts)
    assert (tmp_path / "state.npz").read_bytes() == first, "the same state is the same file"
    assert names(tmp_path) == ["state.npz"]


def test_a_state_with_any_byte_flipped_or_cut_off_is_refused_or_the_same(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    array = np.linspace(0, 1, 20)
    write_state(path, {"x": array}, {"iteration": 3})
    data = path.read_bytes()
    refused = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        try:
            arrays, facts = read_state(path)
        except StorageError:
            refused += 1
        else:  # in the version that the seal names
            assert (arrays["x"].tobytes(), facts) == (array.tobytes(), {"iteration": 3})
        path.write_bytes(data[:place])
        with pytest.raises(StorageError):
            read_state(path)
    assert refused > 0.98 * len(data)


def test_a_missing_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no checkpoint .*state\.npz"):
        read_state(tmp_path / "state.npz")


def test_what_is_no_array_of_numbers_is_not_written(tmp_path: Path) -> None:
    write_state(tmp_path / "state.npz", {}, {"iteration": 1})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_state(tmp_path / "state.npz", {"x": np.array([None])}, {"iteration": 2})
    assert read_state(tmp_path / "state.npz") == ({}, {"iteration": 1})
    assert names(tmp_path) == ["state.npz"]


def test_a_kill_at_any_moment_leaves_a_complete_state(tmp_path: Path) -> None:
    code = """
import itertools, sys
from pathlib import Path
import numpy as np
from sitesampler.storage.folders import lock_folder
from sitesampler.storage.sealed import write_state
with lock_folder(Path(sys.argv[1])) as folder:
    for i in itertools.count():
        write_state(folder / "state.npz", {"x": np.full(200_000, float(i))}, {"iteration": i})
        print(i, flush=True)
"""
    for moment in range(4):
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            for _ in range(2 + moment):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait()
        arrays, facts = read_state(tmp_path / "state.npz")
        assert facts["iteration"] >= last
        np.testing.assert_array_equal(arrays["x"], facts["iteration"])
    with lock_folder(tmp_path):  # not held by the killed ones
        assert names(tmp_path) == [LOCK, "state.npz"]
    assert names(tmp_path) == ["state.npz"]
