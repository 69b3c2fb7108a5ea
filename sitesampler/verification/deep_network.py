"""Deep networks that learn features, from linear and lazy ones to deep ones, and outliers of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sitesampler import models
from sitesampler.records.names import STDERR
from sitesampler.theory.deep_network_lazy import lazy
from sitesampler.theory.deep_network_linear import linear
from sitesampler.theory.deep_network_one_layer import one_hidden_layer
from sitesampler.theory.deep_network_outliers import outliers
from sitesampler.verification.row import Row, of
from sitesampler.verification.runs import Runs

if TYPE_CHECKING:
    import xarray as xr


GRAM = np.array([[1.0, 0.3], [0.3, 1.0]])
TASK: dict[str, Any] = {
    "inputs": (np.sqrt(2) * np.linalg.cholesky(GRAM)).tolist(),  # X X^T / 2 = GRAM
    "targets": (1.0, -0.5),
}
#: One input, which a large gamma turns into an outlier of the weights in two updates.
SPIKE: dict[str, Any] = {"inputs": ((1.0,),), "targets": (2.0,), "gamma": 8.0, "rate": 0.3, "steps": 2}

#: What networks too large to repeat here gave, with standard errors: (number of networks, width, parameters, values).
LARGE_NETWORKS: tuple[tuple[int, int, dict[str, Any], list[tuple[str, dict[str, int], Any, float]]], ...] = (
    (
        24,
        100_000,
        {"depth": 2, "gamma": 1.5, "rate": 0.2, "steps": 12},
        [
            ("f", {"time": 1}, (0.1311, -0.0390), 2e-4),
            ("f", {"time": 4}, (0.4131, -0.2143), 2e-4),
            ("f", {"time": 12}, (0.8435, -0.5078), 2e-4),
            ("loss", {"time": 4}, 0.2131, 1e-4),
            ("loss", {"time": 12}, 0.0123, 1e-4),
            ("C_phi", {"layer": 1, "time": 4, "time_": 4}, ((0.4542, 0.0327), (0.0327, 0.4112)), 3e-4),
            ("C_phi", {"layer": 1, "time": 12, "time_": 12}, ((0.5313, -0.0645), (-0.0645, 0.4298)), 3e-4),
            ("C_phi", {"layer": 2, "time": 12, "time_": 12}, ((0.5482, -0.2499), (-0.2499, 0.3467)), 3e-4),
            ("C_phi", {"layer": 2, "time": 12, "time_": 0}, ((0.1967, -0.0047), (-0.0212, 0.1983)), 3e-4),
            ("C_g", {"layer": 1, "time": 12, "time_": 12}, ((0.069, 0.194), (0.194, 0.967)), 1e-3),
            ("C_g", {"layer": 2, "time": 12, "time_": 12}, ((0.285, 0.480), (0.480, 1.136)), 1e-3),
            ("R_phi_r", {"layer": 1, "time": 1, "time_": 0}, ((0.1360, -0.0164), (0.0334, -0.0694)), 1e-3),
            ("R_phi_r", {"layer": 1, "time": 2, "time_": 1}, ((0.1140, -0.0149), (0.0285, -0.0635)), 1e-3),
            ("R_g_u", {"layer": 2, "time": 1, "time_": 0}, ((0.251, -0.093), (0.179, -0.135)), 7e-3),
            ("R_g_u", {"layer": 2, "time": 1, "time_": 1}, ((-0.2175, 0.0), (0.0, 0.078)), 7e-3),
            ("R_g_u", {"layer": 2, "time": 4, "time_": 4}, ((-0.517, 0.0), (0.0, 0.358)), 7e-3),
        ],
    ),
    (
        24,
        60_000,
        {"depth": 3, "gamma": 1.5, "rate": 0.15, "steps": 10},
        [
            ("f", {"time": 1}, (0.0931, -0.0278), 3e-4),
            ("f", {"time": 4}, (0.3078, -0.1644), 3e-4),
            ("f", {"time": 10}, (0.6497, -0.4622), 3e-4),
        ],
    ),
    (
        24,
        100_000,
        {"depth": 2, "gamma": 1.5, "rate": 0.15, "steps": 12, "phi": "relu"},
        [
            ("f", {"time": 1}, (0.0842, -0.0154), 8e-4),
            ("f", {"time": 4}, (0.3863, -0.0807), 8e-4),
            ("f", {"time": 12}, (0.9939, -0.4353), 8e-4),
        ],
    ),
)


def rows(run: Runs) -> Iterator[Row]:
    """Check outputs, kernels and responses from linear networks to deep ones, the lazy limit, and outliers."""
    yield from _linear(run)
    yield from _one_hidden_layer(run)
    yield from _deep(run)
    yield from _lazy(run)
    yield from _outliers(run)


def _linear(run: Runs) -> Iterator[Row]:
    """Check linear networks, which stay Gaussian and are exact."""
    parameters: dict[str, Any]
    for depth, rate in ((2, 0.1), (3, 0.06)):
        parameters = {"depth": depth, "gamma": 1.5, "rate": rate, "steps": 6}
        ds = run.exact(models.deep_network, f"linear, L = {depth}", phi="linear", **TASK, **parameters)
        closed = linear(GRAM, TASK["targets"], **parameters)
        yield of(ds, "f").exactly(closed.f)
        yield of(ds, "loss").exactly(closed.loss)
        yield of(ds, "C_h").exactly(closed.C_h)
        yield of(ds, "C_g").exactly(closed.C_z)


def _one_hidden_layer(run: Runs) -> Iterator[Row]:
    """Check one hidden layer, an average over two Gaussian numbers per site."""
    parameters: dict[str, Any] = {"gamma": 1.5, "rate": 0.25, "steps": 12}
    ds = run.sample(models.deep_network, "tanh, L = 1", population=8_000, depth=1, **TASK, **parameters)
    closed = one_hidden_layer(GRAM, TASK["targets"], **parameters)
    yield of(ds, "f", time=12).theory(closed.f[12], kind="quadrature")
    yield of(ds, "f").theory(closed.f, kind="quadrature")
    yield of(ds, "loss").theory(closed.loss, kind="quadrature")
    for name in ("C_phi", "C_g"):
        at_end = {"layer": 1, "time": 12, "time_": 12}
        yield of(ds, name, **at_end).theory(getattr(closed, name)[12, 12], kind="quadrature")
        yield of(ds, name, layer=1).theory(getattr(closed, name), kind="quadrature")
    yield of(ds, "h_kurtosis", layer=1, time=12).theory(closed.excess_kurtosis[12], kind="quadrature")


def _deep(run: Runs) -> Iterator[Row]:
    """Check two and three hidden layers against networks of great width, and against small ones extrapolated."""
    for replicas, width, parameters, values in LARGE_NETWORKS:
        label = f"{parameters.get('phi', 'tanh')}, L = {parameters['depth']}"
        responses = any(name.startswith("R_") for name, *_ in values)
        ds = run.sample(models.deep_network, label, population=5_000, responses=responses, **TASK, **parameters)
        for name, where, value, stderr in values:
            kind = f"{replicas} networks of width {width:,}"
            yield of(ds, name, **where).cited(kind, value, stderr, replicas=replicas)
        if label == "tanh, L = 2":
            network = run.networks(models.deep_network, size=150, replicas=100, **TASK, **parameters)
            yield of(ds, "f", time=12).simulation(network)
            yield of(ds, "C_phi", layer=2, time=12, time_=12).simulation(network)
            yield of(ds, "C_g", layer=1, time=12, time_=12).simulation(network)


def _lazy(run: Runs) -> Iterator[Row]:
    """Check that networks follow their tangent kernel at gamma = 1e-3, up to gamma^2."""
    for depth, phi in ((1, "tanh"), (2, "relu"), (3, "tanh")):
        parameters: dict[str, Any] = {"depth": depth, "rate": 0.2, "steps": 8, "phi": phi}
        ds = run.sample(models.deep_network, f"lazy {phi}, L = {depth}", gamma=1e-3, **TASK, **parameters)
        closed = lazy(GRAM, TASK["targets"], **parameters)
        yield of(ds, "f", time=8).theory(closed.f[8], kind="tangent kernel, eq. 86")
        yield of(ds, "f").theory(closed.f, kind="tangent kernel, eq. 86")


def _outliers(run: Runs) -> Iterator[Row]:
    """Check singular values of the trained hidden matrix; the formula takes sampled order parameters."""
    parameters: dict[str, Any]
    parameters = {"depth": 2, "gamma": 12.0, "rate": 0.03, "steps": 3}
    ds = run.exact(models.deep_network, "linear, gamma = 12", phi="linear", outlier_times=(3,), **TASK, **parameters)
    closed = linear(GRAM, TASK["targets"], **parameters)
    learned = 12.0 * 0.03 * (np.array(TASK["targets"]) - closed.f[:3])
    formula = outliers(
        closed.C_h[0, :3, :3], closed.R_h[0, :3, :3], closed.C_z[1, :3, :3], closed.R_z[1, :3, :3], learned
    )
    yield of(ds, "outliers", time=3, matrix=0).exactly(np.sqrt(formula), kind="theory, eq. 111, exact")
    for alpha in (1.0, 1.5):
        ds = run.sample(
            models.deep_network, f"tanh, gamma = 8, N_1/N_0 = {alpha:g}", widths=(1.0, alpha), responses=True,
            outlier_times=(2,), **SPIKE,
        )  # fmt: skip
        found = of(ds, "outliers", time=2, matrix=0, outlier=0)
        yield found.theory(*_outlier_formula(ds, alpha), kind="eq. 111 with sampled C, R")
        network = run.networks(
            models.deep_network, size=150, replicas=100, widths=(1.0, alpha), outlier_times=(2,), **SPIKE
        )
        yield found.simulation(network)


def _outlier_formula(ds: xr.Dataset, alpha: float) -> tuple[float, float]:
    """Return the largest singular value by eq. 111 after two updates on one input, and its error from those of C, R."""
    here = [("C_phi", 1), ("R_phi_r", 1), ("C_g", 2), ("R_g_u", 2)]
    early: dict[str, Any] = {"time": [0, 1], "time_": [0, 1]}
    learned = SPIKE["gamma"] * SPIKE["rate"] * (SPIKE["targets"][0] - ds.f.sel(time=[0, 1]).values)

    def largest(arrays: list[np.ndarray]) -> float:
        C_phi, R_phi, C_g, R_g = arrays
        return float(np.sqrt(outliers(C_phi, R_phi, C_g, R_g, learned, alpha=alpha)[0]))

    known = [ds[name].sel(layer=layer, **early).values for name, layer in here]
    errors = [ds[name + STDERR].sel(layer=layer, **early).values for name, layer in here]
    value, square = largest(known), 0.0
    for i, error in enumerate(errors):
        for entry in np.ndindex(error.shape):
            moved = known[i].copy()
            moved[entry] += error[entry]
            square += (largest([*known[:i], moved, *known[i + 1 :]]) - value) ** 2
    return value, float(np.sqrt(square))
