"""The classes of transients: how often, how bright, behind how much dust, in what galaxies, how far.

`CLASSES` are the twelve to be told apart, `OUT_OF_DISTRIBUTION` those that only a test set may hold. Rates
and the colours and stretches of Type Ia are those of PLAsTiCC and ELAsTiCC (Kessler et al. 2019), read in the
public input files of the simulation and in SNANA's code. H0 = 70 km/s/Mpc.

Luminosity functions are in AB, of a band at rest, at the peak, without dust of the host. Of published
magnitudes in Vega's system, B stands for g with 0.1 mag less, V for g with 0.0 and R for r with 0.2 mag more:
the offsets of Vega, and differences between bands that are small beside the widths (our choice).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import active_nuclei

__all__ = [
    "CLASSES",
    "OUT_OF_DISTRIBUTION",
    "Dust",
    "Host",
    "Luminosity",
    "Salt",
    "Skewed",
    "TransientClass",
    "find_class",
    "star_formation",
]

Rate = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Skewed:
    """A Gaussian with two widths, cut at both ends.

    Attributes:
        peak: the most probable value.
        below, above: standard deviations on either side.
        low, high: nothing lies beyond.

    Raises:
        ValueError: if a width is not positive or the ends are not in order.
    """

    peak: float
    below: float
    above: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (self.below > 0 and self.above > 0 and self.low < self.high):
            raise ValueError(f"widths are positive and low < high, not {self}")


@dataclass(frozen=True)
class Luminosity:
    """Absolute magnitudes at the peak.

    Attributes:
        band: in which, at rest; AB.
        magnitudes: their distribution; None for a power law.
        slope: of a power law, dN/dM goes as 10^(slope M), within `limits`.
        limits: brightest and faintest of a power law.
    """

    band: str
    magnitudes: Skewed | None = None
    slope: float = 0.0
    limits: tuple[float, float] = (-30.0, -5.0)

    @property
    def brightest(self) -> float:
        """No magnitude is brighter."""
        return self.limits[0] if self.magnitudes is None else self.magnitudes.low


@dataclass(frozen=True)
class Dust:
    """Dust of the host: E(B-V) is exponential, cut at a maximum, and zero for some.

    Attributes:
        mean: of the exponential, mag.
        most: its maximum, mag.
        r_v: A_V / E(B-V).
        none: fraction without any.
    """

    mean: float
    most: float = 1.0
    r_v: float = 3.1
    none: float = 0.0


@dataclass(frozen=True)
class Salt:
    """Stretch and colour of Type Ia, and what they do to the magnitude: M - alpha x1 + beta c (Tripp 1998).

    Attributes:
        stretch, colour: distributions of x1 and c.
        alpha, beta: the coefficients.
    """

    stretch: Skewed
    colour: Skewed
    alpha: float
    beta: float


@dataclass(frozen=True)
class Host:
    """Absolute r magnitudes (AB) of the galaxies in which a class is found.

    They are the same at all redshifts, and have no K correction: galaxies were brighter, and are seen where
    they are fainter, both by about a magnitude at redshift one (our choice).

    Attributes:
        mean, sigma: of a Gaussian, cut at two sigma.
    """

    mean: float
    sigma: float


@dataclass(frozen=True)
class TransientClass:
    """A class of transients.

    Attributes:
        name: what it is called.
        rate: volumetric rate at redshifts, /yr/Mpc^3 comoving, in its own time; for what is always there,
            the number /Mpc^3.
        luminosity: of the peak.
        dust: of the host.
        host: the galaxies.
        z_max: the farthest to simulate.
        salt: stretch and colour, of Type Ia only.
        always: whether it is always there, as active nuclei are, so that numbers do not grow with time.
    """

    name: str
    rate: Rate
    luminosity: Luminosity
    dust: Dust
    host: Host
    z_max: float
    salt: Salt | None = None
    always: bool = False


def star_formation(z: ArrayLike) -> NDArray[np.float64]:
    """Cosmic star formation rate density over that at redshift zero (Madau & Dickinson 2014)."""
    scale = 1.0 + np.asarray(z, dtype=float)
    return scale**2.7 / (1.0 + (scale / 2.9) ** 5.6) * (1.0 + 2.9**-5.6)


def _core_collapse(fraction: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """A fraction of all core collapse, by the fit of Strolger et al. (2015, eq. 9) as coded in SNANA."""
    scale = 1.0 + np.asarray(z, dtype=float)
    return fraction * 0.0091 * 0.7**2 * 0.015 * scale**5.0 / (1.0 + (scale / 1.5) ** 6.1)


def _with_stars(local: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
    return local * star_formation(z)


def _power_law(local: float, slope: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
    return local * (1.0 + np.asarray(z, dtype=float)) ** slope


def _type_ia(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """2.5e-5 (1 + z)^1.5 (Dilday et al. 2008) to z = 1, 9.7e-5 (1 + z)^-0.5 beyond: as PLAsTiCC."""
    return np.where(np.asarray(z) < 1.0, _power_law(2.5e-5, 1.5, z), _power_law(9.7e-5, -0.5, z))


def _disruptions(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """1e-6 (van Velzen 2018), falling by 10^(-5 z / 6) (Kochanek 2016): as SNANA."""
    return 1e-6 * 10.0 ** (-5.0 / 6.0 * np.asarray(z, dtype=float))


def _nuclei(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Active nuclei in `active_nuclei.M_G_RANGE`, /Mpc^3."""
    z = np.asarray(z, dtype=float)
    magnitude = np.linspace(*active_nuclei.M_G_RANGE, 181)
    density = active_nuclei.number_density(magnitude, z[..., None])
    return np.asarray(np.trapezoid(density, magnitude, axis=-1))


def _gaussian(mean: float, sigma: float, reach: float = 2.5) -> Skewed:
    return Skewed(mean, sigma, sigma, mean - reach * sigma, mean + reach * sigma)


# Dust: mean E(B-V) by class, order of magnitude, our choice: galaxies that form stars have more. Type Ia have
# theirs in the colour c. TDE: A_V of 0.4 on average, as PLAsTiCC; those in the nuclei of galaxies.
_STAR_FORMING, _LITTLE = Dust(0.12), Dust(0.03, most=0.5)
# Hosts: absolute r magnitudes, our choice; those of SLSN-I are fainter and bluer than most, those of Ia-91bg
# and CaRT passive (Qin & Zabludoff 2024, abstract: no numbers are taken from it).
_SPIRAL = Host(-20.5, 1.3)

# Shares in core collapse of Vincenzi et al. (2019), as quoted in skysurvey; what is left is Ic-BL. Magnitudes
# are those of slsim's supernovae, taken as B of Vega without dust: near those of Richardson et al. (2014),
# whose abstract has -16.75 for IIP. Of II: IIP -16.80 +- 0.97 and IIL -17.98 +- 0.90, six to one (our own).
_CORE_COLLAPSE = {
    "II": (0.649, -17.0, 1.05, _SPIRAL, 0.9),
    "IIn": (0.047, -18.62, 1.48, Host(-19.5, 1.8), 1.4),
    "IIb": (0.109, -17.03, 0.93, _SPIRAL, 0.8),
    "Ib": (0.108, -17.90, 0.90, Host(-20.8, 1.2), 0.9),
    "Ic": (0.075, -18.30, 0.60, Host(-20.8, 1.2), 0.9),
    "Ic-BL": (0.012, -18.60, 0.60, Host(-19.5, 1.4), 1.1),  # magnitude: our choice, between Ic and SN 1998bw
}

_ALL = (
    TransientClass(
        name="Ia",
        rate=_type_ia,
        # -19.3 +- 0.10 in B, as in skysurvey.
        luminosity=Luminosity("g", _gaussian(-19.4, 0.10)),
        dust=Dust(0.0, none=1.0),
        host=Host(-21.2, 1.2),
        z_max=1.4,
        # Scolnic & Kessler (2016), G10, high redshift, with the alpha and beta of PLAsTiCC.
        salt=Salt(
            stretch=Skewed(0.973, 1.472, 0.222, -3.0, 2.0),
            colour=Skewed(-0.054, 0.043, 0.101, -0.3, 0.5),
            alpha=0.14,
            beta=3.1,
        ),
    ),
    TransientClass(
        name="Ia-91bg",
        rate=partial(_power_law, 3.0e-6, 1.5),
        # SN 1991bg had B = -16.54 (Turatto et al. 1996); the class is brighter on the whole (our choice).
        luminosity=Luminosity("g", _gaussian(-17.2, 0.45)),
        dust=_LITTLE,
        host=Host(-21.8, 1.0),
        z_max=0.7,
    ),
    *(
        TransientClass(
            name=name,
            rate=partial(_core_collapse, share),
            luminosity=Luminosity("g", _gaussian(mean - 0.1, sigma)),
            dust=_STAR_FORMING,
            host=host,
            z_max=z_max,
        )
        for name, (share, mean, sigma, host, z_max) in _CORE_COLLAPSE.items()
    ),
    TransientClass(
        name="SLSN-I",
        rate=partial(_with_stars, 2.0e-8),
        # About -21.7 without a filter (Quimby et al. 2013); the width is our choice.
        luminosity=Luminosity("g", _gaussian(-21.7, 0.5)),
        dust=Dust(0.05),
        host=Host(-18.0, 1.6),
        z_max=3.0,
    ),
    TransientClass(
        name="TDE",
        rate=_disruptions,
        # dN/dL in g as L^-2.5 (van Velzen 2018), so dN/dM as 10^(0.6 M); the limits are our choice.
        luminosity=Luminosity("g", slope=0.6, limits=(-23.0, -17.0)),
        dust=Dust(0.4 / 3.1),
        host=Host(-20.5, 1.0),
        z_max=1.6,
    ),
    TransientClass(
        name="KN",
        rate=partial(_power_law, 3.2e-7, 0.0),  # as ELAsTiCC
        # Our choice, order of magnitude: that of GW170817, about -15.8 in r, and a width.
        luminosity=Luminosity("r", _gaussian(-15.6, 0.8)),
        dust=Dust(0.05, none=0.3),
        host=Host(-21.0, 1.3),
        z_max=0.3,
    ),
    TransientClass(
        name="AGN",
        rate=_nuclei,
        # `active_nuclei.draw_magnitudes` has the luminosity function; these are its limits.
        luminosity=Luminosity("g", slope=0.0, limits=active_nuclei.M_G_RANGE),
        dust=Dust(0.0, none=1.0),
        host=Host(-21.5, 1.0),
        z_max=3.5,
        always=True,
    ),
)

_HELD_OUT = (
    TransientClass(
        name="Iax",
        rate=partial(_with_stars, 6.0e-6),
        # -14.2 to -18.9 in V (Foley et al. 2013); peak and widths are our choice.
        luminosity=Luminosity("g", Skewed(-17.0, 1.0, 1.3, -18.9, -14.2)),
        dust=Dust(0.08),
        host=_SPIRAL,
        z_max=0.7,
    ),
    TransientClass(
        name="CaRT",
        rate=partial(_with_stars, 2.3e-6),
        # -15.5 to -16.5 in R (Kasliwal et al. 2012).
        luminosity=Luminosity("r", _gaussian(-15.8, 0.4)),
        dust=_LITTLE,
        host=Host(-21.5, 1.1),
        z_max=0.35,
    ),
)

CLASSES = {kind.name: kind for kind in _ALL}
"""The classes to be told apart, by name."""

OUT_OF_DISTRIBUTION = {kind.name: kind for kind in _HELD_OUT}
"""Classes that nothing may be trained on, by name."""


def find_class(name: str) -> TransientClass:
    """The class of a name, of either table.

    Raises:
        ValueError: if there is none.
    """
    both = CLASSES | OUT_OF_DISTRIBUTION
    if name not in both:
        raise ValueError(f"no class of transients is called {name!r}: they are {' '.join(both)}")
    return both[name]
