"""The tutorial's systems and more, one short site program per module.

Programs import NumPy and the named nonlinearities only, and speak to ``net`` alone: each runs in every world.
"""

from sitesampler.models.deep_network import deep_network
from sitesampler.models.deep_propagation import deep_propagation
from sitesampler.models.evolving_spikes import evolving_spikes
from sitesampler.models.excitatory_inhibitory import excitatory_inhibitory
from sitesampler.models.gaussian_mixture_sgd import gaussian_mixture_sgd
from sitesampler.models.goe_flow import goe_flow
from sitesampler.models.hopfield import hopfield
from sitesampler.models.lotka_volterra import lotka_volterra
from sitesampler.models.low_rank_rnn import low_rank_rnn
from sitesampler.models.perceptron_flow import perceptron_flow
from sitesampler.models.random_features import random_features
from sitesampler.models.random_rnn import random_rnn
from sitesampler.models.random_rnn_lyapunov import random_rnn_lyapunov
from sitesampler.models.regression_flow import regression_flow
from sitesampler.models.spherical_pspin import spherical_pspin
from sitesampler.models.spiked_wigner import spiked_wigner

#: Names of the models.
NAMES = (
    "deep_network",
    "deep_propagation",
    "evolving_spikes",
    "excitatory_inhibitory",
    "gaussian_mixture_sgd",
    "goe_flow",
    "hopfield",
    "lotka_volterra",
    "low_rank_rnn",
    "perceptron_flow",
    "random_features",
    "random_rnn",
    "random_rnn_lyapunov",
    "regression_flow",
    "spherical_pspin",
    "spiked_wigner",
)

__all__ = [
    "NAMES",
    "deep_network",
    "deep_propagation",
    "evolving_spikes",
    "excitatory_inhibitory",
    "gaussian_mixture_sgd",
    "goe_flow",
    "hopfield",
    "lotka_volterra",
    "low_rank_rnn",
    "perceptron_flow",
    "random_features",
    "random_rnn",
    "random_rnn_lyapunov",
    "regression_flow",
    "spherical_pspin",
    "spiked_wigner",
    "summary",
]


def summary(name: str) -> str:
    """Return the first line of a model's docstring."""
    if name not in NAMES:
        raise AttributeError(f"there is no model {name!r}; the models are {', '.join(NAMES)}")
    return (globals()[name].__doc__ or "").split("\n", 1)[0]
