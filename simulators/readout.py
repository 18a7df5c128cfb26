"""From the light on a detector to pixels as they are published: noise, and what spoils them.

In the order in which it happens: noise, cosmic rays, charge that spills, sensors that are not there; then
what the calibration does not know: sky that was not subtracted, a zero point that is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import detectors
from .background_residuals import draw_residual, plane
from .bleeding import bleed
from .cadence import Visit
from .calibration_errors import CalibrationErrors
from .correlated_noise import correlate, noise_kernel
from .cosmic_rays import draw_cosmic_rays
from .defects import draw_defects
from .randomness import generator
from .realism import Realism
from .surveys import Survey

__all__ = ["FOUND_SIGMA", "ReadOut", "read_out"]

FOUND_SIGMA = 5.0
"""Cosmic rays are found, and masked, in pixels where they leave more than so many sigma: our choice."""

# Fainter charge of a particle is not worth telling, in sigma of a pixel.
_TOLD_SIGMA = 0.5


@dataclass(frozen=True)
class ReadOut:
    """The pixels of one exposure.

    Attributes:
        image: (y, x) float64, sky-subtracted nJy per pixel.
        mask: (y, x) uint8, as published: bits of `detectors`.
        artefacts: (y, x) uint8, the same and what nobody found (truth).
        residual: (3,) level of the sky that was left, nJy per pixel, and its slopes along x and y (truth);
            before the zero point goes wrong.
    """

    image: np.ndarray
    mask: np.ndarray
    artefacts: np.ndarray
    residual: np.ndarray


def read_out(
    light: np.ndarray,
    *,
    visit: Visit,
    survey: Survey,
    noise: detectors.Background,
    errors: CalibrationErrors,
    realism: Realism,
    secret: bytes,
    indices: tuple[int, ...],
) -> ReadOut:
    """Read the pixels of one exposure.

    Arguments:
        light: (y, x) noiseless nJy per pixel.
        visit, survey: what is read.
        noise: of an empty pixel.
        errors: of calibration.
        realism: what the exposure suffers.
        secret, indices: name the streams of random numbers.
    """
    shape = light.shape
    draws = generator(secret, "noise", *indices)
    if realism.correlated_noise:
        wider = draws.standard_normal((shape[0] + 2, shape[1] + 2))
        photons = correlate(wider, noise_kernel(survey))
        image = detectors.add_noise(light, noise, photons, draws.standard_normal(shape))
    else:
        image = detectors.add_noise(light, noise, draws.standard_normal(shape))
    mask = np.zeros(shape, dtype=np.uint8)
    unknown = mask.copy()
    if realism.cosmic_rays:
        rng = generator(secret, "cosmic rays", *indices)
        charge = draw_cosmic_rays(rng, survey, shape, visit.exposure_s) * noise.electron
        image += charge
        mask[charge > FOUND_SIGMA * noise.sigma] |= detectors.COSMIC_RAY
        unknown[charge > _TOLD_SIGMA * noise.sigma] |= detectors.COSMIC_RAY
    if realism.bleeding and survey.sensor == "ccd":
        # The sky fills wells, too: `full_well` is what it leaves, as is the image.
        spilled, trail = bleed(image / noise.electron, noise.full_well / noise.electron, along=0)
        image, mask = (
            spilled * noise.electron,
            mask | np.where(trail, detectors.SATURATED, 0).astype(np.uint8),
        )
    mask |= detectors.saturated(image, noise)
    residual = np.zeros(3)
    if realism.background:
        sky = noise.sky_variance / noise.electron**2  # electrons
        left = draw_residual(generator(secret, "residual", *indices), sky, noise.electron, shape, survey)
        residual = realism.background * np.array([left.level, left.slope_x, left.slope_y])
        image = image + realism.background * plane(left, shape)
    if realism.defects:
        bad = draw_defects(generator(secret, "defects", *indices), survey, shape)
        image = np.where(bad != 0, 0.0, image)
        mask |= bad
    if errors.zero_point:
        image = image * 10 ** (-0.4 * errors.zero_point)
    return ReadOut(image, mask, mask | unknown, residual)
