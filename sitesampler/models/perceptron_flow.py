"""Teacher-student perceptron, trained by full-batch gradient descent."""

from typing import Annotated, Any, Literal

import numpy as np

from sitesampler.parameters import NonNegative, Positive, one_of

#: Losses of the output h for the label y, with their derivatives by h.
LOSSES = {
    "logistic": (lambda h, y: np.logaddexp(0, -y * h), lambda h, y: -y / (1 + np.exp(y * h))),
    "hinge": (lambda h, y: np.maximum(1 - y * h, 0) ** 2 / 2, lambda h, y: -y * np.maximum(1 - y * h, 0)),
    "square": (lambda h, y: (h - y) ** 2 / 2, lambda h, y: h - y),
}


def perceptron_flow(
    net: Any,
    *,
    alpha: Positive = 2.0,
    loss: Literal["logistic", "hinge", "square"] = "logistic",
    labels: Literal["sign", "linear"] = "sign",
    noise: NonNegative = 0.0,
    decay: NonNegative = 0.0,
    start: NonNegative = 0.0,
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Positive = 0.5,
    duration: NonNegative = 20.0,
) -> None:
    """Perceptron that learns the labels of a teacher by gradient flow, on fixed data and with any loss.

    Outputs h = Psi w/sqrt(N) on alpha N data; labels y = sign(u) or, with ``labels="linear"``, y = u, where
    u = Psi w_*/sqrt(N) + noise and |w_*|^2 = N.  dw/dt = -(sqrt(N)/P) Psi^T loss'(h, y) - decay w, P = alpha N, with
    the loss "logistic", "hinge" (squared) or "square"; w(0) ~ N(0, start^2).  Records the vectors w and h, and the
    numbers overlap = <w_* w>, train_loss, train_error and test_error (the latter two: fractions of wrong signs).

    Parameters
    ----------
    alpha : a number > 0, default 2.0
        Data, over N.
    loss : 'logistic', 'hinge' or 'square', default 'logistic'
        Loss of an output for a label.
    labels : 'sign' or 'linear', default 'sign'
        Labels of the teacher: signs, or its fields themselves.
    noise : a number >= 0, default 0.0
        Noise of the teacher's fields, of variance noise^2.
    decay : a number >= 0, default 0.0
        Weight decay.
    start : a number >= 0, default 0.0
        Standard deviation of w(0).
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is gradient descent, with dt for the learning rate.
    dt : a number > 0, default 0.5
        Time step.
    duration : a number >= 0, default 20.0
        Time that is run: a whole number of steps.
    """
    value, slope = LOSSES[loss]
    features, data = net.sites(name="feature"), net.sites(alpha, name="datum")
    Psi = net.coupling(data, features)
    teacher, first = features.normal(), start * features.normal()
    u = Psi @ teacher + noise * data.normal()
    y = np.sign(u) if labels == "sign" else u

    def drift(w: Any) -> Any:
        return -(Psi.T @ slope(Psi @ w, y) / alpha + decay * w)

    for t, w in net.flow(drift, first, duration, dt, scheme=scheme):
        h = Psi @ w
        norms = np.sqrt(net.overlap(w, w) * net.overlap(teacher, teacher))
        overlap = net.overlap(teacher, w)
        test_error = np.arccos(overlap / norms) / np.pi if norms > 0 else 0.5
        errors = {"train_error": net.mean(y * h <= 0), "test_error": test_error}
        net.record(t, w=w, h=h, overlap=overlap, train_loss=net.mean(value(h, y)), **errors)
