"""From a scene and a set of visits to the pixels of individual exposures.

What the scenes of a field share (visits, PSFs, orientation on the sky, depth) is prepared
once by `prepare`; `expose` then takes the picture of one scene with every visit of a survey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import detectors
from .cadence import Visit, attainable
from .optics import effective_pixels, psf_image
from .profiles import profiles_of
from .randomness import generator
from .rendering.galsim import render
from .sources import Sources
from .surveys import BANDS, SURVEYS, Survey

__all__ = ["ORIENTATIONS", "Exposures", "Observation", "expose", "pixels_across", "prepare"]

# The eight ways in which a square detector lies on a square of sky: four turns, mirrored or
# not. (Free rotation loses the corners of a scene; the renderer takes any affine map.)
_TURN = np.array([[0, -1], [1, 0]])
_MIRROR = np.array([[-1, 0], [0, 1]])
ORIENTATIONS = np.array(
    [np.linalg.matrix_power(_TURN, k) @ mirror for mirror in (np.eye(2), _MIRROR) for k in range(4)]
)

Renderer = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Observation:
    """What the scenes of one field share in one survey.

    Attributes:
        survey: the instrument.
        visits: (exposure) one for each exposure.
        psf: (exposure, py, px) without the pixel response, sum 1.
        backgrounds: (exposure) noise of empty pixels.
        orientation: (exposure, 2, 2) how the detector lies on the sky, determinant ±1.
    """

    survey: Survey
    visits: tuple[Visit, ...]
    psf: np.ndarray
    backgrounds: tuple[detectors.Background, ...]
    orientation: np.ndarray


@dataclass(frozen=True)
class Exposures:
    """One scene in every exposure of one survey, with the truth about its pixels.

    Attributes:
        image: (exposure, y, x) float64, noisy, sky-subtracted nJy per pixel.
        light: (exposure, y, x) float64, the same without noise (truth).
        mask: (exposure, y, x) uint8, bits of `simulators.detectors`.
        wcs: (exposure, 2, 3) affine map, arcsec to pixels.
        position: (source, exposure, 2) where each source lies, pixels (truth).
        masked_fraction: (source, exposure) of the pixels within one FWHM of it (truth);
            1 for a source outside the image.
    """

    image: np.ndarray
    light: np.ndarray
    mask: np.ndarray
    wcs: np.ndarray
    position: np.ndarray
    masked_fraction: np.ndarray


def pixels_across(width_arcsec: float, survey: Survey) -> int:
    """Pixels along a side of a scene.

    Raises:
        ValueError: if the width is not a positive multiple of 0.6″, the smallest that is a
            whole number of pixels in every survey.
    """
    if not 0.5 < width_arcsec < 1e4 or abs(width_arcsec / 0.6 - round(width_arcsec / 0.6)) > 1e-9:
        raise ValueError(f"a scene is a multiple of 0.6 arcsec wide, not {width_arcsec}")
    return round(width_arcsec / survey.pixel_arcsec)


def prepare(secret: bytes, split: int, field: int, visits: Sequence[Visit]) -> dict[str, Observation]:
    """PSF, depth and orientation of every visit of a field, by name of the survey."""
    observations = {}
    for survey in SURVEYS.values():
        chosen = tuple(visit for visit in visits if BANDS[visit.band].survey == survey.name)
        if not chosen:
            continue
        seen, psfs, turns = [], [], []
        for index, visit in enumerate(chosen):
            code = list(SURVEYS).index(survey.name)
            rng = generator(secret, "optics", split, field, code, index)
            psf = psf_image(visit, rng)
            psfs.append(psf)
            seen.append(attainable(visit, effective_pixels(psf, survey.psf_oversampling)))
            turns.append(ORIENTATIONS[rng.integers(len(ORIENTATIONS))])
        observations[survey.name] = Observation(
            survey=survey,
            visits=tuple(seen),
            psf=np.stack(psfs),
            backgrounds=tuple(detectors.background(v, p) for v, p in zip(seen, psfs, strict=True)),
            orientation=np.stack(turns),
        )
    return observations


def expose(
    sources: Sources,
    observation: Observation,
    *,
    width_arcsec: float,
    secret: bytes,
    indices: tuple[int, int, int],
    renderer: Renderer = render,
) -> Exposures:
    """Every exposure of one scene by one survey.

    Arguments:
        sources: (n) of the scene, sheared already.
        observation: what the field's scenes share.
        width_arcsec: of the scene.
        secret, indices: name the streams of dithers and noise; indices are (split, field,
            scene). They do not depend on the shear: +g and −g share dithers and normals.
        renderer: draws the noiseless light, see `rendering.galsim.render`.
    """
    survey = observation.survey
    size = pixels_across(width_arcsec, survey)
    code = list(SURVEYS).index(survey.name)
    profiles = profiles_of(sources)
    images, lights, masks, maps, positions, fractions = [], [], [], [], [], []
    for index, visit in enumerate(observation.visits):
        noise = observation.backgrounds[index]
        dither = generator(secret, "dither", *indices, code, index).uniform(-0.5, 0.5, 2)
        wcs = np.column_stack([observation.orientation[index] / survey.pixel_arcsec, (size - 1) / 2 + dither])
        light = renderer(
            profiles,
            profiles.flux[:, BANDS[visit.band].code],
            psf=observation.psf[index],
            psf_oversampling=survey.psf_oversampling,
            wcs=wcs,
            shape=(size, size),
            sigma=noise.sigma,
        )
        normals = generator(secret, "noise", *indices, code, index).standard_normal((size, size))
        image = detectors.add_noise(light, noise, normals)
        mask = detectors.saturated(image, noise)
        position = np.stack([sources.x, sources.y], axis=-1) @ wcs[:, :2].T + wcs[:, 2]
        images.append(image)
        lights.append(light)
        masks.append(mask)
        maps.append(wcs)
        positions.append(position)
        fractions.append(_masked_fraction(mask, position, visit.fwhm_arcsec / survey.pixel_arcsec))
    return Exposures(
        image=np.stack(images),
        light=np.stack(lights),
        mask=np.stack(masks),
        wcs=np.stack(maps),
        position=np.stack(positions, axis=1),
        masked_fraction=np.stack(fractions, axis=1),
    )


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
