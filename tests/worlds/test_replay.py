"""Programs that are not legal are caught before they run; those that are pass, whatever NumPy they are written in."""

import functools
import itertools
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.stats

import sitesampler as ss
from sitesampler.errors import ProgramError
from sitesampler.worlds.rehearsal import rehearse
from sitesampler.worlds.replay import replay
from sitesampler.worlds.tape import FEW, OTHERS, SiteAnswer, Tape

Step = Callable[[Any], Any]


def check(program: Any, **parameters: Any) -> Tape:
    """Rehearse a program and replay it, as each call does before it runs."""
    tape = Tape()
    replay(program, parameters, rehearse(program, parameters, tape=tape), tape)
    return tape


def model(step: Step, late: bool = False) -> Any:
    """Return a random network in which a step acts on the currents: at all times, or late ones only."""

    def program(net: Any) -> None:
        neurons = net.sites(name="neuron")
        J = net.coupling(neurons, gain=1.2)
        h = neurons.normal()
        for t in net.clock(2.0, 0.25):
            net.record(t, h=h)
            x = step(h) if t > 1.5 or not late else h
            h = h + 0.25 * (J @ np.tanh(x) - h)

    return program


# ---------------------------------------------------------------------------------------------- what is not legal
MIXED, ORDER, PLACE = (
    "mixes the sites or counts them; a site knows",
    "depends on the order of the sites",
    "depends on where in the",
)
NUMBER, AGAIN = "depends on the number of sites", "is another when the program runs again"
GLOBAL = "has used the global generator"

OUTSIDE: dict[str, Any] = {"generator": np.random.default_rng(3), "list": [], "number": 0, "first": True}
TABLE = np.random.default_rng(5).normal(size=10_000)


def changed(h: Any, **places: Any) -> Any:
    """Return a copy with other values at some places, ``first=3`` those before the third."""
    h = h.copy()
    for name, place in places.items():
        h[slice(place) if name == "first" else place] = 1.0
    return h


def count_outside(h: Any) -> Any:
    OUTSIDE["number"] += 1
    return h + OUTSIDE["number"]


def append_outside(h: Any) -> Any:
    OUTSIDE["list"].append(1)
    return h * len(OUTSIDE["list"])


def know_the_first_run(h: Any) -> Any:
    was, OUTSIDE["first"] = OUTSIDE["first"], False
    return 2 * h if was else h


def count_on_itself(h: Any) -> Any:
    count_on_itself.calls = getattr(count_on_itself, "calls", 0) + 1  # type: ignore[attr-defined]
    return h + count_on_itself.calls  # type: ignore[attr-defined]


@functools.cache
def remembered(sites: int) -> Any:
    return np.random.default_rng().normal(size=sites)


def seeded(h: Any, size: Any = None) -> Any:
    np.random.seed(0)  # noqa: NPY002
    return h + np.random.normal(size=size)  # noqa: NPY002


def seeded_of_python(h: Any) -> Any:
    random.seed(0)
    return h + random.random()


def one_after_the_other(h: Any) -> Any:
    h = h.copy()
    for site in range(1, len(h)):
        h[site] += 0.1 * h[site - 1]
    return h


WRONG: dict[str, tuple[Step, str]] = {
    "mean": (lambda h: h - h.mean(), MIXED),
    "small mean": (lambda h: h - 1e-6 * h.mean(), MIXED),
    "sum": (lambda h: h * h.sum(), MIXED),
    "reduce": (lambda h: h - np.add.reduce(h), MIXED),
    "prod": (lambda h: h * np.prod(h), MIXED),
    "std": (lambda h: h / h.std(), MIXED),
    "median": (lambda h: h - np.median(h), MIXED),
    "max": (lambda h: h / h.max(), MIXED),
    "ptp": (lambda h: h / np.ptp(h), MIXED),
    "norm": (lambda h: h / np.linalg.norm(h), MIXED),
    "dot": (lambda h: h * (h @ h), MIXED),
    "overlap by hand": (lambda h: h * np.dot(h, h) / len(h), MIXED),
    "einsum": (lambda h: h * np.einsum("i,i", h, h), MIXED),
    "outer": (lambda h: np.outer(h, h).sum(1), MIXED),
    "cov": (lambda h: h * np.cov(h), MIXED),
    "softmax": (lambda h: np.exp(h) / np.exp(h).sum(), MIXED),
    "zscore": (scipy.stats.zscore, MIXED),
    "rank": (scipy.stats.rankdata, MIXED),
    "quantile": (lambda h: h > np.quantile(h, 0.9), MIXED),
    "count": (lambda h: h * np.count_nonzero(h > 0), MIXED),
    "interp among sites": (lambda h: np.interp(h, np.sort(h), np.linspace(0, 1, len(h))), MIXED),
    "sign of the sum": (lambda h: h * np.sign(h.sum()), MIXED),
    "if max": (lambda h: 2 * h if h.max() > 2.5 else h, MIXED),
    "if any": (lambda h: 2 * h if (h > 2.5).any() else h, MIXED),
    "sort": (np.sort, ORDER),
    "reverse": (lambda h: h[::-1], ORDER),
    "argsort": (lambda h: h[np.argsort(h)], ORDER),
    "roll": (lambda h: np.roll(h, 1), ORDER),
    "pairs, where the number is even": (lambda h: np.repeat(h[::2], 2) if len(h) % 2 == 0 else h, ""),
    "first": (lambda h: h * h[0], ORDER),
    "last": (lambda h: h - h[-1], ORDER),
    "shuffle": (lambda h: np.random.default_rng(0).permutation(h), ORDER),
    "smoothing": (lambda h: scipy.ndimage.gaussian_filter1d(h, 2), ORDER),
    "integral": (lambda h: h * np.trapezoid(h), ORDER),
    "hash": (lambda h: h * (1 + 1e-3 * (hash(h.tobytes()) % 1000)), ORDER),
    "cumsum": (np.cumsum, PLACE),
    "diff": (lambda h: np.diff(h, prepend=0), PLACE),
    "fft": (lambda h: np.fft.fft(h).real, PLACE),
    "convolve": (lambda h: np.convolve(h, [0.3, 0.3, 0.3], "same"), PLACE),
    "one after the other": (one_after_the_other, PLACE),
    "arange": (lambda h: h + np.arange(len(h)), PLACE),
    "parity": (lambda h: h * (-1.0) ** np.arange(len(h)), PLACE),
    "linspace": (lambda h: h * np.linspace(0, 1, len(h)), PLACE),
    "set the first": (lambda h: changed(h, site=0), PLACE),
    "set the first ten": (lambda h: changed(h, first=10), PLACE),
    "set the first hundred": (lambda h: changed(h, first=100), PLACE),
    "winner": (lambda h: np.where(np.arange(len(h)) == np.argmax(h), 0, h), PLACE),
    "table by place": (lambda h: h + TABLE[: len(h)], PLACE),
    "generator inside": (lambda h: h + np.random.default_rng(0).normal(size=len(h)), PLACE),
    "random state": (lambda h: h + scipy.stats.norm.rvs(size=len(h), random_state=3), PLACE),
    "memory by size": (lambda h: h + remembered(len(h)), PLACE),
    "seeded, per site": (lambda h: seeded(h, h.shape), PLACE),
    "len": (lambda h: h * len(h), NUMBER),
    "small len": (lambda h: h + 1e-6 * len(h), NUMBER),
    "if len": (lambda h: h if len(h) > 100 else 2 * h, NUMBER),
    "generator outside": (lambda h: h + OUTSIDE["generator"].normal(size=h.shape), AGAIN),
    "common noise": (lambda h: h + OUTSIDE["generator"].normal(), AGAIN),
    "unseeded generator": (lambda h: h + np.random.default_rng().normal(size=len(h)), AGAIN),
    "np.random": (lambda h: h + np.random.normal(size=h.shape), AGAIN),  # noqa: NPY002
    "np.random, common": (lambda h: h + np.random.normal(), AGAIN),  # noqa: NPY002
    "scipy.stats": (lambda h: h + scipy.stats.norm.rvs(), AGAIN),
    "one at random": (lambda h: changed(h, site=np.random.randint(len(h))), AGAIN),  # noqa: NPY002
    "random": (lambda h: h + random.random(), AGAIN),
    "time": (lambda h: h * (1 + time.perf_counter() % 1), AGAIN),
    "counter": (count_outside, AGAIN),
    "list": (append_outside, AGAIN),
    "first run": (know_the_first_run, AGAIN),
    "attribute": (count_on_itself, AGAIN),
    "seeded": (seeded, GLOBAL),
    "seeded, random": (seeded_of_python, GLOBAL),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_legal_is_refused_with_its_line_and_kind(name: str) -> None:
    OUTSIDE["first"] = True
    step, kind = WRONG[name]
    with pytest.raises(ProgramError) as caught:
        check(model(step))
    message = str(caught.value)
    assert message.startswith("in program, line ") and kind in message, message
    assert "what J is given" in message or kind == GLOBAL, message
    assert "\n" not in message and ". " not in re.sub(r"`[^`]*`", "", message)


@pytest.mark.parametrize("name", ["mean", "max", "sort", "roll", "first", "len", "arange", "quantile", "common noise"])
def test_late_times_are_replayed_too(name: str) -> None:
    step, kind = WRONG[name]
    with pytest.raises(ProgramError, match=re.escape(kind)):
        check(model(step, late=True))


@pytest.mark.parametrize(
    ("step", "kind"),
    [(lambda h: changed(h, first=500), PLACE), (lambda h: 2 * h if len(h) > 1_000 else h, NUMBER)],
)  # fmt: skip
def test_what_shows_with_many_sites_only(step: Step, kind: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(kind)):
        check(model(step))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda h: h + h[150], "a site is picked out by its number, 150, and sites have none"),
        (lambda h: h + np.resize(h, 211), "do not fit together site by site, when the program runs with 13 of its"),
        (lambda h: h.reshape(211, 1)[:, 0], "when the program runs with 13 of its sites in another order; neither num"),
    ],
)  # fmt: skip
def test_what_fails_with_other_sites(step: Step, says: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(says)):
        check(model(step))


WHOLE = {
    "h = h / np.abs(h).max()": "the record 'h' mixes the sites",
    "h *= np.sign(h.sum())": "the record 'h' mixes the sites",
    "net.record(0, top=h.max())": "the record 'top' mixes the sites",
    "net.record(0, ten=h[:10])": "the record 'ten' depends on the order of the sites",
    "net.record(0, count=len(h))": "the record 'count' depends on the number of sites",
    "net.record(0, size=n.size, h=h)": "the record 'size' depends on the number of sites",
    "net.record(0, alpha=m.size / n.size)": "the record 'alpha' mixes the sites or counts them",
    "net.record(0, layers=[h, h * h.mean()])": "the record 'layers' mixes the sites",
    "net.record(0, w=(('input',), [h.mean(), 1.0]))": "the record 'w' mixes the sites",
    "K = net.coupling(n, gain=h.std())": "what net.coupling is given mixes the sites",
    "K = net.coupling(n, gain=1 / np.sqrt(len(h)))": "what net.coupling is given depends on the number of sites",
    "n.normal(covariance=[[1.0, 0.0], [0.0, h.var()]])": "what group.normal is given mixes the sites",
    "n.uniform(high=h.max())": "what group.uniform is given mixes the sites",
    "n.bernoulli(np.mean(h > 0))": "what group.bernoulli is given mixes the sites",
    "n.choice([-1, h.max()])": "what group.choice is given mixes the sites",
    "n.values(np.linspace(0, 1, n.size))": "what group.values is given depends on where in the array",
    "net.mean(h * h.mean())": "what net.mean is given mixes the sites",
    "net.overlap(h, np.roll(h, 1))": "what net.overlap is given depends on the order of the sites",
    "J.add(h, h, strength=1 / h.sum())": "what J.add is given mixes the sites",
    "J.add(h, h[::-1])": "what J.add is given depends on the order of the sites",
    "J.scale(1 - 1e-3 * h.var())": "what J.scale is given mixes the sites",
    "J.outlier_eigenvalues(h, np.sort(h))": "what J.outlier_eigenvalues is given depends on the order of the sites",
    "W.T @ (y / np.linalg.norm(y))": "what J.T is given mixes the sites",
    "T.force(s - s.mean())": "what K.force is given mixes the sites",
    "[_ for _ in net.clock(h.std(), h.std() / 5)]": "what net.clock is given mixes the sites",
    "[_ for _ in net.clock(1.0, 1.0 / len(h) * 211)]": "the duration 1.0 is not a whole number of steps of 16.23076923",
    "[_ for _ in net.steps(len(h))]": "the program goes on in another way with other sites; np.where(condition, a, b)",
    "h.max() > 2 and net.mean(h)": "the program goes on in another way with other sites; np.where(condition, a, b)",
    "net.sites(ratio=len(h) / 211)": "the program goes on in another way with other sites",
    "net.record(0, h=h + net.source(n, name='a').mean())": "the record 'h' mixes the sites",
    "h = h + n.draws.generator.normal(size=h.shape)": "the record 'h' depends on where in the array a site stands",
    "h = J.matrix.entries @ h": "AttributeError: 'GaussianMatrix' object has no attribute 'entries', when the program",
    "P = np.random.default_rng(1).normal(size=(3, n.size)); h = P.T @ np.ones(3)": "depends on where in the array",
}


def whole(words: str) -> Any:
    """Return a program that says some words once."""

    def program(net: Any) -> None:
        n, m = net.sites(name="neuron"), net.sites(ratio=0.5, name="datum")
        J, W, T = net.coupling(n), net.coupling(m, n), net.tensor_coupling(n, order=3)
        h, s, y = n.normal(), n.normal(), m.normal()
        for t in net.steps(1):
            said = {"net": net, "n": n, "m": m, "J": J, "W": W, "T": T, "h": h, "s": s, "y": y, "np": np, "t": t}
            exec(words, said)
            net.record(t, h=said["h"])

    return program


@pytest.mark.parametrize("words", WHOLE)
def test_every_word_is_listened_to(words: str) -> None:
    with pytest.raises(ProgramError) as caught:
        check(whole(words))
    assert WHOLE[words] in str(caught.value)


def test_the_line_is_that_which_hands_it_over() -> None:
    with pytest.raises(ProgramError) as caught:
        check(model(np.sort))
    assert str(caught.value) == (
        f"in program, line {model.__code__.co_firstlineno + 10} (`h = h + 0.25 * (J @ np.tanh(x) - h)`): what J is "
        "given depends on the order of the sites, which have none: they cannot be sorted, shifted, added up one after "
        "the other, or picked out by an index; sites mix through net.mean(x), net.overlap(x, y) and couplings only"
    )


def test_a_program_that_catches_errors_is_refused_all_the_same() -> None:
    def program(net: Any) -> None:
        neurons = net.sites()
        for t in net.steps(2):
            h = neurons.normal()
            net.record(t, h=h)
            try:
                if h.max() > 1:
                    net.mean(h)
            except Exception:
                break

    with pytest.raises(ProgramError, match="the program goes on in another way with other sites"):
        check(program)


def test_what_is_kept_from_the_last_run_is_said_with_its_line() -> None:
    history: list[Any] = []

    def delayed(net: Any) -> None:
        neurons = net.sites()
        J, h = net.coupling(neurons), neurons.normal()
        for t in net.steps(5):
            history.append(h)
            net.record(t, h=h)
            h = J @ np.tanh(history[-3] if len(history) > 3 else h)

    with pytest.raises(ProgramError, match=r"in delayed, line .*, when the program runs again: it draws random"):
        check(delayed)


def test_a_call_refuses_before_anything_runs() -> None:
    for call in (ss.sample, ss.simulate):
        with pytest.raises(ProgramError, match="mixes the sites"):
            call(model(lambda h: h - h.mean()), seed=0)


# --------------------------------------------------------------------------------------------------- what is legal
def in_place(h: Any) -> Any:
    h = h.copy()
    h += 1.0
    h[h > 1.0] = 1.0
    h[:] = h[:] * 0.5
    return h


def columns(h: Any) -> Any:
    X = np.stack([h, -h, 2 * h], axis=1)
    Y = np.sort(X, axis=1)[:, 0] + np.linalg.norm(X, axis=1) + (X @ np.ones((3, 2)))[:, 1] + X.mean(axis=-1)
    return Y + np.cumsum(X, axis=1)[:, 2] + np.einsum("ij,ij->i", X, X) + np.roll(X, 1, axis=1)[:, 0]


def filled(h: Any) -> Any:
    out = np.empty(len(h))
    out[:] = h
    return out


def until_it_settles(h: Any) -> Any:
    x = np.zeros_like(h)
    while True:
        x, before = h - 0.3 * np.tanh(x), x
        if np.max(np.abs(x - before)) < 1e-13:
            return x


def keep_a_diary(h: Any) -> Any:
    OUTSIDE["list"].append(float(h.mean()))
    return h


LEGAL: dict[str, Step] = {
    "nothing": lambda h: h,
    "where": lambda h: np.where(h > 0, h, 0),
    "mask": in_place,
    "inner columns": columns,
    "ones": lambda h: h + np.ones(len(h)) + np.zeros_like(h) + np.full(h.shape, 0.5),
    "filled": filled,
    "loop over sites": lambda h: np.array([min(x, 1.0) for x in h]),
    "vectorize": lambda h: np.vectorize(lambda x: max(x, 0.0))(h),
    "complex inside": lambda h: np.abs(np.exp(1j * h)) + np.angle(np.exp(1j * h)),
    "integers inside": lambda h: np.floor(h).astype(int) % 3 + (h > 0),
    "table by value": lambda h: TABLE[np.clip((10 * h).astype(int) + 50, 0, 99)],
    "interp": lambda h: np.interp(h, np.linspace(-3, 3, 50), np.tanh(np.linspace(-3, 3, 50))),
    "searchsorted": lambda h: np.searchsorted([-1.0, 0.0, 1.0], h),
    "iteration": until_it_settles,
    "newton": lambda h: scipy.optimize.newton(lambda x: x + 0.3 * np.tanh(x) - h, h.copy()),
    "a fixed number": lambda h: h + np.random.default_rng(0).normal(),
    "a diary": keep_a_diary,
    "float32": lambda h: h.astype(np.float32) * 2,
    "a list": lambda h: np.array(list(h)),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_passes(name: str) -> None:
    check(model(LEGAL[name]))


LEGAL_WHOLE = [
    "h += 1; net.record(0, before=h); h *= 2",
    "x = J @ h; x[x > 0] = 0; h[:] = x",
    "m_ = net.mean(np.stack([h, s], 1)); m_ *= 0; h = h + m_[0]",
    "net.record(0, w=(('mode',), np.arange(211.0)), v=(('mode',), np.ones(211)))",
    "net.record(0, w=net.mean(n.normal(211)), q=(('a', 'b'), net.overlap(n.normal(211), n.normal(211))))",
    "J @ list(h)",
    "net.record(0, layers=[h, np.tanh(h)], pair=[h, n.normal()])",
    "J.add(h, s, strength=net.overlap(h, s)); J.scale(0.9); V = net.coupling(n, gain=0); V.add(h, h); J.add(V)",
    "net.record(0, outliers=J.outlier_eigenvalues(h), top=W.outlier_singular_values(left=[y]).overlaps.sum())",
    "h = h + T.force(s)",
    "h = h + net.source(n, name='a') + net.source(n, name='b', at=0)",
    "h = h * n.values([1.0, 2.0, 3.0]) + n.values(np.linspace(0, 1, 211)[:50])",
    "batch = n.bernoulli(0.3); h = np.where(batch == 1, h, 0) / 0.3",
    "h = h * (n.choice([0.1, 0.7], probabilities=[0.2, 0.8]) == 0.1)",
    "net.record(0, y=W @ h, x=W.T @ y); y = y * np.exp(800) - y * np.exp(800)",
    "h = h * net.sites(ratio=0.25).ratio",
    "h = h if net.mean(h) > 5 else -h",
]


@pytest.mark.parametrize("words", LEGAL_WHOLE)
def test_what_is_legal_of_all_words_passes(words: str) -> None:
    check(whole(words))


MODELS = [path.stem for path in Path(ss.models.__file__).parent.glob("[a-z]*.py")]


@pytest.mark.parametrize("name", MODELS)
def test_the_models_are_legal(name: str) -> None:
    short = {"random_rnn_lyapunov": {"duration": 20.0, "transient": 5.0}}
    check(getattr(ss.models, name), **short.get(name, {}))


def test_rounding_is_no_mixing() -> None:
    """Chaotic maps at each site make O(1) of what rounding does, which may depend on the place in an array."""

    def maps(net: Any) -> None:
        sites = net.sites()
        J, x = net.coupling(sites, gain=0.01), sites.uniform()
        for t in net.steps(150):
            net.record(t, x=x)
            rounded = x * (1 + 1.2e-16 * (np.arange(len(x)) % 3))
            x = np.abs(3.9 * rounded * (1 - rounded) + J @ x) % 1

    check(maps)


def test_rounding_in_single_precision_is_no_mixing() -> None:
    """BLAS adds up inner columns in an order that depends on the number of rows, here to a part in ten million."""

    def single(net: Any) -> None:
        sites = net.sites()
        w, X = np.linspace(-1, 1, 64, dtype=np.float32), sites.normal(64)
        for t in net.steps(3):
            X = np.tanh(X + (X.astype(np.float32) @ w)[:, None])
            net.record(t, h=X[:, 0])

    check(single)


def test_a_zero_that_rounding_decides_is_no_mixing() -> None:
    def ties(net: Any) -> None:
        sites = net.sites()
        x = sites.normal()
        for t in net.steps(3):
            rest = (x + 0.3 * x) - 1.3 * x * (1 + 1.2e-16 * (np.arange(len(x)) % 2))
            net.record(t, rest=rest, sign=np.sign(rest))

    check(ties)


# ------------------------------------------------------------------------------------------------------- what it costs
def test_each_call_replays_and_no_piece_does() -> None:
    runs = itertools.count()

    def program(net: Any, *, g: float = 1.0) -> None:
        next(runs)
        neurons = net.sites()
        J, h = net.coupling(neurons, gain=g), neurons.normal()
        for t in net.steps(2):
            net.record(t, h=h)
            h = J @ h

    ss.simulate(program, size=50, replicas=4, seed=0)
    assert next(runs) == 1 + 2 + 4  # a rehearsal, its replays, the replicas
    runs = itertools.count()
    ss.sweep(program, over={"g": [0.5, 1.0]}, call=ss.simulate, size=50, replicas=4, seed=0)
    assert next(runs) == 1 + 2 * (1 + 2 + 4)  # the names of a sweep come from a rehearsal of their own


def test_a_tape_keeps_a_few_sites_of_each_vector() -> None:
    tape = check(model(lambda h: h))
    kept = [part for parts in tape.given for part in parts if part.over_sites]
    answers = [answer.rows for answer in tape.answers if isinstance(answer, SiteAnswer)]
    assert len(kept) == 2 * 9 and len(answers) == 1 + 9  # of the records and the products
    assert {part.values.shape for part in kept} == {(FEW + OTHERS,)}
    assert {rows.shape for rows in answers} == {(1, FEW + OTHERS)}


def test_a_full_tape_keeps_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.worlds.tape._FULL", 5_000)
    late = model(lambda h: h - h.mean(), late=True)
    tape = check(late)
    assert tape.full and 8 < len(tape.given) < 20
    with pytest.raises(ProgramError, match="mixes the sites"):
        check(model(lambda h: h - h.mean()))


def test_the_global_generators_are_left_alone() -> None:
    def numbers(between: Callable[[], object]) -> list[float]:
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        between()
        return [np.random.random(), random.random()]  # noqa: NPY002

    assert numbers(lambda: check(model(lambda h: h))) == numbers(lambda: None)
