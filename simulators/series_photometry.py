"""Light curves of transients from spectral time series: exact integrals over bands at any redshift, and fast.

A series is put once on the grid of `spectral_cells`, in the frame of the transient. An object sees it through
weights: those of its bands, at the offset of its redshift, times what lets light through at each cell (dust
at the transient, dust of the Milky Way, the colour of a SALT model). Weights times spectra are the light
curves in all bands, at the phases of the series; each observation then costs four products, since in phase
the series is interpolated as ever (`series.taps`).

How light goes on beyond the ends of a series is told in `series`. Hydrogen between the galaxies is left out:
it matters below 1216 Angstrom in the frame of the source, which is u beyond redshift 1.6; below the Lyman
limit, 912 Angstrom, all is dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .phases import at_phases
from .reddening import GALACTIC_RV, POWERS, fitzpatrick, fitzpatrick_terms
from .series import Series, decline_days, first_light, law_at, taps
from .spectral_cells import cell_wavelength, chosen_step, first_cell, fraction_covered, together
from .surveys import BANDS, SURVEYS, find_band

__all__ = ["LSST_AND_EUCLID", "SeriesLight", "covered", "light_of", "photometry"]

LSST_AND_EUCLID = tuple(
    band.name for band in BANDS.values() if SURVEYS[band.survey].name.startswith(("LSST", "EUCLID"))
)
"""The ten bands."""

# Cells in which the bluest ones of two objects lie, whose light is summed in one product.
_TILE = 32

# Objects at a time, so that what is in flight stays in the caches.
_CHUNK = 256


@dataclass(frozen=True)
class SeriesLight:
    """A series, ready to be observed.

    Attributes:
        name: of the series.
        bands: (b) names.
        step: between cells, in ln(wavelength).
        covers: first and last wavelength, Angstrom, of the series itself.
        scale: erg/s/cm^2/Angstrom, of `light`.
        light: (cells, c, p) numbers of B-splines in ln(wavelength) that `taps` sums, from
            `spectral_cells.first_cell` on; the last ones are dark.
        laws: (l, cells) mag: terms of the extinction for E(B-V) = 1, each to be times a power of R_V, and the
            colour law if the series has one.
        phase: (p,) days.
        first: (p - 1,) see `series.taps`.
        weights: (p - 1, 4, 4) see `series.taps`.
        first_light: phase, days, before which there is nothing.
        decline: days in which it falls by e after the last phase.
    """

    name: str
    bands: tuple[str, ...]
    step: float
    covers: tuple[float, float]
    scale: float
    light: NDArray[np.float32]
    laws: NDArray[np.float32]
    phase: NDArray[np.float64]
    first: NDArray[np.int64]
    weights: NDArray[np.float64]
    first_light: float
    decline: float


def light_of(
    series: Series,
    bands: Sequence[str] = LSST_AND_EUCLID,
    *,
    first_light_phase: float | None = None,
    decline: float | None = None,
) -> SeriesLight:
    """Make a series ready to be observed in bands, at any redshift.

    Arguments:
        series: the series.
        bands: names of bands.
        first_light_phase: days, before which there is nothing; None: `series.first_light`.
        decline: days in which it falls by e after its last phase; None: `series.decline_days`.

    Raises:
        ValueError: if a band is unknown or comes twice, first light comes after the first phase, or the
            decline is not positive.
    """
    names = tuple(find_band(name).name for name in bands)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"bands are one or more, each once, not {' '.join(names)}")
    dark_until = first_light(series) if first_light_phase is None else float(first_light_phase)
    if dark_until > series.phase[0]:
        raise ValueError(f"first light, {dark_until} days, comes after the first phase, {series.phase[0]}")
    fall = decline_days(series) if decline is None else float(decline)
    if not fall > 0:
        raise ValueError(f"the decline takes a positive number of days, not {fall}")
    to_knots, first, weights = taps(series)
    step, numbers = chosen_step(series, names)
    numbers = numbers @ to_knots.T
    scale = float(np.abs(numbers).max())
    numbers /= scale
    # A number so small that it is not normal in single precision costs time in every product.
    numbers[np.abs(numbers) < 1e-30] = 0.0
    at = cell_wavelength(first_cell(step) + np.arange(len(numbers)), step)
    laws = fitzpatrick_terms(at)
    if series.colour_law is not None:
        laws = np.vstack([laws, law_at(series, at)])
    return SeriesLight(
        series.name,
        names,
        step,
        series.covers,
        scale,
        np.pad(numbers.astype(np.float32), ((0, _TILE), (0, 0), (0, 0))),
        laws.astype(np.float32),
        series.phase,
        first,
        weights,
        dark_until,
        fall,
    )


def photometry(
    series_light: SeriesLight,
    *,
    row_size: ArrayLike,
    days: ArrayLike,
    band: ArrayLike,
    z: ArrayLike,
    amplitude: ArrayLike = 1.0,
    stretch: ArrayLike = 0.0,
    colour: ArrayLike = 0.0,
    host_excess: ArrayLike = 0.0,
    host_rv: ArrayLike = GALACTIC_RV,
    galactic_excess: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Fluxes of many transients of one series, each with its own observations.

    Every number of a transient is (n,), or one for all. Light below zero, which splines and SALT's
    second component can make where a transient is faint, is zero. What a transient gets does not depend on
    those beside it.

    Arguments:
        series_light: of the series.
        row_size: (n,) how many observations each has: they follow each other in `days` and `band`.
        days: (m,) since phase zero, as observed.
        band: (m,) codes of `surveys.BANDS`.
        z: redshift, zero or more.
        amplitude: factor on the f_lambda of the series; 1 / (1 + z) is applied besides. See
            `series_magnitudes.amplitude`.
        stretch: x1 of SALT, the factor of the second component.
        colour: c of SALT, the factor of the colour law.
        host_excess: E(B-V), mag, of dust at the transient, of Fitzpatrick (1999).
        host_rv: its R_V.
        galactic_excess: E(B-V), mag, of the Milky Way; R_V is 3.1.

    Returns:
        (m,) nJy.

    Raises:
        ValueError: if lengths do not fit together, a number is not finite, a redshift is negative, a band is
            not among those of the light, or a series without such a component or law is given a stretch or
            colour.
    """
    row_size, days, own_band = _observations(series_light, row_size, days, band)
    n = row_size.size
    given = {
        "z": z,
        "amplitude": amplitude,
        "stretch": stretch,
        "colour": colour,
        "host_excess": host_excess,
        "host_rv": host_rv,
        "galactic_excess": galactic_excess,
    }
    objects = {name: _for_each(name, value, n) for name, value in given.items()}
    _check(series_light, objects)
    flux = np.empty(days.size)
    ends = np.concatenate([[0], np.cumsum(row_size)])
    for start in range(0, n, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, n))
        inside = slice(ends[chunk.start], ends[chunk.stop])
        owner = np.repeat(np.arange(chunk.stop - chunk.start), row_size[chunk])
        its = {name: value[chunk] for name, value in objects.items()}
        seen = np.zeros((chunk.stop - chunk.start, len(series_light.bands)), dtype=bool)
        seen[owner, own_band[inside]] = True
        curves = np.empty((*seen.shape, series_light.phase.size), dtype=np.float32)
        for bands, chosen in _alike(seen):
            _fill(curves, series_light, bands, chosen, its)
        rows = curves.reshape(-1, series_light.phase.size)
        row = owner * len(series_light.bands) + own_band[inside]
        bright = its["amplitude"] * series_light.scale / (1.0 + its["z"])
        phase = days[inside] / (1.0 + its["z"])[owner]
        flux[inside] = at_phases(series_light, rows, row, phase) * bright[owner]
    return flux


def covered(series_light: SeriesLight, z: ArrayLike) -> NDArray[np.float64]:
    """How much of each band the series itself covers; the rest is a black body (see `series`).

    Arguments:
        series_light: of the series.
        z: (n,) redshifts.

    Returns:
        (n, b) fraction, 0 to 1, of the photons of a source of equal f_nu, by bands of the light. A band
        that a template may not be trusted in is one where this is below 1.
    """
    return fraction_covered(
        series_light.covers, series_light.bands, series_light.step, np.asarray(z, dtype=float)
    )


def _alike(seen: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Objects by the bands that they are seen in: numbers of bands, and of the objects."""
    sets, which = np.unique(seen, axis=0, return_inverse=True)
    for number, bands in enumerate(sets):
        if np.any(bands):
            yield np.flatnonzero(bands), np.flatnonzero(which.ravel() == number)


def _fill(
    curves: NDArray[np.float32],
    series_light: SeriesLight,
    bands: NDArray[np.int64],
    chosen: NDArray[np.int64],
    objects: dict[str, NDArray[np.float64]],
) -> None:
    """Light curves of the chosen objects in bands, into (n, b, p): numbers that `taps` sums."""
    cells, components, phases = series_light.light.shape
    flat = series_light.light.reshape(cells, components * phases)
    first, weights = together(tuple(series_light.bands[index] for index in bands), series_light.step)
    width = weights.shape[2]
    polynomials = weights.reshape(len(weights), -1)
    galactic = _galactic(first, width, series_light.step)
    its = {name: value[chosen] for name, value in objects.items()}
    place = np.log1p(its["z"]) / series_light.step
    shift = place.astype(int)
    u = place - shift
    powers = (u[:, None] ** np.arange(len(weights))).astype(np.float32)
    laws, seen_laws = _exponents(its, u, len(series_light.laws))
    # Two objects of nearly one redshift look at the same cells, and one product for both takes no longer than
    # for one. Its shape and cells are the same for any two, and for one alone, so that what an object gets
    # does not depend on those beside it.
    begin = first - first_cell(series_light.step) - shift
    tile = begin // _TILE * _TILE
    begins = begin.tolist()
    stretch = its["stretch"].astype(np.float32)
    own_curves = np.empty((chosen.size, bands.size, phases), dtype=np.float32)
    pair = np.zeros((2, bands.size, width + _TILE), dtype=np.float32)
    for rows, start in _pairs(tile):
        pair[...] = 0.0
        for place, row in zip(pair, rows, strict=False):
            dark = min(max(-begins[row], 0), width)
            own = slice(max(begins[row], 0), max(begins[row] + width, 0))
            weight = place[:, own.start - start : own.stop - start]
            bare = (powers[row] @ polynomials).reshape(bands.size, width)[:, dark:]
            exponent = laws[row] @ series_light.laws[:, own] + seen_laws[row] @ galactic[:, dark:]
            np.multiply(bare, np.exp(exponent), out=weight)
        dark = min(max(-start, 0), width + _TILE)
        weight = pair.reshape(2 * bands.size, -1)[:, dark:]
        found = weight @ flat[max(start, 0) : max(start + width + _TILE, 0)]
        for row, its_light in zip(rows, found.reshape(2, bands.size, components, phases), strict=False):
            own_curves[row] = its_light[:, 0]
            if components > 1:
                own_curves[row] += stretch[row] * its_light[:, 1]
    curves[chosen[:, None], bands] = own_curves


@lru_cache(maxsize=32)
def _galactic(first: int, width: int, step: float) -> NDArray[np.float32]:
    """(2, cells) mag for E(B-V) = 1 of the Milky Way at cells as seen, and how that grows with u."""
    # Where a cell is seen goes with u too: straight between two cells.
    law = fitzpatrick(cell_wavelength(first + np.arange(width + 1), step))
    return np.stack([law[:-1], np.diff(law)]).astype(np.float32)


def _pairs(tile: NDArray[np.int64]) -> Iterator[tuple[list[int], int]]:
    """One or two numbers of objects that have the same tile, and that."""
    order = np.argsort(tile, kind="stable").tolist()
    tiles, at = tile.tolist(), 0
    while at < len(order):
        rows = [row for row in order[at : at + 2] if tiles[row] == tiles[order[at]]]
        yield rows, tiles[rows[0]]
        at += len(rows)


def _exponents(
    objects: dict[str, NDArray[np.float64]], u: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, l) factors of the laws in the frame of the transient, and (n, 2) of those of the Milky Way."""
    to_exponent = -0.4 * np.log(10.0)
    laws = np.zeros((u.size, size))
    for column, power in enumerate(POWERS):
        laws[:, column] = objects["host_excess"] * objects["host_rv"] ** power
    if size > len(POWERS):
        laws[:, -1] = objects["colour"]
    galactic = objects["galactic_excess"][:, None] * np.stack([np.ones(u.size), u], axis=1)
    return (to_exponent * laws).astype(np.float32), (to_exponent * galactic).astype(np.float32)


def _observations(
    series_light: SeriesLight, row_size: ArrayLike, days: ArrayLike, band: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Checked; bands as rows of the series_light."""
    row_size, days, band = np.asarray(row_size), np.asarray(days, dtype=float), np.asarray(band)
    if row_size.ndim != 1 or days.ndim != 1 or days.shape != band.shape:
        raise ValueError("row_size, days and band are one-dimensional, days and band of one length")
    if row_size.size and (not np.issubdtype(row_size.dtype, np.integer) or row_size.min() < 0):
        raise ValueError("row_size is a whole number of observations, zero or more, for each transient")
    if row_size.sum() != days.size:
        raise ValueError(f"row_size adds up to {row_size.sum()} observations, but there are {days.size}")
    if not np.all(np.isfinite(days)):
        raise ValueError(f"days of observation {np.argmin(np.isfinite(days))} is not finite")
    own = np.full(len(BANDS), -1)
    own[[BANDS[name].code for name in series_light.bands]] = np.arange(len(series_light.bands))
    known = (band >= 0) & (band < own.size)
    place = np.where(known, own[np.where(known, band, 0).astype(int)], -1)
    if np.any(place < 0):
        wrong = np.argmax(place < 0)
        raise ValueError(
            f"observation {wrong} is in the band of code {band[wrong]}; {series_light.name} was made ready"
            f" for {' '.join(f'{name} ({BANDS[name].code})' for name in series_light.bands)}"
        )
    return row_size.astype(np.int64), days, place


def _for_each(name: str, value: ArrayLike, n: int) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (n,)):
        raise ValueError(f"{name} is one number, or one for each of the {n} transients, not {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} has values that are not finite")
    return np.broadcast_to(array, (n,))


def _check(series_light: SeriesLight, objects: dict[str, NDArray[np.float64]]) -> None:
    if np.any(objects["z"] < 0):
        raise ValueError("redshifts are zero or more")
    if np.any(objects["host_rv"] <= 0):
        raise ValueError("R_V must be positive")
    if series_light.light.shape[1] < 2 and np.any(objects["stretch"]):
        raise ValueError(f"{series_light.name} has no component for a stretch: leave it at 0")
    if len(series_light.laws) == len(POWERS) and np.any(objects["colour"]):
        raise ValueError(f"{series_light.name} has no colour law: leave colour at 0")
