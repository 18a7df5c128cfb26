"""Spectral time series made from a few published numbers, for every class: no data files, no network.

`parametric_series("IIn", 7)` is the series "parametric-IIn-07", always the same one: its parameters are drawn
within the ranges of the class from a fixed, public key. So a class is a set of named series, and the sets for
training and testing need not overlap. They are sane rather than real: light curves of the physics in
`explosions`, spectra of `photospheres` with the lines every textbook shows.

Numbers that come from a paper name it beside them; they were read in its abstract or in public code that
quotes it. Everything without a source is our choice, made so that rise, decline and colours look like the
class: velocities, opacities, floors of temperature, depths of lines and the spread of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from . import explosions, line_lists
from .photospheres import (
    Line,
    black_body,
    blanketing,
    line_profiles,
    photosphere_temperature,
)
from .randomness import generator
from .series import Series

__all__ = ["COUNT", "KINDS", "WAVELENGTH", "parametric_series"]

COUNT = 48
"""Series of each class: indices from 0 to this less one."""

WAVELENGTH = np.geomspace(1000.0, 25000.0, 560)
"""Of every series, Angstrom, at rest."""
WAVELENGTH.flags.writeable = False

_KEY = b"skysynergy parametric series 1"
# Times at which light curves are worked out, days since the explosion; phases of a series.
_DAYS = np.geomspace(0.02, 600.0, 900)
_PHASES = 56
# Light between these, Angstrom, has its maximum at phase zero: about B, as usual.
_PEAK_BAND = (4000.0, 5500.0)
# Photospheres slow down by this power of time, about the peak.
_SLOWS = -0.22
# The radius of those heated by nickel stalls at this part of the rise.
_STALLS = 1.1
# At maximum a Type Ia lacks this part of the near infrared of a black body, and more until the second.
_DEFICIT = 0.44


@dataclass(frozen=True)
class _Part:
    """Light of one photosphere: (n,) erg/s on `_DAYS`, its velocity in km/s, and its temperature, K."""

    luminosity: NDArray[np.float64]
    velocity: float
    temperature: NDArray[np.float64]
    blanket: float = 0.0
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class _Recipe:
    """What a series is made of: first and last day, days where light changes fast, second maximum."""

    parts: tuple[_Part, ...]
    first: float = 0.6
    last: float = 220.0
    dense: tuple[float, float] | None = None
    second: tuple[float, float, float] | None = None


def parametric_series(kind: str, index: int) -> Series:
    """One series of a class.

    Arguments:
        kind: one of `KINDS`.
        index: 0 to `COUNT` - 1.

    Returns:
        The series at 10 pc, f_lambda in erg/s/cm^2/Angstrom; days since maximum in blue light.

    Raises:
        ValueError: if there is no such class or index.

    Examples:
        >>> parametric_series("IIn", 7).name
        'parametric-IIn-07'
    """
    if kind not in _RECIPES:
        raise ValueError(f"no class of parametric series is called {kind!r}: they are {' '.join(KINDS)}")
    if not 0 <= index < COUNT:
        raise ValueError(f"series of a class go from 0 to {COUNT - 1}, there is none of index {index}")
    recipe = _RECIPES[kind](generator(_KEY, kind, index))
    days = np.geomspace(recipe.first, recipe.last, _PHASES)
    if recipe.dense is not None:
        middle, width = recipe.dense
        days = np.union1d(days, middle + width * np.linspace(-1.0, 1.0, 13))
        days = days[np.diff(days, prepend=0.0) > 0.04 * np.minimum(days, width)]
    light = _spectra(recipe, days)
    return Series(f"parametric-{kind}-{index:02d}", days - _peak(days, light), WAVELENGTH, light[None])


def _spectra(recipe: _Recipe, days: NDArray[np.float64]) -> NDArray[np.float64]:
    """(p, w) f_lambda at 10 pc."""
    total = np.zeros((days.size, WAVELENGTH.size))
    width = np.gradient(WAVELENGTH)
    for part in recipe.parts:
        luminosity = np.exp(np.interp(np.log(days), np.log(_DAYS), np.log(part.luminosity)))
        temperature = np.interp(np.log(days), np.log(_DAYS), part.temperature)
        body = black_body(luminosity, temperature, WAVELENGTH)
        peak = _DAYS[np.argmax(part.luminosity)]
        shown = body
        if part.blanket:
            shown = shown * blanketing(temperature, WAVELENGTH, part.blanket)
        if part.lines:
            velocity = part.velocity * np.clip(days / peak, 0.15, 8.0) ** _SLOWS
            shown = shown * line_profiles(part.lines, WAVELENGTH, velocity, days / peak)
        if recipe.second is not None:
            # Light absorbed in the blue comes out in the near infrared once iron has recombined.
            size, centre, duration = recipe.second
            age = days / peak
            time = size * np.exp(-0.5 * ((age - centre) / duration) ** 2)
            time -= np.minimum(_DEFICIT * age**0.6, 0.64) / (1.0 + (age / (centre - 0.3)) ** 12)
            red = 1.0 / (1.0 + np.exp(-(WAVELENGTH - 6600.0) / 350.0))
            shown = shown * (1.0 + time[:, None] * red)
        total += shown * (body @ width / (shown @ width))[:, None]
    return total


def _peak(days: NDArray[np.float64], light: NDArray[np.float64]) -> float:
    """The day of maximum in blue light."""
    blue_end, red_end = _PEAK_BAND
    blue = light[:, (blue_end < WAVELENGTH) & (red_end > WAVELENGTH)].mean(axis=1)
    fine = np.geomspace(days[0], days[-1], 4000)
    return float(fine[np.argmax(CubicSpline(np.log(days), np.log(blue))(np.log(fine)))])


def _around(rng: np.random.Generator, value: float, dex: float) -> float:
    """A number about a value, log-normal, within two standard deviations."""
    return value * 10.0 ** (dex * float(np.clip(rng.normal(), -2.0, 2.0)))


def _nickel(
    rng: np.random.Generator,
    *,
    nickel: float,
    mass: float,
    velocity: float,
    opacity: float,
    floor: float,
    blanket: float,
    lines: tuple[Line, ...],
    dilution: float = 1.0,
) -> _Part:
    """Ejecta heated by nickel; masses in solar masses, velocity in km/s, floor in K.

    The radius is that of the velocity times the dilution: atmospheres that scatter look hotter and smaller.
    """
    heat = explosions.nickel_heating(_DAYS, nickel) * explosions.trapping(_DAYS, mass, velocity)
    light = explosions.diffused(_DAYS, heat, explosions.diffusion_days(mass, velocity, opacity))
    # Photospheres of these stop growing about maximum.
    stalls = _STALLS * _DAYS[np.argmax(light)]
    temperature = photosphere_temperature(light, _DAYS, dilution * velocity, floor, stalls)
    depth = _around(rng, 1.0, 0.07)
    return _Part(light, velocity, temperature, blanket, line_lists.scaled(lines, depth))


def _ia(rng: np.random.Generator) -> _Recipe:
    # Luminous ones are slower: mass and nickel grow together, up to a white dwarf that holds no more.
    stretch = rng.uniform(0.0, 1.0)
    part = _nickel(
        rng,
        nickel=0.38 + 0.37 * stretch,
        mass=1.05 + 0.35 * stretch,
        velocity=rng.uniform(10200.0, 11800.0),
        opacity=rng.uniform(0.115, 0.135),
        floor=rng.uniform(5400.0, 5800.0),
        blanket=rng.uniform(3900.0, 4150.0),
        lines=line_lists.IA,
    )
    second = (rng.uniform(0.30, 0.50), 2.45 + 0.30 * stretch, rng.uniform(0.36, 0.42))
    return _Recipe((part,), second=second)


def _ia_91bg(rng: np.random.Generator) -> _Recipe:
    # SN 1991bg: red at maximum, fast, without a second maximum (Turatto et al. 1996).
    part = _nickel(
        rng,
        nickel=rng.uniform(0.05, 0.11),
        mass=rng.uniform(0.6, 0.95),
        velocity=rng.uniform(9300.0, 10500.0),
        opacity=rng.uniform(0.14, 0.17),
        floor=rng.uniform(4200.0, 4500.0),
        blanket=rng.uniform(4300.0, 4500.0),
        lines=line_lists.IA_91BG,
    )
    return _Recipe((part,))


def _iax(rng: np.random.Generator) -> _Recipe:
    # 2000 to 8000 km/s, about half a solar mass of ejecta (Foley et al. 2013).
    bright = rng.uniform(0.0, 1.0)
    part = _nickel(
        rng,
        nickel=0.01 * 18.0**bright,
        mass=_around(rng, 0.5, 0.1),
        velocity=3500.0 + 4000.0 * bright,
        opacity=rng.uniform(0.09, 0.12),
        floor=rng.uniform(4300.0, 4800.0),
        blanket=rng.uniform(4000.0, 4200.0),
        lines=line_lists.IAX,
    )
    return _Recipe((part,))


def _cart(rng: np.random.Generator) -> _Recipe:
    # 0.4 to 0.7 solar masses at 6000 to 11000 km/s (Kasliwal et al. 2012).
    part = _nickel(
        rng,
        nickel=rng.uniform(0.012, 0.025),
        mass=rng.uniform(0.4, 0.7),
        velocity=rng.uniform(7000.0, 9500.0),
        opacity=rng.uniform(0.16, 0.21),
        floor=rng.uniform(4200.0, 4600.0),
        blanket=rng.uniform(3700.0, 4000.0),
        lines=line_lists.CART,
        dilution=0.65,
    )
    return _Recipe((part,))


def _stripped(
    lines: tuple[Line, ...], nickel: float, velocity: float, floor: float, dilution: float
) -> Callable:
    def recipe(rng: np.random.Generator) -> _Recipe:
        # Ejecta of 1.7 to 5.2 solar masses (Dessart et al. 2016, their models); the medians of nickel are
        # those of Prentice et al. (2016), abstract; of Ic-BL about twice that of Ic.
        part = _nickel(
            rng,
            nickel=_around(rng, nickel, 0.15),
            mass=_around(rng, 2.7, 0.12),
            velocity=_around(rng, velocity, 0.05),
            opacity=rng.uniform(0.075, 0.095),
            floor=rng.uniform(0.96, 1.04) * floor,
            blanket=rng.uniform(3800.0, 4050.0),
            lines=lines,
            dilution=dilution,
        )
        return _Recipe((part,))

    return recipe


def _iib(rng: np.random.Generator) -> _Recipe:
    # Many show the extended envelope cool before the nickel shines: a first peak, as of SN 1993J.
    (part,) = _stripped(line_lists.IIB, 0.11, 8500.0, 4900.0, 0.72)(rng).parts
    if rng.uniform() > 0.5:
        return _Recipe((part,))
    lasts = rng.uniform(1.2, 2.2)
    cooling = rng.uniform(0.5, 1.2) * part.luminosity.max() * np.exp(-0.5 * (_DAYS / lasts) ** 2)
    cooling *= -np.expm1(-((_DAYS / 0.4) ** 2))
    light = part.luminosity + cooling
    hot = photosphere_temperature(light, _DAYS, part.velocity, 4800.0)
    # The peak of the nickel dates the lines.
    return _Recipe(
        (
            _Part(part.luminosity, part.velocity, part.temperature, part.blanket, part.lines),
            _Part(cooling + 1e-6 * part.luminosity, part.velocity, hot, 3000.0),
        ),
        first=0.3,
    )


def _ii(rng: np.random.Generator) -> _Recipe:
    # 0.5 to 3e51 erg, 10 to 30 solar masses, 200 to 600 solar radii (Nadyozhin 2003), 0.005 to 0.177 solar
    # masses of nickel (Rodriguez et al. 2021). Fast decliners have shorter plateaus; the mean decline is
    # 1.3 mag in 100 days in V (de Jaeger et al. 2019).
    energy, mass = _around(rng, 1.0, 0.15), _around(rng, 11.5, 0.07)
    light, lasts = explosions.plateau(rng.uniform(0.5, 1.2), mass / 10.0, energy)
    slope = float(np.clip(rng.gamma(2.0, 0.4), 0.1, 3.2))
    lasts *= 1.0 - 0.06 * slope
    nickel = _around(rng, 0.035, 0.25)
    age = _DAYS / lasts
    falls = rng.uniform(3.5, 6.0)
    # Shock heated matter cools first: the luminosity falls to the plateau, T goes as t^-1/2 (our choice).
    glow = light * 10.0 ** (-0.4 * slope * (_DAYS - 50.0) / 100.0)
    glow *= np.sqrt(1.0 + (14.0 / _DAYS) ** 1.2) * -np.expm1(-((_DAYS / 1.0) ** 2))
    glow /= 1.0 + np.exp((_DAYS - lasts) / falls)
    tail = explosions.nickel_heating(_DAYS, nickel) / (1.0 + np.exp((lasts - _DAYS) / falls))
    cool = rng.uniform(6300.0, 7000.0) * (1.0 - 0.12 / (1.0 + np.exp((0.8 - age) / 0.08)))
    hot = rng.uniform(12000.0, 14000.0) * (_DAYS / 10.0) ** -0.5
    temperature = (cool**6 + np.minimum(hot, 30000.0) ** 6) ** (1 / 6)
    depth = _around(rng, 1.0, 0.07)
    # Lines are dated by the plateau, so the part's peak has to be a tenth of it, as the light's is.
    part = _Part(
        glow + tail,
        _around(rng, 8500.0, 0.06),
        temperature,
        rng.uniform(3750.0, 4000.0),
        line_lists.scaled(line_lists.II, depth),
    )
    return _Recipe((part,), first=0.4, last=260.0, dense=(lasts, 26.0))


def _iin(rng: np.random.Generator) -> _Recipe:
    # Rises of 20 +- 6 or 50 +- 11 days (Nyholm et al. 2020); who rises slowly declines slowly.
    slow = rng.uniform() < 0.4
    tau = float(np.clip(rng.normal(36.0, 7.0) if slow else rng.normal(13.5, 3.5), 6.0, 50.0))
    heat = explosions.interaction_heating(
        _DAYS, tau * rng.uniform(1.6, 2.4), rng.uniform(0.3, 0.5), rng.uniform(1.2, 2.4)
    )
    light = explosions.diffused(_DAYS, heat, tau, expanding=False)
    light *= _around(rng, 2e43, 0.3) / light.max()
    # A nearly standing photosphere cools slowly from about 1e4 K.
    peak = _DAYS[np.argmax(light)]
    temperature = rng.uniform(9500.0, 12500.0) * (1.0 + (_DAYS / peak)) ** -0.35 * 2**0.35
    temperature = (temperature**8 + rng.uniform(6000.0, 6800.0) ** 8) ** (1 / 8)
    part = _Part(light, rng.uniform(2600.0, 4500.0), temperature, 3300.0, line_lists.IIN)
    return _Recipe((part,), last=400.0)


def _slsn(rng: np.random.Generator) -> _Recipe:
    # Medians and ranges of period, field, mass and kinetic energy of Nicholl, Guillochon & Berger (2017).
    while True:
        period, field = _around(rng, 2.2, 0.15), _around(rng, 0.8, 0.3)
        mass, kinetic = _around(rng, 4.8, 0.25), _around(rng, 3.9, 0.2)
        velocity = np.sqrt(10.0 / 3.0 * kinetic * 1e51 / (mass * explosions.SOLAR_MASS)) / explosions.KM
        heat = explosions.magnetar_heating(_DAYS, period, field)
        heat = heat * explosions.trapping(_DAYS, mass, velocity, rng.uniform(0.03, 0.2))
        light = explosions.diffused(_DAYS, heat, explosions.diffusion_days(mass, velocity, 0.15))
        rise = _DAYS[np.argmax(light)]
        # Corners of the ranges that nobody has seen are left out.
        if light.max() > 3e43 and 15.0 < rise < 70.0:
            break
    floor = rng.uniform(6000.0, 7500.0)
    temperature = photosphere_temperature(light, _DAYS, velocity, floor)
    part = _Part(light, min(velocity, 14000.0), temperature, rng.uniform(3900.0, 4200.0), line_lists.SLSN)
    return _Recipe((part,), first=1.0, last=450.0)


def _tde(rng: np.random.Generator) -> _Recipe:
    # Hot, at nearly the same temperature for months (Hinkle et al. 2020); 12,000 to 35,000 K.
    delay, first = rng.uniform(6.0, 15.0), _around(rng, 32.0, 0.12)
    heat = explosions.fallback_heating(_DAYS, first) * -np.expm1(-((_DAYS / delay) ** 2))
    light = explosions.diffused(_DAYS, heat, delay, expanding=False)
    light *= _around(rng, 1e44, 0.25) / light.max()
    temperature = _around(rng, 18500.0, 0.11) * (1.0 + 0.0012 * (_DAYS - 30.0).clip(-30.0, 250.0))
    part = _Part(light, _around(rng, 11000.0, 0.1), temperature, 0.0, line_lists.TDE)
    return _Recipe((part,), first=2.0, last=500.0)


def _kilonova(rng: np.random.Generator) -> _Recipe:
    # Of GW170817 (Villar et al. 2017): 0.020 solar masses at 0.27 c, blue, and 0.047 + 0.011 at about 0.15 c,
    # which we take together as red. Opacities are our choice, low for blue and high for red.
    parts = []
    for mass, beta, opacity, floor, blanket in (
        (_around(rng, 0.020, 0.2), rng.uniform(0.2, 0.3), rng.uniform(0.5, 1.0), 2500.0, 3700.0),
        (_around(rng, 0.045, 0.2), rng.uniform(0.11, 0.18), rng.uniform(3.0, 8.0), 2000.0, 7000.0),
    ):
        velocity = beta * explosions.LIGHT_SPEED / explosions.KM
        tau = explosions.diffusion_days(mass, velocity, opacity)
        light = explosions.diffused(_DAYS, explosions.r_process_heating(_DAYS, mass), tau)
        temperature = photosphere_temperature(light, _DAYS, velocity, rng.uniform(0.9, 1.2) * floor)
        parts.append(_Part(light, velocity, np.minimum(temperature, 25000.0), blanket, line_lists.KILONOVA))
    return _Recipe(tuple(parts), first=0.06, last=40.0)


_RECIPES: dict[str, Callable[[np.random.Generator], _Recipe]] = {
    "Ia": _ia,
    "Ia-91bg": _ia_91bg,
    "II": _ii,
    "IIn": _iin,
    "IIb": _iib,
    "Ib": _stripped(line_lists.IB, 0.14, 9000.0, 5000.0, 0.72),
    "Ic": _stripped(line_lists.IC, 0.16, 9800.0, 4800.0, 0.72),
    "Ic-BL": _stripped(line_lists.IC_BL, 0.33, 17500.0, 5000.0, 0.60),
    "SLSN-I": _slsn,
    "TDE": _tde,
    "KN": _kilonova,
    "Iax": _iax,
    "CaRT": _cart,
}
KINDS = tuple(_RECIPES)
"""Classes that have parametric series. Active nuclei have none: `active_nuclei` draws their light."""
