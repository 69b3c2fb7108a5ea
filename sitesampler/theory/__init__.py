"""Reference solutions that need no sampling: closed recursions, spectral integrals, exact constants.

Each module treats one system of the tutorial, in the discrete time of its Euler scheme wherever the equations
close, so that a sampler or a finite network at the same time step must agree to within its statistical error.

========================  ======================================================  =================
module                    system                                                  tutorial
========================  ======================================================  =================
`gaussian`                averages of phi over one or two Gaussian variables      Problem 3, (23)
`spherical_pspin`         Langevin dynamics of the spherical p-spin model         (1)-(8)
`random_rnn`              random recurrent network, its chaos and its potential   (9)-(20)
`deep_propagation`        correlations through the layers of a random network     (21)-(25)
`goe`                     linear flow with a symmetric random matrix              (34)-(44)
`resolvent`               response -> resolvent -> spectral density               (28)-(33), (67)
`finite_size`             fluctuations of C and R of a finite GOE                 Problem 10
`regression`              gradient descent for linear regression                  (52)-(69)
`sgd`                     stochastic gradient descent for linear regression       beyond
`random_features`         random feature models, any spectrum                     (70)-(74)
`feature_learning`        deep networks: lazy, linear, one layer; their outliers  (74)-(86), (111)
`spiked_wigner`           outliers of a Wigner matrix with spikes                 (87)-(94)
`evolving_spikes`         outliers of a matrix that makes its own spikes          (98)-(107)
========================  ======================================================  =================

Conventions: time in units of the single-site relaxation time; `t_n = n dt`; two-time arrays have the later
(row) time first; a *response density* is the derivative with respect to the source times dt and vanishes for
n <= m, a *raw response* has no dt divided out and a unit diagonal.
"""

from . import (
    deep_propagation,
    evolving_spikes,
    excitatory_inhibitory,
    feature_learning,
    finite_size,
    gaussian,
    gaussian_mixture_sgd,
    goe,
    hopfield,
    lotka_volterra,
    low_rank_rnn,
    perceptron_flow,
    random_features,
    random_rnn,
    regression,
    resolvent,
    sgd,
    spherical_pspin,
    spiked_wigner,
)

__all__ = [
    "deep_propagation",
    "evolving_spikes",
    "excitatory_inhibitory",
    "feature_learning",
    "finite_size",
    "gaussian",
    "gaussian_mixture_sgd",
    "goe",
    "hopfield",
    "lotka_volterra",
    "low_rank_rnn",
    "perceptron_flow",
    "random_features",
    "random_rnn",
    "regression",
    "resolvent",
    "sgd",
    "spherical_pspin",
    "spiked_wigner",
]
