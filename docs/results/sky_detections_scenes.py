"""Scenes at ten-year depth with their lists of detections, for sky_detections.py."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.cadence import LSST_DEPTHS, Visit, sample_visits
from skysynergy.simulators.detection_image import DetectionImage
from skysynergy.simulators.detections import (
    HIDDEN_RATIO,
    INNER_MARGIN_ARCSEC,
    Detections,
    Matches,
    detection_images,
    detection_lists,
    match,
)
from skysynergy.simulators.exposures import Exposures, expose
from skysynergy.simulators.fields import draw_sources
from skysynergy.simulators.observations import prepare
from skysynergy.simulators.sources import Sources
from skysynergy.simulators.surveys import AB_ZERO_POINT, BANDS

SECRET = b"skysynergy detections 1"
SKY = replace(TIERS["full"].sky, width_arcsec=57.6)
MEDIAN_SEEING = 0.89


@dataclass(frozen=True)
class Scene:
    """One scene with its lists and what is behind them."""

    seeing: float
    sources: Sources
    exposures: dict[str, Exposures]
    images: dict[str, DetectionImage]
    lists: dict[str, Detections]
    matches: dict[str, Matches]

    @property
    def mag_i(self) -> np.ndarray:
        flux = self.sources.flux[:, BANDS["i"].code]
        return AB_ZERO_POINT - 2.5 * np.log10(np.maximum(flux, 1e-9))

    @property
    def inner(self) -> np.ndarray:
        """Which sources lie where detections are asked about."""
        reach = np.maximum(np.abs(self.sources.x), np.abs(self.sources.y))
        return reach <= SKY.width_arcsec / 2 - INNER_MARGIN_ARCSEC


AREA_ARCMIN2 = ((SKY.width_arcsec - 2 * INNER_MARGIN_ARCSEC) / 60) ** 2


def ten_year_visits(seeing_arcsec: float, *, euclid: bool) -> list[Visit]:
    """All visits of ten years in one exposure for each LSST band; two exposures for Euclid's four dithers."""
    scale = seeing_arcsec / BANDS["i"].fwhm_eff_arcsec
    visits = []
    for name, (m5, _) in LSST_DEPTHS.items():
        n = SKY.visits[name]
        # Background noise averages down, 1.25 log10 of the visits, and depth follows the seeing.
        m5 += 1.25 * math.log10(n) - 2.5 * math.log10(seeing_arcsec / MEDIAN_SEEING)
        visits.append(Visit(name, 60980.0, BANDS[name].fwhm_eff_arcsec * scale, m5, 1.2, n))
    dithers = {"VIS": 2, "Y": 2, "J": 2, "H": 2}
    return visits + (sample_visits(np.random.default_rng(0), dithers, condensed=2) if euclid else [])


def make(seeing: float, number: int, *, empty: bool = False) -> Scene:
    """Draw a scene, observe it, list and match; the same sources at every seeing."""
    sources = draw_sources(SKY, SECRET, 0, number)
    sources = sources[:0] if empty else sources
    visits = ten_year_visits(seeing, euclid=seeing == MEDIAN_SEEING)
    observations = prepare(SECRET, 0, number, visits)
    indices = (int(empty), 0, number)
    exposures = {
        name: expose(sources, seen, width_arcsec=SKY.width_arcsec, secret=SECRET, indices=indices)
        for name, seen in observations.items()
    }
    images = detection_images(exposures, observations)
    lists = detection_lists(images)
    fwhm = images["LSST"].fwhm_arcsec
    matches = {name: match(found, sources, fwhm_arcsec=fwhm) for name, found in lists.items()}
    return Scene(seeing, sources, exposures, images, lists, matches)


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
    """Whether two or more of the sources of each detection have a `joint` detection of their own.

    The second counts if it has a tenth of the flux of the dominant one.
    """
    belongs, dominant = scene.matches[name].detection, scene.matches[name].dominant
    flux = scene.sources.flux[:, BANDS["i"].code]
    own = np.zeros(len(scene.sources), dtype=bool)
    own[scene.matches["joint"].dominant[scene.matches["joint"].dominant >= 0]] = True
    known = belongs >= 0
    least = np.zeros(len(flux))
    least[known] = HIDDEN_RATIO * flux[dominant[belongs[known]]]
    count = np.bincount(belongs[own & known & (flux > least)], minlength=len(scene.lists[name]))
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


def within_fwhm(scenes: Iterable[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """i of the dominant source, and whether an `lsst` detection hides a source within one FWHM of it."""
    mags, hidden = [], []
    for scene in scenes:
        found = scene.lists["lsst"]
        found = replace(found, segment=np.full_like(found.segment, -1))
        matched = match(found, scene.sources, fwhm_arcsec=scene.images["LSST"].fwhm_arcsec)
        real = matched.dominant >= 0
        mags.append(scene.mag_i[matched.dominant[real]])
        hidden.append(matched.n_hidden[real] > 0)
    return np.concatenate(mags), np.concatenate(hidden)
