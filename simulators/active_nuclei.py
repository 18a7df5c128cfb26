"""Active nuclei: how many, how bright, and how their light wanders: a damped random walk.

Magnitudes about their mean are an Ornstein-Uhlenbeck process, drawn exactly at any times. The time scale and
the amplitude follow wavelength, luminosity and mass of the black hole as in MacLeod et al. (2010, ApJ 721,
1014). Bands of one nucleus follow one walk, and each a smaller one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .curves import pivot_wavelength
from .surveys import flux_from_mag

__all__ = [
    "BLACK_HOLE_RANGE",
    "CORRELATION",
    "M_G_RANGE",
    "black_hole_mass",
    "damped_random_walk",
    "draw_magnitudes",
    "nucleus_fluxes",
    "number_density",
    "structure_function",
    "variability",
]

CORRELATION = 0.95
"""Correlation of the walks in two bands of a nucleus at one time: our choice, they follow each other."""

M_G_RANGE = (-29.0, -20.0)
"""Absolute g magnitudes (AB, continuum, K corrected to z = 2) of nuclei that are counted."""

BLACK_HOLE_RANGE = (1e6, 1e10)
"""Masses, solar masses: our choice."""

# log10 f = A + B log10(wavelength / 4000) + C (M_i + 23) + D log10(M_BH / 1e9) at rest, f being the
# asymptotic structure function, mag, and the time scale, days: MacLeod et al. (2010), as quoted by several
# public codes; B and D of the time scale are in the abstract.
_AMPLITUDE = (-0.51, -0.479, 0.131, 0.18)
_TIME_SCALE = (2.4, 0.17, 0.03, 0.21)
# Wavelength at which the time scale of all bands of a nucleus is taken, Angstrom, observed: our choice.
_MEAN_WAVELENGTH = 6200.0

# Luminosity function: a double power law about a magnitude that moves with redshift
# (Palanque-Delabrouille et al. 2013, by our knowledge), numbers as coded in a public IDL routine for BOSS.
_PIVOT, _M_STAR, _LOG_PHI = 2.2, -26.36, -5.89
_BRIGHT, _FAINT = -3.5, -1.43
_BEFORE, _BEYOND = (0.03, -0.34), (-0.35, -0.02)
_GRID, _Z_GRID = np.linspace(*M_G_RANGE, 181), np.linspace(0.0, 7.0, 351)

# Of log10 of the mass of the black hole: at M_g = -23, for each magnitude (as luminosity to the power 0.9),
# and the scatter. Our choice, about a tenth of the Eddington luminosity.
_LOG_MASS, _MASS_SLOPE, _MASS_SCATTER = 8.0, -0.36, 0.4
# f_nu goes as nu to this, and M_i - M_g follows: our choice, the usual slope of quasars.
_SPECTRAL_SLOPE = -0.44
_M_I_OFFSET = -0.2


def structure_function(lag: ArrayLike, tau: ArrayLike, sf_inf: ArrayLike) -> NDArray[np.float64]:
    """Root mean square difference of magnitudes after a lag: SF_inf sqrt(1 - exp(-lag / tau))."""
    lag, tau, sf_inf = (np.asarray(value, dtype=float) for value in (lag, tau, sf_inf))
    return sf_inf * np.sqrt(-np.expm1(-np.abs(lag) / tau))


def variability(
    wavelength: ArrayLike, m_i: ArrayLike, mass: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time scale and amplitude of a nucleus at rest (MacLeod et al. 2010).

    Arguments:
        wavelength: at rest, Angstrom.
        m_i: absolute i magnitude (AB, K corrected to z = 2).
        mass: of the black hole, solar masses. All broadcast.

    Returns:
        tau, days, and SF_inf, mag.
    """
    terms = (1.0, np.log10(np.asarray(wavelength) / 4000.0), np.asarray(m_i) + 23.0)
    terms = (*terms, np.log10(np.asarray(mass) / 1e9))
    sums = [sum(a * b for a, b in zip(law, terms, strict=True)) for law in (_TIME_SCALE, _AMPLITUDE)]
    return 10.0 ** np.asarray(sums[0]), 10.0 ** np.asarray(sums[1])


def damped_random_walk(
    rng: np.random.Generator,
    row_size: ArrayLike,
    days: ArrayLike,
    band: ArrayLike,
    tau: ArrayLike,
    sf_inf: ArrayLike,
    *,
    correlation: float = CORRELATION,
) -> NDArray[np.float64]:
    """Magnitudes about the mean of nuclei seen in several bands at any times.

    Arguments:
        rng: where the random numbers come from.
        row_size: (n,) observations of each nucleus; they follow one another.
        days: (sum of row_size) observed, not falling within a nucleus.
        band: (sum of row_size) code of the band, 0 to b - 1.
        tau: (n,) time scale, days, observed; the same in all bands of a nucleus.
        sf_inf: (n, b) asymptotic structure function, mag, in each band.
        correlation: of two bands at one time.

    Returns:
        (sum of row_size) magnitudes, normal with standard deviation SF_inf / sqrt(2); two in one band differ
        as `structure_function` says, two in different ones are `correlation` times as correlated.

    Raises:
        ValueError: if days fall within a nucleus, or shapes or values do not fit.
    """
    row_size, band = np.asarray(row_size, dtype=np.int64), np.asarray(band, dtype=np.int64)
    days, tau, sf_inf = (np.asarray(value, dtype=float) for value in (days, tau, sf_inf))
    if not 0.0 <= correlation <= 1.0:
        raise ValueError(f"the correlation of bands lies within 0 and 1, not {correlation}")
    if days.shape != (row_size.sum(),) or band.shape != days.shape:
        raise ValueError(
            f"{row_size.sum()} observations need as many days ({days.size}), bands ({band.size})"
        )
    if tau.shape != row_size.shape or sf_inf.ndim != 2 or sf_inf.shape[0] != row_size.size:
        raise ValueError(f"{row_size.size} nuclei need as many time scales and rows of amplitudes")
    if not (np.all(tau > 0) and np.all(sf_inf >= 0)):
        raise ValueError("time scales are positive, and amplitudes not negative")
    if band.size and not 0 <= band.min() <= band.max() < sf_inf.shape[1]:
        raise ValueError(f"codes of bands go from 0 to {sf_inf.shape[1] - 1}, one for each amplitude")
    nucleus = np.repeat(np.arange(row_size.size), row_size)
    common = _walk(rng, nucleus, days, tau[nucleus])
    # A walk of each band and nucleus: its observations in a row, in order of time.
    key = nucleus * sf_inf.shape[1] + band
    order = np.argsort(key, kind="stable")
    own = np.empty(days.size)
    own[order] = _walk(rng, key[order], days[order], tau[nucleus[order]])
    unit = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own
    return sf_inf[nucleus, band] / np.sqrt(2.0) * unit


def _walk(
    rng: np.random.Generator, group: NDArray[np.int64], days: NDArray[np.float64], tau: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Unit walks, one for each run of equal groups: step j of all of them at once."""
    walk = rng.normal(size=days.size)
    if not days.size:
        return walk
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    gap = np.diff(days, prepend=0.0)
    gap[starts] = np.inf
    if np.any(gap < 0):
        raise ValueError("days of a nucleus must not fall: sort its observations by time first")
    keeps = np.exp(-gap / tau)
    walk *= np.sqrt(-np.expm1(-2.0 * gap / tau))
    length = np.diff(np.append(starts, days.size))
    for step in range(1, int(length.max())):
        here = starts[length > step] + step
        walk[here] += keeps[here] * walk[here - 1]
    return walk


def number_density(m_g: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Nuclei per comoving Mpc^3 and magnitude; broadcasts.

    Beyond `M_G_RANGE` none are counted. Our choice: at z < 0.7, below the data, the law goes on, and beyond
    z = 2.2 its slopes stay (there the routine has -3.19 and -1.17), so that numbers do not jump.
    """
    m_g, z = np.broadcast_arrays(np.asarray(m_g, dtype=float), np.asarray(z, dtype=float))
    k1, k2 = (np.where(z < _PIVOT, a, b) for a, b in zip(_BEFORE, _BEYOND, strict=True))
    apart = m_g - (_M_STAR - 2.5 * (k1 * (z - _PIVOT) + k2 * (z - _PIVOT) ** 2))
    density = 10.0**_LOG_PHI / sum(10 ** (0.4 * (slope + 1) * apart) for slope in (_BRIGHT, _FAINT))
    return np.where((m_g >= M_G_RANGE[0]) & (m_g <= M_G_RANGE[1]), density, 0.0)


def draw_magnitudes(rng: np.random.Generator, z: ArrayLike) -> NDArray[np.float64]:
    """(n,) absolute g magnitudes of nuclei at these redshifts, from the luminosity function.

    Raises:
        ValueError: if a redshift is not within 0 and 7.
    """
    z = np.asarray(z, dtype=float)
    if not np.all((z >= 0) & (z <= _Z_GRID[-1])):
        raise ValueError(f"active nuclei have redshifts from 0 to {_Z_GRID[-1]:g}")
    # One of the two redshifts of the table beside each, at random: on average that is a straight line.
    row = np.minimum((z / _Z_GRID[1] + rng.uniform(size=z.size)).astype(int), _Z_GRID.size - 1)
    wanted, table = rng.uniform(size=z.size), _cumulative()
    # Cumulative numbers of all rows in one ascending list: a single search finds every cell.
    cell = np.searchsorted(table.ravel(), row + wanted) - row * table.shape[1]
    cell = np.clip(cell, 0, _GRID.size - 2)
    return _GRID[cell] + rng.uniform(size=z.size) * (_GRID[1] - _GRID[0])


@cache
def _cumulative() -> NDArray[np.float64]:
    """Row number plus the share of nuclei brighter than the end of each cell, for each redshift."""
    density = number_density(_GRID, _Z_GRID[:, None])
    sums = np.cumsum(density[:, 1:] + density[:, :-1], axis=1)
    return np.arange(_Z_GRID.size)[:, None] + sums / sums[:, -1:]


def black_hole_mass(rng: np.random.Generator, m_g: ArrayLike) -> NDArray[np.float64]:
    """(n,) masses, solar masses, of black holes of nuclei of these absolute magnitudes."""
    m_g = np.asarray(m_g, dtype=float)
    log = _LOG_MASS + _MASS_SLOPE * (m_g + 23.0) + _MASS_SCATTER * rng.normal(size=m_g.shape)
    return np.clip(10.0**log, *BLACK_HOLE_RANGE)


def nucleus_fluxes(
    rng: np.random.Generator,
    row_size: ArrayLike,
    days: ArrayLike,
    band: ArrayLike,
    *,
    z: ArrayLike,
    m_g: ArrayLike,
    distance_modulus: ArrayLike,
    bands: Sequence[str] = ("u", "g", "r", "i", "z", "y", "VIS", "Y", "J", "H"),
    correlation: float = CORRELATION,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Light of active nuclei, as a survey that subtracts a template sees it.

    The template shows each nucleus at its mean magnitude, so that the difference is as often negative as
    positive. Dust is left out.

    Arguments:
        rng: where the random numbers come from.
        row_size: (n,) observations of each nucleus; they follow one another.
        days: (sum of row_size) observed, not falling within a nucleus.
        band: (sum of row_size) index into bands.
        z: (n,) redshifts.
        m_g: (n,) absolute g magnitudes, as `draw_magnitudes` gives them.
        distance_modulus: (n,) mag.
        bands: names of bands.
        correlation: of two bands at one time.

    Returns:
        (sum of row_size) flux minus that of the mean magnitude, nJy; and (n, b) mean fluxes, nJy.
    """
    z, m_g, modulus = (np.asarray(value, dtype=float) for value in (z, m_g, distance_modulus))
    observed = np.array([pivot_wavelength(name) for name in bands])
    rest = observed / (1.0 + z[:, None])
    mass, m_i = black_hole_mass(rng, m_g), m_g + _M_I_OFFSET
    tau = variability(_MEAN_WAVELENGTH / (1.0 + z), m_i, mass)[0] * (1.0 + z)
    sf_inf = variability(rest, m_i[:, None], mass[:, None])[1]
    # M_g is that of the continuum in the observed g band at z = 2: a power law from there to any band.
    slope = 2.5 * _SPECTRAL_SLOPE
    mean = m_g + modulus
    mean = mean[:, None] + slope * np.log10(observed / pivot_wavelength("g"))
    mean += (-slope - 2.5) * np.log10((1.0 + z) / 3.0)[:, None]
    row_size, band = np.asarray(row_size, dtype=np.int64), np.asarray(band, dtype=np.int64)
    wander = damped_random_walk(rng, row_size, days, band, tau, sf_inf, correlation=correlation)
    steady = flux_from_mag(mean)
    nucleus = np.repeat(np.arange(row_size.size), row_size)
    return steady[nucleus, band] * np.expm1(-0.4 * np.log(10.0) * wander), steady
