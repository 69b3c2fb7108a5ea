"""The figure of spikes that a matrix makes itself."""

from pathlib import Path

import numpy as np
from drawn import curves, dashes, drawn_by

from sitesampler.theory import evolving_spikes


def test_a_study_draws_the_outlier_after_each_spike(tmp_path: Path) -> None:
    (value, deviation), sample = drawn_by("evolving_spikes", tmp_path, "parameters.spikes=3")
    exact = [evolving_spikes.outliers(0.25, 1.6, n)[0] for n in (1, 2, 3)]
    naive = [evolving_spikes.naive_outliers(0.25, 1.6, n)[0] for n in (1, 2, 3)]
    np.testing.assert_allclose(dashes(value)[0], ([1, 2, 3], exact))
    np.testing.assert_allclose(curves(value)[0][1], naive)
    apart = curves(deviation)[0][1]
    assert np.isnan(apart[0]) and np.all(apart[1:] > 0.1)
    np.testing.assert_allclose(sample["outliers"].isel(outlier=0), exact, rtol=1e-6)
