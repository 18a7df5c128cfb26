"""Shear that depends on a source's redshift: slices, or one thin lens.

Blended galaxies at different redshifts carry different shears, and a method that answers one shear
for their light mixes them (MacCrann et al. 2022, MNRAS 509, 3371). The shear of a source is that of its
field times a strength: `Slices` with one edge are the two-plane case; behind a `ThinLens` it grows with
redshift as the lensing efficiency does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OMEGA_M", "Slices", "ThinLens", "comoving_distance", "lensing_efficiency"]

# Flat LCDM. Our choice, near Planck 2018; H0 leaves every ratio of distances as it is.
OMEGA_M = 0.31
# Points of the quadrature: ratios of distances are right to 1e-9 up to z = 10.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Slices:
    """One strength for each slice of redshift.

    Attributes:
        edges: (k,) increasing redshifts between slices; a source at an edge lies behind it.
        strengths: (k + 1) factors on the field's shear, from the nearest slice on.

    Raises:
        ValueError: if edges do not increase, or strengths are not one more.

    Examples:
        >>> Slices(edges=(0.8,), strengths=(0.0, 1.0)).strength_at([0.3, 1.5]).tolist()
        [0.0, 1.0]
    """

    edges: tuple[float, ...]
    strengths: tuple[float, ...]

    def __post_init__(self) -> None:
        if not np.all(np.diff((0.0, *self.edges)) > 0.0):
            raise ValueError(f"edges are positive redshifts that increase, not {self.edges}")
        if len(self.strengths) != len(self.edges) + 1 or not np.all(np.isfinite(self.strengths)):
            raise ValueError(
                f"{len(self.edges)} edges need {len(self.edges) + 1} finite strengths, not {self.strengths}"
            )

    def strength_at(self, z: ArrayLike) -> NDArray[np.float64]:
        """Factor on the field's shear of sources at these redshifts; any shape."""
        z = np.asarray(z, dtype=float)
        return np.asarray(self.strengths, dtype=float)[np.searchsorted(self.edges, z, side="right")]


@dataclass(frozen=True)
class ThinLens:
    """Strength behind a thin lens: none before it, then growing with distance.

    Attributes:
        z_lens: redshift of the lens.
        z_source: redshift of the sources that have the field's shear itself; behind the lens.
        omega_m: matter density of a flat universe with a cosmological constant.

    Raises:
        ValueError: if the lens is not in front, or the density not within 0 and 1.
    """

    z_lens: float
    z_source: float = 1.0
    omega_m: float = OMEGA_M

    def __post_init__(self) -> None:
        if not 0.0 < self.z_lens < self.z_source:
            raise ValueError(
                f"the lens has to lie in front: 0 < z_lens < z_source, not {self.z_lens}, {self.z_source}"
            )
        _check_omega(self.omega_m)

    def strength_at(self, z: ArrayLike) -> NDArray[np.float64]:
        """Factor on the field's shear of sources at these redshifts; any shape."""
        here, given = (
            lensing_efficiency(at, z_lens=self.z_lens, omega_m=self.omega_m) for at in (z, self.z_source)
        )
        return here / given


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
