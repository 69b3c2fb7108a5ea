"""Running a program in a world: what goes wrong there is told with the line of the user's program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from sitesampler.errors import OutOfMemory, ProgramError, SiteSamplerError, raised_line
from sitesampler.language.network import Network
from sitesampler.language.script import Script
from sitesampler.worlds.foreign import sentence_of

Program = Callable[..., None]


def run_program(program: Program, net: Network, script: Script, parameters: dict[str, Any]) -> None:
    """Run a program in a world, to the end of its script; name its line when NumPy refuses something there.

    Raises
    ------
    ProgramError
        For an error of the program's own.
    """
    filename = _filename(program)
    try:
        with np.errstate(all="ignore"):
            returned: Any = program(net, **parameters)  # type: ignore[func-returns-value]
        if inspect.isgenerator(returned):
            raise ProgramError("the program contains yield, so that nothing of it runs; it speaks to net and returns")
        script.finish()
    except SiteSamplerError:
        raise
    except MemoryError as error:
        raise OutOfMemory(f"{raised_line(error.__traceback__, filename)}: {error}") from error
    except Exception as error:
        where = raised_line(error.__traceback__, filename)
        raise ProgramError(f"{where}: {sentence_of(error, net._stage.lengths)}") from error


def _filename(program: Any) -> str:
    """Return the file that a program stands in, for functions, methods, partial ones and callable objects."""
    program = inspect.unwrap(getattr(program, "func", program))
    made = program if hasattr(program, "__code__") else getattr(type(program), "__call__", None)  # noqa: B004
    code = getattr(made, "__code__", None)
    return code.co_filename if code is not None else ""
