"""Averages over Gaussian variables: Hermite series against quadrature and closed formulas."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from sitesampler.nonlinearities import Nonlinearity, erf, linear, relu, tanh
from sitesampler.theory.gaussian import GaussianRows, average, product_average, slope_at_zero


def trapezoid(phi, c1, c2, c3, step=0.06, reach=9.0):
    """F by a two-dimensional trapezoid rule in whitened variables: nothing in common with the series."""
    z = np.arange(-reach, reach + step / 2, step)
    weights = np.exp(-(z**2) / 2) * step / np.sqrt(2 * np.pi)
    first, second = np.meshgrid(z, z, indexing="ij")
    h = np.sqrt(c1) * first
    other = (c3 * first / np.sqrt(c1) if c1 > 0 else 0.0) + np.sqrt(
        max(c2 - (c3**2 / c1 if c1 > 0 else 0.0), 0.0)
    ) * second
    return weights @ (phi(h) * phi(other)) @ weights


@pytest.mark.parametrize(
    "covariance",
    [(1.0, 1.0, 0.3), (1.7, 0.4, -0.6), (2.3, 2.3, 2.299), (0.01, 3.0, 0.1), (0.3, 6.0, -1.2), (4.0, 1.0, 0.0)],
)
@pytest.mark.parametrize("phi", [tanh, np.sin, lambda h: 1 / (1 + np.exp(-h))], ids=["tanh", "sin", "logistic"])
def test_series_equals_quadrature_to_thirteen_digits(phi, covariance):
    expected = trapezoid(phi, *covariance)
    assert product_average(phi, *covariance) == pytest.approx(expected, rel=2e-13, abs=2e-13)


def test_exponential_has_an_elementary_average():
    c1, c2, c3 = 2.3, 1.1, np.array([-1.5, 0.0, 1.5])
    np.testing.assert_allclose(product_average(np.exp, c1, c2, c3), np.exp((c1 + c2) / 2 + c3), rtol=1e-13)


@pytest.mark.parametrize("name", ["erf", "linear"])
def test_closed_formulas_equal_the_series(name):
    known = {"erf": erf, "linear": linear}[name]
    c1, c2 = np.array([1.0, 0.3, 2.0])[:, None], np.array([0.5, 1.5])
    c3 = 0.4 * np.sqrt(c1 * c2)
    anonymous = product_average(known.function, c1, c2, c3)
    np.testing.assert_allclose(product_average(name, c1, c2, c3), anonymous, rtol=1e-13)


def test_relu_formula_equals_its_hermite_coefficients():
    """a_0 and a_1 of relu are sqrt(c/2 pi) and sqrt(c)/2: constant and slope at zero covariance."""
    c1, c2, small = 1.3, 0.6, 1e-5
    assert product_average("relu", c1, c2, 0.0) == pytest.approx(np.sqrt(c1 * c2) / (2 * np.pi), rel=1e-14)
    slope = (product_average("relu", c1, c2, small) - product_average("relu", c1, c2, -small)) / (2 * small)
    assert slope == pytest.approx(0.25, rel=1e-9)
    assert product_average("relu", c1, c1, c1) == pytest.approx(c1 / 2, rel=1e-14)


@pytest.mark.parametrize("phi", ["tanh", "relu", "erf", "linear", np.sin], ids=str)
def test_full_correlation_and_zero_variance_are_regular(phi):
    function = {"tanh": tanh, "relu": relu, "erf": erf, "linear": linear}.get(phi, np.sin)
    c = 0.8
    square = average(lambda h: function(h) ** 2, c)
    tolerance = 1e-3 if phi == "relu" else 1e-13  # the trapezoid rule of `average` sees a kink here
    assert product_average(phi, c, c, c) == pytest.approx(square, rel=tolerance)
    opposite = average(lambda h: function(h) * function(-h), c)
    assert product_average(phi, c, c, -c) == pytest.approx(opposite, abs=1e-13)
    assert product_average(phi, 0.0, c, 0.0) == pytest.approx(0.0, abs=1e-15)
    assert product_average(np.cos, 0.0, 0.0, 0.0) == 1.0


def test_rounding_beyond_full_correlation_is_forgiven_and_more_is_not():
    assert product_average("tanh", 1.0, 1.0, 1.0 + 1e-12) == product_average("tanh", 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="c3"):
        product_average("tanh", 1.0, 1.0, 1.1)
    with pytest.raises(ValueError, match="non-negative"):
        product_average("tanh", -1.0, 1.0, 0.0)


def test_arguments_broadcast():
    c1 = np.array([0.5, 1.0, 2.0])
    result = product_average("tanh", c1[:, None], c1, 0.2 * np.sqrt(c1[:, None] * c1))
    assert result.shape == (3, 3)
    np.testing.assert_allclose(result, result.T, rtol=1e-14)
    assert result[0, 2] == pytest.approx(float(product_average("tanh", 0.5, 2.0, 0.2)), rel=1e-14)


def test_single_averages():
    variances = np.array([0.0, 0.5, 30.0])
    np.testing.assert_allclose(average(np.cos, variances), np.exp(-variances / 2), atol=1e-14)
    np.testing.assert_allclose(average("relu", variances), np.sqrt(variances / (2 * np.pi)))
    for odd in ("tanh", "erf", "linear"):
        np.testing.assert_allclose(average(odd, variances), 0.0, atol=1e-15)


def test_a_kink_in_an_unknown_function_is_reported():
    with pytest.warns(RuntimeWarning, match="kink"):
        value = product_average(lambda h: np.abs(h), 1.0, 1.0, 0.0)
    assert value == pytest.approx(2 / np.pi, rel=1e-3)


def test_slope_at_zero_of_callables_and_nonlinearities():
    assert slope_at_zero(np.sin) == pytest.approx(1.0, abs=1e-11)
    assert slope_at_zero(Nonlinearity("half", np.tanh, lambda h: 0 * h + 0.5, np.cosh)) == 0.5


def test_rows_of_averages_against_quadrature():
    def rate(h):
        return (1 + np.tanh(h)) / 2

    mean = np.array([0.3, -0.8, 1.2])
    covariance = np.array([[1.0, 0.4, -0.2], [0.4, 0.7, 0.1], [-0.2, 0.1, 2.0]])
    rows = GaussianRows(rate, 3)
    nodes, weights = hermegauss(90)
    weights = weights / weights.sum()
    for now in range(3):
        row = rows.row(mean[now], covariance[now, : now + 1])
        spread = np.sqrt(covariance[now, now])
        latest = rate(mean[now] + spread * nodes)
        assert rows.mean == pytest.approx(weights @ latest, abs=1e-9)
        for m in range(now + 1):
            slope = covariance[now, m] / spread
            rest = np.sqrt(max(covariance[m, m] - slope**2, 0.0))
            other = rate(mean[m] + slope * nodes[:, None] + rest * nodes) @ weights
            assert row[m] == pytest.approx(weights @ (latest * other), abs=1e-8)
