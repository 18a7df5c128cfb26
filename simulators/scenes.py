"""Scenes: galaxies and stars laid on squares of sky.

A scene holds several overlapping galaxies and the light of those just outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .clustering import UNIFORM, Clustering, clustering_at, draw_groups
from .clustering import draw_redshifts as draw_group_redshifts
from .counts import I_BRIGHTEST, Variant, density_arcmin2, draw_magnitudes, per_magnitude
from .galaxies import draw_galaxies, galaxies_at
from .redshifts import draw_magnitudes_at, draw_redshifts, draw_spectra
from .sources import Sources, joined, point_sources
from .spectra import Z_MAX
from .stars import draw_stars, star_density_arcmin2
from .surveys import BANDS, flux_from_mag

__all__ = [
    "MARGIN_ARCSEC",
    "NATURAL",
    "Arrangement",
    "Content",
    "clustering_model",
    "draw_scene",
    "lay_galaxies",
]

Arrangement = Literal["clustered", "uniform", "isolated"]
# Width of the band around a scene whose galaxies still shed light into it.
MARGIN_ARCSEC = 3.0
# Isolated galaxies are detected with margin to spare, and sit near the centres of square cells.
ISOLATED_I_LIMIT = 24.5
ISOLATED_CELL_ARCSEC = 9.6
ISOLATED_OFFSET_ARCSEC = 1.0
# Galaxies that tell how much more a bright sample clusters than all: the factor is good to a per cent.
_SAMPLE = 100_000


@dataclass(frozen=True)
class Content:
    """What lies on the sky.

    Attributes:
        arrangement: of the galaxies. ``"clustered"``: on the sky and in redshift, as observed;
            ``"uniform"``: Poisson numbers, anywhere; ``"isolated"``: galaxies with i < 24.5, each
            within an arcsec of the centre of a cell 9.6 arcsec wide.
        i_limit: AB magnitude of the faintest sources, LSST i.
        variant: counts and sizes beyond i = 25.3: ``"low"``, ``"mid"`` or ``"high"``.
        knots: whether young disks have bright knots.
        latitude_deg: Galactic latitude, for stars; None for no stars. Isolated galaxies have none.
        bright_stars: whether stars are drawn that outshine every galaxy (i < 18, to 16), and saturate.
    """

    arrangement: Arrangement = "clustered"
    i_limit: float = 27.5
    variant: Variant = "mid"
    knots: bool = False
    latitude_deg: float | None = None
    bright_stars: bool = False

    def __post_init__(self) -> None:
        if self.arrangement not in get_args(Arrangement):
            raise ValueError(f"arrangement must be one of {get_args(Arrangement)}, not {self.arrangement!r}")
        density_arcmin2(self.i_limit, self.variant)
        if self.bright_stars and self.latitude_deg is None:
            raise ValueError("bright stars need a Galactic latitude, such as latitude_deg=60")
        if self.latitude_deg is not None:
            if self.arrangement == "isolated":
                raise ValueError("isolated galaxies have no stars around them: leave out the latitude")
            star_density_arcmin2(self.latitude_deg, self.i_limit)


NATURAL = Content()
"""Galaxies as they lie on the sky, without stars."""


def draw_scene(
    rng: np.random.Generator,
    content: Content = NATURAL,
    *,
    width_arcsec: float,
    margin_arcsec: float = MARGIN_ARCSEC,
) -> Sources:
    """Sources of one scene and its margin, before shear.

    Arguments:
        rng: draws everything.
        content: what lies on the sky, and how.
        width_arcsec: of the scene.
        margin_arcsec: width of the band around it; isolated galaxies have none.

    Raises:
        ValueError: if the width is not positive.
    """
    if not width_arcsec > 0:
        raise ValueError(f"a scene must have a positive width, not {width_arcsec} arcsec")
    if content.arrangement == "isolated":
        return _isolated(rng, content, width_arcsec)
    across = width_arcsec + 2 * margin_arcsec
    x, y, z, mag_i = lay_galaxies(rng, content, across_arcsec=across)
    spectrum = draw_spectra(rng, z, mag_i)
    galaxies = galaxies_at(rng, mag_i, z, spectrum, variant=content.variant, knots=content.knots)
    sources = Sources(x=x, y=y, **vars(galaxies))
    if content.latitude_deg is None:
        return sources
    stars = draw_stars(rng, width_arcsec=across, latitude_deg=content.latitude_deg, i_limit=content.i_limit)
    # Brighter stars than the brightest galaxies are masked out with their surroundings by any pipeline.
    faint = content.bright_stars | (stars.flux[:, BANDS["i"].code] < flux_from_mag(I_BRIGHTEST))
    return joined(sources, point_sources(x=stars.x[faint], y=stars.y[faint], flux=stars.flux[faint]))


def lay_galaxies(
    rng: np.random.Generator, content: Content, *, across_arcsec: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where the galaxies of a square lie, on the sky and in redshift, and how bright they are.

    Arguments:
        rng: draws everything.
        content: its arrangement is ``clustered`` or ``uniform``.
        across_arcsec: width of the square, margins included: of a scene, or many arcminutes.

    Returns:
        x, y, arcsec from the centre; redshift; LSST i magnitude: (n,) each.
    """
    clustered = content.arrangement == "clustered"
    x, y, group = draw_groups(
        rng,
        width_arcsec=across_arcsec,
        density_arcmin2=density_arcmin2(content.i_limit, content.variant),
        model=clustering_model(content.i_limit, content.variant) if clustered else UNIFORM,
    )
    z, mag_i = draw_group_redshifts(
        rng,
        group,
        population=lambda rng, n: _population(rng, n, content.i_limit, content.variant),
        magnitudes_at=lambda rng, z: draw_magnitudes_at(
            rng,
            z,
            content.i_limit,
            lambda mag: per_magnitude(mag, content.variant),
            i_brightest=I_BRIGHTEST,
        ),
        z_max=Z_MAX,
    )
    return x, y, z, mag_i


def _isolated(rng: np.random.Generator, content: Content, width_arcsec: float) -> Sources:
    cells = max(int(width_arcsec / ISOLATED_CELL_ARCSEC), 1)
    centres = (np.arange(cells) - (cells - 1) / 2) * ISOLATED_CELL_ARCSEC
    x, y = (axis.ravel() for axis in np.meshgrid(centres, centres))
    n, half, i_limit = len(x), ISOLATED_OFFSET_ARCSEC, min(content.i_limit, ISOLATED_I_LIMIT)
    galaxies = draw_galaxies(rng, n, i_limit, variant=content.variant, knots=content.knots)
    return Sources(x=x + rng.uniform(-half, half, n), y=y + rng.uniform(-half, half, n), **vars(galaxies))


def _population(
    rng: np.random.Generator, n: int, i_limit: float, variant: Variant
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mag_i = draw_magnitudes(rng.uniform(size=n), i_limit, variant)
    return draw_redshifts(rng, mag_i)[0], mag_i


@lru_cache(maxsize=32)
def clustering_model(i_limit: float, variant: Variant) -> Clustering:
    """How galaxies to a magnitude limit cluster, so that those with i < 25 do as published."""
    # One sample of the population for everybody, so that the model is a constant of the sky.
    rng = np.random.default_rng(0)
    return clustering_at(i_limit, lambda limit: _population(rng, _SAMPLE, limit, variant)[0])
