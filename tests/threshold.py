"""When a sampled result agrees with a reference: one threshold on the largest of many deviations."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

#: Chance that a correct sampler fails one comparison.  Seeds are fixed, so that it fails always or never.
FALSE_ALARM = 1e-4


def threshold(points: int, replicas: int, false_alarm: float = FALSE_ALARM) -> float:
    """Return the deviation, in standard errors, that the largest of ``points`` exceeds with this probability.

    Student's t for a standard error that comes from few replicas; Bonferroni for the many points, of which only the
    independent ones count.
    """
    return float(stats.t.isf(false_alarm / (2 * points), replicas - 1))


def assert_agreement(
    estimate: Any,
    stderr: Any,
    reference: ArrayLike,
    *,
    replicas: int,
    error_below: float,
    scale: ArrayLike | None = None,
    reference_stderr: ArrayLike = 0.0,
    points: int | None = None,
    false_alarm: float = FALSE_ALARM,
) -> None:
    """Assert that an estimate agrees with a reference within its errors, and that these are small.

    Parameters
    ----------
    estimate, stderr : array or DataArray
    reference : array
        Broadcastable to the estimate.
    replicas : int
        How many the standard error comes from; the smaller number where the reference has errors too.
    error_below : float
        Bound on the standard error over the scale: a comparison with large errors would say nothing.
    scale : array, optional
        What errors are relative to; by default the largest reference.
    reference_stderr : array
        Standard error of the reference.
    points : int, optional
        Effectively independent points; by default all.
    false_alarm : float
        See `threshold`.
    """
    dims = getattr(estimate, "dims", None)
    values, errors = np.asarray(estimate, float), np.asarray(stderr, float)
    reference = np.broadcast_to(np.asarray(reference, float), values.shape)
    scale = np.abs(reference).max() if scale is None else np.asarray(scale, float)
    errors = np.hypot(errors, np.asarray(reference_stderr, float))
    assert np.all(np.isfinite(values)), "the estimate is not finite"
    relative = errors / scale
    assert relative.max() < error_below, (
        f"standard error {relative.max():.2g} of the scale, not below {error_below:.2g}"
    )
    # What is exact on both sides, such as a start at zero, may have no error at all.
    different = np.abs(values - reference)
    deviations = np.divide(different, errors, out=np.where(different > 0, np.inf, 0.0), where=errors > 0)
    largest = np.unravel_index(np.argmax(deviations), values.shape)
    limit = threshold(points or values.size, replicas, false_alarm)
    where = str(tuple(int(i) for i in largest))
    if dims is not None:
        labels = [estimate[dim].values if dim in estimate.coords else range(len(estimate[dim])) for dim in dims]
        where = ", ".join(f"{dim}={label[i]}" for dim, label, i in zip(dims, labels, largest, strict=True))
    assert deviations[largest] < limit, (
        f"{deviations[largest]:.1f} standard errors at {where}, limit {limit:.1f}: "
        f"{values[largest]:.6g} +- {errors[largest]:.2g} against {reference[largest]:.6g}"
    )


def assert_equal_to(estimate: Any, reference: ArrayLike, relative: float) -> None:
    """Assert equality with an exact reference, relative to its largest value."""
    values, reference = np.asarray(estimate, float), np.asarray(reference, float)
    assert values.shape == reference.shape
    difference = np.abs(values - reference).max() / np.abs(reference).max()
    assert difference < relative, f"largest difference {difference:.2g} of the largest value, not below {relative:.2g}"
