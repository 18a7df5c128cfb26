"""Transients of one class as nature has them in one field, with their light in every epoch.

Most are too faint to be noticed: `lightcurves.observe` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .active_nuclei import nucleus_fluxes
from .curves import pivot_wavelength
from .epochs import Epochs
from .hosts import Hosts, draw_hosts
from .lightcurves import BEFORE_DAYS, RECORD_DAYS, rows_between
from .reddening import fitzpatrick
from .series_magnitudes import amplitude
from .series_photometry import photometry
from .surveys import BANDS
from .template_library import Source, Template, names, template
from .transient_classes import find_class
from .transient_population import Transients, draw_population

__all__ = ["Candidates", "draw_candidates", "explosion_fluxes", "nuclei_fluxes"]

# Peaks come from this many days before the first epoch to so many after the last.
_EARLIER, _LATER = 100.0, 30.0
# What is looked at, days: from `BEFORE_DAYS` before first light, to so many after that or after the peak at
# the most, whichever is later, as slow ones are detected long after first light; and after the last phase, in
# units of the decline, when less than a fiftieth is left.
_LONGEST, _FROM_PEAK, _DECLINES = RECORD_DAYS + 100.0, RECORD_DAYS + 40.0, 4.0
# An active nucleus is waited for so many days.
_PATIENCE = 400.0


@dataclass(frozen=True)
class Candidates:
    """Transients of one class, n of them, and their light.

    Attributes:
        drawn: redshifts, magnitudes, dust.
        series: (n,) number of the series within those of the class in this split; -1 for active nuclei.
        names: of these series.
        peak_mjd: (n,) of phase zero; NaN for active nuclei.
        hosts: what lies behind, and what is believed of it.
        row_size: (n,) epochs that each is looked at in.
        row: (m,) the epoch of each.
        flux: (m,) difference flux, nJy.
        steady: (m,) light that does not change, besides that of the host, nJy.
        newest: (n,) MJD of the last first detection after which a whole record was looked at; infinite where
            nothing is left by then.
    """

    drawn: Transients
    series: NDArray[np.int64]
    names: tuple[str, ...]
    peak_mjd: NDArray[np.float64]
    hosts: Hosts
    row_size: NDArray[np.int64]
    row: NDArray[np.int64]
    flux: NDArray[np.float64]
    steady: NDArray[np.float64]
    newest: NDArray[np.float64]


def draw_candidates(
    rng: np.random.Generator,
    kind: str,
    n: int,
    epochs: Epochs,
    *,
    source: Source,
    test: bool,
    series: Sequence[str] | None = None,
) -> Candidates:
    """Transients of a class over the years of a field, faint ones too.

    Arguments:
        rng: where the random numbers come from.
        kind: name of the class.
        n: how many.
        epochs: of the field, sorted by time.
        source: of the spectral series.
        test: whether they are for a test split, which has series of its own.
        series: names of those to draw from, whatever the two before say; all of the class in that split by
            default. Active nuclei have none.

    Raises:
        ValueError: if `series` is empty, or there is no series of one of these names.
    """
    if series is not None and not series:
        raise ValueError(f"no series of class {kind} to draw from: name one at least, or leave them out")
    drawn = draw_population(rng, kind, n)
    hosts = draw_hosts(rng, drawn.z, drawn.host_magnitude)
    begin, end = epochs.mjd[0] - _EARLIER, epochs.mjd[-1] + _LATER
    when = rng.uniform(begin, end, n)
    if find_class(kind).always:
        # An active nucleus has no first light. Its record begins where the place is looked at again after a
        # break: anywhere else what is kept before a first detection would lack, of no other class.
        resumed = epochs.mjd[np.diff(epochs.mjd, prepend=-np.inf) > BEFORE_DAYS]
        when = resumed[rng.integers(resumed.size, size=n)]
        newest = when + _PATIENCE
        row_size, row = rows_between(epochs, when, newest + RECORD_DAYS)
        flux, steady = nuclei_fluxes(rng, drawn, row_size, epochs.mjd[row], epochs.band[row])
        nothing = np.full(n, -1)
        no_peak = np.full(n, np.nan)
        return Candidates(drawn, nothing, (), no_peak, hosts, row_size, row, flux, steady, newest)
    listed = names(source, kind, test=test) if series is None else tuple(series)
    number_of = rng.integers(len(listed), size=n)
    used = [template(kind, name) for name in listed]
    phases = np.array([(t.light.first_light, t.light.phase[-1] + _DECLINES * t.light.decline) for t in used])
    dark, faded = phases[number_of].T * (1.0 + drawn.z)
    starts = when + dark - BEFORE_DAYS
    row_size, row = rows_between(
        epochs, starts, np.minimum(when + faded, np.maximum(starts + _LONGEST, when + _FROM_PEAK))
    )
    flux = np.empty(row.size)
    days = epochs.mjd[row] - np.repeat(when, row_size)
    owner = np.repeat(np.arange(n), row_size)
    for number, one in enumerate(used):
        mine = number_of == number
        if mine.any():
            inside = mine[owner]
            flux[inside] = explosion_fluxes(
                one, drawn, mine, row_size[mine], days[inside], epochs.band[row[inside]]
            )
    newest, steady = np.full(n, np.inf), np.zeros(row.size)
    return Candidates(drawn, number_of, listed, when, hosts, row_size, row, flux, steady, newest)


def explosion_fluxes(
    one: Template,
    drawn: Transients,
    mine: NDArray[np.bool_],
    row_size: NDArray[np.int64],
    days: NDArray[np.float64],
    band: NDArray[np.int8],
) -> NDArray[np.float64]:
    """Light of those transients of a class that are of one series.

    Arguments:
        one: the series.
        drawn: (n,) transients of its class.
        mine: (n,) which of them are of this series, k of them.
        row_size: (k,) observations of each; they follow each other.
        days: (m,) from the peak, as observed.
        band: (m,) codes of the bands.

    Returns:
        (m,) nJy.
    """
    excess, r_v = drawn.host_excess[mine], drawn.host_rv[mine]
    magnitude, colour = drawn.absolute_magnitude[mine], drawn.colour[mine]
    if not one.has_colour:
        # Where there is no colour law, colour is dust, without the dimming, which magnitudes already have.
        excess = excess + colour
        pivot = pivot_wavelength(find_class(one.kind).luminosity.band)
        magnitude = magnitude - colour * fitzpatrick(pivot, r_v)
    return photometry(
        one.light,
        row_size=row_size,
        days=days,
        band=band,
        z=drawn.z[mine],
        amplitude=amplitude(magnitude, drawn.distance_modulus[mine], one.peak_magnitude),
        stretch=drawn.stretch[mine] if one.has_stretch else 0.0,
        colour=colour if one.has_colour else 0.0,
        host_excess=excess,
        host_rv=r_v,
        galactic_excess=drawn.galactic_excess[mine],
    )


def nuclei_fluxes(
    rng: np.random.Generator,
    drawn: Transients,
    row_size: NDArray[np.int64],
    mjd: NDArray[np.float64],
    band: NDArray[np.int8],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Light of active nuclei, behind the dust of the Milky Way.

    Arguments:
        rng: where the random numbers come from.
        drawn: (n,) nuclei.
        row_size: (n,) observations of each; they follow each other.
        mjd: (m,) days, which do not fall within a nucleus.
        band: (m,) codes of the bands.

    Returns:
        (m,) difference to the mean, of either sign, and (m,) the mean, nJy.
    """
    listed = [band.name for band in BANDS.values()]
    flux, mean = nucleus_fluxes(
        rng,
        row_size,
        mjd,
        band,
        z=drawn.z,
        m_g=drawn.absolute_magnitude,
        distance_modulus=drawn.distance_modulus,
        bands=listed,
    )
    owner = np.repeat(np.arange(row_size.size), row_size)
    law = fitzpatrick(np.array([pivot_wavelength(name) for name in listed]))
    through = 10.0 ** (-0.4 * drawn.galactic_excess[owner] * law[band])
    return flux * through, mean[owner, band] * through
