"""Two inputs through random layers: worked numbers and the one-dimensional integral of eq. 25."""

import numpy as np
import pytest

from sitesampler.theory.deep_propagation import recursion


def test_worked_example_over_six_layers():
    q, c = recursion(0.3, sigma_w=1.3, sigma_b=0.2, depth=6)
    np.testing.assert_allclose(q, [1, 0.706358, 0.601248, 0.554291, 0.531173, 0.519237], atol=5.1e-7)
    np.testing.assert_allclose(c, [0.3, 0.227030, 0.211977, 0.214250, 0.223219, 0.234858], atol=5.1e-7)


def test_first_layer_with_the_variance_of_all_others():
    q, c = recursion(0.3, 1.3, 0.2, depth=4, first_variance=1.3**2)
    np.testing.assert_allclose(q, [1.69, 0.867900, 0.663049, 0.582639], atol=5.1e-7)
    np.testing.assert_allclose(c, [0.507, 0.264672, 0.219193, 0.211562], atol=5.1e-7)


@pytest.mark.parametrize(("phi", "q", "c"), [("erf", 0.825105, 0.256638), ("relu", 0.885, 0.447919)])
def test_other_nonlinearities(phi, q, c):
    found = recursion(0.3, 1.3, 0.2, phi, depth=2)
    np.testing.assert_allclose([found[0][1], found[1][1]], [q, c], atol=5.1e-7)


def test_equation_25_as_nested_integrals():
    step = 0.05
    z = np.arange(-9, 9 + step / 2, step)
    gauss = np.exp(-(z**2) / 2) * step / np.sqrt(2 * np.pi)
    q, c = recursion(0.6, 1.5, 0.1, depth=4)
    for layer in range(3):
        inner = np.tanh(np.sqrt(q[layer] - c[layer]) * z + np.sqrt(c[layer]) * z[:, None]) @ gauss
        assert c[layer + 1] == pytest.approx(1.5**2 * gauss @ inner**2 + 0.1**2, rel=1e-13)
        squared = gauss @ np.tanh(np.sqrt(q[layer]) * z) ** 2
        assert q[layer + 1] == pytest.approx(1.5**2 * squared + 0.1**2, rel=1e-13)


def test_many_correlations_at_once_and_limits():
    correlation = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    q, c = recursion(correlation, 1.4, 0.0, depth=5)
    assert c.shape == (5, 5)
    np.testing.assert_allclose(c[:, -1], q, rtol=1e-13)  # equal inputs stay equal
    np.testing.assert_allclose(c, -c[:, ::-1], atol=1e-14)  # odd phi without bias
    np.testing.assert_allclose(c[:, 1], recursion(-0.5, 1.4, 0.0, depth=5)[1], rtol=1e-13)


def test_a_linear_network_only_multiplies():
    q, c = recursion(0.3, 1.1, 0.0, "linear", depth=4)
    np.testing.assert_allclose(c / q, 0.3)
    np.testing.assert_allclose(q, 1.1 ** (2 * np.arange(4)))


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="depth"):
        recursion(0.3, 1.0, 0.0, depth=0)
    with pytest.raises(ValueError, match="correlation"):
        recursion(1.3, 1.0, 0.0, depth=2)
