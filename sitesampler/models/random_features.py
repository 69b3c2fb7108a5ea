"""Random feature models, section 7 of the tutorial."""

from typing import Annotated, Any

from sitesampler.parameters import NonNegative, Positive, numbers, one_of


def random_features(
    net: Any,
    *,
    width_ratio: Positive = 0.6,
    data_ratio: Positive = 0.6,
    noise: NonNegative = 0.2,
    spectrum: NonNegative | Annotated[Any, numbers("k", least=0)] | None = None,
    scheme: Annotated[str, one_of("euler", "heun", "rk4")] = "rk4",
    dt: Positive = 0.05,
    duration: NonNegative = 10.0,
) -> None:
    """Gradient flow of random features on random data: non-Hermitian dynamics, double descent (eqs. 70-74).

    D modes with the eigenvalues ``spectrum`` (all 1 if None, else dealt to the modes in equal shares), N = width_ratio
    D features and P = data_ratio D data.  h = w_* - A^T w / sqrt(N) follows dh/dt = -(A^T A/N)(Psi^T Psi/P) h, plus
    label noise.  Records the vector h, and the numbers test_loss = sum_k spectrum_k h_k^2 / D + noise^2 and train_loss.

    Parameters
    ----------
    width_ratio : a number > 0, default 0.6
        Features, over the modes.
    data_ratio : a number > 0, default 0.6
        Data, over the modes.
    noise : a number >= 0, default 0.2
        Label noise, of variance noise^2.
    spectrum : a number >= 0, a list of numbers >= 0 or None, default None
        Eigenvalues of the modes: all 1 if None, else dealt in equal shares.
    scheme : 'euler', 'heun' or 'rk4', default 'rk4'
        Scheme of the steps, of order 1, 2 or 4 in dt; 'euler' is gradient descent, with dt for the learning rate.
    dt : a number > 0, default 0.05
        Time step.
    duration : a number >= 0, default 10.0
        Time that is run: a whole number of steps.
    """
    modes = net.sites(name="mode")
    features, data = net.sites(width_ratio, name="feature"), net.sites(data_ratio, name="datum")
    X, A = net.coupling(data, modes), net.coupling(features, modes)
    scale = modes.values(1.0 if spectrum is None else spectrum) ** 0.5
    start, label_noise = modes.normal(), noise * data.normal()

    def errors(h: Any) -> Any:
        return X @ (scale * h) + label_noise

    def drift(h: Any) -> Any:
        gradient = scale * (X.T @ errors(h)) / data_ratio
        return -(A.T @ (A @ gradient)) / width_ratio

    for t, h in net.flow(drift, start, duration, dt, scheme=scheme):
        delta, test_loss = errors(h), net.overlap(scale * h, scale * h) + noise**2
        net.record(t, h=h, test_loss=test_loss, train_loss=net.overlap(delta, delta))
