"""The partially symmetric random network: memory of nonlinear sites, where no equations close."""

from typing import Any

import numpy as np
import pytest
from threshold import assert_agreement

import sitesampler as ss

STEPS = np.arange(5)


def rnn_with_source(net: Any, *, g: float, symmetry: float, dt: float, duration: float) -> None:
    neurons = net.sites()
    J = net.coupling(neurons, gain=g, symmetry=symmetry)
    h = neurons.normal()
    for t in net.clock(duration, dt):
        net.record(t, h=h, phi=np.tanh(h))
        h = h + dt * (J @ np.tanh(h) - h + net.source(neurons))


def test_four_steps_equal_quadrature() -> None:
    """Deterministic numbers of a four-dimensional quadrature; the kernel R_h in place of R_phi gives C(4,4) = 0.325."""
    dt = 0.5
    ds = ss.sample(
        rnn_with_source, population=20_000, replicas=16, seed=21, g=1.2, symmetry=0.3, dt=dt, duration=4 * dt
    )
    points = {
        (1, 1): 0.391946, (2, 2): 0.296103, (3, 3): 0.280862, (4, 4): 0.293533,
        (3, 1): 0.246478, (4, 0): 0.159622, (4, 2): 0.248131,
    }  # fmt: skip
    n, m = np.transpose(list(points))
    C, error = ds.C_h.values[n, m], ds.C_h_stderr.values[n, m]
    assert_agreement(C, error, list(points.values()), replicas=16, error_below=0.01)
    points = {
        (1, 0): 0.764450, (2, 1): 0.804034, (2, 0): 0.402017, (3, 2): 0.810765, (3, 1): 0.405383, (3, 0): 0.258506,
    }  # fmt: skip
    n, m = np.transpose(list(points))
    R, error = ds.R_phi.values[n, m], ds.R_phi_stderr.values[n, m]
    assert_agreement(R, error, list(points.values()), replicas=16, error_below=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("symmetry", [0.5, -0.5])
def test_agrees_with_direct_simulation_extrapolated_in_size(symmetry: float) -> None:
    parameters = {"scheme": "euler", "g": 2.0, "symmetry": symmetry, "dt": 0.25, "duration": 4.0}
    sampled = ss.sample(ss.models.random_rnn, population=10_000, replicas=16, seed=22, every=4, **parameters)
    small = ss.simulate(ss.models.random_rnn, size=200, replicas=1_000, seed=23, every=4, **parameters)
    large = ss.simulate(ss.models.random_rnn, size=400, replicas=1_000, seed=24, every=4, **parameters)
    for name in ("C_h", "C_phi"):
        # Finite networks are off by const/N, which this combination lacks.
        extrapolated = 2 * large[name] - small[name]
        error = np.hypot(2 * large[name + "_stderr"], small[name + "_stderr"])
        size = np.sqrt(np.diag(sampled[name]))
        scale = np.outer(size, size)
        assert float((error / scale).max()) < 0.01
        assert_agreement(
            sampled[name], sampled[name + "_stderr"], extrapolated, reference_stderr=error,
            replicas=16, error_below=0.012, scale=scale, points=15,
        )  # fmt: skip
