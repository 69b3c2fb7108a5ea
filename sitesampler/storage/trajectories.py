"""Trajectories of a whole population, streamed chunk by chunk into one Zarr store by independent workers.

A store is made empty (`TrajectoryStore.create`), gets its sites from any process in any order (`write`), and its
coordinates and its name from the driver when all are there (`finish`); the driver never holds a trajectory.  What the
trajectories mean is the business of who writes them.
"""

from __future__ import annotations

import itertools
import math
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler.errors import DiskFull, StorageError
from sitesampler.storage.declared import COMPRESSOR
from sitesampler.storage.manifest import Entries, files_of, fingerprints
from sitesampler.storage.stores import begun, complete, discard, opened, recover
from sitesampler.storage.writing import GIB, full_disk_named, release

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

#: Largest piece of a store, uncompressed, in bytes: what one read brings into memory.
_LARGEST = 16 << 20

#: Zarr takes this setting from its global configuration when an array is opened.
_OPENING = threading.Lock()


@dataclass(frozen=True)
class Trajectory:
    """What a store holds of one vector: its name, its dimensions, and which of them are the sites.

    Attributes
    ----------
    name, dims, shape, dtype, attrs
        As in the dataset.  The attributes should say ``long_name`` and ``units``.
    site
        The dimension along which workers divide the writing.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attrs: dict[str, Any]
    site: str = "site"

    @property
    def axis(self) -> int:
        """Position of the sites among the dimensions."""
        return self.dims.index(self.site)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.shape[self.axis]

    @property
    def nbytes(self) -> int:
        """Size of the values, uncompressed."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def pieces(self, chunk: int) -> tuple[int, ...]:
        """Return the shape of a piece of the store: a chunk of sites, the other dimensions halved until it is small."""
        shape = list(self.shape)
        shape[self.axis] = min(chunk, self.sites)
        others = [axis for axis in range(len(shape)) if axis != self.axis]
        while math.prod(shape) * np.dtype(self.dtype).itemsize > _LARGEST and any(shape[axis] > 1 for axis in others):
            longest = max(others, key=lambda axis: shape[axis])
            shape[longest] = math.ceil(shape[longest] / 2)
        return tuple(shape)


@dataclass(frozen=True)
class TrajectoryStore:
    """A store that is being filled; small and picklable, so that every worker gets one.

    Attributes
    ----------
    path
        The name it will have.
    writing
        The name it has until then.
    trajectories
        What it holds.
    chunk
        Number of sites that are written at once.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> h = Trajectory("h", ("site", "time"), (4, 3), "float64", {"long_name": "input", "units": "1"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = TrajectoryStore.create(Path(folder) / "trajectories.zarr", [h], chunk=2)
    ...     entries = {}
    ...     for start in 2, 0:
    ...         entries |= store.write("h", np.full((2, 3), start), start)
    ...     dataset = store.finish({"time": ("time", [0.0, 0.1, 0.2], {"units": "1"})}, {}, entries)
    ...     print(dataset.h.isel(time=0).values)
    [0. 0. 2. 2.]
    """

    path: Path
    writing: Path
    trajectories: tuple[Trajectory, ...]
    chunk: int

    @classmethod
    def create(cls, path: Path, trajectories: Sequence[Trajectory], chunk: int) -> TrajectoryStore:
        """Make an empty store, if everything will fit on the disk.

        Raises
        ------
        DiskFull
            If it would not fit, even before compression; nothing was written then.
        """
        import zarr
        from zarr.storage import LocalStore

        _refuse_too_large(path, trajectories)
        path.parent.mkdir(parents=True, exist_ok=True)
        recover(path.parent, path.name)
        store = cls(path, begun(path), tuple(trajectories), chunk)
        with full_disk_named(path):
            group = zarr.create_group(LocalStore(store.writing), zarr_format=2)
            for each in trajectories:
                group.create_array(
                    each.name,
                    shape=each.shape,
                    dtype=each.dtype,
                    chunks=each.pieces(chunk),
                    compressors=COMPRESSOR,
                    fill_value=np.nan if np.dtype(each.dtype).kind in "fc" else None,
                    attributes={"_ARRAY_DIMENSIONS": list(each.dims), **each.attrs},
                )
        return store

    def write(self, name: str, values: NDArray[Any], start: int) -> dict[str, tuple[int, str]]:
        """Write one chunk of sites; may be called by any process, in any order, and again for the same sites.

        Parameters
        ----------
        name
            Name of the trajectory.
        values
            Its values at ``chunk`` sites (the last chunk may be shorter), all dimensions in order.
        start
            The first of these sites, a multiple of ``chunk``.

        Returns
        -------
        dict
            Size and SHA-256 of the files that were written, for `finish`.
        """
        import zarr
        from zarr.storage import LocalStore

        each = self._named(name)
        expected = list(each.shape)
        expected[each.axis] = min(self.chunk, each.sites - start)
        if start % self.chunk or not 0 <= start < each.sites or values.shape != tuple(expected):
            raise ValueError(
                f"values of {name} from site {start} of {each.sites} must have the shape {tuple(expected)} and begin "
                f"at a multiple of {self.chunk}; they have the shape {values.shape}"
            )
        with full_disk_named(self.path):
            # Without this, pieces that are all NaN would not be written, and could not be told from missing ones.
            with _OPENING, zarr.config.set({"array.write_empty_chunks": True}):
                array = zarr.open_array(LocalStore(self.writing), path=name, mode="r+", zarr_format=2)
            region = (slice(None),) * each.axis + (slice(start, start + expected[each.axis]),)
            array[region] = values
        if not (self.writing / ".zgroup").exists():  # abandoned meanwhile: nobody comes to clear this away
            discard(self.writing)
            raise StorageError(f"{self.path} was abandoned while it was written")
        return fingerprints(self.writing, self._files(each, start))

    def finish(
        self,
        coords: Mapping[str, tuple[str | tuple[str, ...], ArrayLike, Mapping[str, Any]]],
        attrs: Mapping[str, Any],
        entries: Entries,
    ) -> xr.Dataset:
        """Complete the store and give it its name; an older one of that name is replaced.

        Parameters
        ----------
        coords
            Dimensions, values and attributes of the coordinates.
        attrs
            Attributes of the dataset.
        entries
            Everything that `write` returned.

        Returns
        -------
        xarray.Dataset
            As from `open_result`.

        Raises
        ------
        StorageError
            If sites are missing.
        DiskFull
            If the coordinates do not fit on the disk.
        """
        import xarray as xr

        there = files_of(self.writing)
        known = entries.keys() & set(there)
        for each in self.trajectories:
            starts = range(0, each.sites, self.chunk)
            missing = [start for start in starts if not known.issuperset(self._files(each, start))]
            if missing:
                sites = sum(min(self.chunk, each.sites - start) for start in missing)
                raise StorageError(
                    f"{self.path} is not complete: {sites:,} of {each.sites:,} sites of {each.name} are missing, the "
                    f"first of them site {missing[0]}"
                )
        for name in there:
            if name not in known and not name.endswith((".zgroup", ".zarray", ".zattrs")):
                (self.writing / name).unlink()  # half a piece, of a worker that was killed
        frame = xr.Dataset(coords=dict(coords), attrs={"Conventions": "CF-1.11", **attrs})
        whole = complete(self.writing, self.path, frame, {name: entries[name] for name in known})
        release(self.writing)
        return opened(self.path, whole)

    def abandon(self) -> None:
        """Remove what was written."""
        discard(self.writing)
        release(self.writing)

    def _named(self, name: str) -> Trajectory:
        return next(each for each in self.trajectories if each.name == name)

    def _files(self, each: Trajectory, start: int) -> Iterator[str]:
        """Yield the names of the files that hold one chunk of sites."""
        counts = [math.ceil(n / piece) for n, piece in zip(each.shape, each.pieces(self.chunk), strict=True)]
        places = [range(count) for count in counts]
        places[each.axis] = range(start // self.chunk, start // self.chunk + 1)
        for place in itertools.product(*places):
            yield f"{each.name}/{'.'.join(map(str, place))}"


def _refuse_too_large(path: Path, trajectories: Sequence[Trajectory]) -> None:
    needed = sum(each.nbytes for each in trajectories)
    there = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        sites = max(each.sites for each in trajectories)
        raise DiskFull(
            f"the trajectories of {sites:,} sites need up to {needed / GIB:.2f} GiB and {there} has {free / GIB:.2f} "
            f"GiB free: keep at most {sites * free // needed:,} sites, or choose another folder"
        )
