"""The batched renderer against GalSim, in speed and in light: writes rendering.md and its figures.

    .venv/bin/python docs/results/rendering.py

Needs no data, and about six minutes on one core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from physics import figures
from skysynergy.challenges import canvas
from skysynergy.simulators.cadence import sample_visits
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.profiles import Profiles, profiles_of
from skysynergy.simulators.rendering import fourier
from skysynergy.simulators.rendering import galsim as reference
from skysynergy.simulators.sources import sersic_sources
from skysynergy.simulators.surveys import BANDS, SURVEYS

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

BAND_SIZES = {"i": 96, "VIS": 192, "H": 64}
INDEX = (0.5, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0)
SIZE = (0.05, 0.1, 0.2, 0.5, 1.0, 3.0)
TIGHT = galsim.GSParams(
    folding_threshold=1e-4, maxk_threshold=1e-6, kvalue_accuracy=1e-8, maximum_fft_size=8192
)
LARGEST_FFT = 8192

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
of the peak. White: GalSim needs FFTs of more than {largest} cells a side; there the renderer is compared with
itself on stamps four times as wide, in double precision (last column).

| band | error / peak | flux | limit | with itself |
|---|---|---|---|---|
"""

TAIL = """
![Largest error over the peak, by index and size](rendering.png)

| shear, gradients | figure | limit |
|---|---|---|
| m of adaptive moments, batched against tight GalSim: i, VIS, H | {m} | 1e-4 |
| gradients against differences: worst of x, y, size, n, e1, e2, flux, PSF | {gradient} | 1e-4 |
"""


def profile(n: float, r: float, q: float, rng: np.random.Generator) -> Profiles:
    e = (1 - q) / (1 + q) * np.exp(2j * rng.uniform(0, np.pi))
    x, y = rng.uniform(-4, 4, 2)
    return profiles_of(
        sersic_sources(x=x, y=y, flux=1.0, half_light_arcsec=r, sersic_n=n, e1=e.real, e2=e.imag)
    )


def exposures(band: str) -> dict[str, Any]:
    """Arguments of a renderer: one exposure upright, one turned and mirrored."""
    survey, size = SURVEYS[BANDS[band].survey], BAND_SIZES[band]
    rng = np.random.default_rng(3)
    (visit,) = sample_visits(rng, {band: 1})
    psf = psf_image(visit, np.random.default_rng(2))
    turns = [np.eye(2), np.array([[0.8, 0.6], [0.6, -0.8]])]
    dither = (size - 1) / 2 + rng.uniform(-0.5, 0.5, (2, 2, 1))
    return {
        "psf": np.repeat(psf[None], 2, axis=0),
        "psf_oversampling": survey.psf_oversampling,
        "wcs": np.concatenate([np.stack(turns) / survey.pixel_arcsec, dither], axis=2),
        "shape": (size, size),
    }


def gate(band: str) -> tuple[np.ndarray, float]:
    """(index, size) largest error over the peak, NaN where GalSim is too slow; and the worst of the flux."""
    arguments, rng = exposures(band), np.random.default_rng(5)
    pixel = SURVEYS[BANDS[band].survey].pixel_arcsec
    worst, lost = np.full((len(INDEX), len(SIZE)), np.nan), 0.0
    for a, n in enumerate(INDEX):
        for b, r in enumerate(SIZE):
            for q in (0.1, 0.5, 1.0):
                shape = galsim.Sersic(n=n, half_light_radius=r, gsparams=TIGHT)
                shape = shape.shear(q=q, beta=0 * galsim.degrees)
                if 8 * np.pi / shape.stepk / pixel > LARGEST_FFT:
                    continue
                one = profile(n, r, q, rng)
                expected = reference.render(one, np.ones((2, 1)), **arguments, gsparams=TIGHT)
                image = fourier.render(one, np.ones((2, 1)), **arguments)
                worst[a, b] = np.fmax(worst[a, b], (np.abs(image - expected).max() / expected.max()))
                lost = max(lost, np.abs(image.sum((1, 2)) / expected.sum((1, 2)) - 1).max())
    return worst, lost


def recorded() -> dict[tuple[str, str], float]:
    """What the tests of speed, of the gate and of gradients measured."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "--benchmark-enable", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, BENCHMARK, GATE]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit("some of these tests failed or did not run: rendering.md is left as it was")
        return figures(report)


@canvas.drawn
def figure(errors: dict[str, np.ndarray]) -> Figure:
    drawn = Figure(figsize=(9.6, 3.4), layout="constrained")
    panels = drawn.subplots(1, len(errors), sharey=True)
    scale = LogNorm(1e-7, 1e-4)
    for axes, (band, worst) in zip(panels, errors.items(), strict=True):
        image = axes.imshow(worst.T, origin="lower", cmap="viridis", norm=scale, aspect="auto")
        axes.set_xticks(range(len(INDEX)), [f"{n:g}" for n in INDEX])
        axes.set_yticks(range(len(SIZE)), [f"{r:g}" for r in SIZE])
        axes.set_xlabel("Sersic index")
        axes.set_title(band)
        for (a, b), value in np.ndenumerate(worst):
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
    text += "\n" + MIDDLE.format(largest=LARGEST_FFT)
    errors = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GalSim, about large FFTs
        for band in BAND_SIZES:
            errors[band], lost = gate(band)
            itself = found[f"{GATE}::test_what_wraps_around_stays_far_below_the_gate", f"error {band}"]
            text += f"| {band} | {np.nanmax(errors[band]):.1e} | {lost:.1e} | 1e-4 | {itself:.1e} |\n"
    shear = f"{GATE}::test_shear_of_both_renderers_is_the_same"
    slopes = f"{GATE}::test_gradients_are_those_of_differences"
    text += TAIL.format(
        m=", ".join(f"{found[shear, f'm {band}']:.1e}" for band in BAND_SIZES),
        gradient=f"{max(value for (test, _), value in found.items() if test == slopes):.1e}",
    )
    canvas.save(figure(errors), HERE / "rendering.png")
    canvas.write_whole(HERE / "rendering.md", text.encode())
    print(text, f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
