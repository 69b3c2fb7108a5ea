"""The vocabulary of a site program: the words of ``net``, the same at finite N and at N = infinity."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.errors import ProgramError, program_line, shown
from sitesampler.language import loops
from sitesampler.language.checks import array_given, array_of_numbers, check_columns, check_name, check_number
from sitesampler.language.coupling import Coupling
from sitesampler.language.equation import Equation
from sitesampler.language.flow import Flow, choose, parts_of
from sitesampler.language.groups import Group
from sitesampler.language.script import Plan
from sitesampler.language.sources import Sources
from sitesampler.language.stage import Instant, Stage
from sitesampler.language.tensor_coupling import TensorCoupling
from sitesampler.physics.matrix import Matrix
from sitesampler.physics.tensor import Tensor
from sitesampler.records.contents import RecordedGroup
from sitesampler.records.names import FORCE, OF_LOOPS
from sitesampler.records.responses import Probe
from sitesampler.records.variable import Position
from sitesampler.vectors import arrays
from sitesampler.vectors.arrays import Averages
from sitesampler.vectors.draws import Draws
from sitesampler.vectors.layout import Layout

#: Size of the largest group over N; sizes are integers.
_LARGEST_RATIO = 1_000_000
#: Order of a tensor beyond which a force is 0 or infinite unless the spins lie on the sphere to the last digit.
_HIGHEST_ORDER = 100


class Records(Protocol):
    """Where the values go that a program records."""

    def record(self, position: Position, values: dict[str, Any], groups: Sequence[RecordedGroup]) -> None:
        """Take the values of one call of ``net.record``."""

    def averaged(self, value: Averages, size: Averages) -> None:
        """Take an average that the program was told, and the size of what was averaged."""

    def add_probe(self, group: str, probe: Probe) -> None:
        """Let the later records of a group be correlated with a probe."""


class Network(ABC):
    """What a site program speaks to: the same words in a finite network and at N = infinity.

    Parameters
    ----------
    stage : Stage
        The script of the program, and its place in it.
    records : Records
        Where records go.
    seed : numpy.random.SeedSequence
        Each group, and each matrix that needs random numbers of its own, takes the next stream of it.
    layout : Layout
        How site vectors lie in memory, but for their number of sites.
    """

    def __init__(self, stage: Stage, records: Records, seed: np.random.SeedSequence, layout: Layout) -> None:
        self._stage, self._records, self._seed = stage, records, seed
        self._layout = layout.with_twins_if(self._needs_twins(stage.plan))
        self._groups: list[Group] = []
        self._sources = Sources(stage, records)

    @property
    def matched(self) -> int:
        """Most vectors that the draws of any group have been made orthogonal to; none in a finite network."""
        return max((group.draws.seen for group in self._groups), default=0)

    # ------------------------------------------------------------------------------------------- groups and couplings
    def sites(self, ratio: float = 1.0, name: str = "site") -> Group:
        """Return a group of sites whose size is ``ratio`` times N; ``name`` is the dimension of its trajectories.

        Raises
        ------
        ProgramError
            If the ratio is not positive.
        """
        check_number(ratio, "the ratio of a group to N")
        check_name(name, "group", "neuron", OF_LOOPS)
        if not 0 < ratio <= _LARGEST_RATIO:
            span = f"positive and at most {_LARGEST_RATIO:,}"
            raise ProgramError(f"{program_line()}: the ratio of a group to N must be {span}, not {ratio}")
        taken = [group.name for group in self._groups]
        name = name if name not in taken else f"{name}{len(taken) + 1}"
        self._stage.say("sites", name, detail=(float(ratio),))
        draws, ratio = self._draws(float(ratio))
        group = Group(self._stage, name, ratio, draws)
        self._groups.append(group)
        self._stage.lengths[name] = draws.layout.rows
        return group

    def coupling(
        self, rows: Group, cols: Group | None = None, gain: float = 1.0, symmetry: float | None = None
    ) -> Coupling:
        """Return a Gaussian random matrix with entries of variance gain^2/N.

        Parameters
        ----------
        rows, cols : Group
            The groups it maps to and from; one group for a square matrix.
        gain : float
        symmetry : float, optional
            Correlation of J_ij and J_ji of a square matrix: 0 independent (the default), 1 symmetric (GOE), -1
            antisymmetric, or anything between.

        Raises
        ------
        ProgramError
            If ``symmetry`` is not in [-1, 1], or is given for a matrix between two groups.
        """
        cols = rows if cols is None else cols
        for group in (rows, cols):
            self._check_group(group, "a coupling")
        check_number(gain, "the gain of a coupling", finite=True)
        if symmetry is not None:
            check_number(symmetry, "the symmetry of a coupling")
        if symmetry is not None and not -1 <= symmetry <= 1:
            raise ProgramError(f"{program_line()}: the symmetry of a coupling lies between -1 and 1, not at {symmetry}")
        if symmetry is not None and rows is not cols:
            raise ProgramError(f"{program_line()}: only a coupling of one group with itself has a symmetry")
        self._stage.say("coupling", rows.name, cols.name, detail=(symmetry is None,), given=(gain, symmetry))
        matrix = self._matrix(rows, cols, float(gain), float(symmetry or 0.0))
        return Coupling(self._stage, rows, cols, matrix, float(gain))

    def tensor_coupling(self, group: Group, order: int) -> TensorCoupling:
        """Return the fully connected p-spin coupling with p = ``order``, eq. (1): ``K.force(s)`` is -dH/ds.

        Raises
        ------
        ProgramError
            If ``order`` is not an integer of at least 2.
        """
        self._check_group(group, "a tensor coupling")
        check_number(order, "the order of a tensor coupling")
        if not math.isfinite(order) or int(order) != order or order < 2:
            raise ProgramError(f"{program_line()}: the order of a tensor coupling is an integer above 1, not {order}")
        if order > _HIGHEST_ORDER:
            raise ProgramError(
                f"{program_line()}: the order of a tensor coupling must be at most {_HIGHEST_ORDER}, not {order}"
            )
        self._stage.say("tensor_coupling", group.name, detail=(int(order),))
        self._sources.act(group.name, FORCE)
        return TensorCoupling(self._stage, group, self._tensor(group, int(order)), self._sources)

    # ------------------------------------------------------------------------------------------------------- averages
    def mean(self, x: ArrayLike) -> Any:
        """Return the average of a site vector over its sites: a number, or one per inner column."""
        array, group = self._site_vector(x, "mean")
        self._stage.say("mean", detail=(array.shape[1:],), given=(array,))
        found = self._stage.ask(lambda: self._stage.order.mean(array[: group.size]))
        size = np.sqrt(arrays.mean_squares(arrays.rows_of(array[: group.size])))
        self._records.averaged(found, size.reshape(np.shape(found)))
        return found

    def overlap(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Return the average over sites of the product of two vectors of one group.

        Returns
        -------
        float, (k,) array or (k, l) array
            One number for each pair of inner columns.

        Raises
        ------
        ProgramError
            If the vectors are not of one group.
        """
        (left, group), (right, _) = self._site_vector(x, "overlap"), self._site_vector(y, "overlap")
        if len(left) != len(right):
            raise ProgramError(f"{program_line()}: an overlap needs two vectors of one group")
        self._stage.say("overlap", detail=(left.shape[1:], right.shape[1:]), given=(left, right))
        rows = [arrays.rows_of(vector[: group.size]) for vector in (left, right)]
        inner = left.shape[1:] + right.shape[1:]
        found = self._stage.ask(lambda: self._stage.order.average(*rows).reshape(inner)[()])
        size = np.sqrt(np.outer(*map(arrays.mean_squares, rows)))
        self._records.averaged(found, size.reshape(inner))
        return found

    # ---------------------------------------------------------------------------------------------------------- loops
    def clock(self, duration: float, dt: float) -> Iterator[float]:
        """Loop over the times 0, dt, ..., duration: duration/dt + 1 of them.

        Raises
        ------
        ProgramError
            If dt is not positive, or the duration is not a whole number of steps.
        """
        return self._stage.run(loops.clock(duration, dt))

    def steps(self, n: int) -> Iterator[int]:
        """Loop over the steps 0, ..., n - 1."""
        return self._stage.run(loops.steps(n))

    def layers(self, L: int) -> Iterator[int]:
        """Loop over the layers 1, ..., L; what is recorded in it has the dimension ``layer``."""
        return self._stage.run(loops.layers(L))

    def flow(
        self,
        drift: Callable[..., Any],
        state: Any,
        duration: float,
        dt: float,
        *,
        scheme: str | None = None,
        noise: Any = None,
        constrain: Callable[..., Any] | None = None,
        record_dt: float | None = None,
    ) -> Iterator[tuple[float, Any]]:
        """Loop over the times 0, dt, ..., duration of a state that moves by dy/dt = drift(y): ``for t, y in ...``.

        What the body of the loop does, ``J.add`` for example, acts on the step that comes next; of the state it sees a
        copy of no consequence.  Drift, noise and constraint say products and averages, and neither draw nor record.

        Parameters
        ----------
        drift : callable
            Takes the parts of the state, ``drift(h)`` or ``drift(h, v)``, and the time if it has a parameter ``t``;
            returns the derivative of each.  A `source` in it acts as a kick of the state: R(t', t') = 1.
        state : site vector, number, or tuple of them
            At time 0.
        duration, dt : float
            The duration is a whole number of steps dt.
        scheme : "euler", "heun", "rk4" or "platen", optional
            Of order 1, 2, 4 and 2 in dt.  By default rk4 without noise, heun with additive noise, and platen where the
            noise depends on the state (``euler`` then is the scheme of Euler and Maruyama).
        noise : number, callable, or tuple with one for each part, optional
            Amplitude g of independent white noise at each site, dy = drift dt + g dW: a number or a function of ``t``
            for additive noise, a function of the state for multiplicative noise in the sense of Ito, whose value at a
            site depends on that site and on averages.
        constrain : callable, optional
            Applied to the state after each step, such as a projection on the sphere.
        record_dt : float, optional
            Step of the times of the loop, if not dt: a multiple of dt, or dt/2, dt/3, ...

        Raises
        ------
        ProgramError
            If scheme and noise do not go together, the duration is not a whole number of steps, or a function returns
            something else than the state has.

        Examples
        --------
        >>> import sitesampler as ss
        >>> def decay(net):
        ...     for t, h in net.flow(lambda h: -h, net.sites().normal(), duration=1.0, dt=0.5):
        ...         net.record(t, h=h)
        >>> ds = ss.sample(decay, population=100, replicas=2, seed=0)
        >>> f"{ds.C_h.sel(time=1, time_=0).item():.4f}"  # exp(-1) = 0.3679
        '0.3682'
        """
        parts = parts_of(state)
        equation = Equation(self._stage, drift, noise, constrain, len(parts), not isinstance(state, tuple))
        loop = loops.flow(duration, dt, record_dt)
        return Flow(self._stage, self._groups, equation, parts, choose(scheme, equation), loop, dt).run()

    # ---------------------------------------------------------------------------------------------- sources, records
    def source(
        self, group: Group, k: int | None = None, name: str | None = None, at: ArrayLike | None = None
    ) -> NDArray[np.floating]:
        """Return zeros, to be added where an external field would act; recorded vectors then carry their response.

        The response is the difference of perturbed twins: that of a vector with jumps in what the source acts on, such
        as the derivative of a relu, is not caught by it.

        Parameters
        ----------
        group : Group
            Where the field acts.
        k : int, optional
            Number of inner columns.
        name : str, optional
            Needed where several act on one group: the responses are R_h_<name>.  Sources of different groups may share
            a name.
        at : float or list of floats, optional
            Times of the loop at which to perturb; all recorded ones by default.  In a chaotic system the noise of the
            perturbations grows, so ask only for the times you need.

        Returns
        -------
        (sites,) or (sites, k) array
            In a ``clock`` loop the response is per unit time (divide by dt), in ``steps`` raw.
        """
        self._check_group(group, "a source")
        check_columns(k)
        if name is not None:
            check_name(name, "source", "input")
        instant = self._stage.instant
        if not (self._stage.is_recorded(instant) if at is None else self._is_now(at, instant)):
            instant = None
        self._stage.say("source", group.name, detail=(k, name), columns=0 if instant is None else k or 1, given=(at,))
        self._sources.act(group.name, name)

        def field() -> NDArray[np.floating]:
            full = self._sources.perturbation(group, k, name, instant)
            return full[0] if k is None else full.T

        return self._stage.ask(field)

    def _is_now(self, at: ArrayLike, instant: Instant | None) -> bool:
        """Say whether a field acts at one of the times given, all of which must be times of the loop."""
        loop = self._stage.loop("a source")
        moments = array_of_numbers(at, "at=", axes=1).ravel()
        for moment in moments:
            if not loop.holds(moment):
                raise ProgramError(f"{program_line()}: at={moment:g} is not a time of the loop around the source")
        return instant is not None and bool(np.any(np.isclose(moments, instant.time)))

    def record(self, t: float, **values: Any) -> None:
        """Keep what the result shows: site vectors, lists of them (layers), numbers and small arrays.

        Parameters
        ----------
        t : float
            The time, step or layer of the loop; after the loop, that of a last record.
        **values
            Site vectors (two-time correlation, mean, kurtosis, response, a few trajectories), lists of site vectors
            (layers, each of its own group if need be), numbers, one number per inner column, or ``(dims, array)`` as in
            xarray.
        """
        check_number(t, "the time of net.record")
        self._stage.say("record", detail=(tuple(values),), given={"t": t, **values})
        position = self._stage.position(t)
        self._stage.ask(lambda: self._records.record(position, values, self._groups))

    # ---------------------------------------------------------------------------------------------------------- checks
    def _check_group(self, group: Any, word: str) -> None:
        if not any(group is known for known in self._groups):
            what = self._stage.described(group) if isinstance(group, np.ndarray) else shown(group)
            raise ProgramError(f"{program_line()}: {word} needs groups made by net.sites, not {what}")

    def _site_vector(self, x: ArrayLike, word: str) -> tuple[NDArray[np.floating], Group]:
        """Return a site vector of any group, and that group."""
        array = array_given(x, f"net.{word}", "takes a site vector")
        for group in self._groups:
            if group.layout.holds(array):
                return array, group
        raise ProgramError(f"{program_line()}: net.{word} takes a site vector, not {self._stage.described(array)}")

    # -------------------------------------------------------------------------------------------- what worlds differ in
    @abstractmethod
    def _needs_twins(self, plan: Plan) -> bool:
        """Say whether site vectors carry a second copy of their rows, the perturbed twins, for the responses."""

    @abstractmethod
    def _draws(self, ratio: float) -> tuple[Draws, float]:
        """Return the random vectors of a new group, and its real size over N."""

    @abstractmethod
    def _matrix(self, rows: Group, cols: Group, gain: float, symmetry: float) -> Matrix:
        """Return a new Gaussian matrix of this world."""

    @abstractmethod
    def _tensor(self, group: Group, p: int) -> Tensor:
        """Return a new tensor of this world."""

    def _stream(self) -> np.random.SeedSequence:
        """Return the next stream of random numbers."""
        return self._seed.spawn(1)[0]
