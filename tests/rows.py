"""Made-up rows of a table, for tests of what is done with rows."""

from typing import Any

from sitesampler.verification import Row


def row(deviation: float, **fields: Any) -> Row:
    """Return a row that deviates by so many standard errors of 0.01 from a reference of 1."""
    known = {"system": "made_up", "quantity": "C(5, 5)", "kind": "theory", "stderr": 0.01, "freedom": 15.0}
    return Row(
        **{**known, "value": 1 + 0.01 * deviation, "reference": 1.0, "reference_stderr": 0.0, "deviation": deviation}
        | fields
    )
