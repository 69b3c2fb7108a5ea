"""Responses of linear systems with known spectra, and of single random matrices: what tests of spectra share."""

import numpy as np

from sitesampler.theory import goe_flow, regression_flow


def semicircle_response(dt, lags=40):
    return goe_flow.response(dt, lags)[1:, 0]


def wishart_response(alpha, dt, lags=40):
    return regression_flow.solve(alpha, 0.0, dt, lags).R_h[1:, 0]


def wigner_replicas(generator, replicas, size, dt, lags):
    """Return responses of single matrices, and their eigenvalues."""
    noise = generator.normal(size=(replicas, size, size))
    eigenvalues = np.linalg.eigvalsh((noise + noise.transpose(0, 2, 1)) / np.sqrt(2 * size))
    powers = (1 - dt * eigenvalues)[:, None, :] ** np.arange(lags)[:, None]
    return powers.mean(axis=-1), eigenvalues
