"""The figure of the BBP transition."""

from pathlib import Path

import numpy as np
from drawn import dashes, drawn_by

from sitesampler.theory.spiked_wigner import outliers

OVERLAPS = [[1.0, 0.3], [0.3, 1.5]]


def test_a_study_draws_outliers_beyond_their_thresholds(tmp_path: Path) -> None:
    (value, overlap), _ = drawn_by("spiked_wigner", tmp_path, "sweep.strength=[-1.6, 0.0, 1.6]")
    thresholds = sorted(line.get_xdata()[0] for line in value.lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(thresholds, np.sort([s / x for x in np.linalg.eigvalsh(OVERLAPS) for s in (-1, 1)]))
    for rank, (strengths, found) in enumerate(dashes(value)):
        assert (strengths[0], strengths[-1]) == (-1.6, 1.6)
        assert found[-1] == outliers(OVERLAPS, 1.6)[rank]
        assert np.isnan(found[np.abs(strengths) < thresholds[2]]).all()
    assert len(dashes(overlap)) == 2
