"""The batched renderer against GalSim, in speed and in light: writes rendering.md and its figures.

    .venv/bin/python docs/results/rendering.py

Needs no data, and about three minutes on one core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import galsim
import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from physics import figures
from skysynergy.challenges import canvas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BENCHMARK = "tests/benchmarks/test_rendering.py"
SPEED = f"{BENCHMARK}::test_many_times_faster_than_the_reference_inside_the_gate"
GATE = "tests/simulators/test_fourier.py"
CASES = (
    ("shared", 5, "the axes of all exposures along those of the sky, 8 orientations"),
    ("shared", 20, "the same"),
    ("free", 5, "every exposure turned freely"),
    ("free", 20, "the same"),
)
WANTED = {"shared": 25, "free": 10}

BANDS = ("i", "VIS", "H")

HEAD = """# The batched renderer against GalSim

Written by `rendering.py`. The batched renderer draws in single precision with PyTorch {torch} on one
thread; the reference is GalSim {galsim} at its defaults, each profile on a stamp that ends at a
hundredth of a pixel's noise. Processor time, medians of interleaved rounds in one process.

## Speed

Galaxies of bulge and disk, i < 25.3, in a scene of 19.2″, in 76 exposures: 64 of LSST in six bands, 3 of
VIS, 9 of NISP. The PSFs of a field are prepared once, for its first scene ("first").

| exposures | galaxies | GalSim | batched | first | gain | asked for |
|---|---|---|---|---|---|---|
"""

MIDDLE = """
`make bench` fails where a gain falls below its floor, 60 % of what was reached when it was set.

## The gate: light

Against GalSim at tight settings (folding 1e-4, maxk 1e-6, kvalue 1e-8), over Sersic index and half-light
radius, at axis ratios of 0.1, 0.5 and 1 and any place, upright and turned; the largest error as a fraction
of the peak. White: GalSim needs FFTs of more than 4096 cells a side; there the renderer is compared with
itself on wider stamps, in double precision ("itself"). With the noise of a pixel given, stamps end far below
it: the last column is the error in units of 1e-4 of the peak or 0.01 σ, whichever is larger.

| band | error / peak | flux | limit | itself | with noise |
|---|---|---|---|---|---|
"""

TAIL = """
![Largest error over the peak, by index and size](rendering.png)

| shear, gradients | figure | limit |
|---|---|---|
| m of adaptive moments, batched against tight GalSim: i, VIS, H | {m} | 1e-4 |
| gradients against differences: worst of x, y, size, n, e1, e2, flux, PSF | {gradient} | 1e-4 |
"""


def recorded() -> dict[tuple[str, str], float]:
    """What the tests of speed, of the gate and of gradients measured."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "--benchmark-enable", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, BENCHMARK, GATE]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit("some of these tests failed or did not run: rendering.md is left as it was")
        return figures(report)


def gate(found: dict[tuple[str, str], float], band: str) -> dict[tuple[float, float], float]:
    """Largest error over the peak by (index, half-light radius), where GalSim was quick enough."""
    cells = {}
    for (test, name), value in found.items():
        words = name.split()
        if test == f"{GATE}::test_the_gate" and words[:2] == ["error", band] and len(words) == 4:
            cells[float(words[2]), float(words[3])] = value
    return cells


@canvas.drawn
def figure(errors: dict[str, dict[tuple[float, float], float]]) -> Figure:
    drawn = Figure(figsize=(9.6, 3.0), layout="constrained")
    panels = drawn.subplots(1, len(errors), sharey=True)
    scale = LogNorm(1e-7, 1e-4)
    index, size = (sorted({cell[k] for cells in errors.values() for cell in cells}) for k in (0, 1))
    for axes, (band, cells) in zip(panels, errors.items(), strict=True):
        worst = np.array([[cells.get((n, r), np.nan) for n in index] for r in size])
        image = axes.imshow(worst, origin="lower", cmap="viridis", norm=scale, aspect="auto")
        axes.set_xticks(range(len(index)), [f"{n:g}" for n in index])
        axes.set_yticks(range(len(size)), [f"{r:g}" for r in size])
        axes.set_xlabel("Sersic index")
        axes.set_title(band)
        for (b, a), value in np.ndenumerate(worst):
            if np.isfinite(value):
                text = f"{value:.0e}".replace("e-0", "e-")
                axes.text(a, b, text, ha="center", va="center", color="white", size=6)
    panels[0].set_ylabel("half-light radius, arcsec")
    drawn.colorbar(image, ax=panels, label="largest error / peak (limit 1e-4)")
    return drawn


def main() -> None:
    started = time.monotonic()
    torch.set_num_threads(1)
    found = recorded()
    lines = []
    for frames, count, what in CASES:
        slow, fast, first, ratio = (
            found[SPEED, f"{name} {frames} {count}"] for name in ("galsim", "fourier", "first", "ratio")
        )
        lines.append(
            f"| {what} | {count} | {slow:.2f} s | {1e3 * fast:.0f} ms | {1e3 * first:.0f} ms "
            f"| **{ratio:.0f}** | {WANTED[frames]} |"
        )
    text = HEAD.format(torch=torch.__version__.split("+")[0], galsim=galsim.__version__) + "\n".join(lines)
    text += "\n" + MIDDLE
    tests = {
        name: f"{GATE}::test_{test}"
        for name, test in (
            ("gate", "the_gate"),
            ("noise", "the_gate_with_noise"),
            ("itself", "what_wraps_around_stays_far_below_the_gate"),
        )
    }
    for band in BANDS:
        error, flux, itself, noise = (
            found[tests[test], name]
            for test, name in (
                ("gate", f"error {band}"),
                ("gate", f"flux {band}"),
                ("itself", f"error {band}"),
                ("noise", f"error {band}, in units of the gate"),
            )
        )
        text += f"| {band} | {error:.1e} | {flux:.1e} | 1e-4 | {itself:.1e} | {noise:.2f} |\n"
    shear = f"{GATE}::test_shear_of_both_renderers_is_the_same"
    slopes = f"{GATE}::test_gradients_are_those_of_differences"
    text += TAIL.format(
        m=", ".join(f"{found[shear, f'm {band}']:.1e}" for band in BANDS),
        gradient=f"{max(value for (test, _), value in found.items() if test == slopes):.1e}",
    )
    canvas.save(figure({band: gate(found, band) for band in BANDS}), HERE / "rendering.png")
    canvas.write_whole(HERE / "rendering.md", text.encode())
    print(text, f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
