"""What galaxies look like: bulge and disk, sizes, Sersic indices, ellipticities, knots.

A galaxy is one of three kinds: a single `plain` Sersic profile of low index, a single `early` one of
high index, or a de Vaucouleurs bulge in an exponential disk. The proportions, sizes and shapes are
those of COSMOS (fits to F814W, taken 0.135 mag brighter than LSST i) down to i = 25; galaxies whose
light is old are more often early, or have the larger bulge. Fainter than 25.3 sizes go on with three
slopes, the same variants as `counts`. `docs/results/sky_counts.py` compares all of it with COSMOS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .counts import I_SHARED, Variant, check_variant
from .growth import half_light_total, total_over_disk
from .knots import Knots, draw_knots
from .surveys import BANDS

__all__ = [
    "BULGE",
    "DISK",
    "SERSIC_INDICES",
    "Morphology",
    "component_flux",
    "draw_morphology",
    "kind_fractions",
    "nearest_sersic",
    "part_shares",
]

DISK, BULGE = 0, 1
"""Components: positions on the axis of length 2."""

SERSIC_INDICES = (0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0)
"""The indices drawn. Rendering is quick only for few distinct ones."""

_PLAIN, _EARLY, _BOTH = 0, 1, 2

# Shares of COSMOS galaxies by i: those whose two-component fit is preferred (`use_bulgefit`), and the
# single ones with n > 2.5. Fainter than 23.5 noise fills the latter, so that it stays constant.
_SHARE_MAG = (20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0)
_BOTH_SHARE = (0.46, 0.41, 0.35, 0.32, 0.285, 0.26, 0.24)
_EARLY_SHARE = (0.14, 0.115, 0.08, 0.07, 0.07, 0.07, 0.07)
# Correlation of the kind with the share of old light, in normal scores: our choice, for COSMOS gives
# no colours here.
_KIND_BY_OLD = 0.7
# Where the share of old light in i lies in our own population (`redshifts`, `templates`), by i: how many
# have none, and quantiles of the others. Ranks are what is used, so that COSMOS's proportions of kinds
# are kept; `docs/results/sky_counts.py --fit` prints the table again when the spectra have changed.
_OLD_MAG = (19.0, 20.5, 22.0, 23.0, 24.0, 25.5)
_NO_OLD = (0.000, 0.000, 0.000, 0.001, 0.004, 0.006)
_OLD_BELOW = (0.0, 0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95, 1.0)
_OLD_SHARE = (
    (0.0, 0.527, 0.759, 0.807, 0.931, 0.991, 0.999, 1.000, 1.0),
    (0.0, 0.480, 0.628, 0.733, 0.810, 0.877, 0.925, 0.999, 1.0),
    (0.0, 0.284, 0.533, 0.635, 0.746, 0.835, 0.905, 0.947, 1.0),
    (0.0, 0.198, 0.473, 0.610, 0.738, 0.824, 0.906, 0.952, 1.0),
    (0.0, 0.135, 0.394, 0.562, 0.710, 0.788, 0.879, 0.944, 1.0),
    (0.0, 0.052, 0.260, 0.429, 0.601, 0.725, 0.824, 0.918, 1.0),
)
_OLD_NONE = 1e-3  # less old light than this is none

# Nearest of SERSIC_INDICES (in ln n) to the fits of single galaxies with n < 2.5, at i = 20.5 and 23,
# and to those with n > 2.5, at 22 to 23.5. Redder plain galaxies have the higher index.
_PLAIN_MAG = (20.5, 23.0)
_PLAIN_SERSIC = ((0.149, 0.179, 0.329, 0.236, 0.107), (0.356, 0.213, 0.260, 0.122, 0.049))
_EARLY_SERSIC = (0.22, 0.78)
_SERSIC_BY_OLD = 0.5

# Two components: deciles of the bulge's share, by i (COSMOS, 20 to 21 and 21.5 to 23, hardly another
# beyond); ln of the ratio of half-light radii, bulge to disk, is normal within limits and correlated with
# it by 0.36 (21 < i < 24). The older a galaxy of this kind, the larger its bulge: our choice.
_BULGE_MAG, _BULGE_BY_OLD = (20.5, 22.0), 0.5
_BULGE_SHARE = (
    (0.104, 0.148, 0.211, 0.281, 0.370, 0.447, 0.522, 0.604, 0.679, 0.761, 0.903),
    (0.104, 0.134, 0.176, 0.232, 0.295, 0.372, 0.458, 0.544, 0.642, 0.752, 0.902),
)
_RATIO_LN, _RATIO_LIMITS, _RATIO_BY_BULGE = (-0.968, 0.64), (0.1, 1.5), 0.36

# ln of the circularised half-light radius of the whole galaxy = a + b x + c x^2, arcsec, x = i - 23, at
# 20 < i < 25.3, and its scatter a + b x: plain, early, with a bulge.
_SIZE_MAG, _SIZE_FROM = 23.0, 19.0
_SIZE = np.array([[-1.100, -0.314, -0.014], [-1.82, -0.36, 0.0], [-1.345, -0.315, -0.010]])
_SCATTER = np.array([[0.397, 0.026], [0.55, 0.0], [0.495, 0.030]])
# Sizes of edge-on galaxies are smaller when circularised; bulges dominate small galaxies. COSMOS,
# d ln(radius) / d|e| and per normal score of the bulge's share.
_SIZE_BY_E, _E_MEAN, _SIZE_BY_BULGE = -0.5, 0.29, -0.2
# ln of the radius against redshift at fixed magnitude, relative to all, bright (the mean of i = 21.5 and
# 22.5) and faint (24.5): COSMOS, photometric redshifts. The last point supposes 1 / (1 + z).
_SIZE_Z = (0.15, 0.4, 0.6, 0.8, 1.05, 1.4, 1.9, 2.8, 5.0)
_SIZE_Z_MAG = (22.0, 24.0)
_SIZE_BY_Z = (
    (0.03, -0.06, -0.06, -0.01, 0.07, 0.10, -0.02, -0.17, -0.60),
    (0.02, 0.03, -0.04, -0.05, 0.00, 0.06, -0.03, -0.13, -0.56),
)
# d ln(radius) / d mag beyond 25.3. COSMOS has -0.33 up to there. Dropouts of z_850 = 26 to 27.5 measure 0.1
# to 0.3 arcsec (Bouwens et al. 2004), those of z = 7 peak at 0.1 (Grazian et al. 2012): medians of 0.08,
# 0.10 and 0.12 at i = 27.
_SIZE_SLOPES = {"low": -0.33, "mid": -0.20, "high": -0.08}
# Tails that no stamp could hold, or no pixel could tell from a star.
_SIZE_LIMITS_ARCSEC = (0.02, 4.0)

# The form of Miller et al. (2013), appendix B, refitted to |e| = (1 - q) / (1 + q) of single fits with
# n < 2.5: p = e (1 - exp((e - e_max) / a)) / ((1 + e) hypot(e, e_0)), (a, e_0, e_max) at 20 < i < 22 and at
# 22 < i < 23, where his own numbers are within 0.04 in KS; fainter, noise adds to it. Between the two
# magnitudes quantiles are interpolated. Early: p = e exp(-b e), to those with n > 2.5 at 20 < i < 22.
_DISK_E_MAG = (21.0, 22.5)
_DISK_E = ((0.3596, 0.0471, 0.7219), (0.2472, 0.0724, 0.7447))
_EARLY_B, _EARLY_E_MAX = 8.5, 0.8
# The bulge: a part of the disk's ellipticity and a round scatter, per component. Our choice; bulges of
# i < 21, where they can be told apart, are as round (q 0.66) and turned by as much (11 deg if elongated).
_BULGE_SHARE_E, _BULGE_SCATTER_E, _BULGE_E_MAX = 0.45, 0.12, 0.7


@dataclass(frozen=True)
class Morphology:
    """n galaxies; components are the disk (0) and the bulge (1).

    A galaxy of a single profile has it as component 0, whatever its index, and no bulge; the numbers of
    its component 1 are then those of a de Vaucouleurs profile of the same size and shape, without light.

    Attributes:
        bulge_fraction: (n,) share of the bulge in the light, LSST i; 0 without a bulge.
        half_light_arcsec: (n, 2) circularised half-light radii, sqrt(a b), before lensing.
        sersic_n: (n, 2) indices, each one of `SERSIC_INDICES`.
        e1: (n, 2) ellipticity, |e| = (1 - q) / (1 + q), along x.
        e2: (n, 2) ellipticity along the diagonal from x to y.
        knots: knots of the disks, in most there are none.
    """

    bulge_fraction: NDArray[np.float64]
    half_light_arcsec: NDArray[np.float64]
    sersic_n: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    knots: Knots

    def __len__(self) -> int:
        return len(self.bulge_fraction)

    def half_light_total(self) -> NDArray[np.float64]:
        """(n,) circularised half-light radii of the whole galaxies in i, arcsec."""
        return half_light_total(self.bulge_fraction, self.half_light_arcsec, self.sersic_n)


def kind_fractions(mag_i: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of plain, early and bulge-and-disk galaxies at each magnitude: (n,) -> (n, 3)."""
    early = np.interp(mag_i, _SHARE_MAG, _EARLY_SHARE)
    both = np.interp(mag_i, _SHARE_MAG, _BOTH_SHARE)
    return np.stack([1.0 - early - both, early, both], axis=-1)


def draw_morphology(
    rng: np.random.Generator,
    mag_i: NDArray[np.float64],
    z: NDArray[np.float64],
    old_fraction: NDArray[np.float64],
    variant: Variant = "mid",
) -> Morphology:
    """Draw the shapes of galaxies.

    Arguments:
        rng: where the random numbers come from.
        mag_i: (n,) LSST i magnitudes.
        z: (n,) redshifts.
        old_fraction: (n,) share, 0 to 1, of the i-band light that is in the old part of the spectrum.
        variant: how sizes go on beyond `counts.I_SHARED`: from `low`, the smallest, to `high`.

    Returns:
        The shapes, in the order of the arguments.

    Raises:
        ValueError: if the arguments differ in length, are out of range, or there is no such variant.
    """
    check_variant(variant)
    mag_i, z, old_fraction = _checked(mag_i, z, old_fraction)
    n = len(mag_i)
    normal = rng.normal(size=(6, n))
    uniform = rng.uniform(size=(3, n))

    kind, within = _kinds(normal[0], mag_i, _old_rank(uniform[2], mag_i, old_fraction))
    both = kind == _BOTH
    index = _sersic(kind, _mixed(within, normal[1], _SERSIC_BY_OLD), mag_i)
    score = _normal_score(_mixed(within, normal[1], _BULGE_BY_OLD))
    bulge_fraction = np.where(both, _bulge_fraction(score, mag_i), 0.0)

    e = _ellipticities(uniform[0], kind, mag_i)
    angle = 2.0 * np.pi * uniform[1]
    disk_e = e * np.exp(1j * angle)
    bulge_e = _BULGE_SHARE_E * disk_e + _BULGE_SCATTER_E * (normal[2] + 1j * normal[3])
    bulge_e *= np.minimum(1.0, _BULGE_E_MAX / np.maximum(np.abs(bulge_e), 1e-12))
    bulge_e = np.where(both, bulge_e, disk_e)

    total = _sizes(normal[4], kind, mag_i, z, variant)
    total *= np.exp(_SIZE_BY_E * (e - _E_MEAN) + np.where(both, _SIZE_BY_BULGE * score, 0.0))
    total = np.clip(total, *_SIZE_LIMITS_ARCSEC)
    ratio = np.exp(_RATIO_LN[0] + _RATIO_LN[1] * _correlated(score, normal[5], _RATIO_BY_BULGE))
    ratio = np.clip(ratio, *_RATIO_LIMITS)
    disk = np.where(both, total / total_over_disk(bulge_fraction, ratio), total)

    return Morphology(
        bulge_fraction=bulge_fraction,
        half_light_arcsec=np.stack([disk, np.where(both, ratio * disk, disk)], axis=1),
        sersic_n=np.stack([index, np.full(n, 4.0)], axis=1),
        e1=np.stack([np.real(disk_e), np.real(bulge_e)], axis=1),
        e2=np.stack([np.imag(disk_e), np.imag(bulge_e)], axis=1),
        knots=draw_knots(rng, z, np.where(kind == _EARLY, 1.0, old_fraction)),
    )


def component_flux(parts: NDArray[np.float64], bulge_fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the bulge its light: of the old part of the spectrum first, then of the young.

    Arguments:
        parts: (n, 2, bands) nJy of the young and the old part of the spectrum, columns in band-code order.
        bulge_fraction: (n,) share of the bulge in the whole light in LSST i.

    Returns:
        (n, 2, bands) nJy of disk and bulge, which add up to the parts; the bulge's share in i is as asked.
    """
    taken = part_shares(parts, bulge_fraction)[:, :, None]
    return np.stack([(parts * (1.0 - taken)).sum(axis=1), (parts * taken).sum(axis=1)], axis=1)


def part_shares(parts: NDArray[np.float64], bulge_fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the bulge takes of the young and of the old part of the spectrum: (n, 2), from 0 to 1.

    Arguments are those of `component_flux`.
    """
    i = BANDS["i"].code
    young, old = parts[:, 0, i], parts[:, 1, i]
    wanted = bulge_fraction * (young + old)
    of_old = np.minimum(wanted / np.where(old > 0, old, np.inf), 1.0)
    of_young = np.clip((wanted - of_old * old) / np.where(young > 0, young, np.inf), 0.0, 1.0)
    return np.stack([of_young, of_old], axis=1)


def nearest_sersic(sersic_n: ArrayLike) -> NDArray[np.float64]:
    """The nearest of `SERSIC_INDICES` in ln n; any shape of positive numbers."""
    known = np.array(SERSIC_INDICES)
    between = np.sqrt(known[1:] * known[:-1])
    return known[np.searchsorted(between, np.asarray(sersic_n, dtype=float))]


def _checked(*columns: ArrayLike) -> list[NDArray[np.float64]]:
    names = ("mag_i", "z", "old_fraction")
    arrays = [np.asarray(column, dtype=float) for column in columns]
    if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"one number for each galaxy is needed of each: not the shapes {shapes}")
    for name, array, low, high in zip(names, arrays, (-np.inf, 0.0, 0.0), (np.inf, np.inf, 1.0), strict=True):
        wrong = ~(np.isfinite(array) & (array >= low) & (array <= high))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{name} is {array[row]} for galaxy {row}: it has to lie between {low:g} and {high:g}"
            )
    return arrays


def _normal_score(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    return ndtri(np.clip(uniform, 1e-9, 1.0 - 1e-9))


def _correlated(
    score: NDArray[np.float64], normal: NDArray[np.float64], correlation: float
) -> NDArray[np.float64]:
    return correlation * score + np.sqrt(1.0 - correlation**2) * normal


def _mixed(
    uniform: NDArray[np.float64], normal: NDArray[np.float64], correlation: float
) -> NDArray[np.float64]:
    """Another uniform number, correlated with the first (a Gaussian copula)."""
    from scipy.special import ndtr

    return ndtr(_correlated(_normal_score(uniform), normal, correlation))


def _kinds(
    normal: NDArray[np.float64], mag_i: NDArray[np.float64], old_rank: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kind, and the rank of a galaxy within its kind, from young to old: uniform."""
    rank = _mixed(old_rank, normal, _KIND_BY_OLD)
    plain, early, both = kind_fractions(mag_i).T
    kind = np.where(rank < plain, _PLAIN, np.where(rank < plain + both, _BOTH, _EARLY))
    start = np.choose(kind, [np.zeros_like(plain), plain + both, plain])
    return kind, np.clip((rank - start) / np.choose(kind, [plain, early, both]), 0.0, 1.0)


def _old_rank(
    uniform: NDArray[np.float64], mag_i: NDArray[np.float64], old_fraction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rank among galaxies of that magnitude, uniform from young to old; by chance where none is."""
    place = np.interp(mag_i, _OLD_MAG, np.arange(len(_OLD_MAG)))
    rank = np.zeros_like(mag_i)
    for row, shares in enumerate(_OLD_SHARE):
        weight = np.maximum(1.0 - np.abs(place - row), 0.0)
        rank += weight * np.interp(old_fraction, shares, _OLD_BELOW)
    none = np.interp(mag_i, _OLD_MAG, _NO_OLD)
    return np.where(old_fraction < _OLD_NONE, none * uniform, none + (1.0 - none) * rank)


def _sersic(
    kind: NDArray[np.int64], uniform: NDArray[np.float64], mag_i: NDArray[np.float64]
) -> NDArray[np.float64]:
    bright, faint = (np.cumsum(row) / np.sum(row) for row in _PLAIN_SERSIC)
    mix = np.interp(mag_i, _PLAIN_MAG, (0.0, 1.0))
    steps = np.stack([b + mix * (f - b) for b, f in zip(bright[:-1], faint[:-1], strict=True)])
    plain = np.array(SERSIC_INDICES)[(uniform >= steps).sum(axis=0)]
    early = np.where(uniform < _EARLY_SERSIC[0], SERSIC_INDICES[-2], SERSIC_INDICES[-1])
    return np.choose(kind, [plain, early, np.ones_like(plain)])


def _bulge_fraction(score: NDArray[np.float64], mag_i: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtr

    deciles = np.linspace(0.0, 1.0, 11)
    bright, faint = (np.interp(ndtr(score), deciles, row) for row in _BULGE_SHARE)
    return bright + np.interp(mag_i, _BULGE_MAG, (0.0, 1.0)) * (faint - bright)


def _sizes(
    normal: NDArray[np.float64],
    kind: NDArray[np.int64],
    mag_i: NDArray[np.float64],
    z: NDArray[np.float64],
    variant: Variant,
) -> NDArray[np.float64]:
    x = np.clip(mag_i, _SIZE_FROM, I_SHARED) - _SIZE_MAG
    beyond = np.maximum(mag_i - I_SHARED, 0.0)
    constant, slope, curvature = _SIZE[kind].T
    scatter, wider = _SCATTER[kind].T
    ln = constant + slope * x + curvature * x**2 + _SIZE_SLOPES[variant] * beyond
    # Brighter than fitted, radii grow as the square root of the flux: constant surface brightness.
    ln += 0.2 * np.log(10.0) * np.maximum(_SIZE_FROM - mag_i, 0.0)
    bright, faint = (np.interp(z, _SIZE_Z, row) for row in _SIZE_BY_Z)
    ln += bright + np.interp(mag_i, _SIZE_Z_MAG, (0.0, 1.0)) * (faint - bright)
    return np.exp(ln + (scatter + wider * x) * normal)


def _ellipticities(
    uniform: NDArray[np.float64], kind: NDArray[np.int64], mag_i: NDArray[np.float64]
) -> NDArray[np.float64]:
    """|e| of the disk, or of the only profile."""
    bright, faint, early = (np.interp(uniform, below, e) for below, e in _ellipticity_tables())
    faintness = np.interp(mag_i, _DISK_E_MAG, (0.0, 1.0))
    return np.where(kind == _EARLY, early, bright + faintness * (faint - bright))


@cache
def _ellipticity_tables() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Cumulative probability and |e|: bright disks, faint disks, early galaxies."""
    tables = []
    for a, e_0, e_max in _DISK_E:
        e = np.linspace(0.0, e_max, 4001)
        tables.append((e * (1.0 - np.exp((e - e_max) / a)) / ((1.0 + e) * np.hypot(e, e_0)), e))
    e = np.linspace(0.0, _EARLY_E_MAX, 4001)
    tables.append((e * np.exp(-_EARLY_B * e), e))
    cumulative = [np.concatenate([[0.0], np.cumsum(p[1:] + p[:-1])]) for p, _ in tables]
    return [(below / below[-1], e) for below, (_, e) in zip(cumulative, tables, strict=True)]
