"""Slow and obvious NumPy twins of everything fast, and worlds to talk to without a program.

The house rule is "naive equals fast": a twin is written from the mathematics (design: an isometry from the vectors
multiplied by a matrix to fresh normals, and the memory that makes J.T its transpose) with whole arrays and no care for
speed, storage or rounding.  Averages ``<x y>`` run over sites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sitesampler.language.script import Plan, Said, Script
from sitesampler.language.stage import Stage
from sitesampler.physics.order import LiveOrderParameters
from sitesampler.records.recorder import Recorder
from sitesampler.vectors.layout import Layout
from sitesampler.vectors.threads import Lanes
from sitesampler.worlds.ensemble import SiteEnsemble
from sitesampler.worlds.finite import FiniteNetwork

# -------------------------------------------------------------------------------------------------- passes over tables


def project(rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the averages <row_i x_k>."""
    return rows.astype(float) @ vectors.astype(float).T / rows.shape[1]


def combine(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return sum_i weights[i, k] row_i for every k."""
    return weights.T @ rows.astype(float)


def gram_schmidt(vectors: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return an orthonormal basis of the vectors, and their coefficients in it, one column per vector.

    A vector that leaves the span of the earlier ones by less than ``tolerance`` adds nothing.
    """
    basis: list[np.ndarray] = []
    for vector in vectors.astype(float):
        rest = vector.copy()
        for _ in range(3):
            for q in basis:
                rest -= np.mean(q * rest) * q
        norm = np.sqrt(np.mean(rest**2))
        if norm > tolerance * np.sqrt(np.mean(vector**2)):
            basis.append(rest / norm)
    stacked = np.array(basis).reshape(len(basis), vectors.shape[1])
    return stacked, project(stacked, vectors)


def orthonormality(*tables: np.ndarray) -> float:
    """Return the largest deviation of <v_i v_j> from the identity, over all rows of all tables together."""
    rows = np.concatenate(tables).astype(float)
    return float(np.max(np.abs(project(rows, rows) - np.eye(len(rows))), initial=0.0))


# ------------------------------------------------------------------------------------------------- the random matrix


class NaiveIsometry:
    """J @ x and J.T @ y at N = infinity for an independent or rectangular matrix, one vector at a time.

    The fresh normals are handed in, so that the fast engine's own can be used: z_i for J, w_j for J.T.
    """

    def __init__(self, gain: float, a: float, b: float) -> None:
        self.gain, self.a, self.b = gain, a, b
        self.multiplied: dict[str, list[np.ndarray]] = {"J": [], "J.T": []}

    def product(self, direction: str, x: np.ndarray, z: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return J x (``direction`` "J") or J.T x ("J.T"), given all normals of the two directions so far."""
        own, other = ("J", "J.T") if direction == "J" else ("J.T", "J")
        a, b = (self.a, self.b) if direction == "J" else (self.b, self.a)
        self.multiplied[own].append(x)
        q, _ = gram_schmidt(np.array(self.multiplied[own]), 1e-9)
        out = np.zeros(len(z[0]) if len(z) else len(w[0]))
        for q_i, z_i in zip(q, z, strict=True):
            out += self.gain * np.sqrt(b) * np.mean(q_i * x) * z_i
        if self.multiplied[other]:
            p, _ = gram_schmidt(np.array(self.multiplied[other]), 1e-9)
            for p_j, w_j in zip(p, w, strict=True):
                out += self.gain * b / np.sqrt(a) * np.mean(w_j * x) * p_j
        return out


class NaiveSymmetric:
    """J @ x for a square matrix with <J_ij J_ji> = s gain^2/N, products of J itself only."""

    def __init__(self, gain: float, symmetry: float) -> None:
        self.gain, self.symmetry = gain, symmetry
        self.multiplied: list[np.ndarray] = []

    def product(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return J x, given all normals so far, that of x included."""
        self.multiplied.append(x)
        q, _ = gram_schmidt(np.array(self.multiplied), 1e-9)
        out = np.zeros(len(x))
        for q_i, z_i in zip(q, z, strict=True):
            out += self.gain * (np.mean(q_i * x) * z_i + self.symmetry * np.mean(z_i * x) * q_i)
        return out


# ------------------------------------------------------------------------------------------------- the random tensor


def pspin_energy(tensor: np.ndarray, s: np.ndarray) -> float:
    """Return H(s) = -N^{-(p-1)/2} sum A_{i1...ip} s_i1 ... s_ip, of an independent (not symmetrised) tensor A."""
    total = tensor
    for _ in range(tensor.ndim):
        total = total @ s
    return float(-total / len(s) ** ((tensor.ndim - 1) / 2))


def pspin_force(states: np.ndarray, normals: np.ndarray, p: int) -> np.ndarray:
    """Return the force at the last of the states: xi = L z of covariance p C^{p-1}, and p(p-1) R C^{p-2} s.

    R = <s z> L^{-1} by Stein's lemma; the present state has no response to the present noise.
    """
    C = project(states, states)
    L = np.linalg.cholesky(p * C ** (p - 1))
    noise = L[-1] @ normals
    past = len(states) - 1
    response = np.linalg.solve(L[:past, :past].T, project(normals[:past], states[-1:])[:, 0])
    return noise + (p * (p - 1) * response * C[-1, :past] ** (p - 2)) @ states[:past]


# ----------------------------------------------------------------------------------------------------------- worlds

WORLDS = ("ensemble", "matrix", "exact law")


def open_world(
    world: str,
    size: int,
    seed: int = 0,
    tolerance: float = 1e-10,
    dtype: str = "float64",
    twins: bool = False,
    lanes: Lanes | None = None,
    kind: type[SiteEnsemble] = SiteEnsemble,
) -> Any:
    """Return a world whose words can be said one by one, outside a program.

    Parameters
    ----------
    world : "ensemble", "matrix" or "exact law"
    size : int
        Population or N.
    kind : type
        Of the ensemble.
    twins : bool
        Give all vectors perturbed twins, as a program with a source has them.
    """
    plan = Plan(events=[Said("source", ("site",), (None, None))] if twins else [])
    stage = Stage(Script(plan, rehearsing=True), LiveOrderParameters(tolerance))
    layout, stream = Layout(size, np.dtype(dtype), lanes or Lanes()), np.random.SeedSequence(seed)
    if world == "ensemble":
        return kind(stage, Recorder(plan), stream, layout, tolerance)
    return FiniteNetwork(stage, Recorder(plan), stream, layout, world == "matrix")


# -------------------------------------------------------------------------------------------------------- statistics


def worst_p_value(
    difference: np.ndarray, errors: tuple[np.ndarray, ...], degrees: tuple[int, ...], bias: float | np.ndarray = 0.0
) -> float:
    """Return the p-value of the largest of many deviations, as if all were independent (Bonferroni).

    Errors are standard errors of independent means with the given degrees of freedom; Student's quantiles with
    Welch's effective number.  ``bias`` is a known systematic difference that is not held against the two.
    """
    squares = np.stack([np.asarray(error) ** 2 for error in errors])
    total = squares.sum(0)
    freedom = total**2 / sum(square**2 / nu for square, nu in zip(squares, degrees, strict=True))
    excess = np.maximum(np.abs(difference) - bias, 0)
    p = 2 * stats.t.sf(excess / np.sqrt(total), freedom)
    return float(min(1.0, p.size * np.min(p)))


# ---------------------------------------------------------------------------------------------------- random programs

SYMMETRIES = (None, 0.0, 0.3, -0.7, 1.0, -1.0)
#: What a site may do to its field: odd or not, smooth or kinked, none of it growing.
NONLINEARITIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "shifted tanh": lambda x: np.tanh(x + 0.5) - 0.2,
    "relu": lambda x: np.maximum(x, 0),
    "cosine": lambda x: np.cos(1.5 * x) + 0.3 * np.sin(x),
    "step": lambda x: np.where(x > 0.3, 1.0, -0.5),
}


@dataclass(frozen=True)
class RandomProgram:
    """Groups, couplings and a list of words; vectors are named by a group and a number."""

    ratio: float
    couplings: tuple[tuple[int, int, float, float | None], ...]  # rows, columns, gain, symmetry
    starts: tuple[tuple[str, int], ...]  # word, inner columns (0: none); alternately of the two groups
    words: tuple[tuple[Any, ...], ...]


def random_program(choose: Callable[[Sequence[Any]], Any], words: int, updates: bool = True) -> RandomProgram:
    """Return a program whose every choice is made by ``choose(options)``."""
    couplings = []
    for _ in range(choose([1, 2, 3])):
        rows, cols = choose([0, 0, 1]), choose([0, 0, 1])
        symmetry = choose(SYMMETRIES) if rows == cols else None
        couplings.append((rows, cols, choose([0.7, 1.0, 1.4]), symmetry))
    starts = tuple((choose(["normal", "normal", "uniform", "choice"]), choose([0, 0, 2])) for _ in range(4))
    said: list[tuple[Any, ...]] = []
    for _ in range(words):
        word = choose(["product"] * 7 + (["add", "scale", "momentum"] if updates else []))
        coupling = choose(range(len(couplings)))
        if word == "product":
            phi, old = choose(list(NONLINEARITIES)), choose([0.0, 0.4, 1.0])
            said.append((word, coupling, choose([False, True]), choose(range(8)), phi, old))
        elif word == "add":
            said.append((word, coupling, choose(range(8)), choose(range(8)), choose([-0.8, 0.5])))
        else:
            said.append((word, coupling, choose([0.6, 1.2])))
    return RandomProgram(choose([1.0, 0.5, 1.5]), tuple(couplings), starts, tuple(said))


class Player:
    """A world in which a random program is played, word by word."""

    def __init__(self, net: Any, program: RandomProgram) -> None:
        self.net = net
        self.groups = [net.sites(), net.sites(program.ratio, name="other")]
        self.couplings = [
            net.coupling(self.groups[rows], self.groups[cols], gain=gain, symmetry=symmetry)
            for rows, cols, gain, symmetry in program.couplings
        ]
        self.velocities: dict[int, Any] = {}
        self.vectors: list[list[np.ndarray]] = [[], []]
        for i, (word, k) in enumerate(program.starts):
            group, columns = self.groups[i % 2], k or None
            drawn = {
                "normal": lambda group=group, k=columns: group.normal(k),
                "uniform": lambda group=group, k=columns: group.uniform(k, low=-1.0, high=2.0),
                "choice": lambda group=group, k=columns: group.choice([-1, 0, 2], k),
            }[word]()
            self.vectors[i % 2].append(drawn)

    def side(self, group: Any) -> list[np.ndarray]:
        """Return the vectors of one group."""
        return self.vectors[self.groups.index(group)]

    def say(self, word: str, coupling: int, *rest: Any) -> list[float]:
        """Say one word; return a few numbers that all worlds should agree on."""
        J = self.couplings[coupling]
        if word == "product":
            return self._product(J, *rest)
        if word == "scale":
            J.scale(rest[0])
        elif word == "add":
            self._add(J, *rest)
        else:
            velocity = self.velocities.get(coupling)
            if velocity is None:
                velocity = self.velocities[coupling] = self.net.coupling(J.rows, J.cols, gain=0)
            velocity.scale(0.5)
            self._add(velocity, 1, 0, rest[0])
            J.add(velocity, strength=0.7)
        return []

    def _product(self, J: Any, transposed: bool, which: int, phi: str, old: float) -> list[float]:
        source, target = (J.rows, J.cols) if transposed else (J.cols, J.rows)
        known = self.side(source)
        x = known[which % len(known)]
        field = (J.T if transposed else J) @ x
        result = NONLINEARITIES[phi](field)
        partner = self.side(target)[which % len(self.side(target))]
        columns = partner if partner.ndim == field.ndim else partner.mean(1) if field.ndim == 1 else partner[:, None]
        result = 0.8 * result + old * columns
        overlaps = [self.net.overlap(field, v) for v in self.side(target)]
        numbers = [self.net.mean(result), self.net.overlap(result, result), *overlaps]
        self.side(target).append(result)
        return [float(np.mean(number)) for number in numbers]

    def _add(self, J: Any, left: int, right: int, strength: float) -> None:
        lefts, rights = self.side(J.rows), self.side(J.cols)
        x, y = lefts[left % len(lefts)], rights[right % len(rights)]
        if x.ndim != y.ndim:  # as many inner columns on both sides
            x, y = (x if x.ndim == 1 else x[:, 0]), (y if y.ndim == 1 else y[:, 0])
        J.add(x, y, strength)
