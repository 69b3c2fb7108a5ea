"""Resolvents by several routes: closed form, transform of the response, continued fraction."""

import numpy as np
from linear_responses import wishart_response

from sitesampler.theory import moments, regression_flow, resolvent


def test_resolvents_agree():
    """Closed form, transform of the response, continued fraction and the quadratic equation (eqs. 43, 67)."""
    s, alpha, dt = np.array([1.0, 3.0, 0.5 + 2j]), 0.7, 0.2
    closed = regression_flow.marchenko_pastur_resolvent(s, alpha)
    np.testing.assert_allclose(s * closed**2 + (s * alpha + alpha - 1) * closed, alpha, rtol=1e-13)
    response = wishart_response(alpha, dt, 300)
    np.testing.assert_allclose(resolvent.transform(response, dt, s), closed, rtol=1e-10)
    found = moments.jacobi(response[:40], dt)
    np.testing.assert_allclose(resolvent.resolvent(found, s), closed, rtol=1e-4)
    below = np.array([-8.0, -5.5])  # left of the spectrum of -M, real again
    np.testing.assert_allclose(regression_flow.marchenko_pastur_resolvent(below, alpha).imag, 0, atol=1e-15)
    nodes, weights = regression_flow.marchenko_pastur(alpha)
    np.testing.assert_allclose(
        regression_flow.marchenko_pastur_resolvent(below, alpha), (weights / (below[:, None] + nodes)).sum(axis=1)
    )
    three = resolvent.transform(np.stack([response, 2 * response]), dt, s)
    assert three.shape == (2, 3)
