"""What powers a transient, and how its light gets out: bolometric light curves in closed form.

Heat is set free by decaying nickel, a spinning magnetar, heavy nuclei, debris that falls back or a shock,
and diffuses outwards. In ejecta that expand freely (Arnett 1982) the light L obeys dL/ds = H - L with
s = (t / tau)^2 and heating H; behind a photosphere that stands still, s = t / tau.
So light peaks where it equals the heating. Days are counted from the explosion, in its own frame;
luminosities are erg/s. Formulas and numbers were read in public codes that quote the papers named here:
MOSFiT (Guillochon et al. 2018) and redback (Sarin et al. 2024), if nothing else is said.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DAY",
    "KM",
    "LIGHT_SPEED",
    "SOLAR_MASS",
    "diffused",
    "diffusion_days",
    "fallback_heating",
    "interaction_heating",
    "magnetar_energy",
    "magnetar_heating",
    "nickel_heating",
    "plateau",
    "r_process_heating",
    "trapping",
]

DAY, KM, SOLAR_MASS, LIGHT_SPEED = 86400.0, 1e5, 1.989e33, 2.99792458e10
"""Seconds in a day, cm in a km, and the mass of the Sun and the speed of light in g and cm/s."""

# Power of one solar mass of 56Ni and of its 56Co, erg/s, and their decay times, days (Nadyozhin 1994).
_NICKEL, _COBALT = (6.45e43, 8.8), (1.45e43, 111.3)
# Opacity to gamma rays, cm^2/g: the usual figure for those of 56Co.
_GAMMA_OPACITY = 0.027
# Constant of the diffusion time of a sphere (Arnett 1982), as in MOSFiT.
_BETA = 13.7
# Rotation energy, erg, and spin-down time, s, of a neutron star of 1.4 solar masses, 1 ms and 1e14 G.
_SPIN_ENERGY, _SPIN_TIME = 2.6e52, 1.3e5


def diffused(
    days: NDArray[np.float64], heating: NDArray[np.float64], tau: float, *, expanding: bool = True
) -> NDArray[np.float64]:
    """Light of heat that diffuses out.

    Arguments:
        days: (n,) positive, increasing.
        heating: (n,) heating at those times; before the first it is that of the first. In between it is a
            straight line in s, for which the result is exact.
        tau: diffusion time, days.
        expanding: whether the ejecta expand freely; else the photosphere stands still.

    Returns:
        (n,) luminosities in the unit of the heating.
    """
    s = (days / tau) ** 2 if expanding else days / tau
    step = np.diff(s, prepend=0.0)
    gain = -np.expm1(-step)
    before = np.concatenate([heating[:1], heating[:-1]])
    added = before * gain + (heating - before) * (1.0 - gain / step)
    light, now = [], 0.0
    for fade, more in zip(np.exp(-step).tolist(), added.tolist(), strict=True):
        now = fade * now + more
        light.append(now)
    return np.array(light)


def diffusion_days(mass: float, velocity: float, opacity: float) -> float:
    """Diffusion time of freely expanding ejecta, days: sqrt(2 kappa M / (13.7 c v)) (Arnett 1982).

    Arguments:
        mass: of the ejecta, solar masses.
        velocity: km/s.
        opacity: grey, cm^2/g.
    """
    return float(np.sqrt(2 * opacity * mass * SOLAR_MASS / (_BETA * LIGHT_SPEED * velocity * KM)) / DAY)


def trapping(
    days: NDArray[np.float64], mass: float, velocity: float, opacity: float = _GAMMA_OPACITY
) -> NDArray[np.float64]:
    """Part of the gamma rays that heat: 1 - exp(-A / t^2), A = 3 kappa M / (4 pi v^2).

    Arguments:
        days: (n,).
        mass: of the ejecta, solar masses.
        velocity: km/s.
        opacity: to gamma rays, cm^2/g; by default 0.027, of 56Co.
    """
    scale = 3 * opacity * mass * SOLAR_MASS / (4 * np.pi * (velocity * KM) ** 2) / DAY**2
    return -np.expm1(-scale / days**2)


def nickel_heating(days: ArrayLike, mass: float) -> NDArray[np.float64]:
    """Power of 56Ni and its daughter, erg/s (Nadyozhin 1994); mass in solar masses."""
    days = np.asarray(days, dtype=float)
    power = [one * np.exp(-days / time) for one, time in (_NICKEL, _COBALT)]
    return np.asarray(mass * (power[0] + power[1]))


def magnetar_energy(period_ms: float, field_14: float) -> tuple[float, float]:
    """Rotation energy, erg, and spin-down time, days, of a neutron star of 1.4 solar masses.

    Arguments:
        period_ms: first period of rotation, ms.
        field_14: magnetic field, 1e14 G, across the axis of rotation.
    """
    return _SPIN_ENERGY / period_ms**2, _SPIN_TIME * (period_ms / field_14) ** 2 / DAY


def magnetar_heating(days: ArrayLike, period_ms: float, field_14: float) -> NDArray[np.float64]:
    """Power of a magnetic dipole that spins down, erg/s: E / t_p / (1 + t / t_p)^2."""
    energy, spin = magnetar_energy(period_ms, field_14)
    return energy / (spin * DAY) / (1.0 + np.asarray(days, dtype=float) / spin) ** 2


def r_process_heating(days: ArrayLike, mass: float) -> NDArray[np.float64]:
    """Heat of decaying r-process nuclei, erg/s, with the part of it that is kept.

    Numbers are those of MOSFiT's module `rprocess`, which adapts them from Metzger (2016, arXiv:1610.09381).

    Arguments:
        days: positive.
        mass: solar masses.
    """
    days = np.asarray(days, dtype=float)
    # 1/2 - arctan(x) / pi, without the loss of digits at large x.
    rate = 4e18 * mass * SOLAR_MASS * (np.arctan2(0.11, days * DAY - 1.3) / np.pi) ** 1.3
    late = 0.34 * days**0.74
    return rate * 0.36 * (np.exp(-0.56 * days) + np.log1p(late) / late)


def fallback_heating(days: ArrayLike, first: float) -> NDArray[np.float64]:
    """Power of debris that falls back, as a part of its maximum: (1 + t / first)^(-5/3), the usual law.

    Arguments:
        days: since the debris that is bound tightest came back.
        first: how long after the disruption that was, days.
    """
    return (1.0 + np.asarray(days, dtype=float) / first) ** (-5.0 / 3.0)


def interaction_heating(days: ArrayLike, ends: float, slope: float, steepness: float) -> NDArray[np.float64]:
    """Power of a shock in circumstellar matter, up to a factor: t^-slope until it leaves the dense part.

    Arguments:
        days: positive.
        ends: when the shock leaves, days; the power falls by (t / ends)^-steepness afterwards.
        slope: of the power; of a shock in a wind, for ejecta whose density goes as r^-n, it is 3 / (n - 2).
        steepness: our choice, for the declines that are seen.
    """
    days = np.asarray(days, dtype=float)
    return days**-slope / (1.0 + (days / ends) ** steepness)


def plateau(radius: float, mass: float, energy: float) -> tuple[float, float]:
    """Luminosity, erg/s, and length, days, of the plateau of a Type II supernova (Popov 1993).

    As coded in a public program of pictures:
    L = 1.64e42 R^(2/3) E^(5/6) M^(-1/2) and t = 99 M^(1/2) R^(1/6) E^(-1/6), for an opacity of 0.34 cm^2/g
    and hydrogen that recombines at 5054 K.

    Arguments:
        radius: of the star, 500 solar radii.
        mass: of the ejecta, 10 solar masses.
        energy: of the explosion, 1e51 erg.
    """
    light = 1.64e42 * radius ** (2 / 3) * energy ** (5 / 6) * mass**-0.5
    return light, 99.0 * mass**0.5 * radius ** (1 / 6) * energy ** (-1 / 6)
