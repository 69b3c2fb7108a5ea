"""Variables: labelled arrays of one replica, and where in a program's loops they were recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sitesampler.errors import ProgramError, program_line

Array = NDArray[Any]


@dataclass(frozen=True)
class Position:
    """Where in its loops a program records: dimension, index and coordinate, and the place in words, for messages."""

    dim: str
    index: int
    coordinate: float
    place: str = ""


#: What a variable is to the samples it was made of, which settles how chunks of a population and how replicas are put
#: together:
#:
#: - "average": of something over the samples; chunks are averaged with their weights.
#: - "moments": mean and second, third and fourth central moments along a last axis that ``dims`` does not name; chunks
#:   are pooled exactly.  Replicas become one excess kurtosis, which is not linear in what is averaged.
#: - "number": a function of order parameters that all chunks share, and so the same in all of them.
#: - "paths": single trajectories, which estimate nothing; those of the first chunk and replica stand for all.
Kind = Literal["average", "moments", "number", "paths"]


@dataclass(frozen=True)
class Variable:
    """A labelled array of one replica, or of one chunk of its population.

    Attributes
    ----------
    dims : tuple of str
        Dimensions in the result.
    values : array
        With one more axis, of length four, where the kind is "moments".
    coords : dict
        Coordinates of the dimensions that have them.
    floor : array
        Error below which tolerance and rounding say nothing, broadcastable to what the result shows.
    attrs : dict
    kind : "average", "moments", "number" or "paths"
        See `Kind`.
    """

    dims: tuple[str, ...]
    values: Array
    coords: dict[str, Array]
    floor: Array
    attrs: dict[str, Any] = field(default_factory=dict)
    kind: Kind = "average"


def check_order(name: str, positions: list[Position], position: Position) -> None:
    """Refuse to record the same name twice at one time, or backwards."""
    if positions and not position.coordinate > positions[-1].coordinate:
        raise ProgramError(
            f"{program_line()}: {name!r} was recorded at {position.dim} {positions[-1].coordinate} before; it can be "
            "recorded once at each, in their order"
        )


def padded(values: Array, shape: tuple[int, ...]) -> Array:
    """Fill an array up with NaN to a shape."""
    if values.shape == shape:
        return values
    full = np.full(shape, np.nan, values.dtype)
    full[tuple(slice(n) for n in values.shape)] = values
    return full
