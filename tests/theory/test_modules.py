"""The folder of theory: what it holds is found, has the name of its system or of its subject, and is documented."""

import importlib
import subprocess
import sys
from types import ModuleType
from typing import get_origin

import pytest

from sitesampler import models, theory

SUBJECTS = {"density", "gaussian", "moments", "resolvent"}


def owner(name, systems):
    """Return the system of a module: the longest name that the module's name is or goes on from."""
    return max((system for system in systems if f"{name}_".startswith(f"{system}_")), key=len, default=None)


def test_every_system_has_its_theory_and_every_file_its_system():
    systems = set(models.NAMES)
    assert not systems - set(theory.__all__), "systems without a file of their name"
    assert {name for name in theory.__all__ if owner(name, systems) is None} == SUBJECTS


def test_longest_name_of_a_system_owns():
    assert owner("random_rnn_lyapunov", models.NAMES) == "random_rnn_lyapunov"
    assert owner("goe_flow_fluctuations", models.NAMES) == "goe_flow"
    assert owner("goe_flows", models.NAMES) is None


@pytest.mark.parametrize("name", theory.__all__)
def test_modules_are_found_and_say_what_is_in_them(name):
    module = getattr(theory, name)
    assert isinstance(module, ModuleType)
    assert module is importlib.import_module(f"sitesampler.theory.{name}")
    assert module.__doc__
    for public in (getattr(module, each) for each in module.__all__):
        assert not callable(public) or public.__doc__ or get_origin(public), f"{name}: {public} has no docstring"
    assert name in dir(theory)


def test_nothing_is_imported_before_it_is_used():
    asked = "import sys, sitesampler.theory as t; print(*(m for m in sys.modules if m.startswith(t.__name__ + '.')))"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'alchemy'"):
        theory.alchemy  # noqa: B018
    with pytest.raises(ImportError, match="alchemy"):
        exec("from sitesampler.theory import alchemy")
