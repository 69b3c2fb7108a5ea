"""The tutorial's systems, one short site program per module.

Programs import NumPy and the named nonlinearities only, and speak to ``net`` alone: each runs in every world.
"""

from sitesampler.models.deep_propagation import deep_propagation
from sitesampler.models.goe_flow import goe_flow
from sitesampler.models.random_rnn import random_rnn
from sitesampler.models.random_rnn_lyapunov import random_rnn_lyapunov
from sitesampler.models.regression_flow import regression_flow
from sitesampler.models.spherical_pspin import spherical_pspin

#: Names of the models.
NAMES = (
    "deep_propagation",
    "goe_flow",
    "random_rnn",
    "random_rnn_lyapunov",
    "regression_flow",
    "spherical_pspin",
)

__all__ = [
    "NAMES",
    "deep_propagation",
    "goe_flow",
    "random_rnn",
    "random_rnn_lyapunov",
    "regression_flow",
    "spherical_pspin",
    "summary",
]


def summary(name: str) -> str:
    """Return the first line of a model's docstring."""
    if name not in NAMES:
        raise AttributeError(f"there is no model {name!r}; the models are {', '.join(NAMES)}")
    return (globals()[name].__doc__ or "").split("\n", 1)[0]
