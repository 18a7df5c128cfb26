"""Sources of a scene, galaxies and stars, and what shear and turns do to them.

Positions are arcsec from the centre of the scene, x to the right and y up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .galaxies import Galaxies
from .knots import MAX_KNOTS
from .morphology import DISK
from .surveys import BANDS

__all__ = ["Sources", "joined", "point_sources", "rotated_90", "sersic_sources", "sheared"]


@dataclass(frozen=True)
class Sources(Galaxies):
    """True sources of one scene, galaxies and stars, a structure of arrays of length n.

    A star is a point (half-light radius 0) at redshift 0 with `spectrum` -1; shear leaves it alone.

    Attributes:
        x, y: (n,) position, arcsec from the centre of the scene.
    """

    x: np.ndarray
    y: np.ndarray

    def __getitem__(self, index: slice | np.ndarray) -> Sources:
        return Sources(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @property
    def is_star(self) -> np.ndarray:
        """(n,) which of them are stars."""
        return self.spectrum < 0


def sersic_sources(
    *,
    x: ArrayLike,
    y: ArrayLike,
    flux: ArrayLike,
    half_light_arcsec: ArrayLike,
    sersic_n: ArrayLike = 1.0,
    e1: ArrayLike = 0.0,
    e2: ArrayLike = 0.0,
    z: ArrayLike = 0.5,
) -> Sources:
    """Galaxies of one Sersic profile each; numbers stand for all of them.

    Arguments:
        x, y: position, arcsec from the centre of the scene.
        flux: nJy in every band, or (n, bands).
        half_light_arcsec, sersic_n, e1, e2, z: as in `Galaxies`.
    """
    flux = np.asarray(flux, dtype=float)
    flux = flux if flux.ndim == 2 else np.repeat(flux.reshape(-1, 1), len(BANDS), axis=1)
    given = (x, y, half_light_arcsec, sersic_n, e1, e2, z, flux[:, 0])
    x, y, size, index, e1, e2, z, first = np.broadcast_arrays(*(np.asarray(v, float).ravel() for v in given))
    flux = np.broadcast_to(flux, (len(first), len(BANDS)))
    n = len(x)
    component_flux = np.zeros((n, 2, len(BANDS)))
    component_flux[:, DISK] = flux
    size, index, e1, e2 = (np.repeat(v[:, None], 2, axis=1) for v in (size, index, e1, e2))
    return Sources(
        z=z.copy(),
        spectrum=np.zeros(n, dtype=np.int64),
        component_flux=component_flux,
        half_light_arcsec=size,
        sersic_n=index,
        e1=e1,
        e2=e2,
        n_knots=np.zeros(n, dtype=np.int64),
        knot_fraction=np.zeros(n),
        knots=np.zeros((n, MAX_KNOTS), dtype=complex),
        x=x.copy(),
        y=y.copy(),
    )


def point_sources(*, x: ArrayLike, y: ArrayLike, flux: ArrayLike) -> Sources:
    """Stars, from their positions (arcsec) and fluxes (nJy in every band, or (n, bands))."""
    points = sersic_sources(x=x, y=y, flux=flux, half_light_arcsec=0.0, z=0.0)
    return replace(points, spectrum=np.full(len(points), -1))


def joined(*parts: Sources) -> Sources:
    """All sources of several, in their order."""
    names = [field.name for field in fields(Sources)]
    return Sources(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def sheared(
    sources: Sources, g1: float | np.ndarray, g2: float | np.ndarray, *, in_place: bool = False
) -> Sources:
    """Shapes and positions under reduced shear, with determinant 1 (no magnification).

    Ellipticities transform as e' = (e + g) / (1 + g* e) (Seitz & Schneider 1997, A&A 318,
    687); positions by S = (1 − |g|²)^(−1/2) [[1 + g1, g2], [g2, 1 − g1]].

    Arguments:
        sources: (n) what is sheared; stars stay as they are.
        g1, g2: one shear for all, or (n,) one for each source.
        in_place: each source is sheared about its own centre and stays where it is.

    Raises:
        ValueError: if |g| is not below 1.
    """
    g: NDArray[np.complex128] = np.asarray(g1) + 1j * np.asarray(g2)
    if not np.all(np.abs(g) < 1):
        raise ValueError(f"reduced shear must be below 1, not |{g1}, {g2}|")
    g = np.where(sources.is_star, 0j, g)
    e: NDArray[np.complex128] = sources.e1 + 1j * sources.e2
    # S(g) S(e) is S(e') after a turn, which a round profile does not feel, but knots do.
    denominator = 1 + np.conj(g)[:, None] * e
    e = (e + g[:, None]) / denominator
    turn = np.conj(denominator[:, DISK]) / np.abs(denominator[:, DISK])
    shaped = replace(sources, e1=e.real, e2=e.imag, knots=sources.knots * turn[:, None])
    if in_place:
        return shaped
    norm = 1 / np.sqrt(1 - np.abs(g) ** 2)
    return replace(
        shaped,
        x=norm * ((1 + g.real) * sources.x + g.imag * sources.y),
        y=norm * (g.imag * sources.x + (1 - g.real) * sources.y),
    )


def rotated_90(sources: Sources) -> Sources:
    """The scene turned by 90 degrees: the partner that cancels shape noise.

    Massey et al. 2007, MNRAS 376, 13: the mean ellipticity of a galaxy and its rotated
    partner is the shear to first order. Positions turn with the shapes, so blends stay so.
    """
    return replace(
        sources, x=-sources.y, y=sources.x, e1=-sources.e1, e2=-sources.e2, knots=1j * sources.knots
    )
