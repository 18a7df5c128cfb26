"""Magnitudes of spectral time series at peak, and the amplitude that gives a transient the one it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .series import Series, evaluated, law_at, taps
from .spectral_cells import f_lambda_of_1_nJy
from .surveys import AB_ZERO_POINT

__all__ = ["amplitude", "peak_magnitude"]


def peak_magnitude(
    series: Series, wavelength: ArrayLike, response: ArrayLike, *, stretch: float = 0.0, colour: float = 0.0
) -> float:
    """AB magnitude at peak through a band in the frame of the transient, for an amplitude of 1.

    Arguments:
        series: the series.
        wavelength: (k,) Angstrom, increasing: of the band, which may be any, such as Bessell's B.
        response: (k,) to photons.
        stretch: x1.
        colour: c.

    Raises:
        ValueError: if the series has no light there.
    """
    edges = np.linspace(np.min(wavelength), np.max(wavelength), 2001)
    centre = (edges[1:] + edges[:-1]) / 2
    grid, curve = np.asarray(wavelength, dtype=float), np.asarray(response, dtype=float)
    photons = np.interp(centre, grid, curve) * centre
    light = evaluated(series, centre)
    light = light[0] + (stretch * light[1] if len(light) > 1 else 0.0)
    dimmed = photons * 10.0 ** (-0.4 * colour * law_at(series, centre))
    flux = light @ dimmed / np.sum(photons * f_lambda_of_1_nJy(centre))
    to_knots, first, weights = taps(series)
    # Between phases: a few points in each interval.
    u = np.linspace(0.0, 1.0, 21)[:, None] ** np.arange(4)
    four = (to_knots @ flux)[np.minimum(first[:, None] + np.arange(4), flux.size - 1)]
    peak = np.max(np.einsum("ud,mjd,mj->mu", u, weights, four))
    if not peak > 0:
        raise ValueError(f"{series.name} has no light from {edges[0]:.0f} to {edges[-1]:.0f} Angstrom")
    return float(AB_ZERO_POINT - 2.5 * np.log10(peak))


def amplitude(
    absolute_mag: ArrayLike, distance_modulus: ArrayLike, template_mag: ArrayLike
) -> NDArray[np.float64]:
    """The amplitude that gives a transient its absolute magnitude and distance; arguments broadcast.

    Arguments:
        absolute_mag: AB magnitude at peak, in some band, in its own frame, at 10 pc, without dust.
        distance_modulus: mag.
        template_mag: `peak_magnitude` of its series in that band.
    """
    apparent = np.asarray(absolute_mag, dtype=float) + np.asarray(distance_modulus, dtype=float)
    return 10.0 ** (-0.4 * (apparent - np.asarray(template_mag, dtype=float)))
