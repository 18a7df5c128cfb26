"""How much of what real exposures suffer is simulated: one switch for each effect, and two presets.

Each effect is a small module of its own; its truth lies in the truth store (`sky_layout`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["CLEAN", "PRESETS", "SURVEY", "Realism"]


@dataclass(frozen=True)
class Realism:
    """What exposures suffer beside noise, pixels, dithers and PSFs, which they always have.

    Attributes:
        rotation: exposures lie at any angle, not only in the eight ways of a square on a square.
        distortion: the telescope's field distortion, as each exposure's own affine map (`distortion`).
        vignetting: less light at the edge of the field, hence more noise (`vignetting`).
        calibration: errors of the PSF, map and zero point that are supplied, in units of what the surveys
            require (`calibration_errors`); 0 for none.
        bleeding: charge above the full well spills along columns (`bleeding`).
        cosmic_rays: charged particles leave tracks (`cosmic_rays`).
        defects: bad columns and pixels, gaps between sensors (`defects`).
        correlated_noise: neighbouring pixels share noise where the detector makes them (`correlated_noise`).
        background: residuals of the subtracted sky, in units of what the surveys leave
            (`background_residuals`); 0 for none.

    Raises:
        ValueError: if a switch is not a bool, or an amount is negative or not finite.
    """

    rotation: bool = False
    distortion: bool = False
    vignetting: bool = False
    calibration: float = 0.0
    bleeding: bool = False
    cosmic_rays: bool = False
    defects: bool = False
    correlated_noise: bool = False
    background: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ValueError(f"{field.name} is True or False, not {value!r}")
            elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e3:
                raise ValueError(f"{field.name} is a number from 0 (none) to below 1000, not {value!r}")


CLEAN = Realism()
"""Noise, pixels, dithers and PSFs alone."""

SURVEY = Realism(
    rotation=True,
    distortion=True,
    vignetting=True,
    calibration=1.0,
    bleeding=True,
    cosmic_rays=True,
    defects=True,
    correlated_noise=True,
    background=1.0,
)
"""Everything, at the level of the surveys."""

PRESETS = {"clean": CLEAN, "survey": SURVEY}
