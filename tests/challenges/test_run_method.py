"""A method on one field: found by name, run in a process of its own, its answer written whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skysynergy.challenges.challenge import load
from skysynergy.challenges.method import Method, save_field
from skysynergy.challenges.run_method import REFUSED, MethodError, answer, find_method, main

NULL = "skysynergy.baselines.null:NullShear"
RUN = [sys.executable, "-m", "skysynergy.challenges.run_method"]


@pytest.fixture
def field(little_sky, tmp_path):
    path = tmp_path / "field.npz"
    save_field(path, next(iter(load("shear").given())))
    return path


class Answers:
    """A method that answers what it was made with."""

    name = "answers"

    def __init__(self, given):
        self.given = given

    def predict(self, field):
        return self.given


def test_a_method_is_found_by_module_and_class():
    method = find_method(NULL)
    assert isinstance(method, Method) and method.name == "null"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("", "named as my_package.my_module:MyMethod, not ''"),
        ("null", "named as my_package.my_module:MyMethod, not 'null'"),
        (":NullShear", "named as my_package.my_module:MyMethod"),
        ("skysynergy.baselines.null:", "named as my_package.my_module:MyMethod"),
        ("no_such_package:Method", "No module named 'no_such_package'; is it installed, or on PYTHONPATH"),
        ("skysynergy.baselines.none:Method", "No module named 'skysynergy.baselines.none'"),
        ("skysynergy.baselines.null:Nul", "the module skysynergy.baselines.null holds no Nul"),
        ("collections:OrderedDict", "is no method: it needs a `name` and `predict"),
    ],
)
def test_what_is_no_method_is_refused(reference, message):
    with pytest.raises(MethodError, match=message):
        find_method(reference)


def test_an_error_of_the_module_itself_is_not_taken_for_a_missing_class(tmp_path, monkeypatch):
    (tmp_path / "faulty_module.py").write_text("import math\nmath.no_such_function\nclass Mine: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AttributeError, match="no_such_function"):
        find_method("faulty_module:Mine")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"g1": 1}, {"g1": 1.0}),
        ({"g1": np.float32(0.5), "g2": np.array(2.0), "n": True}, {"g1": 0.5, "g2": 2.0, "n": 1.0}),
        ({}, {}),
    ],
)
def test_numbers_of_any_type_become_plain_ones(given, expected):
    found = answer(Answers(given), None)
    assert found == expected and all(type(value) is float for value in found.values())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "answers answered a NoneType, not a mapping of columns"),
        ([0.0, 0.0], "answered a list, not a mapping"),
        (np.zeros(5), "answered a ndarray, not a mapping"),
        ({"g1": None}, "answered something that is no number"),
        ({"g1": "fast"}, "answered something that is no number.*fast"),
        ({"g1": 1j}, "answered something that is no number"),
        ({"g1": 10**400}, "answered something that is no number"),
        ({"g1": [0.1, 0.2]}, "answered something that is no number"),
    ],
)
def test_what_is_no_answer_is_refused(given, message):
    with pytest.raises(MethodError, match=message):
        answer(Answers(given), None)


def test_the_answer_of_a_process_is_that_of_the_method(field, tmp_path):
    out = tmp_path / "answer.json"
    done = subprocess.run([*RUN, NULL, field, out], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(out.read_text()) == find_method(NULL).predict(None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "field.npz"]


def test_a_process_says_what_is_wrong_without_a_traceback(field, tmp_path):
    out = tmp_path / "answer.json"
    done = subprocess.run([*RUN, "no_such:Method", field, out], capture_output=True, text=True, timeout=60)
    assert done.returncode == REFUSED and not out.exists()
    assert done.stderr == "no_such:Method: No module named 'no_such'; is it installed, or on PYTHONPATH?\n"


def test_a_method_is_started_without_the_simulator(field, tmp_path):
    """Every field starts a process: it loads NumPy and the method, and nothing that draws or stores skies."""
    script = (
        "import sys; from skysynergy.challenges.run_method import main; main(*sys.argv[1:]);"
        "print([m for m in sys.modules if m.split('.')[0] in ('galsim', 'xarray', 'zarr', 'torch', 'astropy')"
        " or m.startswith('skysynergy.simulators')])"
    )
    command = [sys.executable, "-c", script, NULL, field, tmp_path / "answer.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file on a disk without room")
def test_an_answer_is_written_whole_or_not_at_all(field, tmp_path):
    (tmp_path / "answer.json.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        main(NULL, str(field), str(tmp_path / "answer.json"))
    assert not (tmp_path / "answer.json").exists()
