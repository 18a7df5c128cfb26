"""Transients drawn from their classes: where, how bright, behind what dust, in which galaxy.

Numbers between redshifts z and z + dz go as rate x comoving volume / (1 + z): the last factor turns time at
the source into ours. Redshifts are drawn through the inverse of the cumulative number on a fine grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from . import active_nuclei
from .planes import comoving_distance
from .transient_classes import Luminosity, Skewed, TransientClass, find_class

__all__ = [
    "H0",
    "Z_MIN",
    "Transients",
    "distance_modulus",
    "draw_population",
    "draw_skewed",
    "expected_number",
]

H0 = 70.0
"""km/s/Mpc, in which the luminosity functions and rates are given; the matter density is `planes.OMEGA_M`."""

Z_MIN = 0.01
"""Nothing is nearer: our choice, as for galaxies."""

_HUBBLE_MPC = 299792.458 / H0
_SQUARE_DEGREES = 4 * np.pi * (180.0 / np.pi) ** 2
_CELLS = 2000
# E(B-V) of the Milky Way in a wide survey: exponential, cut where surveys end. Our choice.
_GALACTIC_MEAN, _GALACTIC_MOST = 0.05, 0.2


@dataclass(frozen=True)
class Transients:
    """Transients of one class, n of them; arrays are (n,).

    Attributes:
        kind: name of the class.
        z: redshift.
        distance_modulus: mag.
        absolute_magnitude: of the peak, AB, in the band of the class at rest, with what stretch and colour do
            to it and without dust.
        stretch, colour: x1 and c of SALT; zero for classes that have none.
        host_excess: E(B-V) of the host.
        host_rv: its R_V.
        galactic_excess: E(B-V) of the Milky Way.
        host_magnitude: apparent r magnitude of the host, AB.
    """

    kind: str
    z: NDArray[np.float64]
    distance_modulus: NDArray[np.float64]
    absolute_magnitude: NDArray[np.float64]
    stretch: NDArray[np.float64]
    colour: NDArray[np.float64]
    host_excess: NDArray[np.float64]
    host_rv: NDArray[np.float64]
    galactic_excess: NDArray[np.float64]
    host_magnitude: NDArray[np.float64]


def distance_modulus(z: ArrayLike) -> NDArray[np.float64]:
    """m - M, mag, in flat LCDM with `H0` and `planes.OMEGA_M`; any shape, z above zero."""
    z = np.asarray(z, dtype=float)
    return 5.0 * np.log10((1.0 + z) * comoving_distance(z) * _HUBBLE_MPC) + 25.0


def expected_number(kind: str, *, square_degrees: float, years: float, z_max: float | None = None) -> float:
    """Mean number that happens in a part of the sky, whether seen or not.

    Arguments:
        kind: name of the class.
        square_degrees: of sky.
        years: of ours; without effect for what is always there.
        z_max: the farthest; that of the class by default.
    """
    found = find_class(kind)
    per_year = _cumulative(found, found.z_max if z_max is None else z_max)[1][-1]
    return float(per_year * square_degrees / _SQUARE_DEGREES * (1.0 if found.always else years))


def draw_population(rng: np.random.Generator, kind: str, n: int, *, z_max: float | None = None) -> Transients:
    """Transients of one class.

    Arguments:
        rng: where the random numbers come from.
        kind: name of the class.
        n: how many.
        z_max: the farthest; that of the class by default.

    Raises:
        ValueError: if there is no such class, n is negative, or z_max is not above `Z_MIN`.
    """
    found = find_class(kind)
    z_max = found.z_max if z_max is None else z_max
    if n < 0 or z_max <= Z_MIN:
        raise ValueError(f"draw zero or more transients to beyond z = {Z_MIN}, not {n} to z = {z_max}")
    grid, cumulative = _cumulative(found, z_max)
    z = np.interp(rng.uniform(size=n) * cumulative[-1], cumulative, grid)
    stretch, colour = np.zeros(n), np.zeros(n)
    if found.always:
        magnitude = active_nuclei.draw_magnitudes(rng, z)
    else:
        magnitude = _draw_magnitudes(rng, found.luminosity, n)
    if found.salt is not None:
        stretch, colour = (draw_skewed(rng, one, n) for one in (found.salt.stretch, found.salt.colour))
        magnitude = magnitude - found.salt.alpha * stretch + found.salt.beta * colour
    modulus = distance_modulus(z)
    host = found.host.mean + found.host.sigma * ndtri(ndtr(-2) + rng.uniform(size=n) * (1 - 2 * ndtr(-2)))
    host += modulus
    excess = _exponential(rng, found.dust.mean, found.dust.most, n)
    return Transients(
        kind=kind,
        z=z,
        distance_modulus=modulus,
        absolute_magnitude=magnitude,
        stretch=stretch,
        colour=colour,
        host_excess=np.where(rng.uniform(size=n) < found.dust.none, 0.0, excess),
        host_rv=np.full(n, found.dust.r_v),
        galactic_excess=_exponential(rng, _GALACTIC_MEAN, _GALACTIC_MOST, n),
        host_magnitude=host,
    )


def draw_skewed(rng: np.random.Generator, shape: Skewed, n: int) -> NDArray[np.float64]:
    """(n,) numbers from a `transient_classes.Skewed`, through the inverse of its cumulative."""
    low, high = (_skewed_cumulative(shape, end) for end in (shape.low, shape.high))
    place = low + rng.uniform(size=n) * (high - low)
    middle = shape.below / (shape.below + shape.above)
    # The two halves have masses in proportion to their widths.
    below = ndtri(np.minimum(place / middle, 1.0) / 2.0) * shape.below
    above = ndtri(0.5 + np.clip((place - middle) / (1.0 - middle), 0.0, 1.0) / 2.0) * shape.above
    return np.clip(shape.peak + np.where(place < middle, below, above), shape.low, shape.high)


def _skewed_cumulative(shape: Skewed, value: float) -> float:
    middle = shape.below / (shape.below + shape.above)
    if value < shape.peak:
        return float(2.0 * middle * ndtr((value - shape.peak) / shape.below))
    return float(middle + (1.0 - middle) * (2.0 * ndtr((value - shape.peak) / shape.above) - 1.0))


def _draw_magnitudes(rng: np.random.Generator, luminosity: Luminosity, n: int) -> NDArray[np.float64]:
    if luminosity.magnitudes is not None:
        return draw_skewed(rng, luminosity.magnitudes, n)
    ends = 10.0 ** (luminosity.slope * (np.array(luminosity.limits) - luminosity.limits[1]))
    return luminosity.limits[1] + np.log10(ends[0] + rng.uniform(size=n) * np.ptp(ends)) / luminosity.slope


def _exponential(rng: np.random.Generator, mean: float, most: float, n: int) -> NDArray[np.float64]:
    """Exponential numbers up to a maximum."""
    uniform = rng.uniform(size=n)
    return np.zeros(n) if mean == 0 else -mean * np.log1p(uniform * np.expm1(-most / mean))


@lru_cache(maxsize=64)
def _cumulative(kind: TransientClass, z_max: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Redshifts, and how many of the whole sky in a year are nearer."""
    edges = np.geomspace(Z_MIN, z_max, _CELLS + 1)
    middle = np.sqrt(edges[1:] * edges[:-1])
    shells = 4 * np.pi / 3 * np.diff((comoving_distance(edges) * _HUBBLE_MPC) ** 3)
    rate = kind.rate(middle) if kind.always else kind.rate(middle) / (1.0 + middle)
    cumulative = np.concatenate([[0.0], np.cumsum(rate * shells)])
    for array in (edges, cumulative):
        array.flags.writeable = False
    return edges, cumulative
