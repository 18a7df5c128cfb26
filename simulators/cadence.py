"""Visits: when, in which band, in what seeing and to what depth one exposure is taken.

LSST depths follow 150 wide-fast-deep pointings of the baseline v3.0 of the Rubin survey
simulations: their medians and scatters are the table below. Seeing is drawn from the atmosphere and
the airmass by the formulae of SMTN-002, and the depth follows the seeing, so a sharp visit is
deep. What scatter is left is one-sided (moon, twilight, cloud: they only ever make a visit
shallower), which also gives the depths their observed skewness of -0.4 to -1.1.

Euclid's depths follow from zodiacal light, dark current and read noise. Its dithers are minutes
apart, in the order of the reference sequence (Scaramella et al. 2022): VIS, then J, H, Y.

First form: nights fall anywhere in the seasons; rolling and pairs of visits are not yet in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist

import numpy as np

from .surveys import BANDS, SURVEYS, Band, find_band

__all__ = [
    "LSST_DEPTHS",
    "MAX_CONDENSED",
    "Visit",
    "attainable",
    "background_variance_e2",
    "five_sigma_depth",
    "sample_visits",
    "sky_electrons",
]

# Median and standard deviation of m5 (mag) over the visits to 150 wide-fast-deep pointings of the
# ten-year baseline v3.0 (Rubin survey simulations).
LSST_DEPTHS: dict[str, tuple[float, float]] = {
    "u": (23.62, 0.32),
    "g": (24.42, 0.38),
    "r": (24.01, 0.46),
    "i": (23.41, 0.46),
    "z": (22.80, 0.37),
    "y": (22.00, 0.33),
}

# One exposure stands for at most this many real visits.
MAX_CONDENSED = 4

# Atmosphere at 500 nm and zenith: log-normal. SMTN-002's fiducial FWHM_eff contain 0.62"; 0.65"
# gives median FWHM_eff of 1.05" (u) to 0.85" (y). Early operations delivered medians of 0.92 to 1.27",
# but in that seeing the depths of the baseline would need a detector quieter than the requirement.
# The scatter in ln is ours: quartiles of 0.54" and 0.79".
_FWHM_500_ARCSEC, _FWHM_500_SIGMA = 0.65, 0.28
# Telescope, optical design and camera, at zenith (SMTN-002).
_FWHM_SYSTEM_ARCSEC = math.sqrt(0.25**2 + 0.08**2 + 0.30**2)
# Airmass, ours: 1 + 0.5 u^2 for uniform u, so 1 to 1.5 with median 1.125.
_AIRMASS_RANGE, _AIRMASS_POWER = 0.5, 2.0
# No visit is quieter than its detector under this fraction of the dark sky.
_LEAST_SKY = 0.25

_LSST_START_MJD, _LSST_YEARS = 60980.0, 10  # 2025-11-01
_SEASON_DAYS = 194.0  # median length of a season in the baseline
_NIGHT_DAYS = 0.35  # usable part of a night
_EUCLID_START_MJD, _EUCLID_YEARS = 60354.0, 6  # 2024-02-14
_DITHERS = 4
_DITHER_S = 1050.0  # from one dither to the next: about 70 minutes for the four (Scaramella et al. 2022)
# Start of each exposure within its dither, s: VIS with the spectra, then J, H, Y, each 112 s.
_DITHER_OFFSET_S = {"VIS": 0.0, "J": 630.0, "H": 770.0, "Y": 910.0}

_DAY_S = 86400.0
_YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Visit:
    """One exposure: a real visit (LSST) or dither (Euclid), or up to four of them in one.

    Attributes:
        band: name of the band.
        mjd: start, days.
        fwhm_eff_arcsec: FWHM of the Gaussian with the same noise-equivalent area, arcsec.
        m5: five-sigma depth for a point source, of the whole exposure, AB mag.
        airmass: airmass; 1 for Euclid.
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
        """FWHM of a star's image, arcsec: LSST 0.822 fwhm_eff + 0.052 (SMTN-002), Euclid the band's."""
        band = BANDS[self.band]
        return 0.822 * self.fwhm_eff_arcsec + 0.052 if band.survey == "LSST" else band.fwhm_arcsec

    @property
    def exposure_s(self) -> float:
        """Exposure time of all the visits it stands for, s."""
        return BANDS[self.band].exposure_s * self.condensed


def sky_electrons(band: Band, exposure_s: float, sky_mag: float | None = None) -> float:
    """Sky in one pixel, electrons, for a sky of that brightness (AB mag/arcsec^2; the band's if None)."""
    sky_mag = band.sky_mag if sky_mag is None else sky_mag
    pixel_arcsec = SURVEYS[band.survey].pixel_arcsec
    return exposure_s * pixel_arcsec**2 * 10.0 ** (0.4 * (band.zero_point - sky_mag))


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
    electrons = (25.0 + math.sqrt(625.0 + 100.0 * n_eff * variance_e2)) / 2.0
    return band.zero_point - 2.5 * math.log10(electrons / exposure_s)


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
    return (electrons**2 / 25.0 - electrons) / (n_eff or _pixels_in_psf(band, visit.fwhm_eff_arcsec))


def attainable(visit: Visit, n_eff: float) -> Visit:
    """The visit, or the deepest that its PSF allows over its detector and the least sky there is.

    Arguments:
        visit: its depth may have been drawn for a slightly sharper PSF.
        n_eff: effective number of pixels of the PSF it has.
    """
    band = BANDS[visit.band]
    least = visit.condensed * _dark_variance_e2(band, _LEAST_SKY)
    if background_variance_e2(visit, n_eff) >= least:
        return visit
    electrons = (25.0 + math.sqrt(625.0 + 100.0 * n_eff * least)) / 2.0
    return replace(visit, m5=band.zero_point - 2.5 * math.log10(electrons / visit.exposure_s))


def sample_visits(
    rng: np.random.Generator, counts: Mapping[str, int], condensed: int | Mapping[str, int] = 1
) -> list[Visit]:
    """Draw visits to one field.

    Arguments:
        rng: where the random numbers come from.
        counts: how many exposures of each band.
        condensed: how many real visits each exposure stands for: one number, or one for each
            band (bands left out: 1).

    Returns:
        The visits, sorted by survey (LSST, VIS, NISP), then band, then time.

    Raises:
        ValueError: if a band is unknown, a count is not a positive integer, there is no count at
            all, or `condensed` is not 1 to 4.
    """
    if not counts:
        raise ValueError("no visits asked for: counts needs at least one band, such as {'i': 10}")
    per_band = {name: _whole(counts[name], f"count of {find_band(name).name} visits") for name in counts}
    if isinstance(condensed, Mapping):
        unknown = [find_band(name).name for name in condensed if name not in counts]
        if unknown:
            raise ValueError(f"condensed names {' '.join(unknown)}, but counts does not")
        merged = {name: condensed.get(name, 1) for name in counts}
    else:
        merged = dict.fromkeys(counts, condensed)
    merged = {name: _whole(n, f"condensed in {name}", MAX_CONDENSED) for name, n in merged.items()}

    # All bands of a pointing share its times: they come first, whatever the counts.
    season = rng.uniform()
    euclid_start = _EUCLID_START_MJD + _YEAR_DAYS * _EUCLID_YEARS * rng.uniform()
    visits: list[Visit] = []
    for name, band in BANDS.items():
        if name not in per_band:
            continue
        if band.survey == "LSST":
            drawn = _lsst_visits(rng, band, per_band[name], merged[name], season)
        else:
            drawn = _euclid_visits(band, per_band[name], merged[name], euclid_start)
        visits += sorted(drawn, key=lambda visit: visit.mjd)
    return visits


def _lsst_visits(
    rng: np.random.Generator, band: Band, count: int, condensed: int, season: float
) -> list[Visit]:
    year = rng.integers(_LSST_YEARS, size=count)
    night = np.floor(_SEASON_DAYS * rng.uniform(size=count))
    hour = _NIGHT_DAYS * rng.uniform(size=count)
    mjd = _LSST_START_MJD + _YEAR_DAYS * (year + season) + night + hour

    airmass = _airmass(rng.uniform(size=count))
    atmosphere = _FWHM_500_ARCSEC * np.exp(_FWHM_500_SIGMA * rng.normal(size=count))
    fwhm_eff = _fwhm_eff(band, atmosphere, airmass)
    m5_sharp, loss = _lsst_depth_model(band.name)
    m5 = m5_sharp - 2.5 * np.log10(fwhm_eff) - rng.exponential(loss, size=count)
    floor = _dark_variance_e2(band, _LEAST_SKY)
    deepest = [five_sigma_depth(band, band.exposure_s, width, floor) for width in fwhm_eff]
    m5 = np.minimum(m5, deepest)
    return [
        _condense(Visit(band.name, float(t), float(width), float(depth), float(x)), condensed)
        for t, width, depth, x in zip(mjd, fwhm_eff, m5, airmass, strict=True)
    ]


def _euclid_visits(band: Band, count: int, condensed: int, start_mjd: float) -> list[Visit]:
    variance = _dark_variance_e2(band)
    m5 = five_sigma_depth(band, band.exposure_s, band.fwhm_eff_arcsec, variance)
    visits = []
    for first in range(0, count * condensed, condensed):
        # A pointing has four dithers; what is asked beyond comes back half a year later.
        pointing, dither = divmod(first, _DITHERS)
        seconds = dither * _DITHER_S + _DITHER_OFFSET_S[band.name]
        mjd = start_mjd + pointing * _YEAR_DAYS / 2 + seconds / _DAY_S
        visits.append(_condense(Visit(band.name, mjd, band.fwhm_eff_arcsec, m5, 1.0), condensed))
    return visits


def _condense(visit: Visit, condensed: int) -> Visit:
    """The same conditions for longer: exposure and variance times `condensed`.

    Where sky dominates this is m5 + 1.25 log10(condensed); read noise and the source's own photons
    are counted the same way, so depth is that of the co-added visits.
    """
    if condensed == 1:
        return visit
    band = BANDS[visit.band]
    variance = condensed * background_variance_e2(visit)
    m5 = five_sigma_depth(band, condensed * band.exposure_s, visit.fwhm_eff_arcsec, variance)
    return Visit(visit.band, visit.mjd, visit.fwhm_eff_arcsec, m5, visit.airmass, condensed)


def _dark_variance_e2(band: Band, sky: float = 1.0) -> float:
    """Variance of a pixel in one real visit under `sky` times the dark sky, electrons^2."""
    survey = SURVEYS[band.survey]
    dark = survey.dark_e_s * band.exposure_s
    return sky * sky_electrons(band, band.exposure_s) + dark + survey.read_noise_e**2


def _pixels_in_psf(band: Band, fwhm_eff_arcsec: float) -> float:
    return 2.266 * (fwhm_eff_arcsec / SURVEYS[band.survey].pixel_arcsec) ** 2


def _airmass(uniform: np.ndarray) -> np.ndarray:
    return 1.0 + _AIRMASS_RANGE * uniform**_AIRMASS_POWER


def _fwhm_eff(band: Band, fwhm_500_arcsec: np.ndarray, airmass: np.ndarray) -> np.ndarray:
    """SMTN-002: system and atmosphere in quadrature, both growing as airmass^0.6."""
    atmosphere = fwhm_500_arcsec * (500.0 / band.wavelength_nm) ** 0.3
    return 1.16 * np.sqrt(_FWHM_SYSTEM_ARCSEC**2 + 1.04 * atmosphere**2) * airmass**0.6


@cache
def _lsst_depth_model(name: str) -> tuple[float, float]:
    """Depth of the best visit at fwhm_eff = 1 arcsec, and the mean of the exponential loss, mag.

    Seeing and loss together have the median and the scatter of `LSST_DEPTHS`.
    """
    median_m5, sigma_m5 = LSST_DEPTHS[name]
    quantiles = (np.arange(48) + 0.5) / 48
    normal = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    atmosphere = _FWHM_500_ARCSEC * np.exp(_FWHM_500_SIGMA * normal)
    seeing_mag = -2.5 * np.log10(_fwhm_eff(BANDS[name], atmosphere[:, None], _airmass(quantiles)))
    loss = math.sqrt(sigma_m5**2 - float(np.var(seeing_mag)))
    spread = seeing_mag[:, :, None] + loss * np.log(quantiles)
    return median_m5 - float(np.median(spread)), loss


def _whole(value: int, what: str, most: int | None = None) -> int:
    """A positive integer (not a bool, not 2.5), at most `most`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):
        limits = "a positive integer" if most is None else f"an integer from 1 to {most}"
        raise ValueError(f"{what} is {value!r}: it has to be {limits}")
    return int(value)
