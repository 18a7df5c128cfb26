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
from .chromatic import bin_edges_nm, mixed, reference_fractions
from .colours import photon_shares
from .optics import chromatic_psfs, draw_position, effective_pixels, psf_image
from .profiles import profiles_of
from .randomness import generator
from .rendering import renderer
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

# Against 40 bins, six leave 1e-3 of the size of a galaxy's PSF in VIS (docs/results/sky_optics.md).
CHROMATIC_BINS = 6


@dataclass(frozen=True)
class Chromatic:
    """The PSF of one exposure in bins of wavelength.

    Attributes:
        edges_nm: (k + 1) edges of the bins.
        psfs: (k, py, px) one for each bin.
    """

    edges_nm: np.ndarray
    psfs: np.ndarray


@dataclass(frozen=True)
class Observation:
    """What the scenes of one field share in one survey.

    Attributes:
        survey: the instrument.
        visits: (exposure) one for each exposure.
        psf: (exposure, py, px) without the pixel response, sum 1.
        chromatic: for each exposure its `Chromatic` PSFs, or None where one PSF serves all colours.
        backgrounds: (exposure) noise of empty pixels.
        orientation: (exposure, 2, 2) how the detector lies on the sky, determinant ±1.
    """

    survey: Survey
    visits: tuple[Visit, ...]
    psf: np.ndarray
    chromatic: tuple[Chromatic | None, ...]
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


def prepare(
    secret: bytes, split: int, field: int, visits: Sequence[Visit], *, chromatic: Sequence[str] = ()
) -> dict[str, Observation]:
    """PSF, depth and orientation of every visit of a field, by name of the survey.

    Arguments:
        secret, split, field: name the streams of random numbers.
        visits: of the field.
        chromatic: bands whose PSF depends on wavelength, refraction of the air included.
    """
    observations = {}
    for survey in SURVEYS.values():
        chosen = tuple(visit for visit in visits if BANDS[visit.band].survey == survey.name)
        if not chosen:
            continue
        seen, psfs, colours, turns = [], [], [], []
        for index, visit in enumerate(chosen):
            code = list(SURVEYS).index(survey.name)
            rng = generator(secret, "optics", split, field, code, index)
            place = draw_position(generator(secret, "position", split, field, code, index))
            psf, coloured = psf_image(visit, rng, place), None
            if visit.band in chromatic:
                edges = bin_edges_nm(visit.band, CHROMATIC_BINS)
                again = generator(secret, "optics", split, field, code, index)
                coloured = Chromatic(edges, chromatic_psfs(visit, again, edges, place))
                # What the store holds is the PSF of the reference star.
                psf = mixed(coloured.psfs, reference_fractions(visit.band, edges)).astype(np.float32)
                psf /= psf.sum()
            psfs.append(psf)
            colours.append(coloured)
            seen.append(attainable(visit, effective_pixels(psf, survey.psf_oversampling)))
            turns.append(ORIENTATIONS[rng.integers(len(ORIENTATIONS))])
        observations[survey.name] = Observation(
            survey=survey,
            visits=tuple(seen),
            psf=np.stack(psfs),
            chromatic=tuple(colours),
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
    drawn_by: str = "fourier",
) -> Exposures:
    """Every exposure of one scene by one survey.

    Arguments:
        sources: (n) of the scene, sheared already.
        observation: what the field's scenes share.
        width_arcsec: of the scene.
        secret, indices: name the streams of dithers and noise; indices are (split, field,
            scene). They do not depend on the shear: +g and −g share dithers and normals.
        drawn_by: name of the renderer of the noiseless light, see `rendering`.
    """
    survey = observation.survey
    size = pixels_across(width_arcsec, survey)
    code = list(SURVEYS).index(survey.name)
    maps = [
        np.column_stack(
            [
                turn / survey.pixel_arcsec,
                (size - 1) / 2 + generator(secret, "dither", *indices, code, index).uniform(-0.5, 0.5, 2),
            ]
        )
        for index, turn in enumerate(observation.orientation)
    ]
    lights = _lights(sources, observation, np.stack(maps), size, renderer(drawn_by))
    exposed, masks, positions, fractions = [], [], [], []
    for index, visit in enumerate(observation.visits):
        noise, wcs, light = observation.backgrounds[index], maps[index], lights[index]
        normals = generator(secret, "noise", *indices, code, index).standard_normal((size, size))
        image = detectors.add_noise(light, noise, normals)
        mask = detectors.saturated(image, noise)
        position = np.stack([sources.x, sources.y], axis=-1) @ wcs[:, :2].T + wcs[:, 2]
        exposed.append(image)
        masks.append(mask)
        positions.append(position)
        fractions.append(_masked_fraction(mask, position, visit.fwhm_arcsec / survey.pixel_arcsec))
    return Exposures(
        image=np.stack(exposed),
        light=lights,
        mask=np.stack(masks),
        wcs=np.stack(maps),
        position=np.stack(positions, axis=1),
        masked_fraction=np.stack(fractions, axis=1),
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
            row, flux, psf = [*row, index], [*flux, total], [*psf, observation.psf[index]]
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
