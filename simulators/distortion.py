"""How a telescope stretches the sky over its field, and how little a scene sees of it.

Light from an angle θ off the optical axis lands in the focal plane at a radius

    ρ(θ) = θ (1 + cubic θ² + fifth θ⁴),     all in degrees,

in the same direction. Near a place the map is affine: ρ' along the radius, ρ/sin θ across it, since
the circles of the sky are shorter than those of a plane. What is left over a scene is the curvature of the
map, `residual_arcsec`: at most 0.1 mas in a scene of LSST (5e-4 of a pixel) and 1.1 mas in one of
Euclid (0.011 of a VIS pixel), far below what a WCS is wrong by. One affine map per exposure therefore
holds all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .surveys import FIELD_RADIUS_DEG, Survey, alike

__all__ = ["DISTORTIONS", "Distortion", "draw_place", "local_linear", "residual_arcsec"]


@dataclass(frozen=True)
class Distortion:
    """The radial distortion of a telescope.

    Attributes:
        axis_deg: where the optical axis is, (x, y) from the middle of the field, degrees.
        cubic: per square degree.
        fifth: per degree to the fourth.
        field: "disc" or "square".
        half_width_deg: radius of the field or half the side of it, degrees.
    """

    axis_deg: tuple[float, float]
    cubic: float
    fifth: float
    field: str
    half_width_deg: float

    def radius(self, angle_deg: ArrayLike) -> NDArray[np.float64]:
        """ρ(θ), degrees, of angles off the axis."""
        angle = np.asarray(angle_deg, dtype=float)
        return np.asarray(angle * (1 + angle**2 * (self.cubic + self.fifth * angle**2)))

    def along(self, angle_deg: float) -> float:
        """The stretch along the radius, ρ'(θ)."""
        return 1 + angle_deg**2 * (3 * self.cubic + 5 * self.fifth * angle_deg**2)

    def across(self, angle_deg: float) -> float:
        """The stretch across the radius, ρ/sin θ."""
        if angle_deg == 0:
            return 1.0
        return float(np.radians(self.radius(angle_deg)) / np.sin(np.radians(angle_deg)))


# LSST: our own ray trace of the optical design (jmeyers314/batoid, data/LSST/LSST_r.yaml; mean of the rays
# of 0.62 micrometres at 40 angles to 1.75°), 20.0059" per mm in the middle; the polynomial leaves
# 0.08 micrometres. Euclid: our fit to the scales of the 36 CCDs of VIS on early
# images (GalSim-Euclid-Like at commit d6ff252, data/pv_coeffs.dat), which leaves 4e-4 rms; the axis it
# finds is 0.77° beside the middle of the field, 0.86° in the description of the instrument there. On which
# side is our choice, and that NISP, behind the same telescope, has the distortion of VIS is our
# assumption.
_EUCLID = Distortion((0.0, -0.772), 6.65e-3, 0.0, "square", 0.35)
DISTORTIONS: Mapping[str, Distortion] = {
    "LSST": Distortion((0.0, 0.0), 3.716e-4, 1.785e-6, "disc", FIELD_RADIUS_DEG),
    "EUCLID_VIS": _EUCLID,
    "EUCLID_NISP": _EUCLID,
}


def draw_place(rng: np.random.Generator, survey: Survey) -> NDArray[np.float64]:
    """Somewhere in the field of a survey, all places alike: (x, y) from its middle, degrees.

    Raises:
        ValueError: if `DISTORTIONS` has neither the survey nor one like it.
    """
    telescope = _distortion(survey)
    first, second = rng.uniform(size=2)
    if telescope.field == "disc":
        radius, angle = telescope.half_width_deg * np.sqrt(first), 2 * np.pi * second
        return np.array([radius * np.cos(angle), radius * np.sin(angle)])
    return telescope.half_width_deg * (2 * np.array([first, second]) - 1)


def local_linear(survey: Survey, place_deg: ArrayLike) -> NDArray[np.float64]:
    """The Jacobian of the distortion, from the sky to the focal plane.

    Arguments:
        survey: the instrument.
        place_deg: (x, y) from the middle of the field along the axes of the pixels, degrees.

    Returns:
        (2, 2), near 1: multiply with it what maps arcsec to pixels at ``pixel_arcsec``. Its determinant is 1
        in the middle of the field, where a pixel has its nominal area.

    Raises:
        ValueError: if `DISTORTIONS` has neither the survey nor one like it, or the place is not in the field.
    """
    telescope = _distortion(survey)
    angle, direction = _from_axis(telescope, _place(survey, telescope, place_deg))
    outward = np.outer(direction, direction)
    stretch = telescope.along(angle) * outward + telescope.across(angle) * (np.eye(2) - outward)
    return stretch / _middle(telescope)


def residual_arcsec(survey: Survey, place_deg: ArrayLike, width_arcsec: float) -> float:
    """The largest distance in a scene between where light lands and where the affine map puts it.

    Arguments:
        survey: the instrument.
        place_deg: (x, y) of the middle of the scene from the middle of the field, degrees.
        width_arcsec: side of the scene.

    Raises:
        ValueError: if `DISTORTIONS` has neither the survey nor one like it, the place is not in the field, or
            the width is not positive.
    """
    telescope = _distortion(survey)
    angle, direction = _from_axis(telescope, _place(survey, telescope, place_deg))
    if not width_arcsec > 0:
        raise ValueError(f"a scene has a positive width, not {width_arcsec} arcsec")
    side = np.linspace(-width_arcsec / 2, width_arcsec / 2, 9)
    x, y = (grid.ravel() for grid in np.meshgrid(side, side))
    along, across = direction[0] * x + direction[1] * y, direction[0] * y - direction[1] * x
    # On the sphere: the axis is z, the scene lies at `angle` from it in the plane y = 0.
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    u, v = np.radians(along / 3600), np.radians(across / 3600)
    radial, depth = sine + u * cosine, cosine - u * sine
    seen = np.degrees(np.arctan2(np.hypot(radial, v), depth))
    turn = np.arctan2(v, radial)
    radius = 3600 * telescope.radius(seen)
    off_along = radius * np.cos(turn) - 3600 * telescope.radius(angle) - telescope.along(angle) * along
    off_across = radius * np.sin(turn) - telescope.across(angle) * across
    return float(np.hypot(off_along, off_across).max() / _middle(telescope))


def _distortion(survey: Survey) -> Distortion:
    return alike(survey, DISTORTIONS)


def _place(survey: Survey, telescope: Distortion, place_deg: ArrayLike) -> NDArray[np.float64]:
    place = np.asarray(place_deg, dtype=float)
    if place.shape != (2,) or not np.all(np.isfinite(place)):
        raise ValueError(f"a place is two finite numbers (x, y) in degrees, not {place_deg}")
    far = np.hypot(*place) if telescope.field == "disc" else np.abs(place).max()
    if far > telescope.half_width_deg * (1 + 1e-9):
        raise ValueError(
            f"({place[0]:.3f}, {place[1]:.3f}) is not in the field of {survey.name}, a {telescope.field} "
            f"that ends {telescope.half_width_deg} degrees from its middle: draw one with draw_place"
        )
    return place


def _from_axis(telescope: Distortion, place: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    offset = place - telescope.axis_deg
    angle = float(np.hypot(*offset))
    return angle, offset / angle if angle > 0 else np.array([1.0, 0.0])


def _middle(telescope: Distortion) -> float:
    angle, _ = _from_axis(telescope, np.zeros(2))
    return float(np.sqrt(telescope.along(angle) * telescope.across(angle)))
