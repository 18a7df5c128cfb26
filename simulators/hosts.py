"""Hosts of transients: how bright, and what a survey believes of their redshift.

A broker sees no true redshift. It sees a galaxy beside the transient: mostly the right one, bright enough
for a spectrum now and then, with a photometric p(z) otherwise, which is wrong altogether for some; or none.

Numbers are our choice where no source is given: they make a catalogue like that of LSST, not that of one
method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr, ndtri

__all__ = ["LEVELS", "Hosts", "draw_hosts", "quantiles"]

LEVELS = (0.0228, 0.1587, 0.5, 0.8413, 0.9772)
"""Levels of the quantiles that tell of p(z): those of a normal distribution at -2, -1, 0, 1 and 2 sigma."""

# Surface brightness in r where a transient is, AB mag/arcsec^2: of discs, dimmed as (1 + z)^4; and colours
# to r of ten bands, those of a spiral at z = 0.3 (order of magnitude).
_SURFACE, _SURFACE_SIGMA = 23.0, 1.0
_COLOURS = np.array([1.6, 0.7, 0.0, -0.3, -0.5, -0.6, -0.2, -0.7, -0.9, -1.1])
# A survey's limit in r for a host to be seen at all, and its softness, mag.
_SEEN, _SOFT = 26.5, 0.4
# A spectrum of the host: the chance at the bright end, where it is half of that, and how fast it falls.
_SPECTRA, _HALF, _FALL = 0.85, 21.5, 0.6
_SPECTRUM_ERROR = 5e-4  # of z / (1 + z)
# Photometric redshifts of LSST: sigma of z / (1 + z) at r = 20 and below, and its growth to r = 26; the
# science requirements ask for less than 0.02 to i = 25.3 after ten years (Ivezić et al. 2019), which the
# first years will not have.
_PHOTO, _PHOTO_FAINT = 0.015, 0.08
# Part with p(z) at a place that has nothing to do with the truth: at r = 20, at r = 26.
_OUTLIERS, _OUTLIERS_FAINT = 0.01, 0.12
# Part whose host is another galaxy: 4 % of hosts are wrong in DES (Qu et al. 2024, arXiv:2307.13696: 1.7 % of
# spectroscopic ones; fainter hosts fare worse).
_WRONG = 0.03


@dataclass(frozen=True)
class Hosts:
    """What there is, and what is believed.

    Attributes:
        surface_nJy: (n, 10) surface brightness where the transient is, nJy/arcsec^2, by code of the band.
        z: (n, 5) quantiles of the p(z) that is believed, at `LEVELS`; NaN where no host is seen.
        spectrum: (n,) whether p(z) is that of a spectrum.
        is_right: (n,) whether the galaxy that is taken for the host is the host.
    """

    surface_nJy: NDArray[np.float64]
    z: NDArray[np.float64]
    spectrum: NDArray[np.bool_]
    is_right: NDArray[np.bool_]


def draw_hosts(rng: np.random.Generator, z: ArrayLike, r: ArrayLike) -> Hosts:
    """Hosts of transients at some redshifts.

    Arguments:
        rng: where the random numbers come from.
        z: (n,) true redshifts.
        r: (n,) apparent magnitudes, AB.
    """
    z, r = np.asarray(z, dtype=float), np.asarray(r, dtype=float)
    n = z.size
    # As many numbers for each, whatever becomes of it.
    normal, even = rng.standard_normal((2, n)), rng.uniform(size=(5, n))
    surface = _SURFACE + _SURFACE_SIGMA * normal[0] + 10.0 * np.log10(1.0 + z)
    surface_nJy = 10.0 ** (0.4 * (31.4 - surface[:, None] - _COLOURS))

    wrong = even[0] < _WRONG
    # The other galaxy is one of the many along the line of sight: p(z) as z^2 exp(-z / 0.25).
    other = rng.gamma(3.0, 0.25, size=n)
    taken = np.where(wrong, other, z)
    seen = even[1] < expit((_SEEN - r) / _SOFT)
    spectrum = seen & (even[2] < _SPECTRA * expit((_HALF - r) / _FALL))
    faint = np.clip((r - 20.0) / 6.0, 0.0, 1.0)
    outlier = ~spectrum & (even[3] < _OUTLIERS + (_OUTLIERS_FAINT - _OUTLIERS) * faint)
    relative = np.where(spectrum, _SPECTRUM_ERROR, _PHOTO + (_PHOTO_FAINT - _PHOTO) * faint)
    centre = np.where(outlier, 2.0 * even[4], taken + relative * (1.0 + taken) * normal[1])
    # The width goes with what is believed: one that went with the truth would give it away to many digits.
    believed = quantiles(centre, relative * (1.0 + np.maximum(centre, 0.0)))
    believed[~seen] = np.nan
    return Hosts(surface_nJy, believed, spectrum, ~wrong)


def quantiles(mean: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
    """(n, 5) quantiles, at `LEVELS`, of normal distributions of z that end at zero.

    Arguments:
        mean, sigma: (n,) of the normal distribution; sigma is positive. NaN gives NaN.
    """
    mean, sigma = (np.atleast_1d(np.asarray(one, dtype=float)) for one in (mean, sigma))
    # Zero lies at most this many sigmas above the mean: beyond that numbers end.
    place = np.maximum(mean / sigma, -30.0)[:, None]
    found = place - ndtri((1.0 - np.array(LEVELS)) * ndtr(place))
    return np.maximum(sigma[:, None] * found, 0.0)
