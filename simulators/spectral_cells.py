"""Spectra and bands on one grid in ln(wavelength), where a redshift is a shift.

A spectrum is a cubic B-spline, whose number k belongs to ln(wavelength / Angstrom) = k * step: that one
which differs least from it in the mean of squares. What a band sees of a spectrum is then a sum of its
numbers, each times the integral of the band's curve with one B-spline. What the B-splines cannot follow of a
spectrum is orthogonal to all of them, and so nearly to the curve of a band, which is smooth: two errors are
multiplied with each other.

A redshift of ln(1 + z) = (n + u) * step, n whole, moves a spectrum by n numbers and the fraction u of one.
The integrals change smoothly with u: they are polynomials of it, and hold at any redshift.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from .curves import trimmed_curve
from .series import Series, evaluated

__all__ = [
    "STEPS",
    "BandCells",
    "band_cells",
    "cell_wavelength",
    "chosen_step",
    "f_lambda_of_1_nJy",
    "first_cell",
    "fraction_covered",
    "light",
    "together",
]

STEPS = (0.0025, 0.001, 0.0005)
"""Between numbers of a spectrum, in ln(wavelength), that `chosen_step` chooses from: 750 to
150 km/s. The finest is that of a series with a point every 5 Angstrom, at 10,000 Angstrom."""

# The step is the widest that gives the same fluxes as the finest, to this fraction, at these redshifts, in
# every band that the series covers, wherever it is above a hundredth of its peak. A step in a spectrum that
# meets a line of the air has a far larger error there, at a redshift that is not tried: 5e-4 was seen where
# these agreed to 2e-5. So they must agree as smooth series do.
_TRIED, _SAME = np.expm1(np.linspace(0.0, np.log(2.5), 16)), 2e-6

# Pieces of a cell in which a curve is taken as a number of photons at their middle: they widen what is
# integrated by (step / 16)^2 / 24 in its second moment.
_PIECES = 16
# Degree of the polynomials in u, and where they are fitted.
_DEGREE, _FITTED = 4, np.linspace(0.0, 1.0, 9)

_LIGHT_SPEED = 2.99792458e18  # Angstrom/s


@dataclass(frozen=True)
class BandCells:
    """A band, as seen by a spectrum on cells.

    Attributes:
        first: the bluest number of a spectrum at redshift 0 that the band may see.
        weights: (degree + 1, cells) polynomials in u: what f_lambda (cgs, per Angstrom) of each number adds
            to the flux in nJy.
        wavelength: (k,) Angstrom, increasing.
        below: (k,) the fraction of the photons of a source of equal f_nu that are bluer.
    """

    first: int
    weights: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    below: NDArray[np.float64]

    @property
    def end(self) -> int:
        """One beyond the reddest number."""
        return self.first + self.weights.shape[1]


def cell_wavelength(number: ArrayLike, step: float) -> NDArray[np.float64]:
    """Angstrom, of the middles of B-splines."""
    return np.exp(step * np.asarray(number, dtype=float))


def first_cell(step: float) -> int:
    """The bluest number of a spectrum.

    Light beyond the Lyman limit, 912 Angstrom, does not leave a galaxy.
    """
    return int(np.ceil(np.log(912.0) / step)) - 1


def f_lambda_of_1_nJy(wavelength: ArrayLike) -> NDArray[np.float64]:
    """erg/s/cm^2/Angstrom at wavelengths in Angstrom."""
    return 1e-32 * _LIGHT_SPEED / np.asarray(wavelength, dtype=float) ** 2


def light(series: Series, end: int, step: float) -> NDArray[np.float64]:
    """A series at its own phases as numbers of B-splines, from `first_cell` to before `end`.

    Returns:
        (cells, c, p) f_lambda.
    """
    first = first_cell(step)
    # Four points in each cell of Gauss and Legendre: right for polynomials to degree 7.
    place, share = np.polynomial.legendre.leggauss(4)
    place, share = (place + 1.0) / 2.0, share / 2.0
    cells = end - first - 3
    x = (np.arange(cells)[:, None] + place).ravel()
    spectra = evaluated(series, cell_wavelength(first + 1 + x, step)).reshape(-1, x.size).T
    four = np.stack([_b_spline(place - offset) for offset in range(-1, 3)], axis=1)
    columns = np.arange(cells)[:, None, None] + np.zeros((4, 1), dtype=int) + np.arange(4)
    row_start = 4 * np.arange(x.size + 1)
    shape = (x.size, end - first)
    values = np.broadcast_to(four, (cells, 4, 4)).ravel()
    basis = csr_array((values, columns.ravel(), row_start), shape=shape)
    weighted = basis.multiply(np.tile(share, cells)[:, None]).tocsr()
    numbers = splu((weighted.T @ basis).tocsc()).solve(weighted.T @ spectra)
    return numbers.reshape(end - first, *series.f_lambda.shape[:2])


@cache
def band_cells(name: str, step: float) -> BandCells:
    """A band on cells; arrays are not to be written to."""
    wavelength, response = trimmed_curve(name)
    ends = np.log(wavelength[[0, -1]]) / step
    low, high = int(np.floor(ends[0])), int(np.ceil(ends[1]))
    edges = low + np.arange((high - low) * _PIECES + 1) / _PIECES
    middle = (edges[1:] + edges[:-1]) / 2
    at = cell_wavelength(middle, step)
    photons = np.diff(_integral(wavelength, response, cell_wavelength(edges, step))) * at
    flat = photons * f_lambda_of_1_nJy(at)
    photons /= flat.sum()
    first, size = low - 2, high - low + 4
    sampled = np.zeros((_FITTED.size, size))
    for row, u in zip(sampled, _FITTED, strict=True):
        left = np.floor(middle - u)
        beyond = middle - u - left
        for offset in range(-1, 3):
            number = left.astype(int) + offset - first
            row += np.bincount(number, photons * _b_spline(beyond - offset), size)
    powers = np.vander(_FITTED, _DEGREE + 1, increasing=True)
    weights = np.asarray(np.linalg.lstsq(powers, sampled)[0], dtype=float)
    below = np.concatenate([[0.0], np.cumsum(flat)])
    found = BandCells(first, weights, cell_wavelength(edges, step), below / below[-1])
    for array in (found.weights, found.wavelength, found.below):
        array.flags.writeable = False
    return found


@lru_cache(maxsize=32)
def together(names: tuple[str, ...], step: float) -> tuple[int, NDArray[np.float32]]:
    """Bands on common cells: the first, and (degree + 1, b, cells) polynomials."""
    bands = [band_cells(name, step) for name in names]
    first, end = min(band.first for band in bands), max(band.end for band in bands)
    weights = np.zeros((len(bands[0].weights), len(bands), end - first), dtype=np.float32)
    for row, band in enumerate(bands):
        weights[:, row, band.first - first : band.end - first] = band.weights
    return first, weights


def fraction_covered(
    covers: tuple[float, float], names: tuple[str, ...], step: float, z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(z, b) fraction of the photons of a source of equal f_nu between two wavelengths in its frame."""
    low, high = (end * (1.0 + z) for end in covers)
    bands = [band_cells(name, step) for name in names]
    parts = [np.interp(high, b.wavelength, b.below) - np.interp(low, b.wavelength, b.below) for b in bands]
    return np.stack(parts, axis=-1)


def chosen_step(series: Series, names: tuple[str, ...]) -> tuple[float, NDArray[np.float64]]:
    """The widest step that is fine enough for a series, and (cells, c, p) the series on its cells."""
    fine, known = _tried(series, names, STEPS[-1])
    bright = known[:, :, 0] > 0.01 * known[:, :, 0].max(axis=2, keepdims=True)
    bright &= fraction_covered(series.covers, names, STEPS[-1], _TRIED)[:, :, None] == 1.0
    # A colour law is taken at the middle of each cell, and is steep in the ultraviolet.
    for step in STEPS[:-1] if series.colour_law is None else STEPS[1:-1]:
        numbers, seen = _tried(series, names, step)
        error = np.abs(seen - known).max(axis=2)
        if np.all(error[bright] <= _SAME * known[:, :, 0][bright]):
            return step, numbers
    return STEPS[-1], fine


def _tried(series: Series, names: tuple[str, ...], step: float) -> tuple[NDArray, NDArray]:
    """(cells, c, p) a series on cells, and (z, b, c, p) its fluxes at a few redshifts."""
    first, weights = together(names, step)
    numbers = light(series, first + weights.shape[2], step)
    flat = numbers.reshape(len(numbers), -1)
    seen = np.empty((_TRIED.size, len(names), *numbers.shape[1:]))
    for row, place in zip(seen, np.log1p(_TRIED) / step, strict=True):
        powers = (place - int(place)) ** np.arange(len(weights))
        begin = first - first_cell(step) - int(place)
        dark = max(-begin, 0)
        weight = np.tensordot(powers, weights[:, :, dark:], axes=1)
        row[...] = (weight @ flat[begin + dark : begin + weights.shape[2]]).reshape(row.shape)
    return numbers, seen


def _b_spline(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic B-spline of whole knots about 0."""
    x = np.abs(x)
    return np.where(x < 1.0, 2.0 / 3.0 - x**2 + x**3 / 2.0, np.maximum(2.0 - x, 0.0) ** 3 / 6.0)


def _integral(
    wavelength: NDArray[np.float64], response: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Integral of a curve of straight lines up to each end."""
    whole = np.concatenate([[0.0], np.cumsum(np.diff(wavelength) * (response[1:] + response[:-1]) / 2)])
    inside = np.clip(ends, wavelength[0], wavelength[-1])
    left = np.clip(np.searchsorted(wavelength, inside, side="right") - 1, 0, wavelength.size - 2)
    on = inside - wavelength[left]
    slope = (response[left + 1] - response[left]) / (wavelength[left + 1] - wavelength[left])
    return whole[left] + on * (response[left] + on * slope / 2)
