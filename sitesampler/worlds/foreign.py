"""What Python and NumPy say of a program, in words of ours."""

from __future__ import annotations

import re

from sitesampler.errors import did_you_mean
from sitesampler.language.coupling import Coupling, TransposedCoupling
from sitesampler.language.groups import Group
from sitesampler.language.network import Network
from sitesampler.language.tensor_coupling import TensorCoupling

#: What a program holds, and what it is called.
_HELD = {
    Network: "net",
    Group: "a group",
    Coupling: "a coupling",
    TransposedCoupling: "a coupling",
    TensorCoupling: "a tensor coupling",
}
_TRUTH = (
    "if, while, and, or, not, min and max ask for one truth value where a site vector has one for each site; write "
    "np.where(condition, a, b), & for and, | for or"
)
_PRODUCT = (
    "a product of arrays sums over the sites; between groups that is a coupling, J @ x, and within one it is an "
    "average, net.overlap(x, y)"
)
_NUMBER = (
    "a site vector stands where one number is wanted; functions of NumPy act on each site, and net.mean(x) is a number"
)
_INDEX = re.compile(r"index (-?\d+) is out of bounds for axis 0 with size (\d+)")
_SHAPE = re.compile(r"\((\d+),((?: ?\d+,?)*)\)")


def sentence_of(error: Exception, lengths: dict[str, int]) -> str:
    """Return what is wrong where a program has raised an error of Python's or NumPy's.

    Parameters
    ----------
    error : Exception
    lengths : dict
        Lengths of the site vectors of each group.

    Examples
    --------
    >>> sentence_of(ValueError("cannot reshape array of shape (211,) into shape (3,)"), {"neuron": 211})
    "ValueError: cannot reshape array of shape (a vector over 'neuron') into shape (3,)"
    """
    text = str(error)
    if isinstance(error, AttributeError) and error.name:
        held = next((name for kind, name in _HELD.items() if isinstance(error.obj, kind)), None)
        if held is not None:
            words = [word for word in dir(error.obj) if not word.startswith("_")]
            return f"{held} has no word {error.name!r}{did_you_mean(error.name, words)}"
    match error:
        case ValueError() if text.startswith("The truth value of an array"):
            return _TRUTH
        case ValueError() if "could not be broadcast together" in text and (unfit := _unfit(text, lengths)):
            return unfit
        case ValueError() if any(re.search(rf"\bsize {length}\b", text) for length in lengths.values()):
            return _PRODUCT
        case TypeError() if "converted to Python scalars" in text:
            return _NUMBER
        case IndexError() if (found := _INDEX.search(text)) and int(found[2]) in lengths.values():
            return f"a site is picked out by its number, {found[1]}, and sites have none; they mix through words of net"
    return f"{type(error).__name__}: {_SHAPE.sub(lambda match: _bracketed(match, lengths), text)}"


def _unfit(text: str, lengths: dict[str, int]) -> str:
    """Return which arrays do not fit together, if any of them is over sites."""
    shapes = list(dict.fromkeys(_described(match, lengths) for match in _SHAPE.finditer(text)))
    if not any(" over " in shape for shape in shapes):
        return ""
    inner = len({"column" in shape for shape in shapes}) > 1
    hint = "; x[:, None] makes a vector one inner column" if inner else ""
    return f"{' and '.join(shapes)} do not fit together site by site{hint}"


def _described(match: re.Match[str], lengths: dict[str, int]) -> str:
    """Return a shape in words: ``a vector over 'neuron'``."""
    owners = " or ".join(repr(name) for name, length in lengths.items() if length == int(match[1]))
    inner = [int(size) for size in re.findall(r"\d+", match[2])]
    if not owners:
        sizes = [int(match[1]), *inner]
        return f"{sizes[0]} numbers" if len(sizes) == 1 else f"a table of {' x '.join(map(str, sizes))}"
    columns = " x ".join(map(str, inner))
    return f"a vector over {owners}" + (f" with {columns} inner columns" if inner else "")


def _bracketed(match: re.Match[str], lengths: dict[str, int]) -> str:
    return f"({_described(match, lengths)})" if int(match[1]) in lengths.values() else match[0]
