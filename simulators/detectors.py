"""What a detector adds to the light: noise, and pixels that cannot be used.

All in nJy per pixel, with ``electron`` the flux of one detected electron. The noise itself
follows the light that truly arrived; the variance that is published follows the *observed*
signal only, so that it holds no truth (`challenges.method.SurveyExposures.variance`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cadence import Visit, background_variance_e2, sky_electrons
from .optics import effective_pixels
from .surveys import BANDS, SURVEYS, electron_flux

__all__ = [
    "BAD_COLUMN",
    "CLIPPED",
    "COSMIC_RAY",
    "GAP",
    "SATURATED",
    "Background",
    "add_noise",
    "background",
    "dimmed",
    "saturated",
]

SATURATED = 1  # mask bit: more electrons than the full well
CLIPPED = 2  # mask bit: outside the range that the store's integers hold
BAD_COLUMN = 4  # mask bit: a column or single pixel that does not work
GAP = 8  # mask bit: no sensor here
COSMIC_RAY = 16  # mask bit: a charged particle


@dataclass(frozen=True)
class Background:
    """The noise of an empty pixel of one exposure.

    Attributes:
        sky_variance: of the sky's photons, nJy².
        read_variance: of read noise and dark current, nJy².
        electron: flux of one electron, nJy.
        full_well: signal at which a pixel saturates above the sky, nJy.
    """

    sky_variance: float
    read_variance: float
    electron: float
    full_well: float

    @property
    def sigma(self) -> float:
        """Standard deviation of an empty pixel, nJy."""
        return float(np.sqrt(self.sky_variance + self.read_variance))


def background(visit: Visit, psf: np.ndarray) -> Background:
    """The noise of an empty pixel that gives a visit its five-sigma depth with its own PSF.

    What read noise and dark current do not explain of it is the sky.

    Raises:
        ValueError: if the depth asked for is fainter than read noise and dark current allow.
    """
    band = BANDS[visit.band]
    survey = SURVEYS[band.survey]
    total = background_variance_e2(visit, effective_pixels(psf, survey.psf_oversampling))
    # Each of the condensed visits is read out, and saturates, by itself.
    read = survey.read_noise_e**2 * visit.condensed + survey.dark_e_s * visit.exposure_s
    if not total > read:
        raise ValueError(
            f"a depth of {visit.m5:.2f} in {visit.band} cannot be reached: read noise and dark current "
            "alone are noisier; give a brighter m5 or a longer exposure"
        )
    electron = electron_flux(band, visit.exposure_s)
    # Noise above that of the dark sky may as well come from clouds, which dim and do not fill.
    full_well = survey.full_well_e * visit.condensed - sky_electrons(band, visit.exposure_s)
    return Background((total - read) * electron**2, read * electron**2, electron, full_well * electron)


def dimmed(noise: Background, throughput: float) -> Background:
    """The noise of a pixel that gets less light, after its flat field has made up for it.

    Sky and source give fewer electrons, of which each is worth more; read noise is scaled up whole.

    Arguments:
        noise: where the telescope lets all light through.
        throughput: the part that gets through, of what `noise` is for; above 1 where more does.
    """
    return Background(
        sky_variance=noise.sky_variance / throughput,
        read_variance=noise.read_variance / throughput**2,
        electron=noise.electron / throughput,
        full_well=noise.full_well / throughput,
    )


def add_noise(
    light: np.ndarray, noise: Background, normals: np.ndarray, read_normals: np.ndarray | None = None
) -> np.ndarray:
    """Noisy, sky-subtracted pixels: Gaussian noise of sky, read-out and the light itself.

    Arguments:
        light: (y, x) noiseless nJy per pixel.
        noise: of an empty pixel.
        normals: (y, x) unit normals; the same ones under +g and −g make a matched pair.
        read_normals: (y, x) those of the read-out, where it is drawn apart: photons of neighbouring pixels
            may be correlated, read-outs are not.
    """
    photons = noise.sky_variance + np.maximum(light, 0) * noise.electron
    if read_normals is None:
        return light + np.sqrt(photons + noise.read_variance) * normals
    return light + np.sqrt(photons) * normals + np.sqrt(noise.read_variance) * read_normals


def saturated(observed: np.ndarray, noise: Background) -> np.ndarray:
    """(y, x) mask, `SATURATED` where the observed signal exceeds the full well."""
    return np.where(observed > noise.full_well, SATURATED, 0).astype(np.uint8)
