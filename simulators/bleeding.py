"""Charge that a full pixel cannot hold and that runs along its column.

In a CCD the walls between columns are higher than those between the pixels of one column: what is
above the full well spills to both sides along it, half each way, and fills every pixel it meets until it
is spent or leaves the image. Infrared arrays have no columns of charge: their pixels saturate alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bleed"]

# Of the full well; below it, what a pixel takes is rounding.
_NOTHING = 1e-9


def bleed(
    electrons: NDArray[np.floating], full_well_e: float, *, along: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Spill what is above the full well along the columns.

    Charge is conserved up to what leaves the image at the two ends of a column. Where the trails of
    two sources meet, they fill the same whichever end one begins with: the result is the mean of both orders.

    Arguments:
        electrons: (ny, nx) with or without the sky, as the full well is.
        full_well_e: the most that a pixel holds, electrons; less its sky, where the sky is left out.
        along: axis along which charge runs: 0 if columns are columns of the array.

    Returns:
        (ny, nx) electrons, nowhere above the full well, and (ny, nx) the pixels that were
        above it or have taken charge from others.

    Raises:
        ValueError: if the full well is not positive, the axis is not 0 or 1, or the charge is not finite.
    """
    if not full_well_e > 0:
        raise ValueError(f"a pixel holds a positive charge, not {full_well_e} electrons")
    if along not in (0, 1):
        raise ValueError(f"charge runs along axis 0 or 1 of an image, not {along}")
    image = np.array(electrons, dtype=float)
    if image.ndim != 2 or not np.all(np.isfinite(image)):
        raise ValueError("an image that bleeds is a table (ny, nx) of finite electrons")
    columns = image if along == 0 else image.T
    trail = np.zeros(columns.shape, dtype=bool)
    full = np.flatnonzero(np.any(columns > full_well_e, axis=0))
    if len(full):
        before = columns[:, full]
        spilled = (_spilled(before, full_well_e) + _spilled(before[::-1], full_well_e)[::-1]) / 2
        columns[:, full] = spilled
        trail[:, full] = (before > full_well_e) | (spilled > before)
    return image, trail if along == 0 else trail.T


def _spilled(charge: NDArray[np.float64], full_well: float) -> NDArray[np.float64]:
    """Half of the excess to higher rows, then the other half to lower ones."""
    half = np.maximum(charge - full_well, 0) / 2
    held = np.minimum(charge, full_well)
    held = held + _taken(half, full_well - held, full_well)
    return held + _taken(half[::-1], full_well - held[::-1], full_well)[::-1]


def _taken(source: NDArray[np.float64], room: NDArray[np.float64], full_well: float) -> NDArray[np.float64]:
    """What each row keeps of a charge that runs towards higher rows, starting from `source`.

    The charge that goes on is carried' = max(carried + source − room, 0): a queue, whose solution
    is the sum of source − room against its lowest value so far.
    """
    balance = np.cumsum(source - room, axis=0)
    carried = balance - np.minimum(np.minimum.accumulate(balance, axis=0), 0)
    before = np.concatenate([np.zeros_like(carried[:1]), carried[:-1]])
    taken = np.minimum(before + source - carried, room)
    return np.where(taken > _NOTHING * full_well, taken, 0.0)
