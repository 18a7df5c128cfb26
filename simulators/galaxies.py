"""The population of galaxies: magnitude, type, redshift, fluxes in ten bands, size and shape.

Counts follow the LSST Science Book; type and redshift the prior of Benítez (2000) given the i
magnitude; sizes and Sersic indices were fitted to COSMOS galaxies; ellipticities follow Miller et
al. (2013). First form: positions are no concern of this file, sizes and ellipticities do
not depend on redshift, and a galaxy has the colours of one of four templates exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .spectra import TEMPLATES, Z_MAX, fluxes
from .surveys import BANDS

__all__ = [
    "BULGE",
    "DISK",
    "I_BRIGHTEST",
    "I_FAINTEST",
    "MAX_KNOTS",
    "SERSIC_INDICES",
    "Galaxies",
    "density_arcmin2",
    "draw_galaxies",
    "type_fractions",
]

# The components of a galaxy, an axis of two. What one Sersic profile describes is all disk.
DISK, BULGE = 0, 1
# Knots of a disk, at most.
MAX_KNOTS = 8

# Rendering is quick only for few distinct Sersic indices.
SERSIC_INDICES = (0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0)

# Magnitudes drawn: brighter galaxies are too rare and large for a scene; counts are only trusted to 28.
I_BRIGHTEST, I_FAINTEST = 18.0, 28.0

# LSST Science Book v2, section 3.7: N(<i) = 46 * 10^(0.3 (i - 25)) per arcmin^2, which would give 57 at
# i < 25.3. We keep the slope (COSMOS counts, 21.5 to 24: 0.31) and take the gold sample's 48 there.
_COUNT_SLOPE = 0.3
_GOLD_LIMIT, _GOLD_ARCMIN2 = 25.3, 48.0

# Benítez (2000), Table 1 (HDF-N, I < 27.5), magnitudes from 20: p(T | m) = fraction exp(-decline (m - 20)),
# irregulars being the rest; p(z | T, m) ~ z^alpha exp(-(z / z_m)^alpha), z_m = z_0 + rise (m - 20).
_PRIOR_ZERO = 20.0
_FRACTION, _DECLINE = (0.35, 0.50), (0.147, 0.450)
_ALPHA = np.array([2.46, 1.81, 0.91])
_Z_0 = np.array([0.431, 0.390, 0.063])
_RISE = np.array([0.091, 0.0636, 0.123])

# Circularised half-light radii of 81,498 COSMOS galaxies (F814W taken as i), single Sersic fits:
# medians in bins of 0.25 mag, 20 < i < 25, fitted as ln(radius / arcsec) = a + b x + c x^2, x = i - 23.
# Late: n < 2.5, scatter in ln 0.424 + 0.0152 x. Early: n >= 2.5, whose scatter is taken at i < 23
# (fainter, failing fits widen it). Fainter than 25 the straight-line slope goes on: an extrapolation.
_SIZE_MAG, _SIZE_FITTED = 23.0, (20.0, 25.0)
_LATE_SIZE, _EARLY_SIZE = (-1.1750, -0.3239, -0.0196), (-1.5327, -0.2903, 0.0)
_LATE_SLOPE, _EARLY_SLOPE = -0.3045, -0.2903
_LATE_SCATTER, _EARLY_SCATTER = (0.424, 0.0152), (0.60, 0.0)
# Tails of the log-normal that no stamp could hold, or no pixel could tell from a star (circularised radii).
_SIZE_LIMITS_ARCSEC = (0.02, 4.0)

# The same galaxies at 22 < i < 23.5: how many lie nearest (in ln n) to each of SERSIC_INDICES.
_LATE_SERSIC = (0.28, 0.17, 0.215, 0.195, 0.14, 0.0, 0.0)
_EARLY_SERSIC = (0.0, 0.0, 0.0, 0.0, 0.0, 0.37, 0.63)

# Miller et al. (2013), appendix B, already in e = (1 - q) / (1 + q).
_DISK_A, _DISK_E0, _DISK_E_MAX = 0.2539, 0.0256, 0.804
_BULGE_B, _BULGE_C = 2.368, 6.691


@dataclass(frozen=True)
class Galaxies:
    """n galaxies, one array for each property; components are `DISK` and `BULGE`.

    Attributes:
        z: (n,) redshifts.
        spectrum: (n,) indices into `spectra.TEMPLATES`.
        component_flux: (n, 2, 10) nJy, columns in order of the band codes; a component that is not
            there has none. Knots are part of the disk's.
        half_light_arcsec: (n, 2) circularised half-light radii sqrt(ab), which shear preserves.
        sersic_n: (n, 2) Sersic indices, each one of `SERSIC_INDICES`.
        e1: (n, 2) ellipticity, |e| = (1 - q) / (1 + q), along x.
        e2: (n, 2) ellipticity along the diagonal from x to y.
        n_knots: (n,) bright knots in the disk, 0 to `MAX_KNOTS`.
        knot_fraction: (n,) share of the disk's flux that its knots hold, in equal parts.
        knots: (n, `MAX_KNOTS`) complex places of the knots, x + iy in units of the disk's half-light
            radius, where the disk is round.
    """

    z: NDArray[np.float64]
    spectrum: NDArray[np.int64]
    component_flux: NDArray[np.float64]
    half_light_arcsec: NDArray[np.float64]
    sersic_n: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    n_knots: NDArray[np.int64]
    knot_fraction: NDArray[np.float64]
    knots: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.z)

    @property
    def flux(self) -> NDArray[np.float64]:
        """(n, 10) nJy of all components together."""
        return self.component_flux.sum(axis=1)


def density_arcmin2(i_limit: float) -> float:
    """Galaxies per arcmin^2 with `I_BRIGHTEST` < i < `i_limit`.

    Examples:
        >>> round(density_arcmin2(25.3), 1)
        47.7
    """
    _check_limit(i_limit)
    return _cumulative_arcmin2(i_limit) - _cumulative_arcmin2(I_BRIGHTEST)


def type_fractions(mag_i: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractions of E, spirals (Sbc and Scd) and irregulars at each magnitude: (n,) -> (n, 3)."""
    fainter = _past_twenty(mag_i)
    red = [f * np.exp(-k * fainter) for f, k in zip(_FRACTION, _DECLINE, strict=True)]
    return np.stack([*red, 1.0 - red[0] - red[1]], axis=-1)


def draw_galaxies(rng: np.random.Generator, n: int, i_limit: float = 27.5) -> Galaxies:
    """Draw n galaxies brighter than `i_limit`.

    Arguments:
        rng: where the random numbers come from.
        n: how many; `density_arcmin2` says how many an area holds.
        i_limit: faintest LSST i magnitude.

    Raises:
        ValueError: if n is negative or no integer, or the limit is not within `I_BRIGHTEST` and
            `I_FAINTEST`.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"the number of galaxies is an integer, zero or more, not {n!r}")
    _check_limit(i_limit)
    mag_i = _magnitudes(rng.uniform(size=n), i_limit)
    kind = _kinds(rng.uniform(size=n), mag_i)
    z = _redshifts(rng.uniform(size=n), kind, mag_i)
    # Spirals are Sbc or Scd with even odds, as in Benítez (2000).
    scd = rng.uniform(size=n) < 0.5
    spectrum = np.where(kind == 1, np.where(scd, TEMPLATES.index("Scd"), TEMPLATES.index("Sbc")), 0)
    spectrum = np.where(kind == 2, TEMPLATES.index("Im"), spectrum)
    early = kind == 0

    uniform = rng.uniform(size=n)
    sersic_n = np.where(early, _sersic(uniform, _EARLY_SERSIC), _sersic(uniform, _LATE_SERSIC))
    uniform = rng.uniform(size=n)
    e = np.where(early, _ellipticities(uniform, "bulge"), _ellipticities(uniform, "disk"))
    angle = 2.0 * np.pi * rng.uniform(size=n)
    single = np.zeros((n, 2, len(BANDS)))
    single[:, DISK] = fluxes(spectrum, z, mag_i)
    ones = np.ones((n, 2))
    return Galaxies(
        z=z,
        spectrum=spectrum.astype(np.int64),
        component_flux=single,
        half_light_arcsec=_radii(rng.normal(size=n), early, mag_i)[:, None] * ones,
        sersic_n=sersic_n[:, None] * ones,
        e1=(e * np.cos(angle))[:, None] * ones,
        e2=(e * np.sin(angle))[:, None] * ones,
        n_knots=np.zeros(n, dtype=np.int64),
        knot_fraction=np.zeros(n),
        knots=np.zeros((n, MAX_KNOTS), dtype=complex),
    )


def _check_limit(i_limit: float) -> None:
    if not I_BRIGHTEST < i_limit <= I_FAINTEST:
        raise ValueError(f"i_limit is {i_limit}: it has to lie between {I_BRIGHTEST} and {I_FAINTEST}")


def _cumulative_arcmin2(mag_i: float) -> float:
    return _GOLD_ARCMIN2 * 10.0 ** (_COUNT_SLOPE * (mag_i - _GOLD_LIMIT))


def _magnitudes(uniform: NDArray[np.float64], i_limit: float) -> NDArray[np.float64]:
    bright, faint = _cumulative_arcmin2(I_BRIGHTEST), _cumulative_arcmin2(i_limit)
    count = bright + uniform * (faint - bright)
    return _GOLD_LIMIT + np.log10(count / _GOLD_ARCMIN2) / _COUNT_SLOPE


def _past_twenty(mag_i: NDArray[np.float64]) -> NDArray[np.float64]:
    """The prior stays what it is at 20 for brighter galaxies, as in BPZ."""
    return np.maximum(np.asarray(mag_i, dtype=float) - _PRIOR_ZERO, 0.0)


def _kinds(uniform: NDArray[np.float64], mag_i: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 elliptical, 1 spiral, 2 irregular."""
    below = np.cumsum(type_fractions(mag_i), axis=-1)[:, :2]
    return (uniform[:, None] >= below).sum(axis=-1)


def _redshifts(
    uniform: NDArray[np.float64], kind: NDArray[np.int64], mag_i: NDArray[np.float64]
) -> NDArray[np.float64]:
    """z^alpha exp(-(z / z_m)^alpha), cut at Z_MAX.

    (z / z_m)^alpha is then a gamma variate of shape 1 + 1 / alpha, so the inverse is exact.
    """
    from scipy.special import gammainc, gammaincinv

    alpha = _ALPHA[kind]
    z_m = _Z_0[kind] + _RISE[kind] * _past_twenty(mag_i)
    shape = 1.0 + 1.0 / alpha
    below_cut = gammainc(shape, (Z_MAX / z_m) ** alpha)
    return np.minimum(z_m * gammaincinv(shape, uniform * below_cut) ** (1.0 / alpha), Z_MAX)


def _radii(
    normal: NDArray[np.float64], early: NDArray[np.bool_], mag_i: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Circularised half-light radii, arcsec."""
    fitted = np.clip(mag_i, *_SIZE_FITTED) - _SIZE_MAG
    beyond = mag_i - np.clip(mag_i, *_SIZE_FITTED)
    late_ln = np.polynomial.polynomial.polyval(fitted, _LATE_SIZE) + _LATE_SLOPE * beyond
    late_ln += np.polynomial.polynomial.polyval(fitted, _LATE_SCATTER) * normal
    early_ln = np.polynomial.polynomial.polyval(fitted, _EARLY_SIZE) + _EARLY_SLOPE * beyond
    early_ln += np.polynomial.polynomial.polyval(fitted, _EARLY_SCATTER) * normal
    return np.clip(np.exp(np.where(early, early_ln, late_ln)), *_SIZE_LIMITS_ARCSEC)


def _sersic(uniform: NDArray[np.float64], weights: tuple[float, ...]) -> NDArray[np.float64]:
    steps = np.cumsum(weights)
    return np.array(SERSIC_INDICES)[np.searchsorted(steps / steps[-1], uniform, side="right")]


def _ellipticities(uniform: NDArray[np.float64], component: str) -> NDArray[np.float64]:
    return np.interp(uniform, *_ellipticity_table(component))


@cache
def _ellipticity_table(component: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cumulative probability and |e|."""
    e = np.linspace(0.0, _DISK_E_MAX if component == "disk" else 0.95, 4001)
    if component == "disk":
        probability = e * (1.0 - np.exp((e - _DISK_E_MAX) / _DISK_A)) / ((1.0 + e) * np.hypot(e, _DISK_E0))
    else:
        probability = e * np.exp(-_BULGE_B * e - _BULGE_C * e**2)
    cumulative = np.concatenate([[0.0], np.cumsum(probability[1:] + probability[:-1])])
    return cumulative / cumulative[-1], e
