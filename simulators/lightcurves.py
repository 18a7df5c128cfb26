"""Light curves of transients as a survey takes them: what it sees, when it notices, what it keeps.

All transients of a class at one place are done together, their observations in flat arrays, those of one
after those of another. A survey notices a transient by two detections half an hour apart or more, as the
simulated alerts of ELAsTiCC have it, and keeps what it measures in that place from a month before the first
of them to a month after the last, for 400 days at most. Nothing of that depends on what is true of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .epochs import Epochs, measured, saturated

__all__ = [
    "BEFORE_DAYS",
    "DETECTION",
    "RECORD_DAYS",
    "TRIGGER_DAYS",
    "Seen",
    "about_detections",
    "observe",
    "rows_between",
    "rows_of_runs",
]

DETECTION = 5.0
"""Signal-to-noise ratio of a difference image in which a transient is detected."""

TRIGGER_DAYS = 30.0 / 1440.0
"""Least time between two detections for a transient to be noticed: asteroids have moved on."""

BEFORE_DAYS, RECORD_DAYS = 30.0, 400.0
"""What is kept, days: before the first detection, and after it at the most."""

_AFTER = 30.0  # kept after the last detection, days


@dataclass(frozen=True)
class Seen:
    """Transients that were noticed, and what is kept of them.

    Attributes:
        which: (k,) their numbers among those that were observed.
        row_size: (k,) how many observations each has.
        row: (m,) the epoch of each observation.
        true: (m,) flux without noise, nJy.
        flux, error: (m,) as measured, nJy.
        detected: (m,) whether it is a detection.
    """

    which: NDArray[np.int64]
    row_size: NDArray[np.int64]
    row: NDArray[np.int64]
    true: NDArray[np.float32]
    flux: NDArray[np.float32]
    error: NDArray[np.float32]
    detected: NDArray[np.bool_]

    @property
    def owner(self) -> NDArray[np.int64]:
        """(m,) place in `which` of the transient that each observation is of."""
        return np.repeat(np.arange(self.which.size), self.row_size)

    def ends(self, of: NDArray[np.bool_], mjd: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """(k,) first and last of the times (m,) for which `of` (m,) is true; infinite where none is."""
        return _ends(self.owner[of], mjd[of], self.which.size)


def rows_between(epochs: Epochs, begin: ArrayLike, end: ArrayLike) -> tuple[NDArray, NDArray]:
    """The epochs between two times, for many pairs of them.

    Arguments:
        epochs: sorted by time.
        begin, end: (n,) MJD, included.

    Returns:
        (n,) how many each has, and (sum of them,) their numbers.
    """
    first = np.searchsorted(epochs.mjd, begin, side="left")
    row_size = np.maximum(np.searchsorted(epochs.mjd, end, side="right") - first, 0)
    return row_size, rows_of_runs(first, row_size)


def rows_of_runs(first: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers that count on from each of `first` (n,), as many as `size` (n,) says, run after run."""
    return np.arange(size.sum()) + np.repeat(first - (np.cumsum(size) - size), size)


def observe(
    rng: np.random.Generator,
    epochs: Epochs,
    row_size: NDArray[np.int64],
    row: NDArray[np.int64],
    flux: NDArray[np.float64],
    *,
    surface_brightness: NDArray[np.float64],
    steady: ArrayLike = 0.0,
    both_signs: bool = False,
    newest: ArrayLike = np.inf,
) -> Seen:
    """Measure transients, and keep those that are noticed.

    Arguments:
        rng: where the noise comes from.
        epochs: of the place, sorted by time.
        row_size: (n,) observations of each; they follow each other.
        row: (m,) the epoch of each observation.
        flux: (m,) true difference flux, nJy.
        surface_brightness: (n, bands) of the host, nJy/arcsec^2, by code of the band.
        steady: (m,) light of a point source in the same place in all epochs, nJy.
        both_signs: whether a source that fades below its reference is detected too.
        newest: (n,) MJD; what is first detected later is not noticed, because its record would end early.
    """
    n = row_size.size
    owner = np.repeat(np.arange(n), row_size)
    host = surface_brightness[owner, epochs.band[row]]
    seen, error = measured(rng, epochs, flux, steady=steady, surface_brightness=host, rows=row)
    usable = ~saturated(epochs, flux, steady=steady, surface_brightness=host, rows=row)
    strength = np.abs(seen) if both_signs else seen
    detected = usable & (strength > DETECTION * error)
    noticed, near = about_detections(owner, epochs.mjd[row], detected, n, newest=newest)
    kept = usable & noticed[owner] & near
    return Seen(
        which=np.flatnonzero(noticed),
        row_size=np.bincount(owner[kept], minlength=n)[noticed],
        row=row[kept],
        true=flux[kept].astype(np.float32),
        flux=seen[kept],
        error=error[kept],
        detected=detected[kept],
    )


def about_detections(
    owner: NDArray[np.int64],
    mjd: NDArray[np.float64],
    detected: NDArray[np.bool_],
    n: int,
    *,
    newest: ArrayLike = np.inf,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What a survey notices, and what it keeps of it.

    Arguments:
        owner: (m,) which of the transients each observation is of.
        mjd: (m,) its time.
        detected: (m,) whether it is a detection.
        n: transients.
        newest: (n,) or one for all: MJD after which a first detection comes too late.

    Returns:
        (n,) whether a transient is noticed, and (m,) whether an observation is near enough to detections.
    """
    first, _ = _ends(owner[detected], mjd[detected], n)
    in_time = detected & (mjd <= first[owner] + RECORD_DAYS)
    _, last = _ends(owner[in_time], mjd[in_time], n)
    until = np.minimum(last + _AFTER, first + RECORD_DAYS)
    near = (mjd >= (first - BEFORE_DAYS)[owner]) & (mjd <= until[owner])
    return (last - first >= TRIGGER_DAYS) & (first <= newest), near


def _ends(owner: NDArray[np.int64], mjd: NDArray[np.float64], n: int) -> tuple[NDArray, NDArray]:
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, owner, mjd)
    np.maximum.at(last, owner, mjd)
    return first, last
