"""Lazy limit: worked values, and where trained networks of small gamma go."""

import numpy as np
import pytest
from wide_networks import GRAM, TARGETS

from sitesampler.theory.deep_network import initial_kernels
from sitesampler.theory.deep_network_lazy import lazy
from sitesampler.theory.deep_network_linear import linear
from sitesampler.theory.deep_network_one_layer import one_hidden_layer


def test_worked_lazy():
    one = lazy(GRAM, TARGETS, 1, 0.2, 12)
    np.testing.assert_allclose(one.f[[4, 12]], [[0.470492, -0.159150], [0.840056, -0.366915]], atol=5.1e-7)
    three = lazy(GRAM, TARGETS, 3, 0.2, 12)
    np.testing.assert_allclose(three.f[12], [0.795123, -0.339128], atol=5.1e-7)
    assert one.loss[0] == 0.625


def test_small_gamma_is_lazy():
    frozen = lazy(GRAM, TARGETS, 3, 0.1, 10, "linear")
    errors = [np.max(np.abs(linear(GRAM, TARGETS, 3, gamma, 0.1, 10).f - frozen.f)) for gamma in (0.02, 0.01)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)
    trained = one_hidden_layer(GRAM, TARGETS, 1e-3, 0.2, 10)
    frozen = lazy(GRAM, TARGETS, 1, 0.2, 10)
    np.testing.assert_allclose(trained.f, frozen.f, atol=1e-6)
    kernels = initial_kernels(GRAM, 1)
    np.testing.assert_allclose(trained.C_phi[10, 0], kernels.C_phi[1], atol=1e-5)
    np.testing.assert_allclose(trained.C_g[0, 0], kernels.C_g[0], atol=1e-9)


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="targets"):
        lazy(GRAM, [1.0], 1, 0.1, 2)
    with pytest.raises(TypeError, match="derivative"):
        lazy(GRAM, TARGETS, 1, 0.1, 2, phi=np.sin)
