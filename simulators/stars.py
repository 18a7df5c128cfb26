"""Stars of the Milky Way by Galactic latitude: how many, how bright, in all bands.

Counts are an integral along the line of sight: two disks and a halo (Jurić et al. 2008) filled with
the main sequence of Pecaut & Mamajek (2013) and a mass function. Colours are the locus of SDSS and
2MASS (Covey et al. 2007): a spectrum that has them, straight between the bands, is
counted through our bands as any other. Left out: giants, white and brown dwarfs, unresolved
companions, dust, and the dependence on longitude (90 degrees is taken).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .spectra import synthetic_flux
from .surveys import BANDS, flux_from_mag

__all__ = [
    "COLOUR_LIMITS",
    "COVEY_LOCUS",
    "I_BRIGHTEST",
    "I_FAINTEST",
    "LOWEST_LATITUDE_DEG",
    "Stars",
    "draw_stars",
    "star_density_arcmin2",
    "star_fluxes",
    "star_locus",
]

I_BRIGHTEST, I_FAINTEST = 16.0, 28.0
# Nearer to the plane dust and crowding, which are left out, decide.
LOWEST_LATITUDE_DEG = 15.0

# Covey et al. (2007, AJ 134, 2398), table of median colours along g - i, every tenth row or so:
# g-i, then u-g, g-r, r-i, i-z, z-J, J-H, H-Ks; SDSS on AB, 2MASS on Vega.
COVEY_LOCUS = np.array([
    [0.10, 1.05, 0.09, 0.02, -0.03, 0.76, 0.23, 0.12],
    [0.20, 1.06, 0.18, 0.03, -0.02, 0.77, 0.22, 0.09],
    [0.40, 1.07, 0.30, 0.10, 0.01, 0.81, 0.28, 0.06],
    [0.60, 1.25, 0.44, 0.16, 0.04, 0.87, 0.34, 0.07],
    [0.80, 1.56, 0.58, 0.21, 0.08, 0.95, 0.42, 0.08],
    [1.00, 1.90, 0.73, 0.27, 0.12, 1.01, 0.49, 0.10],
    [1.20, 2.17, 0.87, 0.32, 0.16, 1.07, 0.55, 0.11],
    [1.40, 2.38, 1.02, 0.38, 0.20, 1.10, 0.60, 0.12],
    [1.60, 2.53, 1.15, 0.45, 0.24, 1.14, 0.64, 0.14],
    [1.80, 2.61, 1.26, 0.54, 0.29, 1.18, 0.66, 0.16],
    [2.00, 2.61, 1.35, 0.65, 0.35, 1.21, 0.66, 0.18],
    [2.20, 2.61, 1.41, 0.79, 0.43, 1.25, 0.65, 0.20],
    [2.40, 2.59, 1.41, 0.98, 0.52, 1.30, 0.63, 0.22],
    [2.60, 2.58, 1.41, 1.18, 0.62, 1.35, 0.61, 0.24],
    [2.80, 2.62, 1.43, 1.36, 0.72, 1.41, 0.60, 0.26],
    [3.00, 2.61, 1.47, 1.52, 0.81, 1.48, 0.59, 0.27],
    [3.20, 2.64, 1.52, 1.68, 0.90, 1.54, 0.59, 0.30],
    [3.40, 2.50, 1.56, 1.83, 0.99, 1.60, 0.60, 0.32],
    [3.60, 2.47, 1.59, 2.01, 1.08, 1.66, 0.60, 0.33],
    [3.80, 2.47, 1.59, 2.20, 1.18, 1.73, 0.61, 0.33],
    [4.00, 2.14, 1.66, 2.34, 1.28, 1.84, 0.63, 0.38],
])  # fmt: skip
COLOUR_LIMITS = (0.10, 4.00)
# Effective wavelengths, Angstrom, of SDSS (speclite sdss2010) and 2MASS (Cohen et al. 2003, recalled),
# and what turns 2MASS into AB (Blanton & Roweis 2007, recalled).
_LOCUS_CURVES = (*(f"sdss2010-{name}" for name in "ugriz"), "twomass-J", "twomass-H", "twomass-Ks")
_LOCUS_ANGSTROM = np.array([3614.0, 4749.0, 6206.0, 7526.0, 8947.0, 12350.0, 16620.0, 21590.0])
_TWOMASS_AB = (0.91, 1.39, 1.85)
# Corrections of the corners: colours come back to 1e-3 mag.
_CORRECTIONS = 20

# Mamajek's table of dwarfs (version 2024.05.15 of the one in Pecaut & Mamajek 2013, ApJS 208, 9), F5 to
# M6: mass / Msun, M_J (Vega), and the g - i of the locus where its g-r (to K7) or r-i (from M0) is theirs.
_DWARFS = np.array([
    [1.32, 2.52, 0.30], [1.16, 3.05, 0.475], [1.00, 3.60, 0.62], [0.93, 3.96, 0.765],
    [0.82, 4.46, 0.985], [0.72, 4.91, 1.32], [0.70, 5.10, 1.415], [0.64, 5.59, 1.725],
    [0.585, 5.97, 2.045], [0.51, 6.48, 2.23], [0.45, 6.81, 2.38], [0.36, 7.38, 2.63],
    [0.29, 7.93, 2.84], [0.24, 8.20, 2.975], [0.18, 8.80, 3.235], [0.155, 9.09, 3.425],
    [0.122, 9.72, 3.61], [0.105, 10.18, 3.71],
])  # fmt: skip

# Mass function: log-normal about 0.27 Msun (Bochanski et al. 2008, arXiv:0810.2343, abstract). Width in
# log10 m and thin-disk stars per pc^3 and dex at the peak are our choice: 0.054 per pc^3 in all, and counts
# that lie between those of Bahcall & Soneira at V = 18 to 21 and the steeper ones of M dwarfs since.
_MASS_PEAK, _MASS_WIDTH, _MASS_NORM = 0.27, 0.42, 0.065

# Jurić et al. (2008, ApJ 673, 864), abstract: scale heights and lengths, pc, and density of the thick
# disk against the thin; halo flattening and slope. Local halo fraction, height of the Sun and distance
# to the centre recalled from the text.
_THIN, _THICK, _THICK_FRACTION = (300.0, 2600.0), (900.0, 3600.0), 0.12
_HALO_FRACTION, _HALO_FLATTENING, _HALO_SLOPE = 0.0051, 0.64, 2.77
_SUN_HEIGHT, _SUN_RADIUS = 25.0, 8000.0
# Metal-poor dwarfs of one colour are fainter than Mamajek's by this in thin disk, thick disk, halo, and
# stars bluer than the turn-off are gone from the old two. Our choice.
_SUBLUMINOUS, _TURNOFF = (0.0, 0.4, 1.0), (0.30, 0.40, 0.25)

# Scatter of single stars, mag: along the locus, and off it in each band but i, more in u. Our choice.
_COLOUR_SCATTER, _BAND_SCATTER, _U_SCATTER = 0.03, 0.02, 0.08
# These bands scatter by themselves. A band of any other survey scatters as they do at its wavelength: near
# twins of one filter see the same star alike, and a new survey draws no random numbers.
_SCATTERED = ("u", "g", "r", "i", "z", "y", "VIS", "Y", "J", "H")
# Grid of the line of sight: absolute and apparent magnitudes.
_STEP = 0.05
_LONGITUDE_DEG = 90.0


@dataclass(frozen=True)
class Stars:
    """n stars.

    Attributes:
        x, y: (n,) arcsec from the centre.
        flux: (n, bands) nJy, columns in order of the band codes.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)


def draw_stars(
    rng: np.random.Generator, *, width_arcsec: float, latitude_deg: float, i_limit: float = 27.5
) -> Stars:
    """Stars in a square, uniform, with `I_BRIGHTEST` < i < `i_limit`.

    Arguments:
        rng: where the random numbers come from.
        width_arcsec: of the square, margins included.
        latitude_deg: Galactic latitude, either sign.
        i_limit: faintest LSST i magnitude.

    Raises:
        ValueError: if the width is not positive, or latitude or limit are out of range.
    """
    if not width_arcsec > 0.0:
        raise ValueError(f"a patch of sky has a positive width, not {width_arcsec} arcsec")
    counts = _counts(_latitude(latitude_deg), _limit(i_limit))
    n = rng.poisson(counts.cumulative[-1] * (width_arcsec / 60.0) ** 2)
    cell = np.searchsorted(counts.cumulative, counts.cumulative[-1] * rng.uniform(size=n), side="right")
    mag_i = counts.mag_i[cell // len(counts.colour)] + counts.step * rng.uniform(-0.5, 0.5, n)
    colour = counts.colour[cell % len(counts.colour)] + _COLOUR_SCATTER * rng.normal(size=n)
    scatter = np.full(len(_SCATTERED), _BAND_SCATTER)
    scatter[_SCATTERED.index("u")], scatter[_SCATTERED.index("i")] = _U_SCATTER, 0.0
    flux = star_fluxes(np.clip(colour, *COLOUR_LIMITS), mag_i)
    flux *= 10.0 ** (-0.4 * (scatter * rng.normal(size=(n, len(_SCATTERED)))) @ _scatter_shares())
    half = width_arcsec / 2.0
    x, y = rng.uniform(-half, half, (2, n))
    return Stars(x, y, flux)


def star_density_arcmin2(latitude_deg: float, i_limit: float) -> float:
    """Stars per arcmin^2 with `I_BRIGHTEST` < i < `i_limit` at a Galactic latitude, either sign.

    Raises:
        ValueError: if latitude or limit are out of range.
    """
    return float(_counts(_latitude(latitude_deg), _limit(i_limit)).cumulative[-1])


def star_fluxes(colour: ArrayLike, mag_i: ArrayLike) -> NDArray[np.float64]:
    """Fluxes of stars on the locus in all bands.

    Arguments:
        colour: (n,) g - i of SDSS, within `COLOUR_LIMITS`.
        mag_i: (n,) LSST i magnitudes.

    Returns:
        (n, bands) nJy, columns in order of the band codes.

    Raises:
        ValueError: if a colour is beyond the locus.
    """
    colour = np.asarray(colour, dtype=float)
    if not np.all((colour >= COLOUR_LIMITS[0]) & (colour <= COLOUR_LIMITS[1])):
        raise ValueError(f"the locus reaches from g - i = {COLOUR_LIMITS[0]} to {COLOUR_LIMITS[1]}")
    magnitudes = np.stack([np.interp(colour, COVEY_LOCUS[:, 0], band) for band in _locus_bands().T], axis=-1)
    return flux_from_mag(magnitudes + np.asarray(mag_i, dtype=float)[:, None])


def star_locus() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The locus as spectra: AB magnitudes at eight wavelengths, joined by straight lines in ln(wavelength).

    The magnitudes at the corners are moved until the curves of SDSS and 2MASS give back the colours.

    Returns:
        colour: (n,) g - i of SDSS.
        wavelength: (m,) Angstrom, 2900 to 26,000.
        f_lambda: (n, m) arbitrary units.
    """
    u_g, g_r, r_i, i_z, z_j, j_h, h_k = COVEY_LOCUS.T[1:]
    j = -i_z - z_j  # magnitudes relative to i; from J on Vega
    vega = np.stack([j, j - j_h, j - j_h - h_k], axis=-1)
    sdss = np.stack([u_g + g_r + r_i, g_r + r_i, r_i, 0.0 * r_i, -i_z], axis=-1)
    wanted = np.concatenate([sdss, vega + np.array(_TWOMASS_AB)], axis=1)
    wavelength = np.geomspace(2900.0, 24000.0, 3000)
    # The same steps on to where the reddest filters end.
    wavelength = np.append(wavelength, wavelength[-1] * (wavelength[1] / wavelength[0]) ** np.arange(1, 115))
    weights = _locus_weights(wavelength)
    corners = wanted.copy()
    for _ in range(_CORRECTIONS):
        corners += wanted + 2.5 * np.log10(10.0 ** (-0.4 * _joined(corners, wavelength)) @ weights)
    return COVEY_LOCUS[:, 0], wavelength, 10.0 ** (-0.4 * _joined(corners, wavelength)) / wavelength**2


def _joined(corners: NDArray[np.float64], wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """AB magnitudes between the corners, and level beyond them, where the locus says nothing."""
    at = np.log(wavelength)
    return np.stack([np.interp(at, np.log(_LOCUS_ANGSTROM), row) for row in corners])


def _locus_weights(wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """(wavelength, band) weights that turn f_nu into its photon-weighted mean in the curves of the locus."""
    import speclite.filters

    columns = []
    for name in _LOCUS_CURVES:
        curve = speclite.filters.load_filter(name)
        response = np.interp(wavelength, curve.wavelength, curve.response, left=0.0, right=0.0)
        # Photons of f_nu in equal steps of ln(wavelength): f_nu R d(ln nu).
        columns.append(response / response.sum())
    return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class _Counts:
    """Stars along a line of sight: apparent magnitude by kind of star, a kind being population and colour.

    Attributes:
        cumulative: stars per arcmin^2 up to each cell, (magnitude, kind) in one line.
        mag_i: centres of the bins, `step` wide.
        colour: g - i of each kind.
    """

    cumulative: NDArray[np.float64]
    mag_i: NDArray[np.float64]
    step: float
    colour: NDArray[np.float64]


@lru_cache(maxsize=64)
def _counts(latitude_deg: float, i_limit: float) -> _Counts:
    absolute, colour, number = _main_sequence()
    bins = int(np.ceil((i_limit - I_BRIGHTEST) / _STEP))
    edges = np.linspace(I_BRIGHTEST, i_limit, bins + 1)
    mag_i, step = (edges[1:] + edges[:-1]) / 2.0, edges[1] - edges[0]
    square_arcmin = (np.pi / 180.0 / 60.0) ** 2
    kinds = []
    for population, (fainter, bluest) in enumerate(zip(_SUBLUMINOUS, _TURNOFF, strict=True)):
        distance = 10.0 ** (0.2 * (mag_i[:, None] - absolute - fainter) + 1.0)
        volume = distance**3 * (np.log(10.0) / 5.0) * step * square_arcmin
        kinds.append(
            volume * _density(distance, latitude_deg)[population] * np.where(colour < bluest, 0.0, number)
        )
    cells = np.concatenate(kinds, axis=1)
    return _Counts(np.cumsum(cells), mag_i, float(step), np.tile(colour, len(_SUBLUMINOUS)))


def _density(distance_pc: NDArray[np.float64], latitude_deg: float) -> tuple[NDArray[np.float64], ...]:
    """Thin disk, thick disk and halo, relative to the thin disk here (the forms of Jurić et al. 2008)."""
    b, longitude = np.radians(latitude_deg), np.radians(_LONGITUDE_DEG)
    height = np.abs(distance_pc * np.sin(b) + _SUN_HEIGHT)
    along = distance_pc * np.cos(b)
    radius = np.sqrt(_SUN_RADIUS**2 + along**2 - 2.0 * _SUN_RADIUS * along * np.cos(longitude))
    thin, thick = (
        np.exp((_SUN_HEIGHT - height) / tall + (_SUN_RADIUS - radius) / long)
        for tall, long in (_THIN, _THICK)
    )
    spheroid = np.hypot(radius, height / _HALO_FLATTENING)
    halo = (_SUN_RADIUS / np.maximum(spheroid, 100.0)) ** _HALO_SLOPE
    return thin, _THICK_FRACTION * thick, _HALO_FRACTION * halo


@cache
def _main_sequence() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """M_i (AB), g - i, and stars per pc^3 of the thin disk here, in cells of equal width in M_i."""
    mass, m_j, colour = _DWARFS.T
    i_j = np.interp(colour, COVEY_LOCUS[:, 0], COVEY_LOCUS[:, 4] + COVEY_LOCUS[:, 5])
    edges = np.linspace(m_j[0] + i_j[0], m_j[-1] + i_j[-1], 200)
    absolute = (edges[1:] + edges[:-1]) / 2.0
    log_mass = np.interp(edges, m_j + i_j, np.log10(mass))
    middle = (log_mass[1:] + log_mass[:-1]) / 2.0
    density = _MASS_NORM * np.exp(-0.5 * ((middle - np.log10(_MASS_PEAK)) / _MASS_WIDTH) ** 2)
    return absolute, np.interp(absolute, m_j + i_j, colour), density * -np.diff(log_mass)


@cache
def _locus_bands() -> NDArray[np.float64]:
    """(row of the locus, band) AB magnitudes relative to LSST i."""
    _, wavelength, f_lambda = star_locus()
    flux = np.empty((len(COVEY_LOCUS), len(BANDS)))
    for name, band in BANDS.items():
        flux[:, band.code] = synthetic_flux(wavelength, f_lambda, name)
    return -2.5 * np.log10(flux / flux[:, [BANDS["i"].code]])


@cache
def _scatter_shares() -> NDArray[np.float64]:
    """(scattered band, band) what each takes of the scatter of the bands beside it, linear in wavelength."""
    known = sorted(_SCATTERED, key=lambda name: BANDS[name].wavelength_nm)
    at = [BANDS[name].wavelength_nm for name in known]
    shares = np.zeros((len(_SCATTERED), len(BANDS)))
    for row, name in enumerate(_SCATTERED):
        nodes = [float(name == other) for other in known]
        shares[row] = np.interp([band.wavelength_nm for band in BANDS.values()], at, nodes)
    return shares


def _latitude(latitude_deg: float) -> float:
    if not LOWEST_LATITUDE_DEG <= abs(latitude_deg) <= 90.0:
        raise ValueError(
            f"stars are known at Galactic latitudes of {LOWEST_LATITUDE_DEG:g} to 90 degrees either side"
            f" of the plane, not at {latitude_deg}"
        )
    return abs(float(latitude_deg))


def _limit(i_limit: float) -> float:
    if not I_BRIGHTEST < i_limit <= I_FAINTEST:
        raise ValueError(f"i_limit is {i_limit}: it has to lie between {I_BRIGHTEST:g} and {I_FAINTEST:g}")
    return float(i_limit)
