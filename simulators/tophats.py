"""Fluxes from the luminosities in top hats that skyCatalogs and cosmoDC2 give in place of spectra.

The flux file of a skyCatalogs sample counts photons through the throughputs of the day it was made:
turned into nJy with this project's curves, those of a public sample differ from its own luminosities
by one factor for each band, 0.6 in i and 1.2 in u, the same at every redshift. The luminosities need no
throughput, so that they are what we use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .surveys import BANDS

__all__ = ["TOP_HATS", "component_fluxes"]

# Start and width of the 30 top hats of cosmoDC2, Angstrom at rest, as in the configuration of skyCatalogs.
_START = (1000, 1246, 1552, 1933, 2407, 2998, 3184, 3381, 3590, 3812, 4048, 4299, 4565, 4848, 5148, 5467)
_START += (5806, 6166, 6548, 6954, 7385, 7843, 8329, 8846, 9395, 9978, 11467, 13177, 15143, 17402)
_WIDTH = (246, 306, 381, 474, 591, 186, 197, 209, 222, 236, 251, 266, 283, 300, 319, 339)
_WIDTH += (360, 382, 406, 431, 457, 486, 517, 549, 583, 1489, 1710, 1966, 2259, 2596)

TOP_HATS = np.array(_START) + np.array(_WIDTH) / 2.0
"""Centres of the top hats, Angstrom at rest, ascending, as the luminosities are listed."""

_UNIT_W_HZ = 4.4659e13  # of the luminosities, from the documentation of skyCatalogs
_NJY_W_M2_HZ = 1e-35
# Cosmology of cosmoDC2, flat: km/s/Mpc and matter.
_HUBBLE, _MATTER = 71.0, 0.2648
_LIGHT_KM_S, _MPC_M = 299792.458, 3.0856775814913673e22


def component_fluxes(luminosity: ArrayLike, z: ArrayLike, z_hubble: ArrayLike) -> NDArray[np.float64]:
    """AB fluxes in all bands.

    The luminosity per frequency is interpolated at each band's wavelength at rest: no lines, no absorption
    by intergalactic hydrogen, and the last top hat's value beyond either end.

    Arguments:
        luminosity: (n, 30) mean luminosity per frequency in each of `TOP_HATS`, 4.4659e13 W/Hz.
        z: (n,) redshifts with peculiar velocity, which shift the spectrum.
        z_hubble: (n,) redshifts without, which give the distance.

    Returns:
        (n, bands) nJy, columns in order of the band codes.

    Raises:
        ValueError: if the luminosities are of another shape, negative or not finite.
    """
    luminosity, z = np.asarray(luminosity, dtype=float), np.asarray(z, dtype=float)
    if luminosity.shape != (len(z), len(TOP_HATS)):
        raise ValueError(
            f"luminosities of {len(z)} galaxies in {len(TOP_HATS)} top hats are needed,"
            f" not an array of shape {luminosity.shape}"
        )
    bad = ~(np.isfinite(luminosity) & (luminosity >= 0)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"the luminosities of {bad.sum()} galaxies, first in row {np.argmax(bad)}, are negative or not"
            " finite: mend those rows, or leave them out"
        )
    distance_m = _luminosity_distance_m(np.asarray(z_hubble, dtype=float))
    scale = _UNIT_W_HZ * (1.0 + z) / (4.0 * np.pi * distance_m**2) / _NJY_W_M2_HZ
    flux = np.empty((len(z), len(BANDS)))
    for band in BANDS.values():
        rest = 10.0 * band.wavelength_nm / (1.0 + z)
        place = np.clip(np.interp(rest, TOP_HATS, np.arange(len(TOP_HATS))), 0, len(TOP_HATS) - 1)
        below = np.minimum(place.astype(int), len(TOP_HATS) - 2)
        part = (place - below)[:, None]
        near = np.take_along_axis(luminosity, np.stack([below, below + 1], axis=1), axis=1)
        flux[:, band.code] = scale * (near[:, :1] * (1 - part) + near[:, 1:] * part)[:, 0]
    return flux


def _luminosity_distance_m(z: NDArray[np.float64]) -> NDArray[np.float64]:
    grid = np.linspace(0.0, 1.001 * np.max(z, initial=0.001), 4001)
    slowness = 1.0 / np.sqrt(_MATTER * (1.0 + grid) ** 3 + 1.0 - _MATTER)
    comoving = np.concatenate([[0.0], np.cumsum(0.5 * (slowness[1:] + slowness[:-1]) * np.diff(grid))])
    return (1.0 + z) * np.interp(z, grid, comoving) * _LIGHT_KM_S / _HUBBLE * _MPC_M
