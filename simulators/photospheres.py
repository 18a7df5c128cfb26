"""Spectra of transients: a black body, dark in the ultraviolet, with broad lines.

A photosphere moves outwards until it is as cool as matter that recombines, and recedes at that temperature,
as in MOSFiT and redback. Its black body is multiplied by the blanketing of metal lines in the
ultraviolet, and by P Cygni profiles: matter that approaches absorbs, all of it emits. What lines take away
comes out elsewhere: every spectrum has the light of its black body. The profiles are Gaussians, our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .explosions import DAY, KM, LIGHT_SPEED

__all__ = ["Line", "black_body", "blanketing", "line_profiles", "photosphere_temperature", "season"]

Season = Literal["always", "early", "peak", "late", "nebular"]

_STEFAN = 5.670374e-5  # erg/s/cm^2/K^4
_HC_K = 1.438777e8  # second radiation constant, Angstrom K
_TEN_PC = 3.0856776e19  # cm
# How sharply the temperature turns to its floor; widths of absorption and emission and place of the former,
# in units of the velocity: our choice.
_SHARPNESS = 10.0
_ABSORBS, _EMITS, _SHIFT = 0.33, 0.55, 1.0
# Below a wavelength, which is shorter in hotter matter, metals take light away by this power: our choice.
_BLANKET_POWER, _BLANKET_COOL = 7.0, 6000.0


@dataclass(frozen=True)
class Line:
    """A line, or a blend of lines, in a spectrum.

    Attributes:
        wavelength: at rest, Angstrom.
        absorbs: part of the light that is missing at the deepest.
        emits: light added, in units of the black body.
        when: the `season` in which it is seen.
        width: of both, in units of the velocity of the photosphere.
    """

    wavelength: float
    absorbs: float = 0.0
    emits: float = 0.0
    when: Season = "always"
    width: float = 1.0


def photosphere_temperature(
    luminosity: NDArray[np.float64],
    days: NDArray[np.float64],
    velocity: float,
    floor: float,
    stalls: float = np.inf,
) -> NDArray[np.float64]:
    """Temperature, K, of a photosphere at radius v t, and never below a floor.

    Arguments:
        luminosity: (n,) erg/s.
        days: (n,) since the explosion.
        velocity: km/s.
        floor: K.
        stalls: days after which the radius grows no more, because the matter gets thin: it is
            v t / sqrt(1 + (t / stalls)^2), our choice.
    """
    radius = velocity * KM * days * DAY / np.sqrt(1.0 + (days / stalls) ** 2)
    free = (luminosity / (4 * np.pi * _STEFAN * radius**2)) ** 0.25
    return (free**_SHARPNESS + floor**_SHARPNESS) ** (1.0 / _SHARPNESS)


def black_body(
    luminosity: NDArray[np.float64], temperature: NDArray[np.float64], wavelength: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spectra of black bodies at 10 pc.

    Arguments:
        luminosity: (p,) erg/s.
        temperature: (p,) K.
        wavelength: (w,) Angstrom.

    Returns:
        (p, w) f_lambda, erg/s/cm^2/Angstrom.
    """
    x = _HC_K / (wavelength * temperature[:, None])
    # The share of a wavelength in all the light: 15 / pi^4 x^4 / (e^x - 1) / lambda.
    share = 15.0 / np.pi**4 * x**4 / np.expm1(np.minimum(x, 600.0)) / wavelength
    return luminosity[:, None] / (4 * np.pi * _TEN_PC**2) * share


def blanketing(
    temperature: NDArray[np.float64], wavelength: NDArray[np.float64], edge: float
) -> NDArray[np.float64]:
    """Light that metal lines in the ultraviolet let through.

    Arguments:
        temperature: (p,) K.
        wavelength: (w,) Angstrom.
        edge: where half is let through at 6000 K, Angstrom; it goes with the inverse root of temperature.

    Returns:
        (p, w) from 0 to 1.
    """
    place = edge * np.sqrt(_BLANKET_COOL / temperature)
    return 1.0 / (1.0 + (place[:, None] / wavelength) ** _BLANKET_POWER)


def season(when: Season, age: NDArray[np.float64]) -> NDArray[np.float64]:
    """How strong a line is, 0 to 1, at an age in units of that at the peak: our choice."""
    if when == "always":
        return np.ones(age.shape)
    early = 1.0 / (1.0 + (age / 1.8) ** 6)
    if when == "early":
        return early
    if when == "peak":
        return 1.0 / (1.0 + (0.5 / age) ** 4) / (1.0 + (age / 2.5) ** 6)
    if when == "late":
        return 1.0 - early
    return 1.0 / (1.0 + (4.5 / age) ** 4)


def line_profiles(
    lines: tuple[Line, ...],
    wavelength: NDArray[np.float64],
    velocity: NDArray[np.float64],
    age: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What all lines together do to a spectrum.

    Arguments:
        lines: the lines.
        wavelength: (w,) Angstrom, increasing.
        velocity: (p,) of the photosphere, km/s.
        age: (p,) in units of that at the peak.

    Returns:
        (p, w) factors, positive.
    """
    factor = np.ones((velocity.size, wavelength.size))
    beta = velocity[:, None] * KM / LIGHT_SPEED
    for line in lines:
        # Beyond this profiles are below 1e-4.
        reach = line.wavelength * 4.5 * max(1.0, line.width) * float(beta.max())
        start, stop = np.searchsorted(wavelength, (line.wavelength - reach, line.wavelength + reach))
        place = (wavelength[start:stop] / line.wavelength - 1.0) / beta
        strength = season(line.when, age)[:, None]
        part = factor[:, start:stop]
        if line.absorbs:
            apart = (place + _SHIFT) / (_ABSORBS * line.width)
            part *= 1.0 - line.absorbs * strength * np.exp(-0.5 * apart**2)
        if line.emits:
            part *= 1.0 + line.emits * strength * np.exp(-0.5 * (place / (_EMITS * line.width)) ** 2)
    return factor
