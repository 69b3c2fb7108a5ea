"""The tutorial's systems and more, one short site program per file; the file and its function have one name.

Programs import NumPy, the named nonlinearities and what parameters may be, and speak to ``net`` alone: each runs in
every world.  A system is there once its file is: nothing lists them.  The same name begins the files of its theory,
figures, verification and studies, none of which live here.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

#: Names of the models.
NAMES = tuple(sorted(module.name for module in iter_modules(__path__)))

globals().update({name: getattr(import_module(f"{__name__}.{name}"), name) for name in NAMES})


def summary(name: str) -> str:
    """Return the first line of a model's docstring."""
    program = globals()[name] if name in NAMES else __getattr__(name)
    return (program.__doc__ or "").split("\n", 1)[0]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no model {name!r}; the models are {', '.join(NAMES)}")


def __dir__() -> list[str]:
    return ["NAMES", *NAMES, "summary"]
