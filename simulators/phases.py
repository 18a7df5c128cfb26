"""Fluxes at any phase from light curves at the phases of a series; `series` tells how it goes on."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["HasPhases", "at_phases"]


class HasPhases(Protocol):
    """What says how a series goes on in phase: attributes as of `series_photometry.SeriesLight`."""

    @property
    def phase(self) -> NDArray[np.float64]: ...
    @property
    def first(self) -> NDArray[np.int64]: ...
    @property
    def weights(self) -> NDArray[np.float64]: ...
    @property
    def first_light(self) -> float: ...
    @property
    def decline(self) -> float: ...


def at_phases(
    series_light: HasPhases, curves: NDArray[np.float32], row: NDArray[np.int64], phase: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fluxes at phases, each on a row of (k, p) curves."""
    known = series_light.phase
    inside = np.clip(phase, known[0], known[-1])
    interval = _intervals(known, inside)
    u = ((inside - known[interval]) / np.diff(known)[interval]).astype(np.float32)
    begin = row * known.size + series_light.first[interval]
    last = known.size - 1 - series_light.first[interval]
    flat, total = curves.ravel(), np.zeros(phase.size, dtype=np.float32)
    # Single precision, as the curves have. Gathers from columns that lie together are faster than of tables.
    for tap, (one, to_u, to_u2, to_u3) in enumerate(
        series_light.weights.astype(np.float32).transpose(1, 2, 0).copy()
    ):
        weight = ((to_u3[interval] * u + to_u2[interval]) * u + to_u[interval]) * u + one[interval]
        total += weight * flat[begin + (tap if known.size > 3 else np.minimum(tap, last))]
    flux = np.maximum(total, 0.0).astype(float)
    (late,) = np.nonzero(phase > known[-1])
    flux[late] *= np.exp((known[-1] - phase[late]) / series_light.decline)
    (early,) = np.nonzero(phase < known[0])
    if early.size:
        rise = max(known[0] - series_light.first_light, 1e-9)
        flux[early] *= np.maximum((phase[early] - series_light.first_light) / rise, 0.0) ** 2
    return flux


def _intervals(known: NDArray[np.float64], inside: NDArray[np.float64]) -> NDArray[np.int64]:
    """The interval of an increasing grid that each number within it is in; faster than a search."""
    # No cell holds two points of the grid, so that the interval is that of its beginning or the next.
    width = np.diff(known).min()
    cells = known[0] + width * np.arange(int((known[-1] - known[0]) / width) + 2)
    at_begin = np.clip(np.searchsorted(known, cells, side="right") - 1, 0, known.size - 2)
    interval = at_begin[((inside - known[0]) / width).astype(int)]
    interval += (inside >= known[interval + 1]) & (interval < known.size - 2)
    # Rounding may put a number into the cell before its own.
    return interval - ((inside < known[interval]) & (interval > 0))
