"""Deep networks in the lazy limit: worked numbers, and the limit of small gamma."""

import numpy as np
import pytest

from sitesampler.theory import (
    deep_network,
    deep_network_lazy,
    deep_network_linear,
    deep_network_one_layer,
)

GRAM = np.array([[1.0, 0.3], [0.3, 1.0]])


TARGETS = np.array([1.0, -0.5])


def test_worked_lazy():
    one = deep_network_lazy.lazy(GRAM, TARGETS, 1, 0.2, 12)
    np.testing.assert_allclose(one.f[[4, 12]], [[0.470492, -0.159150], [0.840056, -0.366915]], atol=5.1e-7)
    three = deep_network_lazy.lazy(GRAM, TARGETS, 3, 0.2, 12)
    np.testing.assert_allclose(three.f[12], [0.795123, -0.339128], atol=5.1e-7)
    assert one.loss[0] == 0.625


def test_small_gamma_is_lazy():
    frozen = deep_network_lazy.lazy(GRAM, TARGETS, 3, 0.1, 10, "linear")
    errors = [
        np.max(np.abs(deep_network_linear.linear(GRAM, TARGETS, 3, gamma, 0.1, 10).f - frozen.f))
        for gamma in (0.02, 0.01)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)
    trained = deep_network_one_layer.one_hidden_layer(GRAM, TARGETS, 1e-3, 0.2, 10)
    frozen = deep_network_lazy.lazy(GRAM, TARGETS, 1, 0.2, 10)
    np.testing.assert_allclose(trained.f, frozen.f, atol=1e-6)
    kernels = deep_network.initial_kernels(GRAM, 1)
    np.testing.assert_allclose(trained.C_phi[10, 0], kernels.C_phi[1], atol=1e-5)
    np.testing.assert_allclose(trained.C_g[0, 0], kernels.C_g[0], atol=1e-9)
