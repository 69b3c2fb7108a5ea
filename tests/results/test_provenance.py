"""Where a result came from."""

import json

import numpy as np

from sitesampler.results.provenance import provenance


def test_attributes_are_numbers_strings_or_json() -> None:
    def phi(x: float) -> float:
        return x

    facts = {
        "seed": 3,
        "tolerance": 1e-3,
        "program": "rnn",
        "parameters": {"g": np.float64(2), "phi": phi},
        "flag": True,
    }
    attrs = provenance(**facts)
    assert attrs["seed"] == 3 and attrs["program"] == "rnn"
    assert json.loads(attrs["parameters"]) == {"g": 2.0, "phi": "phi"}
    assert json.loads(attrs["flag"]) is True
    assert {"python", "sitesampler", "numpy", "numba"} <= set(json.loads(attrs["versions"]))
    assert all(isinstance(value, (int, float, str)) for value in attrs.values())
