"""Spectra of galaxies through the bands: spectrum x redshift x band, built once.

The spectra are the library of `templates`. They are stretched by redshift, dimmed by intergalactic
hydrogen (Madau 1995) and counted as photons through the curves that also give the zero points
(`curves`). A spectrum is a sum over few elements and photons add up, so the elements are integrated, and
the library costs a product of matrices. The spectrum chosen for a galaxy is its truth in all bands
and, through `band_fractions`, within each of them.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .curves import trimmed_curve
from .surveys import BANDS, find_band, flux_from_mag
from .templates import elements, library

__all__ = [
    "Z_GRID",
    "Z_MAX",
    "band_fractions",
    "element_fluxes",
    "flux_parts",
    "igm_transmission",
    "part_fluxes",
    "synthetic_flux",
]

Z_MAX = 5.0
_Z_STEP = 0.02
Z_GRID = np.linspace(0.0, Z_MAX, round(Z_MAX / _Z_STEP) + 1)
"""Redshifts of the tables; between them fluxes are linear."""
Z_GRID.flags.writeable = False
# Cells across a band: colours change by less than 2e-3 mag if doubled.
_SAMPLES = 2000
# Bands wholly behind the Lyman limit: this fraction of the i flux, so that logarithms stay finite.
_FAINTEST = 1e-8

# Beyond their end, 2.3 micrometres, spectra go on as wavelength to the minus this, which is how those of the
# library fall over their last 0.4 micrometres; no further than this many times the end. At redshift 0.05 all
# bands to 2.4 micrometres are within.
_FALL, _FURTHEST = 3.0, 1.1

# Madau (1995): Lyman alpha to delta, wavelengths in Angstrom and optical-depth coefficients.
_LYMAN_LINES = ((1215.67, 0.0036), (1025.72, 0.0017), (972.537, 0.0012), (949.743, 0.00093))
_LYMAN_LIMIT = 911.75

_LIGHT_SPEED = 2.99792458e18  # Angstrom/s


def igm_transmission(observed: ArrayLike, z: float) -> NDArray[np.float64]:
    """Mean transmission of intergalactic hydrogen towards a source (Madau 1995, eq. 12 and 15).

    Four Lyman lines, and photoelectric absorption in the approximation of his footnote 3.

    Arguments:
        observed: observed wavelengths, Angstrom; any shape.
        z: redshift of the source.

    Returns:
        Factor from 0 to 1 for each wavelength.
    """
    observed = np.asarray(observed, dtype=float)
    emitted = 1.0 + z
    depth = np.zeros_like(observed)
    # Powers are slow, and most bands at most redshifts have little or nothing to be absorbed.
    for line, coefficient in _LYMAN_LINES:
        absorbed = observed < line * emitted
        depth[absorbed] += coefficient * (observed[absorbed] / line) ** 3.46
    # Below the observed limit every absorber from z = 0 on counts, hence the lower bound.
    seen = np.clip(observed / _LYMAN_LIMIT, 1.0, emitted)
    absorbed = seen < emitted
    depth[absorbed] += _continuum_depth(seen[absorbed], emitted)
    depth[~absorbed] += _continuum_depth(np.array([emitted]), emitted)
    return np.exp(-np.maximum(depth, 0.0))


def _continuum_depth(seen: NDArray[np.float64], emitted: float) -> NDArray[np.float64]:
    """Photoelectric absorption (Madau 1995, footnote 3), between these two times the Lyman limit."""
    return (
        0.25 * seen**3 * (emitted**0.46 - seen**0.46)
        + 9.4 * seen**1.5 * (emitted**0.18 - seen**0.18)
        - 0.7 * seen**3 * (seen**-1.32 - emitted**-1.32)
        - 0.023 * (emitted**1.68 - seen**1.68)
    )


def synthetic_flux(wavelength: ArrayLike, f_lambda: ArrayLike, band: str) -> NDArray[np.float64]:
    """AB flux, nJy, of an observed spectrum through a band, counting photons.

    Arguments:
        wavelength: (n,) increasing, Angstrom; it has to cover the band.
        f_lambda: (..., n) erg/s/cm^2/Angstrom.
        band: name of the band.

    Returns:
        (...) fluxes: integral of f_lambda T lambda over integral of f_0 T lambda, f_0 = 1 nJy.

    Raises:
        ValueError: if the spectrum does not cover the band.
    """
    centre, light = _curve(band)
    wavelength = np.asarray(wavelength, dtype=float)
    if wavelength[0] > centre[0] or wavelength[-1] < centre[-1]:
        raise ValueError(
            f"the spectrum covers {wavelength[0]:.0f} to {wavelength[-1]:.0f} Angstrom,"
            f" band {band} needs {centre[0]:.0f} to {centre[-1]:.0f}"
        )
    spectra = np.asarray(f_lambda, dtype=float)
    flat = spectra.reshape(-1, wavelength.size)
    sampled = np.stack([np.interp(centre, wavelength, row) for row in flat])
    return (sampled @ _photon_weights(centre, light)).reshape(spectra.shape[:-1])


@cache
def element_fluxes() -> NDArray[np.float64]:
    """Fluxes of `templates.elements` in nJy per unit of f_lambda in the frame of the galaxy.

    Returns:
        (2, e, z, bands): stars and gas, element, redshift of `Z_GRID`, band. Computed on the first call
        (a few seconds), then remembered. The factor 1 / (1 + z) that all bands share is left out.
    """
    table = np.empty((2, len(elements().names), Z_GRID.size, len(BANDS)))
    for name, band in BANDS.items():
        observed, light = _curve(name)
        table[..., band.code] = _integrated(observed, _photon_weights(observed, light)[None])[..., 0]
    table.flags.writeable = False
    return table


@cache
def part_fluxes() -> NDArray[np.float64]:
    """Fluxes of the library: (k, 2, z, bands) nJy, young and old part, their sum 1 in LSST i throughout.

    In a band wholly behind the Lyman limit the young part keeps `_FAINTEST`, so that magnitudes exist.
    """
    flux = _library_sum(element_fluxes())
    reference = flux[..., BANDS["i"].code].sum(axis=1)
    if not np.all(reference > 0):
        index, row = np.argwhere(~(reference > 0))[0]
        raise ArithmeticError(f"spectrum {index} has no light in i at z={Z_GRID[row]:.2f}")
    flux /= reference[:, None, :, None]
    flux[:, 0] = np.maximum(flux[:, 0], _FAINTEST)
    flux /= flux[..., BANDS["i"].code].sum(axis=1)[:, None, :, None]
    flux.flags.writeable = False
    return flux


def flux_parts(spectrum: ArrayLike, z: ArrayLike, mag_i: ArrayLike) -> NDArray[np.float64]:
    """Fluxes of galaxies in all bands, young and old part apart, linear in redshift on `Z_GRID`.

    Arguments:
        spectrum: (n,) indices into `templates.library`.
        z: (n,) redshifts, 0 to `Z_MAX`.
        mag_i: (n,) LSST i magnitudes of the whole galaxies.

    Returns:
        (n, 2, bands) nJy: `templates.PARTS`, band; both parts together have the magnitude in i.

    Raises:
        ValueError: if a spectrum or redshift is off the table, or the lengths differ.
    """
    spectrum, z, mag_i = _checked(spectrum, z, mag_i)
    return _between(part_fluxes(), spectrum, z) * flux_from_mag(mag_i)[:, None, None]


def band_fractions(spectrum: ArrayLike, z: ArrayLike, band: str, edges_nm: ArrayLike) -> NDArray[np.float64]:
    """How the photons that a band detects spread over wavelength, for images that depend on it.

    Arguments:
        spectrum: (n,) indices into `templates.library`.
        z: (n,) redshifts, 0 to `Z_MAX`.
        band: name of the band.
        edges_nm: (k + 1,) increasing observed wavelengths, nm. Photons beyond the first and last edge
            count in the first and last bin.

    Returns:
        (n, 2, k) of each of the `templates.PARTS`, adding up to 1 over the bins. A part without light
        in the band has the fractions of the whole spectrum, and where that is dark too, those of a
        source of equal f_nu.

    Raises:
        ValueError: if there is no such band, the edges do not increase, or as `flux_parts`.
    """
    edges = np.asarray(edges_nm, dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
        raise ValueError(f"edges_nm are two or more increasing wavelengths, not {edges_nm}")
    spectrum, z, _ = _checked(spectrum, z, np.zeros(np.shape(z)))
    return _between(_fraction_table(find_band(band).name, tuple(edges.tolist())), spectrum, z)


@lru_cache(maxsize=32)
def _fraction_table(band: str, edges_nm: tuple[float, ...]) -> NDArray[np.float64]:
    """(k, 2, z, bins) fractions of photons."""
    observed, light = _curve(band)
    photons = light * observed
    inside = np.searchsorted(edges_nm[1:-1], observed / 10.0, side="right")
    bins = np.where(inside == np.arange(len(edges_nm) - 1)[:, None], photons, 0.0)
    counts = _library_sum(_integrated(observed, bins))
    flat = (bins / observed**2).sum(axis=1)
    whole = counts.sum(axis=1, keepdims=True)
    dark = photons.sum() * 1e-12
    whole = np.where(whole.sum(axis=-1, keepdims=True) > dark, whole, flat)
    counts = np.where(counts.sum(axis=-1, keepdims=True) > dark, counts, whole)
    return counts / counts.sum(axis=-1, keepdims=True)


def _integrated(observed: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the elements over wavelength at every redshift, behind intergalactic hydrogen.

    Each spectrum is linear between its own points, so a weight on an observed wavelength is two
    weights on the points beside it: all sums are then one product of matrices.

    Arguments:
        observed: (n,) wavelengths, Angstrom.
        weights: (c, n) to be summed with.

    Returns:
        (2, e, z, c): stars and gas.
    """
    parts = elements()
    wavelength, size = parts.wavelength, parts.wavelength.size
    if observed[-1] > _FURTHEST * wavelength[-1]:
        raise ValueError(f"spectra end at {wavelength[-1]:.0f} Angstrom, too far from {observed[-1]:.0f}")
    on_points = np.empty((Z_GRID.size, len(weights), size))
    for row, z in enumerate(Z_GRID):
        rest = observed / (1.0 + z)
        beyond = rest > wavelength[-1]
        fallen = (wavelength[-1] / rest[beyond]) ** _FALL
        rest[beyond] = wavelength[-1]
        seen = rest >= wavelength[0]
        left = np.clip(np.searchsorted(wavelength, rest, side="right") - 1, 0, size - 2)
        right = (rest - wavelength[left]) / (wavelength[left + 1] - wavelength[left])
        through = np.where(seen, igm_transmission(observed, z), 0.0)
        through[beyond] *= fallen
        for column, weight in enumerate(weights):
            amount = weight * through
            on_points[row, column] = np.bincount(left, amount * (1.0 - right), size)
            on_points[row, column] += np.bincount(left + 1, amount * right, size)
    spectra = np.stack([parts.continuum, parts.lines])
    return np.tensordot(spectra, on_points, axes=(2, 2))


def _library_sum(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """From (2, e, z, c) of the elements to (k, 2, z, c) of the library's parts."""
    truth, old = library(), elements().old
    young, aged = (
        np.tensordot(truth.coefficients[:, inside], table[0, inside], axes=1) for inside in (~old, old)
    )
    gas = np.tensordot(truth.coefficients * truth.line_strength[:, None], table[1], axes=1)
    return np.stack([np.asarray(young + gas, dtype=float), np.asarray(aged, dtype=float)], axis=1)


def _between(
    table: NDArray[np.float64], spectrum: NDArray[np.int64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows of a (k, 2, z, c) table, linear in redshift: (n, 2, c)."""
    below = np.minimum((z / _Z_STEP).astype(int), Z_GRID.size - 2)
    right = (z / _Z_STEP - below)[:, None, None]
    return (1.0 - right) * table[spectrum, :, below] + right * table[spectrum, :, below + 1]


def _checked(spectrum: ArrayLike, z: ArrayLike, mag_i: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    spectrum, z, mag_i = np.asarray(spectrum), np.asarray(z, dtype=float), np.asarray(mag_i, dtype=float)
    if not spectrum.shape == z.shape == mag_i.shape or z.ndim != 1:
        raise ValueError(
            f"spectrum, z and mag_i are one-dimensional and of one length,"
            f" not {spectrum.shape}, {z.shape} and {mag_i.shape}"
        )
    last = len(library()) - 1
    if not np.issubdtype(spectrum.dtype, np.integer) or np.any((spectrum < 0) | (spectrum > last)):
        raise ValueError(f"a spectrum is an integer from 0 to {last}, an index into templates.library()")
    if not np.all((z >= 0) & (z <= Z_MAX)):
        raise ValueError(f"spectra reach from redshift 0 to {Z_MAX}: clip or drop what lies outside")
    return spectrum, z, mag_i


@cache
def _curve(band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (Angstrom) of `_SAMPLES` cells across the band, and the response integrated over each."""
    wavelength, response = trimmed_curve(band)
    light = np.concatenate([[0.0], np.cumsum(np.diff(wavelength) * (response[1:] + response[:-1]) / 2)])
    # Half of the cells hold equal light, half are equally wide: fine where the band is, yet leaks count.
    spread = light / light[-1] + (wavelength - wavelength[0]) / (wavelength[-1] - wavelength[0])
    edges = np.interp(np.linspace(0.0, 2.0, _SAMPLES + 1), spread, wavelength)
    return (edges[1:] + edges[:-1]) / 2, np.diff(np.interp(edges, wavelength, light))


def _photon_weights(centre: NDArray[np.float64], light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that turn f_lambda (cgs, per Angstrom) on the cells of a band into nJy."""
    one_nJy = 1e-32 * _LIGHT_SPEED / centre**2  # erg/s/cm^2/Angstrom
    photons = light * centre
    return photons / np.sum(one_nJy * photons)
