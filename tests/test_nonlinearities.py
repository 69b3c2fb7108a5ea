"""The tutorial's phi: derivative, antiderivative, dtypes, and the choice by name."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from sitesampler.errors import InputError
from sitesampler.nonlinearities import Nonlinearity, erf, linear, nonlinearity, relu, tanh

ALL = [tanh, relu, erf, linear]
# Away from the kink of relu at zero, where a difference quotient is no derivative.
POINTS = np.array([-30.0, -3.0, -1.2, -0.3, -1e-3, 2e-3, 0.7, 1.9, 25.0])


@pytest.mark.parametrize("phi", ALL, ids=repr)
def test_derivative_and_antiderivative_belong_to_the_function(phi):
    step = 1e-4
    slope = (phi(POINTS + step) - phi(POINTS - step)) / (2 * step)
    rise = (phi.antiderivative(POINTS + step) - phi.antiderivative(POINTS - step)) / (2 * step)
    np.testing.assert_allclose(phi.derivative(POINTS), slope, atol=1e-7)
    np.testing.assert_allclose(phi(POINTS), rise, atol=1e-7)
    assert phi.antiderivative(np.zeros(1))[0] == 0


@pytest.mark.parametrize("phi", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_shape_and_dtype_are_kept(phi, dtype, shape):
    h = np.full(shape, 0.5, dtype=dtype)
    for function in (phi, phi.function, phi.derivative, phi.antiderivative):
        assert function(h).dtype == dtype
        assert function(h).shape == shape


def test_linear_does_not_alias_its_argument():
    h = np.ones(3)
    assert not np.shares_memory(linear(h), h)


def test_relu_has_slope_zero_at_the_kink():
    assert relu.derivative(np.zeros(2)).tolist() == [0.0, 0.0]


def test_antiderivative_of_tanh_is_accurate_near_zero_and_does_not_overflow():
    assert tanh.antiderivative(np.array(1e-6)) == pytest.approx(0.5e-12, rel=1e-10)
    assert tanh.antiderivative(np.array(1e6)) == pytest.approx(1e6 - np.log(2), rel=1e-15)
    assert np.isfinite(tanh.antiderivative(np.array(1e30, dtype=np.float32)))


def test_names_instances_and_callables_are_accepted():
    assert nonlinearity("tanh") is tanh
    assert nonlinearity(erf) is erf
    assert nonlinearity(np.sin) is np.sin
    own = Nonlinearity("sine", np.sin, np.cos, lambda h: 1 - np.cos(h))
    assert repr(own) == "sine"
    assert own(0.5) == np.sin(0.5)


def test_unknown_name_lists_the_choices_and_guesses():
    with pytest.raises(InputError, match=r"tanh, relu, erf, linear .* not 'rleu' \(did you mean 'relu'"):
        nonlinearity("rleu")
    with pytest.raises(InputError, match=r"or a function of arrays, not 'swish'$"):
        nonlinearity("swish")
    with pytest.raises(InputError, match="not 3"):
        nonlinearity(3)


@pytest.mark.parametrize("phi", ALL, ids=repr)
def test_instances_travel_to_workers(phi):
    assert pickle.loads(pickle.dumps(phi)) == phi


def test_importing_the_module_does_not_import_scipy():
    code = "import sys, sitesampler.nonlinearities; print('scipy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
