"""What the parameters of a program may be: the models' ranges, their docstrings, and a user's own annotations."""

import inspect
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import pytest

import sitesampler as ss
from sitesampler import models
from sitesampler.cli import main
from sitesampler.errors import InputError
from sitesampler.parameters import (
    Differentiable,
    Function,
    NonNegative,
    above,
    at_least,
    between,
    kind_of,
    numbers,
    one_of,
    require,
    whole,
)
from sitesampler.signatures import check_parameters, described
from sitesampler.studies.program import load_program
from sitesampler.studies.study_file import StudyError, read_study

#: What is no parameter of anything.
NONSENSE = (np.nan, 1j, b"1", {}, {1.0}, object(), [None], [[1, 2], [3]], np.array(["a"]), np.datetime64("2020"))


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (at_least(0), (0, 0.5, np.float32(2), np.int64(3), np.array(1.5)), (-0.1, True, "1", None, np.inf, [1])),
        (at_least(0, below=1), (0, 0.99), (1, -1)),
        (above(0), (1e-300, 10**6), (0, -1, np.inf, np.True_)),
        (above(0, most=2), (2, 0.1), (2.1, 0)),
        (between(-1, 1), (-1, 1, 0), (1.001, -2)),
        (whole(1, 9), (1, 9, 3.0, np.int8(4), np.float64(2)), (0, 10, 2.5, True, "3", 10**400)),
        (one_of("sign", "linear"), ("sign", np.str_("linear")), ("signs", "", 0, None, ["sign"])),
        (one_of(np.inf), (np.inf, np.float64(np.inf)), (-np.inf, 0, "inf")),
        (numbers("k"), ([1], (1, 2.5), np.arange(3)), ([], 1, "12", [True], ["a"], [1, np.inf], [[1]])),
        (numbers(2, 2, least=0), ([[1, 2], [3, 0]],), ([[1, 2], [3, -1]], [1, 2], [[1, 2, 3], [1, 2, 3]])),
        (numbers("n", empty=True), ([], [3]), ([[3]], 3)),
        (kind_of(Function), ("erf", np.tanh, lambda h: h, ss.nonlinearities.relu), ("tahn", 3, None, int)),
        (kind_of(Differentiable), ("relu", ss.nonlinearities.tanh), (np.tanh, "tahn", 3)),
        (kind_of(bool), (True, np.False_), (0, 1, "no", None)),
        (kind_of(float), (1, 0.5, np.inf), ("0.5", None, True)),
        (kind_of(int | None), (3, None, 3.0), (0.5, "3")),
        (kind_of(Literal["a", "b"]), ("a",), ("c", 1)),
    ],
)  # fmt: skip
def test_what_is_of_a_kind(kind: Any, right: tuple[Any, ...], wrong: tuple[Any, ...]) -> None:
    def program(net: Any, *, x: kind) -> None: ...

    for value in right:
        check_parameters(program, {"x": value})
    for value in (*wrong, *(value for value in NONSENSE if not (kind is kind_of(float) and value is np.nan))):
        with pytest.raises(InputError, match=r"^program: x must be "):
            check_parameters(program, {"x": value})


def test_programs_get_numbers_of_python() -> None:
    def program(net: Any, *, g: NonNegative, n: Annotated[int, whole()], s: bool) -> None: ...

    given = check_parameters(program, {"g": np.float64(0.5), "n": 4.0, "s": np.True_})
    assert given == {"g": 0.5, "n": 4, "s": True} and [type(value) for value in given.values()] == [float, int, bool]


@pytest.mark.parametrize("annotation", [Any, "not_a_name", "list[float] | float", np.ndarray, list[float], "Layers"])
def test_an_annotation_that_says_nothing_refuses_nothing(annotation: Any) -> None:
    def program(net: Any, *, x: annotation, **others: float) -> None: ...

    for value in (*NONSENSE, 1, "a", None):
        assert check_parameters(program, {"x": value, "y": "z"}) == {"x": value, "y": "z"}


def test_annotations_that_are_text_and_parameters_bound_in_advance() -> None:
    def program(net: Any, *, g: "NonNegative" = 1.0, n: "int" = None) -> None: ...  # noqa: RUF013

    check_parameters(program, {"n": None})  # a default need not fit
    for call in (partial(program), partial(partial(program, g=2.0), n=3)):
        with pytest.raises(InputError, match=r"program: g must be a number >= 0, not 'x'"):
            check_parameters(call, {"g": "x"})
    with pytest.raises(InputError, match=r"program: g must be a number >= 0, not -1"):
        check_parameters(partial(program, g=-1), {})


# ------------------------------------------------------------------------------------------------------------- models
@pytest.mark.parametrize("name", models.NAMES)
def test_a_model_says_of_every_parameter_what_it_may_be_and_its_docstring_says_the_same(name: str) -> None:
    program = getattr(models, name)
    lines = inspect.getdoc(program).splitlines()
    for parameter in described(program):
        assert parameter.words != "anything" and parameter.meaning
        assert f"{parameter.name} : {parameter.words}, default {parameter.default!r}" in lines
        with pytest.raises(InputError, match=rf"^{name}: {parameter.name} must be "):
            check_parameters(program, {parameter.name: object()})


@pytest.mark.parametrize("name", models.NAMES)
def test_defaults_are_what_they_may_be(name: str) -> None:
    program = getattr(models, name)
    for parameter in described(program):
        fresh = parameter.default + 0.0 if isinstance(parameter.default, float) else parameter.default
        check_parameters(program, {parameter.name: fresh})


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("random_rnn", {"g": np.nan}, "random_rnn: g must be a number >= 0, not nan"),
        ("random_rnn", {"symmetry": 1.5}, "random_rnn: symmetry must be a number from -1 to 1, not 1.5"),
        ("random_rnn", {"phi": "tahn"}, "or a function of arrays, not 'tahn' (did you mean 'tanh'?)"),
        ("random_rnn", {"dt": 3.0, "duration": 9.0}, "random_rnn: dt must be a number > 0 and <= 2, not 3.0"),
        ("deep_network", {"gamma": 0}, "deep_network: gamma must be a number > 0, not 0"),
        ("deep_network", {"feedback": "no"}, "deep_network: feedback must be True or False, not 'no'"),
        ("deep_network", {"batch": -1}, "deep_network: batch must be a whole number >= 1 or None, not -1"),
        ("deep_network", {"targets": [1.0]}, "deep_network: targets must be as many as inputs, 2, not 1"),
        ("deep_network", {"widths": [1.0]}, "deep_network: widths must be as many as hidden layers, 2, not 1"),
        ("deep_network", {"outlier_times": [13]}, "deep_network: outlier_times must be steps from 0 to 12, not [13]"),
        ("hopfield", {"beta": -1}, "hopfield: beta must be a number > 0 or inf, not -1"),
        ("lotka_volterra", {"mean_interaction": np.inf}, "mean_interaction must be a number, not inf"),
        ("perceptron_flow", {"labels": "signs"}, "labels must be 'sign' or 'linear', not 'signs' (did you mean"),
        ("perceptron_flow", {"loss": "hinges"}, "'hinge' or 'square', not 'hinges' (did you mean 'hinge'?)"),
        ("regression_flow", {"batch": np.nan}, "regression_flow: batch must be 'fresh', a number > 0 and <= 1"),
        ("regression_flow", {"batch": True}, "regression_flow: batch must be 'fresh', a number > 0 and <= 1"),
        ("random_rnn_lyapunov", {"duration": 20, "transient": 20}, "transient must be below the duration, 20, not 20"),
        ("low_rank_rnn", {"start": [1, 2]}, "low_rank_rnn: start must be one number, or one for each of the 1 struct"),
        ("spiked_wigner", {"overlaps": [[1, 2], [0, 1]]}, "spiked_wigner: overlaps must be a symmetric matrix"),
        ("spiked_wigner", {"overlaps": [[1, 2], [2, 1]]}, "spiked_wigner: overlaps must be positive semidefinite"),
    ],
)  # fmt: skip
def test_what_models_refuse(name: str, parameters: dict[str, Any], says: str) -> None:
    for call in (ss.sample, ss.simulate):
        with pytest.raises(InputError) as caught:
            call(getattr(models, name), replicas=2, **parameters)
        assert says in str(caught.value) and str(caught.value).startswith(f"{name}: ")


def test_parameters_that_do_not_go_together() -> None:
    def program(net: Any, *, first: int = 3) -> None:
        require(first < 2, f"first must be below 2, not {first}")

    with pytest.raises(InputError, match=r"^program: first must be below 2, not 3$"):
        ss.sample(program)


# ---------------------------------------------------------------------------------- everywhere parameters are said
def test_a_sweep_refuses_a_value_before_any_point_runs() -> None:
    with pytest.raises(InputError, match=r"^over\['g'\]: random_rnn: g must be a number >= 0, not 'x'$"):
        ss.sweep(models.random_rnn, over={"g": [0.5, "x"]}, duration=1e4)
    with pytest.raises(InputError, match=r"^random_rnn: dt must be a number"):
        ss.sweep(models.random_rnn, over={"g": [0.5, 1.0]}, dt="x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[parameters]\ng = -1", "parameters.g: random_rnn: g must be a number >= 0, not -1"),
        ("[sweep]\ng = [1, true]", "sweep.g: random_rnn: g must be a number >= 0, not True"),
    ],
)
def test_a_study_refuses_a_value_with_its_key(tmp_path: Any, text: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'program = "random_rnn"\n{text}\n', encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_program(read_study(file))
    assert says in str(caught.value) and str(file) in str(caught.value)


def test_list_says_what_the_parameters_of_a_model_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "hopfield"]) == 0
    text = capsys.readouterr().out
    for line in ("beta = inf", "Slope of tanh(beta h); inf for signs.", "a number > 0 or inf"):
        assert line in text
    assert main(["list", "hopfeld"]) == 2
    assert "no model 'hopfeld' (did you mean 'hopfield'?)" in capsys.readouterr().err
