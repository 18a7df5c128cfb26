"""A visit, many visits as arrays, and the arithmetic between depth, seeing and noise.

What one exposure can detect and how noisy its pixels are say the same thing: `five_sigma_depth`
goes from noise to depth (SMTN-002), `background_variance_e2` back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import overload

import numpy as np

from .surveys import BANDS, SURVEYS, Band, find_band

__all__ = [
    "LEAST_SKY",
    "MAX_CONDENSED",
    "Visit",
    "Visits",
    "attainable",
    "background_variance_e2",
    "dark_variance_e2",
    "deepest",
    "five_sigma_depth",
    "sky_electrons",
    "widest_fwhm_eff",
]

# One exposure stands for at most this many real visits.
MAX_CONDENSED = 4
# No visit is quieter than its detector under this fraction of the dark sky.
LEAST_SKY = 0.25

# Pixels of a Gaussian PSF's noise-equivalent area: this times (FWHM / pixel)^2 (SMTN-002).
_AREA = 2.266


@dataclass(frozen=True)
class Visit:
    """One exposure: a real visit (LSST) or dither (in space), or up to four of them in one.

    Attributes:
        band: name of the band.
        mjd: start, days.
        fwhm_eff_arcsec: FWHM of the Gaussian with the same noise-equivalent area, arcsec.
        m5: five-sigma depth for a point source, of the whole exposure, AB mag.
        airmass: airmass; 1 in space.
        condensed: how many real visits it stands for, 1 to 4. Its exposure time is theirs
            together, and its read noise that of as many read-outs.
    """

    band: str
    mjd: float
    fwhm_eff_arcsec: float
    m5: float
    airmass: float
    condensed: int = 1

    @property
    def fwhm_arcsec(self) -> float:
        """FWHM of a star's image, arcsec: LSST 0.822 fwhm_eff + 0.052 (SMTN-002), in space the band's."""
        band = BANDS[self.band]
        if SURVEYS[band.survey].mission is None:
            return 0.822 * self.fwhm_eff_arcsec + 0.052
        return band.fwhm_arcsec

    @property
    def exposure_s(self) -> float:
        """Exposure time of all the visits it stands for, s."""
        return BANDS[self.band].exposure_s * self.condensed


@dataclass(frozen=True)
class Visits:
    """Many visits, one array for each attribute of `Visit`: a deep field has 20,000 of them.

    ``visits[3]`` is a `Visit`, ``visits[2:5]`` and ``visits[mask]`` are `Visits`; iterating gives
    each `Visit` in turn.

    Attributes:
        code: (n) int8, code of the band, its place in `surveys.BANDS`.
        mjd: (n) start, days.
        fwhm_eff_arcsec: (n) arcsec.
        m5: (n) AB mag.
        airmass: (n).
        condensed: (n) int8.
    """

    code: np.ndarray
    mjd: np.ndarray
    fwhm_eff_arcsec: np.ndarray
    m5: np.ndarray
    airmass: np.ndarray
    condensed: np.ndarray

    def __post_init__(self) -> None:
        shapes = {field.name: np.shape(getattr(self, field.name)) for field in fields(self)}
        if len(set(shapes.values())) != 1 or len(shapes["code"]) != 1:
            raise ValueError(f"the arrays of visits must have one axis of one length, not {shapes}")

    @classmethod
    def single(
        cls,
        code: np.ndarray,
        mjd: np.ndarray,
        fwhm_eff_arcsec: np.ndarray,
        m5: np.ndarray,
        airmass: np.ndarray,
    ) -> Visits:
        """Visits of which none stands for several."""
        codes = np.asarray(code, np.int8)
        return cls(codes, mjd, fwhm_eff_arcsec, m5, airmass, np.ones(len(codes), np.int8))

    @classmethod
    def of(cls, visits: Iterable[Visit]) -> Visits:
        """The same visits as arrays."""
        listed = list(visits)
        return cls(
            code=np.array([BANDS[visit.band].code for visit in listed], np.int8),
            mjd=np.array([visit.mjd for visit in listed], float),
            fwhm_eff_arcsec=np.array([visit.fwhm_eff_arcsec for visit in listed], float),
            m5=np.array([visit.m5 for visit in listed], float),
            airmass=np.array([visit.airmass for visit in listed], float),
            condensed=np.array([visit.condensed for visit in listed], np.int8),
        )

    @classmethod
    def joined(cls, *parts: Visits) -> Visits:
        """All of them, sorted by time."""
        columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)]
        together = cls(*columns)
        return together[np.argsort(together.mjd, kind="stable")]

    def __len__(self) -> int:
        return len(self.code)

    @overload
    def __getitem__(self, which: int) -> Visit: ...
    @overload
    def __getitem__(self, which: slice | np.ndarray) -> Visits: ...
    def __getitem__(self, which: int | slice | np.ndarray) -> Visit | Visits:
        columns = [getattr(self, field.name)[which] for field in fields(self)]
        if np.ndim(columns[0]):
            return Visits(*columns)
        code, mjd, fwhm, m5, airmass, condensed = columns
        return Visit(_NAMES[code], float(mjd), float(fwhm), float(m5), float(airmass), int(condensed))

    def __iter__(self) -> Iterator[Visit]:
        columns = zip(*(getattr(self, field.name).tolist() for field in fields(self)), strict=True)
        return (Visit(_NAMES[code], *rest) for code, *rest in columns)

    def in_band(self, name: str) -> Visits:
        """Those in one band.

        Raises:
            ValueError: if there is no such band.
        """
        return self[self.code == find_band(name).code]

    @property
    def bands(self) -> list[str]:
        """Name of the band of each."""
        return [_NAMES[code] for code in self.code]

    @property
    def exposure_s(self) -> np.ndarray:
        """(n) Exposure time of all the visits each stands for, s."""
        return _EXPOSURES[self.code] * self.condensed

    @property
    def background_variance_e2(self) -> np.ndarray:
        """(n) Variance of one pixel without sources, electrons^2: see the function of that name."""
        zero_point, pixel = _ZERO_POINTS[self.code], _PIXELS[self.code]
        n_eff = _AREA * (self.fwhm_eff_arcsec / pixel) ** 2
        return _variance(self.exposure_s * 10.0 ** (0.4 * (zero_point - self.m5)), n_eff)


_NAMES = tuple(BANDS)
_ZERO_POINTS = np.array([band.zero_point for band in BANDS.values()])
_EXPOSURES = np.array([band.exposure_s for band in BANDS.values()])
_PIXELS = np.array([SURVEYS[band.survey].pixel_arcsec for band in BANDS.values()])


def sky_electrons(band: Band, exposure_s: float, sky_mag: float | None = None) -> float:
    """Sky in one pixel, electrons, for a sky of that brightness (AB mag/arcsec^2; the band's if None)."""
    sky_mag = band.sky_mag if sky_mag is None else sky_mag
    pixel_arcsec = SURVEYS[band.survey].pixel_arcsec
    return exposure_s * pixel_arcsec**2 * 10.0 ** (0.4 * (band.zero_point - sky_mag))


def dark_variance_e2(band: Band, sky: float = 1.0) -> float:
    """Variance of a pixel in one real visit under `sky` times the dark sky, electrons^2."""
    survey = SURVEYS[band.survey]
    dark = survey.dark_e_s * band.exposure_s
    return sky * sky_electrons(band, band.exposure_s) + dark + survey.read_noise_e**2


def five_sigma_depth(band: Band, exposure_s: float, fwhm_eff_arcsec: float, variance_e2: float) -> float:
    """Magnitude at which a point source has signal-to-noise 5 (SMTN-002, with gain 1).

    A source of C electrons has C / sqrt(C + n_eff variance), n_eff = 2.266 (fwhm_eff / pixel)^2.

    Arguments:
        band: its zero point and pixel are used.
        exposure_s: exposure time, s.
        fwhm_eff_arcsec: FWHM of the Gaussian of the same noise-equivalent area, arcsec.
        variance_e2: variance of one pixel without the source, electrons^2: sky, dark, read-outs.

    Raises:
        ValueError: if one of the last three is not positive.
    """
    given = {"seeing": fwhm_eff_arcsec, "exposure time": exposure_s, "variance": variance_e2}
    for what, value in given.items():
        if not 0 < value < math.inf:
            raise ValueError(f"the {what} of a visit in {band.name} must be positive, not {value}")
    n_eff = _pixels_in_psf(band, fwhm_eff_arcsec)
    return band.zero_point - 2.5 * math.log10(_electrons(n_eff * variance_e2) / exposure_s)


def background_variance_e2(visit: Visit, n_eff: float | None = None) -> float:
    """Variance of one pixel without sources, electrons^2, that gives the visit its depth.

    Sky, dark current and read-outs together: the inverse of `five_sigma_depth`. What the
    detector does not explain is sky: subtract ``condensed * read_noise_e**2`` for it.

    Arguments:
        visit: gives the band, depth and exposure time.
        n_eff: effective number of pixels of the PSF, if it is known better than from
            ``fwhm_eff_arcsec``.
    """
    band = BANDS[visit.band]
    electrons = visit.exposure_s * 10.0 ** (0.4 * (band.zero_point - visit.m5))
    return _variance(electrons, n_eff or _pixels_in_psf(band, visit.fwhm_eff_arcsec))


def attainable(visit: Visit, n_eff: float) -> Visit:
    """The visit, or the deepest that its PSF allows over its detector and the least sky there is.

    Arguments:
        visit: its depth may have been drawn for a slightly sharper PSF.
        n_eff: effective number of pixels of the PSF it has.
    """
    band = BANDS[visit.band]
    least = visit.condensed * dark_variance_e2(band, LEAST_SKY)
    if background_variance_e2(visit, n_eff) >= least:
        return visit
    electrons = _electrons(n_eff * least)
    return replace(visit, m5=band.zero_point - 2.5 * math.log10(electrons / visit.exposure_s))


def deepest(code: np.ndarray, fwhm_eff_arcsec: np.ndarray) -> np.ndarray:
    """Five-sigma depth of one visit over its detector and the least sky there is, AB mag.

    Arguments:
        code: code of the band.
        fwhm_eff_arcsec: seeing, arcsec; broadcasts against `code`.
    """
    n_eff = _AREA * (fwhm_eff_arcsec / _PIXELS[code]) ** 2
    return _ZERO_POINTS[code] - 2.5 * np.log10(_electrons(n_eff * _LEAST[code]) / _EXPOSURES[code])


def widest_fwhm_eff(code: np.ndarray, m5: np.ndarray) -> np.ndarray:
    """Widest seeing in which one visit can be that deep, arcsec: the inverse of `deepest`."""
    electrons = _EXPOSURES[code] * 10.0 ** (0.4 * (_ZERO_POINTS[code] - m5))
    # A visit so deep that its source gives less than 25 electrons is impossible in any seeing.
    pixels = np.maximum(_variance(electrons, 1.0), 0.0) / _LEAST[code]
    return _PIXELS[code] * np.sqrt(pixels / _AREA)


_LEAST = np.array([dark_variance_e2(band, LEAST_SKY) for band in BANDS.values()])


def _pixels_in_psf(band: Band, fwhm_eff_arcsec: float) -> float:
    return _AREA * (fwhm_eff_arcsec / SURVEYS[band.survey].pixel_arcsec) ** 2


@overload
def _electrons(variance: float) -> float: ...
@overload
def _electrons(variance: np.ndarray) -> np.ndarray: ...
def _electrons(variance: float | np.ndarray) -> float | np.ndarray:
    """Electrons of a source at signal-to-noise 5 over that variance under its PSF."""
    return (25.0 + (625.0 + 100.0 * variance) ** 0.5) / 2.0


@overload
def _variance(electrons: float, n_eff: float) -> float: ...
@overload
def _variance(electrons: np.ndarray, n_eff: np.ndarray | float) -> np.ndarray: ...
def _variance(electrons: float | np.ndarray, n_eff: float | np.ndarray) -> float | np.ndarray:
    """Variance of a pixel over which a source of that many electrons has signal-to-noise 5."""
    return (electrons**2 / 25.0 - electrons) / n_eff
