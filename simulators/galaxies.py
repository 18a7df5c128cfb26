"""The population of galaxies: every property of each, drawn from the rooms that know one.

Magnitudes follow `counts`; redshift and spectrum follow `redshifts` given the magnitude, and fluxes in
bands are those of the spectrum; shapes follow `morphology` given magnitude, redshift and how much
of the light is old. The bulge is made of the old part of the spectrum, so that bulge and disk have
colours of their own while the galaxy as a whole keeps its spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .counts import Variant, draw_magnitudes
from .knots import MAX_KNOTS
from .morphology import component_flux, draw_morphology
from .redshifts import draw_redshifts
from .spectra import flux_parts
from .surveys import BANDS

__all__ = ["Galaxies", "draw_galaxies", "galaxies_at"]


@dataclass(frozen=True)
class Galaxies:
    """n galaxies, one array for each property; components are `morphology.DISK` and `BULGE`.

    What one Sersic profile describes is all disk, whatever its index.

    Attributes:
        z: (n,) redshifts.
        spectrum: (n,) indices into `templates.library`.
        component_flux: (n, 2, bands) nJy, columns in order of the band codes; a component that is not
            there has none. Knots are part of the disk's.
        half_light_arcsec: (n, 2) circularised half-light radii sqrt(ab), which shear preserves.
        sersic_n: (n, 2) Sersic indices, each one of `morphology.SERSIC_INDICES`.
        e1: (n, 2) ellipticity, |e| = (1 - q) / (1 + q), along x.
        e2: (n, 2) ellipticity along the diagonal from x to y.
        n_knots: (n,) bright knots in the disk, 0 to `knots.MAX_KNOTS`.
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
        """(n, bands) nJy of all components together."""
        return self.component_flux.sum(axis=1)


def draw_galaxies(
    rng: np.random.Generator, n: int, i_limit: float = 27.5, *, variant: Variant = "mid", knots: bool = False
) -> Galaxies:
    """Draw n galaxies with `counts.I_BRIGHTEST` < i < `i_limit`.

    Arguments:
        rng: where the random numbers come from.
        n: how many; `counts.density_arcmin2` says how many an area holds.
        i_limit: faintest LSST i magnitude.
        variant: counts and sizes beyond i = 25.3, one of `counts.VARIANTS`.
        knots: whether young disks have bright knots.

    Raises:
        ValueError: if n is negative or no integer, the limit is beyond what is known, or there is no such
            variant.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"the number of galaxies is an integer, zero or more, not {n!r}")
    mag_i = draw_magnitudes(rng.uniform(size=n), i_limit, variant)
    z, spectrum = draw_redshifts(rng, mag_i)
    return galaxies_at(rng, mag_i, z, spectrum, variant=variant, knots=knots)


def galaxies_at(
    rng: np.random.Generator,
    mag_i: NDArray[np.float64],
    z: NDArray[np.float64],
    spectrum: NDArray[np.int64],
    *,
    variant: Variant = "mid",
    knots: bool = False,
) -> Galaxies:
    """Galaxies whose magnitude, redshift and spectrum are known: fluxes and shapes are added.

    Arguments:
        rng: draws the shapes.
        mag_i: (n,) LSST i magnitudes.
        z: (n,) redshifts.
        spectrum: (n,) indices into `templates.library`.
        variant, knots: as in `draw_galaxies`.
    """
    parts = flux_parts(spectrum, z, mag_i)
    i = BANDS["i"].code
    shape = draw_morphology(rng, mag_i, z, parts[:, 1, i] / parts[:, :, i].sum(axis=1), variant)
    galaxies = Galaxies(
        z=z,
        spectrum=spectrum,
        component_flux=component_flux(parts, shape.bulge_fraction),
        half_light_arcsec=shape.half_light_arcsec,
        sersic_n=shape.sersic_n,
        e1=shape.e1,
        e2=shape.e2,
        n_knots=shape.knots.number,
        knot_fraction=shape.knots.fraction,
        knots=shape.knots.places,
    )
    # Knots are always drawn, so that a sky without them has the same galaxies.
    return galaxies if knots else _smooth(galaxies)


def _smooth(galaxies: Galaxies) -> Galaxies:
    n = len(galaxies)
    return replace(
        galaxies,
        n_knots=np.zeros(n, dtype=np.int64),
        knot_fraction=np.zeros(n),
        knots=np.zeros((n, MAX_KNOTS), dtype=complex),
    )
