"""Figures of the linear flow: the response, its density and its fluctuations lie where theory puts them."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from drawn import curves, dashes, drawn_by, sound

from sitesampler.errors import InputError, SiteSamplerError
from sitesampler.figures.goe_flow import density
from sitesampler.figures.lines import SAMPLE
from sitesampler.theory import goe_flow, goe_flow_fluctuations


def exact_result(dt: float, steps: int, stderr: float) -> xr.Dataset:
    """Return what a run without any error would have given, with an error stated."""
    times = dt * np.arange(steps + 1)
    values = {"R_h": goe_flow.response(dt, steps), "C_h": goe_flow.correlation(dt, steps)}
    errors = {f"{name}_stderr": np.abs(value) * stderr for name, value in values.items()}
    return xr.Dataset(
        {name: (("time", "time_"), value) for name, value in (values | errors).items()},
        coords={"time": times, "time_": times},
        attrs={"program": "goe_flow", "parameters": f'{{"dt": {dt}}}', "replicas": 4, "population": 100},
    )


def test_a_study_draws_the_density(tmp_path: Path) -> None:
    (response, collapse, _, spectrum), _ = drawn_by("goe_flow", tmp_path, "parameters.duration=6.0")
    ((lags, exact),) = dashes(response)
    np.testing.assert_allclose(exact, goe_flow.response(1.0, 6)[1:, 0])
    np.testing.assert_allclose(curves(response, SAMPLE)[0], (lags, exact), rtol=1e-3)
    assert len(dashes(collapse)) == len(dashes(spectrum)) == 1


def test_a_response_without_errors_gives_the_semicircle_back() -> None:
    _, _, coefficients, spectrum = sound(density(exact_result(0.8, 13, stderr=1e-12)))
    (x, found), (_, exact) = curves(spectrum, SAMPLE)[0], dashes(spectrum)[0]
    np.testing.assert_allclose(found, exact, atol=1e-6)
    z = x + 0.05j
    np.testing.assert_allclose(exact, -((z - np.sqrt(z - 2) * np.sqrt(z + 2)) / 2).imag / np.pi)
    (points,) = (container for container in coefficients.containers)
    np.testing.assert_allclose(points.lines[0].get_ydata(), 1, atol=1e-6)
    assert len(points.lines[0].get_ydata()) >= 5


@pytest.mark.parametrize("scheme", ["euler", "rk4"])
def test_a_study_draws_the_fluctuations_against_their_closed_form(scheme: str, tmp_path: Path) -> None:
    (_, over_time, scaling), sample = drawn_by(
        "goe_flow_fluctuations", tmp_path, "sweep.simulate.size=[20, 40]", f"parameters.scheme='{scheme}'"
    )
    ((times, exact),) = dashes(over_time)
    np.testing.assert_allclose(times, sample["time"])
    assert exact[-1] == goe_flow_fluctuations.correlation_covariance(0.7, 0.7, dt=0.1 if scheme == "euler" else None)
    np.testing.assert_allclose(dashes(scaling)[0][1], np.sqrt(exact[-1] / np.array([20, 40])))


def test_the_density_is_that_of_a_map(tmp_path: Path) -> None:
    sample = exact_result(0.8, 13, stderr=1e-12).assign_attrs(scheme="rk4")
    with pytest.raises(InputError, match="moments of a matrix off the steps of a map"):
        density(sample)
    with pytest.raises(SiteSamplerError, match=r"figure.kind: the figure 'density' reads moments"):
        drawn_by("goe_flow", tmp_path, "parameters.scheme='heun'")
