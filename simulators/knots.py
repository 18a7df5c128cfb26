"""Knots: the bright clumps of star-forming disks, as points scattered like the disk's light.

Places are complex, x + iy, in units of the disk's half-light radius and where the disk is round: whoever
lays them out applies the disk's ellipticity and shear, so that knots and disk stay together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_KNOTS", "Knots", "draw_knots", "knot_positions"]

MAX_KNOTS = 8
"""Knots of a disk, at most: what Soto et al. (2017) find in one galaxy."""

# Of star-forming galaxies at 0.5 < z < 3, 60 % of those of low mass have clumps, and fewer of the massive
# ones (Guo et al. 2015, abstract); where there are some, there are 2 on average, and they give 19 % of
# the far-UV light (Soto et al. 2017, abstract). The i band sees ultraviolet light beyond z = 1.5; nearer, the
# share falls with 1 + z: our choice, as is the exponential distribution of it.
_CLUMPY, _MEAN_NUMBER = 0.6, 2.0
_LIGHT, _LIGHT_MAX, _UV_FROM_Z = 0.19, 0.6, 1.5
# The outermost light of a profile, where no clump forms.
_LIGHT_WITHIN = 0.999


@dataclass(frozen=True)
class Knots:
    """Knots of n galaxies.

    Attributes:
        number: (n,) how many there are, 0 to `MAX_KNOTS`.
        fraction: (n,) share of the disk's light that they hold, in equal parts; 0 without knots.
        places: (n, `MAX_KNOTS`) complex, in half-light radii of the disk, where it is round; 0 for none.
    """

    number: NDArray[np.int64]
    fraction: NDArray[np.float64]
    places: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.number)


def draw_knots(rng: np.random.Generator, z: NDArray[np.float64], old_fraction: NDArray[np.float64]) -> Knots:
    """Draw knots: in young galaxies, and brighter at high redshift.

    Arguments:
        rng: where the random numbers come from.
        z: (n,) redshifts.
        old_fraction: (n,) share, 0 to 1, of old light in i; a galaxy of old light alone has no knots.
    """
    n = len(z)
    clumpy, amount = rng.uniform(size=(2, n))
    more = rng.poisson(_MEAN_NUMBER - 1.0, size=n)
    number = np.where(clumpy < _CLUMPY * (1.0 - old_fraction), np.minimum(1 + more, MAX_KNOTS), 0)
    mean = _LIGHT * np.minimum((1.0 + z) / (1.0 + _UV_FROM_Z), 1.0)
    fraction = np.minimum(-mean * np.log1p(-amount), _LIGHT_MAX)
    owner, place = np.nonzero(np.arange(MAX_KNOTS) < number[:, None])
    places = np.zeros((n, MAX_KNOTS), dtype=complex)
    places[owner, place] = knot_positions(rng.uniform(size=(len(owner), 2)))
    return Knots(number=number, fraction=np.where(number > 0, fraction, 0.0), places=places)


def knot_positions(uniform: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Places that follow the light of a round exponential disk.

    Arguments:
        uniform: (..., 2) numbers from 0 to 1: the share of light within the knot, and its angle.

    Returns:
        (...) complex x + iy in half-light radii.
    """
    light, radius = _exponential_disk()
    distance = np.interp(_LIGHT_WITHIN * uniform[..., 0], light, radius)
    return np.asarray(distance * np.exp(2j * np.pi * uniform[..., 1]), dtype=complex)


@cache
def _exponential_disk() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 - (1 + s) exp(-s), the light within s scale lengths, and the same radii in half-light radii."""
    s = np.linspace(0.0, 12.0, 6001)
    light = 1.0 - (1.0 + s) * np.exp(-s)
    return light, s / np.interp(0.5, light, s)
