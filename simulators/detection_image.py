"""Many exposures as one image to detect on: a matched filter, weighted by inverse variance.

Every exposure is filtered with its own PSF where it lies, and only what comes out is brought to a
common grid on the sky and added up (Zackay & Ofek 2017, ApJ 836, 187). With P the PSF with the
pixel response, d the pixels, σ² the variance of the empty sky and w the assumed spectrum,

    score(x) = Σ_e w_e Σ_p P_e(p − x) d_p / σ_e²        weight(x) = Σ_e w_e² Σ_p P_e(p − x)² / σ_e²

so score / weight is the flux of a point source at x, and score / √weight its signal-to-noise, of
unit variance wherever the sky is empty: filtering correlates neighbouring positions, which takes
no part in the variance at one. Masked pixels and the sky outside have no weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft, ndimage

from .exposures import Exposures
from .observations import Observation
from .optics import pixel_response
from .surveys import BANDS

__all__ = ["DetectionImage", "add_images", "detection_image"]

# The filtered image is computed at no fewer points than this along the FWHM, so that what the
# interpolation loses of it stays below a per cent: twice as fine as the pixels in VIS, three times in NISP.
_POINTS_PER_FWHM = 2.5
# The filtered image goes on for so many pixels beyond the exposure, for the interpolation at its edge.
_BORDER = 4
# Positions that see less of the sky than this fraction of the best have no signal-to-noise.
_LEAST_COVERAGE = 0.1


@dataclass(frozen=True)
class DetectionImage:
    """The filtered exposures of a scene on a square grid of sky, whose middle is the scene's.

    Attributes:
        score: (n, n) inverse-variance weighted, filtered light, 1/nJy; axes y, x.
        weight: (n, n) inverse variance of the flux of a point source, 1/nJy².
        pixel_arcsec: step of the grid.
        fwhm_arcsec: FWHM of the PSFs of the exposures, weighted mean.
        band_weight: (bands,) what each band adds to the weight where the sky is whole, 1/nJy²,
            columns in the order of the codes.
        spectrum: (bands,) the flux that was assumed in each band, relative.
    """

    score: np.ndarray
    weight: np.ndarray
    pixel_arcsec: float
    fwhm_arcsec: float
    band_weight: np.ndarray
    spectrum: np.ndarray

    @property
    def snr(self) -> np.ndarray:
        """(n, n) signal-to-noise of a point source at each position; 0 where little was seen."""
        seen = self.weight > _LEAST_COVERAGE * self.weight.max(initial=0)
        return np.where(seen, self.score / np.sqrt(np.where(seen, self.weight, 1)), 0)

    @property
    def m5(self) -> float:
        """Depth: AB magnitude of a point source of the assumed spectrum at S/N 5."""
        return float(31.4 - 2.5 * np.log10(5 / np.sqrt(self.band_weight.sum())))

    def arcsec(self, pixel: np.ndarray) -> np.ndarray:
        """Position on the sky along an axis, of a pixel of the grid."""
        return (pixel - (len(self.score) - 1) / 2) * self.pixel_arcsec


def detection_image(
    exposures: Exposures,
    observation: Observation,
    *,
    pixel_arcsec: float | None = None,
    spectrum: Mapping[str, float] | None = None,
) -> DetectionImage:
    """All exposures of a scene by one survey, in one image.

    Arguments:
        exposures: image, mask and WCS are used, nothing that is truth.
        observation: PSF and noise of the empty sky; the light of sources is no part of the
            variance, because weights that follow the noise of the pixels bias what they weigh.
        pixel_arcsec: step of the grid; the survey's pixel if None.
        spectrum: relative flux in the bands that count, the same for all bands if None
            (a source of constant AB magnitude).

    Raises:
        ValueError: if no exposure is in a band that counts.
    """
    survey = observation.survey
    step = survey.pixel_arcsec if pixel_arcsec is None else pixel_arcsec
    assumed = np.array([1.0 if spectrum is None else spectrum.get(name, 0.0) for name in BANDS])
    used = [e for e, visit in enumerate(observation.visits) if assumed[BANDS[visit.band].code] > 0]
    if not used:
        bands = " ".join(dict.fromkeys(visit.band for visit in observation.visits))
        raise ValueError(f"no exposure counts: {survey.name} was observed in {bands or 'no band'}")
    size = exposures.image.shape[1]
    n = round(size * survey.pixel_arcsec / step)
    score, weight = np.zeros((n, n)), np.zeros((n, n))
    band_weight, fwhm = np.zeros(len(BANDS)), 0.0
    for e in used:
        visit, noise = observation.visits[e], observation.backgrounds[e]
        code = BANDS[visit.band].code
        fine = int(np.ceil(_POINTS_PER_FWHM * survey.pixel_arcsec / visit.fwhm_arcsec))
        psf = np.ascontiguousarray(observation.psf[e], dtype=np.float32)
        filters = _filters(psf.tobytes(), len(psf), survey.psf_oversampling, size, fine)
        inverse = (exposures.mask[e] == 0) / noise.sigma**2
        wcs = exposures.wcs[e]
        # Pixels that cannot be used may hold anything, NaN too.
        light = np.where(inverse > 0, exposures.image[e], 0.0) * inverse
        filtered = _correlate(light, filters.psf, fine)
        score += assumed[code] * _on_sky(filtered, wcs, n, step, fine=fine, border=_BORDER, order=3)
        # Where pixels are coarse the noise depends on where a source lies between them.
        filtered, order = _correlate(inverse, filters.square, fine), 3 if fine > 1 else 1
        seen = _on_sky(filtered, wcs, n, step, fine=fine, border=_BORDER, order=order)
        weight += assumed[code] ** 2 * np.maximum(seen, 0)
        whole = assumed[code] ** 2 * filters.square[0, 0].real / noise.sigma**2
        band_weight[code] += whole
        fwhm += whole * visit.fwhm_arcsec
    return DetectionImage(score, weight, step, fwhm / band_weight.sum(), band_weight, assumed)


def add_images(images: Sequence[DetectionImage]) -> DetectionImage:
    """Several surveys in one image, on the finest of their grids.

    Raises:
        ValueError: if there is no image, or they assume different spectra.
    """
    if not images:
        raise ValueError("there is no detection image to add")
    finest = min(images, key=lambda image: image.pixel_arcsec)
    n = len(finest.score)
    score, weight = np.zeros((n, n)), np.zeros((n, n))
    for image in images:
        if not np.array_equal(image.spectrum, finest.spectrum):
            raise ValueError("detection images with different assumed spectra cannot be added")
        if image.pixel_arcsec == finest.pixel_arcsec:
            score, weight = score + image.score, weight + image.weight
            continue
        middle = (len(image.score) - 1) / 2
        wcs = np.column_stack([np.eye(2) / image.pixel_arcsec, [middle, middle]])
        score += _on_sky(image.score, wcs, n, finest.pixel_arcsec, fine=1, border=0, order=3)
        weight += _on_sky(image.weight, wcs, n, finest.pixel_arcsec, fine=1, border=0, order=1)
    band_weight = np.sum([image.band_weight for image in images], axis=0)
    widths = [image.fwhm_arcsec * image.band_weight.sum() for image in images]
    return DetectionImage(
        score,
        weight,
        finest.pixel_arcsec,
        float(np.sum(widths) / band_weight.sum()),
        band_weight,
        finest.spectrum,
    )


@dataclass(frozen=True)
class _Filters:
    psf: np.ndarray
    square: np.ndarray


@lru_cache(maxsize=64)
def _filters(content: bytes, m: int, oversampling: int, size: int, fine: int) -> _Filters:
    # Kept because the scenes of a field share their PSFs.
    psf = np.frombuffer(content, dtype=np.float32).reshape(m, m)
    offset = (np.arange(m) - m // 2) / oversampling
    # What is filtered ends at the edge of the exposure: half a PSF beyond it is enough.
    padded: Any = fft.next_fast_len(size + int(np.ceil(offset[-1])) + _BORDER + 1, real=True)
    transform = _transform(psf, offset, padded, fine)
    effective = np.fft.fftshift(np.fft.ifft2(pixel_response(psf, oversampling)).real) * oversampling**2
    y, x = (_waves(offset, frequency) for frequency in _frequencies(padded, fine))
    square = (y.astype(np.complex64) @ (effective / oversampling) ** 2) @ x.T
    return _Filters(transform, square.astype(np.complex64))


def _transform(psf: np.ndarray, offset: np.ndarray, padded: int, fine: int) -> np.ndarray:
    """(fine·padded, …) half of the transform of PSF and pixel, up to fine/2 cycles per pixel."""
    frequencies = _frequencies(padded, fine)
    y, x = (_waves(offset, frequency) * np.sinc(frequency)[:, None] for frequency in frequencies)
    return (y.astype(np.complex64) @ psf) @ x.astype(np.complex64).T


def _frequencies(padded: int, fine: int) -> tuple[np.ndarray, np.ndarray]:
    return fft.fftfreq(fine * padded, 1 / fine), fft.rfftfreq(fine * padded, 1 / fine)


def _waves(offset: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    return np.exp(-2j * np.pi * np.outer(frequency, offset))


def _correlate(values: np.ndarray, filter_: np.ndarray, fine: int) -> np.ndarray:
    """Σ_p filter(p − x) values_p at x = -border … size + border pixels, `fine` places to a pixel."""
    size, padded = len(values), len(filter_) // fine
    spectrum = np.asarray(fft.fft2(values.astype(np.float32), s=(padded, padded)))
    # Between the pixels there is no light: the spectrum repeats.
    spectrum = np.tile(spectrum, (fine, fine))[:, : filter_.shape[1]]
    full = np.asarray(fft.irfft2(spectrum * filter_.conj(), s=(fine * padded, fine * padded)))
    # What lies before the first pixel is at the end. Both borders are alike: the sky has no preferred side.
    place = np.arange(-_BORDER * fine, (size - 1 + _BORDER) * fine + 1)
    return full[np.ix_(place, place)] * fine**2


def _on_sky(
    values: np.ndarray, wcs: np.ndarray, n: int, step: float, *, fine: int, border: int, order: int
) -> np.ndarray:
    """Values on the pixels of an exposure, `fine` places to a pixel, interpolated to the grid on the sky."""
    # ndimage counts y before x.
    matrix = wcs[::-1, 1::-1] * step * fine
    offset = (wcs[::-1, 2] + border) * fine - matrix.sum(axis=1) * (n - 1) / 2
    if order > 1:
        values = np.asarray(ndimage.spline_filter(values, order, mode="mirror"))
    return ndimage.affine_transform(
        values, matrix, offset, (n, n), order=order, mode="nearest", prefilter=False
    )
