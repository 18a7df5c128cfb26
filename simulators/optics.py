"""One point-spread function per exposure.

The PSF of an exposure *is* the oversampled image that the store holds: the simulator draws
with that image, and a participant who deconvolves it undoes exactly what was done. It holds
the atmosphere, the telescope and the charge diffusion; the response of the pixel is applied
when a source is drawn, and by whoever measures.

LSST: a Kolmogorov atmosphere of the visit's geometric FWHM, sheared a little from visit to
visit. Euclid: the diffraction of an obscured pupil, widened by jitter and charge diffusion.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import galsim
import numpy as np

from .cadence import Visit
from .surveys import BANDS, SURVEYS, Band, Survey

__all__ = ["effective_pixels", "pixel_response", "psf_image"]

# Rms per component of the ellipticity of the PSF of one 30 s LSST visit: our choice, of the order
# that Jee & Tyson (2011, PASP 123, 596) simulate.
# Exposures that stand for several visits keep the ellipticity of one, which is the harder case.
ATMOSPHERE_E_RMS = 0.015
# Jitter and charge diffusion of Euclid, as one Gaussian: with diffraction and the pixel it
# gives VIS the FWHM of 0.17 arcsec of Laureijs et al. 2011, arXiv:1110.3193, section 4.
SPACE_BLUR_FWHM_ARCSEC = 0.10


def psf_image(visit: Visit, rng: np.random.Generator | None) -> np.ndarray:
    """The PSF of one exposure in its own pixel frame, without the pixel response.

    Arguments:
        visit: gives the band and, for LSST, the geometric FWHM, arcsec.
        rng: draws the ellipticity of the atmosphere (space PSFs are the same every time);
            None for a round one.

    Returns:
        (n, n) float32, n odd, sum 1, sampled at ``pixel_arcsec / psf_oversampling``.

    Raises:
        ValueError: if the seeing is not positive or not resolved by the sampling.
    """
    band = BANDS[visit.band]
    survey = SURVEYS[band.survey]
    if not 0 < visit.fwhm_eff_arcsec < np.inf:
        seeing = visit.fwhm_eff_arcsec
        raise ValueError(f"the seeing of a visit in {visit.band} must be positive, not {seeing}")
    if visit.fwhm_arcsec < survey.pixel_arcsec / survey.psf_oversampling:
        raise ValueError(
            f"a FWHM of {visit.fwhm_arcsec} arcsec in {visit.band} is below the "
            f"{survey.pixel_arcsec / survey.psf_oversampling} arcsec at which its PSF is stored"
        )
    if survey.name == "LSST":
        e = np.zeros(2) if rng is None else np.clip(rng.normal(0, ATMOSPHERE_E_RMS, 2), -0.1, 0.1)
        return _draw(galsim.Kolmogorov(fwhm=visit.fwhm_arcsec).shear(g1=e[0], g2=e[1]), survey)
    return _space_psf(band)


@lru_cache(maxsize=16)
def _space_psf(band: Band) -> np.ndarray:
    survey = SURVEYS[band.survey]
    airy = galsim.Airy(lam=band.wavelength_nm, diam=survey.diameter_m, obscuration=survey.obscuration)
    image = _draw(galsim.Convolve(airy, galsim.Gaussian(fwhm=SPACE_BLUR_FWHM_ARCSEC)), survey)
    image.flags.writeable = False
    return image


def _draw(profile: Any, survey: Survey) -> np.ndarray:
    scale = survey.pixel_arcsec / survey.psf_oversampling
    size = 2 * round(survey.psf_width_arcsec / scale / 2) + 1
    image = profile.drawImage(nx=size, ny=size, scale=scale, method="no_pixel", dtype=float).array
    # The wings end smoothly: a sharp edge would ripple through all frequencies.
    y, x = np.indices(image.shape) - size // 2
    radius = np.hypot(x, y) / (size // 2)
    image = np.maximum(image, 0) * np.cos(np.pi / 2 * np.clip((radius - 0.75) / 0.25, 0, 1)) ** 2
    return (image / image.sum()).astype(np.float32)


def pixel_response(psf: np.ndarray, oversampling: int) -> np.ndarray:
    """(n, n) transform of a PSF times that of the square pixel, on the grid of `np.fft.fft2`.

    The zero of phase is the centre of the PSF image; frequencies run up to half a cycle per
    oversampled pixel.
    """
    frequency = np.fft.fftfreq(psf.shape[0])
    pixel = np.sinc(frequency * oversampling)
    return np.fft.fft2(np.fft.ifftshift(psf.astype(float))) * pixel[:, None] * pixel[None, :]


def effective_pixels(psf: np.ndarray, oversampling: int) -> float:
    """Number of pixels over which an optimal point-source fit spreads: 1 / Σ P².

    P is the PSF with the pixel response, averaged over sub-pixel positions (King 1983,
    PASP 95, 163); with white noise σ per pixel the flux error is σ·sqrt(n_eff).
    """
    transform = pixel_response(psf, oversampling)
    # Parseval on the oversampled grid gives Σ P² per oversampled pixel of a PSF that sums
    # to 1 there; on real pixels P is oversampling² larger and there are that many fewer.
    square_sum = np.sum(np.abs(transform) ** 2) / transform.size
    return float(1 / (square_sum * oversampling**2))
