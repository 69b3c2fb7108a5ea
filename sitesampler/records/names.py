"""Names: what a result can hold, and that no two things in it have one name.

Every variable and dimension of a result is of a kind that is registered here, with its symbol, dimensions, units and
meaning: results take ``long_name`` and ``units`` from it, and the documentation prints it.  `Names` are those of one
result, taken one by one; a name that is taken twice is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sitesampler.errors import ProgramError, program_line

#: Dimension along which records may differ in length; the shorter ones are filled up with NaN.
OUTLIER = "outlier"
#: Name of a source that stands for the field of a tensor coupling, where other sources act on the spins too.
FORCE = "force"


@dataclass(frozen=True)
class Kind:
    """One kind of variable.

    Attributes
    ----------
    pattern : str
        Its name, with ``{}`` in the place of what it is of: a record, or another variable.
    symbol : str
        As the formulas of the field have it, for a record x.
    dims : tuple of str
        Its dimensions; those in brackets where the program has them.
    meaning : str
        What it is, with ``{}`` in the place of what it is of.
    units : str
        All quantities are in the units of the program: dimensionless.
    """

    pattern: str
    symbol: str
    dims: tuple[str, ...]
    meaning: str
    units: str = "1"

    def name(self, of: str) -> str:
        """Return what the variable is called for a record or a variable.

        Examples
        --------
        >>> CORRELATION.name("h"), RESPONSE.name("h_input"), STANDARD_ERROR.name("C_h")
        ('C_h', 'R_h_input', 'C_h_stderr')
        """
        return self.pattern.format(of)

    def attrs(self, of: str) -> dict[str, str]:
        """Return the attributes of the variable.

        Examples
        --------
        >>> MEAN.attrs("h")
        {'long_name': 'mean of h', 'units': '1'}
        """
        return {"long_name": self.meaning.format(of), "units": self.units}


_TWO_TIMES = ("[layer]", "time", "time_", "[input]", "[input_]")
_ONE_TIME = ("[layer]", "time", "[input]")

NUMBER = Kind("{}", "x(t)", ("time", "[its own]"), "{}")
CORRELATION = Kind("C_{}", "C_x(t, t')", _TWO_TIMES, "two-time correlation of {}")
RESPONSE = Kind("R_{}", "R_x(t, t')", _TWO_TIMES, "response of {}")
MEAN = Kind("{}_mean", "<x(t)>", _ONE_TIME, "mean of {}")
KURTOSIS = Kind("{}_kurtosis", "<(x - <x>)^4>/<(x - <x>)^2>^2 - 3", _ONE_TIME, "excess kurtosis of {}")
TRAJECTORY = Kind(
    "trajectory_{}", "x_i(t)", ("[layer]", "the group", "time", "[input]"), "single-site trajectories of {}"
)
STANDARD_ERROR = Kind("{}_stderr", "", ("those of the variable",), "standard error of {}")
REPLICAS = Kind("{}_replicas", "", ("replica", "those of the variable"), "{}, of each replica")
ORDER_PARAMETERS = Kind(
    "order_parameters", "", ("replica", "order_parameter"), "order parameters of the last iteration, to start from"
)
CHANGE = Kind("change", "", ("iteration",), "change of the order parameters, over its Monte Carlo error")
DIFFERENCE = Kind("{}", "", ("those of the variable",), "difference of {}")
DEVIATION = Kind("{}_deviation", "", ("those of the variable",), "difference of {} in standard errors")

SPECTRUM = Kind("S_{}", "S_x(omega)", ("[layer]", "frequency", "[input]", "[input_]"), "power spectrum of {}")
INTEGRATED_RESPONSE = Kind("chi_{}", "chi_x(tau)", ("[layer]", "lag"), "integrated response of {}")
FDT_RATIO = Kind("X_{}", "X_x(tau)", ("[layer]", "lag"), "fluctuation-dissipation ratio of {}")
RELAXATION_TIME = Kind("relaxation_time_{}", "tau_x", ("[layer]", "[input]", "[input_]"), "relaxation time of {}")

#: Significant digits to which times are rounded, so that ``sel(time=50)`` finds the 50 that 1000 steps of 0.05 reach.
_DIGITS = 12
#: Ending of the name of a standard error.
STDERR = STANDARD_ERROR.name("")
#: Attribute of a variable that is NaN where it is not known, which says why.
UNRESOLVED = "unresolved"
#: Attribute of a response to kicks of a flow, which have acted at equal times already.
OF_KICKS = "of_kicks"

#: Kinds of variables in the results of runs.
OF_RUNS = (NUMBER, CORRELATION, RESPONSE, MEAN, KURTOSIS, TRAJECTORY, STANDARD_ERROR, REPLICAS)
#: What iterations add to a result.
OF_ITERATIONS = (ORDER_PARAMETERS, CHANGE)
#: Kinds of variables in comparisons.
OF_COMPARISONS = (DIFFERENCE, DEVIATION)
#: What is derived from a result whose replicas are kept.
OF_DERIVED = (SPECTRUM, INTEGRATED_RESPONSE, FDT_RATIO, RELAXATION_TIME)

#: Dimensions of results, with what they run over; groups and programs add their own.
DIMENSIONS = {
    "time": "time",
    "time_": "second time",
    "layer": "layer",
    "layer_": "second layer",
    "input": "inner column",
    "input_": "inner column of the second vector or of the source",
    OUTLIER: "outlier, by decreasing modulus",
    "replica": "replica",
    "order_parameter": "order parameter",
    "iteration": "iteration",
    "lag": "time between the two times",
    "frequency": "angular frequency",
}
#: Those that no group can be called.
OF_LOOPS = ("time", "time_", "layer", "layer_", "input", "input_")

#: What a recorded site vector becomes, beside its responses.
_OF_A_VECTOR = (CORRELATION, MEAN, KURTOSIS)


def variables_of(record: str, vector: bool, responses: Iterable[str] = ("",)) -> list[str]:
    """Return the names of the variables that a record becomes, their errors among them.

    Parameters
    ----------
    record : str
    vector : bool
        Whether it is of site vectors.
    responses : iterable of str
        What the names of its responses end with: ``""`` or ``"_source"``.

    Examples
    --------
    >>> variables_of("loss", vector=False)
    ['loss', 'loss_stderr', 'loss_replicas']
    """
    made = [NUMBER.name(record)]
    if vector:
        made = [kind.name(record) for kind in _OF_A_VECTOR]
        made += [RESPONSE.name(record + ending) for ending in responses]
    made += [kind.name(name) for kind in (STANDARD_ERROR, REPLICAS) for name in made]
    return [*made, TRAJECTORY.name(record)] if vector else made


def rounded(value: float) -> float:
    """Return a coordinate with so many digits that the same value, computed otherwise, is the same coordinate.

    Examples
    --------
    >>> 3 * 0.1, rounded(3 * 0.1)
    (0.30000000000000004, 0.3)
    """
    return float(f"{value:.{_DIGITS}g}")


@dataclass
class Names:
    """The names of one result.

    Attributes
    ----------
    taken : dict
        What has each name, in words.
    """

    taken: dict[str, str] = field(default_factory=dict)

    def take(self, names: Iterable[str], what: str, where: str = "") -> None:
        """Give names to something, which may have had them before.

        Raises
        ------
        ProgramError
            If something else has one of them; the message has the line of the program.
        """
        for name in names:
            other = self.taken.setdefault(name, what)
            if other != what:
                both = f"{what} and {other}"
                if what.startswith("the record ") and other.startswith("the record "):
                    both = f"the records {what.removeprefix('the record ')} and {other.removeprefix('the record ')}"
                raise ProgramError(
                    f"{where or program_line()}: {both} would both become {name!r} in the result; give one of them "
                    "another name"
                )


def table() -> str:
    """Return the registry as a table in Markdown, as the documentation prints it."""
    rows = [("variable", "symbol", "dimensions", "units", "meaning")]
    for kind in (*OF_RUNS, *OF_ITERATIONS, *OF_COMPARISONS, *OF_DERIVED):
        symbol = f"`{kind.symbol}`" if kind.symbol else ""
        dims = ", ".join(dim if " " in dim else f"`{dim}`" for dim in kind.dims)
        rows.append((f"`{kind.name('x')}`", symbol, dims, kind.units, kind.meaning.format("x")))
    return _markdown(rows)


def table_of_dimensions() -> str:
    """Return the dimensions as a table in Markdown."""
    return _markdown([("dimension", "runs over"), *((f"`{dim}`", text) for dim, text in DIMENSIONS.items())])


def _markdown(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
