"""Pixels of a sensor that measure nothing: gaps between sensors, bad columns, bad pixels.

A survey's sensors lie on a grid. A scene falls on it anywhere, with its middle on a sensor (or
it would have no exposure), so that a gap crosses it as often as it is near the edge of one. Amplifiers
of one sensor read touching halves of it and leave no gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .detectors import BAD_COLUMN, GAP
from .surveys import Survey, alike

__all__ = ["MOSAICS", "Mosaic", "draw_defects"]


@dataclass(frozen=True)
class Mosaic:
    """The sensors of a survey.

    Attributes:
        sensor: (rows, columns) of one, pixels.
        gap: (rows, columns) between one and the next, pixels.
        bad_columns: fraction of the columns.
        bad_pixels: fraction of the pixels, besides.
    """

    sensor: tuple[int, int]
    gap: tuple[int, int]
    bad_columns: float
    bad_pixels: float


# LSST: sensors of 4004 x 4096 pixels of 10 micrometres, nine to a raft of 127 mm (lsst/obs_lsst,
# policy/camera.skl.yaml and policy/imsim/rafts.yaml): a third of it is 4233 pixels. VIS: 4132 x 4096
# pixels and gaps of 64.4" and 12.7" (GalSim-Euclid-Like, instrument_params.py and euclidlike_wcs.py).
# NISP: 2040 x 2040 pixels see the sky; gaps of 100" and 50" are what four of them leave of a field of
# 0.76 by 0.72 degrees, not checked further.
# Bad pixels: of NISP, less than 0.2 % do not work (Kubik et al., arXiv:2507.11326, abstract), a half of that
# is our choice; LSST allows 1 % of a sensor (DMS-REQ-0359, PixFrac). All fractions of CCDs are our choice.
#                                            sensor        gap         columns  pixels
MOSAICS: Mapping[str, Mosaic] = {
    "LSST": Mosaic((4004, 4096), (229, 137), 5e-4, 1e-5),
    "EUCLID_VIS": Mosaic((4132, 4096), (644, 127), 2e-4, 5e-6),
    "EUCLID_NISP": Mosaic((2040, 2040), (333, 167), 0.0, 1e-3),
}


def draw_defects(rng: np.random.Generator, survey: Survey, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Where a scene falls on the sensors of a survey, and which pixels do not work there.

    Columns are those of the array, axis 0 runs along them. A bad column is bad from one end of the
    scene to the other.

    Arguments:
        rng: where the random numbers come from.
        survey: the instrument.
        shape: (ny, nx) of the scene, pixels.

    Returns:
        (ny, nx) bits: `GAP`, `BAD_COLUMN`, 0 for a pixel that works.

    Raises:
        ValueError: if `MOSAICS` has neither the survey nor one like it, or the scene is larger than a sensor.
    """
    mosaic = alike(survey, MOSAICS)
    if shape[0] > mosaic.sensor[0] or shape[1] > mosaic.sensor[1]:
        raise ValueError(
            f"a scene of {shape} pixels is larger than a sensor of {survey.name}, {mosaic.sensor}"
        )
    gaps = []
    for size, sensor, gap in zip(shape, mosaic.sensor, mosaic.gap, strict=True):
        place = rng.uniform(0, sensor) + np.arange(size) - (size - 1) / 2
        gaps.append(place % (sensor + gap) >= sensor)
    columns = rng.random(shape[1]) < mosaic.bad_columns
    # Few of many: their number first, then their places, some twice as it may be.
    number = rng.poisson(mosaic.bad_pixels * shape[0] * shape[1])
    pixels = rng.integers(shape[0] * shape[1], size=number)

    mask = np.zeros(shape, dtype=np.uint8)
    mask[:, columns] |= np.uint8(BAD_COLUMN)
    mask.flat[pixels] = BAD_COLUMN
    mask[gaps[0][:, None] | gaps[1]] = GAP
    return mask
