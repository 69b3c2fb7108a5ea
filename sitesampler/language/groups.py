"""Groups of sites: what a program draws from, and what its vectors live on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.errors import ProgramError, program_line
from sitesampler.language.checks import array_given, array_of_numbers, check_columns, check_number
from sitesampler.language.no_array import NoArray
from sitesampler.language.stage import Stage
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Rows
from sitesampler.vectors.draws import Draws
from sitesampler.vectors.layout import Layout


class Group(NoArray):
    """Sites of one kind: neurons, features, data points.

    Made by ``net.sites``; the program draws one random number per site from it.  A site vector is a NumPy array whose
    first axis runs over the sites; further columns are inner ones, one per input for example.

    Parameters
    ----------
    stage : Stage
        Where the program is.
    name : str
        Dimension of its trajectories in the result.
    ratio : float
        Its size over N.
    draws : Draws
        Its random vectors.
    """

    def __init__(self, stage: Stage, name: str, ratio: float, draws: Draws) -> None:
        self._stage, self.name, self.ratio, self.draws = stage, name, ratio, draws

    def _instead(self, symbol: str, others: tuple[Any, ...]) -> str:
        return f"the group {self.name!r} is no vector; draw one from it, as group.normal() does"

    @property
    def size(self) -> int:
        """Number of sites, or of the samples that stand for them."""
        return self.draws.size

    @property
    def layout(self) -> Layout:
        """How the site vectors of the group lie in memory."""
        return self.draws.layout

    def normal(self, k: int | None = None, *, covariance: ArrayLike | None = None) -> NDArray[np.floating]:
        """Draw standard normal numbers, (sites,) or (sites, k).

        Parameters
        ----------
        k : int, optional
            Number of inner columns.
        covariance : (k, k) array, optional
            Covariance of the inner columns, symmetric and positive semidefinite.

        Raises
        ------
        ProgramError
            If ``covariance`` is not a covariance matrix.
        """
        check_columns(k)
        if covariance is None:
            self._stage.say("normal", self.name, detail=(k,), columns=k or 1)
            return self._stage.ask(lambda: self._columns(self.draws.normal(k or 1), k))
        matrix = array_of_numbers(covariance, "covariance", axes=2)
        square = matrix.ndim == 2 and matrix.size and matrix.shape[0] == matrix.shape[1]
        if not square or not np.allclose(matrix, matrix.T):
            raise ProgramError(
                f"{program_line()}: covariance must be a symmetric matrix of numbers, not {matrix.tolist()}"
            )
        if k not in (None, len(matrix)):
            raise ProgramError(f"{program_line()}: {k} inner columns do not fit a covariance of shape {matrix.shape}")
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -1e-10 * max(values[-1], 1e-300):
            raise ProgramError(f"{program_line()}: covariance has the negative eigenvalue {values[0]:.3g}")
        self._stage.say("normal", self.name, detail=(len(matrix),), columns=len(matrix), given=(matrix,))
        root = (vectors * np.sqrt(np.maximum(values, 0))).astype(self.draws.dtype)
        return self._stage.ask(lambda: self._columns(arrays.mixed(root, self.draws.normal(len(matrix))), len(matrix)))

    def uniform(self, k: int | None = None, *, low: float = 0.0, high: float = 1.0) -> NDArray[np.floating]:
        """Draw numbers uniform between ``low`` and ``high``, (sites,) or (sites, k)."""
        check_columns(k)
        for bound, word in ((low, "low"), (high, "high")):
            check_number(bound, f"{word} of uniform", finite=True)
        self._stage.say("uniform", self.name, detail=(k,), columns=k or 1, given=(low, high))
        if low > high:
            raise ProgramError(f"{program_line()}: low of uniform must not be above high, {high}, and is {low}")
        return self._stage.ask(lambda: self._columns(low + (high - low) * self.draws.uniform(k or 1), k))

    def bernoulli(self, probability: float, k: int | None = None) -> NDArray[np.floating]:
        """Draw ones with the given probability, else zeros, (sites,) or (sites, k).

        Raises
        ------
        ProgramError
            If ``probability`` is not between 0 and 1.
        """
        check_columns(k)
        if getattr(probability, "ndim", 0):
            raise ProgramError(
                f"{program_line()}: bernoulli takes one probability for all sites; for one of each site, compare: "
                "group.uniform() < probability"
            )
        check_number(probability, "the probability of bernoulli")
        if not 0 <= probability <= 1:
            raise ProgramError(f"{program_line()}: a probability lies between 0 and 1, not at {probability}")
        self._stage.say("bernoulli", self.name, detail=(k,), columns=k or 1, given=(probability,))

        def ones() -> NDArray[np.floating]:
            return self._columns((self.draws.uniform(k or 1) < probability).astype(self.draws.dtype), k)

        return self._stage.ask(ones)

    def choice(
        self, options: ArrayLike, k: int | None = None, *, probabilities: ArrayLike | None = None
    ) -> NDArray[np.floating]:
        """Draw one of the options for each site, equally likely unless ``probabilities`` says otherwise.

        Raises
        ------
        ProgramError
            If there is not one probability per option, or they do not add up to 1.
        """
        check_columns(k)
        values = array_of_numbers(options, "the options of choice", 2, self.draws.dtype).ravel()
        if len(values) == 0:
            raise ProgramError(f"{program_line()}: choice needs at least one option")
        weights = np.full(len(values), 1 / len(values))
        if probabilities is not None:
            weights = array_of_numbers(probabilities, "the probabilities of choice", 1)
        if weights.shape != values.shape or np.any(weights < 0) or not np.isclose(weights.sum(), 1):
            raise ProgramError(f"{program_line()}: choice needs one probability per option, adding up to 1")
        self._stage.say("choice", self.name, detail=(k,), columns=k or 1, given=(values, weights))
        edges = np.cumsum(weights)[:-1]
        return self._stage.ask(lambda: self._columns(arrays.picked(values, edges, self.draws.uniform(k or 1)), k))

    def values(self, table: ArrayLike) -> NDArray[np.floating]:
        """Deal given values to the sites, in equal shares: a spectrum of modes, labels, a constant.

        Parameters
        ----------
        table : float, (n,) array or (n, k) array
            Site i of S gets row ``floor(i n / S)``, so that tables of the same length stay paired.
        """
        rows = np.atleast_1d(array_of_numbers(table, "what values deals", 2, self.draws.dtype))
        if rows.size == 0:
            raise ProgramError(f"{program_line()}: values needs at least one number to deal")
        self._stage.say("values", self.name, detail=(rows.shape[1:],), given=(rows,))
        return self._stage.ask(lambda: self._dealt(rows))

    def _dealt(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        columns = arrays.dealt(rows, self.size)
        if len(rows) > 1:
            self.draws.see(columns)
        return self._columns(columns, None if rows.ndim == 1 else rows.shape[1])

    def rows_of(self, x: Any, word: str) -> Rows:
        """Return a site vector of this group as (columns, rows), contiguous.

        Raises
        ------
        ProgramError
            If it is not one.
        """
        what = f"must be a site vector of the group {self.name!r}, (sites,) or (sites, columns)"
        array = array_given(x, word, what)
        if not self.layout.holds(array):
            raise ProgramError(f"{program_line()}: {word} {what}, not {self._stage.described(array)}")
        return self.layout.rows_of(array)

    def check_finite(self, rows: Rows, word: str) -> None:
        """Refuse rows that are not finite, with the time and the line of the program."""
        self._stage.check_finite(rows, word)

    def _columns(self, rows: Rows, k: int | None) -> NDArray[np.floating]:
        return self.layout.array_of(rows, k)
