"""From a scene and a set of visits to the pixels of individual exposures.

What the scenes of a field share is prepared once (`observations`); `expose` then takes the picture of one
scene with every visit of a survey.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .colours import photon_shares
from .observations import Observation
from .profiles import profiles_of
from .randomness import generator
from .readout import read_out
from .realism import CLEAN, Realism
from .rendering import renderer
from .sources import Sources, point_sources
from .surveys import BANDS, SURVEYS, Survey

__all__ = ["Exposures", "Points", "SeenPoints", "expose", "pixels_across"]


@dataclass(frozen=True)
class Points:
    """Point sources whose light changes from exposure to exposure, n of them.

    Attributes:
        x, y: (n,) arcsec from the centre of the scene.
        flux: (n, exposure) nJy.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray


@dataclass(frozen=True)
class SeenPoints:
    """The truth about `Points` in the exposures of a survey.

    Attributes:
        position: (n, exposure, 2) pixels.
        masked_fraction: (n, exposure) as that of `Exposures`.
    """

    position: np.ndarray
    masked_fraction: np.ndarray


@dataclass(frozen=True)
class Exposures:
    """One scene in every exposure of one survey, with the truth about its pixels.

    Attributes:
        image: (exposure, y, x) float64, noisy, sky-subtracted nJy per pixel.
        light: (exposure, y, x) float64, the same without noise and all that spoils it (truth).
        mask: (exposure, y, x) uint8, bits of `detectors`.
        wcs: (exposure, 2, 3) affine map, arcsec to pixels, as supplied.
        position: (source, exposure, 2) where each source lies, pixels (truth).
        masked_fraction: (source, exposure) of the pixels within one FWHM of it (truth);
            1 for a source outside the image.
        artefacts: (exposure, y, x) uint8, the mask and what it misses (truth).
        residual: (exposure, 3) of the background, see `readout.ReadOut` (truth).
        points: where changing points lie, if there are such (truth).
    """

    image: np.ndarray
    light: np.ndarray
    mask: np.ndarray
    wcs: np.ndarray
    position: np.ndarray
    masked_fraction: np.ndarray
    artefacts: np.ndarray
    residual: np.ndarray
    points: SeenPoints | None = None


def pixels_across(width_arcsec: float, survey: Survey) -> int:
    """Pixels along a side of a scene; where they do not fit, the image is wider by part of one.

    Raises:
        ValueError: if the width is not a positive multiple of 0.6″, the smallest that is a
            whole number of pixels for LSST, VIS and NISP.
    """
    if not 0.5 < width_arcsec < 1e4 or abs(width_arcsec / 0.6 - round(width_arcsec / 0.6)) > 1e-9:
        raise ValueError(f"a scene is a multiple of 0.6 arcsec wide, not {width_arcsec}")
    return math.ceil(width_arcsec / survey.pixel_arcsec - 1e-6)


def expose(
    sources: Sources,
    observation: Observation,
    *,
    width_arcsec: float,
    secret: bytes,
    indices: tuple[int, int, int],
    realism: Realism = CLEAN,
    drawn_by: str = "fourier",
    points: Points | None = None,
) -> Exposures:
    """Every exposure of one scene by one survey.

    Arguments:
        sources: (n) of the scene, sheared already.
        observation: what the field's scenes share.
        width_arcsec: of the scene.
        secret, indices: name the streams of dithers and noise; indices are (split, field,
            scene). They do not depend on the shear: +g and −g share dithers and normals.
        realism: what exposures suffer.
        drawn_by: name of the renderer of the noiseless light, see `rendering`.
        points: whose light changes, sheared already; in a chromatic band they have the colour of the
            reference star.
    """
    survey = observation.survey
    size = pixels_across(width_arcsec, survey)
    code = list(SURVEYS).index(survey.name)
    maps = []
    for index, turn in enumerate(observation.orientation):
        dither = generator(secret, "dither", *indices, code, index).uniform(-0.5, 0.5, 2)
        maps.append(np.column_stack([turn / survey.pixel_arcsec, (size - 1) / 2 + dither]))
    wcs = np.stack(maps)
    lights = _lights(sources, observation, wcs, size, renderer(drawn_by))
    if points is not None:
        _add_points(lights, points, observation, wcs, renderer(drawn_by))
    image, residual = np.empty(lights.shape), np.empty((len(lights), 3))
    mask, artefacts = np.empty(lights.shape, np.uint8), np.empty(lights.shape, np.uint8)
    for index, (light, visit, noise, errors) in enumerate(
        zip(lights, observation.visits, observation.backgrounds, observation.errors, strict=True)
    ):
        read = read_out(
            light,
            visit=visit,
            survey=survey,
            noise=noise,
            errors=errors,
            realism=realism,
            secret=secret,
            indices=(*indices, code, index),
        )
        image[index], mask[index] = read.image, read.mask
        artefacts[index], residual[index] = read.artefacts, read.residual
    position, fraction = _seen(sources.x, sources.y, wcs, mask, observation)
    offset = np.array([errors.offset_arcsec for errors in observation.errors])
    supplied = wcs.copy()
    # A pixel is said to lie further along the offset: the map takes places back by it.
    supplied[:, :, 2] -= np.einsum("eij,ej->ei", wcs[:, :, :2], offset)
    return Exposures(
        image=image,
        light=lights,
        mask=mask,
        wcs=supplied,
        position=position,
        masked_fraction=fraction,
        artefacts=artefacts,
        residual=residual,
        points=None if points is None else SeenPoints(*_seen(points.x, points.y, wcs, mask, observation)),
    )


def _seen(
    x: np.ndarray, y: np.ndarray, wcs: np.ndarray, mask: np.ndarray, observation: Observation
) -> tuple[np.ndarray, np.ndarray]:
    """(n, exposure, 2) where places lie, pixels, and (n, exposure) how much around them is masked."""
    places = np.stack([x, y], axis=-1)
    positions = [places @ affine[:, :2].T + affine[:, 2] for affine in wcs]
    fractions = [
        _masked_fraction(one, position, visit.fwhm_arcsec / observation.survey.pixel_arcsec)
        for one, position, visit in zip(mask, positions, observation.visits, strict=True)
    ]
    return np.stack(positions, axis=1), np.stack(fractions, axis=1)


def _add_points(
    lights: np.ndarray,
    points: Points,
    observation: Observation,
    wcs: np.ndarray,
    render: Callable[..., np.ndarray],
) -> None:
    """Add the light of changing points to that of a scene, in those exposures where there is any.

    Apart from the rest, because exposures of a band that show the same light are drawn together.
    """
    rows = np.flatnonzero(np.any(points.flux > 0, axis=0))
    if not rows.size:
        return
    profiles = profiles_of(point_sources(x=points.x, y=points.y, flux=np.ones(len(points.x))))
    lights[rows] += render(
        profiles,
        points.flux[:, rows].T,
        psf=observation.true_psf[rows],
        psf_oversampling=observation.survey.psf_oversampling,
        wcs=wcs[rows],
        shape=lights.shape[1:],
        sigma=np.array([observation.backgrounds[row].sigma for row in rows]),
    )


def _lights(
    sources: Sources,
    observation: Observation,
    wcs: np.ndarray,
    size: int,
    render: Callable[..., np.ndarray],
) -> np.ndarray:
    """(exposure, y, x) noiseless light; a chromatic exposure is the sum of its bins of wavelength."""
    profiles = profiles_of(sources)
    row, flux, psf = [], [], []
    for index, visit in enumerate(observation.visits):
        total, coloured = profiles.flux[:, BANDS[visit.band].code], observation.chromatic[index]
        if coloured is None:
            row, flux, psf = [*row, index], [*flux, total], [*psf, observation.true_psf[index]]
            continue
        shares = photon_shares(sources, profiles, visit.band, coloured.edges_nm)
        row += [index] * len(coloured.psfs)
        flux += list((total[:, None] * shares).T)
        psf += list(coloured.psfs)
    drawn = render(
        profiles,
        np.stack(flux),
        psf=np.stack(psf),
        psf_oversampling=observation.survey.psf_oversampling,
        wcs=wcs[row],
        shape=(size, size),
        sigma=np.array([observation.backgrounds[index].sigma for index in row]),
    )
    if len(drawn) == len(observation.visits):
        return drawn
    return np.add.reduceat(drawn, np.flatnonzero(np.diff(row, prepend=-1)), axis=0)


def _masked_fraction(mask: np.ndarray, position: np.ndarray, radius: float) -> np.ndarray:
    size = mask.shape[0]
    outside = np.any((position < -0.5) | (position > size - 0.5), axis=1)
    fraction = outside.astype(float)
    if mask.any():
        y, x = np.indices(mask.shape)
        for n in np.flatnonzero(~outside):
            near = (x - position[n, 0]) ** 2 + (y - position[n, 1]) ** 2 <= max(radius, 1.0) ** 2
            fraction[n] = np.mean(mask[near] != 0)
    return fraction
