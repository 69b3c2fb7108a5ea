"""The fingerprint of a program: everything that it reaches, as digests by name, the same in every process.

A run goes on from what an earlier one has kept only if the program is what it was.  Its name and its text do not tell:
a closure, a global, a helper, an attribute of a callable may have changed.  So from the program and its parameters on
everything that their code names is followed:

- functions of the user's own: bytecode and constants (not line numbers, nor comments), defaults, attributes, what they
  close over, and the globals that they name, wherever these lead; of modules of the user's the names that occur in the
  code, or all if it looks names up (``getattr``, ``vars``, ``globals``);
- methods with their object, partials with their arguments, objects of the user's with their class and their state, as
  they would be pickled; numbers, texts, containers and arrays by their values;
- other packages, Python among them, by name and version only; sitesampler by the text of what makes numbers.

What cannot be followed (``eval``, open files, generators, locks, compiled closures) is listed: such a run cannot be
resumed, because nobody could say whether it is the same.  What a program reads from files or from the network by
itself is not seen at all.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import os
import platform
import struct
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE = Path(__file__).parent.parent
#: Parts of sitesampler that no number depends on.
_NO_NUMBERS = {"figures", "theory", "verification", "studies", "storage", "compute"}
_FOREIGN = tuple(
    os.path.join(os.path.realpath(sysconfig.get_paths()[key]), "")
    for key in ("stdlib", "platstdlib", "purelib", "platlib")
)
_LOOKS_UP = {"getattr", "vars", "globals", "dir"}
_RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
_OF_CLASSES = {
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__firstlineno__", "__static_attributes__", "__qualname__", "_abc_impl",
    "__abstractmethods__", "__slots__", "__slotnames__", "__match_args__", "__conditional_annotations__",
}  # fmt: skip
_PLAIN = (bool, int, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented))


class Fingerprint:
    """What some values reach.

    Attributes
    ----------
    parts : dict
        Digests, and versions of packages, by what they are of.
    unknown : list of str
        What could not be followed, in words.

    Examples
    --------
    >>> def make(g):
    ...     return lambda net: g
    >>> one, same, other = (Fingerprint(program=make(g)).parts for g in (1.0, 1.0, 2.0))
    >>> one == same, one == other
    (True, False)
    """

    def __init__(self, **values: Any) -> None:
        python = ".".join(platform.python_version_tuple()[:2])
        self.parts: dict[str, str] = {"Python": python, "numpy": np.__version__}
        self.unknown: list[str] = []
        self._names: dict[int, str] = {}
        self._digests: dict[int, bytes] = {}
        self._above: list[int] = []
        self._alive: list[Any] = []  # an identity says something only as long as the object lives
        self._left: list[tuple[str, Any]] = []
        self._counts: dict[str, int] = {}
        for name, value in values.items():
            try:
                self.parts[f"what {name} is"] = _digest(self._value(value, name))
                while self._left:
                    place, each = self._left.pop(0)
                    self.parts[place] = _digest(self._contents(each, place))
            except RecursionError:
                self.unknown.append(f"{name}, which is nested too deeply")

    # ---------------------------------------------------------------------------------------------- by reference
    def _reach(self, value: Any, place: str) -> bytes:
        """Return the name of something that is digested by itself, once, also where it reaches itself."""
        if id(value) not in self._names:
            self._names[id(value)] = self._numbered(place)
            self._alive.append(value)
            self._left.append((self._names[id(value)], value))
        return _tagged("reaches", self._names[id(value)].encode())

    def _apart(self, value: Any, place: str) -> bytes:
        """Digest a value under a name of its own, so that it can be said that it has changed."""
        digest = self._value(value, place)
        if digest.startswith((b"reaches", b"imported", b"package")):
            return digest
        name = self._numbered(place)
        self.parts[name] = _digest(digest)
        return _tagged("apart", name.encode())

    def _numbered(self, place: str) -> str:
        """Return a name that nothing else has."""
        number = self._counts[place] = self._counts.get(place, 0) + 1
        return place if number == 1 else f"{place} ({number})"

    def _contents(self, value: Any, place: str) -> bytes:
        if isinstance(value, types.FunctionType):
            return self._function(value, place)
        slots = (types.MemberDescriptorType, types.GetSetDescriptorType)
        members = {
            name: member
            for name, member in vars(value).items()
            if name not in _OF_CLASSES and not isinstance(member, slots)
        }
        return _tagged("class", self._value(value.__bases__, place), self._named(members, place))

    def _function(self, function: types.FunctionType, place: str) -> bytes:
        cells = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                cells.append(self._apart(cell.cell_contents, f"the value {name} in {place}"))
            except ValueError:
                cells.append(_tagged("empty"))
        state = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        parts = [
            self._code(function.__code__, place),
            self._value(function.__defaults__, f"the defaults of {place}"),
            self._value(function.__kwdefaults__, f"the defaults of {place}"),
            self._named(state, place),
            *cells,
        ]
        names, looked_up = _names_in(function.__code__)
        words = {word for code in _codes(function.__code__) for word in code.co_names}
        if "globals" in looked_up:
            self.unknown.append(f"{place}, which looks its names up in globals()")
        for name in sorted(names):
            if name not in function.__globals__:
                if name in _RUNS_TEXT:
                    self.unknown.append(f"{place}, which runs a text with {name}")
                continue
            value = function.__globals__[name]
            if isinstance(value, types.ModuleType) and not _is_foreign(value):
                parts.append(self._module(value, words, bool(looked_up)))
            else:
                parts += [name.encode(), self._apart(value, f"the global {name}")]
        return _tagged("function", *parts)

    def _module(self, module: types.ModuleType, words: set[str], everything: bool) -> bytes:
        """Return what code takes from a module of the user's."""
        found = []
        for name, value in sorted(vars(module).items()):
            if (name in words or everything) and not (name.startswith("__") and name.endswith("__")):
                label = f"the value {name} of the module {module.__name__}"
                inner = isinstance(value, types.ModuleType) and not _is_foreign(value)
                if inner and id(value) in self._names:
                    continue
                if inner:
                    self._names[id(value)] = label
                    found += [name.encode(), self._module(value, words, everything)]
                else:
                    found += [name.encode(), self._apart(value, label)]
        return _tagged("module", module.__name__.encode(), *found)

    # -------------------------------------------------------------------------------------------------- by value
    def _value(self, value: Any, place: str) -> bytes:
        if isinstance(value, float):
            return _tagged("float", struct.pack("<d", value))
        if type(value) in _PLAIN:
            return _tagged(type(value).__name__, repr(value).encode())
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            facts = (value.dtype.str, repr(value.dtype.descr), value.shape)
            return _tagged("array", repr(facts).encode(), hashlib.sha256(value.tobytes()).digest())
        if isinstance(value, (set, frozenset)):
            return _tagged("set", *sorted(self._value(each, place) for each in value))
        if isinstance(value, types.CodeType):
            return self._code(value, place)
        if isinstance(value, types.MethodType):
            return _tagged("method", self._value(value.__func__, place), self._value(value.__self__, place))
        if isinstance(value, functools.partial):
            return _tagged("partial", *(self._value(each, place) for each in (value.func, value.args, value.keywords)))
        if isinstance(value, (staticmethod, classmethod)):
            return _tagged(type(value).__name__, self._value(value.__func__, place))
        if isinstance(value, property):
            return _tagged("property", *(self._value(each, place) for each in (value.fget, value.fset)))
        if isinstance(value, types.ModuleType):
            return self._version(value.__name__) if _is_foreign(value) else self._module(value, set(), True)
        if isinstance(value, (types.FunctionType, type)):
            if _is_foreign(value):
                return self._imported(value)
            word = "the function" if isinstance(value, types.FunctionType) else "the class"
            return self._reach(value, f"{word} {value.__qualname__.rpartition('<locals>.')[2]}")
        return self._other(value, place)

    def _other(self, value: Any, place: str) -> bytes:
        """Digest what may hold itself: where it does, by how far above that is."""
        if id(value) in self._above:
            return _tagged("above", str(len(self._above) - self._above.index(id(value))).encode())
        if id(value) not in self._digests:
            self._above.append(id(value))
            self._alive.append(value)
            try:
                self._digests[id(value)] = self._compound(value, place)
            finally:
                self._above.pop()
        return self._digests[id(value)]

    def _compound(self, value: Any, place: str) -> bytes:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if type(value) in (tuple, list, dict, types.MappingProxyType):
            pairs = hasattr(value, "items")
            items = [each for pair in value.items() for each in pair] if pairs else value
            return _tagged(type(value).__name__, *(self._value(each, place) for each in items))
        if kind == "numpy.ndarray":  # of objects
            return _tagged(kind, repr(value.shape).encode(), self._value(value.ravel().tolist(), place))
        if kind == "numpy.vectorize":
            self._version(kind)
            return _tagged(kind, self._value([value.pyfunc, value.otypes, value.signature, value.excluded], place))
        if kind == "numpy.ufunc":
            if value.__name__.endswith("(vectorized)"):
                return self._give_up(value, place)
            self._version("scipy")
            return _tagged(kind, self._version(kind), value.__name__.encode())
        for attribute in ("py_func", "__wrapped__"):  # what a compiler or a decorator of another package holds
            inner = getattr(value, attribute, None)
            if isinstance(inner, types.FunctionType) and _is_foreign(type(value)):
                return _tagged(kind, self._version(kind), self._value(inner, place))
        if callable(value) and _is_foreign(value) and _named_in_module(value):
            return self._imported(value)
        return self._object(value, place)

    def _object(self, value: Any, place: str) -> bytes:
        """Digest an object by its class and by what it would be pickled as."""
        kind = self._value(type(value), place)
        tokens = getattr(type(value), "__dask_tokenize__", None)
        if tokens is not None:
            return _tagged("tokens", kind, self._value(tokens(value), place))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reduced = value.__reduce_ex__(4)
        except Exception:
            return self._give_up(value, place)
        if isinstance(reduced, str):
            return _tagged("name", kind, reduced.encode())
        parts = [self._value(list(part) if isinstance(part, Iterator) else part, place) for part in reduced]
        return _tagged("object", kind, *parts)

    def _code(self, code: types.CodeType, place: str) -> bytes:
        facts = (
            code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags, code.co_argcount,
            code.co_kwonlyargcount, code.co_posonlyargcount,
        )  # fmt: skip
        constants = [self._value(each, place) for each in code.co_consts]
        return _tagged("code", code.co_code, code.co_exceptiontable, repr(facts).encode(), *constants)

    def _named(self, values: Mapping[str, Any], place: str) -> bytes:
        return _tagged(
            "names", *(self._value((name, each), f"{name} of {place}") for name, each in sorted(values.items()))
        )

    # ------------------------------------------------------------------------------------------ of other packages
    def _imported(self, value: Any) -> bytes:
        module = getattr(value, "__module__", None) or "builtins"
        name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
        return _tagged("imported", self._version(module), module.encode(), name.encode())

    def _version(self, module: str) -> bytes:
        top = module.partition(".")[0]
        if top == "sitesampler":
            self.parts["sitesampler itself"] = _own_text()
        elif (version := getattr(sys.modules.get(top), "__version__", None)) is not None:
            self.parts[top] = str(version)
        return _tagged("package", top.encode())

    def _give_up(self, value: Any, place: str) -> bytes:
        self.unknown.append(f"{place}, of type {type(value).__name__}")
        return _tagged("unknown", type(value).__name__.encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _tagged(kind: str, *parts: bytes) -> bytes:
    """Return parts as one text that no other parts give."""
    found = hashlib.sha256(kind.encode())
    for part in parts:
        found.update(struct.pack("<q", len(part)))
        found.update(part)
    return kind.encode() + found.digest()


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code and those inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _names_in(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the globals that a code names, and the words among them that look names up."""
    names = {
        str(each.argval)
        for inner in _codes(code)
        for each in dis.get_instructions(inner)
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
    }
    return names, names & _LOOKS_UP


def _is_foreign(value: Any) -> bool:
    """Say whether something belongs to Python, an installed package or sitesampler, and not to the user."""
    if isinstance(value, types.FunctionType):
        file = value.__code__.co_filename
    else:
        module = value if isinstance(value, types.ModuleType) else _module_of(value)
        if module is None:
            return False
        file = getattr(module, "__file__", None) or ""
        if not file:
            return getattr(module.__spec__, "origin", None) in ("built-in", "frozen")
    if file.startswith("<frozen "):
        return True
    path = os.path.realpath(file)
    return path.startswith(_FOREIGN) or path.startswith(os.path.join(_PACKAGE, ""))


def _module_of(value: Any) -> types.ModuleType | None:
    name = getattr(value, "__module__", None)
    return sys.modules.get(name if isinstance(name, str) else "builtins")


def _named_in_module(value: Any) -> bool:
    """Say whether a callable is what its module has under its name."""
    found: Any = _module_of(value)
    for part in str(getattr(value, "__qualname__", None) or getattr(value, "__name__", "")).split("."):
        found = getattr(found, part, None)
    return found is value


@functools.cache
def _own_text() -> str:
    """Return the digest of all files of sitesampler that numbers depend on."""
    found = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        place = path.relative_to(_PACKAGE)
        if place.parts[0] not in _NO_NUMBERS and place.parts[0] not in ("cli.py", "version.py"):
            found.update(place.as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
