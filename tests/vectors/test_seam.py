"""The seam: outside of vectors/ site vectors are sliced, and taken through element-by-element functions, nothing else.

Site vectors are made to be of a class of their own, which stands for the arrays of another library: it knows functions
that act element by element everywhere, and all others only where they are called from vectors/ or by a program.
"""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.physics import frozen, order
from sitesampler.vectors import arrays, draws, gram_schmidt, table
from sitesampler.vectors.draws import Draws
from sitesampler.vectors.table import Table

PACKAGE = Path(ss.__file__).parent
#: What sums over an axis although it is a ufunc.
PRODUCTS = {"matmul", "vecdot", "matvec", "vecmat"}
#: What only looks.
HARMLESS = {"shape", "ndim", "size", "iscomplexobj"}


class Foreign(np.ndarray):
    """A site vector as another library would hold it."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or ufunc.__name__ in PRODUCTS:
            refuse(f"{ufunc.__name__}.{method}")
        if "out" in options:
            options["out"] = tuple(plain(each) for each in options["out"])
        found = getattr(ufunc, method)(*map(plain, inputs), **options)
        return foreign(found)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ not in HARMLESS:
            refuse(function.__name__)
        return foreign(super().__array_function__(function, types, args, kwargs))


def plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Foreign) else value


def foreign(value: Any) -> Any:
    return value.view(Foreign) if isinstance(value, np.ndarray) and value.ndim else value


def refuse(what: str) -> None:
    """Refuse a function that was called from a file of the package outside of vectors/, but for models."""
    frame: Any = sys._getframe(2)
    while frame is not None and "numpy" in frame.f_code.co_filename:
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    if path.is_relative_to(PACKAGE) and path.relative_to(PACKAGE).parts[0] not in ("vectors", "models"):
        pytest.fail(f"{what} on site vectors in {path.relative_to(PACKAGE)}, line {frame.f_lineno}")


def giving(make: Callable[[Any], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose results are made to be foreign, or plain."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        return make(found)

    return wrapped


@pytest.fixture
def other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all site vectors foreign, and averages over sites plain."""
    for name in ("zeros", "empty", "contiguous", "joined", "dealt", "picked", "mixed", "stacked", "array_of"):
        monkeypatch.setattr(arrays, name, giving(foreign, getattr(arrays, name)))
    averages = ("mean_squares", "means", "overlaps", "products", "gram", "moments", "on_host")
    for module in (arrays, draws, gram_schmidt, frozen):
        for name in averages:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, giving(plain, getattr(module, name)))
    monkeypatch.setattr(Draws, "raw", giving(foreign, Draws.raw))
    monkeypatch.setattr(Table, "rows", property(lambda self: foreign(self._table[: self._count])))
    monkeypatch.setattr(Table, "project", giving(plain, Table.project))
    monkeypatch.setattr(table.kernels, "project_blocks", on_plain(table.kernels.project_blocks))
    monkeypatch.setattr(table.kernels, "combine_blocks", on_plain(table.kernels.combine_blocks))
    monkeypatch.setattr(table.kernels, "moments", on_plain(table.kernels.moments))
    monkeypatch.setattr(order, "expanded", giving(lambda found: (plain(found[0]), found[1]), order.expanded))


def on_plain(kernel: Any) -> Any:
    return lambda *args: kernel(*map(plain, args))


def learning(net: Any) -> None:
    """Say a bit of everything: columns, both directions, draws of all kinds, updates, outliers, averages, a source."""
    neurons, data = net.sites(), net.sites(0.5, name="datum")
    J, W = net.coupling(neurons, gain=1.2, symmetry=1.0), net.coupling(data, neurons)
    h = neurons.normal(2) * neurons.choice([1.0, -1.0], 2) + neurons.values([0.5, -0.5])[:, None]
    for t in net.steps(3):
        y = np.tanh(W @ h + 0.1 * data.uniform(2) + net.source(data, 2))
        net.record(t, h=h, y=y, q=net.overlap(h, h), m=net.mean(y), layers=[h, y])
        h = np.tanh(J @ h) - W.T @ y + neurons.bernoulli(0.5)[:, None] * neurons.normal(covariance=np.eye(2))
        W.add(y, h, strength=0.05)
    net.record(3, outliers=W.outlier_singular_values([y[:, 0]]))


CALLS: dict[str, Callable[..., Any]] = {
    "march": lambda program, **p: ss.sample(program, population=300, **p),
    "iterations": lambda program, **p: ss.sample(program, population=300, iterations=1, chunk=150, **p),
    "network": lambda program, **p: ss.simulate(program, size=40, **p),
    "exact law": lambda program, **p: ss.simulate(program, size=300, matrix=False, **p),
}
PROGRAMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "learning": (learning, {}),
    "random_rnn": (ss.models.random_rnn, {"symmetry": 0.5, "dt": 0.1, "duration": 0.5}),
    "spherical_pspin": (ss.models.spherical_pspin, {"dt": 0.1, "duration": 0.5}),
    "evolving_spikes": (ss.models.evolving_spikes, {"spikes": 2}),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_engine_file_but_those_of_vectors_mixes_or_makes_site_vectors(
    name: str, call: str, request: pytest.FixtureRequest
) -> None:
    program, parameters = PROGRAMS[name]
    if name == "spherical_pspin" and call == "exact law":
        pytest.skip("a tensor has no exact law")
    options = {"replicas": 2, "seed": 0, "keep": 3, "progress": False, **parameters}
    expected = CALLS[call](program, **options)
    request.getfixturevalue("other_library")
    found = CALLS[call](program, **options)
    for variable in expected.variables:
        assert found[variable].values.tobytes() == expected[variable].values.tobytes()


def test_the_seam_notices_a_product_elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adversary: a matrix that multiplies rows itself."""
    request.getfixturevalue("other_library")
    code = compile(
        "def times(self, vectors, rounding):\n    return vectors @ vectors.T @ vectors",
        PACKAGE / "physics" / "x.py",
        "exec",
    )
    space: dict[str, Any] = {}
    exec(code, space)
    monkeypatch.setattr("sitesampler.physics.matrix.GaussianMatrix.times", space["times"])
    with pytest.raises(pytest.fail.Exception, match=r"matmul.__call__ on site vectors in physics/x.py, line 2"):
        CALLS["march"](ss.models.random_rnn, replicas=1, seed=0, duration=0.5)
