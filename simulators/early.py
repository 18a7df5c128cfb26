"""Light curves cut early: until when each may be looked at, in days from its peak or its first detection.

Each has one such moment, drawn among those when something had been detected. Several of one transient could
be held against each other, and would tell a method when its peak was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FROM_FIRST_DETECTION", "FROM_PEAK", "PHASES", "Cuts", "draw_cuts"]

FROM_PEAK, FROM_FIRST_DETECTION = 0, 1

PHASES = (
    *((FROM_PEAK, days) for days in (-2.0, 0.0, 2.0, 10.0)),
    *((FROM_FIRST_DETECTION, days) for days in (0.0, 2.0, 10.0)),
)
"""What a cut counts from, and days. Two days before the first detection there is nothing to classify."""


@dataclass(frozen=True)
class Cuts:
    """One cut for each of n transients.

    Attributes:
        mjd: (n,) the last moment that is shown.
        counts_from: (n,) `FROM_PEAK` or `FROM_FIRST_DETECTION`.
        days: (n,) from there.
    """

    mjd: NDArray[np.float64]
    counts_from: NDArray[np.int8]
    days: NDArray[np.float64]


def draw_cuts(
    rng: np.random.Generator, *, peak_mjd: NDArray[np.float64], first_detection: NDArray[np.float64]
) -> Cuts:
    """A cut for each transient.

    Arguments:
        rng: where the random numbers come from.
        peak_mjd: (n,) NaN where there is no peak.
        first_detection: (n,) MJD, finite.
    """
    origin = np.stack([peak_mjd, first_detection], axis=1)
    counts_from, days = (np.array(column) for column in zip(*PHASES, strict=True))
    moments = origin[:, counts_from] + days
    possible = moments >= first_detection[:, None]
    # The largest of random numbers: any of the possible ones alike.
    chosen = np.argmax(np.where(possible, rng.uniform(size=moments.shape), -1.0), axis=1)
    mjd = moments[np.arange(len(moments)), chosen]
    return Cuts(mjd, counts_from[chosen].astype(np.int8), days[chosen])
