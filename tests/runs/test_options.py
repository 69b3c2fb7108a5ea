"""Options as values: the calls, the dataclasses and the tables of a study file say the same."""

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import sitesampler as ss
from sitesampler.errors import InputError
from sitesampler.runs.options import IN_STUDIES, NAMES, Iterated, Kept, Placed, Sampled, Simulated, kinds_of


@pytest.mark.parametrize(
    ("call", "classes"), [(ss.sample, (Sampled, Iterated, Placed, Kept)), (ss.simulate, (Simulated, Placed))]
)
def test_each_call_has_the_options_of_its_dataclasses_with_their_defaults(call: Any, classes: tuple[type, ...]) -> None:
    options = {p.name: p.default for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY}
    fields = {each.name: each.default for cls in classes for each in dataclasses.fields(cls)}
    assert options == {name: fields[name] for name in kinds_of(*classes)}


def test_a_study_file_may_set_what_is_not_about_where_a_run_is_and_what_it_leaves() -> None:
    elsewhere = {"client", "progress", "export", "checkpoint", "resume", "overwrite"}
    assert {*IN_STUDIES["sample"], *IN_STUDIES["simulate"]} == {*NAMES} - elsewhere


def test_options_are_frozen_and_plain_whatever_numbers_they_were_given() -> None:
    asked = Sampled(population=np.int64(100), tolerance=np.float64(0.1), dtype=np.float32)  # type: ignore[arg-type]
    assert dataclasses.asdict(asked) == {
        "population": 100, "replicas": 8, "seed": None, "keep": 16, "every": 1, "tolerance": 0.1, "dtype": "float32",
        "keep_replicas": False,
    }  # fmt: skip
    assert type(asked.population) is int and type(asked.tolerance) is float
    with pytest.raises(dataclasses.FrozenInstanceError):
        asked.population = 3  # type: ignore[misc]


def test_a_chunk_that_makes_too_many_pieces_is_refused_with_one_that_does_not() -> None:
    with pytest.raises(InputError, match="use a chunk of at least 4"):
        Iterated(iterations=1, chunk=2).chunk_of(4_000_000)
    assert Iterated(iterations=1, chunk=4).chunk_of(4_000_000) == 4


def test_options_are_known_before_anything_heavy_is_imported() -> None:
    code = "import sys, sitesampler.studies.study_file; print({'numpy', 'xarray', 'numba', 'dask'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
