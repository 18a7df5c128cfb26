"""What varies over the field of view of one LSST exposure: air that stretches, optics that ache.

Every quantity is a Gaussian random field of the position in the focal plane, drawn once for a visit and
then known at any place: a sum of plane waves whose frequencies are drawn from the spectrum of its
correlation function, so that the correlation is exact in the mean, at all separations, without a
grid.

The air stretches images by e1, e2 and swells them by a factor. Its correlation over the field is
the one that the GREAT3 challenge took from image simulations of LSST,
A / (1 + θ/θ0). The optics have low-order Zernike aberrations, which vary slowly. Seeing is so much wider than
diffraction that rays are enough: an aberration scatters them over a spot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j0

from .diffraction import ARCSEC

__all__ = [
    "ZERNIKES",
    "FieldOfView",
    "draw_field_of_view",
    "ray_transfer",
    "ray_transfer_round",
    "spot",
]

# GREAT3's script for its atmospheric PSFs (barnabytprowe/great3-public): amplitude of the correlation
# of the DISTORTION (a² − b²)/(a² + b²) in 20 s with 6.7 m, and θ0 in degrees, both uniform; the
# amplitude falls as one over exposure time and diameter.
_AIR_AMPLITUDE, _AIR_SCALE_DEG = (1e-4, 8e-4), (0.1, 2.0)
_GREAT3_S, _GREAT3_M = 20.0, 6.7

ZERNIKES = (4, 5, 6, 7, 8, 9, 10)
"""Aberrations that are drawn: defocus, astigmatism, coma, trefoil, in the numbering of Noll."""

# Rms of each and length over which it keeps its value: our choice. With the air it gives images an
# ellipticity of 0.015 rms per component.
_WAVEFRONT_UM, _WAVEFRONT_SCALE_DEG = 0.14, 1.5

# Plane waves to a field: the correlation is exact at any number, the more the more Gaussian.
_WAVES = 64


@dataclass(frozen=True)
class FieldOfView:
    """The anisotropy of one exposure over the focal plane.

    Attributes:
        air_waves, optics_waves: (waves, 2) radians per degree.
        air: (3, 2, waves) cosines and sines of e1, e2 and ln size.
        optics: (7, 2, waves) the same of the `ZERNIKES`, micrometres.
    """

    air_waves: NDArray[np.float64]
    air: NDArray[np.float64]
    optics_waves: NDArray[np.float64]
    optics: NDArray[np.float64]

    def stretch(self, position: ArrayLike) -> NDArray[np.float64]:
        """e1, e2 = (1 − q)/(1 + q) of the air, ln size against the middle; (..., 2) degrees to (..., 3)."""
        value = _field(self.air_waves, self.air, position)
        # The seeing of a visit is that in the middle of the field.
        value[..., 2] -= _field(self.air_waves, self.air, (0.0, 0.0))[2]
        return value

    def wavefront(self, position: ArrayLike) -> NDArray[np.float64]:
        """Coefficients of the `ZERNIKES`, micrometres; (..., 2) degrees to (..., 7)."""
        return _field(self.optics_waves, self.optics, position)


def draw_field_of_view(rng: np.random.Generator, *, exposure_s: float, diameter_m: float) -> FieldOfView:
    """Air and optics of one exposure.

    Arguments:
        rng: where the random numbers come from.
        exposure_s: of ONE visit; longer ones have rounder air.
        diameter_m: of a full mirror of the same area.
    """
    # 1/(1 + r/θ0) is the mean of exp(−t r/θ0) over exponential t; an exponential correlation in the
    # plane has spectrum (1 + k² L²)^(−3/2), whose distribution is turned around below.
    scale = rng.uniform(*_AIR_SCALE_DEG) / rng.exponential(size=_WAVES)
    length = np.sqrt(np.maximum(rng.uniform(size=_WAVES) ** -2.0 - 1, 0)) / scale
    angle = rng.uniform(0, 2 * np.pi, _WAVES)
    air_waves = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # e is half of a small distortion, and two components share ξ+. The air swells images as a convergence
    # does: as GREAT3 has it, from the half of the power that makes no curl, so with the rms of one component.
    distortion = rng.uniform(*_AIR_AMPLITUDE) * (_GREAT3_S / exposure_s) * (_GREAT3_M / diameter_m)
    air = np.sqrt(distortion / 8 / _WAVES) * rng.normal(size=(3, 2, _WAVES))
    # A Gaussian correlation has a Gaussian spectrum.
    optics_waves = rng.normal(size=(_WAVES, 2)) / _WAVEFRONT_SCALE_DEG
    optics = _WAVEFRONT_UM * rng.normal(size=(len(ZERNIKES), 2, _WAVES)) / np.sqrt(_WAVES)
    return FieldOfView(air_waves, air, optics_waves, optics)


def _field(waves: NDArray[np.float64], amplitude: NDArray[np.float64], position: ArrayLike) -> NDArray:
    phase = np.asarray(position, dtype=float) @ waves.T
    return np.cos(phase) @ amplitude[:, 0].T + np.sin(phase) @ amplitude[:, 1].T


def spot(wavefront_um: ArrayLike, *, diameter_m: float, obscuration: float) -> NDArray[np.float64]:
    """Where the rays of an aberrated pupil land, arcsec, about their mean: (rays, 2).

    The gradient of the wavefront over the pupil is the angle of its rays.

    Arguments:
        wavefront_um: (7) coefficients of the `ZERNIKES`, micrometres.
        diameter_m, obscuration: of the pupil; the hole as a ratio of diameters.
    """
    gradients = _gradients(round(obscuration, 6))
    rays = np.einsum("j,jpd->pd", np.asarray(wavefront_um, dtype=float), gradients)
    rays *= 1e-6 / (diameter_m / 2) / ARCSEC
    return rays - rays.mean(axis=0)


@cache
def _gradients(obscuration: float) -> NDArray[np.float64]:
    """(zernike, ray, 2) gradients over the pupil of radius 1, for rays on rings of equal areas."""
    rings, spokes = 6, 18
    radius = np.sqrt(obscuration**2 + (1 - obscuration**2) * (np.arange(rings) + 0.5) / rings)
    angle = 2 * np.pi * (np.arange(spokes) + 0.5 * (np.arange(rings)[:, None] % 2)) / spokes
    u, v = (radius[:, None] * np.cos(angle)).ravel(), (radius[:, None] * np.sin(angle)).ravel()
    r2, zero = u**2 + v**2, np.zeros_like(u)
    along_u_v = (
        (np.sqrt(3) * 4 * u, np.sqrt(3) * 4 * v),
        (np.sqrt(6) * 2 * v, np.sqrt(6) * 2 * u),
        (np.sqrt(6) * 2 * u, -np.sqrt(6) * 2 * v),
        (np.sqrt(8) * 6 * u * v, np.sqrt(8) * (3 * r2 + 6 * v**2 - 2)),
        (np.sqrt(8) * (3 * r2 + 6 * u**2 - 2), np.sqrt(8) * 6 * u * v),
        (np.sqrt(8) * 6 * u * v, np.sqrt(8) * 3 * (u**2 - v**2)),
        (np.sqrt(8) * 3 * (u**2 - v**2), -np.sqrt(8) * 6 * u * v),
    )
    return np.array([np.stack([a + zero, b + zero], axis=1) for a, b in along_u_v])


def ray_transfer(
    rays: NDArray[np.float64], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.complexfloating]:
    """Transfer function of a spot on a grid: the mean of exp(−2πi k·ray), (y, x).

    Arguments:
        rays: (rays, 2) arcsec.
        x, y: frequencies along the two axes, cycles per arcsec.
    """
    # Single precision is enough for an image that is stored in it.
    along_x = np.exp(-2j * np.pi * np.outer(rays[:, 0], x)).astype(np.complex64)
    along_y = np.exp(-2j * np.pi * np.outer(y, rays[:, 1])).astype(np.complex64)
    return np.asarray(along_y @ along_x / len(rays), dtype=np.complex64)


def ray_transfer_round(rays: NDArray[np.float64], frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """`ray_transfer` averaged over all directions, in closed form."""
    return j0(2 * np.pi * np.outer(frequency, np.hypot(*rays.T))).mean(axis=1)
