"""Galaxies laid on the sky: where they are, and what shear does to them.

A scene is a square of sky with several overlapping galaxies and the light of those just
outside. Positions are arcsec from the centre, x to the right and y up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np

from .galaxies import density_arcmin2, draw_galaxies

__all__ = ["MARGIN_ARCSEC", "Arrangement", "Sources", "draw_scene", "rotated_90", "sheared"]

Arrangement = Literal["natural", "isolated"]
# Width of the band around a scene whose galaxies still shed light into it.
MARGIN_ARCSEC = 3.0
# Isolated galaxies are detected with margin to spare, and sit near the centres of square cells.
ISOLATED_I_LIMIT = 24.5
ISOLATED_CELL_ARCSEC = 9.6
ISOLATED_OFFSET_ARCSEC = 1.0


@dataclass(frozen=True)
class Sources:
    """True galaxies of one scene, a structure of arrays of length n.

    Attributes:
        x, y: position, arcsec from the centre of the scene.
        z: redshift.
        spectrum: index of the spectral template.
        flux: (n, 10) nJy, bands in the order of their codes.
        half_light_arcsec: circularised half-light radius sqrt(ab), which shear preserves.
        sersic_n: Sersic index, from the short list `galaxies.SERSIC_INDICES`.
        e1, e2: ellipticity (1−q)/(1+q)·exp(2iφ), φ from x to y.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    spectrum: np.ndarray
    flux: np.ndarray
    half_light_arcsec: np.ndarray
    sersic_n: np.ndarray
    e1: np.ndarray
    e2: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: slice | np.ndarray) -> Sources:
        return Sources(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def draw_scene(
    rng: np.random.Generator,
    *,
    width_arcsec: float,
    arrangement: Arrangement = "natural",
    i_limit: float = 27.5,
) -> Sources:
    """Galaxies of one scene, before shear.

    Arguments:
        rng: draws everything.
        width_arcsec: of the scene.
        arrangement: ``"natural"``: Poisson numbers, uniform over the scene and its margin;
            ``"isolated"``: galaxies with i < 24.5, each within an arcsec of the centre of a
            cell 9.6 arcsec wide.
        i_limit: AB magnitude of the faintest galaxies drawn.

    Raises:
        ValueError: if the width is not positive or the arrangement unknown.
    """
    if not width_arcsec > 0:
        raise ValueError(f"a scene must have a positive width, not {width_arcsec} arcsec")
    if arrangement not in get_args(Arrangement):
        raise ValueError(f"arrangement must be one of {get_args(Arrangement)}, not {arrangement!r}")
    if arrangement == "isolated":
        cells = max(int(width_arcsec / ISOLATED_CELL_ARCSEC), 1)
        centres = (np.arange(cells) - (cells - 1) / 2) * ISOLATED_CELL_ARCSEC
        x, y = (axis.ravel() for axis in np.meshgrid(centres, centres))
        half, i_limit = ISOLATED_OFFSET_ARCSEC, min(i_limit, ISOLATED_I_LIMIT)
    else:
        half = width_arcsec / 2 + MARGIN_ARCSEC
        x = y = np.zeros(rng.poisson(density_arcmin2(i_limit) * (2 * half / 60) ** 2))
    n = len(x)
    galaxies = draw_galaxies(rng, n, i_limit)
    e = np.hypot(galaxies.e1, galaxies.e2)
    return Sources(
        x=x + rng.uniform(-half, half, n),
        y=y + rng.uniform(-half, half, n),
        z=galaxies.z,
        spectrum=galaxies.spectrum,
        flux=galaxies.flux,
        half_light_arcsec=galaxies.half_light_arcsec * np.sqrt((1 - e) / (1 + e)),
        sersic_n=galaxies.sersic_n,
        e1=galaxies.e1,
        e2=galaxies.e2,
    )


def sheared(sources: Sources, g1: float, g2: float, *, in_place: bool = False) -> Sources:
    """Shapes and positions under reduced shear, with determinant 1 (no magnification).

    With `in_place`, each source is sheared about its own centre and stays where it is.

    Ellipticities transform as e' = (e + g) / (1 + g* e) (Seitz & Schneider 1997, A&A 318,
    687); positions by S = (1 − |g|²)^(−1/2) [[1 + g1, g2], [g2, 1 − g1]].

    Raises:
        ValueError: if |g| is not below 1.
    """
    g = complex(g1, g2)
    if not abs(g) < 1:
        raise ValueError(f"reduced shear must be below 1, not |{g1}, {g2}|")
    e = sources.e1 + 1j * sources.e2
    e = (e + g) / (1 + np.conj(g) * e)
    shaped = replace(sources, e1=e.real, e2=e.imag)
    if in_place:
        return shaped
    norm = 1 / np.sqrt(1 - abs(g) ** 2)
    return replace(
        shaped,
        x=norm * ((1 + g1) * sources.x + g2 * sources.y),
        y=norm * (g2 * sources.x + (1 - g1) * sources.y),
    )


def rotated_90(sources: Sources) -> Sources:
    """The scene turned by 90 degrees: the partner that cancels shape noise.

    Massey et al. 2007, MNRAS 376, 13: the mean ellipticity of a galaxy and its rotated
    partner is the shear to first order. Positions turn with the shapes, so blends stay so.
    """
    return replace(sources, x=-sources.y, y=sources.x, e1=-sources.e1, e2=-sources.e2)
