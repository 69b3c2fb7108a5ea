"""What is refused, and in which words: one sentence that names the culprit and what would be right."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.compute.workers import Workers
from sitesampler.errors import (
    InputError,
    NotFinite,
    OutOfMemory,
    PopulationTooSmall,
    ProgramError,
    SiteSamplerError,
    StorageError,
)

SHORT = {"dt": 0.1, "duration": 1.0}


def sample(program: Any = ss.models.random_rnn, **options: Any) -> Any:
    return ss.sample(program, **{"population": 200, "replicas": 2, "seed": 0, **options})


def simulate(program: Any = ss.models.random_rnn, **options: Any) -> Any:
    return ss.simulate(program, **{"size": 60, "replicas": 2, "seed": 0, **options})


def refusal(kind: type[SiteSamplerError], call: Callable[[], Any]) -> str:
    """Return the message of a refusal, which is one sentence: one line, without a full stop inside."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    message = str(caught.value)
    outside_code = re.sub(r"`[^`]*`", "", message)
    assert "\n" not in message and ". " not in outside_code.rstrip(". "), message
    assert "sitesampler/" not in message and "Traceback" not in message
    return message


# ---------------------------------------------------------------------------------- the arguments of a call
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"symetry": 0.5}, "no parameter 'symetry' (did you mean 'symmetry'?)"),
        ({"populaton": 500}, "no parameter 'populaton' (did you mean 'population'?)"),
        ({"temperature": 1.0}, "no parameter 'temperature'; it takes g, symmetry, phi, scheme, dt, duration"),
        ({"size": 100}, "size is an option of simulate, not of sample"),
        ({"population": -5}, "population must be an integer of at least 2, not -5"),
        ({"population": 10.5}, "population must be an integer of at least 2, not 10.5"),
        ({"population": 10**16}, "population must be an integer of at most 1,000,000,000,000,000, not 1000"),
        ({"progress": "no"}, "progress must be True or False, not 'no'"),
        ({"order_parameters": None}, 'order_parameters says how order parameters are iterated; add iterations="auto"'),
        ({"replicas": -1}, "replicas must be an integer of at least 1, not -1"),
        ({"every": 0}, "every must be an integer of at least 1, not 0"),
        ({"keep": -1}, "keep must be an integer of at least 0, not -1"),
        ({"seed": -3}, "seed must be an integer of at least 0, not -3"),
        ({"seed": "a"}, "seed must be an integer of at least 0, not 'a'"),
        ({"tolerance": 0}, "tolerance must be a number between 0 and 1, such as 1e-3, not 0"),
        ({"tolerance": np.nan}, "tolerance must be a number between 0 and 1, such as 1e-3, not nan"),
        ({"dtype": "int"}, "dtype must be 'float64' or 'float32', not 'int'"),
        ({"dtype": None}, "dtype must be 'float64' or 'float32', not None"),
        ({"client": "localhost"}, "client must be a dask.distributed.Client, not 'localhost'"),
    ],
)
def test_options_of_sample(options: dict[str, Any], says: str) -> None:
    assert says in refusal(InputError, lambda: sample(**SHORT, **options))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 0}, "size must be an integer of at least 2, not 0"),
        ({"population": 100}, "population is an option of sample, not of simulate"),
        ({"matrix": "no"}, "matrix must be True or False, not 'no'"),
    ],
)
def test_options_of_simulate(options: dict[str, Any], says: str) -> None:
    assert says in refusal(InputError, lambda: simulate(**SHORT, **options))


def test_programs_that_no_call_could_run() -> None:
    def with_seed(net: Any, *, seed: int = 1) -> None:
        raise NotImplementedError

    def without_net() -> None:
        raise NotImplementedError

    def with_required(net: Any, *, g: float) -> None:
        raise NotImplementedError

    def silent(net: Any) -> None:
        net.sites().normal()

    def generator(net: Any) -> Any:
        yield net.sites().normal()

    says = "the parameter 'seed' of with_seed is an option of the call; rename it"
    assert says in refusal(InputError, lambda: sample(with_seed))
    assert "a program is a function that takes net, not 'random_rnn'" in refusal(
        InputError, lambda: sample("random_rnn")
    )
    assert "takes net, not <class 'dict'>" in refusal(InputError, lambda: sample(dict))
    assert "without_net must take the network as its first argument" in refusal(InputError, lambda: sample(without_net))
    assert "with_required needs a value for g" in refusal(InputError, lambda: sample(with_required))
    assert "silent records nothing; let it say net.record" in refusal(InputError, lambda: sample(silent))
    assert "yield" in refusal(ProgramError, lambda: sample(generator))


# ----------------------------------------------------------------------------- what clocks, layers and groups are given
def plain(
    net: Any,
    *,
    ratio: Any = 1.0,
    gain: Any = 1.0,
    symmetry: Any = 0.0,
    dt: Any = 0.1,
    duration: Any = 1.0,
    layers: Any = 2,
    order: Any = 2,
) -> None:
    """Hand parameters of which nothing is said to the words of net."""
    sites = net.sites(ratio)
    J = net.coupling(sites, gain=gain, symmetry=symmetry)
    net.tensor_coupling(sites, order=order)
    h = sites.normal()
    for layer in net.layers(layers):
        net.record(layer, z=1.0)
    for t in net.clock(duration, dt):
        net.record(t, h=h)
        h = J @ h


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"gain": np.nan}, "the gain of a coupling must be finite, not nan"),
        ({"gain": np.inf}, "the gain of a coupling must be finite, not inf"),
        ({"gain": "2"}, "the gain of a coupling must be a number, not '2'"),
        ({"symmetry": 1.5}, "the symmetry of a coupling lies between -1 and 1, not at 1.5"),
        ({"dt": np.nan}, "a clock needs a finite duration >= 0 and a finite dt > 0, not 1.0 and nan"),
        ({"dt": 0.3, "duration": 1}, "the duration 1 is not a whole number of steps of 0.3"),
        ({"dt": 1e9, "duration": 1}, "the duration 1 is not a whole number of steps of 1000000000.0"),
        ({"duration": "long"}, "the duration of a clock must be a number, not 'long'"),
        ({"ratio": -1}, "the ratio of a group to N must be positive and at most 1,000,000, not -1"),
        ({"order": 1}, "the order of a tensor coupling is an integer above 1, not 1"),
        ({"layers": 2.5}, "the number of layers must be an integer of at least 0, not 2.5"),
    ],
)  # fmt: skip
def test_parameters_that_mean_nothing(parameters: dict[str, Any], says: str) -> None:
    message = refusal(ProgramError, lambda: sample(plain, **parameters))
    assert says in message and "in plain, line " in message


# -------------------------------------------------------------------------------- what a program cannot say
def two_groups(net: Any, *, statement: str) -> None:
    """Say one wrong thing."""
    neurons, data = net.sites(name="neuron"), net.sites(0.5, name="datum")
    J = net.coupling(data, neurons)
    x, y = neurons.normal(), data.normal()
    for t in net.clock(0.3, 0.1):
        net.record(t, kept=x)
        exec(compile(statement, "statement", "exec"), {"np": np}, dict(locals()))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("J @ y", "be a site vector of the group 'neuron', (sites,) or (sites, columns), not a vector over 'datum'"),
        ("J.T @ x", "multiplied by J.T must be a site vector of the group 'datum'"),
        ("x @ J", "write J.T @ x instead of x @ J"),
        ("y @ J.T", "write J @ y instead of y @ J.T"),
        ("J @ x[:50]", "not an array of shape (50,)"),
        ("J @ 3.0", "not 3.0"),
        ("J @ (1j * x)", "not an array of type complex128"),
        ("J * 2", "a coupling is not multiplied by a number, its product is; write c * (J @ x)"),
        ("J.add(x, y)", "the left vector of J.add must be a site vector of the group 'datum'"),
        ("J.add(y, np.stack([x, x], axis=1))", "J.add was given 1 left and 2 right inner columns"),
        ("J.add(net.coupling(data, neurons))", "only a coupling of gain 0 between the same groups"),
        ("J.scale('half')", "the factor of J.scale must be a number, not 'half'"),
        ("net.overlap(x, y)", "an overlap needs two vectors of one group"),
        ("net.mean(3)", "net.mean takes a site vector, not 3"),
        ("neurons.normal(0)", "the number k of inner columns must be an integer above 0, not 0"),
        ("neurons.normal(covariance=[[1, 2], [2, 1]])", "covariance has the negative eigenvalue -1"),
        ("neurons.bernoulli(2)", "a probability lies between 0 and 1, not at 2"),
        ("neurons.choice([1, 2], probabilities=[1])", "choice needs one probability per option"),
        ("neurons.choice([])", "choice needs at least one option"),
        ("net.sites(name='time')", "'time' cannot be the name of a group"),
        ("net.sites('neuron')", "the ratio of a group to N must be a number, not 'neuron'"),
        ("net.coupling(3)", "a coupling needs groups made by net.sites, not 3"),
        ("net.coupling(data, neurons, symmetry=0.5)", "only a coupling of one group with itself has a symmetry"),
        ("net.tensor_coupling(neurons, order=3).force(np.stack([x, x], axis=1))", "acts on one vector of spins"),
        ("net.source(x)", "a source needs groups made by net.sites"),
        ("net.source(neurons, at=7)", "at=7 is not a time of the loop"),
        ("net.source(neurons, name='a b')", "'a b' cannot be the name of a source"),
        ("net.source(neurons); net.source(neurons, name='b')", "several sources act on 'neuron'; give each a name="),
        ("list(net.steps(-1))", "the number of steps must be an integer of at least 0, not -1"),
        ("net.record(t, z=None)", "'z' must be a site vector, a list of them, a number or a small array to be"),
        ("net.record(t, z=np.ones((2, 2, 2)))", 'as in record(t, z=(("output",), z))'),
        ("net.record(t, z=[x, y[:, None]])", "the list recorded as 'z' must hold site vectors"),
        ("net.record(t, z=[x, 3.0])", "the list recorded as 'z' must hold site vectors"),
        ("net.record(t, z=x if t > 0.1 else y)", "'z' is recorded with another shape than before"),
        ("net.record(t, kept=x)", "'kept' was recorded at time 0.0 before"),
        ("net.record(t, C_kept=1.0)", "the records 'C_kept' and 'kept' would both become 'C_kept'"),
        ("net.record(t, time=1.0)", "'time' cannot be the name of a record"),
        ("net.record(0.25, z=1.0)", "net.record was given 0.25, which is not the time of a running loop"),
        ("net.recrod(t, z=1.0)", "net has no word 'recrod' (did you mean 'record'?)"),
        ("x + y", "a vector over 'neuron' and a vector over 'datum' do not fit together site by site"),
        ("np.linalg.inv(np.zeros((2, 2)))", "LinAlgError: Singular matrix"),
        ("x[10**6]", "a site is picked out by its number, 1000000, and sites have none"),
        ("raise RuntimeError('of my own')", "RuntimeError: of my own"),
    ],
)  # fmt: skip
def test_statements_that_mean_nothing(statement: str, says: str) -> None:
    """Also at N = infinity, where every group has the same number of samples."""
    for call in (sample, simulate):
        assert says in refusal(ProgramError, lambda call=call: call(two_groups, statement=statement))


def test_the_message_names_the_line_of_the_program() -> None:
    def mine(net: Any) -> None:
        neurons = net.sites()
        h = neurons.normal()
        for t in net.steps(3):
            net.record(t, h=h)
            h = h + np.ones(7)  # not a site vector

    message = refusal(ProgramError, lambda: sample(mine))
    line = mine.__code__.co_firstlineno + 5
    assert f"in mine, line {line} (`h = h + np.ones(7)  # not a site vector`)" in message


def test_words_outside_their_loop() -> None:
    def source(net: Any) -> None:
        net.source(net.sites())

    def record(net: Any) -> None:
        net.record(0, h=net.sites().normal())

    assert "a source or a force belongs inside a loop" in refusal(ProgramError, lambda: sample(source))
    assert "which is not the time of a running loop" in refusal(ProgramError, lambda: sample(record))


# ------------------------------------------------------------------------ programs that change between runs
def test_a_program_that_draws_differently_in_two_replicas() -> None:
    calls = itertools.count()

    def moody(net: Any) -> None:
        neurons = net.sites()
        h = neurons.normal()
        for t in net.steps(5):
            if next(calls) % 7 == 3:
                h = h + neurons.normal()
            net.record(t, h=h)

    message = refusal(ProgramError, lambda: sample(moody))
    assert "another run of it came to" in message
    assert "it must draw, multiply, average and record in the same order" in message
    assert "in moody, line " in message


def test_a_program_that_stops_early_in_one_replica() -> None:
    runs = itertools.count()

    def short(net: Any) -> None:
        neurons = net.sites()
        for t in net.steps(3):
            net.record(t, h=neurons.normal())
        if next(runs) < 3:  # in its rehearsal and the two replays
            neurons.normal()

    assert "the program ends where another run of it came to normal site" in refusal(
        ProgramError, lambda: sample(short)
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_record_that_changes_its_shape(first: bool) -> None:
    runs = itertools.count()

    def shapes(net: Any) -> None:
        h = net.sites().normal()
        vector = (next(runs) == 0) is first
        for t in net.steps(3):
            net.record(t, h=h if vector else 3.0)

    refusal(ProgramError, lambda: sample(shapes))


# --------------------------------------------------------------------------------------- runs that go wrong
def not_finite_from(net: Any, *, when: float) -> None:
    neurons = net.sites()
    J = net.coupling(neurons)
    h = neurons.normal()
    for t in net.clock(1, 0.1):
        net.record(t, h=h, size=net.overlap(h, h))
        h = h + 0.1 * (J @ np.tanh(h))
        if t >= when:
            h = h * np.nan


@pytest.mark.parametrize("call", [sample, simulate])
def test_a_run_that_turns_nan_says_when_and_keeps_what_it_had(call: Callable[..., Any]) -> None:
    says = r"replica 0: at time 0\.6, in not_finite_from, line \d+ .* the recorded vector 'h'"
    with pytest.raises(NotFinite, match=says) as caught:
        call(not_finite_from, when=0.5)
    partial = caught.value.partial
    assert list(partial.time.values) == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert np.all(np.isfinite(partial.C_h)) and np.all(np.isfinite(partial.C_h_stderr))
    assert partial.attrs["incomplete"] == str(caught.value)


def test_a_number_that_turns_nan() -> None:
    def root(net: Any) -> None:
        neurons = net.sites()
        neurons.normal()
        for t in net.steps(5):
            net.record(t, z=np.sqrt(2.5 - t))

    assert "at time 3, in root" in refusal(NotFinite, lambda: sample(root))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("call", "options"), [(sample, {"population": 400}), (simulate, {}), (simulate, {"matrix": False})]
)
def test_a_run_that_grows_without_bound(call: Callable[..., Any], options: dict[str, Any], dtype: str) -> None:
    def explosion(net: Any) -> None:
        neurons = net.sites()
        J = net.coupling(neurons)
        h = neurons.normal()
        for t in net.clock(10, 0.1):
            net.record(t, h=h)
            h = h + 1e5 * (J @ h)

    with pytest.raises(NotFinite, match=r"at time \d\.\d, in explosion") as caught:
        call(explosion, dtype=dtype, **options)
    assert 3 < caught.value.partial.sizes["time"] < 60


def test_rates_that_are_nan_are_found_in_the_run() -> None:
    def noisy(net: Any, *, noise: float) -> None:
        data = net.sites()
        for t in net.clock(1.0, 0.5):
            net.record(t, delta=noise * data.normal())

    assert "at time 0.0, in noisy" in refusal(NotFinite, lambda: sample(noisy, noise=np.nan))


# ------------------------------------------------------------------------------------- runs that cannot fit
def test_a_population_too_small_for_the_draws_is_refused_before_the_run() -> None:
    message = refusal(PopulationTooSmall, lambda: sample(ss.models.spherical_pspin, scheme="euler", population=50))
    assert message.startswith("a population of 50 samples is too small: the program draws 202 vectors")
    assert "use a population above 203" in message


def test_a_population_too_small_for_the_basis_is_refused_when_it_shows() -> None:
    message = refusal(PopulationTooSmall, lambda: sample(population=60))
    assert re.match(r"at time \d\.\d+: a population of 60 samples is too small: its draws must be orthogonal", message)
    assert "use a population above 61" in message


@pytest.mark.parametrize(
    ("call", "program", "options"),
    [
        (sample, "random_rnn", {"population": 10**9}),
        (simulate, "random_rnn", {"size": 10**6}),
        (simulate, "random_rnn", {"size": 10**9, "matrix": False}),
        (simulate, "spherical_pspin", {"size": 10**5}),
    ],
)
def test_a_run_that_does_not_fit_the_memory(call: Callable[..., Any], program: str, options: dict[str, Any]) -> None:
    message = refusal(OutOfMemory, lambda: call(getattr(ss.models, program), **options))
    what, size = next(iter(options.items()))
    says = rf"a {what} of {size} need [\d.]+ GiB, and [\d.]+ GiB are free; a {what} of about (\d+) would fit"
    found = re.search(says, message)
    assert found is not None, message
    assert 1 < int(found[1]) < size


def test_records_that_do_not_fit_the_memory() -> None:
    def many_columns(net: Any) -> None:
        h = net.sites().normal(100)
        for t in net.steps(10_000):
            net.record(t, h=h)

    message = refusal(OutOfMemory, lambda: sample(many_columns))
    assert "thin the records with every=" in message


def test_no_exact_law_without_a_tensor() -> None:
    message = refusal(InputError, lambda: simulate(ss.models.spherical_pspin, matrix=False))
    assert message.startswith("spherical_pspin has a tensor coupling, which has no exact law without its tensor")
    assert message.endswith("use matrix=True")


def test_comparing_what_has_nothing_in_common() -> None:
    left = sample(**SHORT)
    right = sample(ss.models.spherical_pspin, population=300, duration=1.0)
    assert "share no variable" in refusal(InputError, lambda: ss.compare(left, right))


# ------------------------------------------------------------------------------------------------ paths and sizes
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"checkpoint": "/proc/nope"}, "the checkpoint folder /proc/nope cannot be written: "),
        ({"checkpoint": "/dev/null"}, "the checkpoint folder /dev/null is a file: name a folder, which may be a new"),
        ({"checkpoint": ""}, "checkpoint must be a path, not an empty one"),
        ({"export": "/dev/null/x.zarr", "keep": "all"}, "the folder of the export, /dev/null is a file: name a folder"),
        ({"export": "", "keep": "all"}, "export must be a path, not an empty one"),
        ({"order_parameters": ""}, "a result is stored under a path, not ''"),
    ],
)
def test_paths_that_cannot_be_meant(options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "run", lambda *_: pytest.fail("work was started"))
    with pytest.raises(InputError) as caught:
        sample(iterations=1, chunk=100, **SHORT, **options)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [3, "", None])
def test_a_result_is_opened_by_a_path(path: Any) -> None:
    assert refusal(StorageError, lambda: ss.open_result(path)) == f"a result is stored under a path, not {path!r}"


def test_a_population_of_too_many_chunks_is_refused_with_the_chunk_that_would_do() -> None:
    """At once: a list of so many chunks would take minutes."""
    message = refusal(InputError, lambda: sample(population=10**12, iterations=1, **SHORT))
    assert message == (
        "a population of 1000000000000 in chunks of 8192 makes 122,070,313 chunks for each replica, and 1,000,000 are "
        "the most; use a chunk of at least 1000000"
    )
