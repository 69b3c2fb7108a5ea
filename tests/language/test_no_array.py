"""What a program takes for an array and is none: one sentence that says what is right."""

from typing import Any

import numpy as np
import pytest

from sitesampler.errors import ProgramError
from sitesampler.worlds.rehearsal import rehearse


def refusal(statement: str) -> str:
    """Return what is said of a statement in a program."""

    def program(net: Any) -> None:
        n, m = net.sites(name="neuron"), net.sites(ratio=2.0, name="feature")
        J, K, W, T = net.coupling(n), net.coupling(n), net.coupling(m, n), net.tensor_coupling(n, order=3)
        held = {"net": net, "n": n, "m": m, "J": J, "K": K, "W": W, "T": T, "np": np}
        for t in net.steps(1):
            exec(statement, {**held, "t": t, "h": n.normal(), "x": n.normal(2), "y": m.normal()})

    with pytest.raises(ProgramError) as caught:
        rehearse(program, {})
    message = str(caught.value)
    assert "line" in message and "\n" not in message and ". " not in message and "211" not in message
    return message


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("-J @ h", "a coupling has no sign of its own; write -(J @ x) instead of -J @ x"),
        ("-W.T @ y", "write -(J.T @ x) instead of -J.T @ x"),
        ("(0.5 * J) @ h", "not multiplied by a number, its product is; write c * (J @ x), or give it a gain"),
        ("(J * np.float64(0.5)) @ h", "write c * (J @ x)"),
        ("(J / 2) @ h", "write (J @ x) / c"),
        ("(J + K) @ h", "write J @ x + K @ x instead of (J + K) @ x"),
        ("(J - K) @ h", "write J @ x - K @ x"),
        ("J += K", "a coupling is changed by J.add(left, right, strength)"),
        ("J *= 0.5", "a coupling is changed by J.scale(factor)"),
        ("J * h", "the product of a coupling with a vector is written J @ x, not J * x"),
        ("h * J", "the product of a coupling with a vector is written J @ x, not J * x"),
        ("np.dot(J, h)", "the product of a coupling with a vector is written J @ x"),
        ("J(h)", "the product with a vector is written J @ x"),
        ("h @ J", "a vector stands left of a coupling; write J.T @ x instead of x @ J"),
        ("y @ J.T", "write J @ y instead of y @ J.T"),
        ("J @ J", "a product of couplings acts on a vector; write J @ (K @ x)"),
        ("J @ K.T", "a product of couplings acts on a vector; write J @ (K @ x)"),
        ("np.abs(J) @ h", "a coupling has no entries to be seen, only products: J @ x and J.T @ y"),
        ("abs(J)", "a coupling has no entries"),
        ("J ** 2", "a coupling has no entries"),
        ("J > 0", "a coupling has no entries"),
        ("J[0]", "a coupling has no entries"),
        ("len(J)", "a coupling has no entries"),
        ("list(J)", "a coupling has no entries"),
        ("np.mean(J)", "a coupling has no entries"),
        ("np.asarray(J)", "a coupling has no entries"),
        ("np.linalg.eigvals(J)", "a coupling has no entries"),
        ("net.mean(J)", "a coupling has no entries"),
        ("net.record(t, J=J)", "a coupling has no entries"),
        ("J.multiply(h, h)", "a coupling has no word 'multiply'"),
        ("J.outlier_eigenvalue()", "a coupling has no word 'outlier_eigenvalue' (did you mean 'outlier_eigenvalues'?)"),
        ("T @ h", "a tensor coupling acts on a vector of spins as K.force(s)"),
        ("T(h)", "a tensor coupling acts on a vector of spins as K.force(s)"),
        ("2 * n", "the group 'neuron' is no vector; draw one from it, as group.normal() does"),
        ("h + n", "the group 'neuron' is no vector"),
        ("np.tanh(n)", "the group 'neuron' is no vector"),
        ("n[0]", "the group 'neuron' is no vector"),
        ("n.poisson(3)", "a group has no word 'poisson'"),
        ("net.normal()", "net has no word 'normal'"),
    ],
)  # fmt: skip
def test_what_is_no_array_says_what_is_right(statement: str, says: str) -> None:
    assert says in refusal(statement)


TRUTH = "ask for one truth value where a site vector has one for each site; write np.where(condition, a, b)"
SUMS = (
    "a product of arrays sums over the sites; between groups that is a coupling, J @ x, and within one it is an average"
)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("h if h > 0 else 0", TRUTH),
        ("max(h, 0)", TRUTH),
        ("not h", TRUTH),
        ("0 < h < 1", TRUTH),
        ("float(h)", "a site vector stands where one number is wanted; functions of NumPy act on each site"),
        ("h + y", "a vector over 'neuron' and a vector over 'feature' do not fit together site by site"),
        ("h * x", "and a vector over 'neuron' with 2 inner columns do not fit together site by site; x[:, None] makes"),
        ("h + np.ones(5)", "a vector over 'neuron' and 5 numbers do not fit together site by site"),
        ("np.where(h > 0, h, y)", "a vector over 'neuron' and a vector over 'feature' do not fit together site by"),
        ("h @ y", SUMS),
        ("x @ x", SUMS),
        ("h[500]", "a site is picked out by its number, 500, and sites have none"),
        ("np.ones(3).reshape(7, 3)", "ValueError: cannot reshape array"),
        ("J @ y", "not a vector over 'feature'"),
        ("J @ x[:, :, None]", "not an array of shape ('neuron', 2, 1)"),
        ("net.source(h)", "a source needs groups made by net.sites, not a vector over 'neuron'"),
        ("net.mean(np.ones((2, 3)))", "not an array of shape (2, 3)"),
    ],
)  # fmt: skip
def test_arrays_are_said_as_vectors_over_groups(statement: str, says: str) -> None:
    assert says in refusal(statement)
