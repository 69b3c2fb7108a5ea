"""Linear networks that learn features, against the same training in a Lanczos basis."""

import numpy as np
import pytest
from wide_networks import GRAM, TARGETS, linear_network

from sitesampler.theory.deep_network_linear import linear


def test_worked_linear():
    two = linear(GRAM, TARGETS, 2, 1.5, 0.1, 12)
    f = [[0.255, -0.06], [0.467366, -0.134017], [0.818974, -0.316956]]
    np.testing.assert_allclose(two.f[[1, 2, 4]], f, atol=5.1e-7)
    np.testing.assert_allclose(two.loss[[1, 2, 4]], [0.374313, 0.208821, 0.033138], atol=5.1e-7)
    C_h = [[[1.349512, 0.120405], [0.120405, 1.089925]], [[2.327492, -0.375037], [-0.375037, 1.339129]]]
    np.testing.assert_allclose(two.C_h[:, 12, 12], C_h, atol=5.1e-7)
    np.testing.assert_allclose(two.C_z[0, 12, 12], 3.273955, atol=5.1e-7)
    np.testing.assert_allclose(two.C_z[1, 12, 12], 1.600822, atol=5.1e-7)
    np.testing.assert_allclose(two.R_h[0, 2, 1], [[0.11175, -0.0198], [0.033525, -0.066]], atol=5.1e-7)
    np.testing.assert_allclose(two.R_z[1, 2, 1], [[0.11175, -0.066], [0.11175, -0.066]], atol=5.1e-7)
    three = linear(GRAM, TARGETS, 3, 1.5, 0.06, 12)
    np.testing.assert_allclose(three.f[4], [0.735668, -0.263789], atol=5.1e-7)
    np.testing.assert_allclose(three.C_z[0, 12, 12], 4.378700, atol=5.1e-7)


def test_linear_network_in_its_lanczos_basis():
    """Every correlation of the closed equations is a scalar product of the trained vectors."""
    gamma, rate, steps = 2.0, 0.08, 10
    result = linear(GRAM, TARGETS, 2, gamma, rate, steps)
    network = linear_network(gamma, rate, steps)
    np.testing.assert_allclose(result.f, network["f"], atol=1e-13)
    for found, names in ((result.C_h, ("h1", "h2")), (result.C_z, ("z1", "z2"))):
        for layer, name in enumerate(names):
            expected = np.einsum("tmi,sni->tsmn", network[name], network[name])
            np.testing.assert_allclose(found[layer], expected, rtol=1e-12, atol=1e-12)


def test_responses_of_a_linear_network_give_its_output():
    """Deep networks: f from <w h_L> by Stein's lemma, against eq. 85 inside; responses are causal."""
    gamma, rate, steps = 1.5, 0.06, 8
    result = linear(GRAM, TARGETS, 3, gamma, rate, steps)
    for R in (result.R_h, result.R_z):
        for t in range(steps + 1):
            assert not np.any(R[:, t, t:])
    # The last layer's z is w for every input: <w h_L> = <r h> + ... with w = w(0) + c sum Delta h.
    c = gamma * rate
    delta = TARGETS - result.f
    for t in range(steps + 1):
        initial = result.R_h[2, t].sum(axis=(0, 2))  # <w(0) h(t)>
        moved = c * np.einsum("smn,sn->m", result.C_h[2, t, :t], delta[:t])
        np.testing.assert_allclose(gamma * result.f[t], initial + moved, atol=1e-13)
        square = 1 + 2 * c * np.einsum("sn,sn->", delta[:t], result.R_h[2, :t].sum(axis=(1, 3)))
        square += c**2 * np.einsum("sm,svmn,vn->", delta[:t], result.C_h[2, :t, :t], delta[:t])
        np.testing.assert_allclose(result.C_z[2, t, t], square, rtol=1e-12)  # <w(t)^2>


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="depth"):
        linear(GRAM, TARGETS, 0, 1.0, 0.1, 2)
