"""Variables as replicas record them, for tests of what becomes of them."""

from typing import Any

import numpy as np

from sitesampler.records.variable import Kind, Variable


def variable(values: Any, floor: Any = 0.0, kind: Kind = "average") -> Variable:
    array = np.asarray(values, float)
    attrs = {"long_name": "x", "units": "1"}
    return Variable(("time",), array, {"time": np.arange(len(array)) / 2}, np.asarray(floor, float), attrs, kind)
