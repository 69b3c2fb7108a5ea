"""Order parameters of an iteration: a march written down is what a chunk repeats, and what chunks measure adds up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
from iterated import chunk_of, silent, start_of, task_of

import sitesampler as ss
from sitesampler.errors import InputError
from sitesampler.language.script import Script
from sitesampler.language.stage import Stage
from sitesampler.physics.estimates import factorised
from sitesampler.physics.frozen import FrozenOrderParameters, Tally, merged_tallies
from sitesampler.physics.order import Expansion, LiveOrderParameters, Memory, Question
from sitesampler.physics.written import WrittenOrderParameters
from sitesampler.records.recorder import Recorder
from sitesampler.runs.chunks import Chunks, merged_outcomes, run_chunk
from sitesampler.runs.task import Task
from sitesampler.vectors.layout import Layout
from sitesampler.worlds.ensemble import SiteEnsemble

EXACT: dict[str, dict[str, Any]] = {
    "goe_flow": {"scheme": "euler", "dt": 0.1, "duration": 1.5},
    "regression_flow": {"scheme": "euler", "alpha": 1.5, "dt": 0.25, "duration": 4.0},
    "random_features": {"scheme": "euler", "dt": 0.1, "duration": 1.0},
    "spherical_pspin": {"scheme": "euler", "temperature": 0.6, "dt": 0.05, "duration": 1.0},
    "evolving_spikes": {"spikes": 3, "strength": 2.5},
}


class Remembering(WrittenOrderParameters):
    """A march that is written down, and remembers each answer as it was given."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(tolerance)
        self.coefficients: list[tuple[int, np.ndarray]] = []
        self.memory: list[tuple[tuple[int, int], np.ndarray]] = []

    def answer(self, question: Question) -> Any:
        found = super().answer(question)
        if isinstance(question, Expansion):
            self.coefficients.append((self._number(question.fields), found[0]))
        if isinstance(question, Memory):
            self.memory.append(((self._number(question.by), self._number(question.source)), found))
        return found


def play(order: Any, task: Task, seed: int = 0) -> Any:
    """Run the program of a task with these order parameters, and return its records."""
    recorder, stage = Recorder(task.plan), Stage(Script(task.plan), order)
    layout, stream = Layout(task.size, np.dtype(task.asked.dtype)), np.random.SeedSequence(seed)
    task.program(SiteEnsemble(stage, recorder, stream, layout, task.tolerance), **task.parameters)
    return recorder.variables()


# ------------------------------------------------------------------------------------------ a march, written down
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("random_rnn", {"g": 1.5, "symmetry": 0.5, "dt": 0.2, "duration": 4.0, "scheme": "euler"}),
        ("deep_network", {"depth": 3, "steps": 4, "responses": True, "momentum": 0.5, "outlier_times": ()}),
        ("goe_flow", {"dt": 0.1, "duration": 1.0, "scheme": "euler"}),
    ],
)
def test_a_march_that_is_written_down_and_factorised_gives_its_coefficients_back(
    name: str, parameters: dict[str, Any]
) -> None:
    task = task_of(getattr(ss.models, name), 600, **parameters)
    march = Remembering(task.tolerance)
    play(march, task)
    estimates = march.estimates()
    again = factorised(estimates, task.tolerance)
    places, memories = [0] * len(again.basis), dict.fromkeys(again.memory, 0)
    assert again.pivots == march._pivots and sum(map(len, again.pivots)) > 0
    scale = max(np.abs(basis).max(initial=0) for basis in again.basis)
    for number, coefficients in march.coefficients:
        columns = slice(places[number], places[number] + coefficients.shape[1])
        places[number] = columns.stop
        found = again.basis[number][: again.rank(number, columns.stop), columns]
        np.testing.assert_allclose(found, coefficients, rtol=0, atol=1e-8 * scale)
    assert places == estimates.structure.sizes()
    for pair, memory in march.memory:
        columns = slice(memories[pair], memories[pair] + memory.shape[1])
        memories[pair] = columns.stop
        np.testing.assert_allclose(again.memory[pair][: len(memory), columns], memory, rtol=0, atol=1e-7 * scale)
    for i, j in again.memory:
        np.testing.assert_allclose(again.basis[j] @ estimates.responses[i, j], again.memory[i, j], atol=1e-8 * scale)


def test_writing_down_changes_nothing() -> None:
    task = task_of(ss.models.random_rnn, 300, g=1.5, symmetry=0.5, dt=0.2, duration=2.0)
    live, written = (play(kind(1e-3), task) for kind in (LiveOrderParameters, WrittenOrderParameters))
    for name, one in live.items():
        assert one.values.tobytes() == written[name].values.tobytes()


def test_overlaps_written_down_are_those_of_the_vectors() -> None:
    """Of what the tolerance leaves of them: the basis of a march misses a remainder of 1e-3."""
    vectors: list[np.ndarray] = []

    def program(net: Any) -> None:
        sites = net.sites()
        J, x = net.coupling(sites, symmetry=0.5), sites.normal()
        for n in net.steps(4):
            vectors.append(x)
            net.record(n, x=x)
            x = np.tanh(J @ x) + 0.3 * x

    task = task_of(program, 500, tolerance=1e-6)
    vectors.clear()
    order = WrittenOrderParameters(1e-6)
    play(order, task)
    found = order.estimates().overlaps[0]
    np.testing.assert_allclose(found, reference.project(np.array(vectors), np.array(vectors)), rtol=0, atol=1e-11)


def test_a_cold_start_is_the_program_without_its_couplings() -> None:
    task = task_of(ss.models.random_rnn, 400, scheme="euler", g=1.5, dt=0.2, duration=2.0, phi="linear")
    estimates = start_of(task, coupled=False)
    decay = 0.8 ** np.arange(11)
    np.testing.assert_allclose(estimates.overlaps[0], np.outer(decay, decay), rtol=0, atol=1e-12)
    assert not any(response.any() for response in estimates.responses.values())


# --------------------------------------------------------------------------------------------- a chunk repeats it
FLOWS = {"goe_flow": "rk4", "regression_flow": "rk4", "random_features": "rk4", "spherical_pspin": "heun"}


@pytest.mark.parametrize(
    ("name", "scheme", "tolerance"),
    [(name, None, tolerance) for name in EXACT for tolerance in (1e-3, 1e-5)]
    + [(name, scheme, 1e-3) for name, scheme in FLOWS.items()],
)
def test_a_chunk_of_an_exact_system_repeats_the_march(name: str, scheme: str | None, tolerance: float) -> None:
    """Gaussian systems are exact with matched draws: frozen numbers, other samples, the same results.

    Responses are differences of twins over a small perturbation, and have the rounding of these.  The stages of a
    scheme are nearly parallel, and their Gram matrix has the square of their condition number.
    """
    program, parameters = getattr(ss.models, name), {**EXACT[name], **({} if scheme is None else {"scheme": scheme})}
    task = task_of(program, 700, tolerance=tolerance, **parameters)
    march = ss.sample(program, population=700, replicas=1, seed=5, tolerance=tolerance, keep=0, **parameters)
    estimates = start_of(task)
    outcome = chunk_of(task, estimates, number=3, size=650)
    compared = 0
    for variable, found in outcome.variables.items():
        if found.kind in ("average", "number"):
            expected = march[variable].values
            expected = expected[..., expected.shape[-1] - found.values.shape[-1] :] if expected.ndim else expected
            rounding = 1e-13 / tolerance if scheme is None else 1e-14 / tolerance**2
            if variable.startswith("R_"):
                rounding = max(rounding, 2e-9)
            np.testing.assert_allclose(
                found.values, expected, rtol=0, atol=rounding * np.nanmax(np.abs(expected)) + 1e-12
            )
            compared += found.values.size
    assert compared > 10
    assert outcome.tally is not None
    expected = factorised(estimates, tolerance).expected(estimates)
    for old, new in zip(expected, outcome.tally.arrays, strict=True):
        scale = 1.0 if scheme is None else max(1.0, np.abs(old).max(initial=0))
        np.testing.assert_allclose(new, old, rtol=0, atol=tolerance * scale)


def test_the_outlier_of_spikes_comes_out_of_a_chunk_to_all_digits() -> None:
    task = task_of(ss.models.evolving_spikes, 300, tolerance=1e-6, rate=0.25, strength=1.6, spikes=3)
    outcome = chunk_of(task, start_of(task))
    march = ss.sample(ss.models.evolving_spikes, population=300, replicas=2, seed=9, tolerance=1e-6)
    np.testing.assert_allclose(outcome.variables["outliers"].values, march.outliers.values, rtol=1e-9)


def test_a_chunk_takes_nothing_from_its_own_samples() -> None:
    """With frozen numbers, the fields of one sample do not change when another sample is changed."""
    touched = [False]

    def program(net: Any) -> None:
        sites = net.sites()
        J, x = net.coupling(sites), sites.normal()
        for n in net.steps(4):
            y = J @ x
            if touched[0] and n == 1:
                y[7] += 10.0
            net.record(n, y=y, size=net.overlap(y, y))
            x = np.tanh(y)

    task = task_of(program, 200)
    task = replace(task, asked=replace(task.asked, keep=200))
    estimates = start_of(task)
    runs = []
    for touched[0] in (False, True):
        shared = Chunks(task, [factorised(estimates, 1e-3)], 0)
        runs.append(run_chunk(shared, shared.piece(0, 0, 0, 200), silent).variables)
    plain, other = (run["trajectory_y"].values[:, :3] for run in runs)
    moved = np.abs(plain - other).max(1)
    # Draws are matched to what the chunk has seen, the basis: neighbours move by the part of one sample in it.
    assert moved[7] > 9 and np.delete(moved, 7).max() < 0.5
    assert runs[0]["size"].values.tobytes() == runs[1]["size"].values.tobytes()


# ------------------------------------------------------------------------------------------------- what is measured
def test_merged_chunks_are_one_tally_of_all_samples(rng: np.random.Generator) -> None:
    """Weighted averages, and the scatter about the common average, whatever the tree of merges."""
    sizes = [100, 100, 40, 73, 1]
    shapes = [(), (3,), (4, 2)]
    measured = [[rng.standard_normal(shape) for shape in shapes] for _ in sizes]
    tallies = [Tally(float(n), 1, arrays, np.zeros(3)) for n, arrays in zip(sizes, measured, strict=True)]
    trees = [
        merged_tallies(tallies),
        merged_tallies([merged_tallies(tallies[:2]), merged_tallies(tallies[2:])]),
        merged_tallies([tallies[0], merged_tallies([tallies[1], merged_tallies(tallies[2:])])]),
    ]
    for total in trees:
        assert (total.weight, total.chunks) == (314.0, 5)
        for a in range(3):
            mean = sum(n * arrays[a] for n, arrays in zip(sizes, measured, strict=True)) / 314
            np.testing.assert_allclose(total.arrays[a], mean, rtol=0, atol=1e-13)
            around = sum(n * np.sum((arrays[a] - mean) ** 2) for n, arrays in zip(sizes, measured, strict=True))
            np.testing.assert_allclose(total.scatter[a], around, rtol=1e-12)


def test_chunks_of_unequal_size_measure_what_all_their_samples_measure_together() -> None:
    task = task_of(ss.models.random_rnn, 300, g=1.5, symmetry=0.5, dt=0.2, duration=2.0)
    estimates = start_of(task)
    outcomes = [chunk_of(task, estimates, number, size) for number, size in enumerate((300, 300, 170))]
    whole = merged_outcomes([merged_outcomes(outcomes[:2]), outcomes[2]])
    assert whole.tally is not None and whole.samples == 770
    shares = [outcome.samples / 770 for outcome in outcomes]
    for a, array in enumerate(whole.tally.arrays):
        expected = sum(
            share * outcome.tally.arrays[a] for share, outcome in zip(shares, outcomes, strict=True) if outcome.tally
        )
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-13)
    C = sum(share * outcome.variables["C_h"].values for share, outcome in zip(shares, outcomes, strict=True))
    np.testing.assert_allclose(whole.variables["C_h"].values, C, rtol=0, atol=1e-13)
    moments = whole.variables["h_kurtosis"].values
    mean = sum(share * outcome.variables["h_mean"].values for share, outcome in zip(shares, outcomes, strict=True))
    np.testing.assert_allclose(moments[:, 0], mean, rtol=0, atol=1e-13)
    np.testing.assert_allclose(moments[:, 1] + mean**2, np.diag(C), rtol=1e-12)


# ------------------------------------------------------------------------------------------- what does not fit
def program_of(words: str) -> Any:
    """Return a program that says these words: J, K and T (J.T @) multiply, m and o average, f is a force."""

    def program(net: Any) -> None:
        sites = net.sites()
        J, K = net.coupling(sites), net.coupling(sites)
        tensor = net.tensor_coupling(sites, order=3)
        x = sites.normal()
        for t in net.steps(1):
            for word in words:
                if word in "JKT":
                    x = np.tanh({"J": J, "K": K, "T": J.T}[word] @ x)
                elif word == "f":
                    x = tensor.force(x)
                elif word == "m":
                    net.mean(x)
                elif word == "o":
                    net.overlap(np.stack([x, x], 1), x)
            net.record(t, x=x)

    return program


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ("JJ", "JK", "multiplies more matrices"),
        ("JK", "JKJJ", "multiplies a matrix more often"),
        ("JmT", "JmTT", "multiplies a matrix more often"),
        ("Jf", "Jff", "takes other averages|makes more forces of tensor couplings"),
        ("Jm", "Jmm", "takes other averages"),
        ("Jm", "Jo", "takes other averages"),
        ("JK", "KKJ", "multiplies a matrix more often"),
        ("Jmm", "Jm", "ends earlier"),
        ("JJ", "J", "ends earlier"),
    ],
)
def test_a_program_that_departs_from_its_order_parameters_is_refused(was: str, now: str, sentence: str) -> None:
    estimates = start_of(task_of(program_of(was), 100))
    with pytest.raises(InputError, match=rf"do not fit this program: it ({sentence}); start from a result") as caught:
        chunk_of(task_of(program_of(now), 100), estimates)
    assert "\n" not in str(caught.value) and "same program" in str(caught.value)


def test_forces_beyond_those_that_were_kept_are_refused() -> None:
    order = FrozenOrderParameters(factorised(start_of(task_of(program_of("f"), 100)), 1e-3))
    assert order.keeps(1.0, 1.0, 1e-3)
    with pytest.raises(InputError, match="makes more forces of tensor couplings"):
        order.keeps(1.0, 1.0, 1e-3)


def test_the_same_program_fits_whatever_its_couplings_are_worth() -> None:
    """Gains may differ: a swept result starts another point of the same sweep, a coupling of gain zero too."""
    for g, other in ((0.5, 1.5), (1.5, 0.5)):
        first = task_of(ss.models.random_rnn, 100, g=g, symmetry=0.5, dt=0.2, duration=1.0)
        second = task_of(ss.models.random_rnn, 100, g=other, symmetry=0.5, dt=0.2, duration=1.0)
        assert chunk_of(second, start_of(first)).tally is not None
