"""What the tests of the physics measured: runs them, and writes physics.md from what they recorded.

    .venv/bin/python docs/results/physics.py

A test names a figure with the fixture ``record_figure`` and asserts its limit; this script only collects
them. It takes about two minutes on one core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from skysynergy.challenges.files import write_whole

ROOT = Path(__file__).resolve().parents[2]

HEAD = """# What the tests of the physics measured

Written by `physics.py`, which runs the tests named here and takes the figures from them: of all cases of a
test, the one furthest from zero. Every test asserts its limit.

| measure | figure | limit | test |
|---|---|---|---|
"""

TAIL = """
The depths of NISP are systematically off: stars that fall between its large pixels carry less information
than the mean over sub-pixel positions, which defines n_eff.

Coverage of the intervals: [bootstrap_coverage.md](bootstrap_coverage.md). Bias of shear:
[sky_0.1](sky_0.1/README.md). The sky against real data:
[../sky.md](../sky.md).
"""


class Row(NamedTuple):
    """One line of the table: which test, the names it records figures under, their format and unit.

    A row without names is of a test that compares for equality, and says what is equal.
    """

    measure: str
    test: str
    names: tuple[str, ...]
    figure: str
    unit: str
    limit: str


SIMULATORS = "tests/simulators/"
NISP = ("difference Y", "difference J", "difference H")
OPTICAL = tuple(f"difference {band}" for band in ("u", "g", "r", "i", "z", "y", "VIS"))

ROWS = (
    Row(
        "both renderers against a direct FFT convolution, Sersic n = 0.6 to 4, upright and turned: i, VIS, H",
        SIMULATORS + "test_rendering.py::test_pixels_are_those_of_a_direct_convolution",
        ("error i", "error VIS", "error H"),
        "{:.1e}",
        "of the peak",
        "1e-3",
    ),
    Row(
        "total flux of a compact source",
        SIMULATORS + "test_rendering.py::test_no_flux_is_lost",
        ("error",),
        "{:.1e}",
        "",
        "1e-4",
    ),
    Row(
        "stamps and cheap drawing of faint sources against full drawing, both renderers: i, VIS, H",
        SIMULATORS + "test_rendering.py::test_stamps_and_cheap_drawing_stay_far_below_the_noise",
        ("error i", "error VIS", "error H"),
        "{:.4f}",
        "σ of a pixel",
        "0.05 σ",
    ),
    Row(
        "position of a source in 8 orientations and 8 free ones: LSST, VIS, NISP",
        SIMULATORS + "test_exposures.py::test_a_source_lands_where_the_map_says",
        ("offset LSST", "offset EUCLID_VIS", "offset EUCLID_NISP"),
        "{:.1e}",
        "pixel",
        "0.01 pixel",
    ),
    Row(
        "five-sigma depth from blank exposures: u, g, r, i, z, y, VIS",
        SIMULATORS + "test_detectors.py::test_blank_exposures_reach_the_depth_of_their_visit",
        OPTICAL,
        "{:+.3f}",
        "mag",
        "0.05 mag",
    ),
    Row(
        "the same: Y, J, H",
        SIMULATORS + "test_detectors.py::test_blank_exposures_reach_the_depth_of_their_visit",
        NISP,
        "{:+.3f}",
        "mag",
        "0.05 mag",
    ),
    Row(
        "a million galaxies, whole, on one core (20 times 50,000)",
        SIMULATORS + "test_galaxies.py::test_drawing_is_quick",
        ("seconds for a million",),
        "{:.1f}",
        "s",
        "60 s",
    ),
    Row(
        "one field alone, in shards of 1, 2, 4, in another order, in another process",
        SIMULATORS + "test_sky.py",
        (),
        "identical bit for bit",
        "",
        "identical",
    ),
    Row(
        "two workers against one; killed at five random moments and resumed",
        SIMULATORS + "test_killed_simulation.py",
        (),
        "identical arrays, tables, content hash",
        "",
        "identical",
    ),
    Row(
        "noise across secrets, splits, fields",
        SIMULATORS + "test_sky.py::test_skies_are_independent",
        ("correlation",),
        "{:+.1f}",
        "standard errors",
        "4",
    ),
    Row(
        "noise, and its square, against the noiseless model, every exposure",
        SIMULATORS + "test_exposures.py::test_noise_knows_nothing_of_the_light",
        ("correlation",),
        "{:+.1f}",
        "standard errors",
        "4",
    ),
    Row(
        "scorer against a weighted regression by hand",
        "tests/scoring/test_shear.py::test_the_bias_is_that_of_a_regression_by_hand",
        ("difference",),
        "{:.1e}",
        "",
        "1e-12",
    ),
    Row(
        "integers of the store: bias",
        SIMULATORS + "test_quantisation.py::test_no_flux_is_biased",
        ("bias",),
        "{:.1e}",
        "σ",
        "1e-5 σ",
    ),
    Row(
        "images and masks of a small sky on disk",
        "tests/challenges/test_datasets.py::test_pixels_are_small_on_disk",
        ("bytes per pixel",),
        "{:.2f}",
        "bytes a pixel",
        "1.5",
    ),
    Row(
        "`moments` without noise, isolated, every Sersic index, half-light radius 0.1 to 0.8″",
        "tests/baselines/test_moments.py::test_isolated_galaxies_without_noise_have_no_bias",
        ("m",),
        "{:+.1e}",
        "",
        "1e-3",
    ),
)


def figures(report: Path) -> dict[tuple[str, str], float]:
    """The figure furthest from zero under each (test file::function, name) of a JUnit report."""
    found: dict[tuple[str, str], float] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.attrib["classname"].replace(".", "/") + ".py"
        test = f"{file}::{case.attrib['name'].split('[')[0]}"
        for prop in case.iter("property"):
            key, value = (test, prop.attrib["name"]), float(prop.attrib["value"])
            found[key] = max(found.get(key, 0.0), value, key=abs)
    return found


def table(found: dict[tuple[str, str], float], rows: Iterable[Row] = ROWS) -> str:
    """Lines of the Markdown table; a KeyError names a figure that no test recorded."""
    lines = []
    for row in rows:
        shown = ", ".join(row.figure.format(found[row.test, name]) for name in row.names) or row.figure
        shown = f"{shown} {row.unit}".strip()
        file = Path(row.test.split("::")[0])
        lines.append(f"| {row.measure} | {shown} | {row.limit} | `{file.parent.name}/{file.name}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = list(dict.fromkeys(row.test for row in ROWS))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-o",
            "junit_family=xunit1",
            f"--junitxml={report}",
            *tests,
        ]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit("some of these tests failed or did not run: physics.md is left as it was")
        text = HEAD + table(figures(report)) + TAIL
    write_whole(Path(__file__).with_suffix(".md"), text.encode())
    print(text)


if __name__ == "__main__":
    main()
