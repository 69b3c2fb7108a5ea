"""The generators of random numbers that a process has one of: NumPy's global one, and that of Python's ``random``."""

from __future__ import annotations

import pickle
import random
import threading

import numpy as np

#: Blocks that watch the same generators, in several threads of a sweep, would see each other.
_ONE_AT_A_TIME = threading.RLock()


class GlobalGenerators:
    """Sees whether a block of code uses the global generators, and leaves them as they were if it does not.

    Each is moved by one number first: what seeds a generator and then draws might else leave it just as it was, the
    last time it did so having been before.

    Attributes
    ----------
    moved : bool
        Whether one of them was used in the block.

    Examples
    --------
    >>> with GlobalGenerators() as generators:
    ...     number = random.random()
    >>> generators.moved
    True
    """

    moved = False

    def __enter__(self) -> GlobalGenerators:
        _ONE_AT_A_TIME.acquire()
        self._numpy, self._python = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
        np.random.random()  # noqa: NPY002
        random.random()
        self._before = _states()
        return self

    def __exit__(self, *error: object) -> None:
        self.moved = _states() != self._before
        if not self.moved:
            np.random.set_state(self._numpy)  # noqa: NPY002
            random.setstate(self._python)
        _ONE_AT_A_TIME.release()


def _states() -> bytes:
    return pickle.dumps((np.random.get_state(legacy=False), random.getstate()))  # noqa: NPY002
