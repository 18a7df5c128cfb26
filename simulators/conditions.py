"""What LSST sees through: airmass, seeing and depth of each exposure, drawn together.

Seeing is that of the atmosphere and the airmass by SMTN-002. Depth follows the seeing, so a sharp
visit is deep; the moon takes from it what its phase says; and what is left is a loss that is only
ever positive (twilight, moonlight nearby, cloud), which gives depths their long shallow tail.
Visits of one night share most of all this, and those of one block nearly everything.

Where a table gives depths and no seeing, `seeing_given_depth` draws it from the same joint law.
"""

from __future__ import annotations

import math

import numpy as np

from .schedule import Schedule, moon_phase
from .surveys import BANDS
from .visits import deepest, widest_fwhm_eff

__all__ = ["airmass", "draw_conditions", "seeing_given_depth"]

# Atmosphere at 500 nm and zenith: log-normal. SMTN-002's fiducial FWHM_eff contain 0.62"; 0.65"
# gives median FWHM_eff of 1.05" (u) to 0.85" (y). Early operations delivered medians of 0.92 to 1.27",
# but in that seeing the depths of the baseline would need a detector quieter than the requirement.
# The scatter in ln is ours: quartiles of 0.54" and 0.79".
_FWHM_500_ARCSEC, _FWHM_500_SIGMA = 0.65, 0.28
# Telescope, optical design and camera, at zenith (SMTN-002).
_FWHM_SYSTEM_ARCSEC = math.sqrt(0.25**2 + 0.08**2 + 0.30**2)
_WAVELENGTHS_NM = np.array([band.wavelength_nm for band in BANDS.values()])

_LATITUDE = math.radians(-30.2446)  # of the telescope
_AIRMASS_MOST = 1.5  # our choice: the survey seldom looks lower

# Depth at fwhm_eff = 1" without loss, mean loss, and what a full moon takes (mag), u to y: fitted
# to the visits of the 150 wide pointings of the baseline v3.0, see docs/results/sky_cadence.py.
_SHARP = np.array([23.89, 24.73, 24.32, 23.77, 23.03, 22.11])
_LOSS = np.array([0.23, 0.26, 0.31, 0.34, 0.27, 0.23])
_FULL_MOON = np.array([0.0, 0.75, 0.85, 0.52, 0.23, 0.13])
_MOON_POWER = 3.0  # of the illuminated fraction
# Every pointing has its own offset, mag.
_POINTING_SIGMA = 0.06
# Deep sequences keep to their day: they avoid neither the moon nor poor nights as the rest does.
_FULL_MOON_DEEP = np.array([0.0, 1.1, 0.9, 0.45, 0.25, 0.15])
_TAIL_DEEP = np.array([0.3, 0.15, 0.02, 0.0, 0.1, 0.16])

# Given the depth: draws for each visit, hour angles (radians) where none are known, visits at once.
_TRIES, _TYPICAL_ANGLE, _AT_ONCE = 64, 0.4, 4096

# Share of the variance that is common to a night, and to a block within it.
_NIGHT, _BLOCK = 0.72, 0.25


def airmass(hour_angle: np.ndarray, dec: float) -> np.ndarray:
    """Secant of the zenith angle at the telescope, at most 1.5.

    Arguments:
        hour_angle: radians.
        dec: declination, radians.
    """
    sine = math.sin(_LATITUDE) * math.sin(dec)
    cosine = math.cos(_LATITUDE) * math.cos(dec) * np.cos(hour_angle)
    return 1.0 / np.maximum(sine + cosine, 1.0 / _AIRMASS_MOST)


def draw_conditions(
    rng: np.random.Generator, schedule: Schedule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effective seeing (arcsec), five-sigma depth (AB mag) and airmass of every exposure."""
    air = airmass(schedule.hour_angle, schedule.dec)
    atmosphere, one, two = _shared_normals(rng, schedule.night, schedule.block)
    fwhm_eff = _fwhm_eff(schedule.code, _FWHM_500_ARCSEC * np.exp(_FWHM_500_SIGMA * atmosphere), air)
    # Half the sum of two squares is exponential, and as correlated as the normals, squared.
    exponential = (one**2 + two**2) / 2
    tail = np.where(schedule.deep, 1.0 + _TAIL_DEEP[schedule.code] * exponential, 1.0)
    loss = _LOSS[schedule.code] * exponential * tail
    clear = _clear_depth(schedule.code, schedule.mjd, schedule.deep) + _POINTING_SIGMA * rng.normal()
    m5 = clear - 2.5 * np.log10(fwhm_eff) - loss
    return fwhm_eff, np.minimum(m5, deepest(schedule.code, fwhm_eff)), air


def seeing_given_depth(
    rng: np.random.Generator, *, code: np.ndarray, mjd: np.ndarray, m5: np.ndarray, airmass: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Effective seeing (arcsec) and airmass of LSST visits of which the depth is known.

    Drawn from the law of `draw_conditions` given the depth, each visit by itself.

    Arguments:
        code: (n) code of the band, 0 to 5.
        mjd: (n) for the moon.
        m5: (n) five-sigma depth of one visit, AB mag.
        airmass: (n) if known.
    """
    fwhm_eff, air = np.empty(len(code)), np.empty(len(code))
    for first in range(0, len(code), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        known = None if airmass is None else airmass[part]
        fwhm_eff[part], air[part] = _posterior(rng, code[part], mjd[part], m5[part], known)
    return fwhm_eff, air


def _posterior(
    rng: np.random.Generator, code: np.ndarray, mjd: np.ndarray, m5: np.ndarray, known: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """One of `_TRIES` draws without the depth, each as likely as the loss that the depth asks of it."""
    shape, row = (len(code), _TRIES), np.arange(len(code))
    if known is None:
        # As the wide survey has it: declinations and hour angles of its own.
        sine = rng.uniform(math.sin(math.radians(-62.0)), math.sin(math.radians(2.0)), shape)
        angle = rng.normal(0.0, _TYPICAL_ANGLE, shape)
        zenith = math.sin(_LATITUDE) * sine + math.cos(_LATITUDE) * np.sqrt(1 - sine**2) * np.cos(angle)
        air = 1.0 / np.maximum(zenith, 1.0 / _AIRMASS_MOST)
    else:
        air = np.broadcast_to(known[:, None], shape)
    atmosphere = _FWHM_500_ARCSEC * np.exp(_FWHM_500_SIGMA * rng.normal(size=shape))
    fwhm_eff = _fwhm_eff(code[:, None], atmosphere, air)
    sharp, widest, mean_loss = _clear_depth(code, mjd) - m5, widest_fwhm_eff(code, m5), _LOSS[code]
    loss = sharp[:, None] - 2.5 * np.log10(fwhm_eff)
    likely = np.exp(-np.maximum(loss, 0.0) / mean_loss[:, None]) / mean_loss[:, None]
    weight = np.where((loss >= 0) & (fwhm_eff <= widest[:, None]), likely, 0.0)
    total = np.cumsum(weight, axis=1)
    pick = np.minimum((total < (rng.uniform(size=len(code)) * total[:, -1])[:, None]).sum(1), _TRIES - 1)

    # Or the detector allows no more: then the seeing is the widest in which it allows that much.
    mean, sigma = np.log(fwhm_eff).mean(1), np.maximum(np.log(fwhm_eff).std(1), 1e-6)
    density = np.exp(-0.5 * ((np.log(widest) - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    slope = (deepest(code, 0.995 * widest) - deepest(code, 1.005 * widest)) / 0.01
    room = np.maximum(sharp - 2.5 * np.log10(widest), 0.0)
    limited = density / slope * (1 - np.exp(-room / mean_loss))
    # A visit deeper than any seeing tried explains is taken to be limited too.
    is_limited = rng.uniform(size=len(code)) * (limited + total[:, -1] / _TRIES) <= limited
    nearest = np.argmin(np.abs(fwhm_eff - widest[:, None]), axis=1)
    pick = np.where(is_limited, nearest, pick)
    return np.where(is_limited, widest, fwhm_eff[row, pick]), air[row, pick]


def _clear_depth(code: np.ndarray, mjd: np.ndarray, deep: np.ndarray | bool = False) -> np.ndarray:
    """Depth at fwhm_eff = 1 arcsec without loss, under the moon of that date."""
    lit = (1.0 - np.cos(2 * math.pi * moon_phase(mjd))) / 2.0
    return _SHARP[code] - np.where(deep, _FULL_MOON_DEEP[code], _FULL_MOON[code]) * lit**_MOON_POWER


def _shared_normals(rng: np.random.Generator, night: np.ndarray, block: np.ndarray) -> np.ndarray:
    """(3, n) unit normals that visits of a night and of a block share."""
    shares = ((night, _NIGHT), (block, _BLOCK))
    total = math.sqrt(1.0 - _NIGHT - _BLOCK) * rng.normal(size=(3, len(night)))
    for group, share in shares:
        total += math.sqrt(share) * rng.normal(size=(3, int(group.max()) + 1))[:, group]
    return total


def _fwhm_eff(code: np.ndarray, fwhm_500_arcsec: np.ndarray, air: np.ndarray) -> np.ndarray:
    """SMTN-002: system and atmosphere in quadrature, both growing as airmass^0.6."""
    atmosphere = fwhm_500_arcsec * (500.0 / _WAVELENGTHS_NM[code]) ** 0.3
    return 1.16 * np.sqrt(_FWHM_SYSTEM_ARCSEC**2 + 1.04 * atmosphere**2) * air**0.6
