"""What the air does to an image: turbulence blurs it, refraction shifts it by colour.

Turbulence is von Karman's: Kolmogorov's with an outer scale, beyond which the air moves as a
whole. In long exposures its transfer function is exp(−D/2), with D the structure function of
the phase at the separation wavelength x frequency. SDSS finds profiles of this form (Xin et al. 2018,
arXiv:1805.02845), with outer scales of 5 to 100 m.

Refraction follows Filippenko (1982), as GalSim 2.8 gives his formulae (dcr.py): bluer light is
lifted more towards the zenith.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gamma, kv

from .diffraction import ARCSEC

__all__ = [
    "draw_outer_scale",
    "fried_parameter",
    "refraction_arcsec",
    "refractivity",
    "structure_function",
    "turbulence_transfer",
]

# Outer scale, m: median and scatter in ln of the log-normal, and its ends, of the imSim code of DC2
# (LSSTDESC/imSim, atmPSF.py).
_OUTER_SCALE_M, _OUTER_SCALE_SIGMA, _OUTER_SCALE_RANGE_M = 25.0, 0.6, (10.0, 100.0)

# Air at the telescope: the defaults of GalSim 2.8 (dcr.py), which calls them appropriate for LSST at
# Cerro Pachon. In the units of Filippenko (1982): mm Hg and degrees Celsius.
_MMHG_KPA = 7.50061683
_PRESSURE_MMHG, _TEMPERATURE_C, _VAPOUR_MMHG = 69.328 * _MMHG_KPA, 20.0, 1.067 * _MMHG_KPA


def draw_outer_scale(rng: np.random.Generator) -> float:
    """Outer scale of the turbulence of one visit, m."""
    low, high = np.log(np.array(_OUTER_SCALE_RANGE_M) / _OUTER_SCALE_M) / _OUTER_SCALE_SIGMA
    while not low <= (unit := rng.normal()) <= high:
        pass
    return float(_OUTER_SCALE_M * np.exp(_OUTER_SCALE_SIGMA * unit))


def structure_function(separation_m: ArrayLike, r0_m: float, outer_scale_m: float) -> NDArray[np.float64]:
    """Mean square difference of the phase at two points of the pupil, rad², von Karman turbulence.

    In closed form by a Bessel function, the transform of the spectrum (k² + 1/L0²)^(−11/6); tests compare it
    with GalSim's. Where separations are small it is 6.88 (r/r0)^(5/3).

    Arguments:
        separation_m: m, any shape.
        r0_m: Fried parameter at the wavelength of the phase, m.
        outer_scale_m: m.
    """
    log_x, log_d = _structure_table()
    x = np.abs(np.asarray(separation_m, dtype=float)) / outer_scale_m
    # Below the table Kolmogorov's power, above it nothing changes any more.
    inside = np.interp(np.log(np.maximum(x, 1e-300)), log_x, log_d)
    log_small = log_d[0] + 5 / 3 * (np.log(np.maximum(x, 1e-300)) - log_x[0])
    return np.exp(np.minimum(inside, log_small)) * (outer_scale_m / r0_m) ** (5 / 3) * (x > 0)


@cache
def _structure_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ln of separation over outer scale, ln of structure function for r0 = outer scale."""
    # Below 1e-6 the two terms cancel; that is 0.1 mm or less, and the power law takes over.
    log_x = np.linspace(np.log(1e-6), np.log(20.0), 6000)
    y = 2 * np.pi * np.exp(log_x)
    factor = 2 ** (1 / 6) * gamma(11 / 6) / np.pi ** (8 / 3) * (24 / 5 * gamma(6 / 5)) ** (5 / 6)
    d = factor * (gamma(5 / 6) / 2 ** (1 / 6) - y ** (5 / 6) * kv(5 / 6, y))
    return log_x, np.log(d)


def turbulence_transfer(
    frequency: ArrayLike, wavelength_nm: float, r0_m: float, outer_scale_m: float
) -> NDArray[np.float64]:
    """Transfer function of a long exposure through the turbulence: exp(−D/2).

    Arguments:
        frequency: cycles per arcsec, any shape.
        wavelength_nm: nm.
        r0_m: Fried parameter AT THAT WAVELENGTH (it grows as the 6/5 power), m.
        outer_scale_m: m.
    """
    separation = np.asarray(frequency, dtype=float) * (wavelength_nm * 1e-9 / ARCSEC)
    return np.exp(-structure_function(separation, r0_m, outer_scale_m) / 2)


def fried_parameter(fwhm_arcsec: float, wavelength_nm: float) -> float:
    """Fried parameter at which Kolmogorov turbulence alone gives a FWHM, m: 0.976 λ / FWHM."""
    return 0.976 * wavelength_nm * 1e-9 / (fwhm_arcsec * ARCSEC)


def refractivity(wavelength_nm: ArrayLike) -> NDArray[np.float64]:
    """Index of refraction of the air at the telescope, less one (Filippenko 1982)."""
    inverse = (1000.0 / np.asarray(wavelength_nm, dtype=float)) ** 2  # per square micrometre
    standard = 64.328 + 29498.1 / (146 - inverse) + 255.4 / (41 - inverse)
    warm = 1 + 0.003661 * _TEMPERATURE_C
    p = _PRESSURE_MMHG
    dry = standard * p * (1 + (1.049 - 0.0157 * _TEMPERATURE_C) * 1e-6 * p) / (720.883 * warm)
    return 1e-6 * (dry - (0.0624 - 0.000680 * inverse) / warm * _VAPOUR_MMHG)


def refraction_arcsec(wavelength_nm: ArrayLike, airmass: float) -> NDArray[np.float64]:
    """How far refraction lifts an image towards the zenith, arcsec: (n − 1) tan z, sec z the airmass.

    Raises:
        ValueError: if the airmass is below 1.
    """
    if not 1 <= airmass < np.inf:
        raise ValueError(f"an airmass is at least 1, not {airmass}")
    return refractivity(wavelength_nm) * np.sqrt(airmass**2 - 1) / ARCSEC
