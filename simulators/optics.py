"""One point-spread function per exposure.

The PSF of an exposure *is* the oversampled image that the store holds: the simulator draws
with that image, and a participant who deconvolves it undoes exactly what was done. It holds
the atmosphere, the telescope and the charge diffusion; the response of the pixel is applied
when a source is drawn, and by whoever measures.

LSST: von Karman turbulence (`atmosphere`), stretched over the field of view, with the aberrations
(`aberrations`), diffraction and camera of the telescope; the turbulence is as strong as the visit's FWHM
leaves it. In space: the diffraction of an obscured pupil, averaged over the band, widened by jitter and
charge diffusion.

All of it is drawn in the frequencies of the image, where everything that blurs is a factor. As an
option, `chromatic_psfs` gives one PSF for each of several bins of wavelength: what `psf_image` gives is
the PSF of the reference star of `chromatic`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.optimize import brentq
from scipy.special import j0

from .aberrations import FieldOfView, draw_field_of_view, ray_transfer, ray_transfer_round, spot
from .atmosphere import draw_outer_scale, fried_parameter, refraction_arcsec, turbulence_transfer
from .cadence import Visit
from .chromatic import bin_edges_nm, reference_fractions, wavelengths
from .diffraction import annulus_transfer
from .surveys import BANDS, SURVEYS, Band, Survey

__all__ = ["chromatic_psfs", "effective_pixels", "pixel_response", "psf_image"]

# LSST, FWHM of Gaussians at zenith (SMTN-002): telescope, optical design, camera with its charge
# diffusion. Of the telescope's part, aberrations that are drawn take the place.
_TELESCOPE_ARCSEC, _DESIGN_ARCSEC, _CAMERA_ARCSEC = 0.25, 0.08, 0.30
# Outer scale without random numbers, m: the median of `atmosphere`.
_OUTER_SCALE_M = 25.0
# Telescope and camera may take this part of the FWHM of a visit, in which case they are shrunk: our choice.
_LARGEST_SHARE = 0.75

# Wavelengths that stand for a band (in space) or a bin of one (everywhere).
_BAND_WAVELENGTHS, _BIN_WAVELENGTHS = 16, 4
_FWHM_SIGMA = np.sqrt(8 * np.log(2))


def psf_image(visit: Visit, rng: np.random.Generator | None, position: ArrayLike = (0.0, 0.0)) -> np.ndarray:
    """The PSF of one exposure in its own pixel frame, without the pixel response.

    Arguments:
        visit: gives the band and, for LSST, the geometric FWHM in the middle of the field, arcsec.
        rng: draws the field of view of an LSST visit (space PSFs are the same every time); the same
            stream gives the same field, to be seen at any position. None for a round PSF.
        position: (x, y) in the focal plane, degrees from its middle along the axes of the pixels.

    Returns:
        (n, n) float32, n odd, sum 1, sampled at ``pixel_arcsec / psf_oversampling``.

    Raises:
        ValueError: if the seeing is not positive or not resolved by the sampling, or the position
            is not two finite numbers.
    """
    band = BANDS[visit.band]
    _check(visit)
    if SURVEYS[band.survey].mission:
        return _space_psf(band)
    exposure = _draw(visit, rng, _place(position))
    grid = _grid(band.survey, _fineness(visit))
    return grid.image(exposure.air(grid, band.wavelength_nm) * exposure.telescope(grid))


def chromatic_psfs(
    visit: Visit,
    rng: np.random.Generator | None,
    edges_nm: ArrayLike,
    position: ArrayLike = (0.0, 0.0),
    *,
    zenith_angle: float | None = None,
    refraction: bool = True,
) -> np.ndarray:
    """The PSFs of one exposure for light in bins of wavelength.

    The image of a source is their sum weighted by the fractions of its photons
    (`chromatic.mixed`). LSST's atmosphere is calm in the red, diffraction in space is wide. At
    airmass above 1 bluer light lands nearer to the zenith: each LSST bin is shifted, and drawn
    out, by refraction against the mean of the reference star, which stays where it is.

    Arguments:
        visit, rng, position: as in `psf_image`; the same stream gives the same field of view. The
            FWHM of the visit is that of the band's effective wavelength, before refraction.
        edges_nm: (k + 1) increasing, within the band: see `chromatic.bin_edges_nm`.
        zenith_angle: direction of the zenith in the pixel frame, from x to y, radians. If None it is
            drawn from `rng`, after all else; 0 without one.
        refraction: False for no shifts.

    Returns:
        (k, n, n) float32, each of sum 1.

    Raises:
        ValueError: as `psf_image`, or if edges do not increase or a bin holds no light.
    """
    band = BANDS[visit.band]
    survey = SURVEYS[band.survey]
    _check(visit)
    edges = np.asarray(edges_nm, dtype=float)
    reference_fractions(band.name, edges)
    bins = [wavelengths(band.name, low, high, _BIN_WAVELENGTHS) for low, high in itertools.pairwise(edges)]
    if survey.mission:
        grid = _grid(survey.name, 1)
        return np.stack([grid.image(_space_transfer(band, grid, one)) for one in bins])
    exposure = _draw(visit, rng, _place(position))
    if zenith_angle is None:
        zenith_angle = 0.0 if rng is None else rng.uniform(0, 2 * np.pi)
    grid = _grid(survey.name, _fineness(visit))
    lifted = refraction and visit.airmass > 1
    mean = refraction_arcsec(_all_wavelengths(band.name), visit.airmass).mean() if lifted else 0.0
    telescope, images = exposure.telescope(grid), []
    for one in bins:
        total = np.zeros((len(grid.y), len(grid.x)), complex)
        for wavelength_nm in one:
            shift = float(refraction_arcsec(wavelength_nm, visit.airmass)) - mean if lifted else 0.0
            to = shift * np.array([np.cos(zenith_angle), np.sin(zenith_angle)])
            total += exposure.air(grid, wavelength_nm) * grid.shifted(to)
        images.append(grid.image(total * telescope / len(one)))
    return np.stack(images)


@lru_cache(maxsize=16)
def _all_wavelengths(band: str) -> NDArray[np.float64]:
    low, high = bin_edges_nm(band, 1)
    return wavelengths(band, low, high, 64)


@dataclass(frozen=True)
class _Exposure:
    """An LSST exposure at one position: all that its transfer function needs.

    Attributes:
        band: of the visit.
        stretch: (2, 2) that takes frequencies of the image to those of round turbulence.
        r0_m: Fried parameter at the band's effective wavelength.
        outer_scale_m: of the turbulence.
        rays: (rays, 2) of the aberrations, arcsec.
        blur_arcsec: sigma of the Gaussian for the rest of the telescope and the camera.
    """

    band: Band
    stretch: NDArray[np.float64]
    r0_m: float
    outer_scale_m: float
    rays: NDArray[np.float64]
    blur_arcsec: float

    def air(self, grid: _Grid, wavelength_nm: float) -> NDArray[np.float64]:
        """Transfer function of the turbulence and of diffraction."""
        (a, b), (c, d) = self.stretch
        round_ = np.hypot(a * grid.x + b * grid.y[:, None], c * grid.x + d * grid.y[:, None])
        r0 = self.r0_m * (wavelength_nm / self.band.wavelength_nm) ** 1.2
        air = turbulence_transfer(round_, wavelength_nm, r0, self.outer_scale_m)
        return air * _pupil(grid, wavelength_nm)

    def telescope(self, grid: _Grid) -> NDArray[np.complexfloating]:
        """Transfer function of the rest, the same at all wavelengths."""
        return _gaussian(grid, self.blur_arcsec) * ray_transfer(self.rays, grid.x, grid.y)


def _draw(visit: Visit, rng: np.random.Generator | None, position: NDArray[np.float64]) -> _Exposure:
    band = BANDS[visit.band]
    survey = SURVEYS[band.survey]
    blur, telescope = np.hypot(_DESIGN_ARCSEC, _CAMERA_ARCSEC), _TELESCOPE_ARCSEC
    if rng is None:
        outer, stretch, here, middle = _OUTER_SCALE_M, np.zeros(3), np.zeros((1, 2)), np.zeros((1, 2))
    else:
        outer = draw_outer_scale(rng)
        full_m = survey.diameter_m * np.sqrt(1 - survey.obscuration**2)
        field: FieldOfView = draw_field_of_view(rng, exposure_s=band.exposure_s, diameter_m=full_m)
        stretch = field.stretch(position)
        here, middle = (
            spot(field.wavefront(place), diameter_m=survey.diameter_m, obscuration=survey.obscuration)
            for place in (position, np.zeros(2))
        )
        # What the drawn aberrations do not make of the telescope's width is a Gaussian.
        drawn = (middle**2).sum(axis=1).mean() / 2 * _FWHM_SIGMA**2
        telescope = np.sqrt(max(telescope**2 - drawn, 0.0))
    blur = np.hypot(blur, telescope) / _FWHM_SIGMA
    # In the sharpest seeing the telescope is made to fit.
    widest = np.sqrt(blur**2 + (middle**2).sum(axis=1).mean() / 2) * _FWHM_SIGMA
    shrunk = min(1.0, _LARGEST_SHARE * visit.fwhm_arcsec / widest)
    here, middle, blur = shrunk * here, shrunk * middle, shrunk * blur
    r0 = _fitting_r0(visit.fwhm_arcsec, band, outer, middle, blur)
    e1, e2, swell = stretch
    # A round image becomes one of axis ratio (1 − e)/(1 + e), of the same area but for the swelling.
    shear = np.array([[1 + e1, e2], [e2, 1 - e1]]) / np.sqrt(1 - e1**2 - e2**2) * np.exp(swell)
    return _Exposure(band, shear, r0, outer, here, float(blur))


def _fitting_r0(
    fwhm_arcsec: float, band: Band, outer_scale_m: float, rays: NDArray[np.float64], blur_arcsec: float
) -> float:
    """Fried parameter with which everything together has a FWHM, in the mean over all directions."""
    survey = SURVEYS[band.survey]
    nodes, weights = _quadrature()
    # Beyond 4 cycles per FWHM nothing is left.
    k = nodes * 4 / fwhm_arcsec
    fixed = weights * k * annulus_transfer(k, band.wavelength_nm, survey.diameter_m, survey.obscuration)
    fixed *= np.exp(-2 * (np.pi * blur_arcsec * k) ** 2) * ray_transfer_round(rays, k)
    # Surface brightness at half the FWHM, less half of that in the middle.
    fixed *= j0(np.pi * fwhm_arcsec * k) - 0.5

    def excess(log_r0: float) -> float:
        air = turbulence_transfer(k, band.wavelength_nm, np.exp(log_r0), outer_scale_m)
        return float(fixed @ air)

    start = np.log(fried_parameter(fwhm_arcsec, band.wavelength_nm))
    return float(np.exp(np.asarray(brentq(excess, start - 2.0, start + 5.0, xtol=1e-6))))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(96)
    # Squared, to be dense near zero, where the cusp of turbulence is.
    return ((nodes + 1) / 2) ** 2, weights * (nodes + 1) / 2


@lru_cache(maxsize=64)
def _space_psf(band: Band) -> np.ndarray:
    grid = _grid(band.survey, 1)
    low, high = bin_edges_nm(band.name, 1)
    image = grid.image(_space_transfer(band, grid, wavelengths(band.name, low, high, _BAND_WAVELENGTHS)))
    image.flags.writeable = False
    return image


def _space_transfer(band: Band, grid: _Grid, wavelengths_nm: Iterable[float]) -> NDArray[np.float64]:
    pupils = [_pupil(grid, wavelength_nm) for wavelength_nm in wavelengths_nm]
    survey = SURVEYS[band.survey]
    jitter = survey.mission.jitter_fwhm_arcsec if survey.mission else 0.0
    blur = np.hypot(jitter, survey.charge_fwhm_arcsec) / _FWHM_SIGMA
    return np.mean(pupils, axis=0) * _gaussian(grid, blur)


@lru_cache(maxsize=192)
def _pupil(grid: _Grid, wavelength_nm: float) -> NDArray[np.float64]:
    survey = SURVEYS[grid.survey]
    return annulus_transfer(grid.radius, wavelength_nm, survey.diameter_m, survey.obscuration)


def _gaussian(grid: _Grid, sigma_arcsec: float) -> NDArray[np.float64]:
    return np.exp(-2 * (np.pi * sigma_arcsec * grid.radius) ** 2)


def _fineness(visit: Visit) -> int:
    survey = SURVEYS[BANDS[visit.band].survey]
    return max(1, int(np.ceil(5.5 * survey.pixel_arcsec / survey.psf_oversampling / visit.fwhm_arcsec)))


class _Grid:
    """Frequencies of a PSF image, and the way from there to the image.

    Attributes:
        survey: name of the survey.
        x, y: cycles per arcsec along the axes; x is not negative.
        radius: (y, x) their length.
    """

    def __init__(self, survey: Survey, fine: int) -> None:
        self.survey = survey.name
        scale = survey.pixel_arcsec / survey.psf_oversampling
        self.size = 2 * round(survey.psf_width_arcsec / scale / 2) + 1
        # What reaches beyond the band of the samples is drawn finer, and every so-manieth sample taken.
        self.fine = fine
        # Wide enough that the wings that come back in from the other side are faint.
        self.length = 2 * int(fft.next_fast_len(int(0.75 * self.size), real=True) or 0) * fine
        self.scale = scale / self.fine
        self.x = fft.rfftfreq(self.length, self.scale)
        self.y = fft.fftfreq(self.length, self.scale)
        self.radius = np.hypot(self.x, self.y[:, None])

    def shifted(self, to_arcsec: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Factor that moves an image."""
        along_x = np.exp(-2j * np.pi * to_arcsec[0] * self.x)
        return along_x * np.exp(-2j * np.pi * to_arcsec[1] * self.y)[:, None]

    def image(self, transfer: NDArray) -> np.ndarray:
        """(n, n) float32 of sum 1, never negative, whose wings end smoothly."""
        half = self.size // 2
        whole = fft.irfft2(transfer, s=(self.length, self.length))
        place = np.arange(-half, half + 1) * self.fine
        image = np.maximum(whole[place][:, place], 0) * _taper(self.size)
        return (image / image.sum()).astype(np.float32)


@lru_cache(maxsize=8)
def _grid(survey: str, fine: int) -> _Grid:
    return _Grid(SURVEYS[survey], fine)


@lru_cache(maxsize=8)
def _taper(size: int) -> NDArray[np.float64]:
    """1, falling to 0 over the last quarter: a sharp edge would ripple through all frequencies."""
    y, x = np.indices((size, size)) - size // 2
    radius = np.hypot(x, y) / (size // 2)
    return np.cos(np.pi / 2 * np.clip((radius - 0.75) / 0.25, 0, 1)) ** 2


def _check(visit: Visit) -> None:
    survey = SURVEYS[BANDS[visit.band].survey]
    if not 0 < visit.fwhm_eff_arcsec < np.inf:
        seeing = visit.fwhm_eff_arcsec
        raise ValueError(f"the seeing of a visit in {visit.band} must be positive, not {seeing}")
    if visit.fwhm_arcsec < survey.pixel_arcsec / survey.psf_oversampling:
        raise ValueError(
            f"a FWHM of {visit.fwhm_arcsec} arcsec in {visit.band} is below the "
            f"{survey.pixel_arcsec / survey.psf_oversampling} arcsec at which its PSF is stored"
        )


def _place(position: ArrayLike) -> NDArray[np.float64]:
    place = np.asarray(position, dtype=float)
    if place.shape != (2,) or not np.all(np.isfinite(place)):
        raise ValueError(f"a position in the focal plane is (x, y) in degrees, not {position}")
    return place


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
