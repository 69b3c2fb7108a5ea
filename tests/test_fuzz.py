"""Whatever is given where an argument is wanted: it is taken, or refused within a second in words of ours.

`hypothesis` makes the values, always the same ones.  A few hundred stand in every run of the tests; ``-m slow`` tries
5,000 and prints how many were taken and how many refused.
"""

import inspect
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import sitesampler as ss
from sitesampler import models
from sitesampler.errors import SiteSamplerError
from sitesampler.signatures import check_parameters
from sitesampler.worlds.rehearsal import rehearse


class Odd:
    """An object that refuses to be looked at."""

    def __repr__(self) -> str:
        return "two\nlines"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError


class NoClient(Executor):
    """What has the method ``submit`` of a client."""


ODD = (
    None, True, b"1", {}, {1: 2}, set(), (), [], [None], [[1, 2], [3]], 1j, object, len, Odd(), NoClient(), slice(3),
    Ellipsis, ValueError("x"), 10**400, -(10**9), 1e308, "\0", "é" * 300, memoryview(b"abc"), range(3),
    np.array([]), np.array("x"), np.array(None), np.array([1j, 2]), np.array([{}]), np.zeros((2, 2, 2)), np.True_,
    np.float64("nan"), np.datetime64("2020"), np.timedelta64(1), np.ma.array([1.0, 2.0], mask=[0, 1]),
    xr.Dataset(), xr.DataArray([1.0, 2.0]),
)  # fmt: skip
scalars = st.one_of(
    st.integers(0, len(ODD) - 1).map(ODD.__getitem__), st.integers(-3, 3), st.floats(-2, 2), st.text(max_size=5),
    st.sampled_from([np.nan, np.inf, -np.inf, 10**30, 2.5]), st.binary(max_size=3), st.complex_numbers(),
    st.sampled_from(["auto", "march", "cold", "all", "tanh", "float32", "sign", "no"]),
)  # fmt: skip
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.text(max_size=2), scalars, max_size=2))


# ------------------------------------------------------------------------------------------------- what can be asked
def program(net: Any, *, g: float = 1.0) -> None:
    """Run for three steps."""
    sites = net.sites()
    J, h = net.coupling(sites, gain=g), sites.normal()
    for t in net.steps(3):
        net.record(t, h=h)
        h = J @ np.tanh(h)


def driven(net: Any) -> None:
    """Run for three steps, with a source."""
    sites = net.sites()
    h = sites.normal()
    for t in net.clock(0.4, 0.2):
        net.record(t, h=h)
        h = h - 0.2 * h + net.source(sites)


SAMPLED: dict[str, Any] = {"population": 40, "replicas": 2, "seed": 0, "progress": False}
SIMULATED: dict[str, Any] = {"size": 20, "replicas": 2, "seed": 0, "progress": False}


def _made() -> Any:
    return ss.sample(program, **SAMPLED)


def arguments() -> dict[str, Callable[[Any], Any]]:
    """Return what is called with each argument of the public calls; files are tried elsewhere."""
    found: dict[str, Callable[[Any], Any]] = {}
    result, kept = _made(), ss.sample(driven, **SAMPLED, keep_replicas=True)
    files = ("checkpoint", "export")
    for call, base in ((ss.sample, SAMPLED), (ss.simulate, SIMULATED), (ss.diagnose, SAMPLED)):
        for name, known in inspect.signature(call).parameters.items():
            if known.kind is known.KEYWORD_ONLY and name not in files:
                found[f"{call.__name__} {name}"] = lambda v, call=call, base=base, name=name: call(
                    program, **{**base, name: v}
                )
        found[f"{call.__name__} program"] = lambda v, call=call, base=base: call(v, **base)
    for name in ("chunk", "order_parameters", "damping", "until", "keep_going", "resume"):
        found[f"iterations {name}"] = lambda v, name=name: ss.sample(program, **SAMPLED, iterations=1, **{name: v})
    found |= {
        "sweep over": lambda v: ss.sweep(program, v, **SAMPLED),
        "sweep over[g]": lambda v: ss.sweep(program, {"g": v}, **SAMPLED),
        "sweep call": lambda v: ss.sweep(program, {"g": [1.0]}, call=v, **SAMPLED),
        "sweep seed": lambda v: ss.sweep(program, {"g": [1.0]}, **{**SAMPLED, "seed": v}),
        "sweep client": lambda v: ss.sweep(program, {"g": [1.0]}, client=v, **SAMPLED),
        "compare dataset": lambda v: ss.compare(v, result),
        "compare reference": lambda v: ss.compare(result, v),
        "interval dataset": lambda v: ss.interval(v, "C_h"),
        "interval name": lambda v: ss.interval(result, v),
        "interval level": lambda v: ss.interval(result, "C_h", v),
        "save_result dataset": lambda v: ss.save_result(v, "never.zarr"),
        "derive result": lambda v: ss.derive(v, len),
        "derive function": lambda v: ss.derive(kept, v),
        "extrapolate fine": lambda v: ss.extrapolate(v, kept),
        "extrapolate coarse": lambda v: ss.extrapolate(kept, v),
        "stationary result": lambda v: ss.stationary(v, "h", start=0),
        "stationary record": lambda v: ss.stationary(kept, v, start=0),
        "stationary start": lambda v: ss.stationary(kept, "h", start=v),
        "spectrum longest": lambda v: ss.spectrum(kept, "h", start=0, longest=v),
        "fdt temperature": lambda v: ss.fdt(kept, "h", temperature=v, waiting=0),
        "fdt waiting": lambda v: ss.fdt(kept, "h", temperature=1, waiting=v),
        "fdt source": lambda v: ss.fdt(kept, "h", temperature=1, waiting=0, source=v),
        "relaxation_time level": lambda v: ss.relaxation_time(kept, "h", start=0, level=v),
        "nonlinearity phi": ss.nonlinearities.nonlinearity,
    }
    return found


#: What is said with a value, at a time t, of a network, a group, a coupling and a vector.
WORDS: dict[str, Callable[..., Any]] = {
    "sites ratio": lambda net, n, J, x, t, v: net.sites(v),
    "sites name": lambda net, n, J, x, t, v: net.sites(name=v),
    "normal k": lambda net, n, J, x, t, v: n.normal(v),
    "normal covariance": lambda net, n, J, x, t, v: n.normal(covariance=v),
    "uniform k": lambda net, n, J, x, t, v: n.uniform(v),
    "uniform low": lambda net, n, J, x, t, v: n.uniform(low=v),
    "uniform high": lambda net, n, J, x, t, v: n.uniform(high=v),
    "bernoulli": lambda net, n, J, x, t, v: n.bernoulli(v),
    "choice": lambda net, n, J, x, t, v: n.choice(v),
    "choice probabilities": lambda net, n, J, x, t, v: n.choice([1, 2], probabilities=v),
    "values": lambda net, n, J, x, t, v: n.values(v),
    "coupling rows": lambda net, n, J, x, t, v: net.coupling(v),
    "coupling cols": lambda net, n, J, x, t, v: net.coupling(n, v),
    "coupling gain": lambda net, n, J, x, t, v: net.coupling(n, gain=v),
    "coupling symmetry": lambda net, n, J, x, t, v: net.coupling(n, symmetry=v),
    "product": lambda net, n, J, x, t, v: J @ v,
    "transposed product": lambda net, n, J, x, t, v: J.T @ v,
    "add left": lambda net, n, J, x, t, v: J.add(v, x),
    "add right": lambda net, n, J, x, t, v: J.add(x, v),
    "add strength": lambda net, n, J, x, t, v: J.add(x, x, v),
    "scale": lambda net, n, J, x, t, v: J.scale(v),
    "outlier_eigenvalues": lambda net, n, J, x, t, v: J.outlier_eigenvalues(v),
    "outlier_singular_values": lambda net, n, J, x, t, v: J.outlier_singular_values([], v),
    "tensor_coupling group": lambda net, n, J, x, t, v: net.tensor_coupling(v, 3),
    "tensor_coupling order": lambda net, n, J, x, t, v: net.tensor_coupling(n, v),
    "force": lambda net, n, J, x, t, v: net.tensor_coupling(n, 2).force(v),
    "mean": lambda net, n, J, x, t, v: net.mean(v),
    "overlap": lambda net, n, J, x, t, v: net.overlap(x, v),
    "clock duration": lambda net, n, J, x, t, v: next(net.clock(v, 0.1)),
    "clock dt": lambda net, n, J, x, t, v: next(net.clock(1.0, v)),
    "steps": lambda net, n, J, x, t, v: next(net.steps(v), None),
    "layers": lambda net, n, J, x, t, v: next(net.layers(v), None),
    "source group": lambda net, n, J, x, t, v: net.source(v),
    "source k": lambda net, n, J, x, t, v: net.source(n, v),
    "source name": lambda net, n, J, x, t, v: net.source(n, name=v),
    "source at": lambda net, n, J, x, t, v: net.source(n, at=v),
    "record t": lambda net, n, J, x, t, v: net.record(v, z=1.0),
    "record value": lambda net, n, J, x, t, v: net.record(t, z=v),
    "record dims": lambda net, n, J, x, t, v: net.record(t, z=(v, [1.0])),
    "record array": lambda net, n, J, x, t, v: net.record(t, z=(("a",), v)),
    "record list": lambda net, n, J, x, t, v: net.record(t, z=[x, v]),
}


def said(word: str, value: Any) -> Any:
    """Rehearse a program that says one word with a value."""

    def program(net: Any) -> None:
        sites = net.sites()
        J, x = net.coupling(sites), sites.normal()
        for t in net.steps(1):
            net.record(t, h=x)
            WORDS[word](net, sites, J, x, t, value)

    return rehearse(program, {})


PARAMETERS = [
    (name, key) for name in models.NAMES for key in list(inspect.signature(getattr(models, name)).parameters)[1:]
]


# --------------------------------------------------------------------------------------------------------------- tries
def outcome(argument: str, call: Callable[[], Any]) -> str:
    """Return whether a call was taken or refused, after seeing that a refusal is quick, in our words, and names it."""
    started = time.process_time()
    try:
        call()
        return "taken"
    except SiteSamplerError as error:
        taken = time.process_time() - started
        message = str(error)
        assert not re.search(r"\b[A-Z]\w*(Error|Exception): ", message) and "\n" not in message, message
        # Of one in a dictionary of them, its own name, or where the program says it.
        named = argument in message or any(re.search(rf"\b{name}\b", message) for name in re.findall(r"\w+", argument))
        assert named, f"{argument!r} is not named: {message}"
        assert taken < 1, f"{taken:.1f} s until: {message}"
        return "refused"


@pytest.fixture(scope="module")
def calls() -> dict[str, Callable[[Any], Any]]:
    return arguments()


def tries(examples: int) -> Callable[..., Any]:
    return settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def tried(calls: dict[str, Callable[[Any], Any]], examples: tuple[int, int, int]) -> Counter[str]:
    """Try so many values in calls, in words and as parameters of models, and count what became of them."""
    counts: Counter[str] = Counter()

    @tries(examples[0])
    @given(st.sampled_from(sorted(calls)), values)
    def in_calls(argument: str, value: Any) -> None:
        found = outcome(argument.split()[1], lambda: calls[argument](value))
        counts[f"calls {found}"] += 1

    @tries(examples[1])
    @given(st.sampled_from(sorted(WORDS)), values)
    def in_words(word: str, value: Any) -> None:
        counts[f"words {outcome(word.split()[0], lambda: said(word, value))}"] += 1

    @tries(examples[2])
    @given(st.sampled_from(PARAMETERS), values)
    def as_parameters(parameter: tuple[str, str], value: Any) -> None:
        name, key = parameter
        found = outcome(key, lambda: check_parameters(getattr(models, name), {key: value}))
        counts[f"parameters {found}"] += 1

    in_calls()
    in_words()
    as_parameters()
    return counts


@pytest.mark.filterwarnings("ignore")
def test_whatever_is_given_is_taken_or_refused_in_our_words(calls: dict[str, Callable[[Any], Any]]) -> None:
    counts = tried(calls, (100, 150, 150))
    assert all(counts[f"{where} refused"] > counts[f"{where} taken"] for where in ("calls", "words", "parameters"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_five_thousand_values(calls: dict[str, Callable[[Any], Any]]) -> None:
    counts = tried(calls, (1500, 2000, 1500))
    print(f"\n{sum(counts.values())} values: {dict(sorted(counts.items()))}; in words of others 0, over a second 0")
