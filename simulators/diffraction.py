"""Diffraction by an obscured circular pupil, in the frequencies of the image.

The transfer function of a telescope is the autocorrelation of its pupil: the area that two
pupils, shifted against each other, have in common. For a circle with a round hole that is made of
overlaps of two circles, in closed form. Tests compare it with the Bessel functions of the image and
with GalSim.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ARCSEC", "airy", "annulus_transfer"]

ARCSEC = np.pi / 180 / 3600
"""One arcsec in radians."""


def annulus_transfer(
    frequency: ArrayLike, wavelength_nm: float, diameter_m: float, obscuration: float
) -> NDArray[np.float64]:
    """Transfer function of an obscured pupil without aberrations.

    Arguments:
        frequency: cycles per arcsec, any shape.
        wavelength_nm: nm.
        diameter_m: of the pupil, m.
        obscuration: diameter of the hole over that of the pupil, 0 to below 1.

    Returns:
        1 at zero frequency, 0 from diameter / wavelength on.

    Raises:
        ValueError: if a wavelength or diameter is not positive, or the obscuration leaves no pupil.
    """
    if not (wavelength_nm > 0 and diameter_m > 0):
        raise ValueError(f"wavelength and diameter are positive, not {wavelength_nm} nm, {diameter_m} m")
    if not 0 <= obscuration < 1:
        raise ValueError(f"a linear obscuration is from 0 to below 1, not {obscuration}")
    # In units of the radius of the pupil.
    shift = np.abs(np.asarray(frequency, dtype=float)) * (2e-9 * wavelength_nm / diameter_m / ARCSEC)
    common = _overlap(shift, 1.0, 1.0)
    if obscuration:
        common += _overlap(shift, obscuration, obscuration) - 2 * _overlap(shift, 1.0, obscuration)
    return common / (np.pi * (1 - obscuration**2))


def airy(
    radius: ArrayLike, wavelength_nm: float, diameter_m: float, obscuration: float
) -> NDArray[np.float64]:
    """The image of a point behind an obscured pupil, of integral 1, per square arcsec.

    The textbook form, in proportion to [2 J1(x)/x − ε² 2 J1(εx)/(εx)]², x = π D r / λ; radius in arcsec,
    any shape.
    """
    from scipy.special import j1

    scale = np.pi * diameter_m / (wavelength_nm * 1e-9) * ARCSEC
    x = np.maximum(scale * np.abs(np.asarray(radius, dtype=float)), 1e-9)
    amplitude = 2 * j1(x) / x
    if obscuration:
        amplitude = amplitude - obscuration * 2 * j1(obscuration * x) / x
    return amplitude**2 * scale**2 / (4 * np.pi * (1 - obscuration**2))


def _overlap(distance: NDArray[np.float64], one: float, other: float) -> NDArray[np.float64]:
    """Area that two circles have in common; `one` is not the smaller radius."""
    inside, outside = distance <= one - other, distance >= one + other
    d = np.where(inside | outside, one, distance)
    first = (d**2 + one**2 - other**2) / (2 * d * one)
    second = (d**2 + other**2 - one**2) / (2 * d * other)
    kite = (-d + one + other) * (d + one - other) * (d - one + other) * (d + one + other)
    lens = (
        one**2 * np.arccos(np.clip(first, -1, 1))
        + other**2 * np.arccos(np.clip(second, -1, 1))
        - np.sqrt(np.maximum(kite, 0)) / 2
    )
    return np.where(outside, 0.0, np.where(inside, np.pi * other**2, lens))
