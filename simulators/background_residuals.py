"""What is left of the sky after it has been subtracted: a level and a slope over a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .surveys import Survey, alike

__all__ = ["SUBTRACTION", "Residual", "Subtraction", "draw_residual", "plane"]


@dataclass(frozen=True)
class Subtraction:
    """How well a survey knows its sky.

    Attributes:
        fraction: rms of the error of the level, as a fraction of the sky.
        wave_pixels: half a wave of the residuals, pixels: they change sign over this length.
    """

    fraction: float
    wave_pixels: float


# Fractions are orders of magnitude, our choice: a thousandth of LSST's dark sky is 28 mag/arcsec² in i, some
# five times what the noise of the 128 x 128 pixels leaves in which it is measured. Lengths: LSST fits
# a polynomial of order six over a sensor of 4,000 pixels (dp1.lsst.io, background subtraction); for
# Euclid, the same order over one detector, our choice.
SUBTRACTION: Mapping[str, Subtraction] = {
    "LSST": Subtraction(1e-3, 4000 / 6),
    "EUCLID_VIS": Subtraction(1e-3, 4096 / 6),
    "EUCLID_NISP": Subtraction(2e-3, 2040 / 6),
}


@dataclass(frozen=True)
class Residual:
    """The sky that is left in a scene.

    Attributes:
        level: in the middle of the scene, nJy per pixel; negative where too much was taken.
        slope_x, slope_y: how it changes, nJy per pixel and pixel.
    """

    level: float
    slope_x: float
    slope_y: float


def draw_residual(
    rng: np.random.Generator,
    sky_electrons: float,
    electron_nJy: float,
    shape: tuple[int, int],
    survey: Survey,
) -> Residual:
    """Level and slopes of one exposure of one scene, Gaussian and independent.

    A wave of half length L has slopes of π/L times its amplitude, wherever one looks at it.

    Arguments:
        rng: where the random numbers come from; three are taken.
        sky_electrons: of one pixel in this exposure, before subtraction.
        electron_nJy: flux of one electron, nJy.
        shape: (ny, nx) of the scene; it must be smaller than half a wave, or a plane does not do.
        survey: the instrument.

    Raises:
        ValueError: if `SUBTRACTION` has neither the survey nor one like it, the sky is negative, or the
            scene is too large.
    """
    known = alike(survey, SUBTRACTION)
    if not sky_electrons >= 0:
        raise ValueError(f"a sky has no less than zero electrons, not {sky_electrons}")
    if max(shape) > known.wave_pixels:
        raise ValueError(
            f"the residual sky of {survey.name} is a plane over at most {known.wave_pixels:.0f} pixels, "
            f"not over {max(shape)}: make the scene smaller"
        )
    rms = known.fraction * sky_electrons * electron_nJy
    level, slope_x, slope_y = rms * rng.standard_normal(3) * [1, *2 * [np.pi / known.wave_pixels]]
    return Residual(float(level), float(slope_x), float(slope_y))


def plane(residual: Residual, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The residual in every pixel, (ny, nx) nJy.

    Examples:
        >>> plane(Residual(1.0, 0.5, 0.0), (1, 3)).tolist()
        [[0.5, 1.0, 1.5]]
    """
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    return residual.level + residual.slope_y * rows[:, None] + residual.slope_x * columns
