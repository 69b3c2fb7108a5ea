"""Rows of a system that errs by chance, to the end."""

import re

import pytest

from sitesampler.cli import main


def test_one_system_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "hopfield", "--quick", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert {"quadrature", "fixed point", "simulation, N = 300 and 600"} <= set(re.findall(r"  ([a-z][^+]*?)  ", out))
    assert re.search(r"^All \d+ rows agree\.$", out, re.MULTILINE)
