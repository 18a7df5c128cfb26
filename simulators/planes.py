"""Shear that depends on a source's redshift: slices with a shear each, or one thin lens.

Blended galaxies at different redshifts carry different shears, and a method that answers one shear
for their light mixes them. `ShearPlanes` with one edge is the two-plane case; `LensShear` grows with
redshift behind a lens as its efficiency does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OMEGA_M", "LensShear", "ShearPlanes", "comoving_distance", "lensing_efficiency"]

# Flat LCDM. Our choice; H0 leaves every ratio of distances as it is.
OMEGA_M = 0.31
# Points of the quadrature: ratios of distances are right to 1e-9 up to z = 10.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)

Shears = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class ShearPlanes:
    """One shear for each slice of redshift.

    Attributes:
        edges: (k,) increasing redshifts between slices; a source at an edge lies behind it.
        shears: (k + 1) pairs (g1, g2), from the nearest slice on.

    Raises:
        ValueError: if edges do not increase, shears are not one more, or a shear is not below 1.

    Examples:
        >>> planes = ShearPlanes(edges=(0.8,), shears=((0.0, 0.0), (0.02, -0.01)))
        >>> [g.tolist() for g in planes.shear_at([0.3, 1.5])]
        [[0.0, 0.02], [0.0, -0.01]]
    """

    edges: tuple[float, ...]
    shears: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not np.all(np.diff((0.0, *self.edges)) > 0.0):
            raise ValueError(f"edges are positive redshifts that increase, not {self.edges}")
        if len(self.shears) != len(self.edges) + 1:
            raise ValueError(
                f"{len(self.edges)} edges need {len(self.edges) + 1} shears, not {len(self.shears)}"
            )
        for shear in self.shears:
            _check_shear(*shear)

    def shear_at(self, z: ArrayLike) -> Shears:
        """g1 and g2 of sources at these redshifts: any shape, the same twice."""
        z = np.asarray(z, dtype=float)
        g = np.asarray(self.shears, dtype=float)[np.searchsorted(self.edges, z, side="right")]
        return g[..., 0], g[..., 1]


@dataclass(frozen=True)
class LensShear:
    """Shear of a thin lens: none before it, then growing with distance.

    Attributes:
        z_lens: redshift of the lens.
        g1, g2: shear of a source at `z_source`.
        z_source: where the shear is given; behind the lens.
        omega_m: matter density of a flat universe with a cosmological constant.

    Raises:
        ValueError: if the lens is not in front, or the shear that farthest sources see is not below 1.
    """

    z_lens: float
    g1: float
    g2: float
    z_source: float = 1.0
    omega_m: float = OMEGA_M

    def __post_init__(self) -> None:
        if not 0.0 < self.z_lens < self.z_source:
            raise ValueError(
                f"the lens has to lie in front: 0 < z_lens < z_source, not {self.z_lens}, {self.z_source}"
            )
        _check_omega(self.omega_m)
        given = float(lensing_efficiency(self.z_source, z_lens=self.z_lens, omega_m=self.omega_m))
        # Farther than any source: an efficiency of 1.
        _check_shear(self.g1 / given, self.g2 / given)

    def shear_at(self, z: ArrayLike) -> Shears:
        """g1 and g2 of sources at these redshifts: any shape, the same twice."""
        here, given = (
            lensing_efficiency(at, z_lens=self.z_lens, omega_m=self.omega_m) for at in (z, self.z_source)
        )
        return self.g1 * here / given, self.g2 * here / given


def lensing_efficiency(z: ArrayLike, *, z_lens: float, omega_m: float = OMEGA_M) -> NDArray[np.float64]:
    """D_ls / D_s of sources behind a lens, zero before it.

    In a flat universe that is 1 - chi_l / chi_s, with comoving distances chi.
    """
    chi_source = comoving_distance(z, omega_m=omega_m)
    chi_lens = float(comoving_distance(z_lens, omega_m=omega_m))
    return 1.0 - chi_lens / np.maximum(chi_source, chi_lens)


def comoving_distance(z: ArrayLike, *, omega_m: float = OMEGA_M) -> NDArray[np.float64]:
    """Comoving distance in units of c / H0, flat LCDM without radiation: integral of dz / E(z).

    Raises:
        ValueError: if a redshift is negative or omega_m not within 0 and 1.
    """
    _check_omega(omega_m)
    z = np.asarray(z, dtype=float)
    if not np.all(z >= 0.0):
        raise ValueError(f"redshifts are zero or more, not {z.min()}")
    # In ln(1 + z) the integrand is smooth to any redshift.
    half = 0.5 * np.log1p(z)
    scale = np.exp(half[..., None] * (1.0 + _NODES))
    integrand = scale / np.sqrt(omega_m * scale**3 + 1.0 - omega_m)
    return half * (integrand @ _WEIGHTS)


def _check_omega(omega_m: float) -> None:
    if not 0.0 <= omega_m <= 1.0:
        raise ValueError(f"omega_m lies within 0 and 1, not {omega_m}")


def _check_shear(g1: float, g2: float) -> None:
    if not np.hypot(g1, g2) < 1.0:
        raise ValueError(f"reduced shear must be below 1, not |{g1}, {g2}|")
