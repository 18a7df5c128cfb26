"""Spectral time series: what a transient shines, by phase and wavelength, and how it goes on beyond its ends.

A series was observed from some phase to some other, between two wavelengths. A light curve that stopped
there would tell a network which template it came from, so a series goes on:

- redward and blueward as a black body, of the temperature that its outermost quarter (in the logarithm of
  wavelength) has at that phase. Whoever would rather leave such bands out can: `series_photometry.covered`
  says how much of a band the template covers;
- before its first phase as it looks then, its flux growing as the square of the time since first light,
  which is where its first two phases point; before that it is dark;
- after its last phase as it looks then, its flux falling exponentially as it did over the last 20 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline

__all__ = ["Series", "decline_days", "evaluated", "first_light", "law_at", "taps"]

# Width of the outermost part that gives the temperature, and of the one that the black body meets, in
# ln(wavelength); temperatures, K, that supernovae have: our choice.
_FITTED, _JOINED = 0.25, 0.03
_COLDEST, _HOTTEST = 2000.0, 40000.0
_HC_K = 1.438777e8  # second radiation constant, Angstrom K (CODATA)

# A rise lasts between these, days, and a decline is fitted over the last days of a series: our choice. None
# is slower than the decay of 56Co, half-life 77.2 days; that of 56Ni, 6.08 days, is the fastest allowed.
_RISE = (0.5, 20.0)
_DECLINE_FITTED = 20.0
_DECLINE = (6.08 / np.log(2.0), 77.2 / np.log(2.0))


@dataclass(frozen=True)
class Series:
    """A spectral time series in the frame of the transient, as a sum over components.

    Attributes:
        name: what it is.
        phase: (p,) days, increasing; two or more.
        wavelength: (w,) Angstrom, increasing; four or more.
        f_lambda: (c, p, w) erg/s/cm^2/Angstrom. A template has one component; of SALT they are M0 and M1,
            the spectrum being M0 + x1 M1.
        interpolation: between phases and wavelengths: ``spline``, cubic in both; ``linear``, straight
            in phase; ``convolution``, the local cubic of Keys (1981) in both, straight at the ends (SALT).
        colour_law: (w,) mag for a colour of 1; None for a template that has no colour.
    """

    name: str
    phase: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    f_lambda: NDArray[np.float64]
    interpolation: Literal["spline", "linear", "convolution"] = "spline"
    colour_law: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for what, axis, least in (("phases", self.phase, 2), ("wavelengths", self.wavelength, 4)):
            if axis.ndim != 1 or axis.size < least or not np.all(np.diff(axis) > 0):
                raise ValueError(f"{what} of {self.name} must be at least {least} increasing numbers")
        shape = (self.phase.size, self.wavelength.size)
        if self.f_lambda.ndim != 3 or self.f_lambda.shape[1:] != shape:
            raise ValueError(f"f_lambda of {self.name} must be (components, {shape[0]}, {shape[1]})")
        if not np.all(np.isfinite(self.f_lambda)):
            raise ValueError(f"f_lambda of {self.name} has values that are not finite")
        if self.interpolation not in ("spline", "linear", "convolution"):
            raise ValueError(f"interpolation is spline, linear or convolution, not {self.interpolation!r}")
        if self.colour_law is not None and self.colour_law.shape != self.wavelength.shape:
            raise ValueError(f"the colour law of {self.name} needs a value for each wavelength")

    @property
    def covers(self) -> tuple[float, float]:
        """First and last wavelength, Angstrom, with light at any phase: some series are padded with zeros."""
        (lit,) = np.nonzero(np.any(self.f_lambda != 0, axis=(0, 1)))
        if lit.size < 2:
            raise ValueError(f"{self.name} has no light")
        return float(self.wavelength[lit[0]]), float(self.wavelength[lit[-1]])


def first_light(series: Series) -> float:
    """The phase, days, before which a series is dark.

    From the square of time since then, which has the flux and slope of the first two phases, summed over
    wavelength: half a day to 20 days before the first; the first itself where it is dark.
    """
    one, two = _brightness(series)[:2]
    if one <= 0:
        return float(series.phase[0])
    step = series.phase[1] - series.phase[0]
    rise = _RISE[1] if two <= one else step / (np.sqrt(two / one) - 1.0)
    return float(series.phase[0] - np.clip(rise, *_RISE))


def decline_days(series: Series) -> float:
    """The days in which a series falls by e after its last phase.

    Fitted to the flux of the last 20 days (three phases at least), summed over wavelength; never slower
    than the decay of 56Co, 111 days, nor faster than that of 56Ni, 8.8 days.
    """
    bright = _brightness(series)
    late = series.phase >= min(series.phase[-1] - _DECLINE_FITTED, series.phase[-min(3, series.phase.size)])
    late &= bright > 0
    if late.sum() < 2:
        return float(_DECLINE[0])
    slope = np.polyfit(series.phase[late], np.log(bright[late]), 1)[0]
    return float(_DECLINE[1] if slope >= 0 else np.clip(-1.0 / slope, *_DECLINE))


def evaluated(series: Series, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """A series at its own phases and at other wavelengths, a black body where it does not reach.

    Arguments:
        series: the series.
        wavelength: (l,) Angstrom, increasing.

    Returns:
        (c, p, l) f_lambda.
    """
    low, high = series.covers
    inside = (wavelength >= low) & (wavelength <= high)
    light = np.zeros((*series.f_lambda.shape[:2], wavelength.size))
    light[..., inside] = _between(series, wavelength[inside])
    for outside, edge, inwards in ((wavelength < low, low, 1), (wavelength > high, high, -1)):
        if np.any(outside):
            light[..., outside] = _black_body(series, wavelength[outside], edge, inwards)
    return light


def law_at(series: Series, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colour law at any wavelengths, mag for a colour of 1; a straight line beyond its ends."""
    if series.colour_law is None:
        return np.zeros(np.shape(wavelength))
    grid, law = series.wavelength, series.colour_law
    spline = make_interp_spline(grid, law, k=3)
    clipped = np.clip(wavelength, grid[0], grid[-1])
    slope = np.where(wavelength < grid[0], spline(grid[0], 1), spline(grid[-1], 1))
    return spline(clipped) + (wavelength - clipped) * slope


def taps(series: Series) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Interpolation in phase as sums of four: the same for all wavelengths, so for what is summed over them.

    Returns:
        to_knots: (p, p) matrix from values at the phases to the numbers that are summed.
        first: (p - 1,) the first of the four, for each interval between phases.
        weights: (p - 1, 4, 4) polynomials: the weight of number j of interval m is
            ``sum(weights[m, j, d] * u**d)``, u going from 0 to 1 through the interval.
    """
    phase, size = series.phase, series.phase.size
    u = np.array([0.0, 1.0, 2.0, 3.0]) / 3.0
    interval = np.arange(size - 1)
    points = phase[:-1, None] + np.diff(phase)[:, None] * u
    if series.interpolation == "spline":
        degree = min(3, size - 1)
        knots = make_interp_spline(phase, np.zeros(size), k=degree).t
        basis = BSpline.design_matrix(np.minimum(points, phase[-1]).ravel(), knots, degree).toarray()
        to_knots = np.linalg.inv(BSpline.design_matrix(phase, knots, degree).toarray())
        first = np.searchsorted(knots, points[:, 1], side="right") - 1 - degree
    else:
        basis = _linear(interval, u, size)
        if series.interpolation == "convolution" and size > 3:
            middle = interval[1:-1]
            basis[middle] = 0.0
            for offset in range(-1, 3):
                basis[middle[:, None], np.arange(4), middle[:, None] + offset] = _keys(u - offset)
        to_knots, first = np.eye(size), interval - (series.interpolation == "convolution")
    basis = basis.reshape(size - 1, 4, size)
    first = np.clip(first, 0, max(size - 4, 0))
    four = np.minimum(first[:, None] + np.arange(4), size - 1)
    chosen = np.take_along_axis(basis, four[:, None, :], axis=2)
    # Where there are fewer than four phases the last stands for those that are missing, with no weight.
    chosen[:, :, size:] = 0.0
    weights = np.linalg.solve(np.vander(u, increasing=True), chosen)
    weights = np.ascontiguousarray(weights.transpose(0, 2, 1), dtype=float)
    return np.asarray(to_knots, dtype=float), first.astype(np.int64), weights


def _linear(interval: NDArray[np.int64], u: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    basis = np.zeros((interval.size, u.size, size))
    basis[interval, :, interval] = 1.0 - u
    basis[interval, :, interval + 1] = u
    return basis


def _keys(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel of Keys (1981, eq. 15): cubic convolution."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1.0
    far = ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _between(series: Series, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """(c, p, l) at wavelengths within the series."""
    grid = series.wavelength
    if series.interpolation != "convolution":
        return make_interp_spline(grid, series.f_lambda, k=3, axis=2)(wavelength)
    left = np.clip(np.searchsorted(grid, wavelength, side="right") - 1, 0, grid.size - 2)
    u = (wavelength - grid[left]) / (grid[left + 1] - grid[left])
    cubic = (left > 0) & (left < grid.size - 2)
    light = np.zeros((*series.f_lambda.shape[:2], wavelength.size))
    for offset in range(-1, 3):
        straight = {0: 1.0 - u, 1: u}.get(offset, 0.0)
        weight = np.where(cubic, _keys(u - offset), straight)
        light += weight * series.f_lambda[..., np.clip(left + offset, 0, grid.size - 1)]
    return light


def _black_body(
    series: Series, wavelength: NDArray[np.float64], edge: float, inwards: int
) -> NDArray[np.float64]:
    """(c, p, l) beyond an edge: the first component as a black body, the others in proportion to it."""

    def mean(start: float, stop: float) -> NDArray[np.float64]:
        ends = sorted((edge * np.exp(inwards * start), edge * np.exp(inwards * stop)))
        chosen = (series.wavelength >= ends[0]) & (series.wavelength <= ends[1])
        return series.f_lambda[..., chosen].mean(axis=2) if np.any(chosen) else np.zeros(light.shape)

    light = series.f_lambda[..., 0]
    outer, inner = mean(0.0, _FITTED / 2)[0], mean(_FITTED / 2, _FITTED)[0]
    lit = (outer > 0) & (inner > 0)
    temperature = np.geomspace(_COLDEST, _HOTTEST, 400)
    places = edge * np.exp(inwards * _FITTED * np.array([0.25, 0.75]))
    ratios = np.divide(*(_planck(place, temperature) for place in places))
    seen = np.divide(outer, inner, where=lit, out=np.full(outer.size, ratios[0]))
    order = np.argsort(ratios)
    fitted = np.interp(seen, ratios[order], temperature[order])[:, None]
    strip = mean(0.0, _JOINED)
    met = edge * np.exp(inwards * _JOINED / 2)
    body = _planck(wavelength, fitted) / _planck(met, fitted)
    # A component can only follow the first where that shines.
    return np.where(strip[0] > 0, strip, 0.0)[..., None] * body


def _planck(wavelength: NDArray[np.float64] | float, temperature: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up to a factor; Angstrom and K."""
    return wavelength**-5.0 / np.expm1(_HC_K / (wavelength * temperature))


def _brightness(series: Series) -> NDArray[np.float64]:
    """(p,) flux of the first component, summed over wavelength."""
    width = np.gradient(series.wavelength)
    return series.f_lambda[0] @ width
