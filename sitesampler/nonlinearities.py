r"""Pointwise nonlinearities phi of the tutorial's networks, with derivative and antiderivative.

The single-site theory needs three relatives of the same function: phi itself (eq. 9), its derivative
(responses, back-propagation, eq. 79) and its antiderivative psi (potential of the random network, eq. 14).
`Nonlinearity` keeps them together; the instances `tanh`, `relu`, `erf` and `linear` are ready to use.

Any other callable may stand for phi wherever only its values are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitesampler.errors import InputError, did_you_mean, shown

__all__ = ["Activation", "Nonlinearity", "erf", "linear", "nonlinearity", "relu", "tanh"]

Activation: TypeAlias = Callable[[Any], Any]
"""Anything that maps an array to an array of the same shape, element by element."""

_SQRT_PI = float(np.sqrt(np.pi))
# Beyond this |h|, log cosh h = |h| - log 2 to the last bit, and cosh would soon overflow float32.
_LOG_COSH_LINEAR = 20.0


@dataclass(frozen=True, repr=False)
class Nonlinearity:
    """A function phi with its derivative and its antiderivative.

    All three work element by element on arrays of any shape and keep float32 and float64. Calling the object
    calls phi.

    Parameters
    ----------
    name : str
        Short name; the theory selects closed-form averages by it.
    function, derivative : callable
        phi and phi'.
    antiderivative : callable
        psi(h), the integral of phi from 0 to h (below eq. 14).

    Examples
    --------
    >>> import numpy as np
    >>> tanh
    tanh
    >>> float(relu(np.array(-2.0))), float(relu.antiderivative(np.array(2.0)))
    (0.0, 2.0)
    """

    name: str
    function: Activation
    derivative: Activation
    antiderivative: Activation

    def __call__(self, h: ArrayLike) -> NDArray[Any]:
        """Return phi(h), same shape and dtype as h."""
        result: NDArray[Any] = self.function(h)
        return result

    def __repr__(self) -> str:
        """Return the name."""
        return self.name


def _tanh_derivative(h: ArrayLike) -> Any:
    value = np.tanh(h)
    return 1 - value * value


def _log_cosh(h: ArrayLike) -> Any:
    size = np.abs(h)
    # log(cosh h) = log1p(2 sinh(h/2)^2) keeps relative accuracy for small h, where log(cosh) would lose it.
    half_sinh = np.sinh(np.minimum(size, _LOG_COSH_LINEAR) / 2)
    return np.log1p(2 * half_sinh * half_sinh) + np.maximum(size - _LOG_COSH_LINEAR, 0)


def _relu(h: ArrayLike) -> Any:
    return np.maximum(h, 0)


def _relu_derivative(h: ArrayLike) -> Any:
    return np.heaviside(h, 0)


def _relu_antiderivative(h: ArrayLike) -> Any:
    positive = np.maximum(h, 0)
    return positive * positive / 2


def _erf(h: ArrayLike) -> Any:
    from scipy.special import erf as special_erf  # half a second of start-up: only those who use erf pay

    return special_erf(h)


def _erf_derivative(h: ArrayLike) -> Any:
    return (2 / _SQRT_PI) * np.exp(-np.square(h))


def _erf_antiderivative(h: ArrayLike) -> Any:
    return h * _erf(h) + np.expm1(-np.square(h)) / _SQRT_PI


def _half_square(h: ArrayLike) -> Any:
    return np.square(h) / 2


tanh = Nonlinearity("tanh", np.tanh, _tanh_derivative, _log_cosh)
relu = Nonlinearity("relu", _relu, _relu_derivative, _relu_antiderivative)
erf = Nonlinearity("erf", _erf, _erf_derivative, _erf_antiderivative)
linear = Nonlinearity("linear", np.positive, np.ones_like, _half_square)

_BY_NAME = {known.name: known for known in (tanh, relu, erf, linear)}
#: Names by which a nonlinearity can be said.
NAMES = tuple(_BY_NAME)


def nonlinearity(phi: str | Activation) -> Activation:
    """Return the nonlinearity meant by a name or a callable.

    Parameters
    ----------
    phi : str or callable
        "tanh", "relu", "erf" or "linear"; a `Nonlinearity` or any other callable is returned as it is.

    Raises
    ------
    InputError
        If the name is unknown, with the choices, or `phi` is neither a name nor callable.

    Examples
    --------
    >>> nonlinearity("erf")
    erf
    >>> nonlinearity("tahn")
    Traceback (most recent call last):
    sitesampler.errors.InputError: phi must be tanh, relu, erf, linear or a function of arrays, not 'tahn' (did you mean
    'tanh'?)
    """
    if isinstance(phi, str) and phi in _BY_NAME:
        return _BY_NAME[phi]
    if isinstance(phi, str) or not callable(phi):
        hint = did_you_mean(phi, NAMES) if isinstance(phi, str) else ""
        raise InputError(f"phi must be {', '.join(NAMES)} or a function of arrays, not {shown(phi)}{hint}")
    return phi
