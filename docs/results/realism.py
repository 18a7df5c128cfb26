"""A scene with everything that real exposures suffer, and what a wrong PSF does to a shear: realism.md.

    .venv/bin/python docs/results/realism.py

Needs no data, and about five minutes on one core.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from psf_measures import shape as moments
from skysynergy.baselines.moments import MomentsShear
from skysynergy.challenges import canvas
from skysynergy.challenges.challenge import load
from skysynergy.challenges.harness import harness_field
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators import observations
from skysynergy.simulators.calibration_errors import CalibrationErrors
from skysynergy.simulators.detectors import BAD_COLUMN, COSMIC_RAY, GAP, SATURATED
from skysynergy.simulators.distortion import draw_place, residual_arcsec
from skysynergy.simulators.exposures import Exposures, expose
from skysynergy.simulators.fields import draw_sources, observe
from skysynergy.simulators.observations import Observation
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.realism import Realism
from skysynergy.simulators.sources import Sources, joined, point_sources
from skysynergy.simulators.surveys import BANDS, SURVEYS, flux_from_mag

HERE = Path(__file__).parent
SECRET = b"realism results"
SHOWN = ("g", "i", "VIS", "H")
BITS = {"saturated": SATURATED, "bad column or pixel": BAD_COLUMN, "gap": GAP, "cosmic ray": COSMIC_RAY}
FIELDS, SCENES = 4, 40
SIZE_ERROR = 0.01
STAR = point_sources(x=[3.0], y=[-2.0], flux=float(flux_from_mag(16.0)))

HEAD = """# What real exposures suffer

Written by `realism.py`.

![A scene in single exposures, with everything that they suffer](realism.png)

One scene of the tier `tiny-survey`, into which a star of i = 16 was put, in four single exposures, in
their own pixels, and its mask.

| part of the pixels that is masked, mean over {scenes} scenes | LSST | VIS | NISP |
|---|---|---|---|
"""

DISTORTION = """
An affine map holds the distortion: in a scene of 19.2″ it leaves at most {lsst:.1e} pixels of LSST,
{vis:.1e} of VIS and {nisp:.1e} of NISP, over 200 places of the field.

A field has one PSF for each exposure. Two of its scenes, 2′ apart in LSST's field of view, would differ by
{size:.1e} in the size and {shape:.1e} in the ellipticity of the PSF (rms), as much as the errors of
calibration that are required: all scenes of a field take the PSF of one place.

## What a PSF that is supplied too large does to a shear

The supplied PSFs of LSST i and VIS are made larger than the true ones by δT/T = ±{error}, T the trace of the
adaptive second moments; `moments` measures {pairs} pairs of scenes of isolated galaxies, the same ones every
time, so that their noise cancels: dm1/d(δT/T) = {slope:+.2f} ± {sigma:.2f} (jackknife over {fields}
fields). |m| < 2e-3 asks for |δT/T| < {needed:.1e}.
"""


def one_scene(scene: int, *stars: Sources) -> tuple[dict[str, Exposures], dict[str, Observation]]:
    sky = TIERS["tiny-survey"].sky
    seen = observe(sky, SECRET, 0, 0)
    sources = joined(draw_sources(sky, SECRET, 0, scene), *stars)
    taken = {
        name: expose(
            sources,
            each,
            width_arcsec=sky.width_arcsec,
            secret=SECRET,
            indices=(0, 0, scene),
            realism=sky.realism,
        )
        for name, each in seen.items()
    }
    return taken, seen


@canvas.drawn
def figure(taken: dict[str, Exposures], seen: dict[str, Observation]) -> Figure:
    drawn = Figure(figsize=(9.6, 5.0), layout="constrained")
    panels = drawn.subplots(2, len(SHOWN))
    colours = ["white", "#0072b2", "#009e73", "#999999", "#d55e00"]
    for (top, bottom), band in zip(panels.T, SHOWN, strict=True):
        name = BANDS[band].survey
        e = [visit.band for visit in seen[name].visits].index(band)
        sigma = seen[name].backgrounds[e].sigma
        top.imshow(np.arcsinh(taken[name].image[e] / sigma / 3), cmap="gray", vmin=-0.7, vmax=3.5)
        top.set_title(band if band == "VIS" else f"{SURVEYS[name].title} {band}")
        kind = np.zeros(taken[name].mask[e].shape)
        for number, bit in enumerate(BITS.values(), 1):
            kind[(taken[name].mask[e] & bit) > 0] = number
        bottom.imshow(kind, cmap=ListedColormap(colours), vmin=-0.5, vmax=4.5, interpolation="nearest")
        for axes in (top, bottom):
            canvas.quiet(axes)
        bottom.spines[:].set_visible(True)
    told = ", ".join(
        f"{colour} {what}" for colour, what in zip(("blue", "green", "grey", "orange"), BITS, strict=True)
    )
    canvas.footnote(drawn, f"Below, the mask: {told}.")
    return drawn


def masked(scenes: int = 24) -> list[str]:
    """Rows of the table of masks."""
    parts = {what: np.zeros(len(SURVEYS)) for what in BITS}
    names = [name for name in SURVEYS if name in one_scene(0)[0]]
    for scene in range(scenes):
        taken, _ = one_scene(scene)
        for what, bit in BITS.items():
            for k, name in enumerate(names):
                parts[what][k] += ((taken[name].mask & bit) > 0).mean() / scenes
    return [
        f"| {what} | " + " | ".join(f"{100 * part[k]:.2f} %" for k in range(len(names))) + " |"
        for what, part in parts.items()
    ]


def over_the_field() -> tuple[float, float]:
    """Rms difference of size and ellipticity between the PSFs of places 2 arcmin apart."""
    size, shape = [], []
    for index in range(24):
        visit = observe(TIERS["tiny"].sky, SECRET, 1, index)["LSST"].visits[5]
        place = 0.9 * draw_place(generator(SECRET, "place", index), SURVEYS["LSST"])
        seen = []
        for offset in (0.0, 2 / 60):
            psf = psf_image(visit, generator(SECRET, "optics", index), place + np.array([offset, 0.0]))
            seen.append(np.array(moments(psf)))
        g1, g2, sigma = seen[1] - seen[0]
        size.append(2 * sigma / seen[0][2])  # of the trace, which goes as sigma squared
        shape += [g1, g2]
    return float(np.sqrt(np.mean(np.square(size)))), float(np.sqrt(np.mean(np.square(shape))))


def shear_slope() -> tuple[float, float]:
    """dm1/d(δT/T) of `moments`, and its jackknife error."""
    challenge = load("shear")
    scenario = challenge.scenarios["isolated"]
    sky = replace(scenario.sky, n_fields=FIELDS, scenes_per_field=SCENES, realism=Realism(calibration=1.0))
    scenario = replace(scenario, sky=sky)
    method, slopes = MomentsShear(), []
    for number in range(FIELDS):
        m = {}
        for error in (SIZE_ERROR, -SIZE_ERROR):
            given = CalibrationErrors(error, 0.0, 0.0, (0.0, 0.0), 0.0)
            with patch.object(observations, "draw_errors", lambda *_, given=given: given):
                answers = []
                for sign in (1, -1):
                    field, g = harness_field(scenario, challenge.track(), SECRET, number, sign)
                    answer = method.predict(field)
                    answers.append((complex(answer["g1"], answer["g2"]), g))
            (first, g), (second, _) = answers
            m[error] = ((first - second) / (2 * g)).real - 1
        slopes.append((m[SIZE_ERROR] - m[-SIZE_ERROR]) / (2 * SIZE_ERROR))
    return float(np.mean(slopes)), float(np.std(slopes, ddof=1) / np.sqrt(FIELDS))


def main() -> None:
    started = time.monotonic()
    canvas.save(figure(*one_scene(1, STAR)), HERE / "realism.png")
    rng = np.random.default_rng(1)
    left = {
        name: max(residual_arcsec(survey, draw_place(rng, survey), 19.2) for _ in range(200))
        / survey.pixel_arcsec
        for name, survey in SURVEYS.items()
        if name != "ROMAN"
    }
    size, shape = over_the_field()
    slope, sigma = shear_slope()
    text = HEAD.format(scenes=24) + "\n".join(masked()) + "\n"
    text += DISTORTION.format(
        lsst=left["LSST"],
        vis=left["EUCLID_VIS"],
        nisp=left["EUCLID_NISP"],
        size=size,
        shape=shape,
        error=SIZE_ERROR,
        pairs=FIELDS * SCENES,
        slope=slope,
        sigma=sigma,
        fields=FIELDS,
        needed=2e-3 / abs(slope),
    )
    canvas.write_whole(HERE / "realism.md", text.encode())
    print(text, f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
