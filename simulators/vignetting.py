"""Light that the telescope loses towards the edge of its field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .surveys import FIELD_RADIUS_DEG, Survey, alike

__all__ = ["VIGNETTING", "relative_throughput", "throughput"]

# LSST: the spline of imSim (LSSTDESC/imSim, data/LSSTCam_vignetting_data.json), read at these radii with
# 180 mm to a degree, over its value in the middle. Our own ray trace of the optical design
# (jmeyers314/batoid, LSST_r.yaml) gives 0.988 at 1.08°, 0.971 at 1.35°, 0.936 at 1.62° and 0.897 at 1.75°.
_LSST = np.array(
    [
        (0.0, 1.0),
        (0.5, 0.9983),
        (0.75, 0.9962),
        (1.0, 0.9909),
        (1.2, 0.9813),
        (1.3333, 0.9723),
        (1.4444, 0.9617),
        (1.5556, 0.9464),
        (1.6667, 0.9275),
        (1.7222, 0.9191),
        (1.75, 0.8974),
        (1.7778, 0.8483),
        (1.8056, 0.7835),
        (1.8333, 0.7157),
        (1.8889, 0.6089),
        (1.9444, 0.5006),
    ]
)

# Radius, degrees, and throughput. None: the field is too small against the mirrors to be vignetted; that
# Euclid loses nothing over its 0.7° is our assumption.
VIGNETTING: Mapping[str, NDArray[np.float64] | None] = {
    "LSST": _LSST,
    "EUCLID_VIS": None,
    "EUCLID_NISP": None,
}


def throughput(survey: Survey, place_deg: ArrayLike) -> float:
    """Fraction of the light of the middle of the field that arrives at another place of it.

    Sources and sky are dimmed alike. The collecting area of LSST in `surveys` is already that of the mean of
    the field: `relative_throughput` dims no scene twice.

    Arguments:
        survey: the instrument.
        place_deg: (x, y) from the middle of the field, degrees.

    Raises:
        ValueError: if `VIGNETTING` has neither the survey nor one like it, or the place is not two numbers
            within the field.
    """
    place = np.asarray(place_deg, dtype=float)
    if place.shape != (2,) or not np.all(np.isfinite(place)):
        raise ValueError(f"a place is two finite numbers (x, y) in degrees, not {place_deg}")
    curve = alike(survey, VIGNETTING)
    if curve is None:
        return 1.0
    radius = float(np.hypot(*place))
    if radius > curve[-1, 0]:
        raise ValueError(
            f"the field of {survey.name} ends {curve[-1, 0]:.2f} degrees from its middle: "
            f"nothing is seen at {radius:.2f}"
        )
    return float(np.interp(radius, curve[:, 0], curve[:, 1]))


def relative_throughput(survey: Survey, place_deg: ArrayLike) -> float:
    """`throughput` over its mean over the field, 0.971 for LSST: what depths and areas are good for."""
    return throughput(survey, place_deg) / _mean(survey)


@cache
def _mean(survey: Survey) -> float:
    curve = alike(survey, VIGNETTING)
    if curve is None:
        return 1.0
    radius = np.linspace(0, FIELD_RADIUS_DEG, 2001)
    through = np.interp(radius, curve[:, 0], curve[:, 1])
    return float(np.trapezoid(radius * through, radius) / np.trapezoid(radius, radius))
