"""Transients in the pixels of both surveys, measured there: writes pixel_transients.md and .png.

    .venv/bin/python docs/results/pixel_transients.py

Makes the open splits of the tier ``tiny-transients`` (16 scenes) in a temporary folder, measures every alert,
and counts the classes of 200 scenes more. A few minutes on one core.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from skysynergy.baselines.forced_photometry import forced_photometry
from skysynergy.challenges import canvas
from skysynergy.challenges.datasets import Split, generate, open_split, open_truth
from skysynergy.challenges.light_curves import LightCurves
from skysynergy.challenges.method import Field, SurveyExposures
from skysynergy.challenges.sky_alerts import Alerts, fields_with_alerts
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.fields import draw_sources, observe
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.scene_transients import draw_in_scene
from skysynergy.simulators.surveys import BANDS, SURVEYS
from skysynergy.simulators.transients import KINDS, SHARES

HERE = Path(__file__).parent
TIER, SECRET = "tiny-transients", b"classes of transients in pixels"
# Survey, band, and width of what is shown, arcsec.
SHOWN = (("LSST", "r", 4.8), ("LSST", "i", 4.8), ("EUCLID_VIS", "VIS", 2.4), ("EUCLID_NISP", "H", 4.8))
EPOCHS = 7
COLOURS = dict(zip("griz", ("green", "orange", "vermillion", "purple"), strict=True))
COLOURS |= {"VIS": "blue", "Y": "sky", "J": "orange", "H": "vermillion"}

HEAD = """# Transients in the pixels of both surveys

Written by `pixel_transients.py`: the tier `{tier}`, train and validation, {n} transients in {scenes} scenes,
each measured in every exposure of the season by `baselines/forced_photometry.py`. A pull is measured minus
true flux over its error. The fluxes of a band of one transient share a host, and with it a part of their
errors, so that the mean of pulls is known less well than their number says: errors of means are from a
bootstrap over transients and bands. Active nuclei, whose reference changes too, are left out.

| exposures | measured | mean pull | width of pulls | largest |
|---|---|---|---|---|
{rows}

Limit: a width of 0.9 to 1.1 over all, {met}. All light above ten sigma together, measured over true:
{ratio:.4f} ± {ratio_error:.4f}. Forced photometry took {seconds:.1f} s of processor time for an alert.

![Exposures of one transient over time, and its light curve](pixel_transients.png)

One transient: single exposures about it, 4.8 arcsec wide (VIS 2.4), turned so that x grows to the right and y
up, the first of them from the season before; below, what forced photometry measures (points) against the
truth (lines).

## Classes

A class is drawn by its share in `transients`; the scene has to hold a host for it, and the survey to notice
it. Of {drawn} scenes {with_one} have a transient:

| class | share asked for | of those in scenes |
|---|---|---|
{classes}
"""


@dataclass(frozen=True)
class One:
    """One transient and what was measured of it; truth by survey."""

    field: Field
    alerts: Alerts
    place: int
    curve: LightCurves
    kind: str
    z: float
    peak_mjd: float
    true: dict[str, NDArray[np.float64]]


def measured(home: Path) -> tuple[list[One], float]:
    """Every transient of the open splits, and processor seconds for each."""
    ones, seconds = [], 0.0
    for name in ("train", "validation"):
        split = Split.of(TIER, name, home)
        generate(split, progress=False)
        truth = open_truth(split)
        table = {key: values.to_numpy() for key, values in truth["transients"].to_dataset().items()}
        changing = {}
        for survey in SURVEYS.values():
            if f"{survey.group}_transients" in truth.children:
                rows = truth[f"{survey.group}_transients"].to_dataset()
                changing[survey.name] = (rows["flux"] - rows["steady"]).to_numpy().astype(float)
        for piece in fields_with_alerts(open_split(split)):
            field, alerts = piece.field, piece.alerts
            started = time.process_time()
            curves = forced_photometry(field, alerts)
            seconds += time.process_time() - started
            for place, identity in enumerate(alerts.id):
                (row,) = np.flatnonzero(table["id"] == identity)
                ones.append(
                    One(
                        field,
                        alerts,
                        place,
                        curves.select([place]),
                        KINDS[int(table["kind"][row])],
                        float(table["z"][row]),
                        float(table["peak_mjd"][row]),
                        {survey: values[row] for survey, values in changing.items()},
                    )
                )
    return ones, seconds / len(ones)


def true_of(one: One) -> NDArray[np.float64]:
    """(m,) true flux of each observation of its curve."""
    known = {}
    for name, exposures in one.field.surveys.items():
        for mjd, band, flux in zip(exposures.mjd, exposures.band, one.true[name], strict=True):
            known[float(mjd), BANDS[str(band)].code] = flux
    return np.array(
        [known[float(mjd), int(band)] for mjd, band in zip(one.curve.mjd, one.curve.band, strict=True)]
    )


def table_rows(ones: list[One]) -> tuple[list[str], float, tuple[float, float]]:
    """Rows by band and of all, the width of all pulls, and measured over true light with its error."""
    pulls, bands, groups, flux, true, error = [], [], [], [], [], []
    for number, one in enumerate(ones):
        if one.kind == "AGN":
            continue
        expected = true_of(one)
        pulls.append((one.curve.flux - expected) / one.curve.error)
        bands.append(one.curve.band)
        groups.append(100 * number + one.curve.band.astype(int))
        flux, true, error = [*flux, one.curve.flux], [*true, expected], [*error, one.curve.error]
    pull, band, group = (np.concatenate(parts) for parts in (pulls, bands, groups))
    rows = []
    names = ["all"] + [name for name in BANDS if BANDS[name].code in band]
    for name in names:
        mine = np.ones(pull.size, bool) if name == "all" else band == BANDS[name].code
        mean, spread = bootstrap(pull[mine], group[mine])
        rows.append(
            f"| {name} | {mine.sum()} | {mean:+.3f} ± {spread:.3f} | {pull[mine].std():.3f} "
            f"| {np.abs(pull[mine]).max():.1f} |"
        )
    flux, true, error = (np.concatenate(parts).astype(float) for parts in (flux, true, error))
    bright = true > 10 * error
    weight = (true / error**2)[bright]
    ratio = float(np.sum(weight * flux[bright]) / np.sum(weight * true[bright]))
    return rows, float(pull.std()), (ratio, float(1 / np.sqrt(np.sum((true / error)[bright] ** 2))))


def bootstrap(values: NDArray[np.float64], group: NDArray[np.int64]) -> tuple[float, float]:
    """Mean, and its error from a bootstrap over groups."""
    _, number = np.unique(group, return_inverse=True)
    sums, counts = np.bincount(number, values), np.bincount(number)
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(sums), size=(1000, len(sums)))
    return float(values.mean()), float((sums[chosen].sum(1) / counts[chosen].sum(1)).std())


def classes() -> Counter[str]:
    """Classes of the transients of 200 scenes, and how many have none."""
    sky, found = TIERS[TIER].sky, Counter()
    for number in range(4):
        observations = observe(sky, SECRET, 0, number)
        for scene in range(50 * number, 50 * (number + 1)):
            placed = draw_in_scene(
                generator(SECRET, "scene transients", 0, scene),
                sky.transients,
                draw_sources(sky, SECRET, 0, scene),
                observations,
                width_arcsec=sky.width_arcsec,
                test=False,
            )
            found[KINDS[int(placed.kind[0])] if len(placed) else "none"] += 1
    return found


def on_sky(exposures: SurveyExposures, scene: int, e: int, x: float, y: float, width: float) -> NDArray:
    """A square of an exposure about a place, x to the right and y up, in its own pixels' width."""
    half = round(width / exposures.pixel_arcsec / 2)
    axis = exposures.pixel_arcsec * np.arange(-half, half + 1)
    px, py = np.meshgrid(x + axis, y + axis)
    at = np.einsum("ij,j...->i...", exposures.wcs[scene, e], np.stack([px, py, np.ones_like(px)]))
    return ndimage.map_coordinates(exposures.image[scene, e], at[::-1], order=1, mode="nearest")


@canvas.drawn
def figure(one: One) -> Figure:
    """Exposures of one transient over time, and its light curve in both surveys."""
    alerts, k = one.alerts, one.place
    scene, x, y, begin = int(alerts.scene[k]), float(alerts.x[k]), float(alerts.y[k]), alerts.quiet_until[k]
    drawn = Figure(figsize=(10.0, 10.6), layout="constrained")
    top, bottom = drawn.subfigures(2, 1, height_ratios=[1.25, 1.0])
    axes = top.subplots(len(SHOWN), EPOCHS)
    for line, (survey, band, width) in zip(axes, SHOWN, strict=True):
        exposures = one.field.surveys[survey]
        own = np.flatnonzero(exposures.band == band)
        own = own[np.argsort(exposures.mjd[own])]
        if survey != "LSST":
            own = own[::4]  # one dither of each pointing
        before, season = own[exposures.mjd[own] < begin], own[exposures.mjd[own] >= begin]
        brightest = int(np.argmax(one.true[survey][season]))
        evenly = np.round(np.linspace(0, len(season) - 1, EPOCHS - 2)).astype(int)
        some = np.unique([brightest, *evenly])
        shown = [before[-1], *season[some]]
        pictures = [on_sky(exposures, scene, e, x, y, width) for e in shown]
        noise = np.sqrt(np.median((exposures.sky_variance + exposures.read_variance)[scene, shown]))
        high = max(np.percentile(np.stack(pictures), 99.7), 5 * noise)
        for number, place in enumerate(line):
            canvas.quiet(place)
            if number >= len(shown):
                place.set_visible(False)
                continue
            e = shown[number]
            edge = [-width / 2, width / 2]
            place.imshow(pictures[number], cmap="gray", vmin=-2 * noise, vmax=high, extent=edge + edge)
            place.plot(0, 0, "o", ms=20, mfc="none", mec=canvas.COLOURS["orange"], mew=0.8)
            day = exposures.mjd[e] - one.peak_mjd
            place.set_title(f"{band}  {day:+.0f} d", fontsize=8.5)
    upper, lower = bottom.subplots(2, 1, sharex=True)
    for place, surveys in ((upper, ("LSST",)), (lower, ("EUCLID_VIS", "EUCLID_NISP"))):
        expected = true_of(one)
        marks = iter("osD^")
        for band in BANDS.values():
            mine = one.curve.band == band.code
            if band.survey not in surveys or not mine.any():
                continue
            colour = canvas.COLOURS[COLOURS[band.name]]
            days = one.curve.mjd[mine] - one.peak_mjd
            jitter = 0.0 if "LSST" in surveys else 1.2 * (["VIS", "Y", "J", "H"].index(band.name) - 1.5)
            place.errorbar(
                days + jitter + (0.0 if "LSST" in surveys else 8 * (one.curve.mjd[mine] % 0.07)),
                one.curve.flux[mine],
                one.curve.error[mine],
                fmt=next(marks),
                ms=3.5,
                lw=0.8,
                color=colour,
                label=f"{band.name}, {'LSST' if 'LSST' in surveys else 'Euclid'}",
            )
            place.plot(days + jitter, expected[mine], "-", lw=0.9, color=colour, alpha=0.8)
        place.axhline(0, color=canvas.SOFT, lw=0.6)
        place.set_ylabel("flux (nJy)")
        place.legend(ncols=4, loc="upper right")
    upper.set_title(
        f"A {one.kind} at z = {one.z:.2f}: measured in single exposures (points), and the truth (lines)"
    )
    lower.set_xlabel("days from the peak, observed (Euclid's bands and dithers are drawn beside each other)")
    return drawn


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        ones, seconds = measured(Path(home))
    rows, width, (ratio, ratio_error) = table_rows(ones)
    found = classes()
    drawn, nobody = sum(found.values()), found.pop("none", 0)
    told = [f"| {name} | {SHARES[name]:.2f} | {found[name] / (drawn - nobody):.2f} |" for name in SHARES]
    text = HEAD.format(
        tier=TIER, n=len(ones), scenes=2 * TIERS[TIER].n_scenes, rows="\n".join(rows), seconds=seconds,
        met="met" if 0.9 <= width <= 1.1 else "not met", ratio=ratio, ratio_error=ratio_error,
        drawn=drawn, with_one=drawn - nobody, classes="\n".join(told),
    )  # fmt: skip
    (HERE / "pixel_transients.md").write_text(text)

    # The one that is seen best in both surveys, exploding in the season.
    def seen(one: One) -> float:
        ground = one.curve.band < BANDS["VIS"].code
        strength = true_of(one) / one.curve.error
        return 0.0 if one.kind == "AGN" else min(np.sum(strength[ground] > 5), np.sum(strength[~ground] > 5))

    canvas.save(figure(max(ones, key=seen)), HERE / "pixel_transients.png")
    print(text)


if __name__ == "__main__":
    main()
