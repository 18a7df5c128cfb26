"""Redshift and spectrum of a galaxy given its i magnitude, and its magnitude given its redshift.

One model: every spectrum of `templates.library` belongs to galaxies that lie in a Gaussian in
(ln(1 + z), i), and has a share of them all. Shares and Gaussians were fitted to cosmoDC2 at i < 25.3
(docs/calibration/fit_photometry.py). Given i, a spectrum is drawn with the odds its Gaussian gives, and
then the redshift from the same Gaussian, both of them conditional on i.

Outside `FITTED` the odds and Gaussians are those of its nearer end, and redshifts are multiplied:
at the bright end by 10^(0.2 (i - end)), the same galaxies nearer to us; at the faint end by
1 + `DRIFT` (i - end), which goes on with what DC2 does over its last magnitude. DC2 itself ends at
z = 3, so few galaxies lie beyond, fewer than in the sky.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from .spectra import Z_MAX
from .templates import library

__all__ = [
    "DRIFT",
    "FITTED",
    "I_RANGE",
    "draw_magnitudes_at",
    "draw_redshifts",
    "draw_spectra",
    "redshift_density",
]

I_RANGE = (16.0, 28.5)
"""LSST i magnitudes for which there are redshifts."""

FITTED = (18.5, 25.2)
"""Where the data decide: brighter there are too few, fainter there are none."""

DRIFT = 0.12
"""Growth of redshifts per magnitude beyond the fit."""

# Nothing is nearer: DC2 has none, and a galaxy would fill the scene.
_Z_MIN = 0.01
_MAG = np.linspace(*I_RANGE, 126)
_Z = np.expm1(np.linspace(np.log1p(_Z_MIN), np.log1p(Z_MAX), 181))
_CHUNK = 200_000


def draw_redshifts(
    rng: np.random.Generator, mag_i: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Redshifts and spectra of galaxies of known magnitude.

    Arguments:
        rng: where the random numbers come from.
        mag_i: (n,) LSST i magnitudes within `I_RANGE`.

    Returns:
        (n,) redshifts up to `spectra.Z_MAX`, and (n,) indices into `templates.library`.

    Raises:
        ValueError: if a magnitude is outside `I_RANGE`.
    """
    mag_i = _checked(mag_i)
    truth = library()
    # The odds are known at points of _MAG: the nearer one of two is the more probable.
    row = _dithered(rng, mag_i, _MAG)
    spectrum = _pick(rng, _odds(), row)
    effective = np.clip(mag_i, *FITTED)
    centre, width = _conditional(effective, truth.mean[spectrum], truth.covariance[spectrum])
    growth = _growth(mag_i)
    low, high = ndtr((np.log1p(np.stack([_Z_MIN / growth, Z_MAX / growth])) - centre) / width)
    z0 = np.expm1(centre + width * ndtri(low + rng.uniform(size=len(mag_i)) * (high - low)))
    return np.clip(z0 * growth, _Z_MIN, Z_MAX), spectrum


def draw_spectra(rng: np.random.Generator, z: ArrayLike, mag_i: ArrayLike) -> NDArray[np.int64]:
    """Spectra of galaxies of known redshift and magnitude, from p(spectrum | z, i).

    Arguments:
        rng: where the random numbers come from.
        z: (n,) redshifts; below the nearest and beyond the farthest the spectra are theirs.
        mag_i: (n,) LSST i magnitudes within `I_RANGE`.

    Returns:
        (n,) indices into `templates.library`.

    Raises:
        ValueError: if a magnitude is outside `I_RANGE`, a redshift outside 0 to `spectra.Z_MAX`, or the
            lengths differ.
    """
    mag_i = _checked(mag_i)
    z = _checked_z(z, mag_i.shape)
    row = _dithered(rng, np.clip(mag_i, _MAG[0], _MAG[-1]), _MAG)
    column = _dithered(rng, np.clip(z, _Z[0], _Z[-1]), _Z)
    return _pick(rng, _odds_at(), row * len(_Z) + column)


def draw_magnitudes_at(
    rng: np.random.Generator,
    z: ArrayLike,
    i_limit: float,
    counts: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    i_brightest: float = I_RANGE[0],
) -> NDArray[np.float64]:
    """Magnitudes of galaxies of known redshift: p(i | z) in proportion to counts(i) p(z | i).

    Arguments:
        rng: where the random numbers come from.
        z: (n,) redshifts from 0 to `spectra.Z_MAX`.
        i_limit: faintest LSST i magnitude.
        counts: number of galaxies per magnitude (any scale) at (m,) i magnitudes.
        i_brightest: brightest LSST i magnitude.

    Returns:
        (n,) LSST i magnitudes.

    Raises:
        ValueError: if the limits are not within `I_RANGE` and in order, a redshift outside 0 to
            `spectra.Z_MAX`, or the counts are negative or all zero.
    """
    if not I_RANGE[0] <= i_brightest < i_limit <= I_RANGE[1]:
        raise ValueError(f"i_brightest < i_limit have to lie within {I_RANGE}, not {i_brightest}, {i_limit}")
    z = np.asarray(z, dtype=float)
    z = _checked_z(z, z.shape)
    mag = np.linspace(i_brightest, i_limit, 1 + round((i_limit - i_brightest) / 0.05))
    number = np.asarray(counts(mag), dtype=float)
    if number.shape != mag.shape or not np.all(number >= 0) or not np.any(number > 0):
        raise ValueError("counts gives a number from zero for each magnitude, not all of them zero")
    density = _on_magnitudes(mag) * number[:, None]
    column = _dithered(rng, np.clip(z, _Z[0], _Z[-1]), _Z)
    # Trapezoids; within one, the density is taken as flat.
    steps = np.maximum((density[1:] + density[:-1]) / 2, 1e-300).T
    cumulative = np.cumsum(steps / steps.sum(axis=1, keepdims=True), axis=1)
    piece = _pick(rng, cumulative, column)
    return mag[piece] + rng.uniform(size=len(z)) * (mag[1] - mag[0])


def redshift_density(z: ArrayLike, mag_i: ArrayLike) -> NDArray[np.float64]:
    """The density p(z | i) that `draw_redshifts` draws from.

    Arguments:
        z: (n,) redshifts.
        mag_i: (m,) LSST i magnitudes within `I_RANGE`.

    Returns:
        (m, n) per unit redshift; zero outside 0.01 to `spectra.Z_MAX`.

    Raises:
        ValueError: if a magnitude is outside `I_RANGE`.
    """
    mag_i, z = _checked(mag_i), np.asarray(z, dtype=float)
    return np.stack([_joint(z, mag).sum(axis=1) for mag in mag_i])


def _joint(z: NDArray[np.float64], mag_i: float) -> NDArray[np.float64]:
    """(n, k) p(z, spectrum | i), per unit redshift."""
    truth = library()
    effective, growth = np.clip(mag_i, *FITTED), float(_growth(np.array([mag_i]))[0])
    centre, width = _conditional(effective, truth.mean, truth.covariance)
    low, high = ndtr((np.log1p(np.array([[_Z_MIN], [Z_MAX]]) / growth) - centre) / width)
    apart = (np.log1p(np.maximum(z, 0.0) / growth)[:, None] - centre) / width
    density = np.exp(-0.5 * apart**2) / (np.sqrt(2 * np.pi) * width * np.maximum(high - low, 1e-12))
    density *= _shares(effective) / (growth + z)[:, None]
    return np.where(((z >= _Z_MIN) & (z <= Z_MAX))[:, None], density, 0.0)


def _shares(mag_i: float) -> NDArray[np.float64]:
    """(k,) p(spectrum | i)."""
    truth = library()
    variance = truth.covariance[:, 1, 1]
    log = np.log(truth.weight / np.sqrt(variance)) - 0.5 * (mag_i - truth.mean[:, 1]) ** 2 / variance
    share = np.exp(log - log.max())
    return share / share.sum()


def _conditional(
    mag_i: NDArray[np.float64] | float, mean: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and width of ln(1 + z) given i."""
    slope = covariance[:, 0, 1] / covariance[:, 1, 1]
    variance = covariance[:, 0, 0] - slope * covariance[:, 0, 1]
    return mean[:, 0] + slope * (mag_i - mean[:, 1]), np.sqrt(variance)


def _growth(mag_i: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor on redshifts outside `FITTED`."""
    bright, faint = np.minimum(mag_i - FITTED[0], 0.0), np.maximum(mag_i - FITTED[1], 0.0)
    return 10.0 ** (0.2 * bright) * (1.0 + DRIFT * faint)


@cache
def _odds() -> NDArray[np.float64]:
    """(magnitude, k) cumulative p(spectrum | i)."""
    return np.cumsum([_shares(float(np.clip(mag, *FITTED))) for mag in _MAG], axis=1)


@cache
def _density_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """p(z | i), (magnitude, z), and cumulative p(spectrum | z, i), (magnitude * z, k)."""
    density, odds = [], []
    for mag in _MAG:
        joint = _joint(_Z, float(mag)) + 1e-300
        density.append(joint.sum(axis=1))
        odds.append(np.cumsum(joint, axis=1) / density[-1][:, None])
    return np.array(density), np.concatenate(odds)


def _odds_at() -> NDArray[np.float64]:
    return _density_table()[1]


def _on_magnitudes(mag: NDArray[np.float64]) -> NDArray[np.float64]:
    """p(z | i) on _Z at other magnitudes than _MAG: (m, z)."""
    density = _density_table()[0]
    below = np.clip(np.searchsorted(_MAG, mag, side="right") - 1, 0, len(_MAG) - 2)
    right = ((mag - _MAG[below]) / (_MAG[below + 1] - _MAG[below]))[:, None]
    return (1.0 - right) * density[below] + right * density[below + 1]


def _dithered(
    rng: np.random.Generator, value: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.int64]:
    """One of the two points beside each value, at random: on average this is linear interpolation."""
    below = np.clip(np.searchsorted(points, value, side="right") - 1, 0, len(points) - 2)
    right = (value - points[below]) / (points[below + 1] - points[below])
    return below + (rng.uniform(size=len(value)) < right)


def _pick(
    rng: np.random.Generator, cumulative: NDArray[np.float64], row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """An index drawn from the cumulative probabilities of each row, by bisection of all at once."""
    uniform = rng.uniform(size=len(row))
    low, high = np.zeros(len(row), dtype=np.int64), np.full(len(row), cumulative.shape[1] - 1)
    for _ in range(int(np.ceil(np.log2(cumulative.shape[1]))) + 1):
        middle = (low + high) // 2
        above = cumulative[row, middle] <= uniform
        low, high = np.where(above & (low < high), middle + 1, low), np.where(above, high, middle)
    return low


def _checked(mag_i: ArrayLike) -> NDArray[np.float64]:
    mag_i = np.asarray(mag_i, dtype=float)
    if mag_i.ndim != 1 or not np.all((mag_i >= I_RANGE[0]) & (mag_i <= I_RANGE[1])):
        raise ValueError(f"mag_i is one-dimensional and within {I_RANGE}: redshifts are known there")
    return mag_i


def _checked_z(z: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    z = np.asarray(z, dtype=float)
    if z.ndim != 1 or z.shape != shape or not np.all((z >= 0) & (z <= Z_MAX)):
        raise ValueError(f"z is one-dimensional, as long as mag_i, and within 0 and {Z_MAX}")
    return z
