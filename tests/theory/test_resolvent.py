"""From responses to spectra: moments, Jacobi coefficients, densities, against known laws and diagonalisation."""

import numpy as np
import pytest

from sitesampler.theory import density, goe_flow, moments, regression_flow, resolvent


def semicircle_response(dt, lags=40):
    return goe_flow.response(dt, lags)[1:, 0]


def wishart_response(alpha, dt, lags=40):
    return regression_flow.solve(alpha, 0.0, dt, lags).R_h[1:, 0]


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


def test_refuses_what_has_no_answer():
    response = semicircle_response(0.1, 10)
    with pytest.raises(ValueError, match="broadening"):
        density.density(response, 0.1, 0.0, 0.0)
    with pytest.raises(ValueError, match="lags"):
        moments.moments(response, 0.1, 11)
    with pytest.raises(ValueError, match="lags"):
        moments.jacobi(response, 0.1, count=6)
    with pytest.raises(ValueError, match="shape"):
        moments.jacobi(response[:3], 0.1)
    with pytest.raises(ValueError, match="per lag"):
        moments.jacobi(response, 0.1, error=[0.1])
    with pytest.raises(ValueError, match="variance"):
        moments.jacobi(0.9 ** np.arange(10), 0.1)  # every eigenvalue is one
    with pytest.raises(ValueError, match="alpha"):
        regression_flow.marchenko_pastur_resolvent(1.0, 0.0)
