"""Reddening by dust like that of the Milky Way: the law of Fitzpatrick (1999, PASP 111, 63).

Below 2700 Angstrom it is the curve of Fitzpatrick & Massa (1990), above a spline through seven points
and two on that curve, all of which depend on R_V. Numbers are those of the IDL procedure FM_UNRED, which
has newer points in the optical than Table 4 of the paper; read in the packages extinction 0.4 and sncosmo,
which the tests compare with.

The law is linear in a few powers of R_V. So it is tabulated once, and costs a few look-ups for each
wavelength, whatever R_V is.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

__all__ = ["GALACTIC_RV", "POWERS", "fitzpatrick", "fitzpatrick_terms"]

GALACTIC_RV = 3.1
"""R_V of the mean Milky Way (Fitzpatrick 1999)."""

POWERS = (-1, 0, 1, 2, 3, 4)
"""The law is a sum over these powers of R_V, by the columns below."""

# k(x) + R_V at the points of the spline, with 1 / x in Angstrom (infinity first).
_POINTS = (np.inf, 26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0, 2700.0, 2600.0)
_AT_POINTS = (
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.26469 / 3.1, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.82925 / 3.1, 0.0, 0.0, 0.0),
    (0.0, -0.422809, 1.00270, 2.13572e-4, 0.0, 0.0),
    (0.0, -0.0513540, 1.00216, -7.35778e-5, 0.0, 0.0),
    (0.0, 0.700127, 1.00184, -3.32598e-5, 0.0, 0.0),
    (0.0, 1.19456, 1.01707, -5.46959e-3, 7.97809e-4, -4.45636e-5),
)
# Fitzpatrick & Massa's curve: centre and width of the bump (1/micrometre), c3, c4, where c4 sets in, and
# c2 = -0.824 + 4.717 / R_V, c1 = 2.030 - 3.007 c2.
_BUMP, _WIDTH, _C3, _C4, _FAR = 4.596, 0.99, 3.23, 0.41, 5.9
_C2, _C1 = (4.717, -0.824), (2.030, -3.007)

# The table, in ln of Angstrom: the range of the law, 910 Angstrom to 6 micrometres. Straight lines between
# its rows are right to 4e-6 of the law (to 5e-6 mag, for E(B-V) = 1, where it is small).
_FIRST, _LAST, _STEP = np.log(910.0), np.log(60000.0), 2.5e-4


def fitzpatrick(wavelength: ArrayLike, r_v: ArrayLike = GALACTIC_RV) -> NDArray[np.float64]:
    """Extinction, mag, for E(B-V) = 1, which is R_V + k of Fitzpatrick (1999).

    Arguments:
        wavelength: Angstrom, in the frame of the dust; outside 910 Angstrom to 6 micrometres as at the end.
        r_v: A_V / E(B-V); together they broadcast.

    Returns:
        A(wavelength) / E(B-V).

    Examples:
        >>> round(float(fitzpatrick(5470.0)), 2)
        3.05
    """
    r_v = np.asarray(r_v, dtype=float)
    terms = fitzpatrick_terms(wavelength)
    law = np.zeros(np.broadcast_shapes(terms.shape[1:], r_v.shape))
    for term, power in zip(terms, POWERS, strict=True):
        law += term * r_v**power
    return law


def fitzpatrick_terms(wavelength: ArrayLike) -> NDArray[np.float64]:
    """The law of `fitzpatrick` as terms, each to be times its one of the `POWERS` of R_V.

    Arguments:
        wavelength: (...) as of `fitzpatrick`.

    Returns:
        (powers, ...) mag for E(B-V) = 1.
    """
    place = (np.log(np.asarray(wavelength, dtype=float)) - _FIRST) / _STEP
    columns = _table()
    place = np.clip(place, 0.0, columns.shape[1] - 1.0)
    left = np.minimum(place.astype(int), columns.shape[1] - 2)
    right = place - left
    # One column after the other: gathers of single numbers are several times faster than of rows.
    lows = (column[left] for column in columns)
    highs = (column[left + 1] for column in columns)
    return np.stack([low + right * (high - low) for low, high in zip(lows, highs, strict=True)])


@cache
def _table() -> NDArray[np.float64]:
    """(powers, wavelengths)."""
    inverse = 1e4 / np.exp(_FIRST + _STEP * np.arange(int((_LAST - _FIRST) / _STEP) + 1))
    points = 1e4 / np.array(_POINTS)
    at_points = np.concatenate([_AT_POINTS, _ultraviolet(points[-2:])])
    law = np.where(
        (inverse < points[-2])[:, None],
        CubicSpline(points, at_points, bc_type="natural")(inverse),
        _ultraviolet(inverse),
    )
    return np.ascontiguousarray(law.T)


def _ultraviolet(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, powers) of Fitzpatrick & Massa's curve at x, 1/micrometre."""
    beyond = np.maximum(x - _FAR, 0.0)
    law = np.zeros((x.size, len(POWERS)))
    law[:, 0] = _C2[0] * (x + _C1[1])
    law[:, 1] = _C1[0] + _C2[1] * (x + _C1[1])
    law[:, 1] += _C3 * x**2 / ((x**2 - _BUMP**2) ** 2 + (x * _WIDTH) ** 2)
    law[:, 1] += _C4 * (0.5392 * beyond**2 + 0.05644 * beyond**3)
    law[:, 2] = 1.0
    return law
