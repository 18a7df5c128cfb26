"""The surveys: bands, pixels, zero points, detectors and how they return, each number with its source.

A survey is one entry: a `Survey` and the rows of its bands, added to `_ENTRIES` below; for a survey in
space nothing else is needed, in this file or any other. (What LSST sees through, and when, is in
`schedule` and `conditions`: those know no other survey on the ground.)

Zero points and effective wavelengths come from ONE set of curves for each survey, which `curves` reads:
for LSST and Euclid those of speclite 1.0.0, ``lsst2023-ugrizy`` (Rubin throughputs 1.9, total, atmosphere
at airmass 1.2) and ``Euclid-VIS/Y/J/H`` (total: telescope, filter and detector); for Roman the effective
areas of galsim.roman. For photon counting,

    zero_point = 2.5 log10( A / h * 3631 Jy * integral of T(lambda) dlambda / lambda ),

with the collecting area A = pi/4 diameter^2 (1 - obscuration^2) (1 - shadowed). They stand here as
literals, because importing speclite or GalSim costs a second in every fresh process; the tests
recompute them from the curves.

Against surveycodex 1.3.0 the Euclid zero points agree to its rounding (0.005 mag). Its LSST
ones come from older curves and are fainter by 0.02, 0.21, 0.24, 0.38, 0.38, 0.24 mag (ugrizy).
SMTN-002 (throughputs 1.9, airmass 1) gives 26.52, 28.51, 28.36, 28.17, 27.78, 26.82:
ours differ by -0.06 in u (its airmass) and at most 0.02 elsewhere.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AB_ZERO_POINT",
    "BANDS",
    "EUCLID",
    "FIELD_RADIUS_DEG",
    "SURVEYS",
    "Band",
    "Mission",
    "Survey",
    "alike",
    "electron_flux",
    "find_band",
    "flux_from_mag",
    "mag_from_flux",
]

# AB magnitude of 1 nJy: 2.5 log10(3631e9), the usual rounding (Oke & Gunn 1983; LSST DPDD).
AB_ZERO_POINT = 31.4

FIELD_RADIUS_DEG = 1.75
"""Radius of LSST's field of view: 9.6 square degrees (Ivezic et al. 2019)."""


@dataclass(frozen=True)
class Band:
    """One filter of a survey.

    Attributes:
        name: such as ``i``, ``VIS`` or ``Y`` (LSST y is lower case, Euclid Y upper case); no two are alike.
        code: its place in the order of `BANDS`, from 0; also its column in every flux table.
        survey: name of the survey, a key of `SURVEYS`.
        curve: library and name of the filter curve, such as ``speclite:lsst2023-i``: see `curves`.
        wavelength_nm: effective (photon-weighted mean) wavelength of the curve, nm.
        zero_point: AB magnitude of a source that gives 1 electron per second.
        sky_mag: typical dark sky, AB mag/arcsec^2. The AB zero point applies to it too, so
            LSST skies pass the atmosphere once (u 0.5 mag, others 0.1 to 0.2 mag less than
            SMTN-002, which sends the sky through the hardware only).
        exposure_s: one LSST visit or one dither in space, s.
        fwhm_arcsec: typical FWHM of a star's image (LSST: fiducial at zenith).
        fwhm_eff_arcsec: FWHM of the Gaussian with the same noise-equivalent area, pixel included.
        offset_s: start of the exposure within a dither of the mission, s.
    """

    name: str
    code: int
    survey: str
    curve: str
    wavelength_nm: float
    zero_point: float
    sky_mag: float
    exposure_s: float
    fwhm_arcsec: float
    fwhm_eff_arcsec: float
    offset_s: float = 0.0


@dataclass(frozen=True)
class Mission:
    """A spacecraft: what its instruments share. Its exposures are all in the conditions of `Band`.

    Attributes:
        name: such as ``Euclid``.
        jitter_fwhm_arcsec: FWHM of the Gaussian that pointing adds to a PSF.
        start_mjd: beginning of its observations, days.
        years: how long they last; a place is first seen at any time in them.
        dithers: exposures of each band when a place is seen.
        dither_s: from one dither to the next, s.
        return_days: after which a place is seen again, where more exposures are asked for.
    """

    name: str
    jitter_fwhm_arcsec: float
    start_mjd: float
    years: float
    dithers: int
    dither_s: float
    return_days: float


@dataclass(frozen=True)
class Survey:
    """An instrument and its way of observing.

    Attributes:
        name: such as ``LSST`` or ``EUCLID_VIS``.
        group: its group in the store, the name in lower case.
        title: what people read in figures.
        mission: the spacecraft; None on the ground, where LSST's schedule, conditions and optics hold.
        pixel_arcsec: side of a pixel, arcsec.
        diameter_m: diameter of the primary mirror, m.
        obscuration: LINEAR central obscuration (ratio of diameters; the area lost is its square).
            Its square also holds the vignetting of the LSST.
        shadowed: part of the open area that is lost besides, to struts and the like. Diffraction
            leaves it out.
        charge_fwhm_arcsec: FWHM of the Gaussian that charge diffusion adds to a PSF (LSST: 0 here, being
            part of the camera's in `optics`).
        read_noise_e: of one read-out, electrons rms per pixel.
        dark_e_s: dark current, electrons per second and pixel.
        full_well_e: charge at which a pixel saturates, electrons.
        psf_oversampling: PSF samples per pixel, along one side.
        psf_width_arcsec: side of the stored PSF image, arcsec.
        sensor: ``"ccd"``, of silicon, whose charge runs along columns; or ``"hgcdte"``, read in the infrared.
        composite: three bands of a colour picture, red, green, blue, each with a factor that makes a galaxy
            of typical colours at i = 24.5 white; empty for pictures in grey.
    """

    name: str
    group: str
    title: str
    mission: Mission | None
    pixel_arcsec: float
    diameter_m: float
    obscuration: float
    read_noise_e: float
    dark_e_s: float
    full_well_e: float
    psf_oversampling: int
    psf_width_arcsec: float
    shadowed: float = 0.0
    charge_fwhm_arcsec: float = 0.0
    sensor: Literal["ccd", "hgcdte"] = "ccd"
    composite: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.pixel_arcsec < math.inf:
            width = self.pixel_arcsec
            raise ValueError(f"a pixel of {self.name} must have a positive width, not {width} arcsec")

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands in order of their codes."""
        return tuple(band.name for band in BANDS.values() if band.survey == self.name)

    @property
    def area_cm2(self) -> float:
        """Collecting area, cm^2."""
        circle = math.pi / 4 * (100 * self.diameter_m) ** 2
        return circle * (1 - self.obscuration**2) * (1 - self.shadowed)


# Diameters, pixels and (area!) obscurations: surveycodex 1.3.0, which takes 0.39257227 of 8.36 m
# for LSST (effective diameter of about 6.5 m, Ivezic et al. 2019) and 0.13 of 1.2 m for Euclid
# (Cropper et al. 2016, arXiv:1608.08603). We keep the ratio of diameters, as diffraction needs it.
# Colours of composites: differences of 0.4 and 0.6 mag between LSST bands, of 0.2 mag between NISP bands.
_LSST = Survey(
    name="LSST",
    group="lsst",
    title="LSST",
    mission=None,
    pixel_arcsec=0.2,
    diameter_m=8.36,
    obscuration=math.sqrt(0.39257227),
    read_noise_e=8.8,  # requirement on camera noise per exposure, LSE-59 via SMTN-002
    dark_e_s=0.2,  # requirement, LSE-59 via SMTN-002
    full_well_e=100_000,  # most sensors exceed it (lsst-camera-dh/ghosts: 75,000 to 130,000)
    psf_oversampling=2,
    psf_width_arcsec=12.0,
    composite=(("i", 1.0), ("r", 1.45), ("g", 2.5)),
)
# Sky: dark, zenith, Ivezic et al. (2019) Table 2. Exposure: one 30 s visit (surveycodex gives ten-year
# totals). fwhm_eff: SMTN-002, fiducial at zenith; fwhm = 0.822 fwhm_eff + 0.052.
#    name  curve                 nm       zero     sky    s     fwhm                  fwhm_eff
_LSST_BANDS = (
    ("u", "speclite:lsst2023-u", 374.570, 26.4622, 22.99, 30.0, 0.822 * 0.92 + 0.052, 0.92),
    ("g", "speclite:lsst2023-g", 484.622, 28.4972, 22.26, 30.0, 0.822 * 0.87 + 0.052, 0.87),
    ("r", "speclite:lsst2023-r", 624.903, 28.3671, 21.20, 30.0, 0.822 * 0.83 + 0.052, 0.83),
    ("i", "speclite:lsst2023-i", 757.899, 28.1869, 20.48, 30.0, 0.822 * 0.80 + 0.052, 0.80),
    ("z", "speclite:lsst2023-z", 869.113, 27.8012, 19.60, 30.0, 0.822 * 0.78 + 0.052, 0.78),
    ("y", "speclite:lsst2023-y", 976.689, 26.8265, 18.61, 30.0, 0.822 * 0.76 + 0.052, 0.76),
)

# Euclid's blur, FWHM of Gaussians. Jitter and charge together 0.10 arcsec, which with diffraction and the
# pixel gives VIS the FWHM of 0.17 arcsec of Laureijs et al. (2011, arXiv:1110.3193, section 4); 0.16 arcsec
# in flight (VIS processing of Q1, arXiv:2503.15303). The split is our choice: pointing 25 mas rms on each
# axis, charge 4 micrometres rms in silicon 12 micrometres (0.1 arcsec) a pixel; NISP's charge is as wide.
# A place is seen in four dithers, about 70 minutes for all (Scaramella et al. 2022); that it comes back
# after half a year is our choice.
EUCLID = Mission(
    name="Euclid",
    jitter_fwhm_arcsec=0.06,
    start_mjd=60354.0,  # 2024-02-14
    years=6,
    dithers=4,
    dither_s=1050.0,
    return_days=182.625,
)
_EUCLID_VIS = Survey(
    name="EUCLID_VIS",
    group="euclid_vis",
    title="Euclid VIS",
    mission=EUCLID,
    pixel_arcsec=0.1,
    diameter_m=1.2,
    obscuration=math.sqrt(0.13),
    charge_fwhm_arcsec=0.08,
    read_noise_e=4.4,  # Euclid Consortium, VIS page (via GalSim-Euclid-Like)
    dark_e_s=0.00056,  # 2 e-/pixel/hour, e2v CCD273
    full_well_e=200_000,  # Euclid Consortium, VIS page (via GalSim-Euclid-Like)
    psf_oversampling=3,
    psf_width_arcsec=6.0,
)
_EUCLID_NISP = Survey(
    name="EUCLID_NISP",
    group="euclid_nisp",
    title="Euclid NISP",
    mission=EUCLID,
    pixel_arcsec=0.3,
    diameter_m=1.2,
    obscuration=math.sqrt(0.13),
    charge_fwhm_arcsec=0.08,
    read_noise_e=7.0,  # signal-estimator noise in photometric mode, Kubik et al. (arXiv:2507.11326)
    dark_e_s=0.02,  # order of magnitude for these detectors; 1 % of the variance, so it hardly matters
    full_well_e=126_000,  # 16 bits at 0.52 ADU/e- (Kubik et al.)
    sensor="hgcdte",
    psf_oversampling=5,
    psf_width_arcsec=9.6,
    composite=(("H", 1.0), ("J", 1.2), ("Y", 1.45)),
)
# VIS sky: surveycodex 1.3.0 (zodiacal). NISP sky: medians in flight, Cuillandre et al. (2025, ERO) Table 2.
# VIS 565 s, NISP 112 s: Scaramella et al. (2022) sec. 4.1, one of four dithers, and their order within one:
# VIS with the spectra, then J, H, Y. Fwhm: of a star's image in our own PSFs (`optics`) with the pixel.
# VIS: 0.17" in Cropper et al. (2016), 0.16" in flight (VIS processing of Q1, arXiv:2503.15303). NISP's
# 0.48" in stacked images (Cuillandre et al. 2025, Table 2) are widened by the stacking. Fwhm_eff: of our
# own PSFs with the pixel: an obscured Airy disk, the mean over the band for a 5800 K star, and 0.10" of
# jitter and charge diffusion.
#    name    curve                nm       zero     sky      s      fwhm   fwhm_eff offset
_EUCLID_VIS_BANDS = (("VIS", "speclite:Euclid-VIS", 750.637, 25.9202, 22.3203, 565.0, 0.167, 0.2385, 0.0),)
_EUCLID_NISP_BANDS = (
    ("Y", "speclite:Euclid-Y", 1089.014, 24.9858, 22.1, 112.0, 0.339, 0.404, 910.0),
    ("J", "speclite:Euclid-J", 1379.127, 25.1687, 22.2, 112.0, 0.337, 0.452, 630.0),
    ("H", "speclite:Euclid-H", 1785.975, 25.1054, 22.3, 112.0, 0.363, 0.520, 770.0),
)

# Roman's Wide Field Instrument: numbers of galsim.roman (GalSim 2.8) where nothing else is said. Jitter there
# is 14 mas rms on each axis, the worst case; six dithers are its mean of five to seven, and read noise is
# that of fitting a ramp, 20 e- for each pair of reads and a floor of 5. Times are our choice: five years of
# observations (the primary mission) from the beginning of 2027, exposures of one band one after the other
# with a minute between them, all of them again half a year later.
_ROMAN_MISSION = Mission(
    name="Roman",
    jitter_fwhm_arcsec=0.033,
    start_mjd=61406.0,  # 2027-01-01
    years=5,
    dithers=6,
    dither_s=200.0,
    return_days=182.625,
)
_ROMAN = Survey(
    name="ROMAN",
    group="roman",
    title="Roman",
    mission=_ROMAN_MISSION,
    pixel_arcsec=0.11,
    diameter_m=2.36,
    obscuration=0.32,
    shadowed=0.04315,  # leaves the collecting area of 37,570 cm^2
    charge_fwhm_arcsec=0.0259,  # a Gaussian of sigma 0.1 pixels
    read_noise_e=8.5,
    dark_e_s=0.015,
    full_well_e=110_000,  # 55,000 counts at 2 e- each, the defaults of romanisim (STScI)
    sensor="hgcdte",
    psf_oversampling=5,
    psf_width_arcsec=6.6,
    composite=(("H158", 1.0), ("J129", 1.15), ("Y106", 1.4)),  # medians of our galaxies
)
# Curves: effective areas of 2021-06-14 (Roman project, via GalSim). Sky: zodiacal light of GalSim's
# `getSkyLevel` where it looks by default (90 degrees from the Sun, ecliptic latitude 30), a tenth more for
# stray light, and the thermal background of the telescope, which is most of the sky in K213. Fwhm and
# fwhm_eff: of our own PSFs with the pixel, as Euclid's. Filters are a pass each, in the order of wavelength,
# W146 after them.
#    name    curve                nm       zero     sky    s      fwhm   fwhm_eff offset
_ROMAN_BANDS = (
    ("R062", "galsim.roman:R062", 643.411, 26.7339, 22.41, 139.8, 0.124, 0.134, 0.0),
    ("Z087", "galsim.roman:Z087", 876.483, 26.4015, 22.17, 139.8, 0.124, 0.1535, 1200.0),
    ("Y106", "galsim.roman:Y106", 1065.207, 26.4607, 22.14, 139.8, 0.127, 0.169, 2400.0),
    ("J129", "galsim.roman:J129", 1300.501, 26.4767, 22.14, 139.8, 0.1365, 0.188, 3600.0),
    ("H158", "galsim.roman:H158", 1587.537, 26.5112, 22.12, 139.8, 0.153, 0.2125, 4800.0),
    ("F184", "galsim.roman:F184", 1846.613, 26.0591, 21.94, 139.8, 0.1725, 0.237, 6000.0),
    ("K213", "galsim.roman:K213", 2130.619, 26.0164, 19.53, 139.8, 0.194, 0.264, 7200.0),
    ("W146", "galsim.roman:W146", 1537.847, 27.7072, 21.75, 139.8, 0.138, 0.192, 8400.0),
)

# The order decides codes and random streams: a new survey comes last.
_ENTRIES: tuple[tuple[Survey, tuple[tuple[Any, ...], ...]], ...] = (
    (_LSST, _LSST_BANDS),
    (_EUCLID_VIS, _EUCLID_VIS_BANDS),
    (_EUCLID_NISP, _EUCLID_NISP_BANDS),
    (_ROMAN, _ROMAN_BANDS),
)

SURVEYS: dict[str, Survey] = {survey.name: survey for survey, _ in _ENTRIES}

_ROWS: list[tuple[Any, ...]] = [(row[0], survey.name, *row[1:]) for survey, rows in _ENTRIES for row in rows]
BANDS: dict[str, Band] = {row[0]: Band(row[0], code, *row[1:]) for code, row in enumerate(_ROWS)}


_T = TypeVar("_T")


def alike(survey: Survey, table: Mapping[str, _T]) -> _T:
    """What a table says of a survey, by name; of one that it leaves out, what it says of the first like it.

    Surveys are alike that have the same sensors, both on the ground or both in space.

    Raises:
        ValueError: if the table has neither the survey nor one like it.
    """
    if survey.name in table:
        return table[survey.name]
    for name, entry in table.items():
        other = SURVEYS[name]
        if other.sensor == survey.sensor and (other.mission is None) == (survey.mission is None):
            return entry
    raise ValueError(
        f"nothing is known of {survey.name} or of a survey like it: add it beside {' '.join(table)}"
    )


def find_band(name: str) -> Band:
    """The band of that name.

    Raises:
        ValueError: if there is none; the message names the bands that come near.

    Examples:
        >>> find_band("VIS").survey
        'EUCLID_VIS'
    """
    if name in BANDS:
        return BANDS[name]
    near = [band for band in BANDS if band.lower() == name.lower()]
    near = near or difflib.get_close_matches(name, BANDS, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"no band is called {name!r}: {hint}The bands are {' '.join(BANDS)}")


def flux_from_mag(mag: ArrayLike) -> NDArray[np.float64]:
    """Flux in nJy of an AB magnitude; any shape.

    Examples:
        >>> float(flux_from_mag(31.4))
        1.0
    """
    return 10.0 ** (-0.4 * (np.asarray(mag, dtype=float) - AB_ZERO_POINT))


def mag_from_flux(flux: ArrayLike) -> NDArray[np.float64]:
    """AB magnitude of a flux in nJy; any shape.

    Raises:
        ValueError: if a flux is not positive: such a flux has no magnitude.
    """
    nanojansky = np.asarray(flux, dtype=float)
    if not np.all(nanojansky > 0):
        first = nanojansky[~(nanojansky > 0)].flat[0]
        raise ValueError(f"only a positive flux has a magnitude, not {first} nJy: mask the others first")
    return AB_ZERO_POINT - 2.5 * np.log10(nanojansky)


def electron_flux(band: Band, exposure_s: float) -> float:
    """Flux in nJy of a source that gives ONE electron in an exposure of that many seconds.

    Multiply electrons by it to get nJy; divide nJy by it to get electrons.

    Raises:
        ValueError: if the exposure does not last longer than zero seconds.
    """
    if not exposure_s > 0:
        raise ValueError(f"an exposure lasts longer than zero seconds, not {exposure_s}")
    return 10.0 ** (0.4 * (AB_ZERO_POINT - band.zero_point)) / exposure_s
