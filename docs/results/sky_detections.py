"""What the lists of detections hold and hide at ten-year depth: writes sky_detections.md and its figures.

    .venv/bin/python docs/results/sky_detections.py
    .venv/bin/python docs/results/sky_detections.py --scenes 1

Scenes of the sky of tier `full`, but 57.6 arcsec wide, are observed to the depth of ten years in one LSST
exposure for each band, at three values of the seeing, and at the middle one by Euclid too. About two minutes
for each scene asked for.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sky_detections_scenes import (
    AREA_ARCMIN2,
    MEDIAN_SEEING,
    SECRET,
    SKY,
    Scene,
    make,
    of_detections,
    of_sources,
    proportion,
    within_fwhm,
)
from skysynergy.challenges import canvas
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.detections import (
    AMBIGUOUS_RATIO,
    HIDDEN_RATIO,
    THRESHOLD,
    detection_images,
    detection_lists,
    match,
)
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.fields import draw_sources, observe
from skysynergy.simulators.surveys import AB_ZERO_POINT, BANDS, SURVEYS

HERE = Path(__file__).parent
SCENES = 6
# FWHM_eff in i: 0.89 is the median of ten years, the others near the quartiles of single visits.
SEEING_ARCSEC = (0.75, MEDIAN_SEEING, 1.05)
GOLD_I = 25.3
MAGNITUDES = np.array([20.0, 22.0, 23.0, 24.0, 24.5, 25.0, 25.5, 26.0, 26.5, 27.0, 27.5])
LIMITS = (0.15, 0.30)
COLOURS = {"lsst": canvas.COLOURS["orange"], "joint": canvas.COLOURS["blue"]}


def seconds_per_scene(tier: str) -> float:
    """CPU time of the detection images and lists of one scene of a tier, the second of its field."""
    sky = TIERS[tier].sky
    observations, spent = observe(sky, SECRET, 0, 0), []
    for scene in range(3):
        sources = draw_sources(sky, SECRET, 0, scene)[:5]
        exposures = {
            name: expose(sources, seen, width_arcsec=sky.width_arcsec, secret=SECRET, indices=(0, 0, scene))
            for name, seen in observations.items()
        }
        start = time.process_time()
        lists = detection_lists(detection_images(exposures, observations))
        for found in lists.values():
            match(found, sources, fwhm_arcsec=0.8)
        spent.append(time.process_time() - start)
    return min(spent[1:])


@canvas.drawn
def blends(scene: Scene, count: int = 4, half_arcsec: float = 3.0) -> Figure:
    """A few detections of `lsst` that hide most, in LSST i and in VIS."""
    figure = Figure(figsize=(2.3 * count, 5.4), layout="constrained")
    axes = figure.subplots(2, count)
    found, matched = scene.lists["lsst"], scene.matches["lsst"]
    mag = np.where(matched.dominant >= 0, scene.mag_i[np.maximum(matched.dominant, 0)], np.inf)
    inside = np.maximum(np.abs(found.x), np.abs(found.y)) < SKY.width_arcsec / 2 - half_arcsec - 1
    worth = np.where(inside & (mag < GOLD_I) & (mag > 22), matched.hidden_fraction, -1)
    for column, d in enumerate(np.argsort(-worth)[:count]):
        for row, (survey, code) in enumerate((("LSST", "i"), ("EUCLID_VIS", "VIS"))):
            _cutout(axes[row, column], scene, survey, code, found.x[d], found.y[d], half_arcsec)
        axes[0, column].set_title(
            f"i = {mag[d]:.1f}, {matched.n_hidden[d]} hidden\n"
            f"{100 * matched.hidden_fraction[d]:.0f} % of the flux hidden"
        )
    axes[0, 0].set_ylabel("LSST i\ny [arcsec]")
    axes[1, 0].set_ylabel("Euclid VIS\ny [arcsec]")
    for panel in axes[1]:
        panel.set_xlabel("x [arcsec]")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _cutout(panel: Axes, scene: Scene, survey: str, band: str, x: float, y: float, half: float) -> None:
    image = scene.exposures[survey]
    # One band of the survey, taken back to the sky: the exposures are turned by right angles.
    order = BANDS[band].code - BANDS[SURVEYS[survey].bands[0]].code
    pixels, wcs = image.image[order], image.wcs[order]
    step = scene.images[survey].pixel_arcsec
    n = round(2 * half / step)
    offset = (np.arange(n) - (n - 1) / 2) * step
    sky = np.stack(np.meshgrid(x + offset, y + offset), axis=-1)
    at = np.round(sky @ wcs[:, :2].T + wcs[:, 2]).astype(int)
    at = np.clip(at, 0, len(pixels) - 1)
    values = pixels[at[..., 1], at[..., 0]]
    low, high = np.percentile(values, [5, 99.7])
    extent = (x - half, x + half, y - half, y + half)
    panel.imshow(np.arcsinh((values - low) / (0.3 * (high - low))), cmap="gray_r", extent=extent)
    flux = scene.sources.flux[:, BANDS["i"].code]
    shown = flux > 10 ** (0.4 * (AB_ZERO_POINT - SKY.content.i_limit))
    size = 10 + 12 * np.clip(27.5 - scene.mag_i[shown], 0, 6)
    panel.scatter(
        scene.sources.x[shown],
        scene.sources.y[shown],
        size,
        color=canvas.COLOURS["vermillion"],
        marker=".",
        label="true source (larger: brighter)",
    )
    for (name, found), marker, width in zip(scene.lists.items(), "o+", (150, 70), strict=True):
        face = (
            {"facecolors": "none", "edgecolors": COLOURS[name]} if marker == "o" else {"color": COLOURS[name]}
        )
        panel.scatter(
            found.x, found.y, width, marker=marker, linewidths=1.4, label=f"detection, {name}", **face
        )
    panel.set_xlim(x - half, x + half)
    panel.set_ylim(y - half, y + half)


@canvas.drawn
def fractions(scenes: Sequence[Scene]) -> Figure:
    """Hidden sources, completeness and centroids."""
    figure = Figure(figsize=(10.2, 3.6), layout="constrained")
    hidden, complete, centroid = figure.subplots(1, 3)
    hidden.axhspan(*LIMITS, color=canvas.SOFT, alpha=0.15, lw=0, label="15 to 30 %")
    colours = (canvas.COLOURS["sky"], canvas.COLOURS["blue"], canvas.COLOURS["purple"])
    for k, (seeing, colour) in enumerate(zip(SEEING_ARCSEC, colours, strict=True)):
        rows = of_detections([s for s in scenes if s.seeing == seeing], "lsst")
        x, values, errors = _binned(rows["mag"], rows["n_hidden"] > 0)
        hidden.errorbar(x + 0.05 * (k - 1), values, errors, fmt="o-", ms=3, color=colour, label=f"{seeing}″")
    hidden.set(xlabel="i of the dominant source", ylabel="detections of lsst that hide a source", ylim=(0, 1))
    hidden.legend(title="FWHM$_\\mathrm{eff}$ in i")
    middle = [s for s in scenes if s.seeing == MEDIAN_SEEING]
    every = of_sources(middle)
    for name, colour in COLOURS.items():
        x, values, errors = _binned(every["mag"], every[name])
        complete.errorbar(x, values, errors, fmt="o-", ms=3, color=colour, label=f"dominant, {name}")
        x, values, errors = _binned(every["mag"], every[f"{name} hidden"])
        complete.errorbar(x, values, errors, fmt="s:", ms=3, color=colour, label=f"hidden, {name}")
    complete.set(xlabel="i of the source", ylabel="fraction of sources", ylim=(0, 1.02))
    complete.legend(loc="center left")
    for name, colour in COLOURS.items():
        rows = of_detections(middle, name)
        x, values, errors = _scatter(rows)
        centroid.errorbar(x, values, errors, fmt="o-", ms=3, color=colour, label=name)
    snr = np.geomspace(5, 300, 50)
    fwhm = middle[0].images["LSST"].fwhm_arcsec
    centroid.plot(
        snr,
        fwhm * math.sqrt(2) / 2.355 / snr,
        "--",
        color=canvas.SOFT,
        label="point source, LSST: √2 FWHM / (2.355 S/N)",
    )
    centroid.set(
        xscale="log",
        yscale="log",
        xlabel="S/N of the detection",
        ylabel="centroid scatter, each axis [arcsec]",
    )
    centroid.legend(loc="lower left")
    centroid.set_ylim(1e-3, 0.2)
    return figure


def _binned(mag: np.ndarray, yes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, fraction and error in each bin of magnitude that has five or more."""
    rows = []
    for low, high in pairwise(MAGNITUDES):
        chosen = (mag >= low) & (mag < high)
        if chosen.sum() >= 5:
            rows.append(((low + high) / 2, *proportion(yes[chosen])))
    return tuple(np.array(rows).reshape(-1, 3).T)  # type: ignore[return-value]


def _scatter(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Robust scatter of the offsets from the dominant source in bins of S/N."""
    edges, result = np.array([5, 7, 10, 15, 25, 50, 100, 300]), []
    for low, high in pairwise(edges):
        chosen = (rows["snr"] >= low) & (rows["snr"] < high) & rows["real"]
        offsets = np.concatenate([rows["dx"][chosen], rows["dy"][chosen]])
        if len(offsets) >= 10:
            sigma = 1.4826 * np.median(np.abs(offsets - np.median(offsets)))
            result.append((math.sqrt(low * high), sigma, 1.2 * sigma / math.sqrt(len(offsets))))
    return tuple(np.array(result).reshape(-1, 3).T)  # type: ignore[return-value]


def percent(yes: np.ndarray) -> str:
    value, error = proportion(yes)
    return "none" if math.isnan(value) else f"{100 * value:.1f} ± {100 * error:.1f} %"


def verdict(yes: np.ndarray) -> str:
    """Met if the whole 95 % interval lies within the limits."""
    value, error = proportion(yes)
    low, high = value - 1.96 * error, value + 1.96 * error
    if low >= LIMITS[0] and high <= LIMITS[1]:
        return "met"
    return "not met" if high < LIMITS[0] or low > LIMITS[1] else "undecided"


def page(scenes: Sequence[Scene], blank: Sequence[Scene]) -> str:
    """The page of results."""
    middle = [s for s in scenes if s.seeing == MEDIAN_SEEING]
    depths = ", ".join(f"{name} {image.m5:.2f}" for name, image in middle[0].images.items())
    lines = [
        "# What the lists of detections hold and hide",
        "",
        f"Written by `sky_detections.py`: {len(middle)} scenes of tier `full`, {SKY.content.arrangement}",
        f"(i < {SKY.content.i_limit}), {SKY.width_arcsec}″ wide, at ten-year depth.",
        "Each LSST band is one exposure for all its visits,",
        f"at three values of the seeing; at a FWHM_eff of {MEDIAN_SEEING}″ in i, each band of Euclid has two",
        "exposures for its four dithers. Depth there (S/N 5, a point of constant AB magnitude):",
        f"{depths}.",
        "",
        f"A hidden source has more than {HIDDEN_RATIO} of the i flux of the dominant one and no detection of",
        "its own, and lies within one FWHM of the LSST PSF of the detection, or in its pixels above",
        f"{THRESHOLD:.0f} σ. Errors are binomial, 68 %: they leave out that scenes differ. A limit is",
        "met if the whole 95 % interval is inside.",
        "",
        "| `lsst` detections that hide a source | figure | limit | |",
        "|---|---|---|---|",
    ]
    limit = f"{100 * LIMITS[0]:.0f}–{100 * LIMITS[1]:.0f} %"
    for seeing in SEEING_ARCSEC:
        rows = of_detections([s for s in scenes if s.seeing == seeing], "lsst")
        kinds = {f"i < {GOLD_I}": rows["mag"] < GOLD_I, "all": rows["real"]}
        for kind, chosen in kinds.items():
            hidden = rows["n_hidden"][chosen] > 0
            title = f"{kind}, FWHM_eff {seeing}″ ({chosen.sum()})"
            lines.append(f"| {title} | {percent(hidden)} | {limit} | {verdict(hidden)} |")
    mag, hidden = within_fwhm(middle)
    lines += [
        "",
        f"Had only sources within one FWHM been counted, these would be {percent(hidden[mag < GOLD_I])} of",
        f"those with i < {GOLD_I} and {percent(hidden)} of all at {MEDIAN_SEEING}″: the others lie farther",
        "out, in the pixels of the detection, where LSST sees no peak.",
    ]
    lines += ["", "| at the middle seeing | `lsst` | `joint` |", "|---|---|---|"]
    lists = {name: of_detections(middle, name) for name in COLOURS}
    every = of_sources(middle)

    def row(title: str, *cells: str) -> None:
        lines.append(f"| {title} | {' | '.join(cells)} |")

    row(
        "detections per arcmin²",
        *(f"{len(r['mag']) / AREA_ARCMIN2 / len(middle):.1f}" for r in lists.values()),
    )
    for low, high in ((22.0, 24.0), (24.0, GOLD_I), (GOLD_I, 26.5), (26.5, 27.5)):
        chosen = (every["mag"] >= low) & (every["mag"] < high)
        row(f"sources with {low} ≤ i < {high} that are dominant", *(percent(every[n][chosen]) for n in lists))
    row(
        f"hide a source, i < {GOLD_I}",
        *(percent(r["n_hidden"][r["mag"] < GOLD_I] > 0) for r in lists.values()),
    )
    row("hide a source, all", *(percent(r["n_hidden"][r["real"]] > 0) for r in lists.values()))
    row(
        f"ambiguous (above {AMBIGUOUS_RATIO}), i < {GOLD_I}",
        *(percent(r["ambiguous"][r["mag"] < GOLD_I]) for r in lists.values()),
    )
    row(f"split by `joint`, i < {GOLD_I}", percent(lists["lsst"]["split"][lists["lsst"]["mag"] < GOLD_I]), "")
    row("split by `joint`, all", percent(lists["lsst"]["split"][lists["lsst"]["real"]]), "")
    row("with no source behind them", *(percent(~r["real"]) for r in lists.values()))
    for low, high in ((5, 7), (7, 10), (10, 1e9)):
        cells = [percent(~r["real"][(r["snr"] >= low) & (r["snr"] < high)]) for r in lists.values()]
        row(f"the same, S/N {low} to {high}" if high < 1e9 else f"the same, S/N above {low}", *cells)
    area = AREA_ARCMIN2 * len(blank)
    counts = [sum(len(s.lists[name]) for s in blank) for name in lists]
    row(f"on {area:.1f} arcmin² of blank sky", *map(str, counts))
    for low, high in ((5, 10), (10, 30), (30, 1000)):
        cells = []
        for r in lists.values():
            chosen = r["real"] & (r["snr"] >= low) & (r["snr"] < high)
            offsets = np.concatenate([r["dx"][chosen], r["dy"][chosen]])
            cells.append(f"{1000 * 1.4826 * np.median(np.abs(offsets)):.0f} mas")
        row(f"centroid scatter in each axis, S/N {low} to {high}", *cells)
    lines += ["", "| CPU time of images, lists and matches of a scene | seconds |", "|---|---|"]
    lines += [f"| {tier} | {seconds_per_scene(tier):.2f} |" for tier in ("tiny", "small")]
    lines += [
        "",
        "![Hidden sources, completeness and centroids](sky_detections.png)",
        "",
        "![Blends in LSST i and in VIS](sky_detections_blends.png)",
        "",
        f"The second figure: the `lsst` detections brighter than i = {GOLD_I} in the first scene that hide",
        "the largest part of the light.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"at each seeing ({SCENES})")
    parser.add_argument("--out", type=Path, default=HERE, help="where page and figures go")
    options = parser.parse_args()
    if options.scenes < 1:
        parser.error("at least one scene")
    start, scenes = time.time(), []
    for number in range(options.scenes):
        for seeing in SEEING_ARCSEC:
            scenes.append(make(seeing, number))
            print(f"scene {number} at {seeing}″: {time.time() - start:.0f} s", flush=True)
    blank = [make(MEDIAN_SEEING, number, empty=True) for number in range(options.scenes)]
    canvas.save(fractions(scenes), options.out / "sky_detections.png")
    first = next(s for s in scenes if s.seeing == MEDIAN_SEEING)
    canvas.save(blends(first), options.out / "sky_detections_blends.png")
    text = page(scenes, blank)
    canvas.write_whole(options.out / "sky_detections.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
