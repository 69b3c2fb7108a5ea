"""A wide linear network with its task, trained in a Lanczos basis: what tests of learned features share."""

import numpy as np

GRAM = np.array([[1.0, 0.3], [0.3, 1.0]])
TARGETS = np.array([1.0, -0.5])


def chains(length, rights, lefts, alpha=1.0):
    """Return W(0)/sqrt(N_0) in the Lanczos basis grown from independent vectors, and the places of these vectors.

    `rights` of them lie in the space of columns, `lefts` in that of rows. The vectors an iid matrix makes of them
    are all orthogonal at N = infinity: one bidiagonal chain for each, with squared couplings alpha (to rows) and 1.
    """
    blocks = [np.sqrt(alpha) * np.eye(length) + np.eye(length, k=1)] * rights
    blocks += [np.eye(length) + np.sqrt(alpha) * np.eye(length, k=-1)] * lefts
    matrix = np.zeros((length * len(blocks), length * len(blocks)))
    for number, block in enumerate(blocks):
        place = slice(length * number, length * (number + 1))
        matrix[place, place] = block
    return matrix, [length * number for number in range(rights + lefts)]


def linear_network(gamma, rate, steps, length=40):
    """Train a linear network with two hidden layers in that basis: vectors and matrices instead of processes."""
    W, (first, second, third) = chains(length, 2, 1)
    h1 = np.zeros((2, len(W)))
    h1[:, [first, second]] = np.linalg.cholesky(GRAM)
    w = np.zeros(len(W))
    w[third] = 1.0
    c = gamma * rate
    history = {name: [] for name in ("f", "h1", "h2", "z1", "z2", "W")}
    for _ in range(steps + 1):
        h2, z1 = h1 @ W.T, W.T @ w
        f = h2 @ w / gamma
        for name, value in zip(history, (f, h1, h2, np.tile(z1, (2, 1)), np.tile(w, (2, 1)), W), strict=True):
            history[name].append(value)
        delta = TARGETS - f
        W, w, h1 = W + c * np.outer(w, delta @ h1), w + c * delta @ h2, h1 + c * np.outer(GRAM @ delta, z1)
    return {name: np.array(value) for name, value in history.items()}
