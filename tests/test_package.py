"""The house itself: complete, light to enter, one idea per room, and a wheel that holds all of it."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.metadata
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import skysynergy

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LISTED = PROJECT["tool"]["setuptools"]["packages"]
HEAVY = ("torch", "galsim", "xarray", "zarr", "astropy", "matplotlib", "scipy", "pyarrow")
MAX_LINES = 450


def folder(package: str) -> Path:
    """Where a package lies: the root of the repository is `skysynergy`."""
    return ROOT.joinpath(*package.split(".")[1:])


SOURCES = sorted(path for package in LISTED for path in folder(package).glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MODULES = ["skysynergy", *sorted(m.name for m in pkgutil.walk_packages(skysynergy.__path__, "skysynergy."))]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_package_is_listed():
    walked = ["skysynergy"]
    walked += [m.name for m in pkgutil.walk_packages(skysynergy.__path__, "skysynergy.") if m.ispkg]
    assert sorted(LISTED) == sorted(walked)


def test_every_module_is_found_by_the_walk():
    # Otherwise its doctests would be skipped in silence.
    found = {ROOT.joinpath(*name.split(".")[1:]) for name in MODULES}
    missed = [relative(p) for p in SOURCES if p.name != "__init__.py" and p.with_suffix("") not in found]
    assert missed == []


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_room_says_what_it_is_and_what_it_offers(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a file opens with a docstring"
    public = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_"
    ]
    names = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    ]
    if path.name == "__init__.py" and not public:
        return
    assert len(names) == 1, "a file that defines something lists it in __all__"
    defined = {node.name for node in ast.walk(tree) if hasattr(node, "name")}
    defined |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    defined |= {
        alias.asname or alias.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }
    assert set(names[0]) <= defined | {path.stem for path in SOURCES}, "__all__ names what is not there"


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_a_room_is_read_in_one_sitting(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: a file that has grown two ideas becomes two files"


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_a_room_is_named_for_what_it_holds(path):
    words = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    assert not words & {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after some code."""
    report = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT.anchor)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_is_light():
    assert modules_after("import skysynergy") & set(HEAVY) == set()


def test_help_is_light():
    code = """
from skysynergy.cli import main
try:
    main(["--help"])
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert modules_after(code) & set(HEAVY) == set()


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("skysynergy")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, cwd=ROOT.anchor)
    assert done.returncode == 0, done.stderr
    assert "Usage: skysynergy" in done.stdout


def test_the_version_is_one():
    version = skysynergy.__version__
    assert importlib.metadata.version("skysynergy") == version
    versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions[:2] == ["Unreleased", version]


def test_every_dependency_is_pinned():
    pins = (ROOT / "constraints.txt").read_text()
    pinned = {canonical(name) for name in re.findall(r"^([\w.-]+)==[\w.!+]+$", pins, flags=re.MULTILINE)}
    wanted = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    needed = {canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted}
    assert needed - pinned == set()
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("torch==")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_wheel_holds_everything(tmp_path):
    copy = tmp_path / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    skip = shutil.ignore_patterns("__pycache__")
    for package in LISTED:
        if package.count(".") == 1:
            shutil.copytree(folder(package), copy / folder(package).name, ignore=skip)
    for path in ROOT.glob("*.py"):
        shutil.copy(path, copy)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = copy.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("skysynergy/")}
    # Everything in the packages' folders, data such as templates too.
    files = {path for package in LISTED[1:] for path in folder(package).rglob("*") if path.is_file()}
    files |= set(ROOT.glob("*.py"))
    expected = {f"skysynergy/{relative(path)}" for path in files if "__pycache__" not in path.parts}
    assert held == expected
