"""Filter curves: how each band's `Band.curve` names one, and where it is read from.

A name is ``library:curve``. The libraries take a second to import, so that they are imported when a curve
is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .surveys import SURVEYS, find_band

__all__ = ["LIBRARIES", "filter_curve", "pivot_wavelength", "trimmed_curve"]

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _speclite(name: str, area_cm2: float) -> Curve:
    import speclite.filters

    curve = speclite.filters.load_filter(name)
    return np.array(curve.wavelength, dtype=float), np.array(curve.response, dtype=float)


def _galsim_roman(name: str, area_cm2: float) -> Curve:
    import galsim.roman

    # As tabulated: GalSim would thin it, to a part in ten thousand.
    curve = galsim.roman.getBandpass(name, default_thin_trunc=False)
    nm = np.array(curve.wave_list, dtype=float)
    # The tables hold effective areas, which GalSim divides by an area of its own.
    return 10 * nm, curve(nm) * (galsim.roman.collecting_area / area_cm2)


LIBRARIES: dict[str, Callable[[str, float], Curve]] = {
    "speclite": _speclite,
    "galsim.roman": _galsim_roman,
}
"""What reads the curve of a name; given the collecting area of the survey too, cm^2."""


@cache
def filter_curve(band: str) -> Curve:
    """The curve of a band: everything between the sky (LSST: between the air) and a detected electron.

    Returns:
        wavelength, Angstrom, increasing; response, electrons for each photon on the collecting area. Of
        (n,) both, not to be written to.

    Raises:
        ValueError: if there is no such band, or its curve is of a library that is not known.
    """
    described = find_band(band)
    library, _, name = described.curve.partition(":")
    if library not in LIBRARIES:
        raise ValueError(
            f"the curve {described.curve!r} of band {band} is of no known library: "
            f"it begins with {' or '.join(f'{known}:' for known in LIBRARIES)}"
        )
    wavelength, response = LIBRARIES[library](name, SURVEYS[described.survey].area_cm2)
    for array in (wavelength, response):
        array.flags.writeable = False
    return wavelength, response


@cache
def trimmed_curve(band: str) -> Curve:
    """As `filter_curve`, from the first to the last wavelength where it is above 1e-5 of its peak.

    Below that a curve is noise, and reaches beyond all templates.
    """
    wavelength, response = filter_curve(band)
    (inside,) = np.nonzero(response > 1e-5 * response.max())
    kept = slice(inside[0], inside[-1] + 1)
    return wavelength[kept], response[kept]


@cache
def pivot_wavelength(band: str) -> float:
    """Pivot wavelength of a band, Angstrom: sqrt(integral of R l dl / integral of R / l dl), R to photons."""
    wavelength, response = filter_curve(band)
    mean = np.trapezoid(response * wavelength, wavelength) / np.trapezoid(response / wavelength, wavelength)
    return float(np.sqrt(mean))
