"""What the lists of detections hold and hide at ten-year depth: writes sky_detections.md and its figures.

    .venv/bin/python docs/results/sky_detections.py
    .venv/bin/python docs/results/sky_detections.py --scenes 2

Wide scenes are drawn and observed to the depth of ten years in one LSST exposure for each band, at three
values of the seeing, and with Euclid's dithers. Takes a few minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skysynergy.challenges import canvas
from skysynergy.challenges.tiers import TIERS
from skysynergy.simulators.cadence import LSST_DEPTHS, Visit, sample_visits
from skysynergy.simulators.detections import (
    AMBIGUOUS_RATIO,
    HIDDEN_RATIO,
    INNER_MARGIN_ARCSEC,
    Detections,
    Matches,
    detection_images,
    detection_lists,
    match,
)
from skysynergy.simulators.exposures import Exposures, Observation, expose, prepare
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.scenes import Sources, draw_scene
from skysynergy.simulators.surveys import BANDS, SURVEYS

HERE = Path(__file__).parent
SECRET = b"skysynergy detections 1"
WIDTH_ARCSEC = 57.6
SCENES = 4
# FWHM_eff in i: 0.89 is the median of ten years, the others near the quartiles of single visits.
SEEING_ARCSEC = (0.75, 0.89, 1.05)
MEDIAN_SEEING = 0.89
GOLD_I = 25.3
FAINTEST_I = 27.5
MAGNITUDES = np.array([20.0, 22.0, 23.0, 24.0, 24.5, 25.0, 25.5, 26.0, 26.5, 27.0, 27.5])
LIMITS = (0.15, 0.30)
COLOURS = {"lsst": canvas.COLOURS["orange"], "joint": canvas.COLOURS["blue"]}


@dataclass(frozen=True)
class Scene:
    """One scene with its lists and what is behind them."""

    seeing: float
    number: int
    sources: Sources
    exposures: dict[str, Exposures]
    observations: dict[str, Observation]
    lists: dict[str, Detections]
    matches: dict[str, Matches]
    depth: dict[str, float]
    fwhm: float

    @property
    def mag_i(self) -> np.ndarray:
        return 31.4 - 2.5 * np.log10(np.maximum(self.sources.flux[:, BANDS["i"].code], 1e-9))

    @property
    def inner(self) -> np.ndarray:
        """Which sources lie where detections are asked about."""
        reach = np.maximum(np.abs(self.sources.x), np.abs(self.sources.y))
        return reach <= WIDTH_ARCSEC / 2 - INNER_MARGIN_ARCSEC


def ten_year_visits(seeing_arcsec: float) -> list[Visit]:
    """All visits of ten years in one exposure for each LSST band; two exposures for Euclid's four dithers."""
    counts = TIERS["full"].sky.visits
    scale = seeing_arcsec / BANDS["i"].fwhm_eff_arcsec
    visits = []
    for name, (m5, _) in LSST_DEPTHS.items():
        n = counts[name]
        # Depth follows the seeing, and background noise averages down: 1.25 log10 of the visits.
        m5 += 1.25 * math.log10(n) - 2.5 * math.log10(seeing_arcsec / MEDIAN_SEEING)
        visits.append(Visit(name, 60980.0, BANDS[name].fwhm_eff_arcsec * scale, m5, 1.2, n))
    euclid = {"VIS": 2, "Y": 2, "J": 2, "H": 2}
    return visits + sample_visits(np.random.default_rng(0), euclid, condensed=2)


def make(seeing: float, number: int, *, empty: bool = False) -> Scene:
    """Draw a scene, observe it, list and match; the same sources at every seeing."""
    rng = generator(SECRET, "galaxies", 0, number)
    sources = draw_scene(rng, width_arcsec=WIDTH_ARCSEC, i_limit=TIERS["full"].sky.i_limit)
    if empty:
        sources = sources[:0]
    observations = prepare(SECRET, 0, number, ten_year_visits(seeing))
    exposures = {
        name: expose(sources, seen, width_arcsec=WIDTH_ARCSEC, secret=SECRET, indices=(int(empty), 0, number))
        for name, seen in observations.items()
    }
    images = detection_images(exposures, observations)
    lists = detection_lists(images)
    fwhm = images["LSST"].fwhm_arcsec
    matches = {name: match(found, sources, fwhm_arcsec=fwhm) for name, found in lists.items()}
    depth = {name: image.m5 for name, image in images.items()}
    return Scene(seeing, number, sources, exposures, observations, lists, matches, depth, fwhm)


def proportion(yes: np.ndarray) -> tuple[float, float]:
    """A fraction and its binomial error."""
    n = len(yes)
    if n == 0:
        return math.nan, math.nan
    p = float(np.mean(yes))
    return p, math.sqrt((n * p + 1) / (n + 2) * (1 - (n * p + 1) / (n + 2)) / (n + 2))


def of_detections(scenes: Iterable[Scene], name: str) -> dict[str, np.ndarray]:
    """Columns of one list over scenes: what is behind each detection."""
    columns: dict[str, list[np.ndarray]] = {}
    for scene in scenes:
        found, matched = scene.lists[name], scene.matches[name]
        real = matched.dominant >= 0
        source = np.where(real, matched.dominant, 0)
        rows = {
            "real": real,
            "mag": np.where(real, scene.mag_i[source], np.nan),
            "snr": found.snr,
            "n_hidden": matched.n_hidden,
            "hidden_fraction": matched.hidden_fraction,
            "ambiguous": matched.ambiguous,
            "dx": np.where(real, found.x - scene.sources.x[source], np.nan),
            "dy": np.where(real, found.y - scene.sources.y[source], np.nan),
            "split": split_by_euclid(scene, name),
        }
        for key, values in rows.items():
            columns.setdefault(key, []).append(values)
    return {key: np.concatenate(values) for key, values in columns.items()}


def split_by_euclid(scene: Scene, name: str) -> np.ndarray:
    """Whether two or more of the sources of each detection have a `joint` detection of their own."""
    own = np.zeros(len(scene.sources), dtype=bool)
    own[scene.matches["joint"].dominant[scene.matches["joint"].dominant >= 0]] = True
    belongs = scene.matches[name].detection
    count = np.bincount(belongs[own & (belongs >= 0)], minlength=len(scene.lists[name]))
    return count >= 2


def of_sources(scenes: Iterable[Scene]) -> dict[str, np.ndarray]:
    """Columns of the inner sources: magnitude, and what became of them in each list."""
    columns: dict[str, list[np.ndarray]] = {}
    for scene in scenes:
        columns.setdefault("mag", []).append(scene.mag_i[scene.inner])
        for name, matched in scene.matches.items():
            own = np.zeros(len(scene.sources), dtype=bool)
            own[matched.dominant[matched.dominant >= 0]] = True
            columns.setdefault(name, []).append(own[scene.inner])
            columns.setdefault(f"{name} hidden", []).append((~own & (matched.detection >= 0))[scene.inner])
    return {key: np.concatenate(values) for key, values in columns.items()}
