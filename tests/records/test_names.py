"""Names of results: registered, taken once, and refused in the rehearsal with the line of the program."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.errors import ProgramError
from sitesampler.records import names
from sitesampler.worlds.rehearsal import rehearse


def program_of(words: str, *, group: str = "neuron") -> Any:
    """Return a program that says these words at each step, with two sources if it says `a` and `b`."""

    def program(net: Any) -> None:
        sites = net.sites(name=group)
        K = net.tensor_coupling(sites, order=3)
        h = sites.normal()
        for t in net.steps(2):
            exec(words, {"np": np, "net": net, "K": K}, {"h": h, "t": t, "sites": sites})

    return program


SOURCES = "net.source(sites, name='a'), net.source(sites, name='b')"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("net.record(t, h=h); net.record(t, C_h=1.0)", "the records 'C_h' and 'h' would both become 'C_h'"),
        ("net.record(t, C_h=1.0); net.record(t, h=h)", "the records 'h' and 'C_h' would both become 'C_h'"),
        ("net.record(t, h=h); net.record(t, h_mean=1.0)", "would both become 'h_mean'"),
        ("net.record(t, h=h); net.record(t, h_kurtosis=1.0)", "would both become 'h_kurtosis'"),
        ("net.record(t, h=h); net.record(t, trajectory_h=1.0)", "would both become 'trajectory_h'"),
        ("net.record(t, h=h); net.record(t, C_h_stderr=1.0)", "would both become 'C_h_stderr'"),
        ("net.record(t, x=1.0); net.record(t, x_stderr=1.0)", "the records 'x_stderr' and 'x' would both become 'x_st"),
        ("net.record(t, h=h); net.record(t, R_h=1.0)", "would both become 'R_h'"),
        (f"{SOURCES}; net.record(t, h=h); net.record(t, R_h_a=1.0)", "would both become 'R_h_a'"),
        (f"net.record(t, R_h_b=1.0); net.record(t, h=h); {SOURCES}", "would both become 'R_h_b'"),
        (f"{SOURCES}; net.record(t, h=h); net.record(t, R_h_a_stderr=1.0)", "would both become 'R_h_a_stderr'"),
        (f"{SOURCES}; net.record(t, h=h); net.record(t, R_h_force=1.0)", "would both become 'R_h_force'"),
        (f"{SOURCES}; net.record(t, h=h, h_a=h)", None),
        (f"{SOURCES}; net.record(t, R_h_c=1.0, h=h)", None),
        ("net.record(t, h=h); net.record(t, R_h_a=1.0)", None),
        ("net.record(t, neuron=1.0)", "'neuron' is the name of a dimension; record it under another one"),
        ("net.record(t, w=(('neuron',), np.ones(3)), h=h)", "dimension 'neuron', which is the name of the sites of "),
        ("net.record(t, w=(('h_mean',), np.ones(3)), h=h)", "dimension 'h_mean', which is the name of the record 'h'"),
        ("net.record(t, w=(('C_h',), np.ones(3)), h=h)", "dimension 'C_h', which is the name of the record 'h' too"),
        ("net.record(t, w=(3, [1.0]))", "a recorded pair names the dimensions of a small array, as in record(t, w=(("),
        ("net.record(t, w=(('a',), [1.0], 2))", "a recorded pair names the dimensions of a small array"),
    ],
)  # fmt: skip
def test_a_name_is_taken_once(words: str, message: str | None) -> None:
    if message is None:
        rehearse(program_of(words), {})
        return
    with pytest.raises(ProgramError) as caught:
        ss.sample(program_of(words), population=100, replicas=1)
    assert message in str(caught.value) and re.match(r"in (program|<module>), line \d+", str(caught.value))


def test_a_group_cannot_be_called_like_a_variable_of_its_own_vector() -> None:
    with pytest.raises(ProgramError, match=r"the dimension 'h_mean', which is the name of the record 'h' too"):
        ss.sample(program_of("net.record(t, h=h)", group="h_mean"), population=100, replicas=1)


@pytest.mark.parametrize("name", ["change", "order_parameters"])
def test_what_iterations_add_is_taken_where_they_are_asked_for(name: str) -> None:
    """In a march a program may use these names; before, iterations replaced what it recorded."""
    program, call = program_of(f"net.record(t, {name}=2.0)"), {"population": 100, "replicas": 2, "seed": 0}
    assert ss.sample(program, **call)[name].values.tolist() == [2.0, 2.0]
    with pytest.raises(ProgramError, match=rf"the record '{name}' and the result of iterations would both become"):
        ss.sample(program, iterations=1, **call)


def test_dimensions_of_iterations_are_taken_too() -> None:
    words = "net.record(t, w=(('replica',), np.ones(3)))"
    with pytest.raises(ProgramError, match=r"'replica', which is the name of a dimension of iterations too"):
        ss.sample(program_of(words), population=100, replicas=2, iterations=1)


def test_every_variable_of_a_result_is_of_a_registered_kind() -> None:
    """With the meaning and the units of its kind: of responses of several sources, layers and numbers too."""
    ds = ss.sample(ss.models.deep_network, population=200, replicas=2, seed=0, depth=2, steps=2, responses=True)
    vectors = {str(name)[2:] for name in ds if str(name).startswith("C_") and not str(name).endswith("_stderr")}
    for name in map(str, ds):
        plain = name.removesuffix("_stderr")
        known = {kind.name(vector): kind.attrs(vector) for kind in names.OF_RUNS[1:6] for vector in vectors}
        # The program has two sources, r and u.
        known |= {names.RESPONSE.name(f"{v}_{s}"): names.RESPONSE.attrs(v) for v in vectors for s in ("r", "u")}
        expected = known.get(plain) or names.NUMBER.attrs(plain.replace("_", " "))
        if name != plain:
            expected = names.STANDARD_ERROR.attrs(expected["long_name"])
        assert {key: ds[name].attrs[key] for key in expected} == expected, name
    for dim in ds.coords:
        assert ds[dim].attrs["long_name"] == names.DIMENSIONS[str(dim)]


def test_the_documentation_prints_the_registry() -> None:
    text = (Path(__file__).parents[2] / "docs" / "variables.md").read_text(encoding="utf-8")
    assert names.table() in text and names.table_of_dimensions() in text
