"""What a detection pipeline would list, and which sources are behind it.

Two lists: ``lsst`` is made from the LSST exposures alone, ``joint`` from those of all surveys.
Both are peaks of matched-filter detection images (`detection_image`) that rise above a threshold
and stand out from their neighbours (`peaks`). Nothing that is truth goes into a list.

The truth side then gives each source to a detection: to the nearest within the LSST PSF's footprint,
else to the one in whose pixels it lies. Of the first kind the source with the largest true i flux
is the dominant one, which questions are about; all others are hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from .blending import TEN_YEAR_FWHM_EFF_ARCSEC
from .detection_image import DetectionImage, add_images, detection_image
from .exposures import Exposures
from .layout import Column, Table
from .observations import Observation
from .peaks import find_peaks
from .randomness import generator
from .sources import Sources
from .surveys import BANDS

__all__ = [
    "INNER_MARGIN_ARCSEC",
    "LISTS",
    "Detections",
    "Matches",
    "detect",
    "detection_images",
    "detection_lists",
    "detection_rows",
    "detection_tables",
    "match",
]

LISTS = {"lsst": 0, "joint": 1}
"""Code of each list in the store."""

# Nothing is asked about nearer than this to the border of a scene: there part of the light is missing.
INNER_MARGIN_ARCSEC = 1.8

# Five times the noise of a point source, as LSST and Euclid pipelines have it (Bosch et al. 2018,
# PASJ 70, S5, section 4.7.1, on the image smoothed by the PSF).
THRESHOLD = 5.0
# A peak is split off if it rises above the saddle by this many times the noise and by this part of
# the saddle; saddles are looked for down to the floor. Our choice: VIS resolves galaxies, and noise makes
# many peaks on each; on the few resolution elements that LSST has for a galaxy it makes hardly any.
FLOOR, PROMINENCE, CONTRAST = 2.0, 2.5, 0.03
LSST_PROMINENCE = 2.0
# A detection on the sum of the surveys that lies within this many FWHM of its PSF from one that VIS
# sees is the same one: our choice.
SAME_WITHIN_FWHM = 1.0

# A hidden source has at least this part of the i flux of the dominant one.
HIDDEN_RATIO = 0.1
# The pair is ambiguous if the second brightest has at least this part of the brightest: our choice.
AMBIGUOUS_RATIO = 0.5
# The sources of a detection have, in their brightest band, at least this part of the flux that was
# measured, else they happen to lie under noise: our choice.
LEAST_SHARE = 0.3

# A survey of this FWHM or less resolves most galaxies: between VIS (0.17) and NISP (0.35), our choice.
SHARP_ARCSEC = 0.27
# Of the LSST PSF where a scene has no LSST exposure.
TEN_YEAR_FWHM_ARCSEC = 0.822 * TEN_YEAR_FWHM_EFF_ARCSEC + 0.052


@dataclass(frozen=True)
class Detections:
    """What a pipeline lists, a structure of arrays of length n.

    Attributes:
        x, y: arcsec from the centre of the scene.
        snr: signal-to-noise of a point source there.
        flux: nJy of a point source there, averaged over the bands by inverse variance.
        segment: (ny, nx) index of the detection that each pixel of the detection image above the
            threshold belongs to, -1 for none.
        pixel_arcsec: of the segments; their middle is the scene's.
    """

    x: np.ndarray
    y: np.ndarray
    snr: np.ndarray
    flux: np.ndarray
    segment: np.ndarray
    pixel_arcsec: float

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, keep: np.ndarray) -> Detections:
        """Those for which (n,) `keep` is true, with segments counted anew."""
        number = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
        columns = {name: getattr(self, name)[keep] for name in _COLUMNS}
        return replace(self, segment=number[self.segment], **columns)

    def segment_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Index of the detection whose pixels hold each position, arcsec; -1 for none."""
        column, row = (
            np.round(np.asarray(axis) / self.pixel_arcsec + (size - 1) / 2).astype(int)
            for axis, size in zip((x, y), self.segment.shape[::-1], strict=True)
        )
        ny, nx = self.segment.shape
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        return np.where(inside, self.segment[np.where(inside, row, 0), np.where(inside, column, 0)], -1)


_COLUMNS = ("x", "y", "snr", "flux")


@dataclass(frozen=True)
class Matches:
    """Detections and sources of one scene, matched.

    Attributes:
        dominant: (detection) index of the source, -1 if no source explains the detection.
        n_hidden: (detection) other sources of the detection, above a tenth of the dominant one.
        hidden_fraction: (detection) the part of the i flux of all its sources that is not the
            dominant one's.
        ambiguous: (detection) whether the second brightest is nearly as bright.
        detection: (source) index of the detection that a source belongs to, -1 if it has none.
    """

    dominant: np.ndarray
    n_hidden: np.ndarray
    hidden_fraction: np.ndarray
    ambiguous: np.ndarray
    detection: np.ndarray


def detect(
    image: DetectionImage,
    *,
    threshold: float = THRESHOLD,
    floor: float = FLOOR,
    prominence: float = PROMINENCE,
    contrast: float = CONTRAST,
    margin_arcsec: float = INNER_MARGIN_ARCSEC,
) -> Detections:
    """The peaks of a detection image, brightest first.

    Arguments:
        image: of one survey or of several.
        threshold: lowest signal-to-noise.
        floor, prominence, contrast: what tells two peaks of one footprint apart, see `peaks.find_peaks`.
        margin_arcsec: peaks nearer to the border are left out.

    Raises:
        ValueError: if the floor is not positive or above the threshold, or one of the others negative.
    """
    if not margin_arcsec >= 0:
        raise ValueError(f"the margin is zero or more arcsec, not {margin_arcsec}")
    snr = image.snr
    found = find_peaks(snr, threshold=threshold, floor=floor, prominence=prominence, contrast=contrast)
    x, y = image.arcsec(found.x), image.arcsec(found.y)
    weight = image.weight[np.round(found.y).astype(int), np.round(found.x).astype(int)]
    half = len(snr) * image.pixel_arcsec / 2 - margin_arcsec
    segment = np.where(snr > threshold, found.segment, -1)
    everywhere = Detections(x, y, found.height, found.height / np.sqrt(weight), segment, image.pixel_arcsec)
    return everywhere.chosen(np.maximum(np.abs(x), np.abs(y)) <= half)


def detection_images(
    exposures: Mapping[str, Exposures], observations: Mapping[str, Observation]
) -> dict[str, DetectionImage]:
    """The detection image of every survey that observed a scene, by its name."""
    return {name: detection_image(exposures[name], seen) for name, seen in observations.items()}


def detection_lists(images: Mapping[str, DetectionImage]) -> dict[str, Detections]:
    """The lists ``lsst`` and ``joint`` of one scene.

    ``lsst`` is empty without LSST, ``joint`` without any other. ``joint`` has what the survey of the
    finest pixels detects, if it is sharp (VIS is), and what the sum of all surveys shows where that sees
    nothing: the best resolution where there is light for it, the depth of all elsewhere.
    """
    none = np.zeros(0)
    nothing = Detections(none, none, none, none, np.full((1, 1), -1), 1.0)
    lists = {"lsst": nothing, "joint": nothing}
    if "LSST" in images:
        lists["lsst"] = detect(images["LSST"], prominence=LSST_PROMINENCE)
    if set(images) - {"LSST"}:
        everything = add_images(list(images.values()))
        lists["joint"] = detect(everything)
        finest = min(images.values(), key=lambda image: image.pixel_arcsec)
        if finest.fwhm_arcsec < SHARP_ARCSEC:
            sharp = detect(finest)
            distance, _ = _nearest(lists["joint"], sharp)
            others = lists["joint"].chosen(distance > SAME_WITHIN_FWHM * everything.fwhm_arcsec)
            lists["joint"] = _both(sharp, others)
    return lists


def _both(first: Detections, second: Detections) -> Detections:
    """Two lists on one grid in one; pixels that both claim stay with the first."""
    columns = {name: np.concatenate([getattr(d, name) for d in (first, second)]) for name in _COLUMNS}
    further = np.where(second.segment >= 0, second.segment + len(first), -1)
    segment = np.where(first.segment >= 0, first.segment, further)
    return replace(first, segment=segment, **columns)


def match(
    detections: Detections, sources: Sources, *, fwhm_arcsec: float, bands: Iterable[str] = tuple(BANDS)
) -> Matches:
    """Which sources are behind which detection.

    The footprint of the LSST PSF is a circle whose radius is its FWHM: two points nearer to each
    other are seen as one. A source belongs to the nearest detection if it lies in that one's
    footprint, and else to the detection in whose segment it lies. Sources that are together far too
    faint for what was measured explain nothing.

    Arguments:
        detections: (n) of one list.
        sources: of the scene and its margin.
        fwhm_arcsec: of the LSST PSF, for either list.
        bands: names of those in which a source may have been seen.

    Raises:
        ValueError: if the FWHM is not positive.
    """
    if not 0 < fwhm_arcsec < np.inf:
        raise ValueError(f"the FWHM of the PSF must be positive, not {fwhm_arcsec} arcsec")
    distance, nearest = _nearest(sources, detections)
    close = distance <= fwhm_arcsec
    detection = np.where(close, nearest, detections.segment_at(sources.x, sources.y))
    whole = sources.flux
    flux = whole[:, BANDS["i"].code]
    brightest = whole[:, [BANDS[name].code for name in bands]].max(axis=1, initial=0)
    dominant = np.full(len(detections), -1)
    n_hidden = np.zeros(len(detections), dtype=int)
    hidden_fraction = np.zeros(len(detections))
    ambiguous = np.zeros(len(detections), dtype=bool)
    for d in range(len(detections)):
        own = detection == d
        near = np.flatnonzero(own & close)
        if brightest[near].sum() < LEAST_SHARE * detections.flux[d]:
            detection[own] = -1
            continue
        dominant[d] = near[np.argmax(flux[near])]
        own[dominant[d]] = False
        ratio = flux[own] / flux[dominant[d]]
        n_hidden[d] = np.sum(ratio > HIDDEN_RATIO)
        hidden_fraction[d] = ratio.sum() / (1 + ratio.sum())
        ambiguous[d] = np.any(ratio > AMBIGUOUS_RATIO)
    return Matches(dominant, n_hidden, hidden_fraction, ambiguous, detection)


def detection_tables() -> tuple[Table, Table, dict[str, Column]]:
    """Tables of the detections in the data and in the truth, and the columns that sources get."""
    data = {"id": Column("int64"), "scene": Column("int64"), "list": Column("uint8", attributes=_MEANING)}
    data |= {name: Column("float64", attributes={"units": "arcsec"}) for name in ("x", "y")}
    truth = {"id": Column("int64"), "source": Column("int64"), "n_hidden": Column("int64")}
    truth |= {name: Column("float64") for name in ("hidden_fraction", "blendedness", "z")}
    return (
        Table("detections", "detection", data | {"snr": Column("float64")}),
        Table("detections", "detection", truth | {"ambiguous": Column("bool")}),
        {f"detection_{name}": Column("int64") for name in LISTS},
    )


_MEANING = {"meaning": " ".join(LISTS)}


def detection_rows(
    sources: Sources,
    exposures: Mapping[str, Exposures],
    observations: Mapping[str, Observation],
    *,
    source_ids: np.ndarray,
    blendedness: np.ndarray,
    secret: bytes,
    split: int,
    scene: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows of one scene for the tables of `detection_tables`: data, truth, and columns of the sources.

    Arguments:
        sources: (n) of the scene and its margin, sheared.
        exposures, observations: by name of the survey.
        source_ids, blendedness: (n) of the sources.
        secret, split, scene: name the stream of opaque numbers.
    """
    images = detection_images(exposures, observations)
    fwhm = images["LSST"].fwhm_arcsec if "LSST" in images else TEN_YEAR_FWHM_ARCSEC
    bands = [name for observation in observations.values() for name in observation.survey.bands]
    rng = generator(secret, "id detection", split, scene)
    data, truth, of_sources = [], [], {}
    for name, found in detection_lists(images).items():
        n = len(found)
        ids = rng.integers(2**62, size=n)
        matched = match(found, sources, fwhm_arcsec=fwhm, bands=bands)
        data.append(
            {
                "id": ids,
                "scene": np.full(n, scene),
                "x": found.x,
                "y": found.y,
                "list": np.full(n, LISTS[name], dtype=np.uint8),
                "snr": found.snr,
            }
        )
        truth.append(
            {
                "id": ids,
                "source": _picked(source_ids, matched.dominant, -1),
                "n_hidden": matched.n_hidden,
                "hidden_fraction": matched.hidden_fraction,
                "ambiguous": matched.ambiguous,
                "blendedness": _picked(blendedness, matched.dominant, np.nan),
                "z": _picked(sources.z, matched.dominant, np.nan),
            }
        )
        of_sources[f"detection_{name}"] = _picked(ids, matched.detection, -1)
    return _joined(data), _joined(truth), of_sources


def _picked(values: np.ndarray, index: np.ndarray, nothing: float) -> np.ndarray:
    """values[index], and `nothing` where the index is -1."""
    # The appended value is what -1 picks.
    return np.append(values, np.array(nothing, dtype=np.asarray(values).dtype))[index]


def _joined(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _nearest(these: Sources | Detections, those: Sources | Detections) -> tuple[np.ndarray, np.ndarray]:
    """Distance, arcsec, and index of the nearest of those; infinite and 0 if there is none."""
    if not len(those):
        return np.full(len(these), np.inf), np.zeros(len(these), dtype=int)
    tree = KDTree(np.stack([those.x, those.y], axis=1))
    distance, index = tree.query(np.stack([these.x, these.y], axis=1))
    return np.asarray(distance), np.asarray(index)
