"""Rest-frame spectra of galaxies: those the sky is made of, and others for people who fit templates.

The truth is a library of spectra, each a non-negative sum over `elements()`: the five templates of
k-correct (Blanton & Roweis 2007), stars and nebular emission lines apart, behind the dust of
Calzetti et al. (2000), with or without a bump at 2175 Angstrom. Every spectrum has an old part and a
young part, which has the lines. The coefficients in ``spectral_data/library.csv`` were
fitted to colours of galaxies by docs/calibration/fit_photometry.py. Below the Lyman limit galaxies are
dark: no ionising light escapes. Lines stand behind the same dust as the stars.

Whoever fits templates must not fit with the spectra the data were made of. `fitting_templates`
gives a set that shares nothing with them: Coleman, Wu & Weedman (1980), four types from ellipticals
to irregulars, extended by Bolzonella, Miralles & Pello (2000), as they come with GalSim.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FITTING_TYPES",
    "LIBRARY_COLUMNS",
    "PARTS",
    "Elements",
    "Library",
    "Spectrum",
    "dust_transmission",
    "elements",
    "fitting_templates",
    "library",
]

PARTS = ("young", "old")
"""The two parts of a spectrum of the library, in this order along an axis."""

LIBRARY_COLUMNS = ("line_strength", "weight", "ln1z", "mag_i", "var_ln1z", "cov_ln1z_mag_i", "var_mag_i")
"""What ``library.csv`` says of a spectrum before its coefficients."""

FITTING_TYPES = ("E", "Sbc", "Scd", "Im")
"""Types of `fitting_templates` before interpolation and dust, from red to blue."""

_DATA = files("skysynergy.simulators") / "spectral_data"

# The base spectra in the order of the file, each with the E(B-V), mag, of the dust it may stand behind (our
# choice: much for young stars). 1, 2, 3 and 4 are templates of k-correct as they were published; 0d and 4d
# are its templates 0 and 4 without their own dust, which the published ones have much of.
_DUST = {"0d": (0.0, 0.1), "1": (0.0,), "2": (0.0,), "3": (0.0, 0.1), "4": (0.0,), "4d": (0.0,)}
_DUST_OF_YOUNG = (0.1, 0.2, 0.3, 0.4, 0.55)
# Dust of young stars has the bump at 2175 Angstrom or has not; 3 is about that of the Milky Way (our choice).
# DC2 needs it: median colours of its faint galaxies at z = 1.1 and 1.7 are matched to 2 %, without it to 4 %.
_BUMP = 3.0
# Stars older than 300 million years, by k-correct's own star formation histories (4 has both; gas is young).
_OLD = ("0d", "2", "3")

# Calzetti et al. (2000), eq. 4, with micrometres: k(l) from 0.12 to 0.63 and from 0.63 to 2.2.
_CALZETTI_RV = 4.05
_CALZETTI_BLUE, _CALZETTI_RED, _CALZETTI_JOIN = (-2.156, 1.509, -0.198, 0.011), (-1.857, 1.040), 0.63
_CALZETTI_SLOPE = 2.659
# Noll et al. (2009): centre and width of the bump, Angstrom.
_BUMP_CENTRE, _BUMP_WIDTH = 2175.0, 350.0


@dataclass(frozen=True)
class Spectrum:
    """A rest-frame spectrum.

    Attributes:
        name: what it is.
        wavelength: (n,) Angstrom, increasing.
        f_lambda: (n,) per Angstrom, arbitrary units.
    """

    name: str
    wavelength: NDArray[np.float64]
    f_lambda: NDArray[np.float64]


@dataclass(frozen=True)
class Elements:
    """What the library is a sum of: base spectra, each behind several amounts of dust.

    Attributes:
        names: (e) such as ``2b:0.10``, base, b for dust with a bump, E(B-V): columns of the library's file.
        wavelength: (w,) rest wavelengths, Angstrom, evenly spaced in their logarithm.
        continuum: (e, w) light of the stars, f_lambda; before dust it is 1 at 5500 Angstrom.
        lines: (e, w) light of the gas, in the same units, behind the same dust.
        old: (e,) whether its stars count as the old part; all gas belongs to the young part.
    """

    names: tuple[str, ...]
    wavelength: NDArray[np.float64]
    continuum: NDArray[np.float64]
    lines: NDArray[np.float64]
    old: NDArray[np.bool_]


@dataclass(frozen=True)
class Library:
    """The spectra of the truth; a galaxy's `spectrum` is an index into it.

    Attributes:
        coefficients: (k, e) of each spectrum over the elements, none negative.
        line_strength: (k,) factor on the emission lines of the elements.
        weight: (k,) share of the galaxies the library was fitted to.
        mean: (k, 2) where its galaxies lie: ln(1 + z), LSST i magnitude.
        covariance: (k, 2, 2) of the same.
    """

    coefficients: NDArray[np.float64]
    line_strength: NDArray[np.float64]
    weight: NDArray[np.float64]
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)

    def rest_spectrum(self, index: int) -> NDArray[np.float64]:
        """One spectrum: (2, w) f_lambda of the `PARTS` on the wavelengths of `elements`."""
        parts = elements()
        amount = self.coefficients[index]
        young, old = (amount[inside] @ parts.continuum[inside] for inside in (~parts.old, parts.old))
        return np.stack([young + self.line_strength[index] * (amount @ parts.lines), old])


def dust_transmission(
    wavelength: ArrayLike, colour_excess: ArrayLike, *, bump: float = 0.0, slope: float = 0.0
) -> NDArray[np.float64]:
    """What dust lets through: 10^(-0.4 k(lambda) E(B-V)), k of Calzetti et al. (2000, eq. 4).

    Their curve is for 0.12 to 2.2 micrometres; it is continued as it stands to 912 Angstrom, and is
    never below zero in the infrared. A bump at 2175 Angstrom and another slope change it as in Noll et
    al. (2009): (k + bump) (lambda / 5500 Angstrom)^slope.

    Arguments:
        wavelength: (w,) rest wavelengths, Angstrom.
        colour_excess: (...) E(B-V) of the stars, mag, before the slope.
        bump: height of the bump in units of k.
        slope: negative for dust that reddens more.

    Returns:
        (..., w) factors from 0 to 1.
    """
    wavelength = np.asarray(wavelength, dtype=float)
    inverse = 1e4 / wavelength
    k = np.where(
        inverse > 1.0 / _CALZETTI_JOIN,
        np.polynomial.polynomial.polyval(inverse, _CALZETTI_BLUE),
        np.polynomial.polynomial.polyval(inverse, _CALZETTI_RED),
    )
    k = np.maximum(_CALZETTI_SLOPE * k + _CALZETTI_RV, 0.0)
    near = (wavelength * _BUMP_WIDTH) ** 2
    k += bump * near / ((wavelength**2 - _BUMP_CENTRE**2) ** 2 + near)
    k *= (wavelength / 5500.0) ** slope
    return 10.0 ** (-0.4 * np.asarray(colour_excess, dtype=float)[..., None] * k)


@cache
def elements() -> Elements:
    """The elements, read once from ``spectral_data/kcorrect.npz``."""
    with (_DATA / "kcorrect.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        wavelength, continuum, lines = (stored[name].astype(float) for name in stored.files)
    behind = []
    for index, (base, dust) in enumerate(_DUST.items()):
        behind += [(f"{base}:{excess:.2f}", index, excess, 0.0) for excess in dust]
        if dust == (0.0,):
            behind += [(f"{base}:{excess:.2f}", index, excess, 0.0) for excess in _DUST_OF_YOUNG]
            behind += [(f"{base}b:{excess:.2f}", index, excess, _BUMP) for excess in _DUST_OF_YOUNG]
    base = np.array([index for _, index, _, _ in behind])
    through = np.stack([dust_transmission(wavelength, excess, bump=bump) for _, _, excess, bump in behind])
    old = np.isin(np.array(list(_DUST))[base], _OLD)
    names = tuple(name for name, _, _, _ in behind)
    return Elements(names, *_locked(wavelength, continuum[base] * through, lines[base] * through, old))


@cache
def library() -> Library:
    """The spectra of the truth, read once from ``spectral_data/library.csv``.

    Raises:
        ValueError: if the file was fitted with other elements than these.
    """
    rows = (_DATA / "library.csv").read_text().splitlines()
    rows = [row for row in rows if not row.startswith("#")]
    if tuple(rows[0].split(",")) != (*LIBRARY_COLUMNS, *elements().names):
        raise ValueError(
            "library.csv has other columns than templates.py: run docs/calibration/fit_photometry.py"
        )
    table = np.loadtxt(rows[1:], delimiter=",", ndmin=2)
    about = len(LIBRARY_COLUMNS)
    covariance = table[:, [4, 5, 5, 6]].reshape(-1, 2, 2)
    return Library(*_locked(table[:, about:], table[:, 0], table[:, 1], table[:, 2:4], covariance))


def _locked(*arrays: NDArray) -> tuple[NDArray, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays


@cache
def fitting_templates(
    *, between: int = 0, colour_excesses: tuple[float, ...] = (0.0,)
) -> tuple[Spectrum, ...]:
    """Templates for a fit of redshifts, disjoint from the truth: other galaxies, other authors.

    Their dust is that of Calzetti et al. (2000), as in the truth: pass nothing to have none.

    Arguments:
        between: spectra interpolated between two neighbouring types, as in Benítez (2000); 0 for none.
        colour_excesses: E(B-V), mag, each of which every spectrum appears with.

    Raises:
        ValueError: if `between` is no whole number from zero, or a colour excess is negative.
    """
    if isinstance(between, bool) or not isinstance(between, int) or between < 0:
        raise ValueError(f"between is a whole number of spectra, zero or more, not {between!r}")
    if not colour_excesses or min(colour_excesses) < 0:
        raise ValueError(f"colour excesses are zero or more, at least one, not {colour_excesses}")
    types = [_cww(name) for name in FITTING_TYPES]
    made = []
    for position in np.linspace(0.0, len(types) - 1, (len(types) - 1) * (between + 1) + 1):
        left = min(int(position), len(types) - 2)
        right = position - left
        one, other = types[left], types[left + 1]
        wavelength = np.union1d(one.wavelength, other.wavelength)
        light = (1.0 - right) * np.interp(wavelength, one.wavelength, one.f_lambda)
        light += right * np.interp(wavelength, other.wavelength, other.f_lambda)
        name = (
            one.name if right == 0 else other.name if right == 1 else f"{one.name}-{other.name} {right:.2f}"
        )
        for excess in colour_excesses:
            label = name if excess == 0 else f"{name} E(B-V)={excess:g}"
            made.append(Spectrum(label, wavelength, light * dust_transmission(wavelength, excess)))
    return tuple(made)


@cache
def _cww(name: str) -> Spectrum:
    """One of GalSim's four, 1 at 5500 Angstrom."""
    import galsim

    path = Path(galsim.meta_data.share_dir) / "SEDs" / f"CWW_{name}_ext.sed"
    wavelength, f_lambda = np.loadtxt(path, unpack=True)
    return Spectrum(name, wavelength, f_lambda / np.interp(5500.0, wavelength, f_lambda))
