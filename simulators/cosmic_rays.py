"""Charged particles that cross a sensor during an exposure and leave charge along their way.

A hit is a straight track through the whole thickness of the sensor. Its direction is drawn from the
flux that crosses the plane of the sensor, its charge from a distribution with the long tail of
Landau's, and the charge is spread evenly over the length of the track and then over a small cloud.

On the ground the particles are muons, mostly from above; LSST is taken to look up, as it does
within 50 degrees or so. At L2 they are Galactic cosmic rays from all sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .surveys import Survey, alike

__all__ = ["RADIATION", "Radiation", "draw_cosmic_rays", "expected_hits"]

# Tracks flatter than this cosine are left out, so that one has a longest length; they are 1e-4 of all
# muons, 1e-2 of the hits in space. Our choice.
_FLATTEST = 0.1
# Charge is laid down in steps of at most this many pixels: our choice.
_STEP = 0.5


@dataclass(frozen=True)
class Radiation:
    """The particles that reach a sensor, and the sensor as they see it.

    Attributes:
        rate: hits per cm² of the sensor and second.
        kept: fraction of the hits that are still in the image that a survey delivers.
        cosine_power: the intensity of the particles goes as the cosine of their angle to the normal
            to this power: 2 for muons under the open sky, 0 for all directions alike.
        pixel_um: side of a pixel, micrometres.
        thickness_um: of the layer that collects charge, micrometres.
        electrons_um: most probable charge per micrometre of track, electrons.
        straggling: width of the distribution of charges, a fraction of the most probable one.
        diffusion_um: rms of the charge cloud on each axis, micrometres.
    """

    rate: float
    kept: float
    cosine_power: int
    pixel_um: float
    thickness_um: float
    electrons_um: float
    straggling: float
    diffusion_um: float

    def __post_init__(self) -> None:
        # The cloud reaches no further than the next pixel.
        if not 0 < self.cloud_pixels <= 2:
            raise ValueError(
                f"a charge cloud of {self.diffusion_um} micrometres rms in pixels of {self.pixel_um}: "
                "give one of at most 0.57 pixels"
            )

    @property
    def cloud_pixels(self) -> float:
        """Side of an even square cloud with this diffusion, pixels."""
        return float(np.sqrt(12) * self.diffusion_um / self.pixel_um)

    @property
    def longest_pixels(self) -> float:
        """Length of the longest track on the image, pixels."""
        return float(self.thickness_um / self.pixel_um * np.sqrt(1 / _FLATTEST**2 - 1))


# Rate, ground: about 5 a minute and cm² with LSST's neighbour on Cerro Tololo pointing up (Dark Energy
# Survey, requirement Anom-R2). Rate, L2: NIRSpec's fell from 4.3 to 2.3 a second and cm² between
# minimum and maximum of solar activity and may reach 6 (Rauscher & Fixsen 2025, abstract): we take 4.3. With
# it 5 % of VIS pixels gain 20 electrons or more in 565 s; sniemi/EuclidVisibleInstrument, a simulator of
# VIS, covers 3 %.
# Silicon: 82 keV is the most probable loss in 300 micrometres, at 3.65 eV a pair. HgCdTe: NIRSpec's
# 0.86 keV per micrometre and 5200 charges in 6 keV (same abstract), fewer as the gap is wider: a
# cut-off of 2.3 against 5.4 micrometres. Pixels and thicknesses of the CCDs: as commonly quoted (e2v
# CCD250 and CCD273; Teledyne H2RG). Thickness of NISP, all straggling, diffusion: orders of
# magnitude, our choice; VIS diffusion as in `optics`.
# NISP reads up a ramp on board and flags pixels that jump: that a tenth stays is our choice.
#                       rate  kept  cos  pixel  thick  e-/um  strag  diffusion
RADIATION: Mapping[str, Radiation] = {
    "LSST": Radiation(5 / 60, 1.0, 2, 10.0, 100.0, 75.0, 0.12, 4.0),
    "EUCLID_VIS": Radiation(4.3, 1.0, 0, 12.0, 40.0, 75.0, 0.16, 4.0),
    "EUCLID_NISP": Radiation(4.3, 0.1, 0, 18.0, 5.0, 320.0, 0.25, 3.0),
}


def expected_hits(survey: Survey, shape: tuple[int, int], exposure_s: float) -> float:
    """Mean number of tracks whose middle lies in a part of a sensor of that many pixels.

    Arguments:
        survey: the instrument.
        shape: (ny, nx) pixels.
        exposure_s: how long the sensor collects, s (all the visits of a condensed one together).

    Raises:
        ValueError: if `RADIATION` has neither the survey nor one like it or the exposure is not positive.
    """
    sensor = _radiation(survey)
    if not exposure_s > 0:
        raise ValueError(f"an exposure lasts longer than zero seconds, not {exposure_s}")
    area_cm2 = shape[0] * shape[1] * (sensor.pixel_um * 1e-4) ** 2
    return sensor.rate * sensor.kept * area_cm2 * exposure_s


def draw_cosmic_rays(
    rng: np.random.Generator, survey: Survey, shape: tuple[int, int], exposure_s: float
) -> NDArray[np.float64]:
    """The charge that cosmic rays leave in one exposure, (ny, nx) electrons.

    Tracks that begin or end outside the image are there with the part that is inside. Each has one
    charge per micrometre for its whole length: delta rays, showers and stopped particles are left out.

    Arguments:
        rng: where the random numbers come from; how many are taken depends on the hits alone.
        survey: the instrument.
        shape: (ny, nx) pixels.
        exposure_s: how long the sensor collects, s.

    Raises:
        ValueError: if `RADIATION` has neither the survey nor one like it or the exposure is not positive.
    """
    sensor = _radiation(survey)
    margin = int(np.ceil(sensor.longest_pixels / 2)) + 2
    wide = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    hits = int(rng.poisson(expected_hits(survey, wide, exposure_s)))
    middle = rng.uniform(-margin - 0.5, np.array(shape)[:, None] + margin - 0.5, (2, hits))
    # Through a plane goes the intensity times another cosine: density μ^(n + 1) of μ, turned around.
    power = sensor.cosine_power + 2
    cosine = rng.uniform(_FLATTEST**power, 1.0, hits) ** (1 / power)
    angle = rng.uniform(0, 2 * np.pi, hits)
    charge = _charges(rng, sensor, sensor.thickness_um / cosine)

    length = sensor.thickness_um / sensor.pixel_um * np.sqrt(1 / cosine**2 - 1)
    direction = length * np.stack([np.sin(angle), np.cos(angle)])
    steps = np.ceil(length / _STEP).astype(np.int64) + 1
    track = np.repeat(np.arange(hits), steps)
    number = np.arange(len(track)) - np.repeat(np.cumsum(steps) - steps, steps)
    along = (number + 0.5) / steps[track] - 0.5
    place = middle[:, track] + along * direction[:, track]
    return _deposited(place, (charge / steps)[track], sensor.cloud_pixels, shape)


def _radiation(survey: Survey) -> Radiation:
    return alike(survey, RADIATION)


def _charges(rng: np.random.Generator, sensor: Radiation, path_um: NDArray) -> NDArray[np.float64]:
    # Moyal's approximation to Landau's distribution is that of −ln of the square of a normal, with its
    # peak at zero. The floor, half of the peak, only guards against straggling too wide for it.
    moyal = -np.log(np.maximum(rng.standard_normal(len(path_um)) ** 2, 1e-12))
    return sensor.electrons_um * path_um * np.maximum(1 + sensor.straggling * moyal, 0.5)


def _deposited(
    place: NDArray[np.float64], charge: NDArray[np.float64], width: float, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Point charges at (2, n) places (y, x), each spread over an even square, summed in pixels."""
    nearest = np.rint(place).astype(np.int64)
    offset = place - nearest
    above = np.clip((offset + width / 2 - 0.5) / width, 0, 1)
    below = np.clip((width / 2 - 0.5 - offset) / width, 0, 1)
    share = np.stack([below, 1 - above - below, above])  # (3, 2, n)
    rows, columns = nearest[0] + np.arange(-1, 2)[:, None], nearest[1] + np.arange(-1, 2)[:, None]
    parts = charge * share[:, None, 0] * share[None, :, 1]
    inside = ((rows >= 0) & (rows < shape[0]))[:, None] & ((columns >= 0) & (columns < shape[1]))[None]
    pixel = (rows[:, None] * shape[1] + columns[None])[inside]
    image = np.bincount(pixel, parts[inside], minlength=shape[0] * shape[1])
    return np.asarray(image, dtype=float).reshape(shape)
