"""The figures of the chapters: every study of the repository, made small, draws the figure it asks for."""

from pathlib import Path

import numpy as np
import pytest

from sitesampler.errors import InputError
from sitesampler.figures import KINDS, draw
from sitesampler.figures.deep_learning import alignment, critical_line
from sitesampler.figures.random_matrices import density_of, jacobi_coefficients, sampled_density
from sitesampler.studies.run import run_study
from sitesampler.studies.study_file import read_study
from sitesampler.theory import goe_flow

STUDIES = Path(__file__).parents[1] / "studies"
SMALL = ("sample.replicas=2", "sample.population=200", "sample.keep=4")
SMALL_NETWORK = ("simulate.replicas=2", "simulate.size=50", "simulate.keep=4")

#: What makes each study small, beside the populations.
SMALLER = {
    "spherical_pspin_aging": ["parameters.duration=3.0"],
    "spherical_pspin_equilibrium": ["parameters.duration=1.0"],
    "random_rnn_transition": ["parameters.duration=3.0", "parameters.transient=1.0", "sweep.g=[0.8, 2.0]"],
    "random_rnn_fluctuations": ["parameters.duration=2.0", "sweep.simulate.size=[20, 40]"],
    "goe_fluctuations": ["sweep.simulate.size=[20, 40]"],
    "goe_flow": ["parameters.duration=6.0"],
    "marchenko_pastur": ["parameters.duration=3.0"],
    "regression_flow": ["parameters.duration=3.0", "sweep.alpha=[0.5, 2.0]"],
    "regression_batches": ["parameters.duration=3.0"],
    "random_features": ["parameters.duration=3.0", "sweep.width_ratio=[0.3, 0.6, 2.5]"],
    "random_features_power_law": ["parameters.duration=3.0", "sweep.width_ratio=[0.3, 0.6]"],
    "random_features_growth": ["parameters.duration=1.5", "sweep.width_ratio=[0.6, 2.0]"],
    "deep_propagation": ["parameters.depth=4"],
    "order_to_chaos": ["parameters.depth=4", "sweep.sigma_w=[0.8, 2.0]", "sweep.sigma_b=[0.1, 0.3]"],
    "deep_network": ["parameters.steps=3"],
    "deep_network_lazy_rich": ["parameters.steps=3", "sweep.gamma=[0.1, 1.5]"],
    "deep_network_outliers": ["parameters.steps=3", "parameters.outlier_times=[1, 2, 3]"],
    "spiked_wigner": ["sweep.strength=[-1.6, 0.0, 1.6]"],
    "evolving_spikes": ["parameters.spikes=3"],
}


def test_every_kind_of_figure_has_a_study() -> None:
    shown = {read_study(file).figure.kind for file in STUDIES.glob("*.toml")} - {None}
    assert shown == set(KINDS)


@pytest.mark.parametrize("name", SMALLER)
def test_a_study_draws_its_figure(name: str, tmp_path: Path) -> None:
    settings = [*SMALL, *SMALLER[name]]
    study = read_study(STUDIES / f"{name}.toml")
    if study.simulate is not None:
        swept = "simulate.size" in study.sweep
        settings += [setting for setting in SMALL_NETWORK if not (swept and "size" in setting)]
    result = run_study(read_study(study.path, settings), tmp_path, progress=False)
    assert result.paths[-1].name == "figure.png"
    drawn = draw(result.sample, result.simulation, kind=study.figure.kind, title=study.title)
    assert drawn is not None
    for axes in drawn.axes:
        assert axes.get_xlabel() or axes.get_ylabel()
        for line in axes.lines:
            values = np.asarray(line.get_ydata(), float)
            assert line.get_label() != "theory" or np.isfinite(values).any()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"there is no figure 'agng' \(did you mean 'aging'\?\)"):
        draw(None, kind="agng")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- arithmetic
def test_moments_of_a_known_density_give_it_back() -> None:
    dt, x = 0.8, np.linspace(-2.5, 2.5, 101)
    moments = goe_flow.response(dt, 13)[1:, 0]
    found, band, b, _ = sampled_density(x, moments, 0 * moments, dt, 5)
    np.testing.assert_allclose(b, 1, atol=1e-6)
    np.testing.assert_allclose(band, 0, atol=1e-12)
    z = x + 0.05j
    resolvent = (z - np.sqrt(z - 2) * np.sqrt(z + 2)) / 2
    np.testing.assert_allclose(found, -resolvent.imag / np.pi, atol=1e-6)


def test_a_jacobi_matrix_of_two_atoms_ends() -> None:
    a, b = jacobi_coefficients(np.array([1.0, 0.0, 1.0, 0.0, 1.0]))  # atoms at 1 and -1
    np.testing.assert_allclose(a, [0.0])
    np.testing.assert_allclose(b, [1.0])
    assert density_of(np.zeros(1), a, b, 0.1).shape == (1,)


def test_alignment_is_one_for_the_kernel_of_the_targets() -> None:
    y = np.array([1.0, -0.5])
    assert alignment(np.outer(y, y), y) == pytest.approx(1.0)
    assert alignment(np.eye(2), y) == pytest.approx(1 / np.sqrt(2))


def test_the_critical_line_starts_at_weights_of_one() -> None:
    sigma_w, sigma_b = critical_line("tanh", np.array([1e-8, 0.5]))
    assert (sigma_w[0], sigma_b[0]) == (pytest.approx(1.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    assert sigma_w[1] > 1 and sigma_b[1] > 0
