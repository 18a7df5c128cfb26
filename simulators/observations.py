"""What the scenes of a field share: visits, PSFs, orientation on the sky, depth, errors of calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from . import detectors
from .cadence import Visit, attainable
from .calibration_errors import CalibrationErrors, draw_errors, supplied_psf
from .chromatic import bin_edges_nm, mixed, reference_fractions
from .distortion import draw_place, local_linear
from .optics import chromatic_psfs, effective_pixels, psf_image
from .randomness import generator
from .realism import CLEAN, Realism
from .surveys import BANDS, SURVEYS, Survey
from .vignetting import relative_throughput

__all__ = ["ORIENTATIONS", "Chromatic", "Observation", "prepare"]

# The eight ways in which a square detector lies on a square of sky: four turns, mirrored or
# not. (Free rotation, a switch of `Realism`, loses the corners of a scene.)
_TURN = np.array([[0, -1], [1, 0]])
_MIRROR = np.array([[-1, 0], [0, 1]])
ORIENTATIONS = np.array(
    [np.linalg.matrix_power(_TURN, k) @ mirror for mirror in (np.eye(2), _MIRROR) for k in range(4)]
)

# Against 40 bins, six leave 1e-3 of the size of a galaxy's PSF in VIS (docs/results/sky_optics.md).
CHROMATIC_BINS = 6
_NO_ERRORS = CalibrationErrors(0.0, 0.0, 0.0, (0.0, 0.0), 0.0)


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
        psf: (exposure, py, px) as supplied to participants: without the pixel response, sum 1.
        true_psf: (exposure, py, px) with which exposures are drawn.
        chromatic: for each exposure its `Chromatic` PSFs, or None where one PSF serves all colours.
        backgrounds: (exposure) noise of empty pixels.
        orientation: (exposure, 2, 2) how the detector lies on the sky, in pixels per pixel width: turned,
            mirrored, and a little distorted.
        errors: (exposure) of calibration.
        throughput: (exposure) of the telescope at the place of the field, over its mean.
    """

    survey: Survey
    visits: tuple[Visit, ...]
    psf: np.ndarray
    true_psf: np.ndarray
    chromatic: tuple[Chromatic | None, ...]
    backgrounds: tuple[detectors.Background, ...]
    orientation: np.ndarray
    errors: tuple[CalibrationErrors, ...]
    throughput: np.ndarray


def prepare(
    secret: bytes,
    split: int,
    field: int,
    visits: Sequence[Visit],
    *,
    chromatic: Sequence[str] = (),
    realism: Realism = CLEAN,
) -> dict[str, Observation]:
    """PSF, depth and orientation of every visit of a field, by name of the survey.

    Arguments:
        secret, split, field: name the streams of random numbers.
        visits: of the field.
        chromatic: bands whose PSF depends on wavelength, refraction of the air included.
        realism: what exposures suffer.
    """
    observations = {}
    for code, survey in enumerate(SURVEYS.values()):
        chosen = [visit for visit in visits if BANDS[visit.band].survey == survey.name]
        if chosen:
            seen = [
                _look(visit, survey, chromatic, realism, secret, (split, field, code, index))
                for index, visit in enumerate(chosen)
            ]
            observations[survey.name] = Observation(
                survey=survey,
                visits=tuple(one.visit for one in seen),
                psf=np.stack([one.psf for one in seen]),
                true_psf=np.stack([one.true_psf for one in seen]),
                chromatic=tuple(one.chromatic for one in seen),
                backgrounds=tuple(one.background for one in seen),
                orientation=np.stack([one.orientation for one in seen]),
                errors=tuple(one.errors for one in seen),
                throughput=np.array([one.throughput for one in seen]),
            )
    return observations


class _Look(NamedTuple):
    """One exposure of an `Observation`."""

    visit: Visit
    psf: np.ndarray
    true_psf: np.ndarray
    chromatic: Chromatic | None
    background: detectors.Background
    orientation: np.ndarray
    errors: CalibrationErrors
    throughput: float


def _look(
    visit: Visit,
    survey: Survey,
    chromatic: Sequence[str],
    realism: Realism,
    secret: bytes,
    indices: tuple[int, int, int, int],
) -> _Look:
    rng = generator(secret, "optics", *indices)
    place = draw_place(generator(secret, "place" if survey.mission else "position", *indices), survey)
    psf, coloured = psf_image(visit, rng, place), None
    if visit.band in chromatic:
        edges = bin_edges_nm(visit.band, CHROMATIC_BINS)
        again = generator(secret, "optics", *indices)
        coloured = Chromatic(edges, chromatic_psfs(visit, again, edges, place))
        # What the store holds is the PSF of the reference star.
        psf = mixed(coloured.psfs, reference_fractions(visit.band, edges)).astype(np.float32)
        psf /= psf.sum()
    seen = attainable(visit, effective_pixels(psf, survey.psf_oversampling))
    noise = detectors.background(seen, psf)
    turn = ORIENTATIONS[rng.integers(len(ORIENTATIONS))]
    if realism.rotation:
        angle = generator(secret, "rotation", *indices).uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ turn
    if realism.distortion:
        turn = local_linear(survey, place) @ turn
    through = relative_throughput(survey, place) if realism.vignetting else 1.0
    if through != 1:
        dimmer = detectors.dimmed(noise, through)
        seen = replace(seen, m5=seen.m5 - 2.5 * np.log10(dimmer.sigma / noise.sigma))
        noise = dimmer
    errors, supplied = _NO_ERRORS, psf
    if realism.calibration:
        errors = draw_errors(generator(secret, "calibration", *indices), survey, realism.calibration)
        supplied = supplied_psf(psf, survey.psf_oversampling, errors)
    return _Look(seen, supplied, psf, coloured, noise, turn, errors, through)
